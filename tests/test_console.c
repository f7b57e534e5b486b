/* What a progress bar says about the time that is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "format/tool/console.h"

static void expect_left(const struct mote_console_bar *bar, double now, uint64_t done, double left)
{
	assert_true(fabs(mote_console_time_left(bar, now, done, 100) - left) < 1e-9);
}

/* By the rate since the first count: a minute of preparation before it is no part of the rate. */
static void test_rate_since_the_first_count(void **state)
{
	struct mote_console_bar bar = {.started = 160, .first = 10, .counting = true};

	(void)state;
	expect_left(&bar, 160, 10, -1);
	expect_left(&bar, 160.3, 20, -1); /* too early */
	expect_left(&bar, 170, 10, -1);   /* nothing counted since */
	expect_left(&bar, 170, 20, 80);
	expect_left(&bar, 250, 100, 0);
	bar.counting = false;
	expect_left(&bar, 170, 20, -1);
}

/* A quarter of the whole lay before, this bar is another quarter: the time of both tells that of the other half. */
static void test_the_whole(void **state)
{
	struct mote_console_bar bar = { .started = 160, .first = 0, .counting = true, .whole_started = 100,
					.before = 0.25, .share = 0.25 };

	(void)state;
	expect_left(&bar, 170, 50, 10 + 80);
	expect_left(&bar, 180, 100, 0 + 80);
	bar.before = 0.75;
	expect_left(&bar, 180, 100, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_since_the_first_count),
		cmocka_unit_test(test_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
