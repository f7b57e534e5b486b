/* A session: sizes and carves its memory, checks batches, cuts them into blocks of attention. The mathematics is
 * in forward.c.
 */
#include "runtime/model/session.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/model/memory.h"
#include "runtime/model/rope.h"
#include "runtime/model/workspace.h"

enum {
	DEFAULT_BATCH_ROWS = 512,
	MAX_BATCH_ROWS = 65536,
	MAX_SEQUENCES = 4096
};

static size_t round_up(size_t n, size_t multiple)
{
	return (n + multiple - 1) / multiple * multiple;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
	return b ? greatest_common_divisor(b, a % b) : a;
}

bool mote_kv_type_from_name(const char *name, enum mote_kv_type *type)
{
	if (!strcmp(name, "f16"))
		*type = MOTE_KV_F16;
	else if (!strcmp(name, "q8") || !strcmp(name, "q8_0"))
		*type = MOTE_KV_Q8;
	else if (!strcmp(name, "f32"))
		*type = MOTE_KV_F32;
	else
		return false;
	return true;
}

static enum mote_type kv_matrix_type(enum mote_kv_type type)
{
	return type == MOTE_KV_F32 ? MOTE_F32 : type == MOTE_KV_Q8 ? MOTE_Q8 : MOTE_F16;
}

static enum mote_status resolve_options(const struct mote_config *c, const struct mote_session_options *given,
					struct mote_session_options *o, struct mote_error *error)
{
	uint32_t positions = c->max_positions < MOTE_ROPE_MAX_POSITIONS ? c->max_positions : MOTE_ROPE_MAX_POSITIONS;

	*o = *given;
	if (o->context_tokens > positions)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a context of %u tokens; this model has %u positions",
				      o->context_tokens, positions);
	if (o->batch_rows > MAX_BATCH_ROWS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "batches of %u rows; at most %u", o->batch_rows,
				      (unsigned)MAX_BATCH_ROWS);
	if (o->sequences > MAX_SEQUENCES)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u sequences; at most %u", o->sequences,
				      (unsigned)MAX_SEQUENCES);
	if (o->context_tokens == 0)
		o->context_tokens = positions;
	if (o->sequences == 0)
		o->sequences = 1;
	if (o->batch_rows == 0)
		o->batch_rows = DEFAULT_BATCH_ROWS;
	if (o->batch_rows / o->sequences >= o->context_tokens)
		o->batch_rows = o->context_tokens * o->sequences;
	if (o->logit_rows == 0)
		o->logit_rows = 1;
	if (o->logit_rows > o->batch_rows)
		o->logit_rows = o->batch_rows;
	if (o->threads == 0)
		o->threads = mote_pool_physical_cores();
	return MOTE_OK;
}

/* Hands out 64-byte-aligned pieces of one region; without a region it only counts. */
struct carve {
	uint8_t *base;
	size_t used;
};

static void *carve(struct carve *c, size_t bytes)
{
	void *piece = c->base ? c->base + c->used : NULL;

	c->used += round_up(bytes, 64);
	return piece;
}

static void carve_activations(struct carve *c, struct mote_activations *a, uint32_t rows, uint32_t cols)
{
	unsigned parts = MOTE_ACTIVATIONS_X | MOTE_ACTIVATIONS_Q;
	void *memory = carve(c, mote_activations_bytes(rows, cols, parts));

	if (memory)
		mote_activations_init(a, rows, cols, parts, memory);
}

static void carve_workspace(struct mote_session *s, struct carve *c)
{
	const struct mote_config *config = &s->model->config;
	size_t rows = s->options.batch_rows, half = config->head_dim / 2;
	uint32_t attention = config->heads * config->head_dim;
	uint32_t states = MOTE_BLOCK_ROWS * s->group;

	if (states < MOTE_FEW_ROWS * config->heads)
		states = MOTE_FEW_ROWS * config->heads;
	s->filled = carve(c, s->options.sequences * sizeof *s->filled);
	s->frequency = carve(c, half * sizeof *s->frequency);
	s->cosine = carve(c, rows * half * sizeof *s->cosine);
	s->sine = carve(c, rows * half * sizeof *s->sine);
	s->block = carve(c, rows * sizeof *s->block);
	s->wanted = carve(c, s->options.logit_rows * sizeof *s->wanted);
	s->x = carve(c, rows * s->hidden_stride * sizeof *s->x);
	s->q = carve(c, rows * s->q_stride * sizeof *s->q);
	s->k = carve(c, rows * s->kv_stride * sizeof *s->k);
	s->v = carve(c, rows * s->kv_stride * sizeof *s->v);
	s->parts = carve(c, (size_t)MOTE_FEW_ROWS * config->heads * s->chunks * s->part_floats * sizeof *s->parts);
	s->logits = carve(c, (size_t)s->options.logit_rows * config->vocab * sizeof *s->logits);
	carve_activations(c, &s->normed, s->options.batch_rows, config->hidden);
	carve_activations(c, &s->query, s->options.batch_rows * config->heads, config->head_dim);
	carve_activations(c, &s->attended, s->options.batch_rows, attention);
	carve_activations(c, &s->ffn, s->options.batch_rows, config->ffn);
	s->scratch = carve(c, s->options.threads * sizeof *s->scratch);
	for (uint32_t t = 0; t < s->options.threads; t++) {
		struct mote_scratch unused, *scratch = s->scratch ? &s->scratch[t] : &unused;

		carve_activations(c, &scratch->normed, MOTE_FEW_ROWS, config->hidden);
		carve_activations(c, &scratch->attended, MOTE_FEW_ROWS, attention);
		scratch->state = carve(c, states * s->part_floats * sizeof *scratch->state);
		scratch->part = carve(c, states * s->part_floats * sizeof *scratch->part);
	}
}

