/* Thread pool: fork-join over a fixed set of workers, made for many short phases.
 *
 * One run() is one forward pass: every thread executes the same function and they meet at barriers. Waiting
 * spins for some microseconds, then sleeps on a futex, so that threads which share cores with others, or with
 * each other, do not burn the time that the one they wait for needs. What is claimed inside a phase evens out:
 * a thread whose core is taken holds up the rest by one item at most.
 * Nothing is allocated after open. One run at a time.
 */
#ifndef MOTE_RUNTIME_POOL_H
#define MOTE_RUNTIME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "format/status.h"

#define MOTE_MAX_THREADS 256u

struct mote_pool;

typedef void mote_pool_fn(void *user, uint32_t thread, uint32_t threads);

/* Starts threads - 1 workers; the caller of run() is thread 0. MOTE_ERROR_ARGUMENT: threads is 0 or beyond
 * the maximum; MOTE_ERROR_MEMORY: no memory or no thread. */
enum mote_status mote_pool_open(uint32_t threads, struct mote_pool **out, struct mote_error *error);
void mote_pool_close(struct mote_pool *p); /* NULL is fine */
uint32_t mote_pool_threads(const struct mote_pool *p);

/* Runs fn(user, thread, threads) on every thread and returns when all have. */
void mote_pool_run(struct mote_pool *p, mote_pool_fn *fn, void *user);

/* A thread in a run that need not have all of them. */
struct mote_pool_member {
	uint32_t thread;        /* 0 is the calling one */
	uint32_t rank, members; /* its number among those who take part now, and how many they are */
	uint32_t passed;        /* checkpoints that the run had passed when the thread joined it */
};

/* false: a checkpoint said that the thread has left. */
typedef bool mote_pool_member_fn(void *user, struct mote_pool_member *m);

/* The same for a run whose result does not depend on who takes part: on every thread, or on the calling one alone,
 * whichever took less time of late for runs of about this much work. Beside other processes, or where there is little
 * to do, meeting at barriers can cost more than the other threads are worth. The slower way is tried now and then: at
 * most half a percent of the time on a quiet machine, three where threads are kept waiting.
 *   work  what there is to do, in multiplications or anything else that time grows with */
void mote_pool_run_adaptive(struct mote_pool *p, uint64_t work, mote_pool_member_fn *fn, void *user);

/* Inside run_adaptive(), called by every member equally often: a barrier at which members may change, and with them m.
 * A thread whose core another process waits for leaves here, when it would soon lose the core in the midst of its work,
 * and joins again, at a later checkpoint or in a later run, when it has it back.
 * false: this thread has left, and returns false from its function without any further barrier.
 * may_leave: false for who is needed. */
bool mote_pool_checkpoint(struct mote_pool *p, struct mote_pool_member *m, bool may_leave);

/* For tests: from now on every thread leaves at every so many checkpoints, and no run is the calling thread's alone.
 * 0: as it was. */
void mote_pool_drill(struct mote_pool *p, uint32_t checkpoints);

/* Inside a run, called by every thread or member: returns when all have arrived; what they wrote is visible. */
void mote_pool_barrier(struct mote_pool *p, uint32_t thread);

/* Inside run(): 0, 1, 2, ... each given out once in a phase. A phase begins with run() or a barrier and
 * ends with the next barrier or run()'s end. */
uint32_t mote_pool_claim(struct mote_pool *p);

/* The same from one of several lists, each of which counts for itself: list < mote_pool_threads(). List 0 is that of
 * mote_pool_claim(). */
uint32_t mote_pool_claim_from(struct mote_pool *p, uint32_t list);

/* Cores that this process may use: physical ones (hyper-threads count once) within its affinity mask and its
 * control group's quota; at least 1. The default of -t. */
uint32_t mote_pool_physical_cores(void);

#endif
