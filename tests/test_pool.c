/* The thread pool: every item claimed once, barriers that order memory, more threads than cores, many short runs;
 * how many cores there are; and the choice of a kernel table by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/kernels/cores.h"
#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/pool_pace.h"

enum { PHASES = 40, ITEMS = 57 };

struct shared {
	struct mote_pool *pool;
	uint32_t claimed[PHASES][ITEMS];  /* who took an item how often: not atomic, so a double claim shows */
	uint32_t previous[MOTE_MAX_THREADS];
	uint32_t wrong[MOTE_MAX_THREADS];
	uint32_t ran[MOTE_MAX_THREADS], left[MOTE_MAX_THREADS];
	uint32_t sum;                     /* of the phases that are done */
	bool caller_leaves, waits;
	uint32_t together;                /* runs that more than one thread took part in */
};

/* By thread `rank` of those who take part; self: its number in the pool. */
static void take_part(struct shared *s, uint32_t self, uint32_t thread, uint32_t threads)
{
	s->ran[thread]++;
	for (uint32_t phase = 0; phase < PHASES; phase++) {
		/* From one list; or from one for each thread, its own first. */
		for (uint32_t l = 0, lists = phase % 2 ? threads : 1; l < lists; l++) {
			uint32_t list = (thread + l) % lists;
			uint32_t begin = ITEMS * list / lists, end = ITEMS * (list + 1) / lists;

			for (uint32_t i; (i = mote_pool_claim_from(s->pool, list)) < end - begin; )
				s->claimed[phase][begin + i]++;
		}
		s->previous[thread] = phase + 1;
		mote_pool_barrier(s->pool, self);
		/* What every thread wrote before the barrier is seen after it, and nobody is a phase ahead. */
		for (uint32_t t = 0; t < threads; t++)
			s->wrong[thread] += s->previous[t] != phase + 1;
		mote_pool_barrier(s->pool, self);
	}
}

static void work(void *user, uint32_t thread, uint32_t threads)
{
	take_part(user, thread, thread, threads);
}

/* Members come and go. An item is claimed by one of them; after a checkpoint all see what was written
 * before it. */
static bool come_and_go(void *user, struct mote_pool_member *m)
{
	struct shared *s = user;

	s->ran[m->thread]++;
	for (uint32_t phase = m->passed; phase < PHASES; phase++) {
		uint32_t list = m->rank, begin = ITEMS * list / m->members, end = ITEMS * (list + 1) / m->members;

		s->wrong[m->thread] += m->rank >= m->members || s->sum != phase * ITEMS;
		for (uint32_t i; (i = mote_pool_claim_from(s->pool, list)) < end - begin; )
			s->claimed[phase][begin + i]++;
		mote_pool_barrier(s->pool, m->thread);
		if (m->rank == 0)
			for (uint32_t i = 0; i < ITEMS; i++)
				s->sum += s->claimed[phase][i];
		if (!mote_pool_checkpoint(s->pool, m, s->caller_leaves || m->thread)) {
			s->left[m->thread]++;
			return false;
		}
	}
	return true;
}

static void test_come_and_go(void **unused)
{
	static const uint32_t counts[] = {1, 2, 3, 16};

	(void)unused;
	for (uint32_t c = 0; c < 2 * sizeof counts / sizeof *counts; c++) {
		struct shared *s = calloc(1, sizeof *s);
		uint32_t threads = counts[c / 2], runs = 0, left = 0, joined = 0;

		s->caller_leaves = c % 2;
		assert_int_equal(mote_pool_open(threads, &s->pool, NULL), MOTE_OK);
		mote_pool_drill(s->pool, 1 + c % 3);
		for (; runs < 30; runs++) {
			memset(s->claimed, 0, sizeof s->claimed);
			s->sum = 0;
			mote_pool_run_adaptive(s->pool, 1, come_and_go, s);
			assert_int_equal(s->sum, PHASES * ITEMS);
			for (uint32_t phase = 0; phase < PHASES; phase++)
				for (uint32_t i = 0; i < ITEMS; i++)
					assert_int_equal(s->claimed[phase][i], 1);
			if (runs % 8 == 5) { /* it waits for all threads */
				memset(s->previous, 0, sizeof s->previous);
				mote_pool_run(s->pool, work, s);
				for (uint32_t t = 0; t < threads; t++)
					s->ran[t]--;
			}
		} /* the last run was of that kind */
		for (uint32_t t = 0; t < threads; t++) {
			assert_int_equal(s->wrong[t], 0);
			left += s->left[t];
			joined += s->ran[t];
		}
		assert_true(s->ran[0] >= 30 || s->caller_leaves);
		assert_true(s->left[0] == 0 || s->caller_leaves);
		assert_true(threads == 1 ? left == 0 : left > 0 && joined > 30);
		mote_pool_close(s->pool);
		free(s);
	}
}

