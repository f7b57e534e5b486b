/* Second-order calibration, layer after layer: see calibrate_layers.h.
 *
 * Two streams go through the model side by side: the source's own, and that of what has been encoded so far. A stream
 * holds the residual stream of every token before one layer, and runs that layer alone from there. So each layer is
 * computed a few times over, not the whole model for every matrix, and by the very forward pass that users will run.
 */
#include "quant/calibrate/calibrate_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/encode/second_moments.h"
#include "runtime/kernels/kernels.h"
#include "runtime/model/architecture.h"
#include "runtime/model/session.h"

/* One way through the model. Arrays of activations are [tokens][stride of their width]. */
struct stream {
	struct mote_model model;       /* the source's */
	struct mote_layer *layer;      /* [layers] but for what has been encoded */
	struct mote_session *session;
	float *before, *middle, *after;/* the residual stream before the layer, after its attention, after it */
	float *input[MOTE_INPUTS];     /* what a run is to keep; NULL: not wanted */
	bool whole;                    /* input[] has room for all tokens, else for one chunk */
	size_t at;                     /* first token of the chunk under way */
};

struct calibration {
	struct mote_quantizer *q;
	const struct mote_model *source;
	const struct mote_plan *text;
	const struct mote_progress *progress;
	uint64_t done, total;
	size_t tokens;
	uint32_t context, width[MOTE_INPUTS];
	uint32_t layer;                /* under way */
	size_t stride[MOTE_INPUTS], hidden_stride;
	struct stream exact, encoded;
	float *difference;             /* [context][widest stride] */
	double *h, *cross, *lost;      /* sums */
	float *lost_rows;              /* [hidden rounded up][widest n] */
	float *final;                  /* [context][hidden] the head's inputs */
	uint32_t *position;            /* [context] 0, 1, 2 ... */
	uint8_t *no_logits;            /* [context] 0 */
};

static size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

/* ---- streams ---- */

static void copy_rows(float *to, size_t to_stride, const float *from, size_t from_stride, uint32_t cols, uint32_t n)
{
	for (uint32_t r = 0; r < n; r++)
		memcpy(to + r * to_stride, from + r * from_stride, cols * sizeof *to);
}

/* The input that is seen where this matrix multiplies it: once for the matrices that share it. */
static enum mote_input input_of(const struct mote_layer *layer, const struct mote_matrix *weight)
{
	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_IN_HEAD; i++)
		if ((const char *)weight == (const char *)layer + mote_weight_of_input(i, NULL)->offset)
			return i;
	return MOTE_INPUTS;
}

struct hook_user {
	const struct calibration *c;
	struct stream *s;
};

static void keep_rows(const struct hook_user *u, enum mote_input i, const float *x, size_t stride, uint32_t n)
{
	if (i != MOTE_INPUTS && u->s->input[i])
		copy_rows(u->s->input[i] + (u->s->whole ? u->s->at * u->c->stride[i] : 0), u->c->stride[i], x, stride,
			  u->c->width[i], n);
}

static void keep_input(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	const struct hook_user *u = user;

	keep_rows(u, input_of(&u->s->layer[u->c->layer], weight), x, stride, n);
}

static void keep_residual(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	const struct hook_user *u = user;
	float *to = half % 2 == 0 ? u->s->middle : u->s->after;

	copy_rows(to + u->s->at * u->c->hidden_stride, u->c->hidden_stride, x, stride, u->c->source->config.hidden, n);
}

/* Runs the layer over one chunk, and keeps what is wanted. */
static enum mote_status run_chunk(struct calibration *c, struct stream *s, uint32_t chunk, struct mote_error *error)
{
	const bool head = s->input[MOTE_IN_HEAD] && c->layer + 1 == c->source->config.layers;
	struct mote_batch batch = { .rows = c->context, .x = s->before + (size_t)chunk * c->context * c->hidden_stride,
				    .x_stride = c->hidden_stride, .position = c->position, .first_layer = c->layer,
				    .layers = 1, .want_logits = c->no_logits, .hidden = head ? c->final : NULL };
	struct hook_user user = {c, s};
	struct mote_activation_hook hook = {.input = keep_input, .residual = keep_residual, .user = &user};
	enum mote_status status;

	s->at = (size_t)chunk * c->context;
	mote_session_set_activation_hook(s->session, &hook);
	status = mote_session_forward(s->session, &batch, NULL, error);
	if (status == MOTE_OK && head)
		keep_rows(&user, MOTE_IN_HEAD, c->final, c->source->config.hidden, c->context);
	if (status == MOTE_OK && c->progress && !c->progress->update(c->progress->user, c->done, c->total))
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	c->done += c->done < c->total;
	return status;
}

static enum mote_status run_all(struct calibration *c, struct stream *s, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t chunk = 0; chunk < c->text->chunks && status == MOTE_OK; chunk++)
		status = run_chunk(c, s, chunk, error);
	return status;
}

/* The layer is done: what came out of it goes into the next. */
static void advance(struct stream *s)
{
	float *before = s->before;

	s->before = s->after;
	s->after = before;
}

