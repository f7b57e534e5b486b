/* See pool.h. There are two waiting places: the start of a run, where also who joins one under way waits, and the
 * barrier. Who takes part changes at a checkpoint only, by the thread that arrives last, while all others wait.
 */
#include "runtime/kernels/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/kernels/pool_gate.h"
#include "runtime/kernels/pool_pace.h"

/* What is to be claimed of a list. */
struct list {
	_Alignas(128) atomic_uint next;
};

/* What a thread is to the run under way. IDLE: it waits for one awake, or has done its share of this one. ASKING: it
 * was asleep when the run began, or left it; it may be asleep again. */
enum state { IDLE, ASLEEP, ASKING, JOINING, MEMBER, LEAVING, AWAY };

/* A thread of the pool; number 0 is whoever calls run(). */
struct worker {
	_Alignas(128) struct mote_pool *pool;
	uint32_t index;
	pthread_t thread;
	/* Who waits becomes JOINING, then MEMBER, and who is LEAVING becomes AWAY by whoever changes the members; all
	 * else is the thread's. */
	_Atomic enum state state;
	uint32_t rank, joined;                 /* of a member: among the members; after so many checkpoints */
	bool slept;                            /* since it looked at its slice */
	bool away;                             /* it left a run and has not joined one since */
	struct mote_slice slice;
};

enum { PACES = 64 };

struct mote_pool {
	struct mote_gate start;                    /* opens when a run begins */
	struct mote_gate barrier;
	_Alignas(128) atomic_uint arrived;     /* at the barrier */
	_Alignas(128) struct mote_waiting waiting;
	_Alignas(128) mote_pool_fn *fn;        /* of the current run, if it is for all threads */
	mote_pool_member_fn *member_fn;        /* else, if it is for those who have time */
	void *user;
	uint32_t threads;
	uint32_t members;                      /* of the current run */
	uint32_t checkpoints;                  /* of it, passed */
	bool alone;                            /* it is the calling thread's */
	uint32_t alone_next;                   /* to claim then;
						* lists may still be reset by a worker of the run before */
	_Alignas(128) atomic_uint slept;       /* waits at a barrier that ended asleep, since the run began */
	_Alignas(128) atomic_bool wishes;      /* somebody wants to leave or to join */
	atomic_bool over;                      /* the run has ended, without the caller */
	atomic_bool closing;
	struct mote_pace pace[PACES];          /* by the logarithm of the work */
	uint32_t started;                      /* workers that exist */
	struct list *lists;                    /* [2][threads]: of phases after an even and an odd number of barriers */
	struct worker *worker;
};

/* Of a clock that never goes back. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* With what the system adds, some 0.1 ms. */
static void sleep_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

static void wait_at_barrier(struct worker *w, unsigned seen)
{
	struct mote_pool *p = w->pool;

	if (mote_gate_spin(&p->waiting, &p->barrier, seen))
		return;
	w->slept = true;
	atomic_fetch_add_explicit(&p->slept, 1, memory_order_relaxed);
	mote_gate_sleep(&p->waiting, &p->barrier, seen, true);
}

/* Lists of the phase that ended when the barrier's generation was `phase`. Nobody claims from them until two barriers
 * on. */
static void reset_lists(struct mote_pool *p, unsigned phase)
{
	for (struct list *l = p->lists + phase % 2 * p->threads, *end = l + p->threads; l < end; l++)
		if (atomic_load_explicit(&l->next, memory_order_relaxed))
			atomic_store_explicit(&l->next, 0, memory_order_relaxed);
}

void mote_pool_barrier(struct mote_pool *p, uint32_t thread)
{
	unsigned seen = atomic_load(&p->barrier.generation);

	if (p->alone) {
		p->alone_next = 0;
		return;
	}
	if (atomic_fetch_add(&p->arrived, 1) + 1 < p->members) {
		wait_at_barrier(&p->worker[thread], seen);
		return;
	}
	/* The last one: everybody else waits, so these stores race with nobody. */
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	mote_gate_open(&p->barrier);
	reset_lists(p, seen); /* not before, as whoever claimed last has those lines */
}

uint32_t mote_pool_claim(struct mote_pool *p)
{
	return mote_pool_claim_from(p, 0);
}

uint32_t mote_pool_claim_from(struct mote_pool *p, uint32_t list)
{
	unsigned phase = atomic_load_explicit(&p->barrier.generation, memory_order_relaxed) % 2;

	if (p->alone)
		return p->alone_next++;
	return atomic_fetch_add_explicit(&p->lists[phase * p->threads + list].next, 1, memory_order_relaxed);
}

/* ---- members of a run ---- */

static bool becomes(struct worker *w, enum state from, enum state to)
{
	return atomic_compare_exchange_strong(&w->state, &from, to);
}

/* True: the thread waits, and joins. At a run's start who may be asleep does so only if everyone is needed; else it
 * asks for its place once it is awake, and nobody waits for it. */