static void test_phases(void **unused)
{
	static const uint32_t counts[] = {1, 2, 3, 5, 16};

	(void)unused;
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		struct shared *s = calloc(1, sizeof *s);

		assert_int_equal(mote_pool_open(counts[c], &s->pool, NULL), MOTE_OK);
		assert_int_equal(mote_pool_threads(s->pool), counts[c]);
		for (uint32_t run = 1; run <= 8; run++) {
			memset(s->previous, 0, sizeof s->previous);
			mote_pool_run(s->pool, work, s);
			for (uint32_t t = 0; t < counts[c]; t++) {
				assert_int_equal(s->ran[t], run);
				assert_int_equal(s->wrong[t], 0);
			}
			for (uint32_t phase = 0; phase < PHASES; phase++)
				for (uint32_t i = 0; i < ITEMS; i++)
					assert_int_equal(s->claimed[phase][i], run);
		}
		mote_pool_close(s->pool);
		free(s);
	}
}

/* Work for all of three threads, if they come; they do not where the run is one thread's. */
static bool work_of_member(void *user, struct mote_pool_member *m)
{
	struct shared *s = user;

	for (uint32_t waited = m->passed; s->waits && waited < 50 && m->members < 3; waited++) {
		usleep(200);
		if (!mote_pool_checkpoint(s->pool, m, m->thread))
			return false;
	}
	if (m->thread == 0)
		s->together += m->members > 1;
	take_part(s, m->thread, m->rank, m->members);
	return true;
}

/* A run that may be one thread's: little work begins so, much does not. Whoever takes part, every item is claimed once
 * and nobody is a phase ahead. */
static void test_adaptive(void **unused)
{
	static const uint64_t works[] = {0, 1000, 1000000000};

	(void)unused;
	for (size_t c = 0; c < sizeof works / sizeof *works; c++) {
		struct shared *s = calloc(1, sizeof *s);

		assert_int_equal(mote_pool_open(3, &s->pool, NULL), MOTE_OK);
		for (uint32_t run = 1; run <= 400; run++) {
			uint32_t before = s->ran[1];

			s->waits = run <= 6;
			memset(s->previous, 0, sizeof s->previous);
			if (run % 7 == 0)
				mote_pool_run(s->pool, work, s);
			else
				mote_pool_run_adaptive(s->pool, works[c], work_of_member, s);
			assert_int_equal(s->ran[0], run);
			assert_true(run % 7 != 0 || s->ran[1] == before + 1);
			if (run == 6)
				assert_int_equal(s->together, c == 2 ? 6 : 0);
			for (uint32_t t = 0; t < 3; t++)
				assert_int_equal(s->wrong[t], 0);
			for (uint32_t phase = 0; phase < PHASES; phase++)
				for (uint32_t i = 0; i < ITEMS; i++)
					assert_int_equal(s->claimed[phase][i], run);
		}
		mote_pool_close(s->pool);
		free(s);
	}
}

/* ---- what is learnt from the clock ---- */

/* Runs of this much work, with what each of them takes: how many of them are done alone. */
static uint32_t alone_of(struct mote_pace *pace, uint32_t runs, uint64_t work, double alone, double together,
			 bool disturbed)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < runs; i++) {
		bool is_alone = mote_pace_alone(pace, work, disturbed);

		mote_pace_learn(pace, is_alone, work, is_alone ? alone : together);
		n += is_alone;
	}
	return n;
}

