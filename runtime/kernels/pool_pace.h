/* What a thread pool learns from the clock: whether runs of some size are faster on one thread or on all, and when a
 * thread is about to lose its core to another process. Internal to pool.c. Times are in seconds.
 */
#ifndef MOTE_RUNTIME_POOL_PACE_H
#define MOTE_RUNTIME_POOL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* How long runs of about the same work took, in seconds for each unit of it; 0: not known. The way in use is smoothed
 * over up to sixty-four runs, the other is what its last trial found. */
struct mote_pace {
	double alone, together;
	uint32_t learned;                      /* runs that the average of the way in use is of */
	uint32_t runs;                         /* since the last trial */
	uint32_t trial;                        /* runs left of the one under way */
	bool prefers_alone;
};

/* Is the next run to be done by one thread? disturbed: threads were kept waiting of late. */
bool mote_pace_alone(struct mote_pace *pace, uint64_t work, bool disturbed);
/* It took so long. */
void mote_pace_learn(struct mote_pace *pace, bool alone, uint64_t work, double took);

/* How a thread shares its core. Beside another process the system gives a core to each of them for some milliseconds
 * in turn. A thread that loses it in the midst of a piece of work keeps all others waiting for as long; one that
 * sleeps briefly when its time is nearly over, and holds nothing, does not. */
struct mote_slice {
	double last;                           /* when it was looked at last; 0: never */
	double since;                          /* when the thread got the core */
	double given;                          /* when it gave it away last */
	double lasts;                          /* a slice, in seconds; 0: the core is the thread's own */
	double usual;                          /* between two looks while the thread has the core */
	uint32_t calm;                         /* times in a row that it was given away and nobody took it */
	uint32_t drill, looks;                 /* mote_pool_drill() */
};

/* The thread begins work that is looked at often; slept: after it gave its core away. */
void mote_slice_begin(struct mote_slice *s, double now, bool slept);
/* Between two pieces of work; slept: the thread gave its core away meanwhile. true: this is the time to do so. */
bool mote_slice_look(struct mote_slice *s, double now, bool slept);
/* It did, and has a core again. */
void mote_slice_given(struct mote_slice *s, double from, double to);

#endif
