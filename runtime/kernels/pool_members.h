/* A thread pool inside, and who takes part in its runs: threads join and leave a run at its checkpoints. Internal to
 * pool.c and pool_members.c.
 */
#ifndef MOTE_RUNTIME_POOL_MEMBERS_H
#define MOTE_RUNTIME_POOL_MEMBERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/kernels/pool.h"
#include "runtime/kernels/pool_gate.h"
#include "runtime/kernels/pool_pace.h"

/* What is to be claimed of a list. */
struct mote_pool_list {
	_Alignas(128) atomic_uint next;
};

/* What a thread is to the run under way. */
enum mote_pool_state {
	MOTE_IDLE,      /* waits for one awake, or has done its share of this one */
	MOTE_ASLEEP,    /* waits for one */
	MOTE_ASKING,    /* was asleep when it began, or left it, and wants to join; may be asleep again */
	MOTE_JOINING,   /* is counted, and not admitted yet */
	MOTE_MEMBER,
	MOTE_LEAVING,   /* has arrived at a checkpoint for the last time, while others have not */
	MOTE_AWAY       /* has left, and not come back */
};

/* A thread of the pool; number 0 is whoever calls run(). */
struct mote_pool_worker {
	_Alignas(128) struct mote_pool *pool;
	uint32_t index;
	pthread_t thread;
	/* Who waits becomes JOINING, then MEMBER, and who is LEAVING becomes AWAY by whoever changes the members; all
	 * else is the thread's. */
	_Atomic enum mote_pool_state state;
	uint32_t rank, joined;                 /* of a member: among the members; after so many checkpoints */
	bool slept;                            /* since it looked at its slice */
	bool away;                             /* it left a run and has not joined one since */
	struct mote_slice slice;
};

enum { MOTE_POOL_PACES = 64 };

struct mote_pool {
	struct mote_gate start;                /* opens when a run begins */
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
	struct mote_pace pace[MOTE_POOL_PACES]; /* by the logarithm of the work */
	uint32_t started;                      /* workers that exist */
	struct mote_pool_list *lists;          /* [2][threads]: of phases after an even and an odd number of barriers */
	struct mote_pool_worker *worker;
};

/* ---- pool.c ---- */

void mote_pool_wait_at_barrier(struct mote_pool_worker *w, unsigned seen);
/* Lists of the phase that ended when the barrier's generation was `phase`. Nobody claims from them until two barriers
 * on. */
void mote_pool_reset_lists(struct mote_pool *p, unsigned phase);

/* ---- pool_members.c ---- */

/* A run begins: those who wait become its members; all threads, where it is for all. */
void mote_pool_gather(struct mote_pool *p);
/* Until this thread is a member. false: the pool closes, or the run is over. */
bool mote_pool_wait_to_join(struct mote_pool_worker *w);
/* Does a member's share of the run. false: it has left, and asks to join again. */
bool mote_pool_take_part(struct mote_pool_worker *w);
/* The end of a member's share. Nobody joins or leaves any more, as no checkpoint follows. */
void mote_pool_end_part(struct mote_pool_worker *w);

#endif
