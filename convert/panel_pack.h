/* Row-major weights as a checkpoint has them, into panels of a float type: transposed, checked for NaN and
 * infinity, and converted where the types differ (f32 to f16 or bf16: round to nearest, ties to even).
 */
#ifndef MOTE_CONVERT_PANEL_PACK_H
#define MOTE_CONVERT_PANEL_PACK_H

#include "format/block.h"

struct mote_panel_pack {
	const char *name;          /* of the tensor, for messages; borrowed */
	enum mote_type from;       /* the source's type: f32, f16 or bf16 */
	struct mote_matrix matrix; /* what is made; a float type, data unused */
	uint8_t *scratch;          /* one panel of the source type */
	uint8_t *zeros;            /* one row of it: the rows beyond the last */
};

/* MOTE_ERROR_MEMORY. free() accepts a zeroed struct. */
enum mote_status mote_panel_pack_init(struct mote_panel_pack *p, const char *name, enum mote_type from,
				      const struct mote_matrix *matrix, struct mote_error *error);
void mote_panel_pack_free(struct mote_panel_pack *p);

/* Packs panels first..first+n.
 *   source  their rows (of the last panel, those that exist), [..][cols] of the source type, not aligned
 *   out     [n * panel_bytes], 64-byte aligned, wholly written
 * MOTE_ERROR_CORRUPT: NaN or infinity; MOTE_ERROR_UNSUPPORTED: a finite value is beyond the new type's range.
 * Both name the tensor and the first such element. */
enum mote_status mote_panel_pack_run(const struct mote_panel_pack *p, const uint8_t *source, uint32_t first,
				     uint32_t n, uint8_t *out, struct mote_error *error);

/* A vector, widened to f32 (exact). Errors as above. */
enum mote_status mote_vector_widen(const char *name, enum mote_type from, const uint8_t *source, uint32_t n,
				   float *out, struct mote_error *error);

#endif
