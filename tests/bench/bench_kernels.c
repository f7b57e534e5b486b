/* Speed of the kernels at TRLM's shapes beside the machine's limits; asserts nothing.
 *
 *   cc -O2 -std=c11 -D_GNU_SOURCE -I. tests/bench/bench_kernels.c build/release/libmote.a -pthread
 *   MOTE_ISA=avx2 ./a.out 2     (threads)
 *
 * gemm: 512 rows, operations a second; gemv: one row over a matrix far larger than the caches, bytes a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/kernels/limits.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *huge(size_t bytes)
{
	const size_t page = (size_t)2 << 20;
	size_t mapped = (bytes + page - 1) / page * page + page;
	char *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p = (char *)(((size_t)p + page - 1) / page * page);
	madvise(p, mapped - page, MADV_HUGEPAGE);
	memset(p, 0, mapped - page);
	return p;
}

struct work {
	struct mote_pool *pool;
	const struct mote_kernels *k;
	struct mote_matmul job;
	uint32_t rows, panel_step, row_step;
};

static void run(void *user, uint32_t thread, uint32_t threads)
{
	struct work *w = user;
	uint32_t panels = w->job.w->panels, row_pieces = (w->rows + w->row_step - 1) / w->row_step;
	uint32_t pieces = (panels + w->panel_step - 1) / w->panel_step * row_pieces;

	(void)thread;
	(void)threads;
	for (uint32_t i; (i = mote_pool_claim(w->pool)) < pieces; ) {
		uint32_t p = i / row_pieces * w->panel_step, r = i % row_pieces * w->row_step;
		mote_matmul_run(w->k, &w->job, p, p + w->panel_step < panels ? p + w->panel_step : panels, r,
				r + w->row_step < w->rows ? r + w->row_step : w->rows);
	}
}

static double best_time(struct work *w, int repeats)
{
	double best = 1e9;

	for (int i = 0; i < repeats; i++) {
		double t = now();
		mote_pool_run(w->pool, run, w);
		t = now() - t;
		best = t < best ? t : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const uint8_t codebook[16] = {0, 20, 40, 60, 80, 100, 110, 120, 130, 140, 150, 170, 190, 210, 230, 255};
	static const enum mote_type types[] = {MOTE_Q8, MOTE_Q6, MOTE_Q5, MOTE_Q4, MOTE_Q3, MOTE_F16};
	enum { TYPES = sizeof types / sizeof *types };
	static const uint32_t shapes[][2] = {{3072, 576}, {576, 1536}, {960, 576}};
	uint32_t threads = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
	struct mote_kernels k;
	struct mote_pool *pool;
	double bandwidth, int8;

	if (mote_kernels_select(NULL, &k, NULL) != MOTE_OK || mote_pool_open(threads, &pool, NULL) != MOTE_OK)
		return 1;
	int8 = mote_limits_int8(pool, &k);
	mote_limits_bandwidth(pool, (size_t)144 << 20, true, 7, &bandwidth, NULL);
	printf("%s, %u threads: int8 %.0f Gop/s, f32 %.0f Gop/s, read %.1f GB/s\n", k.name, threads, int8 * 1e-9,
	       mote_limits_f32(pool, &k) * 1e-9, bandwidth * 1e-9);
	for (int t = 0; t < TYPES; t++)
		for (int s = 0; s < 3; s++) {
			struct mote_matrix w;
			struct mote_activations a;
			struct work work = {.pool = pool, .k = &k, .rows = 512, .panel_step = 8, .row_step = 512};
			uint64_t bytes;
			double rate;

			mote_matrix_init(&w, types[t], shapes[s][0], shapes[s][1], NULL, codebook, &bytes, NULL);
			w.data = huge(bytes);
			mote_activations_init(&a, 512, shapes[s][1], 3,
					      huge(mote_activations_bytes(512, shapes[s][1], 3)));
			work.job = (struct mote_matmul){ .w = &w, .x = &a, .y = huge((size_t)512 * shapes[s][0] * 4),
							 .y_stride = shapes[s][0] };
			rate = 2.0 * 512 * shapes[s][0] * shapes[s][1] / best_time(&work, 10);
			printf("gemm %-4s %4u x %4u: %5.0f Gop/s, %2.0f %%\n", mote_type_name(types[t]), shapes[s][0],
			       shapes[s][1], rate * 1e-9, 100 * rate / int8);
		}
	for (int t = 0; t < TYPES; t++)
		for (int s = 0; s < 2; s++) {
			struct mote_matrix w;
			struct mote_activations a;
			struct work work = {.pool = pool, .k = &k, .rows = 1, .panel_step = 16, .row_step = 1};
			uint64_t bytes;
			double rate;

			mote_matrix_init(&w, types[t], (uint64_t)(130u << 20) / shapes[s][1], shapes[s][1], NULL,
					 codebook, &bytes, NULL);
			w.data = huge(bytes);
			mote_activations_init(&a, 1, shapes[s][1], 3, huge(1 << 20));
			work.job = (struct mote_matmul){.w = &w, .x = &a, .y = huge(w.panels * 64), .y_stride = w.rows};
			rate = (double)bytes / best_time(&work, 7);
			printf("gemv %-4s cols %4u: %5.1f GB/s, %2.0f %%\n", mote_type_name(types[t]), shapes[s][1],
			       rate * 1e-9, 100 * rate / bandwidth);
		}
	mote_pool_close(pool);
	return 0;
}
