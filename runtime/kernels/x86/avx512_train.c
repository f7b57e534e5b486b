/* Training's kernels for AVX-512: 12 rows by 32 columns of a product live in 24 of the 32 registers. */
#if defined(__x86_64__)

#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx512_lanes.h"

/* Rows [row, row + n) of the tile; n is a constant where this is inlined. */
INLINE void tile_rows(const struct mote_tile *t, uint32_t row, const uint32_t n)
{
	const float *a = t->a + row * t->a_row, *b = t->b;
	const size_t a_row = t->a_row, a_col = t->a_col;
	float *c = t->c + row * t->c_row;
	__m512 low[MOTE_GEMM_ROWS], high[MOTE_GEMM_ROWS];

	UNROLL for (uint32_t i = 0; i < n; i++) {
		low[i] = t->add ? _mm512_loadu_ps(c + i * t->c_row) : _mm512_setzero_ps();
		high[i] = t->add ? _mm512_loadu_ps(c + i * t->c_row + 16) : _mm512_setzero_ps();
	}
	for (uint32_t d = 0; d < t->depth; d++, a += a_col, b += MOTE_GEMM_COLS) {
		__m512 b0 = _mm512_load_ps(b), b1 = _mm512_load_ps(b + 16);

		UNROLL for (uint32_t i = 0; i < n; i++) {
			__m512 x = _mm512_set1_ps(a[i * a_row]);

			low[i] = _mm512_fmadd_ps(x, b0, low[i]);
			high[i] = _mm512_fmadd_ps(x, b1, high[i]);
		}
	}
	UNROLL for (uint32_t i = 0; i < n; i++) {
		_mm512_storeu_ps(c + i * t->c_row, low[i]);
		_mm512_storeu_ps(c + i * t->c_row + 16, high[i]);
	}
}

TARGET static void tile(const struct mote_tile *t)
{
	uint32_t row = 0;

	if (t->rows == MOTE_GEMM_ROWS) {
		tile_rows(t, 0, MOTE_GEMM_ROWS);
		return;
	}
	for (; row + 4 <= t->rows; row += 4)
		tile_rows(t, row, 4);
	for (; row < t->rows; row++)
		tile_rows(t, row, 1);
}

TARGET static void sigmoid(const float *x, uint32_t n, float *y)
{
	const __m512 one = _mm512_set1_ps(1.0f);

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		__m512 minus = _mm512_xor_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(-0.0f));

		_mm512_mask_storeu_ps(y + i, m, _mm512_div_ps(one, _mm512_add_ps(one, exp_ps(minus))));
	}
}

void mote_kernels_init_avx512_train(struct mote_kernels *k)
{
	k->tile = tile;
	k->sigmoid = sigmoid;
}

#endif
