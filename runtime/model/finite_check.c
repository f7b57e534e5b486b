/* See finite_check.h. Inputs of products and the residual stream are seen by the hook; so what is not finite at a
 * product's input came from what was computed since the place before. A norm makes NaN of finite values whose squares
 * add up to infinity; in the residual stream they are seen before it does, so that it is not blamed. */
#include "runtime/model/finite_check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/model/architecture.h"
#include "runtime/model/workspace.h"

static void look(struct mote_session *s, enum mote_pass_part part, uint32_t layer, const float *x, uint32_t cols,
		 size_t stride, uint32_t n)
{
	bool head = part == MOTE_PART_FINAL_NORM || part == MOTE_PART_HEAD;

	for (uint32_t r = 0; r < n && !s->check.found; r++)
		for (uint32_t i = 0; i < cols && !s->check.found; i++)
			if (!isfinite(x[r * stride + i]))
				s->check = (struct mote_finite_check){
					.found = true, .part = part, .layer = layer, .value = x[r * stride + i],
					.position = s->batch->position[head ? s->wanted[r] : r]};
}

/* Rows of the residual stream whose norm will be NaN. */
static void look_at_squares(struct mote_session *s, enum mote_pass_part part, uint32_t layer, const float *x,
			    size_t stride, uint32_t n)
{
	for (uint32_t r = 0; r < n && !s->check.found; r++) {
		const float *row = x + r * stride;
		double sum = 0;
		uint32_t most = 0;

		for (uint32_t i = 0; i < s->model->config.hidden; i++) {
			sum += (double)row[i] * (double)row[i];
			most = fabsf(row[i]) > fabsf(row[most]) ? i : most;
		}
		if (sum > FLT_MAX)
			s->check = (struct mote_finite_check){.found = true, .part = part, .layer = layer,
							      .value = row[most], .position = s->batch->position[r]};
	}
}

/* What reads the residual stream once half a layer is done; NULL: no norm. */
static const float *next_norm(const struct mote_session *s, uint32_t half)
{
	const struct mote_model *m = s->model;
	uint32_t layer = half / 2;

	if (half % 2 == 0)
		return m->layer[layer].ffn_norm;
	return layer + 1 < m->config.layers ? m->layer[layer + 1].attention_norm : m->final_norm;
}

/* A product's input is the output of the part before it. */
static void see_input(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	struct mote_session *s = user;

	if (weight == &s->model->head) {
		look(s, MOTE_PART_FINAL_NORM, MOTE_NO_LAYER, x, weight->cols, stride, n);
		return;
	}
	for (uint32_t i = s->first_layer; i < s->end_layer; i++) {
		const struct mote_layer *layer = &s->model->layer[i];

		if (weight == &layer->q)
			look(s, MOTE_PART_ATTENTION_NORM, i, x, weight->cols, stride, n);
		else if (weight == &layer->o)
			look(s, MOTE_PART_QKV, i, x, weight->cols, stride, n);
		else if (weight == &layer->gate)
			look(s, MOTE_PART_FFN_NORM, i, x, weight->cols, stride, n);
		else if (weight == &layer->down)
			look(s, MOTE_PART_FFN, i, x, weight->cols, stride, n);
	}
}

static void see_residual(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	struct mote_session *s = user;
	enum mote_pass_part part = half % 2 ? MOTE_PART_DOWN : MOTE_PART_OUT;

	look(s, part, half / 2, x, s->model->config.hidden, stride, n);
	if (next_norm(s, half))
		look_at_squares(s, part, half / 2, x, stride, n);
}

void mote_finite_check_open(struct mote_session *s)
{
	const struct mote_activation_hook hook = {.input = see_input, .residual = see_residual, .user = s};

	mote_session_set_activation_hook(s, &hook);
}

/* The part in which a weight takes part. Vectors other than norms of inputs belong to the matrix before them in the
 * table. */
