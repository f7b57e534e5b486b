/* Sessions for mote.h: a session of the model's room with one scheduler over it, through which everything runs that the
 * session computes, so that answers, logits and embeddings find each other's prefixes in its sequences.
 */
#include "runtime/api/api_session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum mote_status kv_type(const char *name, enum mote_kv_type *type, struct mote_error *error)
{
	if (!name || mote_kv_type_from_name(name, type))
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "KV type '%s': expected f16, q8 or f32", name);
}

/* Asked by the scheduler between layers: has anybody said stop? */
static bool proceed(void *user)
{
	const struct mote_lm_session *s = user;

	return !atomic_load_explicit(&s->interrupted, memory_order_relaxed) && (!s->proceed || s->proceed(s->user));
}

static enum mote_status open_session(struct mote_lm_session *s, const struct mote_lm_session_options *o,
				     struct mote_error *error)
{
	struct mote_session_options options = {.context_tokens = o->context_tokens, .sequences = o->sequences,
					       .batch_rows = o->batch_tokens, .threads = o->threads, .isa = o->isa,
					       .check = o->check != 0};
	struct mote_scheduler_options schedule = {.lookup = !o->no_lookup, .steady = true, .proceed = proceed,
						  .user = s};
	enum mote_status status;
	uint32_t spare;

	options.sequences = options.sequences ? options.sequences : 1;
	spare = o->no_lookup ? 0 : MOTE_LOOKUP_MOST;
	if (o->prompt_rows > spare)
		spare = o->prompt_rows - 1;
	options.logit_rows = spare < UINT32_MAX - options.sequences ? options.sequences + spare : UINT32_MAX;
	if (options.batch_rows && options.batch_rows < options.sequences)
		options.batch_rows = options.sequences;
	if ((status = kv_type(o->kv_keys, &options.kv_k, error)) ||
	    (status = kv_type(o->kv_values, &options.kv_v, error)) ||
	    (status = mote_session_open(s->lm->model, &options, &s->session, error)))
		return status;
	return mote_scheduler_open(s->session, &schedule, &s->scheduler, error);
}

int mote_lm_session_open(const struct mote_lm *lm, const struct mote_lm_session_options *options,
			 struct mote_lm_session **out, struct mote_lm_error *error)
{
	struct mote_lm_session_options o = MOTE_LM_SESSION_OPTIONS_INIT;
	struct mote_error own = {0};
	struct mote_lm_session *s;

	*out = NULL;
	if (!mote_api_options(&o, sizeof o, options))
		return mote_api_refuse(error, MOTE_ERROR_ARGUMENT, "mote_lm_session_open: options without their size");
	s = calloc(1, sizeof *s);
	if (!s)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for a session");
	s->lm = lm;
	s->proceed = o.proceed;
	s->user = o.user;
	s->sequences = o.sequences ? o.sequences : 1;
	if (open_session(s, &o, &own)) {
		mote_lm_session_close(s);
		return mote_api_fail(error, &own);
	}
	*out = s;
	return MOTE_LM_OK;
}

void mote_lm_session_close(struct mote_lm_session *s)
{
	if (!s)
		return;
	mote_scheduler_close(s->scheduler);
	mote_session_close(s->session);
	free(s->row);
	free(s);
}

void mote_lm_session_describe(const struct mote_lm_session *s, struct mote_lm_session_info *info)
{
	*info = (struct mote_lm_session_info){.context_tokens = mote_session_context(s->session),
					      .sequences = s->sequences, .threads = mote_session_threads(s->session),
					      .bytes = mote_session_bytes(s->session),
					      .isa = mote_session_isa(s->session)};
}

void mote_lm_session_interrupt(struct mote_lm_session *s)
{
	atomic_store(&s->interrupted, true);
}

/* One pass; an interruption is used up by the call that it stops. */
enum mote_status mote_api_step(struct mote_lm_session *s, struct mote_error *error)
{
	enum mote_status status = mote_scheduler_step(s->scheduler, error);

	if (status == MOTE_ERROR_INTERRUPTED)
		atomic_store(&s->interrupted, false);
	return status;
}

int mote_lm_session_step(struct mote_lm_session *s, struct mote_lm_error *error)
{
	struct mote_error own = {0};

	return mote_api_step(s, &own) ? mote_api_fail(error, &own) : MOTE_LM_OK;
}

/* ---- logits ---- */

static int32_t keep_row(void *user, const float *logits)
{
	struct mote_lm_session *s = user;

	memcpy(s->row, logits, s->lm->model->config.vocab * sizeof *logits);
	s->row_done = true;
	return MOTE_ENDED;
}

int mote_lm_logits(struct mote_lm_session *s, const int32_t *ids, size_t count, const float **logits,
		   struct mote_lm_error *error)
{
	struct mote_taker taker = {.take = keep_row, .user = s};
	struct mote_error own = {0};
	uint64_t ticket;

	*logits = NULL;
	if (!s->row && !(s->row = malloc(s->lm->model->config.vocab * sizeof *s->row)))
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for logits");
	s->row_done = false;
	if (mote_scheduler_add(s->scheduler, ids, count, taker, &ticket, &own))
		return mote_api_fail(error, &own);
	while (!s->row_done)
		if (mote_api_step(s, &own)) {
			mote_scheduler_cancel(s->scheduler, ticket);
			return mote_api_fail(error, &own);
		}
	*logits = s->row;
	return MOTE_LM_OK;
}
