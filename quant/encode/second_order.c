/* The factors of H: see second_order.h. */
#include "quant/encode/second_order.h"

#include <stdlib.h>
#include <string.h>

#include "quant/encode/row_lanes.h"

#define BLOCK MOTE_BLOCK_COLS

/* Rows of the matrix that is factored lie a line of the cache farther apart than they are long: powers of two would put
 * a column's lines all in one place of it. */
enum { ROWS = 16, COLUMNS = 8, AT_ONCE = 4, PAD = 8 };

typedef double quad __attribute__((vector_size(32)));

/* From rows [0, count) of a, whose places are 8 columns from `from` on: takes m[i][0..3] times each off four rows' same
 * columns, `to`. Each element is summed in ascending row order. */
MOTE_WIDEST static void subtract_rows(double *to, const double *from, size_t stride, const double *m, uint32_t count)
{
	quad low[AT_ONCE], high[AT_ONCE];

	for (uint32_t j = 0; j < AT_ONCE; j++) {
		memcpy(&low[j], to + j * stride, sizeof low[j]);
		memcpy(&high[j], to + j * stride + 4, sizeof high[j]);
	}
	for (uint32_t i = 0; i < count; i++, from += stride, m += ROWS) {
		quad l, h;

		memcpy(&l, from, sizeof l);
		memcpy(&h, from + 4, sizeof h);
		low[0] -= m[0] * l;
		high[0] -= m[0] * h;
		low[1] -= m[1] * l;
		high[1] -= m[1] * h;
		low[2] -= m[2] * l;
		high[2] -= m[2] * h;
		low[3] -= m[3] * l;
		high[3] -= m[3] * h;
	}
	for (uint32_t j = 0; j < AT_ONCE; j++) {
		memcpy(to + j * stride, &low[j], sizeof low[j]);
		memcpy(to + j * stride + 4, &high[j], sizeof high[j]);
	}
}

/* What is left of 16 rows when those above them are done. Damping keeps pivots positive; the floor is for what rounding
 * leaves of that. */
MOTE_WIDEST static void finish_rows(double *a, size_t stride, double *d, uint32_t j0, uint32_t n, double floor)
{
	for (uint32_t j = j0; j < j0 + ROWS; j++) {
		double *row = a + j * stride;

		for (uint32_t i = j0; i < j; i++) {
			const double *from = a + i * stride;
			double m = from[j] * d[i];

			for (uint32_t k = j; k < n; k++)
				row[k] -= m * from[k];
		}
		d[j] = row[j] > floor ? row[j] : floor;
		row[j] = 1;
		for (uint32_t k = j + 1; k < n; k++)
			row[k] /= d[j];
	}
}

/* LDL^T with L = U^T, in place: a holds H's upper triangle, then U. 16 rows at a time take what the rows above them
 * contribute.
 *   m [n][16] scratch */
static void factor(double *a, size_t stride, double *d, uint32_t n, double floor, double *m)
{
	for (uint32_t j0 = 0; j0 < n; j0 += ROWS) {
		for (uint32_t i = 0; i < j0; i++)
			for (uint32_t j = 0; j < ROWS; j++)
				m[(size_t)i * ROWS + j] = a[i * stride + j0 + j] * d[i];
		for (uint32_t k = j0; k < n; k += COLUMNS)
			for (uint32_t j = 0; j < ROWS; j += AT_ONCE)
				subtract_rows(a + (j0 + j) * stride + k, a + k, stride, m + j, j0);
		finish_rows(a, stride, d, j0, n, floor);
	}
}

/* What is factored: the mean of h_sum over the tokens, with `damp` added to its diagonal, its upper triangle; and the
 * whole of it, unless h is NULL. Square by square, so that the transposed side stays in the cache. */
static void damp_mean(const double *h_sum, uint32_t cols, uint32_t n, uint64_t tokens, double mean, double damp,
		      double *a, float *h)
{
	for (uint32_t square = 0; square < n / BLOCK * (n / BLOCK); square++) {
		uint32_t i0 = square / (n / BLOCK) * BLOCK, j0 = square % (n / BLOCK) * BLOCK;

		for (uint32_t i = i0; i < i0 + BLOCK; i++)
			for (uint32_t j = j0; j < j0 + BLOCK && j <= i; j++) {
				double value = i < cols ? h_sum[(size_t)i * cols + j] / (double)tokens : 0;

				if (i == j)
					value = i < cols ? value + damp : mean;
				a[j * (size_t)(n + PAD) + i] = value;
				if (h)
					h[(size_t)i * n + j] = h[(size_t)j * n + i] = (float)value;
			}
	}
}

/* U and D of that; a: [n][n + PAD + ROWS] scratch. */
static void damped_factor(const double *h_sum, uint32_t cols, uint32_t n, uint64_t tokens, double mean, double damp,
			  double *a, float *h, float *u, double *d)
{
	const size_t stride = n + PAD;

	damp_mean(h_sum, cols, n, tokens, mean, damp, a, h);
	factor(a, stride, d, n, damp * 1e-6, a + n * stride);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i; j < n; j++)
			u[(size_t)i * n + j] = (float)a[i * stride + j];
}

/* C transposed, as a mean. */
static void set_cross(const double *cross_sum, uint32_t cols, uint32_t n, uint64_t tokens, float *cross)
{
	for (uint32_t j0 = 0; j0 < cols; j0 += BLOCK)
		for (uint32_t i = 0; i < cols; i++)
			for (uint32_t j = j0; j < cols && j < j0 + BLOCK; j++)
				cross[(size_t)j * n + i] = (float)(cross_sum[(size_t)i * cols + j] / (double)tokens);
}

enum mote_status mote_second_order_init(struct mote_second_order *s, uint32_t cols, const double *h_sum,
					const double *cross_sum, uint64_t tokens, double damping,
					double target_damping, struct mote_error *error)
{
	uint32_t n = (cols + BLOCK - 1) / BLOCK * BLOCK;
	size_t elements = (size_t)n * n;
	double *a = calloc((size_t)n * (n + PAD + ROWS), sizeof *a), mean = 0;

	*s = (struct mote_second_order){.n = n};
	s->h = calloc(elements, sizeof *s->h);
	s->u = calloc(elements, sizeof *s->u);
	s->d = calloc(n, sizeof *s->d);
	s->target_u = calloc(elements, sizeof *s->target_u);
	s->target_d = calloc(n, sizeof *s->target_d);
	s->cross = cross_sum ? calloc(elements, sizeof *s->cross) : NULL;
	if (!a || !s->h || !s->u || !s->d || !s->target_u || !s->target_d || (cross_sum && !s->cross)) {
		free(a);
		mote_second_order_free(s);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a %u x %u Hessian", n, n);
	}
	for (uint32_t j = 0; j < cols; j++)
		mean += h_sum[(size_t)j * cols + j] / (double)tokens;
	mean /= cols;
	if (!(mean > 0))
		mean = 1; /* the input is always zero: any positive H will do */
	damped_factor(h_sum, cols, n, tokens, mean, mean * damping, a, s->h, s->u, s->d);
	damped_factor(h_sum, cols, n, tokens, mean, mean * target_damping, a, NULL, s->target_u, s->target_d);
	if (cross_sum)
		set_cross(cross_sum, cols, n, tokens, s->cross);
	free(a);
	return MOTE_OK;
}

void mote_second_order_free(struct mote_second_order *s)
{
	free(s->h);
	free(s->u);
	free(s->d);
	free(s->target_u);
	free(s->target_d);
	free(s->cross);
	*s = (struct mote_second_order){0};
}
