/* Which sequence an answer gets, and how much of its prompt is there already. */
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/scheduler_internal.h"

void mote_scheduler_sweep(struct mote_scheduler *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_running; i++) {
		struct mote_slot *slot = &s->slot[s->running[i]];

		if (slot->cancelled)
			slot->ticket = 0;
		else
			s->running[kept++] = s->running[i];
	}
	s->n_running = kept;
	s->n_cancelled = 0;
}

static uint32_t common(const struct mote_slot *slot, const struct waiting *w)
{
	uint32_t n = 0;

	while (n < slot->held && n + 1 < w->count && slot->ids[n] == w->ids[n])
		n++;
	return n;
}

/* The slot that holds most of the prompt, of all or of the free ones; among equals, the one that was not used for
 * longest. NULL: there is none. */
static struct mote_slot *best_slot(struct mote_scheduler *s, const struct waiting *w, bool in_use, uint32_t *shared)
{
	struct mote_slot *best = NULL;

	*shared = 0;
	for (uint32_t i = 0; i < s->slots; i++) {
		struct mote_slot *slot = &s->slot[i];
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

uint32_t mote_scheduler_sequence(const struct mote_scheduler *s, const struct mote_slot *slot)
{
	return (uint32_t)(slot - s->slot);
}

/* The free slot for a prompt, with as much of it as any slot holds: what one in use holds is forked. A prompt that is
 * watched begins with nothing. */
static struct mote_slot *take_slot(struct mote_scheduler *s, const struct waiting *w, uint32_t *shared)
{
	uint32_t most;
	struct mote_slot *slot = best_slot(s, w, false, shared), *source = best_slot(s, w, true, &most);

	if (is_watched(&w->watch)) {
		*shared = 0;
	} else if (most > *shared) {
		slot->held = 0;
		*shared = mote_session_fork(s->session, mote_scheduler_sequence(s, source),
					    mote_scheduler_sequence(s, slot), most, NULL) ? 0 : most;
	}
	return slot;
}

bool mote_scheduler_give_up(struct mote_scheduler *s)
{
	struct mote_slot *oldest = NULL;

	for (uint32_t i = 0; i < s->slots; i++) {
		struct mote_slot *slot = &s->slot[i];

		if (!slot->ticket && slot->held && (!oldest || slot->last_used < oldest->last_used))
			oldest = slot;
	}
	if (!oldest || mote_session_trim(s->session, mote_scheduler_sequence(s, oldest), 0, NULL))
		return false;
	oldest->held = 0;
	return true;
}

void mote_scheduler_admit(struct mote_scheduler *s)
{
	while (s->first && s->n_running < s->slots) {
		struct waiting *w = s->first;
		uint32_t shared = 0;
		struct mote_slot *slot = take_slot(s, w, &shared);

		slot->taker = w->taker;
		slot->watch = w->watch;
		slot->prompt = w->count;
		slot->ticket = slot->last_used = w->ticket;
		slot->cancelled = false;
		slot->guesses = 0;
		slot->guess_counts = (struct mote_guess_counts){0};
		mote_lookup_begin(&slot->lookup);
		slot->held = slot->shared = shared;
		slot->count = w->count;
		memcpy(slot->ids, w->ids, w->count * sizeof *w->ids);
		s->counts.shared_rows += shared;
		s->running[s->n_running++] = mote_scheduler_sequence(s, slot);
		s->first = w->next;
		if (!s->first)
			s->last = &s->first;
		s->n_waiting--;
		free(w);
	}
}
