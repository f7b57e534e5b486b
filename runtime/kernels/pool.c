/* Thread pool. Two waiting places, the start of a run and the barrier, are one mechanism: a
 * generation number that waiters watch, first spinning, then asleep.
 *
 * No wake-up is lost: a waiter counts itself in `sleepers` before its sleep looks at the generation, the
 * releaser moves the generation before it looks at `sleepers`, all sequentially consistent; so either the releaser
 * sees the sleeper or the sleep sees the new generation.
 */
#include "runtime/kernels/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format/portable.h"

/* Each hot word on cache lines of its own (pairs of lines are fetched together). */
struct gate {
	_Alignas(128) atomic_uint generation;
	atomic_int opener;                     /* the core of the thread that opened it last */
	_Alignas(128) atomic_uint sleepers;
	struct mote_sleep sleep;
};

/* What is to be claimed of a list. */
struct list {
	_Alignas(128) atomic_uint next;
};

struct worker {
	struct mote_pool *pool;
	uint32_t index;
	pthread_t thread;
};

/* How long runs of about the same work took, in seconds for each unit of it; 0: not known. The way in use is smoothed
 * over some sixteen runs, the other is what its last trial found. */
struct pace {
	double alone, together;
	uint32_t runs;                         /* since the last trial */
	uint32_t trial;                        /* runs left of the one under way */
	bool prefers_alone;
};

enum { PACES = 64 }; /* by the logarithm of the work */

struct mote_pool {
	struct gate start;                     /* opens when a run begins */
	struct gate barrier;
	_Alignas(128) atomic_uint arrived;     /* at the barrier */
	_Alignas(128) atomic_uint misses;      /* waits in a row that ended asleep */
	_Alignas(128) mote_pool_fn *fn;        /* of the current run; NULL: workers end */
	void *user;
	uint32_t threads, spins;
	uint32_t active;                       /* threads of the current run: all of them, or 1 */
	uint32_t alone_next;                   /* to claim, in a run of 1;
						* lists may still be reset by a worker of the run before */
	_Alignas(128) atomic_uint slept;       /* waits at a barrier that ended asleep, since the run began */
	struct pace pace[PACES];
	bool spread;                           /* each thread can have a core of its own */
	struct mote_cpus cpus;                 /* that this process may use */
	uint32_t started;                      /* workers that exist */
	struct list *lists;                    /* [2][threads]: of phases after an even and an odd number of barriers */
	struct worker *worker;
};

/* SPINS is about 50 microseconds: longer than a phase is uneven, shorter than a scheduler's slice. Where other
 * work takes the cores, the one waited for is often queued behind the very thread that spins; so after PATIENCE
 * waits in a row that ended asleep, threads spin only briefly, and every PROBE-th wait tries the long way again.
 * (Two threads beside one busy process on two cores: 125 tokens/s decoded instead of 35 to 85.) */
enum { SPINS = 4000, BRIEF_SPINS = 100, PATIENCE = 4, PROBE = 64 };

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Kernels that wake a thread on its waker's core may leave both there, with other cores idle, for as long as they
 * keep handing over to each other. (Two threads on two idle cores: one process in three ran at half speed.) So who
 * wakes up beside its waker moves, and is free to be moved again. */
static void leave_core_of_opener(struct mote_pool *p, struct gate *g)
{
	int here = mote_cpus_here();

	if (p->spread && here >= 0 && here == atomic_load_explicit(&g->opener, memory_order_relaxed))
		mote_cpus_leave(&p->cpus, here);
}