static enum mote_status take_memory(struct mote_session *s, struct mote_error *error)
{
	const struct mote_config *config = &s->model->config;
	enum mote_type k = kv_matrix_type(s->options.kv_k), v = kv_matrix_type(s->options.kv_v);
	struct carve plan = {0}, region = {0};
	size_t heads;

	s->chunk_positions = MOTE_SEGMENT_POSITIONS;
	if (s->options.context_tokens < s->chunk_positions)
		s->chunk_positions = s->options.context_tokens;
	s->chunks = (s->options.context_tokens + s->chunk_positions - 1) / s->chunk_positions;
	s->head_bytes = mote_kv_bytes(k, v, config->head_dim, s->chunk_positions);
	if (__builtin_mul_overflow((size_t)config->layers * config->kv_heads,
				   (size_t)s->options.sequences * s->chunks, &heads) ||
	    __builtin_mul_overflow(heads, s->head_bytes, &s->cache_bytes))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "a KV cache for %u sequences of %u tokens overflows",
				      s->options.sequences, s->options.context_tokens);
	s->cache = mote_memory_map(s->cache_bytes);
	if (!s->cache)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a KV cache of %zu bytes", s->cache_bytes);
	mote_kv_init(&s->first_kv, k, v, config->head_dim, s->chunk_positions, s->cache);

	s->group = config->heads / config->kv_heads;
	s->span = MOTE_PANEL_ROWS / greatest_common_divisor(config->head_dim, MOTE_PANEL_ROWS);
	s->hidden_stride = round_up(config->hidden, MOTE_PANEL_ROWS);
	s->q_stride = round_up((size_t)config->heads * config->head_dim, MOTE_PANEL_ROWS);
	s->kv_stride = round_up((size_t)config->kv_heads * config->head_dim, MOTE_PANEL_ROWS);
	s->part_floats = mote_attention_part_floats(config->head_dim);
	carve_workspace(s, &plan);
	s->memory_bytes = plan.used;
	s->memory = mote_memory_map(s->memory_bytes);
	if (!s->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a workspace of %zu bytes", s->memory_bytes);
	region.base = s->memory;
	carve_workspace(s, &region);
	return MOTE_OK;
}

enum mote_status mote_session_open(const struct mote_model *m, const struct mote_session_options *options,
				   struct mote_session **out, struct mote_error *error)
{
	struct mote_session *s = calloc(1, sizeof *s);
	enum mote_status status;

	*out = NULL;
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a session");
	s->model = m;
	if ((status = resolve_options(&m->config, options, &s->options, error)) ||
	    (status = mote_kernels_select(options->isa, &s->kernels, error)) ||
	    (status = mote_pool_open(s->options.threads, &s->pool, error)) ||
	    (status = take_memory(s, error))) {
		mote_session_close(s);
		return status;
	}
	mote_rope_frequencies(&m->config, s->frequency);
	s->score_scale = (float)mote_exact_pow(m->config.head_dim, -0.5);
	*out = s;
	return MOTE_OK;
}

void mote_session_close(struct mote_session *s)
{
	if (!s)
		return;
	mote_pool_close(s->pool);
	mote_memory_unmap(s->memory, s->memory_bytes);
	mote_memory_unmap(s->cache, s->cache_bytes);
	free(s);
}

struct mote_kv mote_session_kv(const struct mote_session *s, uint32_t sequence, uint32_t chunk, uint32_t layer,
			       uint32_t kv_head)
{
	const struct mote_config *config = &s->model->config;
	size_t index = (((size_t)sequence * s->chunks + chunk) * config->layers + layer) * config->kv_heads + kv_head;
	struct mote_kv kv = s->first_kv;

	mote_kv_move(&kv, index * s->head_bytes);
	return kv;
}

