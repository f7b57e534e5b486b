/* Matrix products for AVX2 with FMA and F16C (Haswell, Zen and later). A panel's 16 rows are two registers of 8.
 *
 * AVX2's byte product, vpmaddubsw, saturates at 16 bits with weights of 0..255 and activations of -127..127. Rows of
 * prefill widen bytes to 16 bits and multiply by vpmaddwd, which is exact: |u * a| <= 255 * 127, two of them added in
 * 32 bits. Widening needs no shuffle: the even bytes of a register of quads are one 16-bit operand, (c0, c2) a row,
 * the odd ones another, (c1, c3), and the activations are split the same way. That is done once for a block of
 * activations and of weights, in a buffer that stays in the first-level cache; sign tricks on bytes need as many
 * instructions for each product.
 *
 * Up to three rows use a weight too seldom for that. There activations are split instead, a = 16 * high + low with
 * low in -8..7 and high in -8..8: sums of a whole block of either with bytes as they are fit 16 bits, 8 groups of
 * |2 * 255 * 8| are 32,640.
 */
#if defined(__x86_64__)

#include "runtime/kernels/x86/avx2_quants.h"

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define TILE AVX2

/* Left alone, gcc unrolls the tile of 4 rows and reorders it until it spills, and loads weights again for each row:
 * this and the empty asm in in_register() cost nothing and made it 1.5 times as fast, a single row 1.15 to 1.4 times.
 * Steady, its loop runs at 96 % of what the ports allow (vpmaddwd and vpaddd from registers alone: int8_avx2()
 * in limits.c). */
#if defined(__clang__)
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define ROLLED _Pragma("GCC unroll 1")
#endif

/* NEAR: how far ahead weights are fetched. Zen 3 decodes 8 to 15 % slower if it is 1,536; without, products of 4 to 32
 * rows with weights from memory are 10 to 25 % slower. */
enum { LANES = 16, ROW_PANELS = 4, SPLIT_ROWS = 3, TILE_ROWS = 4, CHUNK_ROWS = 32, NEAR = 512 };

/* A block of 32 activations of one row: 16 * high + low. */
struct split_activations {
	_Alignas(32) int8_t low[32], high[32];
	float scale;
	int32_t bias;
};

/* A block of 32 activations of one row: [8 groups](a0, a2), and the same of (a1, a3). */
struct wide_activations {
	_Alignas(32) int16_t even[16], odd[16];
	float scale;
	int32_t bias;
};

/* A block of 32 columns of a panel: [8 groups][16 rows](u0, u2), and the same of (u1, u3). */
struct wide_weights {
	_Alignas(32) uint8_t even[512], odd[512];
	float scale[16];
};

TILE __m256i in_register(__m256i v)
{
	__asm__("" : "+x"(v));
	return v;
}

TILE void split_activations(const struct mote_activations *a, size_t row, size_t block, struct split_activations *split)
{
	const size_t at = row * (a->stride / 32) + block;
	const __m256i eight = _mm256_set1_epi8(8);
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(a->q + at * 32));
	__m256i low = _mm256_sub_epi8(field(_mm256_add_epi8(v, eight), 0, 15), eight);
	/* (v + 128 + 8) / 2, which fits a byte */
	__m256i half = _mm256_avg_epu8(_mm256_xor_si256(v, _mm256_set1_epi8(-128)), _mm256_set1_epi8(7));

	_mm256_store_si256((__m256i *)(void *)split->low, low);
	_mm256_store_si256((__m256i *)(void *)split->high, _mm256_sub_epi8(field(half, 3, 31), eight));
	split->scale = a->scale[at];
	split->bias = a->bias[at];
}

/* A group's four activations in every lane. */
TILE __m256i broadcast_group(const void *group)
{
	int32_t four;

	memcpy(&four, group, sizeof four);
	return _mm256_set1_epi32(four);
}

TILE void add_products(__m256i *sum, __m256i u, __m256i x)
{
	*sum = in_register(_mm256_add_epi16(*sum, _mm256_maddubs_epi16(u, x)));
}

