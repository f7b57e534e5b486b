/* The corpus of the container fuzzer, replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz_container.c"
#include "tests/replay.h"

static void test_corpus(void **state)
{
	(void)state;
	assert_in_range(replay_corpus("tests/fuzz/corpus/container", 2000), 4, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_corpus) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
