/* How one list of ids departs from another: the edits make one of the other, none is superfluous, and long lists are
 * refused before memory is taken for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/tokenizer/ids_diff.h"

enum { MOST = 9 };

/* Of the longest list that is a part of both: the definition, by leaving out one id or the other. */
static size_t common(const int32_t *a, size_t n, const int32_t *b, size_t m)
{
	size_t without_a, without_b;

	if (!n || !m)
		return 0;
	if (a[0] == b[0])
		return 1 + common(a + 1, n - 1, b + 1, m - 1);
	without_a = common(a + 1, n - 1, b, m);
	without_b = common(a, n, b + 1, m - 1);
	return without_a > without_b ? without_a : without_b;
}

static void check(struct mote_ids a, struct mote_ids b)
{
	struct mote_edit *edits;
	size_t count, i = 0, j = 0, same = 0;

	assert_int_equal(mote_ids_diff(&a, &b, &edits, &count, NULL), MOTE_OK);
	for (size_t k = 0; k < count; k++) {
		if (edits[k].kind != MOTE_EDIT_ADDED)
			assert_true(i < a.count && a.id[i++] == edits[k].id);
		if (edits[k].kind != MOTE_EDIT_REMOVED)
			assert_true(j < b.count && b.id[j++] == edits[k].id);
		same += edits[k].kind == MOTE_EDIT_SAME;
		assert_true(!k || edits[k].kind != MOTE_EDIT_REMOVED || edits[k - 1].kind != MOTE_EDIT_ADDED);
	}
	assert_true(i == a.count && j == b.count);
	assert_int_equal(same, common(a.id, a.count, b.id, b.count));
	free(edits);
}

static void test_shortest(void **state)
{
	int32_t id[2 * MOST], *a = id, *b = id + MOST;
	uint32_t random = 1;

	(void)state;
	for (int n = 0; n < 3000; n++) {
		for (int i = 0; i < 2 * MOST; i++) {
			random = random * 1664525 + 1013904223;
			id[i] = (int32_t)(random >> 24) % 3;
		}
		check((struct mote_ids){.id = a, .count = (size_t)(n % (MOST + 1))},
		      (struct mote_ids){.id = b, .count = (size_t)(n / (MOST + 1) % (MOST + 1))});
	}
}

/* A table of 64 Mi cells is the largest: of 8191 ids and 8191 others. */
static void test_limit(void **state)
{
	static int32_t id[2][8192];
	struct mote_ids a = {.id = id[0], .count = 8191}, b = {.id = id[1], .count = 8191};
	struct mote_error error = {0};
	struct mote_edit *edits;
	size_t count;

	(void)state;
	for (int i = 0; i < 8192; i++)
		id[1][i] = 1;
	assert_int_equal(mote_ids_diff(&a, &b, &edits, &count, &error), MOTE_OK);
	assert_int_equal(count, 2 * 8191);
	free(edits);
	b.count = 8192;
	assert_int_equal(mote_ids_diff(&a, &b, &edits, &count, &error), MOTE_ERROR_LIMIT);
	assert_null(edits);
	assert_non_null(strstr(error.message, "comparing 8191 with 8192 ids"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shortest), cmocka_unit_test(test_limit)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
