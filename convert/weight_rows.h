/* Rows of a checkpoint's weight in the model's order, whatever form they have in the file: floats, or blocks of a GGUF
 * type, which are decoded to f32 or, when a panel can hold exactly the same, taken over as quants.
 */
#ifndef MOTE_CONVERT_WEIGHT_ROWS_H
#define MOTE_CONVERT_WEIGHT_ROWS_H

#include "convert/hf/hf_weights.h"

/* The quantized type that holds the weight's blocks without loss; 0: none does. */
enum mote_type mote_weight_rows_quants(const struct mote_hf_weight *weight);
/* That type's codebook for these blocks; NULL: the type has none. */
const uint8_t *mote_weight_rows_codebook(const struct mote_hf_weight *weight);

/* Reads rows first..first + n of a weight of this shape, which was checked.
 *   type  what rows are wanted in: mote_hf_weight_type() (f32 where an adapter adds to them, which it does here), or
 *         mote_weight_rows_quants() for rows of blocks as they are
 *   out   [n][cols] of a float type; or [n] rows of blocks
 * MOTE_ERROR_IO. Thread-safe. */
enum mote_status mote_weight_rows_read(const struct mote_source *source, const struct mote_hf_weight *weight,
				       enum mote_type type, uint32_t rows, uint32_t cols, uint32_t first, uint32_t n,
				       uint8_t *out, struct mote_error *error);

/* Bytes of a row as read() leaves it. */
size_t mote_weight_rows_bytes(const struct mote_hf_weight *weight, enum mote_type type, uint32_t cols);

/* Packs rows of blocks into panels, as mote_panel_pack_run() does it with floats.
 *   source  the rows of panels first..first + n, as read() leaves them      out [n * panel_bytes]
 *   quants  [16][cols rounded up to 32], scales [16][blocks]: room for one panel
 * MOTE_ERROR_CORRUPT: a scale that is not finite. */
enum mote_status mote_weight_rows_pack(const struct mote_hf_weight *weight, const struct mote_matrix *matrix,
				       const uint8_t *source, uint32_t first, uint32_t n, uint8_t *quants,
				       uint16_t *scales, uint8_t *out, struct mote_error *error);

#endif
