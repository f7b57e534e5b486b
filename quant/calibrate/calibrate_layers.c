/* Second-order calibration, layer after layer: see calibrate_layers.h.
 *
 * Two streams (layer_stream.h) go through the model side by side: the source's own, and that of what has been encoded
 * so far. The source's runs each layer once. The other's runs it for every input on whose statistics a matrix is to be
 * encoded, as far as that input: from the layer's beginning while its attention changes, then from behind it. What
 * nothing waits for is not run at all.
 */
#include "quant/calibrate/calibrate_layers.h"

#include <stdlib.h>
#include <string.h>

#include "quant/calibrate/layer_stream.h"
#include "quant/encode/second_moments.h"

struct calibration {
	struct mote_quantizer *q;
	struct mote_layer_walk walk;
	struct mote_layer_stream exact, encoded;
	uint32_t end_layer;            /* no later one has a matrix that needs statistics */
	struct mote_second_moments moments;
	float *input;                  /* [context][widest stride] what the encoded stream keeps */
	float *difference;             /* likewise */
	double *h, *cross, *lost;      /* sums */
	float *lost_rows;              /* [hidden rounded up][widest n] */
};

/* ---- sums ---- */

/* What the encoded stream lacks against the exact one at the place where this input's matrix adds its output. */
static void subtract(float *to, const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = a[i] - b[i];
}

/* Its output is added to the residual stream with no norm between, which no weight could make up for. */
static bool adds_plainly(const struct calibration *c, const struct mote_weight *w)
{
	return (w->flags & MOTE_WEIGHT_ADDS) && !(c->walk.source->config.features & MOTE_POST_NORM);
}

/* The sums over one chunk, whose rows begin with token `at`. */
static void add_chunk(struct calibration *c, enum mote_input i, size_t at, bool adds)
{
	const struct mote_layer_walk *w = &c->walk;
	const struct mote_layer_stream *e = &c->encoded, *x = &c->exact;
	struct mote_moment_sum s = { .a = c->input, .a_stride = w->stride[i], .a_cols = w->width[i], .b = c->input,
				     .b_stride = w->stride[i], .b_cols = w->width[i], .rows = w->context, .lower = true,
				     .sum = c->h };

	mote_second_moments_add(&c->moments, &s);
	subtract(c->difference, x->input[i] + at * w->stride[i], c->input, w->context * w->stride[i]);
	s.a = c->difference;
	s.lower = false;
	s.sum = c->cross;
	mote_second_moments_add(&c->moments, &s);
	if (!adds)
		return;
	at *= w->hidden_stride;
	if (i == MOTE_IN_OUT)
		subtract(c->difference, x->before + at, e->before + at, w->context * w->hidden_stride);
	else
		subtract(c->difference, x->middle + at, e->middle + at, w->context * w->hidden_stride);
	s.a_stride = w->hidden_stride;
	s.a_cols = w->source->config.hidden;
	s.sum = c->lost;
	mote_second_moments_add(&c->moments, &s);
}

/* What is lost, as the rows of a matrix that adds to it. */
static void set_lost_rows(struct calibration *c, uint32_t width)
{
	const struct mote_config *config = &c->walk.source->config;
	double scale = config->residual_scale > 0 ? config->residual_scale : 1;
	size_t n = mote_layer_round_up(width, MOTE_BLOCK_COLS);

	memset(c->lost_rows, 0, mote_layer_round_up(config->hidden, MOTE_PANEL_ROWS) * n * sizeof *c->lost_rows);
	for (uint32_t r = 0; r < config->hidden; r++)
		for (uint32_t j = 0; j < width; j++)
			c->lost_rows[r * n + j] = (float)(c->lost[(size_t)r * width + j] /
							  ((double)c->walk.tokens * scale));
}

static enum mote_status add_moments(struct calibration *c, enum mote_input i, struct mote_error *error)
{
	const struct mote_weight *first = mote_weight_of_input(i, NULL);
	const size_t width = c->walk.width[i];
	bool adds = first && adds_plainly(c, first);
	enum mote_status status = MOTE_OK;