static void gate_wait(struct mote_pool *p, struct gate *g, unsigned seen)
{
	unsigned misses = atomic_load_explicit(&p->misses, memory_order_relaxed);
	bool patient = misses < PATIENCE || misses % PROBE == 0;
	uint32_t spins = patient ? p->spins : p->spins ? BRIEF_SPINS : 0;

	for (uint32_t i = 0; i < spins; i++) {
		if (atomic_load_explicit(&g->generation, memory_order_acquire) != seen) {
			if (patient && misses)
				atomic_store_explicit(&p->misses, 0, memory_order_relaxed);
			return;
		}
		pause_briefly();
	}
	atomic_store_explicit(&p->misses, misses + 1, memory_order_relaxed); /* a lost update does no harm */
	if (g == &p->barrier)
		atomic_fetch_add_explicit(&p->slept, 1, memory_order_relaxed);
	atomic_fetch_add(&g->sleepers, 1);
	while (atomic_load(&g->generation) == seen)
		mote_sleep_wait(&g->sleep, &g->generation, seen);
	atomic_fetch_sub(&g->sleepers, 1);
	leave_core_of_opener(p, g);
}

static void gate_open(struct gate *g)
{
	atomic_store_explicit(&g->opener, mote_cpus_here(), memory_order_relaxed);
	atomic_fetch_add(&g->generation, 1);
	if (atomic_load(&g->sleepers) > 0)
		mote_sleep_wake(&g->sleep, &g->generation);
}

void mote_pool_barrier(struct mote_pool *p)
{
	unsigned seen = atomic_load(&p->barrier.generation);

	if (p->active == 1) {
		p->alone_next = 0;
		return;
	}
	if (atomic_fetch_add(&p->arrived, 1) + 1 < p->threads) {
		gate_wait(p, &p->barrier, seen);
		return;
	}
	/* The last one: everybody else waits, so these stores race with nobody. */
	atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
	gate_open(&p->barrier);
	/* Not before, as whoever claimed last has that line. Nobody claims from it until two barriers on. */
	for (struct list *l = p->lists + seen % 2 * p->threads, *end = l + p->threads; l < end; l++)
		if (atomic_load_explicit(&l->next, memory_order_relaxed))
			atomic_store_explicit(&l->next, 0, memory_order_relaxed);
}

uint32_t mote_pool_claim(struct mote_pool *p)
{
	return mote_pool_claim_from(p, 0);
}

uint32_t mote_pool_claim_from(struct mote_pool *p, uint32_t list)
{
	unsigned phase = atomic_load_explicit(&p->barrier.generation, memory_order_relaxed) % 2;

	if (p->active == 1)
		return p->alone_next++;
	return atomic_fetch_add_explicit(&p->lists[phase * p->threads + list].next, 1, memory_order_relaxed);
}

static void *worker_main(void *user)
{
	const struct worker *w = user;
	struct mote_pool *p = w->pool;
	unsigned seen = 0;

	for (;;) {
		gate_wait(p, &p->start, seen++);
		if (!p->fn)
			return NULL;
		p->fn(p->user, w->index, p->threads);
		mote_pool_barrier(p);
	}
}

/* Workers stay asleep, or spin and go to sleep, at the start of the next run on all threads: that gate does not
 * move. */
static void run_alone(struct mote_pool *p, mote_pool_fn *fn, void *user)
{
	p->active = 1;
	p->alone_next = 0;
	fn(user, 0, 1);
}

void mote_pool_run(struct mote_pool *p, mote_pool_fn *fn, void *user)
{
	if (p->threads == 1) {
		run_alone(p, fn, user);
		return;
	}
	p->active = p->threads;
	p->fn = fn;
	p->user = user;
	gate_open(&p->start);
	fn(user, 0, p->threads);
	mote_pool_barrier(p);
}

/* ---- alone or together ---- */

/* TRIAL runs in a row are tried the other way, so that the first, for which threads must wake up or caches are cold,
 * does not decide. Work below LITTLE begins alone: some ten microseconds, which meeting at barriers does not shorten.
 * Runs of LONG seconds and more stay together: a thread that loses its core for a scheduler's slice holds them up by
 * little. PATIENT_RUNS pass before the first trial where nothing speaks for one. */
