/* Block layouts: how a matrix of weights lies in a file and in memory, and the
 * NORMATIVE scalar decode. What these functions return is what the weights are;
 * every kernel must agree with them.
 *
 * A matrix W[rows][cols] (rows = outputs) is stored as panels of 16 rows, so that lane r
 * of a vector register is row r and no kernel ever sums across lanes.
 *
 *   f32 f16 bf16   panel: [cols][16] elements, padded to a multiple of 64 bytes
 *   quantized      panel: scales [blocks][16] f16, padded to a multiple of 64 bytes, then
 *                  quants [blocks][bits] lines of 64 bytes, [16 rows][4 columns] u8
 *   byte scales    the same with scales [blocks][16] u8; behind the last panel a line of 64 bytes:
 *                  the matrix' unit f32, zeros
 *
 *   q8 q6 q5       weight = scale * (quant - 128, - 32, - 16)
 *   q4 q3          weight = scale * (codebook[quant] - 128), codebook: the tensor's 16 or 8 u8
 *
 *   q8b q6b q5b q4b q3b   the quants and values of q8 to q3, and byte scales
 *
 * where a block is 32 columns, blocks = ceil(cols / 32), scales are f16, and everything is little
 * endian. A byte as a scale has a sign (bit 7), three bits of exponent and four of mantissa: it is worth the f16 whose
 * sign and bits 6 to 12 it gives, the others being zero (0 to 31 x 2^-12), times the unit, a power of two as written
 * here.
 *
 * A block has 8 groups of 4 columns and as many lines as its type has bits. Groups lie in as many whole fields as a
 * line's bytes have, and the bits left on top of the lines make up the last groups:
 *
 *   q8   group g: line g
 *   q6   group g < 6: bits 0-5 of line g; group 6: bits 6-7 of lines 0, 1, 2, lowest first; group 7: of lines 3, 4, 5
 *   q5   group g < 5: bits 0-4 of line g; group 5: bits 5-7 of line 0 and 5-6 of line 3; group 6: bits 5-7 of line 1
 *        and 5-6 of line 4; group 7: bits 5-7 of line 2 and bit 7 of lines 3 and 4
 *   q4   group g: the low (g even) or high nibble of line g / 2
 *   q3   group g < 6: bits 0-2 (g even) or 3-5 of line g / 2; group 6: bits 6-7 of line 0 and bit 6 of line 2;
 *        group 7: bits 6-7 of line 1 and bit 7 of line 2
 *
 * Rows beyond the last and columns beyond cols are padding. It is written thus: float elements and
 * scales of padding rows are zero, quants of padding rows and columns are half of the levels (128 for q8,
 * index 8 for q4), bytes between scales and quants and behind the elements are zero. Readers do not
 * look at it: whoever multiplies has activations of zero in padding columns and drops the sums of
 * padding rows. decode_row() never returns padding.
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
	MOTE_Q4 = 17,
	MOTE_Q6 = 18,
	MOTE_Q5 = 19,
	MOTE_Q3 = 20,
	MOTE_Q8B = MOTE_Q8 + 8, /* with byte scales: the same order */
	MOTE_Q4B,
	MOTE_Q6B,
	MOTE_Q5B,
	MOTE_Q3B
};

