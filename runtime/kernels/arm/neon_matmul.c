/* Matrix products for AArch64. A panel's 16 rows are four registers of 4 lanes; each 16-byte load is 4 rows x 4
 * columns, which is what one sdot adds up. Products are signed here: the quant of value zero is
 * subtracted when a group is unpacked (or 128 from the codebook), so the activations' bias is not needed. smmla (i8mm)
 * wants 8 columns a row and is not used.
 *
 * Two tables: "neon" for every AArch64 machine, and "dotprod" for those with sdot (Cortex-A76, Apple M1, Graviton 2).
 */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "format/groups.h"
#include "runtime/kernels/tables.h"

#define TILE static inline __attribute__((always_inline))
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))

enum { LANES = 16, TILE_ROWS = 4 };

/* Adds to each lane the products of its row's 4 columns with the 4 activations in every lane of a. */
TILE int32x4_t dot_plain(int32x4_t acc, int8x16_t w, int8x16_t a)
{
	/* |w * a| <= 128 * 127 fits 16 bits, and pairs are added in 32. */
	int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(a)));
	int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(w), vget_high_s8(a)));

	return vaddq_s32(acc, vpaddq_s32(low, high));
}

/* Rows 4 * quarter to 4 * quarter + 3 of a line of a block. */
TILE uint8x16_t load_line(const uint8_t *lines, int line, int quarter)
{
	return vld1q_u8(lines + line * 64 + quarter * 16);
}

/* A piece's bits of every byte of its line, at their place in the quant. */
TILE uint8x16_t load_piece(const uint8_t *lines, const struct mote_piece piece, const uint32_t place, int quarter)
{
	uint8x16_t v = load_line(lines, piece.line, quarter);

	if (piece.shift != place)
		v = vshlq_u8(v, vdupq_n_s8((int8_t)((int)place - piece.shift)));
	return piece.bits == 8 ? v : vandq_u8(v, vdupq_n_u8((uint8_t)(((1u << piece.bits) - 1) << place)));
}

/* A group's quants, of types without a codebook less the one of value zero: 4 rows x 4 columns. */
TILE int8x16_t unpack(const uint8_t *lines, const int group, const int quarter, uint8x16_t codebook,
		      const enum mote_type type)
{
	const struct mote_piece *piece = mote_type_groups(type)[group];
	uint8x16_t u = load_piece(lines, piece[0], 0, quarter);

	if (piece[1].bits)
		u = vorrq_u8(u, load_piece(lines, piece[1], mote_piece_place(piece, 1), quarter));
	if (piece[2].bits)
		u = vorrq_u8(u, load_piece(lines, piece[2], mote_piece_place(piece, 2), quarter));
	if (mote_type_has_codebook(type))
		return vreinterpretq_s8_u8(vqtbl1q_u8(codebook, u));
	return vreinterpretq_s8_u8(vsubq_u8(u, vdupq_n_u8((uint8_t)(mote_type_levels(type) / 2))));
}

TILE int8x16_t broadcast_quad(const int8_t *q)
{
	int32_t four;

	memcpy(&four, q, sizeof four);
	return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/* 4 f16 as floats. */
TILE float32x4_t load_halves(const uint8_t *halves)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)(const void *)halves)));
}

/* The scales of rows 4 * quarter to 4 * quarter + 3 of a block. unit: of types with byte scales */
TILE float32x4_t load_scales(const uint8_t *panel, size_t block, int quarter, float unit, const enum mote_type type)
{
	const uint8_t *at = panel + block * mote_type_scales_bytes(type) +
			    (size_t)quarter * (mote_type_scales_bytes(type) / 4);
	uint32_t four;
	int16x4_t wide;

	if (!mote_type_has_byte_scales(type))
		return load_halves(at);
	memcpy(&four, at, sizeof four);
	wide = vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four))));
	wide = vand_s16(vshl_n_s16(wide, 6), vdup_n_s16(MOTE_SCALE_BYTE_BITS));
	return vmulq_n_f32(vcvt_f32_f16(vreinterpret_f16_s16(wide)), unit);
}

typedef int32x4_t dot_fn(int32x4_t acc, int8x16_t w, int8x16_t a);

