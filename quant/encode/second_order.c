/* The factors of H: see second_order.h. */
#include "quant/encode/second_order.h"

#include <stdlib.h>

#include "quant/encode/row_lanes.h"

#define BLOCK MOTE_BLOCK_COLS

/* LDL^T with L = U^T, in place: a holds H's upper triangle, then U. 16 rows at a time take what the rows above them
 * contribute, in tiles of columns that stay in the first cache; each element is summed in ascending row order. */
MOTE_WIDEST static void factor(double *a, double *d, uint32_t n, double floor)
{
	enum { ROWS = 16, TILE = 64 };

	for (uint32_t j0 = 0; j0 < n; j0 += ROWS) {
		uint32_t j1 = j0 + ROWS < n ? j0 + ROWS : n;

		for (uint32_t k0 = j0; k0 < n; k0 += TILE) {
			uint32_t k1 = k0 + TILE < n ? k0 + TILE : n;

			for (uint32_t i = 0; i < j0; i++)
				for (uint32_t j = j0; j < j1; j++) {
					double m = a[(size_t)i * n + j] * d[i];
					const double *from = a + (size_t)i * n;
					double *to = a + (size_t)j * n;

					for (uint32_t k = k0; k < k1; k++)
						to[k] -= m * from[k];
				}
		}
		for (uint32_t j = j0; j < j1; j++) {
			double *row = a + (size_t)j * n;

			for (uint32_t i = j0; i < j; i++) {
				double m = a[(size_t)i * n + j] * d[i];
				const double *from = a + (size_t)i * n;

				for (uint32_t k = j; k < n; k++)
					row[k] -= m * from[k];
			}
			/* Damping keeps pivots positive; the floor is for what rounding leaves of that. */
			d[j] = row[j] > floor ? row[j] : floor;
			row[j] = 1;
			for (uint32_t k = j + 1; k < n; k++)
				row[k] /= d[j];
		}
	}
}

/* U and D of the mean of h_sum over the tokens, with `damp` added to its diagonal; and that matrix itself, unless h is
 * NULL. a: [n][n] scratch. */
static void damped_factor(const double *h_sum, uint32_t cols, uint32_t n, uint64_t tokens, double mean, double damp,
			  double *a, float *h, float *u, double *d)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j <= i; j++) {
			double value = i < cols ? h_sum[(size_t)i * cols + j] / (double)tokens : 0;

			if (i == j)
				value = i < cols ? value + damp : mean;
			a[(size_t)j * n + i] = value;
			if (h)
				h[(size_t)i * n + j] = h[(size_t)j * n + i] = (float)value;
		}
	factor(a, d, n, damp * 1e-6);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = i; j < n; j++)
			u[(size_t)i * n + j] = (float)a[(size_t)i * n + j];
}

enum mote_status mote_second_order_init(struct mote_second_order *s, uint32_t cols, const double *h_sum,
					const double *cross_sum, uint64_t tokens, double damping,
					double target_damping, struct mote_error *error)
{
	uint32_t n = (cols + BLOCK - 1) / BLOCK * BLOCK;
	size_t elements = (size_t)n * n;
	double *a = malloc(elements * sizeof *a), mean = 0;

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
		for (uint32_t i = 0; i < cols; i++)
			for (uint32_t j = 0; j < cols; j++)
				s->cross[(size_t)j * n + i] = (float)(cross_sum[(size_t)i * cols + j] / (double)tokens);
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