/* A panel's block times those of T rows, without the bias: the panel's rows 0 to 7, and 8 to 15. */
TILE void split_block(const uint8_t *lines, const struct split_activations *x, __m256i codebook,
		      __m256i isum[][2], const int T, const enum mote_type type)
{
	__m256i low[SPLIT_ROWS][2], high[SPLIT_ROWS][2];

	UNROLL for (int r = 0; r < T; r++)
		low[r][0] = low[r][1] = high[r][0] = high[r][1] = _mm256_setzero_si256();
	UNROLL for (int g = 0; g < 8; g++) {
		__m256i u[2] = {unpack(lines, g, 0, codebook, type), unpack(lines, g, 1, codebook, type)};

		UNROLL for (int r = 0; r < T; r++) {
			__m256i v = broadcast_group(x[r].low + 4 * g);

			add_products(&low[r][0], u[0], v);
			add_products(&low[r][1], u[1], v);
			v = broadcast_group(x[r].high + 4 * g);
			add_products(&high[r][0], u[0], v);
			add_products(&high[r][1], u[1], v);
		}
	}
	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int half = 0; half < 2; half++)
			isum[r][half] = _mm256_add_epi32(_mm256_madd_epi16(low[r][half], _mm256_set1_epi16(1)),
							 _mm256_madd_epi16(high[r][half], _mm256_set1_epi16(16)));
}

/* T rows times P panels, step panels from one to the next: decode, whose pieces are read as four streams, see
 * avx512_matmul.c. */
TILE void row_quants(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		     size_t row, float *out, size_t out_stride, size_t step, const int T, const int P,
		     const enum mote_type type)
{
	const size_t block_bytes = 64 * mote_type_bits(type);
	const __m256i codebook = load_codebook(w, type);
	const __m256 unit = load_unit(w, type);
	__m256 acc[SPLIT_ROWS * ROW_PANELS * 2];

	UNROLL for (int i = 0; i < T * P * 2; i++)
		acc[i] = _mm256_setzero_ps();
	for (size_t b = 0; b < w->blocks; b++) {
		struct split_activations x[SPLIT_ROWS];

		UNROLL for (int r = 0; r < T; r++)
			split_activations(a, row + (size_t)r, b, &x[r]);
		for (int p = 0; p < P; p++) {
			/* Broadcasts read memory for each panel: else they become shuffles, on the ports that
			 * unpacking needs, or are made once for all panels and stored. */
			__asm__("" : "+m"(x));
			const uint8_t *data = panel + (size_t)p * step * w->panel_bytes;
			const uint8_t *lines = data + w->quants_offset + b * block_bytes;
			__m256i isum[SPLIT_ROWS][2];

			fetch_block(lines, data, w->panel_bytes, b, NEAR, type);
			split_block(lines, x, codebook, isum, T, type);
			UNROLL for (int half = 0; half < 2; half++) {
				__m256 scales = load_scales(data, b, half, unit, type);

				UNROLL for (int r = 0; r < T; r++) {
					__m256i sum = _mm256_add_epi32(isum[r][half], first_sum(&x[r].bias, type));
					__m256 *at = &acc[(r * P + p) * 2 + half];

					*at = finish_block(sum, scales, x[r].scale, *at);
				}
			}
		}
	}
	for (int i = 0; i < T * P * 2; i++)
		_mm256_storeu_ps(out + (size_t)(i / (P * 2)) * out_stride + (size_t)(i / 2 % P) * step * LANES +
				 (size_t)(i % 2) * 8, acc[i]);
}

TILE void widen_activations(const struct mote_activations *a, size_t row, size_t block, struct wide_activations *wide)
{
	const size_t at = row * (a->stride / 32) + block;
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(a->q + at * 32));

	_mm256_store_si256((__m256i *)(void *)wide->even, _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8));
	_mm256_store_si256((__m256i *)(void *)wide->odd, _mm256_srai_epi16(v, 8));
	wide->scale = a->scale[at];
	wide->bias = a->bias[at];
}

/* lines: the block's in the panel */
TILE void widen_weights(const uint8_t *panel, const uint8_t *lines, size_t block, __m256i codebook, __m256 unit,
			const enum mote_type type, struct wide_weights *wide)
{
	const __m256i low = _mm256_set1_epi16(255);

	UNROLL for (int half = 0; half < 2; half++) {
		UNROLL for (int g = 0; g < 8; g++) {
			__m256i u = unpack(lines, g, half, codebook, type);
			size_t at = (size_t)g * 64 + (size_t)half * 32;

			_mm256_store_si256((__m256i *)(void *)(wide->even + at), _mm256_and_si256(u, low));
			_mm256_store_si256((__m256i *)(void *)(wide->odd + at), _mm256_srli_epi16(u, 8));
		}
		_mm256_store_ps(wide->scale + half * 8, load_scales(panel, block, half, unit, type));
	}
}

