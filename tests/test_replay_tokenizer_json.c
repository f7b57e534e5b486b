/* The corpus of the tokenizer.json fuzzer, replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/fuzz/fuzz_tokenizer_json.c"
#include "tests/replay.h"

static void test_corpus(void **state)
{
	(void)state;
	assert_in_range(replay_corpus("tests/fuzz/corpus/tokenizer_json", 1000), 14, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