	memset(c->h, 0, width * width * sizeof *c->h);
	memset(c->cross, 0, width * width * sizeof *c->cross);
	memset(c->lost, 0, c->walk.source->config.hidden * width * sizeof *c->lost);
	for (uint32_t chunk = 0; chunk < c->walk.text->chunks && status == MOTE_OK; chunk++) {
		status = mote_layer_stream_run_chunk(&c->walk, &c->encoded, i, chunk, error);
		if (status == MOTE_OK)
			add_chunk(c, i, (size_t)chunk * c->walk.context, adds);
	}
	c->encoded.half_done |= i >= MOTE_IN_FFN;
	if (status == MOTE_OK && adds)
		set_lost_rows(c, c->walk.width[i]);
	return status;
}

/* ---- encoding ---- */

/* Encodes the tensor of this name as a matrix with that second order, and makes *matrix what it has become. */
static enum mote_status encode_tensor(struct calibration *c, const char *name, const struct mote_second_order *s,
				      const float *lost, struct mote_matrix *matrix, struct mote_error *error)
{
	uint32_t index = mote_quantizer_find(c->q, name);
	const struct mote_target *to = &c->q->target[index];
	const struct mote_tensor *t = to->tensor;
	struct mote_encode_job job = { .name = name, .source = &t->matrix, .type = to->type,
				       .encoder = s ? MOTE_ENCODER_GPTQ : to->encoder, .second_order = s, .lost = lost,
				       .importance = mote_quantizer_importance(c->q, index),
				       .linear = c->q->recipe->linear };
	struct mote_encoded *e = &c->q->encoded[index];
	enum mote_status status;
	uint64_t bytes;

	*matrix = t->matrix;
	if (to->kept)
		return MOTE_OK;
	e->data = mote_quantizer_alloc(c->q, index);
	if (!e->data)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory", name);
	status = mote_encode_matrix(c->q->pool, &job, e->data, e->codebook, NULL, 0, 0, error);
	if (status == MOTE_OK)
		status = mote_matrix_init(matrix, job.type, t->rows, t->cols, e->data,
					  mote_type_has_codebook(job.type) ? e->codebook : NULL, &bytes, error);
	return status;
}

/* Whether the encoding of this weight asks for statistics. */
static bool needs_statistics(const struct calibration *c, const struct mote_weight *w, uint32_t layer)
{
	char name[MOTE_WEIGHT_NAME_BYTES];
	const struct mote_target *to;
	uint32_t index;

	mote_weight_name(w, layer, name);
	index = mote_quantizer_find(c->q, name);
	to = &c->q->target[index];
	return index < c->q->tensors && !to->kept && mote_type_is_quantized(to->type);
}

static bool input_needs_statistics(const struct calibration *c, uint32_t layer, enum mote_input i)
{
	for (const struct mote_weight *w = NULL; (w = mote_weight_of_input(i, w));)
		if (needs_statistics(c, w, layer))
			return true;
	return i == MOTE_IN_HEAD && layer + 1 == c->walk.source->config.layers &&
	       !c->walk.source->config.tied_embeddings && needs_statistics(c, mote_weight_head, layer);
}

/* One beyond the last layer whose statistics are needed. */
static uint32_t find_end_layer(const struct calibration *c)
{
	for (uint32_t layer = c->walk.source->config.layers; layer-- > 0;)
		for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS; i++)
			if (input_needs_statistics(c, layer, i))
				return layer + 1;
	return 0;
}

static enum mote_status encode_group(struct calibration *c, uint32_t layer, enum mote_input i, struct mote_error *error)
{
	const bool needed = input_needs_statistics(c, layer, i);
	struct mote_second_order s = {0};
	struct mote_matrix head;
	enum mote_status status = needed ? add_moments(c, i, error) : MOTE_OK;

