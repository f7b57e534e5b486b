/* A model as its family's config.json: what hf_config.h reads, the other way round.
 */
#ifndef MOTE_CONVERT_HF_CONFIG_WRITE_H
#define MOTE_CONVERT_HF_CONFIG_WRITE_H

#include "convert/export_model.h"
#include "format/json.h"

/* Architecture, shape, RoPE and what the family has beyond a Llama, without token ids. rope: "rope" of the container's
 * "model". The caller deletes it. NULL: out of memory. */
cJSON *mote_hf_config_write(const struct mote_config *config, const cJSON *rope,
			    const struct mote_export_family *family);

#endif
