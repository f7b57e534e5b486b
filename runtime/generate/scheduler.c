/* See scheduler.h and scheduler_internal.h. */
#include "runtime/generate/scheduler_internal.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SLICE_ROWS = 64 };

static enum mote_status take_memory(struct mote_scheduler *s, struct mote_error *error)
{
	bool ok;

	s->slot = calloc(s->slots, sizeof *s->slot);
	s->running = malloc(s->slots * sizeof *s->running);
	s->token = malloc(s->batch_rows * sizeof *s->token);
	s->position = malloc(s->batch_rows * sizeof *s->position);
	s->sequence = malloc(s->batch_rows * sizeof *s->sequence);
	s->want = malloc(s->batch_rows * sizeof *s->want);
	ok = s->slot && s->running && s->token && s->position && s->sequence && s->want;
	for (uint32_t i = 0; ok && i < s->slots; i++)
		ok = (s->slot[i].ids = malloc(s->context * sizeof *s->slot[i].ids)) != NULL;
	return ok ? MOTE_OK
		  : mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u answers side by side", s->slots);
}

/* Measured with a q4 model of 135 M weights (docs/benchmarks.md): a pass of n rows takes 1 + cost (n - 1) times as long
 * as one of a single row, whose time goes into reading the weights. A little more than measured, so that what is
 * guessed pays. */
static float row_cost(const char *isa)
{
	return !strcmp(isa, "scalar") ? 1.0f : !strncmp(isa, "avx512", 6) || !strncmp(isa, "amx", 3) ? 0.2f : 0.3f;
}

enum mote_status mote_scheduler_open(struct mote_session *session, const struct mote_scheduler_options *options,
				     struct mote_scheduler **out, struct mote_error *error)
{
	const struct mote_session_options *o = mote_session_options(session);
	struct mote_scheduler *s;
	enum mote_status status;

	*out = NULL;
	if (o->logit_rows < o->sequences || o->batch_rows < o->sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a session of %u sequences, with batches of %u rows and logits of %u; "
				      "expected as many", o->sequences, o->batch_rows, o->logit_rows);
	s = calloc(1, sizeof *s);
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a scheduler");
	s->session = session;
	s->vocab = mote_session_vocab(session);
	s->hidden = mote_session_hidden(session);
	s->spare_logits = o->logit_rows - o->sequences;
	s->context = o->context_tokens;
	s->slots = o->sequences;
	s->batch_rows = o->batch_rows;
	s->slice_rows = options && options->slice_rows ? options->slice_rows : DEFAULT_SLICE_ROWS;
	s->lookup = options && options->lookup;
	s->steady = options && options->steady;
	s->row_cost = row_cost(mote_session_isa(session));
	s->proceed = options ? options->proceed : NULL;
	s->user = options ? options->user : NULL;
	s->last = &s->first;
	if ((status = take_memory(s, error))) {
		mote_scheduler_close(s);
		return status;
	}
	*out = s;
	return MOTE_OK;
}

void mote_scheduler_close(struct mote_scheduler *s)
{
	if (!s)
		return;
	for (struct waiting *w = s->first, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	for (uint32_t i = 0; s->slot && i < s->slots; i++)
		free(s->slot[i].ids);
	free(s->slot);
	free(s->running);
	free(s->token);
	free(s->position);
	free(s->sequence);
	free(s->want);
	free(s->states);
	free(s);
}

enum mote_status mote_scheduler_add(struct mote_scheduler *s, const int32_t *ids, size_t count,
				    struct mote_taker taker, uint64_t *ticket, struct mote_error *error)
{
	struct waiting *w;

	if (count == 0)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the prompt is empty: there is nothing to continue");
	if (count > s->context)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a prompt of %zu tokens does not fit into a context of %u",
				      count, s->context);
	for (size_t i = 0; i < count; i++)
		if (ids[i] < 0 || (uint32_t)ids[i] >= s->vocab)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "token %zu of the prompt is %d; the vocabulary has %u",
					      i, ids[i], s->vocab);
	w = malloc(sizeof *w + count * sizeof *ids);
	if (!w)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a prompt of %zu tokens", count);
	*w = (struct waiting){.taker = taker, .ticket = ++s->tickets, .count = (uint32_t)count};
	memcpy(w->ids, ids, count * sizeof *ids);
	*s->last = w;
	s->last = &w->next;
	s->n_waiting++;
	if (ticket)
		*ticket = w->ticket;
	return MOTE_OK;
}

enum mote_status mote_scheduler_watch(struct mote_scheduler *s, uint64_t ticket, struct mote_prompt_watch watch,
				      struct mote_error *error)
{
	struct waiting *w = s->first;

	while (w && w->ticket != ticket)
		w = w->next;
	if (!w)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a prompt can be watched before it runs only");
	if (watch.state && !s->states && !(s->states = malloc((size_t)s->batch_rows * s->hidden * sizeof *s->states)))
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the states of a pass");
	w->watch = watch;
	return MOTE_OK;
}

void mote_scheduler_cancel(struct mote_scheduler *s, uint64_t ticket)
{
	for (uint32_t i = 0; i < s->n_running; i++) {
		struct mote_slot *slot = &s->slot[s->running[i]];

		if (slot->ticket == ticket && !slot->cancelled) {
			slot->cancelled = true;
			s->n_cancelled++;
		}
	}
	for (struct waiting **at = &s->first; *at; at = &(*at)->next)
		if ((*at)->ticket == ticket) {
			struct waiting *w = *at;

			*at = w->next;
			if (!*at)
				s->last = at;
			free(w);
			s->n_waiting--;
			break;
		}
}

uint32_t mote_scheduler_shared(const struct mote_scheduler *s, uint64_t ticket)
{
	for (uint32_t i = 0; i < s->n_running; i++)
		if (s->slot[s->running[i]].ticket == ticket)
			return s->slot[s->running[i]].shared;
	return 0;
}

struct mote_guess_counts mote_scheduler_guesses(const struct mote_scheduler *s, uint64_t ticket)
{
	for (uint32_t i = 0; i < s->n_running; i++)
		if (s->slot[s->running[i]].ticket == ticket)
			return s->slot[s->running[i]].guess_counts;
	return (struct mote_guess_counts){0};
}

uint32_t mote_scheduler_answers(const struct mote_scheduler *s)
{
	return s->n_running - s->n_cancelled + s->n_waiting;
}

uint32_t mote_scheduler_free(const struct mote_scheduler *s)
{
	uint32_t answers = mote_scheduler_answers(s);

	return answers < s->slots ? s->slots - answers : 0;
}

struct mote_scheduler_counts mote_scheduler_counts(const struct mote_scheduler *s)
{
	return s->counts;
}
