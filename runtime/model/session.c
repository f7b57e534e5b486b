/* A session: its options, a forward pass from the batch to the cache's new state, and what may be done to sequences
 * between passes. The mathematics is in forward.c.
 */
#include "runtime/model/session.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/model/rope.h"
#include "runtime/model/workspace.h"

enum {
	DEFAULT_BATCH_ROWS = 512,
	MAX_BATCH_ROWS = 65536,
	MAX_SEQUENCES = 4096
};

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
		o->batch_rows = o->sequences > DEFAULT_BATCH_ROWS ? o->sequences : DEFAULT_BATCH_ROWS;
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
	    (status = mote_kv_cache_open(&s->cache, &m->config, &s->options, error)) ||
	    (status = mote_workspace_open(s, error))) {
		mote_session_close(s);
		return status;
	}
	for (enum mote_rotation i = MOTE_ROTATION; i < s->rotations; i++)
		mote_rope_frequencies(&m->config, i, s->options.context_tokens, s->frequency + i * s->half);
	s->score_scale = (float)(m->config.attention_scale > 0 ? m->config.attention_scale :
				 mote_exact_pow(m->config.head_dim, -0.5));
	if (s->options.check)
		mote_finite_check_open(s);
	*out = s;
	return MOTE_OK;
}

void mote_session_close(struct mote_session *s)
{
	if (!s)
		return;
	mote_pool_close(s->pool);
	mote_workspace_close(s);
	mote_kv_cache_close(&s->cache);
	free(s);
}

/* Pages for what the batch will write; either for all of its sequences, or they hold what they held. */
static enum mote_status reserve_pages(struct mote_session *s, struct mote_error *error)
{
	struct mote_kv_cache *c = &s->cache;

	for (uint32_t i = 0; i < s->n_present; i++) {
		const struct mote_reach *reach = &s->reach[s->present[i]];

		if (mote_kv_cache_reserve(c, s->present[i], reach->begin, reach->end))
			continue;
		(void)mote_error_set(error, MOTE_ERROR_LIMIT,
				     "sequence %u: no page is free for positions up to %u: all %u pages of %u "
			       "positions are taken", s->present[i], reach->end, c->pages, c->page_positions);
		for (uint32_t k = 0; k <= i; k++)
			mote_kv_cache_keep(c, s->present[k], c->filled[s->present[k]]);
		return MOTE_ERROR_LIMIT;
	}
	return MOTE_OK;
}

enum mote_status mote_session_forward(struct mote_session *s, const struct mote_batch *batch,
				      const float **logits, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if ((status = mote_batch_begin(s, batch, error)) || (status = reserve_pages(s, error)))
		return status;
	s->batch = batch;
	s->stopped = false;
	mote_forward(s);
	if (s->options.check && !s->stopped)
		status = mote_finite_check_pass(s, error);
	s->batch = NULL;
	for (uint32_t i = 0; i < s->n_present; i++) {
		const struct mote_reach *reach = &s->reach[s->present[i]];

		mote_kv_cache_keep(&s->cache, s->present[i], s->stopped || status ? reach->begin : reach->end);
	}
	if (status)
		return status;
	if (s->stopped)
		return mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	if (logits)
		*logits = s->n_wanted ? s->logits : NULL;
	return MOTE_OK;
}

static enum mote_status check_held(const struct mote_session *s, uint32_t sequence, uint32_t positions,
				   struct mote_error *error)
{
	if (sequence >= s->options.sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "sequence %u; the session has %u", sequence,
				      s->options.sequences);
	if (positions > s->cache.filled[sequence])
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u positions, but sequence %u holds only %u",
				      positions, sequence, s->cache.filled[sequence]);
	return MOTE_OK;
}

enum mote_status mote_session_trim(struct mote_session *s, uint32_t sequence, uint32_t positions,
				   struct mote_error *error)
{
	enum mote_status status = check_held(s, sequence, positions, error);

	if (status == MOTE_OK)
		mote_kv_cache_keep(&s->cache, sequence, positions);
	return status;
}

enum mote_status mote_session_fork(struct mote_session *s, uint32_t from, uint32_t to, uint32_t positions,
				   struct mote_error *error)
{
	enum mote_status status = check_held(s, from, positions, error);

	if (status || (status = check_held(s, to, 0, error)))
		return status;
	if (from == to)
		mote_kv_cache_keep(&s->cache, to, positions);
	else
		mote_kv_cache_share(&s->cache, from, to, positions);
	return MOTE_OK;
}

uint32_t mote_session_filled(const struct mote_session *s, uint32_t sequence)
{
	return sequence < s->options.sequences ? s->cache.filled[sequence] : 0;
}

uint32_t mote_session_page_positions(const struct mote_session *s)
{
	return s->cache.page_positions;
}

uint32_t mote_session_free_pages(const struct mote_session *s)
{
	return mote_kv_cache_free(&s->cache);
}

void mote_session_set_activation_hook(struct mote_session *s, const struct mote_activation_hook *hook)
{
	s->hook = hook ? *hook : (struct mote_activation_hook){0};
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

uint32_t mote_session_hidden(const struct mote_session *s)
{
	return s->model->config.hidden;
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
	return s->cache.bytes + s->memory_bytes;
}
