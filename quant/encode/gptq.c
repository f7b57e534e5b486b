/* Second-order encoding: see gptq.h; the factors of H: second_order.c. */
#include "quant/encode/gptq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LANES MOTE_PANEL_ROWS
#define BLOCK MOTE_BLOCK_COLS

/* ---- lanes ---- */

/* What an encoding of 16 rows works on; each array is [n] of 16 lanes. */
struct work {
	const struct mote_second_order *s;
	const struct mote_grid *g;
	uint32_t n, n_rows;
	mote_lanes *target;   /* t */
	mote_lanes *error;    /* t - q */
	mote_lanes *gradient; /* H (t - q) */
	uint8_t *quants;      /* [n_rows][n] */
	uint16_t *scales;     /* [n_rows][n/32] */
};

size_t mote_gptq_scratch_bytes(uint32_t n)
{
	return 3 * (size_t)n * sizeof(mote_lanes);
}

/* ---- step 1: the target ---- */

/* x = b H^-1 in place, by the target's U^T, D and U; blocks keep what is touched repeatedly in the cache. */
static void solve(const struct work *w, mote_lanes *x)
{
	const float *u = w->s->target_u;
	uint32_t n = w->n;

	for (uint32_t o = 0; o < n; o += BLOCK) {
		mote_lanes solved[BLOCK];

		for (uint32_t i = o; i < o + BLOCK; i++) {
			for (uint32_t k = i + 1; k < o + BLOCK; k++)
				x[k] -= u[(size_t)i * n + k] * x[i];
			solved[i - o] = -x[i];
		}
		mote_lanes_add_products(x + o + BLOCK, n - o - BLOCK, u + (size_t)o * n + o + BLOCK, 1, n, solved,
					BLOCK);
	}
	for (uint32_t i = 0; i < n; i++)
		x[i] /= (float)w->s->target_d[i];
	for (uint32_t i = n; i-- > 0;) {
		mote_lanes rest = {0};

		mote_lanes_add_products(&rest, 1, u + (size_t)i * n + i + 1, 0, 1, x + i + 1, n - i - 1);
		x[i] -= rest;
	}
}

/* No scale reaches farther than 65504 * 128, and sums over squares of what no type can hold overflow. */
static float held(float weight)
{
	const float most = 0x1p24f;

	return weight > most ? most : weight < -most ? -most : weight;
}

static void set_target(struct work *w, const float *rows, const float *lost)
{
	mote_lanes *correction = w->gradient;

	memset(w->target, 0, w->n * sizeof *w->target);
	memset(correction, 0, w->n * sizeof *correction);
	for (uint32_t r = 0; r < w->n_rows; r++)
		for (uint32_t j = 0; j < w->n; j++) {
			w->target[j][r] = held(rows[(size_t)r * w->n + j]);
			if (lost)
				correction[j][r] = lost[(size_t)r * w->n + j];
		}
	if (!w->s->cross && !lost)
		return;
	if (w->s->cross)
		mote_lanes_add_products(correction, w->n, w->s->cross, w->n, 1, w->target, w->n);
	solve(w, correction);
	for (uint32_t j = 0; j < w->n; j++)
		w->target[j] += correction[j];
}

/* ---- step 2: error feedback ---- */

/* One row of a block whose compensated targets, given the blocks behind it, are in compensated[32]. */
static void feed_back_row(struct work *w, uint32_t o, uint32_t lane, const mote_lanes *compensated)
{
	uint8_t *quants = w->quants + (size_t)lane * w->n + o;
	uint16_t *half = w->scales + (size_t)lane * (w->n / BLOCK) + o / BLOCK;
	double x[BLOCK], scale, inverse;

	for (uint32_t j = 0; j < BLOCK; j++)
		x[j] = compensated[j][lane];
	mote_encode_search(w->g, x, w->s->d + o, quants, half);
	scale = mote_grid_scale_value(w->g, *half);
	inverse = scale != 0 ? 1 / scale : 0;
	for (uint32_t j = BLOCK; j-- > 0;) {
		const float *u = w->s->u + (size_t)(o + j) * w->n + o;
		double value = x[j];

		for (uint32_t k = j + 1; k < BLOCK; k++)
			value += (double)u[k] * w->error[o + k][lane];
		quants[j] = mote_grid_nearest(w->g, value * inverse);
		w->error[o + j][lane] = w->target[o + j][lane] - (float)(scale * w->g->value[quants[j]]);
	}
}

static void feed_back(struct work *w)
{
	for (uint32_t o = w->n; o > 0;) {
		mote_lanes compensated[BLOCK];

		o -= BLOCK;
		memcpy(compensated, w->target + o, sizeof compensated);
		mote_lanes_add_products(compensated, BLOCK, w->s->u + (size_t)o * w->n + o + BLOCK, w->n, 1,
					w->error + o + BLOCK, w->n - o - BLOCK);
		for (uint32_t lane = 0; lane < w->n_rows; lane++)
			feed_back_row(w, o, lane, compensated);
	}
}

/* ---- step 3: descent ---- */

/* A block of one row while it is improved: gradient = (H (t - q))'s 32 places, kept up to date with q. */
struct block {
	const struct mote_grid *g;
	const float *h;         /* H's 32 x 32 of this block, rows `stride` apart */
	size_t stride;
	double gradient[BLOCK];
	double moved[BLOCK];    /* q now - q before */
	double scale;
	uint16_t half;
	uint8_t *quants;
	bool changed;
};

