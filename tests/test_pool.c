/* The thread pool: every item claimed once, barriers that order memory, more threads than cores, many short runs;
 * how many cores there are; and the choice of a kernel table by name. */
#include <setjmp.h>
#include <stdarg.h>
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

enum { PHASES = 40, ITEMS = 57 };

struct shared {
	struct mote_pool *pool;
	uint32_t claimed[PHASES][ITEMS];  /* who took an item how often: not atomic, so a double claim shows */
	uint32_t previous[MOTE_MAX_THREADS];
	uint32_t wrong[MOTE_MAX_THREADS];
	uint32_t ran[MOTE_MAX_THREADS];
};

static void work(void *user, uint32_t thread, uint32_t threads)
{
	struct shared *s = user;

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
		mote_pool_barrier(s->pool);
		/* What every thread wrote before the barrier is seen after it, and nobody is a phase ahead. */
		for (uint32_t t = 0; t < threads; t++)
			s->wrong[thread] += s->previous[t] != phase + 1;
		mote_pool_barrier(s->pool);
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

/* A run that may be one thread's: little work begins so, much does not, and the other way is tried. Whoever takes part,
 * every item is claimed once and nobody is a phase ahead. */
static void test_adaptive(void **unused)
{
	static const uint64_t works[] = {0, 1000, 1000000000};

	(void)unused;
	for (size_t c = 0; c < sizeof works / sizeof *works; c++) {
		struct shared *s = calloc(1, sizeof *s);
		uint32_t both = 0;

		assert_int_equal(mote_pool_open(3, &s->pool, NULL), MOTE_OK);
		for (uint32_t run = 1; run <= 400; run++) {
			uint32_t before = s->ran[1];

			memset(s->previous, 0, sizeof s->previous);
			if (run % 7 == 0)
				mote_pool_run(s->pool, work, s);
			else
				mote_pool_run_adaptive(s->pool, works[c], work, s);
			assert_int_equal(s->ran[0], run);
			assert_int_equal(s->ran[1], s->ran[2]);
			both += s->ran[1] - before;
			assert_true(run % 7 != 0 || s->ran[1] == before + 1);
			if (run == 6)
				assert_int_equal(both, c == 2 ? 6 : 0);
			for (uint32_t t = 0; t < 3; t++)
				assert_int_equal(s->wrong[t], 0);
			for (uint32_t phase = 0; phase < PHASES; phase++)
				for (uint32_t i = 0; i < ITEMS; i++)
					assert_int_equal(s->claimed[phase][i], run);
		}
		assert_true(c == 2 || both > 400 / 7);
		mote_pool_close(s->pool);
		free(s);
	}
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
		cmocka_unit_test(test_phases), cmocka_unit_test(test_adaptive), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cores), cmocka_unit_test(test_select)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
