/* See pool_gate.h. */
#include "runtime/kernels/pool_gate.h"

#include <unistd.h>

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
static void leave_core_of_opener(const struct mote_waiting *how, struct mote_gate *g)
{
	int here = mote_cpus_here();

	if (how->spread && here >= 0 && here == atomic_load_explicit(&g->opener, memory_order_relaxed))
		mote_cpus_leave(&how->cpus, here);
}

void mote_waiting_init(struct mote_waiting *how, uint32_t threads)
{
	/* With more threads than cores the one waited for may need this very core. */
	how->spins = (long)threads <= sysconf(_SC_NPROCESSORS_ONLN) ? SPINS : 0;
	how->spread = mote_cpus_allowed(&how->cpus) && how->cpus.count >= threads;
}

bool mote_gate_init(struct mote_gate *g)
{
	return mote_sleep_init(&g->sleep);
}

void mote_gate_close(struct mote_gate *g)
{
	mote_sleep_close(&g->sleep);
}

bool mote_gate_spin(struct mote_waiting *how, struct mote_gate *g, unsigned seen)
{
	unsigned misses = atomic_load_explicit(&how->misses, memory_order_relaxed);
	bool patient = misses < PATIENCE || misses % PROBE == 0;
	uint32_t spins = patient ? how->spins : how->spins ? BRIEF_SPINS : 0;

	for (uint32_t i = 0; i < spins; i++) {
		if (atomic_load_explicit(&g->generation, memory_order_acquire) != seen) {
			if (patient && misses)
				atomic_store_explicit(&how->misses, 0, memory_order_relaxed);
			return true;
		}
		pause_briefly();
	}
	return false;
}

void mote_gate_sleep(struct mote_waiting *how, struct mote_gate *g, unsigned seen, bool counts)
{
	unsigned misses = atomic_load_explicit(&how->misses, memory_order_relaxed);

	if (counts)
		atomic_store_explicit(&how->misses, misses + 1, memory_order_relaxed); /* a lost update does no harm */
	atomic_fetch_add(&g->sleepers, 1);
	while (atomic_load(&g->generation) == seen)
		mote_sleep_wait(&g->sleep, &g->generation, seen);
	atomic_fetch_sub(&g->sleepers, 1);
	leave_core_of_opener(how, g);
}

void mote_gate_open(struct mote_gate *g)
{
	atomic_store_explicit(&g->opener, mote_cpus_here(), memory_order_relaxed);
	atomic_fetch_add(&g->generation, 1);
	if (atomic_load(&g->sleepers) > 0)
		mote_sleep_wake(&g->sleep, &g->generation);
}