	if (status == MOTE_OK && needed)
		status = mote_second_order_init(&s, c->walk.width[i], c->h, c->cross, c->walk.tokens,
						MOTE_GPTQ_DAMPING, MOTE_GPTQ_TARGET_DAMPING, error);
	for (const struct mote_weight *w = NULL; status == MOTE_OK && (w = mote_weight_of_input(i, w));) {
		char name[MOTE_WEIGHT_NAME_BYTES];

		mote_weight_name(w, layer, name);
		status = encode_tensor(c, name, needed ? &s : NULL, adds_plainly(c, w) ? c->lost_rows : NULL,
				       (struct mote_matrix *)(void *)((char *)&c->encoded.layer[layer] + w->offset),
				       error);
	}
	if (status == MOTE_OK && i == MOTE_IN_HEAD && needed)
		status = encode_tensor(c, mote_weight_head->name, &s, NULL, &head, error);
	mote_second_order_free(&s);
	return status;
}

static enum mote_status encode_layer(struct calibration *c, uint32_t layer, struct mote_error *error)
{
	enum mote_status status;

	c->walk.layer = layer;
	status = mote_layer_stream_run(&c->walk, &c->exact, error);
	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS && status == MOTE_OK; i++) {
		c->encoded.input[i] = c->input;
		status = encode_group(c, layer, i, error);
		c->encoded.input[i] = NULL;
	}
	if (status == MOTE_OK && layer + 1 < c->end_layer)
		status = mote_layer_stream_run(&c->walk, &c->encoded, error);
	mote_layer_stream_advance(&c->exact);
	mote_layer_stream_advance(&c->encoded);
	return status;
}

static enum mote_status take_memory(struct calibration *c, struct mote_error *error)
{
	const struct mote_layer_walk *w = &c->walk;
	size_t widest = w->hidden_stride, hidden = w->source->config.hidden, square;

	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS; i++) {
		widest = w->stride[i] > widest ? w->stride[i] : widest;
		c->exact.input[i] = calloc(w->tokens * w->stride[i], sizeof(float));
		if (!c->exact.input[i])
			goto fail;
	}
	c->exact.whole = true;
	c->input = calloc(w->context * widest, sizeof *c->input);
	c->difference = calloc(w->context * widest, sizeof *c->difference);
	widest = mote_layer_round_up(widest, MOTE_BLOCK_COLS);
	square = widest * widest;
	c->h = malloc(square * sizeof *c->h);
	c->cross = malloc(square * sizeof *c->cross);
	c->lost = malloc(hidden * widest * sizeof *c->lost);
	c->lost_rows = malloc(mote_layer_round_up(hidden, MOTE_PANEL_ROWS) * widest * sizeof *c->lost_rows);
	if (c->input && c->difference && c->h && c->cross && c->lost && c->lost_rows)
		return mote_second_moments_open(&c->moments, c->q->pool, error);
fail:
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu calibration tokens", w->tokens);
}

static void free_memory(struct calibration *c)
{
	mote_second_moments_close(&c->moments);
	free(c->input);
	free(c->difference);
	free(c->h);
	free(c->cross);
	free(c->lost);
	free(c->lost_rows);
	mote_layer_walk_close(&c->walk);
}

enum mote_status mote_calibrate_layers(struct mote_quantizer *q, const struct mote_model *source,
				       const struct mote_plan *text, uint32_t threads,
				       const struct mote_progress *progress, struct mote_error *error)
{
	struct calibration c = {.q = q, .walk = {.progress = progress}};
	struct mote_matrix embedding;
	enum mote_status status;

	if ((status = mote_layer_walk_open(&c.walk, source, text, error)) || (status = take_memory(&c, error)) ||
	    (status = encode_tensor(&c, mote_weight_embedding->name, NULL, NULL, &embedding, error)) ||
	    (status = mote_layer_stream_open(&c.walk, &c.exact, &source->embedding, threads, error)))
		goto end;
	status = mote_layer_stream_open(&c.walk, &c.encoded, &embedding, threads, error);
	c.end_layer = find_end_layer(&c);
	c.walk.total = (uint64_t)c.end_layer * 6 * text->chunks;
	for (uint32_t layer = 0; layer < c.end_layer && status == MOTE_OK; layer++)
		status = encode_layer(&c, layer, error);
end:
	mote_layer_stream_close(&c.exact);
	mote_layer_stream_close(&c.encoded);
	free_memory(&c);
	return status;
}
