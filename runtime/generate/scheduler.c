/* See scheduler.h.
 *
 * A slot is a sequence of the session and the ids in it: ids[0..held) are in the KV cache, ids[held..count) are to be
 * computed. A slot that is writing has one id to compute, one under prefill more. What a slot held when its answer
 * ended stays, for a later prompt that begins with it.
 */
#include "runtime/generate/scheduler.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SLICE_ROWS = 64 };

struct slot {
	struct mote_taker taker;
	struct mote_prompt_watch watch;
	uint64_t ticket;        /* 0: free */
	uint64_t last_used;     /* ticket of the last answer in it */
	int32_t *ids;           /* [context] */
	uint32_t held, count;
	uint32_t shared;        /* of its prompt, held already when it was admitted */
	uint32_t prompt;        /* ids of it */
	bool cancelled;         /* freed at the beginning of the next step */
};

struct waiting {
	struct waiting *next;
	struct mote_taker taker;
	struct mote_prompt_watch watch;
	uint64_t ticket;
	uint32_t count;
	int32_t ids[];
};

struct mote_scheduler {
	struct mote_session *session;
	bool (*proceed)(void *user);
	void *user;
	uint32_t vocab, hidden, context, slots, batch_rows, slice_rows;
	uint32_t spare_logits;         /* logit rows beside one for each slot */
	struct slot *slot;             /* [slots] */
	uint32_t *running, n_running;  /* [slots] slots in use, the oldest answer first */
	struct waiting *first, **last;
	uint32_t n_waiting, n_cancelled;
	uint64_t tickets;
	struct mote_scheduler_counts counts;
	int32_t *token;                /* [batch_rows], like all below */
	uint32_t *position, *sequence;
	uint8_t *want;
	float *states;                 /* [batch_rows][hidden], from the first prompt on whose states are watched */
};

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

enum mote_status mote_scheduler_open(struct mote_session *session, const struct mote_scheduler_options *options,
				     struct mote_scheduler **out, struct mote_error *error)
{
	const struct mote_session_options *o = mote_session_options(session);
	struct mote_scheduler *s;
	enum mote_status status;

	*out = NULL;
	if (o->logit_rows < o->sequences || o->batch_rows < o->sequences)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "a session of %u sequences, with batches of %u rows and logits of %u; expected as many",
				      o->sequences, o->batch_rows, o->logit_rows);
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
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a prompt of %zu tokens does not fit into a context of %u",
				      count, s->context);
	for (size_t i = 0; i < count; i++)
		if (ids[i] < 0 || (uint32_t)ids[i] >= s->vocab)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "token %zu of the prompt is %d; the vocabulary has %u",
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
		struct slot *slot = &s->slot[s->running[i]];

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

/* Frees the slots of cancelled answers. */
static void sweep(struct mote_scheduler *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_running; i++) {
		struct slot *slot = &s->slot[s->running[i]];

		if (slot->cancelled)
			slot->ticket = 0;
		else
			s->running[kept++] = s->running[i];
	}
	s->n_running = kept;
	s->n_cancelled = 0;
}

static uint32_t common(const struct slot *slot, const struct waiting *w)
{
	uint32_t n = 0;

	while (n < slot->held && n + 1 < w->count && slot->ids[n] == w->ids[n])
		n++;
	return n;
}

/* The slot that holds most of the prompt, of all or of the free ones; among equals, the one that was not used for
 * longest. NULL: there is none. */
static struct slot *best_slot(struct mote_scheduler *s, const struct waiting *w, bool in_use, uint32_t *shared)
{
	struct slot *best = NULL;

	*shared = 0;
	for (uint32_t i = 0; i < s->slots; i++) {
		struct slot *slot = &s->slot[i];
		uint32_t n;

		if (slot->ticket && !in_use)
			continue;
		n = common(slot, w);
		if (!best || n > *shared || (n == *shared && slot->last_used < best->last_used)) {
			best = slot;
			*shared = n;
		}
	}
	return best;
}

static bool is_watched(const struct mote_prompt_watch *w)
{
	return w->logits || w->state;
}

static uint32_t index_of(const struct mote_scheduler *s, const struct slot *slot)
{
	return (uint32_t)(slot - s->slot);
}

/* The free slot for a prompt, with as much of it as any slot holds: what one in use holds is forked. A prompt that is
 * watched begins with nothing. */
static struct slot *take_slot(struct mote_scheduler *s, const struct waiting *w, uint32_t *shared)
{
	uint32_t most;
	struct slot *slot = best_slot(s, w, false, shared), *source = best_slot(s, w, true, &most);

	if (is_watched(&w->watch)) {
		*shared = 0;
	} else if (most > *shared) {
		slot->held = 0;
		*shared = mote_session_fork(s->session, index_of(s, source), index_of(s, slot), most, NULL) ? 0 : most;
	}
	return slot;
}

/* Gives up what the free slot holds that was not used for longest. False: free slots hold nothing. */
static bool give_up(struct mote_scheduler *s)
{
	struct slot *oldest = NULL;

	for (uint32_t i = 0; i < s->slots; i++) {
		struct slot *slot = &s->slot[i];

		if (!slot->ticket && slot->held && (!oldest || slot->last_used < oldest->last_used))
			oldest = slot;
	}
	if (!oldest || mote_session_trim(s->session, index_of(s, oldest), 0, NULL))
		return false;
	oldest->held = 0;
	return true;
}

