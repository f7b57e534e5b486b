/* What the products' kernel does at best on this machine: see passes.h. */
#include <string.h>

#include "format/clock.h"
#include "quant/train/passes.h"

enum { DEPTH = 128, TILES = 256 };   /* a tile's A, B and C lie in the first-level cache;
				      * as many between two looks at the clock */

struct peak {
	const struct mote_passes *p;
	double seconds;
};

/* Leaves the operations per second where its scratch begins. */
static void run_tiles(void *user, uint32_t thread, uint32_t threads)
{
	const struct peak *j = user;
	float *b = j->p->scratch + thread * j->p->scratch_floats, *a = b + DEPTH * MOTE_GEMM_COLS;
	float *c = a + DEPTH * MOTE_GEMM_ROWS;
	struct mote_tile t = {.a = a, .a_row = DEPTH, .a_col = 1, .b = b, .c = c, .c_row = MOTE_GEMM_COLS,
			      .rows = MOTE_GEMM_ROWS, .depth = DEPTH, .add = true};
	double began, passed, done = 0;

	(void)threads;
	memset(b, 0, (DEPTH * (MOTE_GEMM_COLS + MOTE_GEMM_ROWS) + MOTE_GEMM_ROWS * MOTE_GEMM_COLS) * sizeof *b);
	began = mote_clock_seconds();
	do {
		for (int i = 0; i < TILES; i++)
			j->p->kernels.tile(&t);
		done += 2.0 * TILES * MOTE_GEMM_ROWS * MOTE_GEMM_COLS * DEPTH;
		passed = mote_clock_seconds() - began;
	} while (passed < j->seconds);
	*b = (float)(done / passed);
}

double mote_passes_peak(struct mote_passes *p, double seconds)
{
	double sum = 0;

	mote_pool_run(p->pool, run_tiles, &(struct peak){p, seconds});
	for (uint32_t i = 0; i < mote_pool_threads(p->pool); i++)
		sum += (double)p->scratch[i * p->scratch_floats];
	return sum;
}
