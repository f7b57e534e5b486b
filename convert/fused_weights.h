/* Matrices of a container that are one in some families' checkpoints: q, k and v; gate and up.
 */
#ifndef MOTE_CONVERT_FUSED_WEIGHTS_H
#define MOTE_CONVERT_FUSED_WEIGHTS_H

#include "format/container.h"
#include "runtime/model/architecture.h"

#define MOTE_MAX_FUSED 3

/* One below the other, and the whole's name and rows. A matrix that stands alone is one part. */
struct mote_fused_weights {
	const struct mote_tensor *part[MOTE_MAX_FUSED];
	uint32_t parts, rows;
	char name[MOTE_WEIGHT_NAME_BYTES + 32];
};

/* The whole that begins with this tensor of a fused family; .parts is 0 when the tensor lies further down in another
 * one's.
 * MOTE_ERROR_CORRUPT: a part is missing, or not as wide. */
enum mote_status mote_fused_weights_find(const struct mote_container *c, const struct mote_tensor *t, bool fused,
					 struct mote_fused_weights *out, struct mote_error *error);

#endif