/* The faster way is found, and found again when it is the other one; the slower one is tried as often as it may be. */
static void test_pace(void **unused)
{
	static const uint64_t much = 100000000, little = 100000;
	struct mote_pace pace = {0};
	uint32_t alone;

	(void)unused;
	assert_int_equal(alone_of(&pace, 256, much, 3e-3, 2e-3, false), 0);
	alone = alone_of(&pace, 10000, much, 3e-3, 2e-3, false);
	assert_in_range(alone, 6, 10000 * 2.2 * 0.005);     /* half as slow again */
	alone = alone_of(&pace, 10000, much, 3e-3, 2e-3, true);
	assert_in_range(alone, 300, 10000 * 2.2 * 0.03);
	alone_of(&pace, 2000, much, 3e-3, 6e-3, true);      /* something else begins to run */
	alone = alone_of(&pace, 10000, much, 3e-3, 6e-3, true);
	assert_in_range(10000 - alone, 6, 10000 * 0.03);
	alone_of(&pace, 5000, much, 3e-3, 2e-3, false);     /* and ends */
	assert_in_range(alone_of(&pace, 1000, much, 3e-3, 2e-3, false), 0, 12);
	/* Alone is better by three in a hundred: not clearly enough, and trying it costs nothing. */
	pace = (struct mote_pace){0};
	assert_in_range(alone_of(&pace, 10000, much, 2e-3, 2.06e-3, true), 6, 3000);
	/* Little work begins alone; both ways are known soon. */
	pace = (struct mote_pace){0};
	assert_int_equal(alone_of(&pace, 16, little, 40e-6, 20e-6, false), 16);
	assert_in_range(alone_of(&pace, 1000, little, 40e-6, 20e-6, false), 0, 50);
	/* A very long run is never tried alone. */
	pace = (struct mote_pace){0};
	assert_int_equal(alone_of(&pace, 1000, much, 0.1, 0.3, true), 0);
}

/* A thread that loses its core for 4 ms after each 4 ms: found after the first time, given away before the next. When
 * nobody wants the core any more, that is found too. */
static void test_slice(void **unused)
{
	struct mote_slice slice = {0};
	double now = 1000;
	uint32_t given = 0, quick = 0;

	(void)unused;
	mote_slice_begin(&slice, now, false);
	for (uint32_t i = 0; i < 80; i++) /* 4 ms of looks, and none of them is the time */
		assert_false(mote_slice_look(&slice, now += 50e-6, false));
	assert_false(mote_slice_look(&slice, now += 4e-3, false)); /* lost */
	for (uint32_t i = 0; i < 1000; i++) {
		double since = now;

		while (!mote_slice_look(&slice, now += 50e-6, false))
			assert_true(now - since < 4e-3);
		assert_true(now - since > 2e-3);
		mote_slice_given(&slice, now, now + 4e-3);
		now += 4e-3;
		given++;
	}
	for (uint32_t i = 0; i < 4000; i++)
		if (mote_slice_look(&slice, now += 50e-6, false)) {
			mote_slice_given(&slice, now, now + 100e-6);
			now += 100e-6;
			quick++;
		}
	assert_in_range(quick, 16, 16);
	/* Pauses of one who sleeps, and work that is slow by itself, are none. */
	for (uint32_t i = 0; i < 100; i++)
		assert_false(mote_slice_look(&slice, now += i % 2 ? 50e-6 : 5e-3, i % 2 == 0));
	for (uint32_t i = 0; i < 100; i++)
		assert_false(mote_slice_look(&slice, now += 300e-6, false));
	for (uint32_t i = 0; i < 100; i++)
		assert_false(mote_slice_look(&slice, now += 2e-3, false));
	assert_true(slice.lasts == 0);
}

