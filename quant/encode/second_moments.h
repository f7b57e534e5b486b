/* Second moments: sums of products over many rows of activations, on a pool's threads. */
#ifndef MOTE_QUANT_SECOND_MOMENTS_H
#define MOTE_QUANT_SECOND_MOMENTS_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"

/* Who adds. Zero-initialize; close also after an error. */
struct mote_second_moments {
	struct mote_pool *pool;      /* borrowed */
	struct mote_kernels kernels;
	float *scratch;              /* each thread's */
};

/* MOTE_ERROR_MEMORY; MOTE_ERROR_ARGUMENT where MOTE_ISA names no instruction set that is here. */
enum mote_status mote_second_moments_open(struct mote_second_moments *m, struct mote_pool *pool,
					  struct mote_error *error) MOTE_CHECKED;
void mote_second_moments_close(struct mote_second_moments *m);

/* sum[i][j] += sum over t of a[t][i] * b[t][j]: the products of one call are added up by fma in f32 in ascending t,
 * from +0, and then added to the double.
 *   a [rows][a_stride], its first a_cols columns count    b [rows][b_stride], its first b_cols, likewise
 *   sum [a_cols][b_cols] row-major
 *   lower: only j <= i is wanted (a is b); what lies above is left undefined */
struct mote_moment_sum {
	const float *a, *b;
	size_t a_stride, b_stride;
	uint32_t a_cols, b_cols, rows;
	bool lower;
	double *sum;
};

/* Cannot fail. The same bits with every instruction set and number of threads. */
void mote_second_moments_add(const struct mote_second_moments *m, const struct mote_moment_sum *s);

#endif
