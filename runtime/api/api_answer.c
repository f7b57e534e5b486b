/* Answers for mote.h as streams of events. An answer of the room below gives its text to a function; what it gave and
 * nobody has read yet waits here, since reading one answer's events advances all answers of the session.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "runtime/api/api_session.h"
#include "runtime/generate/answer.h"
#include "runtime/generate/logit_row.h"

struct piece {
	enum mote_lm_event_kind kind;
	size_t begin, bytes;         /* in the answer's waiting text */
	size_t tokens;               /* sampled when it came */
};

struct mote_lm_answer {
	struct mote_lm_session *session;
	struct mote_answer answer;
	struct mote_sampler *sampler;
	struct mote_api_mask mask;
	struct mote_ids prompt, stop_ids;
	bool logprobs, prompt_only;
	struct mote_api_logprobs of_prompt, of_tokens;
	void (*state)(void *user, uint32_t position, const float *state);
	void *user;
	uint64_t ticket;
	bool taken, ended;           /* the first token has been sampled; no token will be */
	_Atomic(bool) cancelled;
	size_t computed;
	struct mote_guess_counts guesses;
	double opened, first, last;  /* seconds: when its parts began and ended */

	char *text;                  /* waiting, each piece with a NUL behind it */
	size_t text_bytes, text_room;
	struct piece *piece;
	size_t pieces, piece_room, read;
	bool no_memory;
};

void mote_lm_answer_recommended(const struct mote_lm *lm, struct mote_lm_answer_options *options)
{
	options->max_tokens = lm->max_tokens;
	options->stop = lm->stop;
	options->stops = lm->stops;
}

/* ---- what waits ---- */

static bool reserve(void *list, size_t *room, size_t need, size_t item)
{
	void **memory = list, *grown;
	size_t more = *room ? *room * 2 : 64;

	if (need <= *room)
		return true;
	while (more < need)
		more *= 2;
	grown = realloc(*memory, more * item);
	if (!grown)
		return false;
	*memory = grown;
	*room = more;
	return true;
}

/* A piece of text came. Pieces of one kind that nobody has read yet become one. */
static void keep_text(void *user, enum mote_reasoning_part part, const char *text, size_t bytes)
{
	enum mote_lm_event_kind kind = part == MOTE_PART_REASONING ? MOTE_LM_EVENT_REASONING : MOTE_LM_EVENT_TEXT;
	struct mote_lm_answer *a = user;
	struct piece *last = a->pieces > a->read ? &a->piece[a->pieces - 1] : NULL;

	if (!reserve(&a->text, &a->text_room, a->text_bytes + bytes + 1, 1) ||
	    !reserve(&a->piece, &a->piece_room, a->pieces + 1, sizeof *a->piece)) {
		a->no_memory = true;
		return;
	}
	if (last && last->kind == kind) {
		a->text_bytes--; /* over its NUL */
		last->bytes += bytes;
	} else {
		a->piece[a->pieces++] = (struct piece){kind, a->text_bytes, bytes, 0};
	}
	a->piece[a->pieces - 1].tokens = a->answer.ids.count;
	memcpy(a->text + a->text_bytes, text, bytes);
	a->text_bytes += bytes;
	a->text[a->text_bytes++] = 0;
}

static bool read_piece(struct mote_lm_answer *a, struct mote_lm_event *event)
{
	const struct piece *p;

	if (a->read == a->pieces) {
		a->read = a->pieces = a->text_bytes = 0;
		return false;
	}
	p = &a->piece[a->read++];
	*event = (struct mote_lm_event){.kind = p->kind, .text = a->text + p->begin, .bytes = p->bytes,
					.tokens = p->tokens};
	return true;
}

/* ---- taking logits ---- */

/* What follows the id at this position of the prompt, and how probable it was: of a row that is not finite nothing can
 * be said. */
static void see_logits(void *user, uint32_t position, const float *logits)
{
	struct mote_lm_answer *a = user;
	uint32_t vocab = a->session->lm->model->config.vocab;

	if (a->answer.error.code)
		return;
	if (mote_logit_row_check(logits, vocab, &a->answer.error)) {
		mote_error_prefix(&a->answer.error, "position %u of the prompt", position);
		return;
	}
	if (position == 0)
		a->no_memory |= !mote_api_logprobs_add(&a->of_prompt, NULL, vocab, a->prompt.id[0]);
	if (position + 1 < a->prompt.count)
		a->no_memory |= !mote_api_logprobs_add(&a->of_prompt, logits, vocab, a->prompt.id[position + 1]);
}

