/* Weights read into huge pages, and into small ones when huge ones take too long to make. The clock of a thread's own
 * work is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/model/memory.h"
#include "runtime/model/weights.h"

enum { PAGES = 32, OFFSET = 100 };

static atomic_uint looks;
static atomic_ulong now, step; /* nanoseconds; step: what a look at the clock takes */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	unsigned long at;

	if (clock != CLOCK_THREAD_CPUTIME_ID)
		return (int)syscall(SYS_clock_gettime, clock, t);
	atomic_fetch_add(&looks, 1);
	at = atomic_fetch_add(&now, step);
	*t = (struct timespec){.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};
	return 0;
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* Reads PAGES huge pages less a few bytes; returns how often it looked at the clock. */
static unsigned read_all(void)
{
	const size_t bytes = PAGES * MOTE_HUGE_PAGE_BYTES - 777;
	struct mote_error error = {0};
	FILE *f = tmpfile();
	size_t got, wrong = 0;
	void *data;

	assert_non_null(f);
	for (size_t i = 0; i < OFFSET + bytes; i++)
		putc(i < OFFSET ? 0 : pattern(i - OFFSET), f);
	assert_int_equal(fflush(f), 0);
	atomic_store(&looks, 0);
	assert_int_equal(mote_weights_read(fileno(f), OFFSET, bytes, &data, &got, &error), MOTE_OK);
	assert_int_equal(got, bytes);
	for (size_t i = 0; i < bytes; i++)
		wrong += ((const uint8_t *)data)[i] != pattern(i);
	assert_int_equal(wrong, 0);
	mote_memory_unmap(data, got);
	assert_int_equal(mote_weights_read(fileno(f), OFFSET, bytes + 1, &data, &got, &error), MOTE_ERROR_CORRUPT);
	assert_null(data);
	fclose(f);
	return atomic_load(&looks);
}

static void test_quick_pages(void **state)
{
	(void)state;
	atomic_store(&step, 0);
	assert_int_equal(read_all(), 2 * 2 * PAGES); /* each page twice, in each of two readings */
}

/* Seven milliseconds a look: a few pages, and some more that other threads have begun. */
static void test_slow_pages(void **state)
{
	(void)state;
	atomic_store(&step, 7000000);
	assert_in_range(read_all(), 2 * 2, 2 * 2 * (3 + 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_quick_pages), cmocka_unit_test(test_slow_pages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