/* The residual stream before the first layer. */
static void begin_row(const struct mote_model *source, const struct mote_matrix *embedding, int32_t token, float *x)
{
	mote_matrix_decode_row(embedding, (uint32_t)token, x);
	if (source->config.embedding_scale > 0)
		mote_vector_scale(x, source->config.hidden, (float)source->config.embedding_scale);
}

static enum mote_status open_stream(struct calibration *c, struct stream *s, const struct mote_matrix *embedding,
				    uint32_t threads, struct mote_error *error)
{
	struct mote_session_options options = { .context_tokens = c->context, .batch_rows = c->context,
						.threads = threads, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32 };
	size_t residual = c->tokens * c->hidden_stride * sizeof(float);
	size_t layers = c->source->config.layers * sizeof *s->layer;

	s->model = *c->source;
	s->layer = s->model.layer = malloc(layers);
	s->before = aligned_alloc(64, residual);
	s->middle = aligned_alloc(64, residual);
	s->after = aligned_alloc(64, residual);
	if (!s->layer || !s->before || !s->middle || !s->after)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu calibration tokens", c->tokens);
	memcpy(s->layer, c->source->layer, layers);
	for (size_t t = 0; t < c->tokens; t++)
		begin_row(c->source, embedding, c->text->ids[t], s->before + t * c->hidden_stride);
	return mote_session_open(&s->model, &options, &s->session, error);
}

static void close_stream(struct stream *s)
{
	mote_session_close(s->session);
	free(s->layer);
	free(s->before);
	free(s->middle);
	free(s->after);
	for (int i = 0; i < MOTE_INPUTS; i++)
		free(s->input[i]);
}

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
	return (w->flags & MOTE_WEIGHT_ADDS) && !(c->source->config.features & MOTE_POST_NORM);
}

static enum mote_status add_moments(struct calibration *c, enum mote_input i, struct mote_error *error)
{
	struct stream *e = &c->encoded;
	uint32_t width = c->width[i], hidden = c->source->config.hidden;
	const struct mote_weight *first = mote_weight_of_input(i, NULL);
	bool adds = first && adds_plainly(c, first);
	enum mote_status status = MOTE_OK;

	memset(c->h, 0, (size_t)width * width * sizeof *c->h);
	memset(c->cross, 0, (size_t)width * width * sizeof *c->cross);
	memset(c->lost, 0, (size_t)hidden * width * sizeof *c->lost);
	for (uint32_t chunk = 0; chunk < c->text->chunks && status == MOTE_OK; chunk++) {
		size_t at = (size_t)chunk * c->context;

		status = run_chunk(c, e, chunk, error);
		if (status != MOTE_OK)
			break;
		mote_second_moments_add(c->q->pool, e->input[i], c->stride[i], width, e->input[i], c->stride[i], width,
					c->context, true, c->h);
		subtract(c->difference, c->exact.input[i] + at * c->stride[i], e->input[i], c->context * c->stride[i]);
		mote_second_moments_add(c->q->pool, c->difference, c->stride[i], width, e->input[i], c->stride[i],
					width, c->context, false, c->cross);
		if (!adds)
			continue;
		if (i == MOTE_IN_OUT)
			subtract(c->difference, c->exact.before + at * c->hidden_stride,
				 e->before + at * c->hidden_stride, c->context * c->hidden_stride);
		else
			subtract(c->difference, c->exact.middle + at * c->hidden_stride,
				 e->middle + at * c->hidden_stride, c->context * c->hidden_stride);
		mote_second_moments_add(c->q->pool, c->difference, c->hidden_stride, hidden, e->input[i], c->stride[i],
					width, c->context, false, c->lost);
	}
	if (status == MOTE_OK && adds) {
		double scale = c->source->config.residual_scale > 0 ? c->source->config.residual_scale : 1;
		size_t n = round_up(width, MOTE_BLOCK_COLS);

		memset(c->lost_rows, 0, round_up(hidden, MOTE_PANEL_ROWS) * n * sizeof *c->lost_rows);
		for (uint32_t r = 0; r < hidden; r++)
			for (uint32_t j = 0; j < width; j++)
				c->lost_rows[r * n + j] = (float)(c->lost[(size_t)r * width + j] /
								  ((double)c->tokens * scale));
	}
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

static enum mote_status encode_group(struct calibration *c, uint32_t layer, enum mote_input i, struct mote_error *error)
{
	struct mote_second_order s = {0};
	enum mote_status status = add_moments(c, i, error);