static void see_state(void *user, uint32_t position, const float *state)
{
	struct mote_lm_answer *a = user;

	a->state(a->user, position, state);
}

/* The next id, and what is kept of the logits that gave it. */
static int32_t take_token(struct mote_lm_answer *a, const float *logits)
{
	size_t before = a->answer.ids.count;
	int32_t id = mote_answer_take(&a->answer, logits);

	if (a->logprobs && a->answer.ids.count > before)
		a->no_memory |= !mote_api_logprobs_add(&a->of_tokens, logits, a->session->lm->model->config.vocab,
						       a->answer.ids.id[before]);
	return id;
}

static int32_t take(void *user, const float *logits)
{
	struct mote_lm_answer *a = user;
	int32_t id;

	a->last = mote_clock_seconds();
	a->guesses = mote_scheduler_guesses(a->session->scheduler, a->ticket);
	if (!a->taken) {
		a->taken = true;
		a->first = a->last;
		a->computed = a->prompt.count - mote_scheduler_shared(a->session->scheduler, a->ticket);
	}
	if (a->prompt_only || a->answer.error.code || atomic_load(&a->cancelled)) {
		mote_answer_end(&a->answer);
		if (!atomic_load(&a->cancelled))
			a->answer.finish = MOTE_FINISH_LENGTH;
		id = MOTE_ENDED;
	} else {
		id = take_token(a, logits);
	}
	a->ended = id == MOTE_ENDED;
	return id;
}

static enum mote_status watch_prompt(struct mote_lm_answer *a, const struct mote_lm_answer_options *o,
				     struct mote_error *error)
{
	struct mote_prompt_watch watch = {.logits = o->prompt_logprobs ? see_logits : NULL,
					  .state = o->state ? see_state : NULL, .user = a};
	enum mote_status status;

	a->logprobs = o->logprobs != 0;
	a->prompt_only = o->prompt_only != 0;
	a->of_prompt.tops = a->of_tokens.tops = o->top_logprobs < MOTE_LM_MAX_TOP ? o->top_logprobs : MOTE_LM_MAX_TOP;
	a->state = o->state;
	a->user = o->user;
	if (!watch.logits && !watch.state)
		return MOTE_OK;
	status = mote_scheduler_watch(a->session->scheduler, a->ticket, watch, error);
	if (status)
		mote_scheduler_cancel(a->session->scheduler, a->ticket);
	return status;
}

/* What the caller gave is the caller's again when the answer is open. */
static bool copy_ids(struct mote_ids *to, const int32_t *ids, size_t count)
{
	to->id = malloc((count ? count : 1) * sizeof *ids);
	if (!to->id)
		return false;
	if (count)
		memcpy(to->id, ids, count * sizeof *ids);
	to->count = to->capacity = count;
	return true;
}

static enum mote_status open_answer(struct mote_lm_answer *a, const struct mote_lm_answer_options *o,
				    struct mote_error *error)
{
	const struct mote_lm *lm = a->session->lm;
	struct mote_answer_options options = {.config = &lm->model->config, .tokenizer = lm->tokenizer,
					      .metadata = lm->metadata,
					      .prompt = &a->prompt, .most_tokens = o->max_tokens,
					      .think_tokens = o->think_budget, .ignore_eos = o->ignore_end != 0,
					      .stop_text = o->stop, .stop_texts = o->stops,
					      .reasoning_open = o->reasoning_open != 0,
					      .context_tokens = mote_session_context(a->session->session),
					      .continues_text = o->continues_text != 0,
					      .one_text = o->one_text != 0, .show = keep_text, .user = a};
	struct mote_taker taker = {.take = take, .user = a};
	enum mote_status status;

	if (!copy_ids(&a->prompt, o->prompt, o->prompt_tokens) || !copy_ids(&a->stop_ids, o->stop_ids, o->n_stop_ids))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a prompt of %zu tokens",
				      o->prompt_tokens);
	options.stop_id = a->stop_ids.id;
	options.stop_ids = a->stop_ids.count;
	if ((status = mote_api_sampler(lm, o, &a->mask, &a->sampler, error)))
		return status;
	options.sampler = a->sampler;
	options.grammar = o->grammar ? o->grammar->grammar : NULL;
	options.tokens = o->grammar ? o->grammar->tokens : NULL;
	if ((status = mote_answer_open(&options, &a->answer, error)) ||
	    (status = mote_scheduler_add(a->session->scheduler, a->prompt.id, a->prompt.count, taker,
					 &a->ticket, error)))
		return status;
	return watch_prompt(a, o, error);
}

