/* UTF-8: the codec against all characters and all short byte strings; messages stay whole characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format/status.h"
#include "format/utf8.h"

static void test_every_character(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		size_t bad, length, bytes;
		char text[4];

		bytes = mote_utf8_encode(c, text);
		if (c >= 0xd800 && c < 0xe000) {
			assert_int_equal(mote_utf8_step(text, bytes, &bad), 0);
			assert_int_equal(bad, 1);
			continue;
		}
		assert_int_equal(mote_utf8_length(text[0]), bytes);
		assert_int_equal(mote_utf8_decode(text, &length), c);
		assert_int_equal(length, bytes);
		assert_int_equal(mote_utf8_step(text, bytes, &bad), bytes);
		assert_int_equal(mote_utf8_valid(text, bytes), bytes);
		for (size_t part = 1; part < bytes; part++) {
			assert_int_equal(mote_utf8_step(text, part, &bad), 0);
			assert_int_equal(bad, 0);
			assert_int_equal(mote_utf8_valid(text, part), 0);
		}
	}
}

/* Every pair of bytes, alone, before ASCII and behind eight of it: step() and valid() agree with the table. */
static void test_every_pair(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			char text[] = "abcdefgh..zz";
			size_t whole = first < 0x80	       ? second < 0x80 ? 12 : 9
				       : first < 0xc2 || first > 0xdf  ? 8
				       : second >= 0x80 && second < 0xc0 ? 12
									 : 8;

			text[8] = (char)first;
			text[9] = (char)second;
			assert_int_equal(mote_utf8_valid(text, 12), whole);
			assert_int_equal(mote_utf8_valid(text + 8, 4), whole - 8);
		}
}

static void assert_message(const char *expected, const char *format, const char *text)
{
	struct mote_error error = {0};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	mote_error_set(&error, MOTE_ERROR_CORRUPT, format, text);
#pragma GCC diagnostic pop
	assert_string_equal(error.message, expected);
}

static void test_messages(void **state)
{
	struct mote_error error = {0};
	char name[2 * sizeof error.message];

	(void)state;
	assert_message("key \"caf\xc3\xa9\"", "key \"%.5s\"", "caf\xc3\xa9s");
	assert_message("key \"caf\"", "key \"%.4s\"", "caf\xc3\xa9s");
	assert_message("key \"a\" is", "key \"%.4s\" is", "a\xf0\x9f\x98\x80");
	assert_message("key 'a'", "key '%.2s'", "a\xe2\x82\xac");
	assert_message("end ", "end %.2s", "\xe2\x82\xac");
	assert_message("caf?.json: no", "%s: no", "caf\xe9.json"); /* Latin-1: never was UTF-8 */
	assert_message("a??b", "%s", "a\x80\xff" "b");
	assert_message("?[2J?x?", "%s", "\x1b[2J\x7fx\xc2\x9b"); /* nothing that steers a terminal */

	/* full: every offset of a character against the end of the message */
	for (size_t before = 0; before < 4; before++) {
		memset(name, 'x', before);
		for (size_t i = before; i + 4 < sizeof name; i += 4)
			memcpy(name + i, "\xf0\x9f\x98\x80", 5);
		memset(&error, 0, sizeof error);
		mote_error_set(&error, MOTE_ERROR_CORRUPT, "%s", name);
		assert_int_equal(mote_utf8_valid(error.message, strlen(error.message)), strlen(error.message));
		assert_in_range(strlen(error.message), sizeof error.message - 4, sizeof error.message - 1);
		assert_false(strchr(error.message, '?'));
		mote_error_prefix(&error, "file");
		assert_int_equal(mote_utf8_valid(error.message, strlen(error.message)), strlen(error.message));
		assert_in_range(strlen(error.message), sizeof error.message - 4, sizeof error.message - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_character),
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
