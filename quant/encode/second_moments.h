/* Second moments: sums of products over many rows of activations, on a pool's threads. */
#ifndef MOTE_QUANT_SECOND_MOMENTS_H
#define MOTE_QUANT_SECOND_MOMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/kernels/pool.h"

/* sum[i][j] += sum over t of a[t][i] * b[t][j], the products of one call added up in f32 in ascending t, then
 * added to the double.
 *   a [rows][stride], its first a_cols columns count    b [rows][stride], its first b_cols, likewise
 *   sum [a_cols][b_cols] row-major
 *   both strides multiples of 16, so that reading up to a multiple of 16 columns is fine, whatever is there
 *   lower: only j <= i is wanted (a is b); what lies above is left undefined
 * The result does not depend on the number of threads. */
void mote_second_moments_add(struct mote_pool *pool, const float *a, size_t a_stride, uint32_t a_cols, const float *b,
		      size_t b_stride, uint32_t b_cols, uint32_t rows, bool lower, double *sum);

#endif