static void test_limits(void **unused)
{
	struct mote_pool *p;
	struct mote_error error = {.code = MOTE_OK};

	(void)unused;
	assert_int_equal(mote_pool_open(0, &p, &error), MOTE_ERROR_ARGUMENT);
	assert_null(p);
	assert_int_equal(mote_pool_open(MOTE_MAX_THREADS + 1, &p, NULL), MOTE_ERROR_ARGUMENT);
	assert_null(p);
	mote_pool_close(NULL);
	assert_true(mote_pool_physical_cores() >= 1 && mote_pool_physical_cores() <= MOTE_MAX_THREADS);
}

/* A file below root, with the folders that lead to it. */
static void put_file(const char *root, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", root, name);
	for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static uint32_t count_cores(const char *root, const char *quota, unsigned from, unsigned to)
{
	struct mote_cpus allowed = {0};

	if (quota)
		put_file(root, "sys/fs/cgroup/cpu.max", quota);
	for (unsigned cpu = from; cpu < to; cpu++)
		allowed.mask[cpu / 64] |= (uint64_t)1 << cpu % 64;
	return mote_cores_count(root, &allowed);
}

/* Siblings in both spellings, masks that leave a core only its second thread, quotas,
 * and a machine that tells nothing. */
static void test_cores(void **unused)
{
	static const char *const siblings[] = {"0-1\n", "0-1\n", "2,6\n", "3,7\n", "4-5\n", "4-5\n", "2,6\n", "3,7\n"};
	char root[] = "/tmp/test_pool.XXXXXX", name[96], *command = NULL;

	(void)unused;
	assert_non_null(mkdtemp(root));
	assert_int_equal(count_cores(root, NULL, 0, 8), 8);
	assert_int_equal(count_cores(root, NULL, 0, 1000), MOTE_MAX_THREADS);
	assert_int_equal(count_cores(root, NULL, 0, 0), 1);
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		snprintf(name, sizeof name, "sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
		put_file(root, name, siblings[cpu]);
	}
	assert_int_equal(count_cores(root, NULL, 0, 8), 4);
	assert_int_equal(count_cores(root, NULL, 0, 2), 1);
	assert_int_equal(count_cores(root, NULL, 1, 3), 2);
	assert_int_equal(count_cores(root, NULL, 5, 8), 3);
	assert_int_equal(count_cores(root, "max 100000\n", 0, 8), 4);
	assert_int_equal(count_cores(root, "100000 100000\n", 0, 8), 1);
	assert_int_equal(count_cores(root, "100001 100000\n", 0, 8), 2);
	assert_int_equal(count_cores(root, "300000 100000\n", 0, 8), 3);
	assert_int_equal(count_cores(root, "400000 100000\n", 0, 8), 4);
	assert_int_equal(count_cores(root, "900000 100000\n", 0, 8), 4);
	assert_int_equal(count_cores(root, "0 100000\n", 0, 8), 4);
	assert_int_equal(count_cores(root, "1 0\n", 0, 8), 4);
	assert_true(asprintf(&command, "rm -r %s", root) > 0 && system(command) == 0);
	free(command);
}

static void test_select(void **unused)
{
	struct mote_kernels list[MOTE_MAX_TABLES], k;
	struct mote_error error = {.code = MOTE_OK};
	uint32_t n = mote_kernels_list(list);

	(void)unused;
	assert_string_equal(list[0].name, "scalar");
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(mote_kernels_select(list[i].name, &k, NULL), MOTE_OK);
		assert_string_equal(k.name, list[i].name);
		setenv("MOTE_ISA", list[i].name, 1);
		assert_int_equal(mote_kernels_select(NULL, &k, NULL), MOTE_OK);
		assert_string_equal(k.name, list[i].name);
	}
	setenv("MOTE_ISA", "avx9", 1);
	assert_int_equal(mote_kernels_select(NULL, &k, &error), MOTE_ERROR_ARGUMENT);
	assert_non_null(strstr(error.message, "avx9"));
	assert_non_null(strstr(error.message, "scalar"));
	unsetenv("MOTE_ISA");
	assert_int_equal(mote_kernels_select("", &k, NULL), MOTE_OK);
	assert_string_equal(k.name, list[n - 1].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases), cmocka_unit_test(test_adaptive), cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_pace), cmocka_unit_test(test_slice),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cores), cmocka_unit_test(test_select)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
