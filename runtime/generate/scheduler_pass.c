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
		s->want[row] = at + 1 >= slot->count || slot->watch.logits;
	}
	if (slot->watch.state && slot->held < slot->prompt)
		batch->hidden = s->states;
}

/* Most rows of prompts in a pass beside so many answers that are being written. S rows more make a pass of W rows
 * 1 + cost S / (1 + cost (W - 1)) times as long. */
static uint32_t slice(const struct mote_scheduler *s, uint32_t writing)
{
	uint32_t most = s->batch_rows - writing, rows;

	if (!writing)
		return most;
	most = most < s->slice_rows ? most : s->slice_rows;
	if (!s->steady)
		return most;
	rows = (uint32_t)(1.5f * (1 / s->row_cost + (float)(writing - 1)) + 0.5f);
	return rows < most ? rows : most;
}

/* Rows of prompts that the pass will have. */
static uint32_t prompt_rows(const struct mote_scheduler *s, uint32_t writing)
{
	uint32_t rows = 0, most = slice(s, writing);

	for (uint32_t i = 0; i < s->n_running && rows < most; i++) {
		const struct mote_slot *slot = &s->slot[s->running[i]];

		if (slot->count - slot->held > 1)
			rows += slot->count - slot->held;
	}
	return rows < most ? rows : most;
}

/* What a pass is expected to bring, in ids, and its rows. */
struct outlook {
	float ids, rows;
};

/* Guesses for a slot that is writing, at most `room`. One more row makes the pass longer by row_cost, so a guess pays
 * when it is likelier to be right than the ids which the pass could have brought in that time; the guess behind it is
 * right only if it is, too. */
static void make_guesses(const struct mote_scheduler *s, struct mote_slot *slot, uint32_t room, struct outlook *o)
{
	float likely = 1;

	room = room < MOTE_LOOKUP_MOST ? room : MOTE_LOOKUP_MOST;
	room = room < s->context - slot->count ? room : s->context - slot->count;
	if (!mote_lookup_find(&slot->lookup, slot->ids, slot->count))
		return;
	while (slot->guesses < room) {
		likely *= mote_lookup_rate(&slot->lookup, slot->guesses);
		if (likely * (1 + s->row_cost * (o->rows - 1)) <= o->ids * s->row_cost)
			break;
		slot->ids[slot->count + slot->guesses] = mote_lookup_guess(&slot->lookup, slot->ids, slot->guesses);
		slot->guesses++;
		o->ids += likely;
		o->rows++;
	}
}

/* Writing slots get their guesses, all of them no more than there are logits to spare. Returns how many. */
static uint32_t guess(struct mote_scheduler *s)
{
	uint32_t guesses = 0, writing = 0;
	struct outlook o;

	for (uint32_t i = 0; i < s->n_running; i++)
		writing += s->slot[s->running[i]].count - s->slot[s->running[i]].held == 1;
	o.ids = o.rows = (float)(writing + prompt_rows(s, writing));
	for (uint32_t i = 0; i < s->n_running; i++) {
		struct mote_slot *slot = &s->slot[s->running[i]];
		uint32_t room = s->batch_rows - s->n_running - guesses, spare = s->spare_logits - guesses;

		slot->guesses = 0;
		if (s->lookup && slot->count - slot->held == 1 && slot->held >= slot->prompt)
			make_guesses(s, slot, room < spare ? room : spare, &o);
		guesses += slot->guesses;
	}
	return guesses;
}

/* First the answers that are being written, a row each and their guesses; what is left goes to prompts, the oldest
 * first. */
static struct mote_batch make_batch(struct mote_scheduler *s)
{
	struct mote_batch batch = {.token = s->token, .position = s->position, .sequence = s->sequence,
				   .want_logits = s->want, .proceed = s->proceed, .proceed_user = s->user};
	uint32_t left, spare = s->spare_logits, writing = 0;

