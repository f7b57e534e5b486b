/* What checkpoints of some families store otherwise than a container: several matrices as one, or under another name.
 */
#ifndef MOTE_CONVERT_FUSED_WEIGHTS_H
#define MOTE_CONVERT_FUSED_WEIGHTS_H

#include "format/container.h"
#include "runtime/model/architecture.h"

#define MOTE_MAX_FUSED 3

enum mote_stored {
	MOTE_STORED_FUSED = 1,      /* q, k and v are "qkv_proj", gate and up "gate_up_proj" */
	MOTE_STORED_SHARED_MLP = 2, /* gate and up are "shared_mlp.input_linear", down is "shared_mlp.output_linear" */
	MOTE_STORED_LAYERNORMS = 4  /* norms of q and k are "query_layernorm" and "key_layernorm" */
};

/* A layer's weight that is stored otherwise. Those that are one there stand one behind the other: the first of them is
 * the one at -place. */
struct mote_stored_weight {
	unsigned stored;            /* enum mote_stored: where */
	const char *name, *in;      /* in the layer; what it is called there, alone or with others */
	uint32_t place, parts;      /* which of how many */
	enum mote_dim rows;
};

/* The one of this name in a layer; NULL: it is stored as it is. stored: enum mote_stored */
const struct mote_stored_weight *mote_stored_weight_find(const char *name, unsigned stored);

/* One below the other, and the whole's name and rows. A matrix that stands alone is one part. */
struct mote_fused_weights {
	const struct mote_tensor *part[MOTE_MAX_FUSED];
	uint32_t parts, rows;
	char name[MOTE_WEIGHT_NAME_BYTES + 32];
};

/* The whole that begins with this tensor, as it is stored; .parts is 0 when the tensor lies further down in another
 * one's.
 * MOTE_ERROR_CORRUPT: a part is missing, or not as wide. */
enum mote_status mote_fused_weights_find(const struct mote_container *c, const struct mote_tensor *t, unsigned stored,
					 struct mote_fused_weights *out, struct mote_error *error);

#endif