static uint32_t row_sequence(const struct mote_batch *batch, uint32_t row)
{
	return batch->sequence ? batch->sequence[row] : 0;
}

static bool row_wanted(const struct mote_batch *batch, uint32_t row)
{
	return batch->want_logits ? batch->want_logits[row] : row + 1 == batch->rows;
}

/* Is this row the first of its sequence in the batch? */
static bool first_of_sequence(const struct mote_batch *batch, uint32_t row, uint32_t *previous)
{
	for (*previous = row; *previous > 0; --*previous)
		if (row_sequence(batch, *previous - 1) == row_sequence(batch, row)) {
			--*previous;
			return false;
		}
	return true;
}

static enum mote_status check_row(const struct mote_session *s, const struct mote_batch *batch, uint32_t row,
				  struct mote_error *error)
{
	uint32_t sequence = row_sequence(batch, row), position = batch->position[row], previous;
	int32_t token = batch->token[row];

	if (token < 0 || (uint32_t)token >= s->model->config.vocab)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: token %d; the vocabulary has %u", row, token,
				      s->model->config.vocab);
	if (sequence >= s->options.sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: sequence %u; the session has %u", row,
				      sequence, s->options.sequences);
	if (position >= s->options.context_tokens)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: position %u; the context has %u", row,
				      position, s->options.context_tokens);
	if (first_of_sequence(batch, row, &previous)) {
		if (position > s->filled[sequence])
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "row %u: position %u, but sequence %u holds only %u", row, position,
					      sequence, s->filled[sequence]);
	} else if (position != batch->position[previous] + 1) {
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "row %u: position %u; expected %u, the next of sequence %u",
				      row, position, batch->position[previous] + 1, sequence);
	}
	return MOTE_OK;
}

/* Cuts the batch into blocks. Smaller ones when there would not be enough for the threads to share. */
static void make_blocks(struct mote_session *s, const struct mote_batch *batch)
{
	uint32_t pieces = 4 * s->options.threads / s->model->config.kv_heads + 1;
	uint32_t most = batch->rows / pieces, parts = 0;
	struct mote_block *b = NULL;

	most = batch->rows <= MOTE_FEW_ROWS || most > MOTE_BLOCK_ROWS ? MOTE_BLOCK_ROWS : most ? most : 1;
	s->blocks = 0;
	for (uint32_t row = 0; row < batch->rows; row++) {
		uint32_t sequence = row_sequence(batch, row), position = batch->position[row];

		if (b && b->rows < most && b->sequence == sequence && b->position + b->rows == position &&
		    position % s->chunk_positions != 0) {
			b->rows++;
			continue;
		}
		if (b)
			parts += b->segments * b->rows * s->model->config.heads;
		b = &s->block[s->blocks++];
		*b = (struct mote_block){.row = row, .rows = 1, .sequence = sequence, .position = position,
					 .segments = mote_attention_segments(position), .first_part = parts};
	}
}

enum mote_status mote_session_forward(struct mote_session *s, const struct mote_batch *batch,
				      const float **logits, struct mote_error *error)
{
	enum mote_status status;

	if (batch->rows == 0 || batch->rows > s->options.batch_rows)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a batch of %u rows; expected 1 to %u", batch->rows,
				      s->options.batch_rows);
	s->n_wanted = 0;
	for (uint32_t row = 0; row < batch->rows; row++) {
		if ((status = check_row(s, batch, row, error)))
			return status;
		if (!row_wanted(batch, row))
			continue;
		if (s->n_wanted == s->options.logit_rows)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "logits of more than %u rows are wanted",
					      s->options.logit_rows);
		s->wanted[s->n_wanted++] = row;
	}
	make_blocks(s, batch);
	s->batch = batch;
	mote_forward(s);
	s->batch = NULL;
	for (uint32_t row = 0; row < batch->rows; row++)
		s->filled[row_sequence(batch, row)] = batch->position[row] + 1;
	if (logits)
		*logits = s->n_wanted ? s->logits : NULL;
	return MOTE_OK;
}

void mote_session_set_tap(struct mote_session *s, const struct mote_tap *tap)
{
	s->tap = tap ? *tap : (struct mote_tap){0};
}

const char *mote_session_isa(const struct mote_session *s)
{
	return s->kernels.name;
}

uint32_t mote_session_threads(const struct mote_session *s)
{
	return s->options.threads;
}

uint32_t mote_session_context(const struct mote_session *s)
{
	return s->options.context_tokens;
}

uint32_t mote_session_vocab(const struct mote_session *s)
{
	return s->model->config.vocab;
}

const struct mote_session_options *mote_session_options(const struct mote_session *s)
{
	return &s->options;
}

size_t mote_session_bytes(const struct mote_session *s)
{
	return s->cache_bytes + s->memory_bytes;
}