	if (status == MOTE_OK)
		status = mote_second_order_init(&s, c->width[i], c->h, c->cross, c->tokens, MOTE_GPTQ_DAMPING,
						MOTE_GPTQ_TARGET_DAMPING, error);
	for (const struct mote_weight *w = NULL; status == MOTE_OK && (w = mote_weight_of_input(i, w));) {
		char name[MOTE_WEIGHT_NAME_BYTES];

		mote_weight_name(w, layer, name);
		status = encode_tensor(c, name, &s, adds_plainly(c, w) ? c->lost_rows : NULL,
				       (struct mote_matrix *)(void *)((char *)&c->encoded.layer[layer] + w->offset),
				       error);
	}
	mote_second_order_free(&s);
	return status;
}

/* Only one input at a time is kept of the encoded stream. */
static void keep_only(struct calibration *c, enum mote_input i, float *buffer)
{
	for (int k = 0; k < MOTE_INPUTS; k++)
		c->encoded.input[k] = NULL;
	if (i != MOTE_INPUTS)
		c->encoded.input[i] = buffer;
}

static enum mote_status encode_layer(struct calibration *c, uint32_t layer, float *buffer, struct mote_error *error)
{
	bool last = layer + 1 == c->source->config.layers;
	enum mote_status status;

	c->layer = layer;
	status = run_all(c, &c->exact, error);
	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_IN_HEAD && status == MOTE_OK; i++) {
		keep_only(c, i, buffer);
		status = encode_group(c, layer, i, error);
	}
	if (status == MOTE_OK && last && !c->source->config.tied_embeddings) {
		struct mote_second_order s = {0};
		struct mote_matrix head;

		keep_only(c, MOTE_IN_HEAD, buffer);
		status = add_moments(c, MOTE_IN_HEAD, error);
		if (status == MOTE_OK)
			status = mote_second_order_init(&s, c->width[MOTE_IN_HEAD], c->h, c->cross, c->tokens,
							MOTE_GPTQ_DAMPING, MOTE_GPTQ_TARGET_DAMPING, error);
		if (status == MOTE_OK)
			status = encode_tensor(c, mote_weight_head->name, &s, NULL, &head, error);
		mote_second_order_free(&s);
	} else if (status == MOTE_OK && !last) {
		keep_only(c, MOTE_INPUTS, NULL);
		status = run_all(c, &c->encoded, error);
	}
	advance(&c->exact);
	advance(&c->encoded);
	return status;
}

static enum mote_status take_memory(struct calibration *c, float **buffer, struct mote_error *error)
{
	const struct mote_config *config = &c->source->config;
	size_t widest = 0, stride = 0;

	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS; i++) {
		c->width[i] = mote_input_width(config, i);
		c->stride[i] = round_up(c->width[i], 16);
		stride = c->stride[i] > stride ? c->stride[i] : stride;
		c->exact.input[i] = calloc(c->tokens * c->stride[i], sizeof(float));
		if (!c->exact.input[i])
			goto fail;
	}
	widest = round_up(stride, MOTE_BLOCK_COLS);
	c->hidden_stride = round_up(config->hidden, 16);
	stride = stride > c->hidden_stride ? stride : c->hidden_stride;
	c->exact.whole = true;
	*buffer = calloc(c->context * stride, sizeof(float));
	c->difference = calloc(c->context * stride, sizeof(float));
	c->h = malloc(widest * widest * sizeof *c->h);
	c->cross = malloc(widest * widest * sizeof *c->cross);
	c->lost = malloc(config->hidden * widest * sizeof *c->lost);
	c->lost_rows = malloc(round_up(config->hidden, MOTE_PANEL_ROWS) * widest * sizeof *c->lost_rows);
	c->final = malloc((size_t)c->context * config->hidden * sizeof *c->final);
	c->position = malloc(c->context * sizeof *c->position);
	c->no_logits = calloc(c->context, 1);
	if (!*buffer || !c->difference || !c->h || !c->cross || !c->lost || !c->lost_rows || !c->final ||
	    !c->position || !c->no_logits)
		goto fail;
	for (uint32_t r = 0; r < c->context; r++)
		c->position[r] = r;
	return MOTE_OK;
fail:
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu calibration tokens", c->tokens);
}

enum mote_status mote_calibrate_layers(struct mote_quantizer *q, const struct mote_model *source,
				       const struct mote_plan *text, uint32_t threads,
				       const struct mote_progress *progress, struct mote_error *error)
{
	struct calibration c = { .q = q, .source = source, .text = text, .progress = progress,
				 .total = (uint64_t)source->config.layers * 6 * text->chunks,
				 .tokens = (size_t)text->chunks * text->context, .context = text->context };
	struct mote_matrix embedding;
	float *buffer = NULL;
	enum mote_status status = take_memory(&c, &buffer, error);

	if (status == MOTE_OK)
		status = encode_tensor(&c, mote_weight_embedding->name, NULL, NULL, &embedding, error);
	if (status == MOTE_OK)
		status = open_stream(&c, &c.exact, &source->embedding, threads, error);
	if (status == MOTE_OK)
		status = open_stream(&c, &c.encoded, &embedding, threads, error);
	for (uint32_t layer = 0; layer < source->config.layers && status == MOTE_OK; layer++)
		status = encode_layer(&c, layer, buffer, error);
	keep_only(&c, MOTE_INPUTS, NULL);
	close_stream(&c.exact);
	close_stream(&c.encoded);
	free(buffer);
	free(c.difference);
	free(c.h);
	free(c.cross);
	free(c.lost);
	free(c.lost_rows);
	free(c.final);
	free(c.position);
	free(c.no_logits);
	return status;
}
