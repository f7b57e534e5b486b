/* Training's kernels for AVX2: 6 rows by 16 columns of a product live in 12 of the 16 registers. */
#if defined(__x86_64__)

#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx2_lanes.h"

/* Rows [row, row + n) and columns [col, col + 16) of the tile; n is a constant where this is inlined. */
INLINE void tile_part(const struct mote_tile *t, uint32_t row, uint32_t col, const uint32_t n)
{
	const float *a = t->a + row * t->a_row, *b = t->b + col;
	const size_t a_row = t->a_row, a_col = t->a_col;
	float *c = t->c + row * t->c_row + col;
	__m256 low[6], high[6];

	UNROLL for (uint32_t i = 0; i < n; i++) {
		low[i] = t->add ? _mm256_loadu_ps(c + i * t->c_row) : _mm256_setzero_ps();
		high[i] = t->add ? _mm256_loadu_ps(c + i * t->c_row + 8) : _mm256_setzero_ps();
	}
	for (uint32_t d = 0; d < t->depth; d++, a += a_col, b += MOTE_GEMM_COLS) {
		__m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);

		UNROLL for (uint32_t i = 0; i < n; i++) {
			__m256 x = _mm256_broadcast_ss(a + i * a_row);

			low[i] = _mm256_fmadd_ps(x, b0, low[i]);
			high[i] = _mm256_fmadd_ps(x, b1, high[i]);
		}
	}
	UNROLL for (uint32_t i = 0; i < n; i++) {
		_mm256_storeu_ps(c + i * t->c_row, low[i]);
		_mm256_storeu_ps(c + i * t->c_row + 8, high[i]);
	}
}

TARGET static void tile(const struct mote_tile *t)
{
	for (uint32_t col = 0; col < MOTE_GEMM_COLS; col += 16) {
		uint32_t row = 0;

		for (; row + 6 <= t->rows; row += 6)
			tile_part(t, row, col, 6);
		for (; row < t->rows; row++)
			tile_part(t, row, col, 1);
	}
}

TARGET static void sigmoid(const float *x, uint32_t n, float *y)
{
	const __m256 one = _mm256_set1_ps(1.0f);

	for (uint32_t i = 0; i < n; i += 8) {
		__m256 minus = _mm256_xor_ps(load_part(x + i, n - i), _mm256_set1_ps(-0.0f));

		store_part(y + i, n - i, _mm256_div_ps(one, _mm256_add_ps(one, exp_ps(minus))));
	}
}

void mote_kernels_init_avx2_train(struct mote_kernels *k)
{
	k->tile = tile;
	k->sigmoid = sigmoid;
}

#endif