/* T rows of a block times one panel's block, added to acc[T][16]. */
TILE void tile_block(const struct wide_weights *w, const struct wide_activations *x, float *acc, size_t acc_stride,
		     const int T, const enum mote_type type)
{
	__m256i isum[TILE_ROWS][2];

	UNROLL for (int r = 0; r < T; r++)
		isum[r][0] = isum[r][1] = first_sum(&x[r].bias, type);
	ROLLED for (int g = 0; g < 8; g++)
		UNROLL for (int odd = 0; odd < 2; odd++) {
			const uint8_t *pairs = (odd ? w->odd : w->even) + g * 64;
			__m256i low = load_256(pairs), high = load_256(pairs + 32);

			UNROLL for (int r = 0; r < T; r++) {
				__m256i two = broadcast_group((odd ? x[r].odd : x[r].even) + 2 * g);

				isum[r][0] = in_register(_mm256_add_epi32(isum[r][0], _mm256_madd_epi16(low, two)));
				isum[r][1] = in_register(_mm256_add_epi32(isum[r][1], _mm256_madd_epi16(high, two)));
			}
		}
	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int half = 0; half < 2; half++) {
			float *at = acc + (size_t)r * acc_stride + half * 8;
			_mm256_store_ps(at, finish_block(isum[r][half], _mm256_load_ps(w->scale + half * 8), x[r].scale,
							 _mm256_load_ps(at)));
		}
}

/* Up to CHUNK_ROWS rows times P panels: prefill. Blocks are the outer loop, so that each is widened once; the sums
 * of all rows wait in acc. All rows' activations are widened first: read back at once,
 * they would wait for the stores. */
TILE void chunk_quants(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		       size_t row, uint32_t n_rows, float *out, size_t out_stride, const int P,
		       const enum mote_type type)
{
	const size_t block_bytes = 64 * mote_type_bits(type);
	const __m256i codebook = load_codebook(w, type);
	const __m256 unit = load_unit(w, type);
	_Alignas(32) float acc[CHUNK_ROWS][ROW_PANELS * LANES];

	for (uint32_t r = 0; r < n_rows; r++) /* gcc 12 makes memset() rep stos, which takes longer */
		UNROLL for (int i = 0; i < P * LANES; i += 8)
			_mm256_store_ps(acc[r] + i, _mm256_setzero_ps());
	for (size_t b = 0; b < w->blocks; b++) {
		struct wide_activations x[CHUNK_ROWS];

		for (uint32_t r = 0; r < n_rows; r++)
			widen_activations(a, row + r, b, &x[r]);
		for (int p = 0; p < P; p++) {
			const uint8_t *data = panel + (size_t)p * w->panel_bytes;
			const uint8_t *lines = data + w->quants_offset + b * block_bytes;
			struct wide_weights wide;
			uint32_t r = 0;

			fetch_block(lines, data, w->panel_bytes, b, NEAR, type);
			widen_weights(data, lines, b, codebook, unit, type, &wide);
			for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
				tile_block(&wide, &x[r], acc[r] + p * LANES, ROW_PANELS * LANES, TILE_ROWS, type);
			for (; r < n_rows; r++)
				tile_block(&wide, &x[r], acc[r] + p * LANES, ROW_PANELS * LANES, 1, type);
		}
	}
	for (uint32_t r = 0; r < n_rows; r++)
		for (int i = 0; i < P * LANES; i += 8)
			_mm256_storeu_ps(out + r * out_stride + i, _mm256_load_ps(acc[r] + i));
}

/* Four streams over a quarter of the panels each, and what is left. */
TILE void multiply_rows(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			const struct mote_activations *a, uint32_t row, float *out, size_t out_stride, const int T,
			const enum mote_type type)
{
	const uint32_t step = n_panels / ROW_PANELS;
	const uint8_t *data = w->data + (size_t)panel * w->panel_bytes;

	for (uint32_t p = 0; p < step; p++)
		row_quants(w, data + (size_t)p * w->panel_bytes, a, row, out + (size_t)p * LANES, out_stride, step, T,
			   ROW_PANELS, type);
	for (uint32_t p = ROW_PANELS * step; p < n_panels; p++)
		row_quants(w, data + (size_t)p * w->panel_bytes, a, row, out + (size_t)p * LANES, out_stride, 1, T, 1,
			   type);
}

