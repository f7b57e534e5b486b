/* Block layouts: how a matrix of weights lies in a file and in memory, and the
 * NORMATIVE scalar decode. What these functions return is what the weights are;
 * every kernel must agree with them.
 *
 * A matrix W[rows][cols] (rows = outputs) is stored as panels of 16 rows, so that lane r
 * of a vector register is row r and no kernel ever sums across lanes.
 *
 *   f32 f16 bf16   panel: [cols][16] elements, padded to a multiple of 64 bytes
 *   q8             panel: scales [blocks][16] f16, padded to a multiple of 64 bytes, then
 *                  quants [blocks][8 groups][16 rows][4 columns] u8;
 *                  weight = scale * (u - 128)
 *   q4             panel: scales like q8, then quants [blocks][4 groups][16 rows][4 columns] u8;
 *                  low nibble: column 8*group + c, high nibble: column 8*group + 4 + c;
 *                  weight = scale * (codebook[nibble] - 128), codebook: the tensor's 16 u8
 *
 * where a block is 32 columns, blocks = ceil(cols / 32), scales are f16, and everything is little
 * endian. Rows beyond the last and columns beyond cols are padding. It is written thus: float
 * elements and scales of padding rows are zero, quants of padding rows and columns are 128 (q8)
 * or index 8 (q4), bytes between scales and quants and behind the elements are zero. Readers do
 * not look at it: whoever multiplies has activations of zero in padding columns and drops the
 * sums of padding rows. decode_row() never returns padding.
 */
#ifndef MOTE_FORMAT_BLOCK_H
#define MOTE_FORMAT_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

#define MOTE_PANEL_ROWS 16u
#define MOTE_BLOCK_COLS 32u
#define MOTE_MAX_COLS 131072u        /* int32 accumulators stay far from overflow; see docs */
#define MOTE_MAX_ROWS 16777216u

/* The numbers are those of the file format: never renumber. */
enum mote_type {
	MOTE_F32 = 1,
	MOTE_F16 = 2,
	MOTE_BF16 = 3,
	MOTE_Q8 = 16,
	MOTE_Q4 = 17
};

/* A view of a matrix; borrows its data and codebook. Made by mote_matrix_init(). */
struct mote_matrix {
	const uint8_t *data;     /* [panels][panel_bytes], 64-byte aligned */
	const uint8_t *codebook; /* q4: [16] value + 128; else NULL */
	enum mote_type type;
	uint32_t rows, cols;     /* logical shape, both at least 1 */
	uint32_t panels;         /* ceil(rows / 16) */
	uint32_t blocks;         /* ceil(cols / 32) */
	size_t panel_bytes;      /* multiple of 64 */
	size_t quants_offset;    /* quantized types: from the panel's start to its quants */
};

/* "q8" and so on; NULL for a number that is no type. */
const char *mote_type_name(enum mote_type type);
/* False when the name is no type's. */
bool mote_type_from_name(const char *name, enum mote_type *type);
bool mote_type_is_quantized(enum mote_type type);

/* Fills m for data that holds a matrix of this type and shape (data and codebook may be NULL
 * for planning) and stores the bytes it takes, panels and all.
 * MOTE_ERROR_CORRUPT: type unknown, or a dimension is zero or beyond the caps above. */
enum mote_status mote_matrix_init(struct mote_matrix *m, enum mote_type type, uint64_t rows, uint64_t cols,
				  const void *data, const uint8_t *codebook, uint64_t *bytes,
				  struct mote_error *error);

/* Normative decode of one row into out[cols]. row < m->rows. */
void mote_matrix_decode_row(const struct mote_matrix *m, uint32_t row, float *out);

/* Packs one panel's rows of floats into the panel layout of a float type (round to nearest even).
 *   rows  [n_rows][cols] row-major f32, n_rows 1..16; out [m->panel_bytes], wholly written */
void mote_panel_pack_floats(const struct mote_matrix *m, const float *rows, uint32_t n_rows, void *out);

/* Packs one panel of quants.
 *   quants [n_rows][blocks*32] row-major: q8: u = q + 128; q4: codebook index 0..15 (columns
 *          beyond cols are not read)
 *   scales [n_rows][blocks] f16 bits; out [m->panel_bytes], wholly written */
void mote_panel_pack_quants(const struct mote_matrix *m, const uint8_t *quants, const uint16_t *scales,
			    uint32_t n_rows, void *out);

/* The codebook of plain rounding: -8..7, each value + 128. */
extern const uint8_t mote_codebook_linear[16];

#endif