int mote_lm_answer_open(struct mote_lm_session *s, const struct mote_lm_answer_options *options,
			struct mote_lm_answer **out, struct mote_lm_error *error)
{
	struct mote_lm_answer_options o = MOTE_LM_ANSWER_OPTIONS_INIT;
	struct mote_error own = {0};
	struct mote_lm_answer *a;

	*out = NULL;
	if (!options || !mote_api_options(&o, sizeof o, options))
		return mote_api_refuse(error, MOTE_ERROR_ARGUMENT, "mote_lm_answer_open: options without their size");
	if ((o.prompt_tokens && !o.prompt) || (o.stops && !o.stop) || (o.n_stop_ids && !o.stop_ids))
		return mote_api_refuse(error, MOTE_ERROR_ARGUMENT,
				       "mote_lm_answer_open: a number of tokens, stop texts or ids, and none of them");
	a = calloc(1, sizeof *a);
	if (!a)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for an answer");
	a->session = s;
	a->opened = a->first = a->last = mote_clock_seconds();
	if (open_answer(a, &o, &own)) {
		a->ended = true; /* nothing runs */
		mote_lm_answer_close(a);
		return mote_api_fail(error, &own);
	}
	*out = a;
	return MOTE_LM_OK;
}

static void cancel(struct mote_lm_answer *a)
{
	if (a->ended)
		return;
	mote_scheduler_cancel(a->session->scheduler, a->ticket);
	mote_answer_end(&a->answer);
	a->ended = true;
}

int mote_lm_answer_poll(struct mote_lm_answer *a, struct mote_lm_event *event, struct mote_lm_error *error)
{
	memset(event, 0, sizeof *event);
	if (!a->ended && atomic_load(&a->cancelled))
		cancel(a);
	if (read_piece(a, event))
		return MOTE_LM_OK;
	if (a->no_memory)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for the answer's text");
	if (a->ended && a->answer.error.code)
		return mote_api_fail(error, &a->answer.error);
	event->kind = a->ended ? MOTE_LM_EVENT_END : MOTE_LM_EVENT_NONE;
	event->tokens = a->answer.ids.count;
	event->finish = a->answer.finish == MOTE_FINISH_STOP ? MOTE_LM_FINISH_STOP :
			a->answer.finish == MOTE_FINISH_LENGTH ? MOTE_LM_FINISH_LENGTH : MOTE_LM_FINISH_CANCELLED;
	return MOTE_LM_OK;
}

int mote_lm_answer_next(struct mote_lm_answer *a, struct mote_lm_event *event, struct mote_lm_error *error)
{
	struct mote_error own = {0};
	int status;

	while ((status = mote_lm_answer_poll(a, event, error)) == MOTE_LM_OK && event->kind == MOTE_LM_EVENT_NONE)
		if (mote_api_step(a->session, &own))
			return mote_api_fail(error, &own);
	return status;
}

int mote_lm_answer_logprobs(const struct mote_lm_answer *a, int of_prompt, size_t index, struct mote_lm_logprobs *out)
{
	return mote_api_logprobs_get(of_prompt ? &a->of_prompt : &a->of_tokens, index, out);
}

void mote_lm_answer_cancel(struct mote_lm_answer *a)
{
	atomic_store(&a->cancelled, true);
}

void mote_lm_answer_close_reasoning(struct mote_lm_answer *a)
{
	mote_answer_close_reasoning(&a->answer);
}

void mote_lm_answer_describe(const struct mote_lm_answer *a, struct mote_lm_answer_info *info)
{
	*info = (struct mote_lm_answer_info){.prompt_tokens = a->prompt.count, .prompt_computed = a->computed,
					     .tokens = a->answer.ids.count, .ids = a->answer.ids.id,
					     .prompt_seconds = a->first - a->opened,
					     .predict_seconds = a->last - a->first};
}

int mote_lm_answer_stop_text(const struct mote_lm_answer *a)
{
	return a->answer.stop_text;
}

void mote_lm_answer_guesses(const struct mote_lm_answer *a, uint64_t *made, uint64_t *right)
{
	*made = a->guesses.made;
	*right = a->guesses.right;
}

void mote_lm_answer_close(struct mote_lm_answer *a)
{
	if (!a)
		return;
	cancel(a);
	mote_answer_free(&a->answer);
	mote_sampler_close(a->sampler);
	mote_ids_free(&a->prompt);
	mote_ids_free(&a->stop_ids);
	free(a->of_prompt.entry);
	free(a->of_tokens.entry);
	free(a->text);
	free(a->piece);
	free(a);
}