	for (uint32_t i = 0; i < s->n_running; i++) {
		struct mote_slot *slot = &s->slot[s->running[i]];

		slot->confirmed = slot->count;
		if (slot->count - slot->held == 1) {
			put_rows(s, &batch, s->running[i], 1 + slot->guesses);
			spare -= slot->guesses;
			writing++;
		}
	}
	left = slice(s, writing);
	left = left < s->batch_rows - batch.rows ? left : s->batch_rows - batch.rows;
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

/* Gives an answer its logits; what it says next is its next id, and if that was guessed, the next row is its own. */
static void take_row(struct mote_scheduler *s, struct mote_slot *slot, uint32_t end, const float *logits)
{
	uint32_t at = slot->count;
	int32_t guessed = at < end ? slot->ids[at] : MOTE_ENDED, first = slot->ids[slot->lookup.from], id;

	if (slot->guesses && at > end - slot->guesses) {
		slot->guess_counts.right++;
		s->counts.guesses.right++;
	}
	id = slot->taker.take(slot->taker.user, logits);
	if (id < 0 || (uint32_t)id >= s->vocab || slot->count >= s->context) {
		if (!slot->cancelled) {
			slot->cancelled = true;
			s->n_cancelled++;
		}
		return;
	}
	slot->ids[slot->count++] = id;
	if (id == guessed)
		slot->confirmed++;
	if (at < end) /* of the guesses that were computed */
		mote_lookup_learn(&slot->lookup, at - (end - slot->guesses), id == guessed);
	else if (slot->lookup.match && slot->lookup.seen == at && !slot->guesses) /* of one that was not trusted */
		mote_lookup_learn(&slot->lookup, 0, id == first);
}

/* After a pass: what it computed is held, as far as it is right. */
static void keep_confirmed(struct mote_scheduler *s)
{
	for (uint32_t i = 0; i < s->n_running; i++) {
		struct mote_slot *slot = &s->slot[s->running[i]];

		if (slot->held <= slot->confirmed)
			continue;
		slot->held = slot->confirmed;
		(void)mote_session_trim(s->session, s->running[i], slot->held, NULL);
	}
}

/* The pass; where no page is free, without guesses, then without what free sequences hold. */
static enum mote_status run_pass(struct mote_scheduler *s, struct mote_batch *batch, const float **logits,
				 struct mote_error *error)
{
	uint32_t guesses = guess(s);
	enum mote_status status;

	*batch = make_batch(s);
	do {
		struct mote_error pass = {0};

		status = mote_session_forward(s->session, batch, logits, &pass);
		if (status == MOTE_ERROR_LIMIT && guesses) {
			for (uint32_t i = 0; i < s->n_running; i++)
				s->slot[s->running[i]].guesses = 0;
			guesses = 0;
			*batch = make_batch(s);
		} else if (status && (status != MOTE_ERROR_LIMIT || !mote_scheduler_give_up(s))) {
			return mote_error_set(error, status, "%s", pass.message);
		}
	} while (status);
	return MOTE_OK;
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
	if ((status = run_pass(s, &batch, &logits, error)))
		return status;
	s->counts.passes++;
	s->counts.rows += batch.rows;
	for (uint32_t row = 0; row < batch.rows; row++)
		s->slot[s->sequence[row]].held = s->position[row] + 1;
	for (uint32_t i = 0; i < s->n_running; i++) {
		s->slot[s->running[i]].guess_counts.made += s->slot[s->running[i]].guesses;
		s->counts.guesses.made += s->slot[s->running[i]].guesses;
	}
	for (uint32_t row = 0; row < batch.rows; row++) {
		struct mote_slot *slot = &s->slot[s->sequence[row]];
		bool right = s->position[row] < slot->confirmed;
		bool last = s->want[row] && s->position[row] + 1 == slot->count;

		if (!slot->cancelled && right) {
			watch_row(s, slot, row, logits);
			if (last)
				take_row(s, slot, slot->held, logits);
		}
		if (s->want[row])
			logits += s->vocab;
	}
	keep_confirmed(s);
	return MOTE_OK;
}
