/* Packing panels: see panel_pack.h.
 *
 * A panel is the transpose of 16 rows. It is made of 8x8 (16-bit) or 4x4 (32-bit) tiles that are transposed in
 * registers, by the compiler's own vectors: 16 bytes are what every supported CPU has, and this runs at the speed
 * of memory with them. The check for NaN and infinity (an exponent of all ones) rides along. */
#include "convert/panel_pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/half.h"

typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

#define ZIP_LOW_16(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH_16(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ZIP_LOW_32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH_32(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define ZIP_LOW_64(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ZIP_HIGH_64(a, b) __builtin_shufflevector(a, b, 1, 3)

static size_t element_bytes(enum mote_type type)
{
	return type == MOTE_F32 ? 4 : 2;
}

static uint32_t exponent_mask(enum mote_type type)
{
	return type == MOTE_F32 ? 0x7f800000u : type == MOTE_F16 ? 0x7c00u : 0x7f80u;
}

static uint32_t load_bits(enum mote_type type, const uint8_t *p, size_t i)
{
	uint32_t wide;
	uint16_t narrow;

	if (type == MOTE_F32) {
		memcpy(&wide, p + i * 4, 4);
		return wide;
	}
	memcpy(&narrow, p + i * 2, 2);
	return narrow;
}

static inline float widen(enum mote_type type, uint32_t bits)
{
	return type == MOTE_F32 ? mote_f32_from_bits(bits) :
	       type == MOTE_F16 ? mote_f32_from_f16((uint16_t)bits) : mote_f32_from_bf16((uint16_t)bits);
}

static inline uint32_t narrow_bits(enum mote_type type, float x)
{
	return type == MOTE_F32 ? mote_f32_bits(x) : type == MOTE_F16 ? mote_f16_from_f32(x) : mote_bf16_from_f32(x);
}

