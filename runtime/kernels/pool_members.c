/* See pool_members.h. Who takes part changes at a run's start and at a checkpoint, by the thread that arrives there
 * last, while all others wait.
 */
#include <time.h>

#include "format/clock.h"
#include "runtime/kernels/pool_members.h"

/* With what the system adds, some 0.1 ms. */
static void sleep_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* ---- members of a run ---- */

static bool becomes(struct mote_pool_worker *w, enum mote_pool_state from, enum mote_pool_state to)
{
	return atomic_compare_exchange_strong(&w->state, &from, to);
}

/* True: the thread waits, and joins. At a run's start who may be asleep does so only if everyone is needed; else it
 * asks for its place once it is awake, and nobody waits for it. */
static bool joins(struct mote_pool_worker *w, bool begins, bool everyone)
{
	for (;;) {
		if (becomes(w, MOTE_IDLE, MOTE_JOINING) || (!begins && becomes(w, MOTE_ASKING, MOTE_JOINING)))
			return true;
		if (!everyone)
			return false;
		if (becomes(w, MOTE_ASLEEP, MOTE_JOINING) || becomes(w, MOTE_ASKING, MOTE_JOINING))
			return true;
		sleep_briefly(); /* it is away */
	}
}

/* Called while no member computes: who waits is one from now on, who is leaving is none; but `last`, who calls this at
 * a checkpoint, stays if nobody else does. Returns how many join, who are to be admitted when everything else is
 * ready. */
static uint32_t change_members(struct mote_pool *p, struct mote_pool_worker *last, bool everyone)
{
	uint32_t members = 0, joining = 0;

	atomic_store(&p->wishes, false);
	for (struct mote_pool_worker *w = p->worker; w < p->worker + p->threads; w++) {
		bool is_new = joins(w, !last, everyone);

		if (w != last)
			(void)becomes(w, MOTE_LEAVING, MOTE_AWAY);
		if (is_new || atomic_load(&w->state) == MOTE_MEMBER) {
			w->rank = members++;
			w->joined = p->checkpoints;
		}
		joining += is_new;
	}
	if (last && atomic_load(&last->state) == MOTE_LEAVING) {
		last->rank = 0;
		atomic_store(&last->state, members ? MOTE_AWAY : MOTE_MEMBER);
		members += members == 0;
	}
	p->members = members;
	return joining;
}

/* Behind the last one nothing is looked at: from then on members can change again. */
static void admit(struct mote_pool *p, uint32_t joining)
{
	for (struct mote_pool_worker *w = p->worker; joining; w++)
		if (atomic_load(&w->state) == MOTE_JOINING) {
			joining--;
			atomic_store(&w->state, MOTE_MEMBER);
		}
	mote_gate_open(&p->start);
}

void mote_pool_gather(struct mote_pool *p)
{
	p->checkpoints = 0;
	admit(p, change_members(p, NULL, !p->member_fn));
}

/* The last one at a checkpoint. false: it has left. */
static bool pass_checkpoint(struct mote_pool_worker *w, unsigned phase)
{
	struct mote_pool *p = w->pool;
	uint32_t joining = 0;
	bool stays;

	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	p->checkpoints++;
	mote_pool_reset_lists(p, phase); /* before the gate opens, as this thread may be no member then */
	if (atomic_load(&p->wishes))
		joining = change_members(p, w, false);
	stays = atomic_load(&w->state) == MOTE_MEMBER;
	mote_gate_open(&p->barrier);
	if (joining)
		admit(p, joining);
	return stays;
}

bool mote_pool_checkpoint(struct mote_pool *p, struct mote_pool_member *m, bool may_leave)
{
	struct mote_pool_worker *w = &p->worker[m->thread];
	unsigned seen = atomic_load(&p->barrier.generation);
	uint32_t members = p->members;
	bool leaves;

	if (p->alone) {
		p->alone_next = 0;
		return true;
	}
	leaves = mote_slice_look(&w->slice, mote_clock_seconds(), w->slept) && may_leave;
	w->slept = false;
	if (leaves) {
		atomic_store(&w->state, MOTE_LEAVING);
		atomic_store(&p->wishes, true);
	}
	if (atomic_fetch_add(&p->arrived, 1) + 1 < members) {
		if (leaves)
			return false;
		mote_pool_wait_at_barrier(w, seen);
	} else if (!pass_checkpoint(w, seen)) {
		return false;
	}
	m->rank = w->rank;
	m->members = p->members;
	return true;
}

bool mote_pool_wait_to_join(struct mote_pool_worker *w)
{
	struct mote_pool *p = w->pool;

	for (;;) {
		unsigned seen = atomic_load(&p->start.generation);

		if (atomic_load(&w->state) == MOTE_MEMBER)
			return true;
		if (atomic_load(&p->closing) || (w->index == 0 && atomic_load(&p->over)))
			return false;
		if (mote_gate_spin(&p->waiting, &p->start, seen) ||
		    (!becomes(w, MOTE_IDLE, MOTE_ASLEEP) && atomic_load(&w->state) != MOTE_ASKING))
			continue;
		w->slept = true;
		mote_gate_sleep(&p->waiting, &p->start, seen, !w->away);
		if (becomes(w, MOTE_ASLEEP, MOTE_ASKING) || atomic_load(&w->state) == MOTE_ASKING)
			atomic_store(&p->wishes, true);
	}
}

bool mote_pool_take_part(struct mote_pool_worker *w)
{
	struct mote_pool *p = w->pool;
	struct mote_pool_member m = {.thread = w->index, .rank = w->rank, .members = p->members,
				     .passed = w->joined};
	double left;

	if (!p->member_fn) {
		p->fn(p->user, w->index, p->threads);
		return true;
	}
	mote_slice_begin(&w->slice, mote_clock_seconds(), w->slept && !w->away);
	w->slept = w->away = false;
	if (p->member_fn(p->user, &m))
		return true;
	w->away = true;
	left = mote_clock_seconds();
	sleep_briefly();
	mote_slice_given(&w->slice, left, mote_clock_seconds());
	while (atomic_load(&w->state) == MOTE_LEAVING) /* others have not arrived yet */
		sleep_briefly();
	atomic_store(&w->state, MOTE_ASKING);
	atomic_store(&p->wishes, true);
	return false;
}

void mote_pool_end_part(struct mote_pool_worker *w)
{
	struct mote_pool *p = w->pool;
	unsigned seen = atomic_load(&p->barrier.generation);
	uint32_t members = p->members;
	bool without_caller;

	if (w->index)
		atomic_store(&w->state, MOTE_IDLE);
	if (atomic_fetch_add(&p->arrived, 1) + 1 < members) {
		mote_pool_wait_at_barrier(w, seen);
		return;
	}
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	without_caller = atomic_load(&p->worker[0].state) != MOTE_MEMBER;
	mote_gate_open(&p->barrier);
	if (without_caller) {
		atomic_store(&p->over, true);
		mote_gate_open(&p->start);
	}
	mote_pool_reset_lists(p, seen);
}