/* Gives free slots to those that wait. */
static void admit(struct mote_scheduler *s)
{
	while (s->first && s->n_running < s->slots) {
		struct waiting *w = s->first;
		uint32_t shared = 0;
		struct slot *slot = take_slot(s, w, &shared);

		slot->taker = w->taker;
		slot->watch = w->watch;
		slot->prompt = w->count;
		slot->ticket = slot->last_used = w->ticket;
		slot->cancelled = false;
		slot->held = slot->shared = shared;
		slot->count = w->count;
		memcpy(slot->ids, w->ids, w->count * sizeof *w->ids);
		s->counts.shared_rows += shared;
		s->running[s->n_running++] = index_of(s, slot);
		s->first = w->next;
		if (!s->first)
			s->last = &s->first;
		s->n_waiting--;
		free(w);
	}
}

/* Puts the slot's next n ids into the batch. */
static void put_rows(struct mote_scheduler *s, struct mote_batch *batch, uint32_t index, uint32_t n)
{
	const struct slot *slot = &s->slot[index];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = slot->held + i, row = batch->rows++;

		s->token[row] = slot->ids[at];
		s->position[row] = at;
		s->sequence[row] = index;
		s->want[row] = at + 1 == slot->count || slot->watch.logits;
	}
	if (slot->watch.state && slot->held < slot->prompt)
		batch->hidden = s->states;
}

/* First the answers that are being written, a row each; what is left goes to prompts, the oldest first. */
static struct mote_batch make_batch(struct mote_scheduler *s)
{
	struct mote_batch batch = {.token = s->token, .position = s->position, .sequence = s->sequence,
				   .want_logits = s->want, .proceed = s->proceed, .proceed_user = s->user};
	uint32_t left, spare = s->spare_logits;

	for (uint32_t i = 0; i < s->n_running; i++) {
		const struct slot *slot = &s->slot[s->running[i]];

		if (slot->count - slot->held == 1)
			put_rows(s, &batch, s->running[i], 1);
	}
	left = s->batch_rows - batch.rows;
	if (batch.rows && left > s->slice_rows)
		left = s->slice_rows;
	for (uint32_t i = 0; i < s->n_running && left; i++) {
		const struct slot *slot = &s->slot[s->running[i]];
		uint32_t n = slot->count - slot->held;

		if (n == 1)
			continue;
		n = n < left ? n : left;
		if (slot->watch.logits) {
			n = n < spare + 1 ? n : spare + 1;
			spare -= n - 1;
		}
		put_rows(s, &batch, s->running[i], n);
		left -= n;
	}
	return batch;
}

/* Shows a row to who watches its prompt; logits are its own, if it has any. */
static void watch_row(const struct mote_scheduler *s, const struct slot *slot, uint32_t row, const float *logits)
{
	const struct mote_prompt_watch *w = &slot->watch;

	if (s->position[row] >= slot->prompt)
		return;
	if (w->state)
		w->state(w->user, s->position[row], s->states + (size_t)row * s->hidden);
	if (w->logits)
		w->logits(w->user, s->position[row], logits);
}

/* Gives an answer its logits; what it says next is its next id. */
static void take_row(struct mote_scheduler *s, struct slot *slot, const float *logits)
{
	int32_t id = slot->taker.take(slot->taker.user, logits);

	if (id >= 0 && (uint32_t)id < s->vocab && slot->count < s->context) {
		slot->ids[slot->count++] = id;
	} else if (!slot->cancelled) {
		slot->cancelled = true;
		s->n_cancelled++;
	}
}

enum mote_status mote_scheduler_step(struct mote_scheduler *s, struct mote_error *error)
{
	struct mote_batch batch;
	const float *logits;
	enum mote_status status;

	sweep(s);
	admit(s);
	if (s->n_running == 0)
		return MOTE_OK;
	batch = make_batch(s);
	do {
		struct mote_error pass = {0};

		status = mote_session_forward(s->session, &batch, &logits, &pass);
		if (status && (status != MOTE_ERROR_LIMIT || !give_up(s)))
			return mote_error_set(error, status, "%s", pass.message);
	} while (status);
	s->counts.passes++;
	s->counts.rows += batch.rows;
	for (uint32_t row = 0; row < batch.rows; row++)
		s->slot[s->sequence[row]].held = s->position[row] + 1;
	for (uint32_t row = 0; row < batch.rows; row++) {
		struct slot *slot = &s->slot[s->sequence[row]];
		bool last = s->want[row] && s->position[row] + 1 == slot->count;

		if (!slot->cancelled) {
			watch_row(s, slot, row, logits);
			if (last)
				take_row(s, slot, logits);
		}
		if (s->want[row])
			logits += s->vocab;
	}
	return MOTE_OK;
}

uint32_t mote_scheduler_shared(const struct mote_scheduler *s, uint64_t ticket)
{
	for (uint32_t i = 0; i < s->n_running; i++)
		if (s->slot[s->running[i]].ticket == ticket)
			return s->slot[s->running[i]].shared;
	return 0;
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