/* Adds delta * v to the decoded weights: the gradient falls by delta H v, given as hv. */
static inline void move_all(struct block *b, double delta, const double *v, const double *hv)
{
	for (uint32_t j = 0; j < BLOCK; j++) {
		b->moved[j] += delta * v[j];
		b->gradient[j] -= delta * hv[j];
	}
	b->changed = true;
}

/* The error as a function of the scale is a parabola; takes the scale nearest to its minimum if that lowers the
 * error. */
MOTE_WIDEST static void refit_scale(struct block *b)
{
	double value[BLOCK], hv[BLOCK] = {0}, slope = 0, curvature = 0, scale, delta;
	uint16_t half;

	for (uint32_t j = 0; j < BLOCK; j++)
		value[j] = b->g->value[b->quants[j]];
	for (uint32_t k = 0; k < BLOCK; k++) { /* H is symmetric: its row k for its column k */
		const float *h = b->h + k * b->stride;

		for (uint32_t j = 0; j < BLOCK; j++)
			hv[j] += (double)h[j] * value[k];
	}
	for (uint32_t j = 0; j < BLOCK; j++) {
		slope += value[j] * b->gradient[j];
		curvature += value[j] * hv[j];
	}
	if (!(curvature > 0))
		return;
	scale = b->scale + slope / curvature;
	if (!(fabs(scale) < 65504))
		return;
	half = mote_grid_scale(b->g, scale);
	scale = mote_grid_scale_value(b->g, half);
	delta = scale - b->scale;
	if (scale == 0 || !(delta * (delta * curvature - 2 * slope) < 0))
		return;
	b->scale = scale;
	b->half = half;
	move_all(b, delta, value, hv);
}

/* Each quant in turn to the best value that it can take with all others fixed. */
MOTE_WIDEST static void refit_quants(struct block *b)
{
	double inverse = 1 / b->scale;

	for (uint32_t j = 0; j < BLOCK; j++) {
		const float *h = b->h + j * b->stride;
		double now = b->scale * b->g->value[b->quants[j]];
		uint8_t q = mote_grid_nearest(b->g, (now + b->gradient[j] / h[j]) * inverse);
		double delta;

		if (q == b->quants[j])
			continue;
		delta = b->scale * b->g->value[q] - now;
		b->quants[j] = q;
		b->moved[j] += delta;
		for (uint32_t k = 0; k < BLOCK; k++)
			b->gradient[k] -= delta * (double)h[k];
		b->changed = true;
	}
}

/* One pass over all blocks; false when nothing changed. */
MOTE_WIDEST static bool descend(struct work *w)
{
	bool changed = false;

	for (uint32_t o = 0; o < w->n; o += BLOCK) {
		mote_lanes moved[BLOCK];
		bool block_changed = false;

		memset(moved, 0, sizeof moved);
		for (uint32_t lane = 0; lane < w->n_rows; lane++) {
			uint16_t *half = w->scales + (size_t)lane * (w->n / BLOCK) + o / BLOCK;
			struct block b = { .g = w->g, .h = w->s->h + (size_t)o * w->n + o, .stride = w->n,
					   .scale = mote_grid_scale_value(w->g, *half), .half = *half,
					   .quants = w->quants + (size_t)lane * w->n + o };

			if (b.scale == 0)
				continue;
			for (uint32_t j = 0; j < BLOCK; j++)
				b.gradient[j] = w->gradient[o + j][lane];
			for (unsigned repeat = 0; repeat < 2; repeat++) {
				refit_scale(&b);
				refit_quants(&b);
			}
			*half = b.half;
			block_changed |= b.changed;
			for (uint32_t j = 0; j < BLOCK; j++)
				moved[j][lane] = -(float)b.moved[j];
		}
		if (!block_changed)
			continue;
		changed = true;
		for (uint32_t j = 0; j < BLOCK; j++)
			w->error[o + j] += moved[j];
		mote_lanes_add_products(w->gradient, w->n, w->s->h + (size_t)o * w->n, 1, w->n, moved, BLOCK);
	}
	return changed;
}

static void set_gradient(struct work *w)
{
	memset(w->gradient, 0, w->n * sizeof *w->gradient);
	mote_lanes_add_products(w->gradient, w->n, w->s->h, w->n, 1, w->error, w->n);
}

double mote_gptq_encode(const struct mote_second_order *s, const struct mote_grid *g, const float *rows,
			const float *lost, uint32_t n_rows, uint8_t *quants, uint16_t *scales, void *scratch)
{
	mote_lanes *memory = scratch;
	struct work w = { .s = s, .g = g, .n = s->n, .n_rows = n_rows, .target = memory, .error = memory + s->n,
			  .gradient = memory + 2 * (size_t)s->n, .quants = quants, .scales = scales };
	double total = 0;

	set_target(&w, rows, lost);
	memset(w.error, 0, w.n * sizeof *w.error);
	feed_back(&w);
	set_gradient(&w);
	for (unsigned sweep = 0; sweep < MOTE_GPTQ_SWEEPS && descend(&w); sweep++)
		;
	for (uint32_t k = 0; k < w.n; k++)
		for (uint32_t r = 0; r < n_rows; r++)
			total += (double)w.error[k][r] * w.gradient[k][r];
	return total;
}