enum { TRIAL = 3, LITTLE = 4000000, PATIENT_RUNS = 256, LEAST_INTERVAL = 16, MOST_INTERVAL = 2048 };
static const double LONG = 0.2, SHORT = 150e-6, LOSS_QUIET = 0.005, LOSS_DISTURBED = 0.03;

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Is the other way to be tried now? After so many runs that what a trial loses is a small share of the time. */
static bool try_other(const struct pace *pace, double work, bool disturbed)
{
	double other = pace->prefers_alone ? pace->together : pace->alone;
	double used = pace->prefers_alone ? pace->alone : pace->together, runs;

	if (used == 0 || (pace->together * work > LONG && !pace->prefers_alone))
		return false;
	if (other == 0)
		return pace->runs >= (disturbed || used * work < SHORT ? LEAST_INTERVAL : PATIENT_RUNS);
	runs = TRIAL * (other / used - 1) / (disturbed ? LOSS_DISTURBED : LOSS_QUIET);
	return pace->runs >= LEAST_INTERVAL && (pace->runs >= MOST_INTERVAL || pace->runs >= runs);
}

static void learn(struct pace *pace, bool alone, bool trial, double took)
{
	double *known = alone ? &pace->alone : &pace->together;

	if (!trial || *known == 0)
		*known = *known == 0 ? took : *known + (took - *known) / 16;
	else if (pace->trial == TRIAL - 2) /* the first after its warm-up */
		*known = took;
	else if (pace->trial < TRIAL - 2)
		*known = (*known + took) / 2;
	if (pace->trial == 0 && pace->alone > 0 && pace->together > 0)
		pace->prefers_alone = pace->alone < pace->together;
}

void mote_pool_run_adaptive(struct mote_pool *p, uint64_t work, mote_pool_fn *fn, void *user)
{
	struct pace *pace = &p->pace[work ? 63 - __builtin_clzll(work) : 0];
	bool disturbed, trial, alone;
	double begin;

	if (p->threads == 1) {
		run_alone(p, fn, user);
		return;
	}
	if (pace->alone == 0 && pace->together == 0)
		pace->prefers_alone = work < LITTLE;
	disturbed = atomic_load_explicit(&p->slept, memory_order_relaxed) > 0;
	if (pace->trial == 0 && try_other(pace, (double)work, disturbed)) {
		pace->trial = TRIAL;
		pace->runs = 0;
	}
	trial = pace->trial > 0;
	alone = pace->prefers_alone != trial;
	begin = seconds();
	if (alone) {
		run_alone(p, fn, user);
	} else {
		atomic_store_explicit(&p->slept, 0, memory_order_relaxed);
		mote_pool_run(p, fn, user);
	}
	if (trial)
		pace->trial--;
	else
		pace->runs++;
	learn(pace, alone, trial, (seconds() - begin) / (work ? (double)work : 1));
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
	if (!mote_sleep_init(&p->start.sleep) || !mote_sleep_init(&p->barrier.sleep)) {
		free(p);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "thread pool: out of memory");
	}
	p->threads = threads;
	/* With more threads than cores the one waited for may need this very core. */
	p->spins = (long)threads <= sysconf(_SC_NPROCESSORS_ONLN) ? SPINS : 0;
	p->spread = mote_cpus_allowed(&p->cpus) && p->cpus.count >= threads;
	p->worker = calloc(threads, sizeof *p->worker);
	p->lists = aligned_alloc(128, 2 * threads * sizeof *p->lists);
	if (p->lists)
		memset(p->lists, 0, 2 * threads * sizeof *p->lists);
	if (!p->worker || !p->lists) {
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "thread pool: out of memory");
		goto fail;
	}
	for (uint32_t i = 1; i < threads; i++) {
		p->worker[i] = (struct worker){.pool = p, .index = i};
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

void mote_pool_close(struct mote_pool *p)
{
	if (!p)
		return;
	p->fn = NULL;
	gate_open(&p->start);
	for (uint32_t i = 1; i <= p->started; i++)
		pthread_join(p->worker[i].thread, NULL);
	mote_sleep_close(&p->start.sleep);
	mote_sleep_close(&p->barrier.sleep);
	free(p->worker);
	free(p->lists);
	free(p);
}

uint32_t mote_pool_threads(const struct mote_pool *p)
{
	return p->threads;
}
