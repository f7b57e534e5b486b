/* Quantized matrix products for AVX-VNNI (Alder Lake and later processors without AVX-512): AVX2's registers with
 * vpdpbusd, which adds the four products of a quad to each of 8 rows. The rest is AVX2's table. */
#if defined(__x86_64__)

#include "runtime/kernels/x86/avx2_quants.h"

#define TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TILE TARGET static inline __attribute__((always_inline))

enum { LANES = 16, ROW_PANELS = 4, TILE_ROWS = 4, CHUNK_ROWS = 64, NEAR = 1536 };

TILE __m256i broadcast_quad(const int8_t *q)
{
	int32_t four;

	memcpy(&four, q, sizeof four);
	return _mm256_set1_epi32(four);
}

/* One row times P panels, step panels from one to the next: decode, whose pieces are read as four streams, see
 * avx512_matmul.c. */
TILE void row_quants(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		     size_t row, float *out, size_t step, const int P, const enum mote_type type)
{
	const size_t block_bytes = 64 * mote_type_bits(type);
	const float *scale = a->scale + row * (a->stride / 32);
	const int32_t *bias = a->bias + row * (a->stride / 32);
	const __m256i codebook = load_codebook(w, type);
	const __m256 unit = load_unit(w, type);
	__m256 acc[ROW_PANELS * 2];

	for (int i = 0; i < P * 2; i++)
		acc[i] = _mm256_setzero_ps();
	for (size_t b = 0; b < w->blocks; b++) {
		const int8_t *q = a->q + row * a->stride + b * 32;

		for (int p = 0; p < P; p++) {
			const uint8_t *data = panel + (size_t)p * step * w->panel_bytes;
			const uint8_t *lines = data + w->quants_offset + b * block_bytes;
			__m256i isum[2] = {first_sum(bias + b, type), first_sum(bias + b, type)};

			fetch_block(lines, data, w->panel_bytes, b, NEAR, type);
			UNROLL for (int g = 0; g < 8; g++)
				UNROLL for (int half = 0; half < 2; half++)
					isum[half] = _mm256_dpbusd_avx_epi32(isum[half],
									     unpack(lines, g, half, codebook, type),
									     broadcast_quad(q + g * 4));
			UNROLL for (int half = 0; half < 2; half++)
				acc[2 * p + half] = finish_block(isum[half], load_scales(data, b, half, unit, type),
								 scale[b], acc[2 * p + half]);
		}
	}
	for (int i = 0; i < P * 2; i++)
		_mm256_storeu_ps(out + (size_t)(i / 2) * step * LANES + (size_t)(i % 2) * 8, acc[i]);
}

/* T rows of a block times one panel's block of bytes, [8 groups][16 rows][4 columns], added to acc[T][16]. */
TILE void tile_block(const uint8_t *u, const __m256 ws[2], const int8_t *q, size_t q_stride,
		     const float *scale, const int32_t *bias, size_t s_stride, float *acc, const int T,
		     const enum mote_type type)
{
	__m256i isum[TILE_ROWS][2];

	UNROLL for (int r = 0; r < T; r++)
		isum[r][0] = isum[r][1] = first_sum(bias + (size_t)r * s_stride, type);
	UNROLL for (int g = 0; g < 8; g++) {
		__m256i low = load_256(u + g * 64), high = load_256(u + g * 64 + 32);

		UNROLL for (int r = 0; r < T; r++) {
			__m256i quad = broadcast_quad(q + (size_t)r * q_stride + g * 4);

			isum[r][0] = _mm256_dpbusd_avx_epi32(isum[r][0], low, quad);
			isum[r][1] = _mm256_dpbusd_avx_epi32(isum[r][1], high, quad);
		}
	}
	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int half = 0; half < 2; half++) {
			float *at = acc + r * LANES + half * 8;
			_mm256_store_ps(at, finish_block(isum[r][half], ws[half], scale[(size_t)r * s_stride],
							 _mm256_load_ps(at)));
		}
}

/* Up to CHUNK_ROWS rows times one panel: prefill. Blocks are the outer loop, so that each block is unpacked
 * once; the sums of all rows wait in acc. */
