/* Values inside a template, below the language: sorting, dicts of many keys, classes of characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/template/value/arena.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/container_value.h"

static bool less(struct jinja *j, void *user, size_t a, size_t b)
{
	const uint8_t *key = user;

	(void)j;
	return key[a] < key[b];
}

/* Of every length: each place once, in order, those of equal keys as they were; and nothing beyond the last. */
static void test_sort(void **state)
{
	enum { MOST = 70 };
	uint32_t random = 1;

	(void)state;
	for (size_t n = 0; n <= MOST; n++) {
		struct jinja j = {.memory = 1 << 20, .steps = 1 << 20};
		size_t order[MOST + 1];
		uint8_t key[MOST];

		for (size_t i = 0; i < n; i++) {
			random = random * 1664525 + 1013904223;
			key[i] = (uint8_t)(random >> 28);
		}
		mote_jinja_alloc(&j, 1); /* as in a rendering, where no first allocation is of nothing */
		order[n] = 12345;
		mote_jinja_sort(&j, order, n, less, key);
		assert_int_equal(order[n], 12345);
		for (size_t i = 1; i < n; i++)
			assert_true(key[order[i - 1]] < key[order[i]] ||
				    (key[order[i - 1]] == key[order[i]] && order[i - 1] < order[i]));
		assert_true(!n || order[n - 1] < n);
		mote_jinja_free_all(&j);
	}
}

/* Found again, each with its own value, however many there are; a key that is there already adds none. */
static void test_many_keys(void **state)
{
	enum { KEYS = 700 };
	struct jinja j = {.memory = 1 << 20, .steps = 1 << 20};
	struct jinja_dict *d;

	(void)state;
	if (setjmp(j.unwind)) {
		mote_jinja_free_all(&j);
		fail_msg("status %d", j.status);
	}
	d = mote_jinja_new_dict(&j);
	for (int n = 0; n < KEYS; n++) {
		mote_jinja_set(&j, d, mote_jinja_int(7 * n), mote_jinja_int(-1));
		mote_jinja_set(&j, d, mote_jinja_float(7.0 * n), mote_jinja_int(n));
		assert_int_equal(d->count, n + 1);
		for (int i = 0; i <= n; i += n < 40 ? 1 : 13) {
			const struct jinja_value *v = mote_jinja_get(&j, d, mote_jinja_int(7 * i));

			assert_true(v && v->kind == JINJA_INT && v->integer == i);
		}
		assert_null(mote_jinja_get(&j, d, mote_jinja_int(7 * n + 7)));
		assert_null(mote_jinja_get(&j, d, mote_jinja_int(7 * n - 1)));
	}
	mote_jinja_free_all(&j);
}

/* Ends of the ranges in which Python's str.isdigit() holds and str.isdecimal() does not, and of those that are letters
 * but not of identifiers. */
static void test_characters(void **state)
{
	static const uint32_t digits[][2] = {
		{0xb2, 0xb3}, {0xb9, 0xb9}, {0x1369, 0x1371}, {0x19da, 0x19da}, {0x2070, 0x2070},
		{0x2074, 0x2079}, {0x2080, 0x2089}, {0x2460, 0x2468}, {0x2474, 0x247c}, {0x2488, 0x2490},
		{0x24ea, 0x24ea}, {0x24f5, 0x24fd}, {0x24ff, 0x24ff}, {0x2776, 0x277e}, {0x2780, 0x2788},
		{0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}
	};
	static const uint32_t none[][2] = {{0x37a, 0x37a}, {0x2e2f, 0x2e2f}, {0xfc5e, 0xfc63}, {0xfdfa, 0xfdfb}};

	(void)state;
	for (size_t i = 0; i < sizeof digits / sizeof *digits; i++)
		for (uint32_t c = digits[i][0] - 1; c <= digits[i][1] + 1; c++) {
			const bool inside = c >= digits[i][0] && c <= digits[i][1];

			if (!mote_jinja_is(c, JINJA_DECIMAL)) /* neighbours may be decimal digits */
				assert_int_equal(mote_jinja_is(c, JINJA_DIGIT), inside);
			else
				assert_false(inside);
		}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		for (uint32_t c = none[i][0]; c <= none[i][1]; c++)
			assert_false(mote_jinja_is_identifier(c, false) || mote_jinja_is_identifier(c, true));
	assert_true(mote_jinja_is_identifier(0xfc5d, true) && mote_jinja_is_identifier(0xfc64, true));
	assert_true(mote_jinja_is_identifier(0x37b, true) && mote_jinja_is_identifier(0xfdf9, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sort), cmocka_unit_test(test_many_keys),
					   cmocka_unit_test(test_characters)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