/* A view of a matrix; borrows its data and codebook. Made by mote_matrix_init(). */
struct mote_matrix {
	const uint8_t *data;     /* [panels][panel_bytes], 64-byte aligned */
	const uint8_t *codebook; /* [16] value + 128 for types that have one; else NULL */
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

static inline bool mote_type_has_byte_scales(enum mote_type type)
{
	return type >= MOTE_Q8B && type <= MOTE_Q3B;
}

/* The type with the same quants and scales of f16. */
static inline enum mote_type mote_type_plain(enum mote_type type)
{
	return mote_type_has_byte_scales(type) ? (enum mote_type)(type - 8) : type;
}

/* Bits of a quant, and with it lines of 64 bytes that a block takes; 0 for float types. Kernels want it at
 * compile time. */
static inline uint32_t mote_type_bits(enum mote_type type)
{
	const enum mote_type plain = mote_type_plain(type);

	return plain == MOTE_Q8 ? 8 : plain == MOTE_Q6 ? 6 : plain == MOTE_Q5 ? 5 : plain == MOTE_Q4 ? 4 :
	       plain == MOTE_Q3 ? 3 : 0;
}

static inline bool mote_type_is_quantized(enum mote_type type)
{
	return mote_type_bits(type) != 0;
}

/* Quants are 0..levels - 1. The one in the middle, levels / 2, has the value zero, in a codebook the linear one. */
static inline uint32_t mote_type_levels(enum mote_type type)
{
	return 1u << mote_type_bits(type);
}

static inline bool mote_type_has_codebook(enum mote_type type)
{
	return mote_type_plain(type) == MOTE_Q4 || mote_type_plain(type) == MOTE_Q3;
}

/* Of a panel, from one block's scales to the next: 16 of them. */
static inline size_t mote_type_scales_bytes(enum mote_type type)
{
	return mote_type_has_byte_scales(type) ? MOTE_PANEL_ROWS : 2 * MOTE_PANEL_ROWS;
}

/* The f16 that a byte scale is worth in its matrix' units. The largest: 31 x 2^-12. */
static inline uint16_t mote_f16_from_scale_byte(uint8_t byte)
{
	return (uint16_t)((byte & 0x80u) << 8 | (byte & 0x7fu) << 6);
}

#define MOTE_LARGEST_SCALE_BYTE 0x1.fp-8f

/* The codebook of plain rounding, [16]: q4: -8..7, each + 128; q3: -4..3, then zeros. NULL for types without. */
const uint8_t *mote_type_linear_codebook(enum mote_type type);

/* What a quant is worth, in units of its block's scale. codebook: of types that have one. */
static inline int32_t mote_quant_value(enum mote_type type, const uint8_t *codebook, uint32_t quant)
{
	return mote_type_has_codebook(type) ? codebook[quant] - 128
					    : (int32_t)quant - (int32_t)(mote_type_levels(type) / 2);
}

/* Fills m for data that holds a matrix of this type and shape (data and codebook may be NULL
 * for planning) and stores the bytes it takes, panels, unit and all.
 * MOTE_ERROR_CORRUPT: type unknown, or a dimension is zero or beyond the caps above. */
enum mote_status mote_matrix_init(struct mote_matrix *m, enum mote_type type, uint64_t rows, uint64_t cols,
				  const void *data, const uint8_t *codebook, uint64_t *bytes,
				  struct mote_error *error);

/* Of a matrix with byte scales: its unit; and where that is written, with what fills its line. */
float mote_matrix_unit(const struct mote_matrix *m);
void mote_matrix_put_unit(const struct mote_matrix *m, uint8_t *data, float unit);

/* The scale of a block of a row of a quantized matrix. */
float mote_matrix_scale(const struct mote_matrix *m, uint32_t row, uint32_t block);

/* Normative decode of one row into out[cols]. row < m->rows. */
void mote_matrix_decode_row(const struct mote_matrix *m, uint32_t row, float *out);

/* Packs one panel's rows of floats into the panel layout of a float type (round to nearest even).
 *   rows  [n_rows][cols] row-major f32, n_rows 1..16; out [m->panel_bytes], wholly written */
void mote_panel_pack_floats(const struct mote_matrix *m, const float *rows, uint32_t n_rows, void *out);

/* Takes a block apart: [bits][16 rows][4 columns] lines to quants [8 groups][16 rows][4 columns]. */
void mote_block_unpack(enum mote_type type, const uint8_t *lines, uint8_t quants[512]);

/* Packs one panel of quants.
 *   quants [n_rows][blocks*32] row-major: 0..levels - 1 (columns beyond cols are not read)
 *   scales [n_rows][blocks] f16 bits, or scale bytes; out [m->panel_bytes], wholly written */
void mote_panel_pack_quants(const struct mote_matrix *m, const uint8_t *quants, const uint16_t *scales,
			    uint32_t n_rows, void *out);

/* mote_type_linear_codebook() of q4 and of q3. */
extern const uint8_t mote_codebook_linear[16], mote_codebook_linear3[16];

#endif