TILE void chunk_quants(const struct mote_matrix *w, const uint8_t *panel, const struct mote_activations *a,
		       size_t row, uint32_t n_rows, float *out, size_t out_stride, const enum mote_type type)
{
	const size_t block_bytes = 64 * mote_type_bits(type), s_stride = a->stride / 32;
	const __m256i codebook = load_codebook(w, type);
	const __m256 unit = load_unit(w, type);
	_Alignas(32) float acc[CHUNK_ROWS * LANES];

	memset(acc, 0, n_rows * LANES * sizeof *acc);
	for (size_t b = 0; b < w->blocks; b++) {
		const uint8_t *lines = panel + w->quants_offset + b * block_bytes, *u = lines;
		const __m256 ws[2] = {load_scales(panel, b, 0, unit, type), load_scales(panel, b, 1, unit, type)};
		_Alignas(32) uint8_t bytes[512];
		uint32_t step;

		if (mote_type_bits(type) != 8) {
			UNROLL for (int g = 0; g < 8; g++)
				UNROLL for (int half = 0; half < 2; half++)
					_mm256_store_si256((__m256i *)(void *)(bytes + g * 64 + half * 32),
							   unpack(lines, g, half, codebook, type));
			u = bytes;
		}
		for (uint32_t r = 0; r < n_rows; r += step) {
			const int8_t *q = a->q + (row + r) * a->stride + b * 32;
			const size_t at = (row + r) * s_stride + b;

			step = n_rows - r >= TILE_ROWS ? TILE_ROWS : 1;
			if (step == TILE_ROWS)
				tile_block(u, ws, q, a->stride, a->scale + at, a->bias + at, s_stride, acc + r * LANES,
					   TILE_ROWS, type);
			else
				tile_block(u, ws, q, a->stride, a->scale + at, a->bias + at, s_stride, acc + r * LANES,
					   1, type);
		}
	}
	for (uint32_t r = 0; r < n_rows; r++)
		memcpy(out + r * out_stride, acc + r * LANES, LANES * sizeof *out);
}

/* Fewer rows than a tile: four streams over a quarter of the panels each, which all rows use while they are at hand,
 * and what is left. */
TILE void multiply_rows(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out,
			size_t out_stride, const enum mote_type type)
{
	const uint32_t step = n_panels / ROW_PANELS;
	const uint8_t *data = w->data + (size_t)panel * w->panel_bytes;

	for (uint32_t p = 0; p < step; p++)
		for (uint32_t r = 0; r < n_rows; r++)
			row_quants(w, data + (size_t)p * w->panel_bytes, a, row + r,
				   out + r * out_stride + (size_t)p * LANES, step, ROW_PANELS, type);
	for (uint32_t p = ROW_PANELS * step; p < n_panels; p++)
		for (uint32_t r = 0; r < n_rows; r++)
			row_quants(w, data + (size_t)p * w->panel_bytes, a, row + r,
				   out + r * out_stride + (size_t)p * LANES, 1, 1, type);
}

TILE void multiply(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
		   const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out, size_t out_stride,
		   const enum mote_type type)
{
	if (n_rows < TILE_ROWS) {
		multiply_rows(w, panel, n_panels, a, row, n_rows, out, out_stride, type);
		return;
	}
	for (uint32_t p = 0; p < n_panels; p++)
		for (uint32_t r = 0; r < n_rows; r += CHUNK_ROWS)
			chunk_quants(w, w->data + (size_t)(panel + p) * w->panel_bytes, a, row + r,
				     n_rows - r < CHUNK_ROWS ? n_rows - r : CHUNK_ROWS,
				     out + r * out_stride + (size_t)p * LANES, out_stride, type);
}

#define DEFINE(slot, name) TARGET MOTE_DEFINE_MULTIPLY(name, multiply, slot)
MOTE_QUANTIZED_TYPES(DEFINE)
#undef DEFINE

void mote_kernels_init_avxvnni_matmul(struct mote_kernels *k)
{
#define ENTER(slot, name) k->multiply[slot] = name;
	MOTE_QUANTIZED_TYPES(ENTER)
#undef ENTER
}

#endif