static bool joins(struct worker *w, bool begins, bool everyone)
{
	for (;;) {
		if (becomes(w, IDLE, JOINING) || (!begins && becomes(w, ASKING, JOINING)))
			return true;
		if (!everyone)
			return false;
		if (becomes(w, ASLEEP, JOINING) || becomes(w, ASKING, JOINING))
			return true;
		sleep_briefly(); /* it is away */
	}
}

/* Called while no member computes: who waits is one from now on, who is leaving is none; but `last`, who calls this at
 * a checkpoint, stays if nobody else does. Returns how many join, who are to be admitted when everything else is
 * ready. */
static uint32_t change_members(struct mote_pool *p, struct worker *last, bool everyone)
{
	uint32_t members = 0, joining = 0;

	atomic_store(&p->wishes, false);
	for (struct worker *w = p->worker; w < p->worker + p->threads; w++) {
		bool is_new = joins(w, !last, everyone);

		if (w != last)
			(void)becomes(w, LEAVING, AWAY);
		if (is_new || atomic_load(&w->state) == MEMBER) {
			w->rank = members++;
			w->joined = p->checkpoints;
		}
		joining += is_new;
	}
	if (last && atomic_load(&last->state) == LEAVING) {
		last->rank = 0;
		atomic_store(&last->state, members ? AWAY : MEMBER);
		members += members == 0;
	}
	p->members = members;
	return joining;
}

/* Behind the last one nothing is looked at: from then on members can change again. */
static void admit(struct mote_pool *p, uint32_t joining)
{
	for (struct worker *w = p->worker; joining; w++)
		if (atomic_load(&w->state) == JOINING) {
			joining--;
			atomic_store(&w->state, MEMBER);
		}
	mote_gate_open(&p->start);
}

/* The last one at a checkpoint. false: it has left. */
static bool pass_checkpoint(struct worker *w, unsigned phase)
{
	struct mote_pool *p = w->pool;
	uint32_t joining = 0;
	bool stays;

	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	p->checkpoints++;
	reset_lists(p, phase); /* before the gate opens, as this thread may be no member then */
	if (atomic_load(&p->wishes))
		joining = change_members(p, w, false);
	stays = atomic_load(&w->state) == MEMBER;
	mote_gate_open(&p->barrier);
	if (joining)
		admit(p, joining);
	return stays;
}

bool mote_pool_checkpoint(struct mote_pool *p, struct mote_pool_member *m, bool may_leave)
{
	struct worker *w = &p->worker[m->thread];
	unsigned seen = atomic_load(&p->barrier.generation);
	uint32_t members = p->members;
	bool leaves;

	if (p->alone) {
		p->alone_next = 0;
		return true;
	}
	leaves = mote_slice_look(&w->slice, seconds(), w->slept) && may_leave;
	w->slept = false;
	if (leaves) {
		atomic_store(&w->state, LEAVING);
		atomic_store(&p->wishes, true);
	}
	if (atomic_fetch_add(&p->arrived, 1) + 1 < members) {
		if (leaves)
			return false;
		wait_at_barrier(w, seen);
	} else if (!pass_checkpoint(w, seen)) {
		return false;
	}
	m->rank = w->rank;
	m->members = p->members;
	return true;
}

/* Until this thread is a member. false: the pool closes, or the run is over. */
static bool wait_to_join(struct worker *w)
{
	struct mote_pool *p = w->pool;

	for (;;) {
		unsigned seen = atomic_load(&p->start.generation);

		if (atomic_load(&w->state) == MEMBER)
			return true;
		if (atomic_load(&p->closing) || (w->index == 0 && atomic_load(&p->over)))
			return false;
		if (mote_gate_spin(&p->waiting, &p->start, seen) ||
		    (!becomes(w, IDLE, ASLEEP) && atomic_load(&w->state) != ASKING))
			continue;
		w->slept = true;
		mote_gate_sleep(&p->waiting, &p->start, seen, !w->away);
		if (becomes(w, ASLEEP, ASKING) || atomic_load(&w->state) == ASKING)
			atomic_store(&p->wishes, true);
	}
}

/* Does a member's share of the run. false: it has left, and asks to join again. */
static bool take_part(struct worker *w)
{
	struct mote_pool *p = w->pool;
	struct mote_pool_member m = {.thread = w->index, .rank = w->rank, .members = p->members,
				     .passed = w->joined};
	double left;

	if (!p->member_fn) {
		p->fn(p->user, w->index, p->threads);
		return true;
	}
	mote_slice_begin(&w->slice, seconds(), w->slept && !w->away);
	w->slept = w->away = false;
	if (p->member_fn(p->user, &m))
		return true;
	w->away = true;
	left = seconds();
	sleep_briefly();
	mote_slice_given(&w->slice, left, seconds());
	while (atomic_load(&w->state) == LEAVING) /* others have not arrived yet */
		sleep_briefly();
	atomic_store(&w->state, ASKING);
	atomic_store(&p->wishes, true);
	return false;
}

