/* See pool.h. There are two waiting places: the start of a run, where also who joins one under way waits, and the
 * barrier. */
#include "runtime/kernels/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "runtime/kernels/pool_members.h"

void mote_pool_wait_at_barrier(struct mote_pool_worker *w, unsigned seen)
{
	struct mote_pool *p = w->pool;

	if (mote_gate_spin(&p->waiting, &p->barrier, seen))
		return;
	w->slept = true;
	atomic_fetch_add_explicit(&p->slept, 1, memory_order_relaxed);
	mote_gate_sleep(&p->waiting, &p->barrier, seen, true);
}

void mote_pool_reset_lists(struct mote_pool *p, unsigned phase)
{
	for (struct mote_pool_list *l = p->lists + phase % 2 * p->threads, *end = l + p->threads; l < end; l++)
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
		mote_pool_wait_at_barrier(&p->worker[thread], seen);
		return;
	}
	/* The last one: everybody else waits, so these stores race with nobody. */
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	mote_gate_open(&p->barrier);
	mote_pool_reset_lists(p, seen); /* not before, as whoever claimed last has those lines */
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

static void *worker_main(void *user)
{
	struct mote_pool_worker *w = user;

	while (mote_pool_wait_to_join(w))
		if (mote_pool_take_part(w))
			mote_pool_end_part(w);
	return NULL;
}

/* ---- runs ---- */

static void run_together(struct mote_pool *p)
{
	struct mote_pool_worker *caller = &p->worker[0];

	atomic_store(&p->over, false);
	atomic_store(&caller->state, MOTE_IDLE);
	mote_pool_gather(p);
	while (mote_pool_wait_to_join(caller))
		if (mote_pool_take_part(caller)) {
			mote_pool_end_part(caller);
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
	begin = mote_clock_seconds();
	if (alone) {
		run_alone(p, fn, user);
	} else {
		atomic_store_explicit(&p->slept, 0, memory_order_relaxed);
		p->alone = false;
		p->member_fn = fn;
		p->user = user;
		run_together(p);
	}
	mote_pace_learn(pace, alone, work, mote_clock_seconds() - begin);
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
