/* Ways through a model: see layer_stream.h. */
#include "quant/calibrate/layer_stream.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/model/session.h"

enum mote_status mote_layer_walk_open(struct mote_layer_walk *w, const struct mote_model *source,
				      const struct mote_plan *text, struct mote_error *error)
{
	w->source = source;
	w->text = text;
	w->context = text->context;
	w->tokens = (size_t)text->chunks * text->context;
	w->hidden_stride = mote_layer_round_up(source->config.hidden, 16);
	for (enum mote_input i = MOTE_IN_QKV; i < MOTE_INPUTS; i++) {
		w->width[i] = mote_input_width(&source->config, i);
		w->stride[i] = mote_layer_round_up(w->width[i], 16);
	}
	w->final = malloc((size_t)w->context * source->config.hidden * sizeof *w->final);
	w->position = malloc(w->context * sizeof *w->position);
	w->no_logits = calloc(w->context, 1);
	if (!w->final || !w->position || !w->no_logits)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu calibration tokens", w->tokens);
	for (uint32_t r = 0; r < w->context; r++)
		w->position[r] = r;
	return MOTE_OK;
}

void mote_layer_walk_close(struct mote_layer_walk *w)
{
	free(w->final);
	free(w->position);
	free(w->no_logits);
}

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
	const struct mote_layer_walk *w;
	struct mote_layer_stream *s;
};

static void keep_rows(const struct hook_user *u, enum mote_input i, const float *x, size_t stride, uint32_t n)
{
	if (i != MOTE_INPUTS && u->s->input[i])
		copy_rows(u->s->input[i] + (u->s->whole ? u->s->at * u->w->stride[i] : 0), u->w->stride[i], x, stride,
			  u->w->width[i], n);
}

static void keep_input(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	const struct hook_user *u = user;

	keep_rows(u, input_of(&u->s->layer[u->w->layer], weight), x, stride, n);
}

static void keep_residual(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	const struct hook_user *u = user;
	float *to = half % 2 == 0 ? u->s->middle : u->s->after;

	copy_rows(to + u->s->at * u->w->hidden_stride, u->w->hidden_stride, x, stride, u->w->source->config.hidden, n);
}

enum mote_status mote_layer_stream_run_chunk(struct mote_layer_walk *w, struct mote_layer_stream *s, enum mote_input to,
					     uint32_t chunk, struct mote_error *error)
{
	const bool head = s->input[MOTE_IN_HEAD] && w->layer + 1 == w->source->config.layers;
	const float *from = s->half_done ? s->middle : s->before;
	struct mote_batch batch = { .rows = w->context, .x = from + (size_t)chunk * w->context * w->hidden_stride,
				    .x_stride = w->hidden_stride, .position = w->position, .first_layer = w->layer,
				    .layers = 1, .after_attention = s->half_done,
				    .until = to < MOTE_IN_HEAD ? to + 1u : 0, .want_logits = w->no_logits,
				    .hidden = head ? w->final : NULL };
	struct hook_user user = {w, s};
	struct mote_activation_hook hook = {.input = keep_input, .residual = keep_residual, .user = &user};
	enum mote_status status;

	s->at = (size_t)chunk * w->context;
	mote_session_set_activation_hook(s->session, &hook);
	status = mote_session_forward(s->session, &batch, NULL, error);
	if (status == MOTE_OK && head)
		keep_rows(&user, MOTE_IN_HEAD, w->final, w->source->config.hidden, w->context);
	if (status == MOTE_OK && w->progress && !w->progress->update(w->progress->user, w->done, w->total))
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	w->done += w->done < w->total;
	return status;
}

enum mote_status mote_layer_stream_run(struct mote_layer_walk *w, struct mote_layer_stream *s, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t chunk = 0; chunk < w->text->chunks && status == MOTE_OK; chunk++)
		status = mote_layer_stream_run_chunk(w, s, MOTE_INPUTS, chunk, error);
	return status;
}

void mote_layer_stream_advance(struct mote_layer_stream *s)
{
	float *before = s->before;

	s->before = s->after;
	s->after = before;
	s->half_done = false;
}

/* The residual stream before the first layer. */
static void begin_row(const struct mote_model *source, const struct mote_matrix *embedding, int32_t token, float *x)
{
	mote_matrix_decode_row(embedding, (uint32_t)token, x);
	if (source->config.embedding_scale > 0)
		mote_vector_scale(x, source->config.hidden, (float)source->config.embedding_scale);
}

enum mote_status mote_layer_stream_open(const struct mote_layer_walk *w, struct mote_layer_stream *s,
					const struct mote_matrix *embedding, uint32_t threads, struct mote_error *error)
{
	struct mote_session_options options = { .context_tokens = w->context, .batch_rows = w->context,
						.threads = threads, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32 };
	size_t residual = w->tokens * w->hidden_stride * sizeof(float);
	size_t layers = w->source->config.layers * sizeof *s->layer;

	s->model = *w->source;
	s->layer = s->model.layer = malloc(layers);
	s->before = aligned_alloc(64, residual);
	s->middle = aligned_alloc(64, residual);
	s->after = aligned_alloc(64, residual);
	if (!s->layer || !s->before || !s->middle || !s->after)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %zu calibration tokens", w->tokens);
	memcpy(s->layer, w->source->layer, layers);
	for (size_t t = 0; t < w->tokens; t++)
		begin_row(w->source, embedding, w->text->ids[t], s->before + t * w->hidden_stride);
	return mote_session_open(&s->model, &options, &s->session, error);
}

void mote_layer_stream_close(struct mote_layer_stream *s)
{
	mote_session_close(s->session);
	free(s->layer);
	free(s->before);
	free(s->middle);
	free(s->after);
	for (int i = 0; i < MOTE_INPUTS; i++)
		free(s->input[i]);
}