/* T rows times one panel, a quarter of the panel (4 rows of it) at a time. */
TILE void tile_quants(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		      size_t row, float *out, size_t out_stride, const int T, const enum mote_type type,
		      dot_fn *dot)
{
	const size_t block_bytes = 64 * mote_type_bits(type), s_stride = a->stride / 32;
	const float *scale = a->scale + row * s_stride;
	const float unit = mote_type_has_byte_scales(type) ? mote_matrix_unit(w) : 0;
	uint8x16_t codebook = vdupq_n_u8(0);
	float32x4_t acc[TILE_ROWS * 4];

	if (mote_type_has_codebook(type))
		codebook = veorq_u8(vld1q_u8(w->codebook), vdupq_n_u8(0x80));
	for (int i = 0; i < T * 4; i++)
		acc[i] = vdupq_n_f32(0);
	for (size_t b = 0; b < w->blocks; b++) {
		const uint8_t *lines = panel + w->quants_offset + b * block_bytes;
		const int8_t *q = a->q + row * a->stride + b * 32;
		int32x4_t isum[TILE_ROWS][4];

		UNROLL for (int r = 0; r < T; r++)
			UNROLL for (int i = 0; i < 4; i++)
				isum[r][i] = vdupq_n_s32(0);
		UNROLL for (int g = 0; g < 8; g++)
			UNROLL for (int i = 0; i < 4; i++) {
				int8x16_t v = unpack(lines, g, i, codebook, type);

				UNROLL for (int r = 0; r < T; r++)
					isum[r][i] = dot(isum[r][i], v,
							 broadcast_quad(q + (size_t)r * a->stride + g * 4));
			}
		UNROLL for (int i = 0; i < 4; i++) {
			float32x4_t ws = load_scales(panel, b, i, unit, type);

			UNROLL for (int r = 0; r < T; r++)
				acc[r * 4 + i] = vfmaq_f32(acc[r * 4 + i], vcvtq_f32_s32(isum[r][i]),
							   vmulq_n_f32(ws, scale[(size_t)r * s_stride + b]));
		}
	}
	for (int i = 0; i < T * 4; i++)
		vst1q_f32(out + (size_t)(i / 4) * out_stride + (size_t)(i % 4) * 4, acc[i]);
}

/* 16 weights of a column. */
TILE void load_column(const uint8_t *panel, size_t column, const enum mote_type type, float32x4_t v[4])
{
	UNROLL for (int i = 0; i < 4; i++) {
		if (type == MOTE_F32)
			v[i] = vld1q_f32((const float *)(const void *)(panel + column * 64 + i * 16));
		else if (type == MOTE_F16)
			v[i] = load_halves(panel + column * 32 + i * 8);
		else
			v[i] = vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(
				(const uint16_t *)(const void *)(panel + column * 32 + i * 8))), 16));
	}
}

TILE void tile_floats(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		      size_t row, float *out, size_t out_stride, const int T, const enum mote_type type)
{
	const float *x = a->x + row * a->stride;
	float32x4_t acc[TILE_ROWS][4];

	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int i = 0; i < 4; i++)
			acc[r][i] = vdupq_n_f32(0);
	for (size_t c = 0; c < w->cols; c++) {
		float32x4_t v[4];

		load_column(panel, c, type, v);
		UNROLL for (int r = 0; r < T; r++)
			UNROLL for (int i = 0; i < 4; i++)
				acc[r][i] = vfmaq_n_f32(acc[r][i], v[i], x[(size_t)r * a->stride + c]);
	}
	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int i = 0; i < 4; i++)
			vst1q_f32(out + (size_t)r * out_stride + (size_t)i * 4, acc[r][i]);
}

TILE void multiply(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
		   const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out, size_t out_stride,
		   const enum mote_type type, dot_fn *dot)
{
	const bool quantized = mote_type_is_quantized(type);

	for (uint32_t p = 0; p < n_panels; p++) {
		const uint8_t *data = w->data + (size_t)(panel + p) * w->panel_bytes;
		float *at = out + (size_t)p * LANES;
		uint32_t r = 0;

		for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
			if (quantized)
				tile_quants(w, data, a, row + r, at + r * out_stride, out_stride, TILE_ROWS, type, dot);
			else
				tile_floats(w, data, a, row + r, at + r * out_stride, out_stride, TILE_ROWS, type);
		for (; r < n_rows; r++)
			if (quantized)
				tile_quants(w, data, a, row + r, at + r * out_stride, out_stride, 1, type, dot);
			else
				tile_floats(w, data, a, row + r, at + r * out_stride, out_stride, 1, type);
	}
}

MOTE_DEFINE_MULTIPLY(multiply_f32, multiply, MOTE_F32, dot_plain)
MOTE_DEFINE_MULTIPLY(multiply_f16, multiply, MOTE_F16, dot_plain)
MOTE_DEFINE_MULTIPLY(multiply_bf16, multiply, MOTE_BF16, dot_plain)
#define DEFINE(slot, name) MOTE_DEFINE_MULTIPLY(name, multiply, slot, dot_plain)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_neon_matmul(struct mote_kernels *k)
{
	k->multiply[MOTE_F32] = multiply_f32;
	k->multiply[MOTE_F16] = multiply_f16;
	k->multiply[MOTE_BF16] = multiply_bf16;
#define ENTER(slot, name) k->multiply[slot] = name;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

/* clang before 16 declares vdotq_s32 only when the whole file is compiled for it. */
#if !defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_DOTPROD)

DOTPROD TILE int32x4_t dot_sdot(int32x4_t acc, int8x16_t w, int8x16_t a)
{
	return vdotq_s32(acc, w, a);
}

#define DEFINE(slot, name) DOTPROD MOTE_DEFINE_MULTIPLY(name##_dotprod, multiply, slot, dot_sdot)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_dotprod_matmul(struct mote_kernels *k)
{
#define ENTER(slot, name) k->multiply[slot] = name##_dotprod;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

#else

void mote_kernels_init_dotprod_matmul(struct mote_kernels *k)
{
	(void)k;
}

#endif

#endif
