/* What engine.c, which those who ask call, shares with engine_run.c, the thread.
 *
 * One mutex guards the queue, the jobs' fields below the line and the figures. The thread holds it while it takes jobs
 * in and hands pieces out, and not during a pass. A job is touched by the thread only while it is queued or has running
 * choices; mote_engine_release() waits for neither to be the case.
 */
#ifndef MOTE_RUNTIME_SERVE_ENGINE_INTERNAL_H
#define MOTE_RUNTIME_SERVE_ENGINE_INTERNAL_H

#include <pthread.h>

#include "runtime/serve/engine.h"

/* A choice in its place. */
struct run {
	struct mote_job *job;          /* NULL: the place is free */
	struct mote_lm_answer *answer;
	uint32_t choice;
	size_t scored;                 /* tokens whose log-probabilities were handed out */
	double *sum;                   /* hidden, then [hidden] of the prompt's states; or NULL */
	uint64_t number;
};

struct mote_engine {
	const struct mote_lm *lm;
	struct mote_lm_session *session;
	uint32_t sequences, queue, hidden;
	pthread_t thread;
	bool started, draining, stopping;
	pthread_mutex_t lock;
	pthread_cond_t work;           /* something came, or it is time to stop */
	struct run *run;               /* [sequences] */
	struct mote_place *place;      /* [sequences] */
	struct mote_job *first, **last;
	uint32_t waiting, running;
	struct mote_engine_figures figures;
};

/* The thread, until e->stopping; user is the engine. */
void *mote_engine_work(void *user);
/* Under the lock: every choice of a job that waits and is not in a place ends without having begun. */
void mote_engine_end_queued(struct mote_engine *e, struct mote_job *job, int status, const char *message);

#endif
