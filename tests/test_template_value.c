/* Values inside a template, below the language: sorting, and dicts of many keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/template/value/arena.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sort), cmocka_unit_test(test_many_keys)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