static inline u16x8 load_8(const uint8_t *p)
{
	u16x8 v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline u32x4 load_4(const uint8_t *p)
{
	u32x4 v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline void store_pair(uint8_t *out, size_t stride, u32x4 a, u32x4 b)
{
	u64x2 low = ZIP_LOW_64((u64x2)a, (u64x2)b), high = ZIP_HIGH_64((u64x2)a, (u64x2)b);

	memcpy(out, &low, sizeof low);
	memcpy(out + stride, &high, sizeof high);
}

/* Rows 0..7 (or 8..15) of 8 columns; returns lanes that are non-zero where an exponent is all ones. Written out:
 * compilers keep arrays that loops index in memory. */
static inline u16x8 transpose_8x8(const uint8_t *const *row, size_t at, u16x8 mask, uint8_t *out)
{
	const u16x8 r0 = load_8(row[0] + at), r1 = load_8(row[1] + at);
	const u16x8 r2 = load_8(row[2] + at), r3 = load_8(row[3] + at);
	const u16x8 r4 = load_8(row[4] + at), r5 = load_8(row[5] + at);
	const u16x8 r6 = load_8(row[6] + at), r7 = load_8(row[7] + at);
	/* pairs of rows: the low and high four columns */
	const u32x4 a0 = (u32x4)ZIP_LOW_16(r0, r1), a1 = (u32x4)ZIP_LOW_16(r2, r3);
	const u32x4 a2 = (u32x4)ZIP_LOW_16(r4, r5), a3 = (u32x4)ZIP_LOW_16(r6, r7);
	const u32x4 b0 = (u32x4)ZIP_HIGH_16(r0, r1), b1 = (u32x4)ZIP_HIGH_16(r2, r3);
	const u32x4 b2 = (u32x4)ZIP_HIGH_16(r4, r5), b3 = (u32x4)ZIP_HIGH_16(r6, r7);

	/* fours of rows: two columns each; then all eight rows of one column */
	store_pair(out, 32, ZIP_LOW_32(a0, a1), ZIP_LOW_32(a2, a3));
	store_pair(out + 64, 32, ZIP_HIGH_32(a0, a1), ZIP_HIGH_32(a2, a3));
	store_pair(out + 128, 32, ZIP_LOW_32(b0, b1), ZIP_LOW_32(b2, b3));
	store_pair(out + 192, 32, ZIP_HIGH_32(b0, b1), ZIP_HIGH_32(b2, b3));
	return (u16x8)((r0 & mask) == mask) | (u16x8)((r1 & mask) == mask) | (u16x8)((r2 & mask) == mask) |
	       (u16x8)((r3 & mask) == mask) | (u16x8)((r4 & mask) == mask) | (u16x8)((r5 & mask) == mask) |
	       (u16x8)((r6 & mask) == mask) | (u16x8)((r7 & mask) == mask);
}

static inline u32x4 transpose_4x4(const uint8_t *const *row, size_t at, u32x4 mask, uint8_t *out)
{
	const u32x4 r0 = load_4(row[0] + at), r1 = load_4(row[1] + at);
	const u32x4 r2 = load_4(row[2] + at), r3 = load_4(row[3] + at);

	store_pair(out, 64, ZIP_LOW_32(r0, r1), ZIP_LOW_32(r2, r3));
	store_pair(out + 128, 64, ZIP_HIGH_32(r0, r1), ZIP_HIGH_32(r2, r3));
	return (u32x4)((r0 & mask) == mask) | (u32x4)((r1 & mask) == mask) | (u32x4)((r2 & mask) == mask) |
	       (u32x4)((r3 & mask) == mask);
}

/* 16 rows into [cols][16]; true when all are finite. */
static bool transpose(enum mote_type type, const uint8_t *const *row, size_t cols, uint8_t *out)
{
	size_t element = element_bytes(type), col = 0;
	uint32_t mask = exponent_mask(type);
	u64x2 bad = {0};
	bool finite = true;

	if (element == 2) {
		const uint16_t m = (uint16_t)mask;
		const u16x8 masks = {m, m, m, m, m, m, m, m};

		for (; col + 8 <= cols; col += 8)
			bad |= (u64x2)(transpose_8x8(row, col * 2, masks, out + col * 32) |
				       transpose_8x8(row + 8, col * 2, masks, out + col * 32 + 16));
	} else {
		const u32x4 masks = {mask, mask, mask, mask};

		for (; col + 4 <= cols; col += 4)
			for (size_t r = 0; r < 16; r += 4)
				bad |= (u64x2)transpose_4x4(row + r, col * 4, masks, out + col * 64 + r * 4);
	}
	for (; col < cols; col++)
		for (size_t r = 0; r < 16; r++) {
			memcpy(out + (col * 16 + r) * element, row[r] + col * element, element);
			finite = finite && (load_bits(type, row[r], col) & mask) != mask;
		}
	return finite && (bad[0] | bad[1]) == 0;
}

/* Converts n elements; true when all results are finite. Inlined with constant types. */
static inline bool convert(enum mote_type from, enum mote_type to, const uint8_t *in, size_t n, uint8_t *out)
{
	uint32_t mask = exponent_mask(to), bad = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t bits = narrow_bits(to, widen(from, load_bits(from, in, i)));
		uint16_t half = (uint16_t)bits;

		bad |= (bits & mask) == mask;
		if (to == MOTE_F32)
			memcpy(out + i * 4, &bits, 4);
		else
			memcpy(out + i * 2, &half, 2);
	}
	return !bad;
}

static bool convert_any(enum mote_type from, enum mote_type to, const uint8_t *in, size_t n, uint8_t *out)
{
	switch (from) {
	case MOTE_F32:
		return to == MOTE_F16 ? convert(MOTE_F32, MOTE_F16, in, n, out)
				      : convert(MOTE_F32, MOTE_BF16, in, n, out);
	case MOTE_F16:
		return to == MOTE_F32 ? convert(MOTE_F16, MOTE_F32, in, n, out)
				      : convert(MOTE_F16, MOTE_BF16, in, n, out);
	default:
		return to == MOTE_F32 ? convert(MOTE_BF16, MOTE_F32, in, n, out)
				      : convert(MOTE_BF16, MOTE_F16, in, n, out);
	}
}

/* The message for the first of these elements that is not finite, or is not after conversion.
 * first: the index of source's first element in the tensor */
static enum mote_status name_bad(const char *name, enum mote_type from, enum mote_type to, const uint8_t *source,
				 size_t first, size_t n, uint32_t cols, struct mote_error *error)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits = load_bits(from, source, i), mask = exponent_mask(from);
		uint32_t mantissa = bits & ((mask & -mask) - 1);
		size_t element = first + i;
		char place[64] = "";

		if (cols > 1)
			snprintf(place, sizeof place, " (row %zu, column %zu)", element / cols, element % cols);
		if ((bits & mask) == mask)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\": element %zu%s is %s",
					      name, element, place, mantissa ? "NaN" : "infinite");
		if ((narrow_bits(to, widen(from, bits)) & exponent_mask(to)) == exponent_mask(to))
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "tensor \"%s\": element %zu%s is %g, beyond the range of %s; %s",
					      name, element, place, (double)widen(from, bits), mote_type_name(to),
					      to == MOTE_F16 ? "bf16 and f32 hold it" : "f32 holds it");
	}
	return MOTE_OK;
}

