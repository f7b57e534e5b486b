/* Training's kernel for NEON: 6 rows by 16 columns of a product live in 24 of the 32 registers. */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "runtime/kernels/tables.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows [row, row + n) and columns [col, col + 16) of the tile; n is a constant where this is inlined. */
INLINE void tile_part(const struct mote_tile *t, uint32_t row, uint32_t col, const uint32_t n)
{
	const float *a = t->a + row * t->a_row, *b = t->b + col;
	const size_t a_row = t->a_row, a_col = t->a_col;
	float *c = t->c + row * t->c_row + col;
	float32x4_t sum[6][4];

	UNROLL for (uint32_t i = 0; i < n; i++)
		UNROLL for (uint32_t j = 0; j < 4; j++)
			sum[i][j] = t->add ? vld1q_f32(c + i * t->c_row + 4 * j) : vdupq_n_f32(0);
	for (uint32_t d = 0; d < t->depth; d++, a += a_col, b += MOTE_GEMM_COLS) {
		float32x4_t b0 = vld1q_f32(b), b1 = vld1q_f32(b + 4), b2 = vld1q_f32(b + 8), b3 = vld1q_f32(b + 12);

		UNROLL for (uint32_t i = 0; i < n; i++) {
			float32x4_t x = vld1q_dup_f32(a + i * a_row);

			sum[i][0] = vfmaq_f32(sum[i][0], x, b0);
			sum[i][1] = vfmaq_f32(sum[i][1], x, b1);
			sum[i][2] = vfmaq_f32(sum[i][2], x, b2);
			sum[i][3] = vfmaq_f32(sum[i][3], x, b3);
		}
	}
	UNROLL for (uint32_t i = 0; i < n; i++)
		UNROLL for (uint32_t j = 0; j < 4; j++)
			vst1q_f32(c + i * t->c_row + 4 * j, sum[i][j]);
}

static void tile(const struct mote_tile *t)
{
	for (uint32_t col = 0; col < MOTE_GEMM_COLS; col += 16) {
		uint32_t row = 0;

		for (; row + 6 <= t->rows; row += 6)
			tile_part(t, row, col, 6);
		for (; row < t->rows; row++)
			tile_part(t, row, col, 1);
	}
}

void mote_kernels_init_neon_train(struct mote_kernels *k)
{
	k->tile = tile;
}

#endif