static enum mote_pass_part part_of(const struct mote_weight *w, enum mote_pass_part before)
{
	static const enum mote_pass_part of_input[MOTE_INPUTS] = {
		[MOTE_IN_QKV] = MOTE_PART_QKV, [MOTE_IN_OUT] = MOTE_PART_OUT, [MOTE_IN_FFN] = MOTE_PART_FFN,
		[MOTE_IN_DOWN] = MOTE_PART_DOWN, [MOTE_IN_HEAD] = MOTE_PART_HEAD};

	if (w->input != MOTE_IN_NONE)
		return of_input[w->input];
	if (!(w->flags & MOTE_WEIGHT_LAYER))
		return w == mote_weight_embedding ? MOTE_PART_ATTENTION_NORM : MOTE_PART_FINAL_NORM;
	if (w->offset == offsetof(struct mote_layer, attention_norm) ||
	    w->offset == offsetof(struct mote_layer, attention_norm_bias))
		return MOTE_PART_ATTENTION_NORM;
	if (w->offset == offsetof(struct mote_layer, ffn_norm) ||
	    w->offset == offsetof(struct mote_layer, ffn_norm_bias))
		return MOTE_PART_FFN_NORM;
	return before;
}

static bool may_be_at_fault(const struct mote_session *s, const struct mote_weight_walk *w, enum mote_pass_part part)
{
	const struct mote_finite_check *c = &s->check;

	if (w->weight == mote_weight_embedding)
		return (c->part == MOTE_PART_ATTENTION_NORM && c->layer == 0) ||
		       (c->part == MOTE_PART_HEAD && s->model->config.tied_embeddings);
	return part == c->part && w->layer == c->layer;
}

static float larger(float most, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		most = !isfinite(x[i]) ? INFINITY : fabsf(x[i]) > most ? fabsf(x[i]) : most;
	return most;
}

/* The largest magnitude of a weight's values; infinity where one is not finite. row: room for a matrix's. */
static float largest(const struct mote_session *s, const struct mote_weight_walk *w, float *row)
{
	const char *base = w->layer == MOTE_NO_LAYER ? (const char *)s->model
						     : (const char *)&s->model->layer[w->layer];
	const struct mote_matrix *m = (const void *)(base + w->weight->offset);
	float most = 0;

	if (w->weight->cols == MOTE_DIM_ONE)
		return larger(0, *(const float *const *)(const void *)(base + w->weight->offset),
			      mote_dim_of(&s->model->config, w->weight->rows));
	for (uint32_t r = 0; r < m->rows && isfinite(most); r++) {
		mote_matrix_decode_row(m, r, row);
		most = larger(most, row, m->cols);
	}
	return most;
}

static enum mote_status describe(const struct mote_session *s, struct mote_error *error)
{
	const struct mote_finite_check *c = &s->check;
	const struct mote_config *config = &s->model->config;
	uint32_t width = 0;
	struct mote_weight_walk walk = {.config = config}, worst = walk;
	enum mote_pass_part part = MOTE_PART_ATTENTION_NORM;
	float most = -1, *row, each;
	char layer[32] = "";

	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS; i++)
		width = mote_input_width(config, i) > width ? mote_input_width(config, i) : width;
	row = malloc(width * sizeof *row);
	if (!row)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a row of weights");
	while (mote_weight_next(&walk)) {
		part = part_of(walk.weight, part);
		if (!may_be_at_fault(s, &walk, part) || (each = largest(s, &walk, row)) <= most)
			continue;
		most = each;
		worst = walk;
	}
	free(row);
	if (c->layer != MOTE_NO_LAYER)
		snprintf(layer, sizeof layer, "layer %u, ", c->layer);
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s%s: at position %u something becomes %g%s (weights here "
			      "reach %g)", layer, worst.name, c->position, (double)c->value,
			      isfinite(c->value) ? ", too much for a norm" : "", (double)most);
}

enum mote_status mote_finite_check_pass(struct mote_session *s, struct mote_error *error)
{
	enum mote_status status;

	if (s->end_layer == s->model->config.layers)
		look(s, MOTE_PART_HEAD, MOTE_NO_LAYER, s->logits, s->model->config.vocab, s->model->config.vocab,
		     s->n_wanted);
	status = s->check.found ? describe(s, error) : MOTE_OK;
	s->check.found = false;
	return status;
}