enum mote_status mote_panel_pack_init(struct mote_panel_pack *p, const char *name, enum mote_type from,
				      const struct mote_matrix *matrix, struct mote_error *error)
{
	size_t row_bytes = matrix->cols * element_bytes(from);

	*p = (struct mote_panel_pack){.name = name, .from = from, .matrix = *matrix};
	p->scratch = malloc(row_bytes * MOTE_PANEL_ROWS);
	p->zeros = calloc(1, row_bytes);
	if (!p->scratch || !p->zeros) {
		mote_panel_pack_free(p);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor \"%s\": out of memory", name);
	}
	return MOTE_OK;
}

void mote_panel_pack_free(struct mote_panel_pack *p)
{
	free(p->scratch);
	free(p->zeros);
	*p = (struct mote_panel_pack){0};
}

enum mote_status mote_panel_pack_run(const struct mote_panel_pack *p, const uint8_t *source, uint32_t first,
				     uint32_t n, uint8_t *out, struct mote_error *error)
{
	enum mote_type from = p->from, to = p->matrix.type;
	size_t cols = p->matrix.cols, row_bytes = cols * element_bytes(from);
	size_t used = cols * MOTE_PANEL_ROWS * element_bytes(to);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t top = (first + i) * MOTE_PANEL_ROWS, rows = p->matrix.rows - top;
		const uint8_t *row[MOTE_PANEL_ROWS];
		bool good;

		if (rows > MOTE_PANEL_ROWS)
			rows = MOTE_PANEL_ROWS;
		for (uint32_t r = 0; r < MOTE_PANEL_ROWS; r++)
			row[r] = r < rows ? source + r * row_bytes : p->zeros;
		good = transpose(from, row, cols, from == to ? out : p->scratch);
		if (good && from != to)
			good = convert_any(from, to, p->scratch, cols * MOTE_PANEL_ROWS, out);
		if (!good)
			return name_bad(p->name, from, to, source, top * cols, rows * cols, p->matrix.cols, error);
		memset(out + used, 0, p->matrix.panel_bytes - used);
		source += rows * row_bytes;
		out += p->matrix.panel_bytes;
	}
	return MOTE_OK;
}

enum mote_status mote_vector_widen(const char *name, enum mote_type from, const uint8_t *source, uint32_t n,
				   float *out, struct mote_error *error)
{
	uint32_t mask = exponent_mask(from);
	bool finite = true;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t bits = load_bits(from, source, i);

		finite = finite && (bits & mask) != mask;
		out[i] = widen(from, bits);
	}
	return finite ? MOTE_OK : name_bad(name, from, MOTE_F32, source, 0, n, 1, error);
}
