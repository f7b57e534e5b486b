/* The bounded cursor and checked arithmetic; the error that wins is the first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/cursor.h"

static void test_reads(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0};
	struct mote_cursor c = mote_cursor(bytes, sizeof bytes, 100, "thing", NULL);

	(void)state;
	assert_int_equal(mote_cursor_u8(&c, "a"), 0x01);
	assert_int_equal(mote_cursor_u16(&c, "b"), 0x0302);
	assert_int_equal(mote_cursor_u32(&c, "c"), 0x07060504);
	assert_true(mote_cursor_u64(&c, "d") == 0x0f0e0d0c0b0a0908u);
	assert_int_equal(mote_cursor_left(&c), 2);
	mote_cursor_zeros(&c, 2, "e");
	assert_int_equal(mote_cursor_end(&c), MOTE_OK);
	assert_ptr_equal(mote_cursor_take(&c, 0, "f"), bytes + sizeof bytes);
}

static void test_failure_sticks(void **state)
{
	uint8_t *bytes = malloc(5);
	struct mote_error error = {0};
	struct mote_cursor c = mote_cursor(bytes, 5, 100, "thing", &error);

	(void)state;
	memset(bytes, 0xff, 5);
	mote_cursor_u8(&c, "first");
	assert_int_equal(mote_cursor_u64(&c, "number"), 0);
	assert_int_equal(c.status, MOTE_ERROR_CORRUPT);
	assert_string_equal(error.message, "thing: byte 101: number: found 4 bytes, expected 8");
	assert_int_equal(mote_cursor_u8(&c, "later"), 0); /* there would be bytes */
	assert_null(mote_cursor_take(&c, 0, "later"));
	assert_int_equal(mote_cursor_fail(&c, MOTE_ERROR_LIMIT, "later"), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_cursor_end(&c), MOTE_ERROR_CORRUPT);
	assert_string_equal(error.message, "thing: byte 101: number: found 4 bytes, expected 8");

	c = mote_cursor(bytes, 5, 0, "thing", NULL);
	assert_null(mote_cursor_take(&c, SIZE_MAX, "huge"));
	free(bytes);
}

static void test_zeros_and_end(void **state)
{
	static const uint8_t bytes[] = {0, 0, 7, 0};
	struct mote_error error = {0};
	struct mote_cursor c = mote_cursor(bytes, 4, 0, "thing", &error);

	(void)state;
	mote_cursor_zeros(&c, 4, "padding");
	assert_string_equal(error.message, "thing: byte 2: padding: found 0x07, expected 0");
	error = (struct mote_error){0};
	c = mote_cursor(bytes, 4, 0, "thing", &error);
	mote_cursor_u16(&c, "a");
	assert_int_equal(mote_cursor_end(&c), MOTE_ERROR_CORRUPT);
	assert_string_equal(error.message, "thing: byte 2: found 2 more bytes, expected the end");
}

static void test_arithmetic(void **state)
{
	uint64_t x;

	(void)state;
	assert_true(mote_checked_add(UINT64_MAX - 1, 1, &x) && x == UINT64_MAX);
	assert_false(mote_checked_add(UINT64_MAX, 1, &x));
	assert_true(mote_checked_multiply(UINT32_MAX, UINT32_MAX, &x) && x == 0xfffffffe00000001u);
	assert_false(mote_checked_multiply((uint64_t)1 << 32, (uint64_t)1 << 32, &x));
	assert_true(mote_checked_round_up(65, 64, &x) && x == 128);
	assert_true(mote_checked_round_up(64, 64, &x) && x == 64);
	assert_true(mote_checked_round_up(0, 64, &x) && x == 0);
	assert_false(mote_checked_round_up(UINT64_MAX - 62, 64, &x));
}

static void test_errors(void **state)
{
	struct mote_error error = {0};
	char text[3000];

	(void)state;
	mote_error_prefix(&error, "nothing to prefix");
	assert_int_equal(error.code, MOTE_OK);
	assert_int_equal(mote_error_set(NULL, MOTE_ERROR_IO, "x"), MOTE_ERROR_IO);
	mote_error_set(&error, MOTE_ERROR_CORRUPT, "bad\x1b[31m %d\n", 5);
	assert_string_equal(error.message, "bad?[31m 5?");
	assert_int_equal(mote_error_set(&error, MOTE_ERROR_IO, "later"), MOTE_ERROR_IO);
	assert_int_equal(error.code, MOTE_ERROR_CORRUPT);
	mote_error_prefix(&error, "file %s", "a\tb");
	assert_string_equal(error.message, "file a?b: bad?[31m 5?");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	mote_error_prefix(&error, "%s", text);
	assert_int_equal(strlen(error.message), sizeof error.message - 1);

	assert_int_equal(mote_status_exit_code(MOTE_OK), 0);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_IO), 1);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_MEMORY), 1);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_ARGUMENT), 2);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_CORRUPT), 3);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_UNSUPPORTED), 3);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_LIMIT), 3);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_QUALITY), 4);
	assert_int_equal(mote_status_exit_code(MOTE_ERROR_INTERRUPTED), 130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),	      cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_zeros_and_end), cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
