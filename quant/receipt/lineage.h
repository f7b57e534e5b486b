/* What a quantized file says about how it was made: its recipe, and the step that it adds to the lineage. */
#ifndef MOTE_QUANT_LINEAGE_H
#define MOTE_QUANT_LINEAGE_H

#include "quant/encode/recipe.h"
#include "quant/measure/text.h"

/* {"type" or "budget_bytes" or "bits" or "max_kld", "encoder", "rules"}: what was asked for. A mixture itself is in
 * the tensors' directory. Owned by the caller; NULL when memory is gone. */
cJSON *mote_lineage_recipe(const struct mote_aim *aim, const struct mote_recipe *recipe, enum mote_encoder encoder);

/* The source's metadata with a step of this recipe appended to its lineage; calibration: the text that the encoder saw,
 * or NULL. Owned by the caller; NULL when memory is gone. */
cJSON *mote_lineage_metadata(const struct mote_container *source, const char *tool, const cJSON *recipe,
			     const struct mote_text *calibration);

#endif
