/* Second moments: see second_moments.h. A piece of the sums is one product of the transposed rows with the rows
 * (runtime/kernels/gemm.c) in a thread's own memory, which is then added to the doubles. */
#include "quant/encode/second_moments.h"

#include <stdlib.h>

#include "runtime/kernels/train.h"

/* A piece: at most so many rows and columns of the sums. */
enum { PIECE_ROWS = 384, PIECE_COLS = 128, PIECE = PIECE_ROWS * PIECE_COLS };

static const size_t scratch_floats = (PIECE + MOTE_GEMM_SCRATCH_FLOATS + 15) / 16 * 16;

enum mote_status mote_second_moments_open(struct mote_second_moments *m, struct mote_pool *pool,
					  struct mote_error *error)
{
	m->pool = pool;
	m->scratch = aligned_alloc(64, mote_pool_threads(pool) * scratch_floats * sizeof *m->scratch);
	if (!m->scratch)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for second moments");
	return mote_kernels_select(NULL, &m->kernels, error);
}

void mote_second_moments_close(struct mote_second_moments *m)
{
	free(m->scratch);
	*m = (struct mote_second_moments){0};
}

struct job {
	const struct mote_second_moments *m;
	const struct mote_moment_sum *s;
};

/* Rows [i, i_end) and columns [j, j_end) of the sums. */
static void add_piece(const struct job *job, uint32_t i, uint32_t i_end, uint32_t j, uint32_t j_end, float *scratch)
{
	const struct mote_moment_sum *s = job->s;
	const uint32_t rows = i_end - i, cols = j_end - j;
	const struct mote_gemm product = { .a = s->a + i, .a_row = 1, .a_col = s->a_stride, .b = s->b + j,
					   .b_row = s->b_stride, .b_col = 1, .c = scratch, .c_row = PIECE_COLS,
					   .m = rows, .n = cols, .depth = s->rows };

	mote_gemm_run(&job->m->kernels, &product, scratch + PIECE);
	for (uint32_t r = 0; r < rows; r++) {
		double *to = s->sum + (size_t)(i + r) * s->b_cols + j;

		for (uint32_t k = 0; k < cols; k++)
			to[k] += (double)scratch[(size_t)r * PIECE_COLS + k];
	}
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void add_thread(void *user, uint32_t thread, uint32_t threads)
{
	const struct job *job = user;
	const struct mote_moment_sum *s = job->s;
	uint32_t across = (s->b_cols + PIECE_COLS - 1) / PIECE_COLS;
	uint32_t down = (s->a_cols + PIECE_ROWS - 1) / PIECE_ROWS, item;

	(void)threads;
	while ((item = mote_pool_claim(job->m->pool)) < across * down) {
		uint32_t i = item / across * PIECE_ROWS, i_end = least(i + PIECE_ROWS, s->a_cols);
		uint32_t j = item % across * PIECE_COLS;

		if (s->lower && i < j)
			i = j;
		if (i < i_end)
			add_piece(job, i, i_end, j, least(j + PIECE_COLS, s->b_cols),
				  job->m->scratch + thread * scratch_floats);
	}
}

void mote_second_moments_add(const struct mote_second_moments *m, const struct mote_moment_sum *s)
{
	struct job job = {m, s};

	mote_pool_run(m->pool, add_thread, &job);
}
