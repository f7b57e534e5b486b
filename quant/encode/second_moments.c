/* Second moments: see second_moments.h. */
#include "quant/encode/second_moments.h"

#include <string.h>

#include "quant/encode/row_lanes.h"

/* A piece: this many rows of sum, 16 columns. */
#define PIECE_ROWS 64u
#define LANES 16u
#define AT_ONCE 4u

struct job {
	struct mote_pool *pool;
	const float *a, *b;
	size_t a_stride, b_stride;
	uint32_t a_cols, b_cols, rows;
	bool lower;
	double *sum;
};

/* total[k] = sum over t of a[t][k] * b[t][0..15] */
MOTE_WIDEST static void add_tile(const float *a, size_t a_stride, const float *b, size_t b_stride, uint32_t rows,
				 mote_lanes total[AT_ONCE])
{
	mote_lanes t0 = {0}, t1 = {0}, t2 = {0}, t3 = {0}, v;

	for (uint32_t t = 0; t < rows; t++, a += a_stride, b += b_stride) {
		memcpy(&v, b, sizeof v);
		t0 += a[0] * v;
		t1 += a[1] * v;
		t2 += a[2] * v;
		t3 += a[3] * v;
	}
	total[0] = t0;
	total[1] = t1;
	total[2] = t2;
	total[3] = t3;
}

static void add_piece(const struct job *job, uint32_t i0, uint32_t j0)
{
	uint32_t width = job->b_cols - j0 < LANES ? job->b_cols - j0 : LANES;

	for (uint32_t i = i0; i < i0 + PIECE_ROWS && i < job->a_cols; i += AT_ONCE) {
		mote_lanes total[AT_ONCE];

		if (job->lower && i + AT_ONCE <= j0)
			continue;
		add_tile(job->a + i, job->a_stride, job->b + j0, job->b_stride, job->rows, total);
		for (uint32_t k = 0; k < AT_ONCE && i + k < job->a_cols; k++)
			for (uint32_t j = 0; j < width; j++)
				job->sum[(size_t)(i + k) * job->b_cols + j0 + j] += (double)total[k][j];
	}
}

static void add_thread(void *user, uint32_t thread, uint32_t threads)
{
	const struct job *job = user;
	uint32_t across = (job->b_cols + LANES - 1) / LANES, down = (job->a_cols + PIECE_ROWS - 1) / PIECE_ROWS;
	uint32_t item;

	(void)thread;
	(void)threads;
	while ((item = mote_pool_claim(job->pool)) < across * down)
		add_piece(job, item / across * PIECE_ROWS, item % across * LANES);
}

void mote_second_moments_add(struct mote_pool *pool, const float *a, size_t a_stride, uint32_t a_cols, const float *b,
		      size_t b_stride, uint32_t b_cols, uint32_t rows, bool lower, double *sum)
{
	struct job job = { .pool = pool, .a = a, .b = b, .a_stride = a_stride, .b_stride = b_stride, .a_cols = a_cols,
			   .b_cols = b_cols, .rows = rows, .lower = lower, .sum = sum };

	mote_pool_run(pool, add_thread, &job);
}