TILE void multiply_quants(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			  const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out,
			  size_t out_stride, const enum mote_type type)
{
	uint32_t step;

	if (n_rows == 1)
		multiply_rows(w, panel, n_panels, a, row, out, out_stride, 1, type);
	else if (n_rows == 2)
		multiply_rows(w, panel, n_panels, a, row, out, out_stride, 2, type);
	else if (n_rows == 3)
		multiply_rows(w, panel, n_panels, a, row, out, out_stride, 3, type);
	if (n_rows <= SPLIT_ROWS)
		return;
	for (uint32_t p = 0; p < n_panels; p += step) {
		const uint8_t *data = w->data + (size_t)(panel + p) * w->panel_bytes;

		step = n_panels - p >= ROW_PANELS ? ROW_PANELS : 1;
		for (uint32_t r = 0; r < n_rows; r += CHUNK_ROWS) {
			uint32_t n = n_rows - r < CHUNK_ROWS ? n_rows - r : CHUNK_ROWS;
			float *at = out + r * out_stride + (size_t)p * LANES;
			if (step == ROW_PANELS)
				chunk_quants(w, data, a, row + r, n, at, out_stride, ROW_PANELS, type);
			else
				chunk_quants(w, data, a, row + r, n, at, out_stride, 1, type);
		}
	}
}

/* ---- float ---- */

TILE __m256 load_weights(const uint8_t *panel, size_t column, int half, const enum mote_type type)
{
	const void *at = panel + column * (type == MOTE_F32 ? 64 : 32) + (size_t)half * (type == MOTE_F32 ? 32 : 16);

	if (type == MOTE_F32)
		return _mm256_load_ps(at);
	if (type == MOTE_F16)
		return _mm256_cvtph_ps(_mm_load_si128(at));
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_load_si128(at)), 16));
}

/* T rows x P panels, T * P <= 4, step panels from one to the next. */
TILE void tile_floats(const struct mote_matrix *w, const uint8_t *panel, size_t step, const struct mote_activations *a,
		      size_t row, float *out, size_t out_stride, const int T, const int P, const enum mote_type type)
{
	const float *x = a->x + row * a->stride;
	__m256 acc[8];

	UNROLL for (int i = 0; i < T * P * 2; i++)
		acc[i] = _mm256_setzero_ps();
	for (size_t c = 0; c < w->cols; c++)
		UNROLL for (int i = 0; i < P * 2; i++) {
			__m256 weights = load_weights(panel + (size_t)(i / 2) * step * w->panel_bytes, c, i % 2, type);

			UNROLL for (int r = 0; r < T; r++)
				acc[r * P * 2 + i] = _mm256_fmadd_ps(weights,
								     _mm256_set1_ps(x[(size_t)r * a->stride + c]),
								     acc[r * P * 2 + i]);
		}
	UNROLL for (int i = 0; i < T * P * 2; i++)
		_mm256_storeu_ps(out + (size_t)(i / (P * 2)) * out_stride + (size_t)(i / 2 % P) * step * LANES +
				 (size_t)(i % 2) * 8, acc[i]);
}

TILE void multiply_floats(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			  const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out,
			  size_t out_stride, const enum mote_type type)
{
	const uint32_t step = n_rows < TILE_ROWS ? n_panels / ROW_PANELS : 0;
	const uint8_t *data = w->data + (size_t)panel * w->panel_bytes;

	for (uint32_t p = 0; p < step; p++)
		for (uint32_t r = 0; r < n_rows; r++)
			tile_floats(w, data + (size_t)p * w->panel_bytes, step, a, row + r,
				    out + r * out_stride + (size_t)p * LANES, out_stride, 1, ROW_PANELS, type);
	for (uint32_t p = ROW_PANELS * step; p < n_panels; p++) {
		const uint8_t *at = data + (size_t)p * w->panel_bytes;
		float *y = out + (size_t)p * LANES;
		uint32_t r = 0;

		for (; r + TILE_ROWS <= n_rows; r += TILE_ROWS)
			tile_floats(w, at, 1, a, row + r, y + r * out_stride, out_stride, TILE_ROWS, 1, type);
		for (; r < n_rows; r++)
			tile_floats(w, at, 1, a, row + r, y + r * out_stride, out_stride, 1, 1, type);
	}
}

TARGET MOTE_DEFINE_MULTIPLY(multiply_f32, multiply_floats, MOTE_F32)
TARGET MOTE_DEFINE_MULTIPLY(multiply_f16, multiply_floats, MOTE_F16)
TARGET MOTE_DEFINE_MULTIPLY(multiply_bf16, multiply_floats, MOTE_BF16)
#define DEFINE(slot, name) TARGET MOTE_DEFINE_MULTIPLY(name, multiply_quants, slot)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_avx2_matmul(struct mote_kernels *k)
{
	k->multiply[MOTE_F32] = multiply_f32;
	k->multiply[MOTE_F16] = multiply_f16;
	k->multiply[MOTE_BF16] = multiply_bf16;
#define ENTER(slot, name) k->multiply[slot] = name;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

#endif
