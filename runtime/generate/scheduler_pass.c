/* One forward pass: what goes into its batch, and who gets what comes out. */
#include "runtime/generate/scheduler_internal.h"

/* Puts the slot's next n ids into the batch. */
static void put_rows(struct mote_scheduler *s, struct mote_batch *batch, uint32_t index, uint32_t n)
{
	const struct mote_slot *slot = &s->slot[index];

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
		const struct mote_slot *slot = &s->slot[s->running[i]];

		if (slot->count - slot->held == 1)
			put_rows(s, &batch, s->running[i], 1);
	}
	left = s->batch_rows - batch.rows;
	if (batch.rows && left > s->slice_rows)
		left = s->slice_rows;
	for (uint32_t i = 0; i < s->n_running && left; i++) {
		const struct mote_slot *slot = &s->slot[s->running[i]];
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
static void watch_row(const struct mote_scheduler *s, const struct mote_slot *slot, uint32_t row, const float *logits)
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
static void take_row(struct mote_scheduler *s, struct mote_slot *slot, const float *logits)
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

	mote_scheduler_sweep(s);
	mote_scheduler_admit(s);
	if (s->n_running == 0)
		return MOTE_OK;
	batch = make_batch(s);
	do {
		struct mote_error pass = {0};

		status = mote_session_forward(s->session, &batch, &logits, &pass);
		if (status && (status != MOTE_ERROR_LIMIT || !mote_scheduler_give_up(s)))
			return mote_error_set(error, status, "%s", pass.message);
	} while (status);
	s->counts.passes++;
	s->counts.rows += batch.rows;
	for (uint32_t row = 0; row < batch.rows; row++)
		s->slot[s->sequence[row]].held = s->position[row] + 1;
	for (uint32_t row = 0; row < batch.rows; row++) {
		struct mote_slot *slot = &s->slot[s->sequence[row]];
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