/* Nobody joins or leaves any more, as no checkpoint follows. */
static void end_part(struct worker *w)
{
	struct mote_pool *p = w->pool;
	unsigned seen = atomic_load(&p->barrier.generation);
	uint32_t members = p->members;
	bool without_caller;

	if (w->index)
		atomic_store(&w->state, IDLE);
	if (atomic_fetch_add(&p->arrived, 1) + 1 < members) {
		wait_at_barrier(w, seen);
		return;
	}
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	without_caller = atomic_load(&p->worker[0].state) != MEMBER;
	mote_gate_open(&p->barrier);
	if (without_caller) {
		atomic_store(&p->over, true);
		mote_gate_open(&p->start);
	}
	reset_lists(p, seen);
}

static void *worker_main(void *user)
{
	struct worker *w = user;

	while (wait_to_join(w))
		if (take_part(w))
			end_part(w);
	return NULL;
}
/* ---- runs ---- */

static void run_together(struct mote_pool *p)
{
	struct worker *caller = &p->worker[0];

	atomic_store(&p->over, false);
	p->checkpoints = 0;
	atomic_store(&caller->state, IDLE);
	admit(p, change_members(p, NULL, !p->member_fn));
	while (wait_to_join(caller))
		if (take_part(caller)) {
			end_part(caller);
			return;
		}
}

void mote_pool_run(struct mote_pool *p, mote_pool_fn *fn, void *user)
{
	p->alone = p->threads == 1;
	if (p->alone) {
		p->alone_next = 0;
		fn(user, 0, 1);
		return;
	}
	p->fn = fn;
	p->member_fn = NULL;
	p->user = user;
	run_together(p);
}

/* Workers stay asleep, or spin and go to sleep, at the start gate, which does not move. */
static void run_alone(struct mote_pool *p, mote_pool_member_fn *fn, void *user)
{
	p->alone = true;
	p->alone_next = 0;
	(void)fn(user, &(struct mote_pool_member){.members = 1});
}

void mote_pool_run_adaptive(struct mote_pool *p, uint64_t work, mote_pool_member_fn *fn, void *user)
{
	struct mote_pace *pace = &p->pace[work ? 63 - __builtin_clzll(work) : 0];
	bool alone;
	double begin;

	if (p->threads == 1) {
		run_alone(p, fn, user);
		return;
	}
	alone = !p->worker[0].slice.drill &&
		mote_pace_alone(pace, work, atomic_load_explicit(&p->slept, memory_order_relaxed) > 0);
	begin = seconds();
	if (alone) {
		run_alone(p, fn, user);
	} else {
		atomic_store_explicit(&p->slept, 0, memory_order_relaxed);
		p->alone = false;
		p->member_fn = fn;
		p->user = user;
		run_together(p);
	}
	mote_pace_learn(pace, alone, work, seconds() - begin);
}

enum mote_status mote_pool_open(uint32_t threads, struct mote_pool **out, struct mote_error *error)
{
	struct mote_pool *p;
	size_t bytes = (sizeof *p + 127) / 128 * 128;

	*out = NULL;
	if (threads == 0 || threads > MOTE_MAX_THREADS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u threads: expected 1 to %u", threads,
				      MOTE_MAX_THREADS);
	p = aligned_alloc(128, bytes);
	if (!p)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "thread pool: out of memory");
	memset(p, 0, bytes);
	if (!mote_gate_init(&p->start) || !mote_gate_init(&p->barrier)) {
		free(p);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "thread pool: out of memory");
	}
	p->threads = threads;
	mote_waiting_init(&p->waiting, threads);
	p->worker = aligned_alloc(128, threads * sizeof *p->worker);
	p->lists = aligned_alloc(128, 2 * threads * sizeof *p->lists);
	if (p->lists)
		memset(p->lists, 0, 2 * threads * sizeof *p->lists);
	if (p->worker)
		memset(p->worker, 0, threads * sizeof *p->worker);
	if (!p->worker || !p->lists) {
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "thread pool: out of memory");
		goto fail;
	}
	for (uint32_t i = 0; i < threads; i++) {
		p->worker[i].pool = p;
		p->worker[i].index = i;
	}
	for (uint32_t i = 1; i < threads; i++) {
		if (pthread_create(&p->worker[i].thread, NULL, worker_main, &p->worker[i]) != 0) {
			(void)mote_error_set(error, MOTE_ERROR_MEMORY,
					     "thread pool: cannot start thread %u of %u", i, threads);
			goto fail;
		}
		p->started++;
	}
	*out = p;
	return MOTE_OK;
fail:
	mote_pool_close(p);
	return MOTE_ERROR_MEMORY;
}

void mote_pool_drill(struct mote_pool *p, uint32_t checkpoints)
{
	for (uint32_t i = 0; i < p->threads; i++)
		p->worker[i].slice.drill = checkpoints;
}

void mote_pool_close(struct mote_pool *p)
{
	if (!p)
		return;
	atomic_store(&p->closing, true);
	mote_gate_open(&p->start);
	for (uint32_t i = 1; i <= p->started; i++)
		pthread_join(p->worker[i].thread, NULL);
	mote_gate_close(&p->start);
	mote_gate_close(&p->barrier);
	free(p->worker);
	free(p->lists);
	free(p);
}

uint32_t mote_pool_threads(const struct mote_pool *p)
{
	return p->threads;
}
