/* A Llama's loss in double precision, as plainly as the mathematics reads, from the same parameters: what gradients are
 * compared with by finite differences. For one sequence after the other.
 */
#ifndef MOTE_TESTS_TRAIN_REFERENCE_H
#define MOTE_TESTS_TRAIN_REFERENCE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/train/passes.h"

/* One parameter whose weights are these instead. */
struct reference_change {
	const struct mote_parameter *of;
	const double *w;
};

static inline double reference_weight(const struct mote_parameter *p, const struct reference_change *c, size_t i)
{
	return c && c->of == p ? c->w[i] : (double)p->w[i];
}

/* y[rows] = W x + bias */
static inline void reference_product(const struct mote_parameter *w, const struct mote_parameter *bias,
				     const struct reference_change *c, const double *x, double *y)
{
	for (uint32_t r = 0; r < w->rows; r++) {
		y[r] = bias ? reference_weight(bias, c, r) : 0;
		for (uint32_t i = 0; i < w->cols; i++)
			y[r] += reference_weight(w, c, (size_t)r * w->cols + i) * x[i];
	}
}

static inline void reference_norm(const struct mote_parameter *w, const struct reference_change *c, const double *x,
				  double eps, double *y)
{
	double sum = 0;

	for (uint32_t i = 0; i < w->rows; i++)
		sum += x[i] * x[i];
	sum = 1 / sqrt(sum / w->rows + eps);
	for (uint32_t i = 0; i < w->rows; i++)
		y[i] = x[i] * sum * reference_weight(w, c, i);
}

static inline void reference_turn(const struct mote_config *f, const struct mote_parameter *norm,
				  const struct reference_change *c, uint32_t heads, uint32_t t, double *x)
{
	uint32_t dim = f->head_dim, half = dim / 2;

	for (uint32_t h = 0; h < heads; h++, x += dim) {
		if (norm)
			reference_norm(norm, c, x, f->norm_eps, x);
		for (uint32_t i = 0; i < half; i++) {
			double angle = t * pow(f->rope_theta, -2.0 * i / dim), a = x[i], b = x[i + half];

			x[i] = a * cos(angle) - b * sin(angle);
			x[i + half] = b * cos(angle) + a * sin(angle);
		}
	}
}

enum { REFERENCE_MAX = 64 }; /* of every width, and of positions */

struct reference_state {
	double x[REFERENCE_MAX][REFERENCE_MAX], q[REFERENCE_MAX][REFERENCE_MAX], k[REFERENCE_MAX][REFERENCE_MAX];
	double v[REFERENCE_MAX][REFERENCE_MAX];
};

static inline void reference_attend(const struct mote_config *f, const struct reference_state *s, uint32_t t,
				    double *out)
{
	uint32_t dim = f->head_dim, group = f->heads / f->kv_heads;

	for (uint32_t h = 0; h < f->heads; h++) {
		double weight[REFERENCE_MAX], sum = 0;

		memset(out + h * dim, 0, dim * sizeof *out);
		for (uint32_t u = 0; u <= t; u++) {
			double dot = 0;

			for (uint32_t i = 0; i < dim; i++)
				dot += s->q[t][h * dim + i] * s->k[u][h / group * dim + i];
			sum += weight[u] = exp(dot / sqrt(dim));
		}
		for (uint32_t u = 0; u <= t; u++)
			for (uint32_t i = 0; i < dim; i++)
				out[h * dim + i] += weight[u] / sum * s->v[u][h / group * dim + i];
	}
}

static inline void reference_layer(const struct mote_config *f, const struct mote_train_layer *l,
				   const struct reference_change *c, uint32_t length, struct reference_state *s)
{
	double n[REFERENCE_MAX], a[REFERENCE_MAX], b[REFERENCE_MAX];

	for (uint32_t t = 0; t < length; t++) {
		reference_norm(l->attention_norm, c, s->x[t], f->norm_eps, n);
		reference_product(l->q, l->q_bias, c, n, s->q[t]);
		reference_product(l->k, l->k_bias, c, n, s->k[t]);
		reference_product(l->v, l->v_bias, c, n, s->v[t]);
		reference_turn(f, l->q_norm, c, f->heads, t, s->q[t]);
		reference_turn(f, l->k_norm, c, f->kv_heads, t, s->k[t]);
	}
	for (uint32_t t = 0; t < length; t++) {
		reference_attend(f, s, t, a);
		reference_product(l->o, NULL, c, a, b);
		for (uint32_t i = 0; i < f->hidden; i++)
			s->x[t][i] += b[i];
		reference_norm(l->ffn_norm, c, s->x[t], f->norm_eps, n);
		reference_product(l->gate, NULL, c, n, a);
		reference_product(l->up, NULL, c, n, b);
		for (uint32_t i = 0; i < f->ffn; i++)
			a[i] = a[i] / (1 + exp(-a[i])) * b[i];
		reference_product(l->down, NULL, c, a, b);
		for (uint32_t i = 0; i < f->hidden; i++)
			s->x[t][i] += b[i];
	}
}

/* Log-probabilities of every position, [length][vocab]. */
static inline void reference_forward(const struct mote_parameters *w, const struct reference_change *c,
				     const int32_t *ids, uint32_t length, double *out)
{
	struct reference_state *s = calloc(1, sizeof *s);
	const struct mote_config *f = w->config;
	double n[REFERENCE_MAX];

	for (uint32_t t = 0; t < length; t++)
		for (uint32_t i = 0; i < f->hidden; i++)
			s->x[t][i] = reference_weight(w->embedding, c, (size_t)ids[t] * f->hidden + i);
	for (uint32_t i = 0; i < f->layers; i++)
		reference_layer(f, &w->layer[i], c, length, s);
	for (uint32_t t = 0; t < length; t++, out += f->vocab) {
		double sum = 0;

		reference_norm(w->final_norm, c, s->x[t], f->norm_eps, n);
		reference_product(w->head, NULL, c, n, out);
		for (uint32_t i = 0; i < f->vocab; i++)
			sum += exp(out[i]);
		for (uint32_t i = 0; i < f->vocab; i++)
			out[i] -= log(sum);
	}
	free(s);
}

#endif
