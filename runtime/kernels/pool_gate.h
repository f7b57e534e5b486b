/* Where the threads of a pool wait for each other: a number that waiters watch, first spinning, then asleep.
 * Internal to pool.c.
 *
 * No wake-up is lost: a waiter counts itself in `sleepers` before its sleep looks at the generation, the opener moves
 * the generation before it looks at `sleepers`, all sequentially consistent; so either the opener sees the sleeper or
 * the sleep sees the new generation.
 */
#ifndef MOTE_RUNTIME_POOL_GATE_H
#define MOTE_RUNTIME_POOL_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/portable.h"

/* Each hot word on cache lines of its own (pairs of lines are fetched together). */
struct mote_gate {
	_Alignas(128) atomic_uint generation;  /* how often it was opened */
	atomic_int opener;                     /* the core of the thread that opened it last */
	_Alignas(128) atomic_uint sleepers;
	struct mote_sleep sleep;
};

/* How the threads of a pool wait, at all of its gates. */
struct mote_waiting {
	_Alignas(128) atomic_uint misses;      /* waits in a row that ended asleep */
	uint32_t spins;
	bool spread;                           /* each thread can have a core of its own */
	struct mote_cpus cpus;                 /* that this process may use */
};

void mote_waiting_init(struct mote_waiting *how, uint32_t threads);

bool mote_gate_init(struct mote_gate *g); /* false: no memory */
void mote_gate_close(struct mote_gate *g);

/* Waits until the generation is not `seen` any more, awake; false: that was given up, and it is time to sleep. */
bool mote_gate_spin(struct mote_waiting *how, struct mote_gate *g, unsigned seen);
/* The same asleep. counts: this wait says something of how long others are to be waited for. */
void mote_gate_sleep(struct mote_waiting *how, struct mote_gate *g, unsigned seen, bool counts);
/* Lets all through who wait. */
void mote_gate_open(struct mote_gate *g);

#endif
