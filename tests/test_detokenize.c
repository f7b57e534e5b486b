/* Ids to text, at once and piece by piece: bytes, characters that are cut, byte fallback, other decoders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/tokenizer_open.h"

static void expect_text(const struct tiny_tokenizer *tiny, const int32_t *ids, size_t count, bool skip,
			const char *want)
{
	struct mote_detokenizer d = {0};
	char *text, streamed[1024] = "";
	size_t bytes;

	assert_int_equal(mote_tokenizer_decode(tiny->t, ids, count, skip, &text, &bytes, NULL), MOTE_OK);
	assert_string_equal(text, want);
	free(text);
	for (size_t i = 0; i < count; i++)
		strcat(streamed, mote_detokenizer_next(&d, tiny->t, ids[i], skip, &bytes));
	strcat(streamed, mote_detokenizer_flush(&d, &bytes));
	assert_string_equal(streamed, want);
}

static void expect_within(const struct tiny_tokenizer *tiny, const int32_t *ids, size_t count, const char *want)
{
	char *text;
	size_t bytes;

	assert_int_equal(mote_tokenizer_decode_within(tiny->t, ids, count, &text, &bytes, NULL), MOTE_OK);
	assert_int_equal(bytes, strlen(want));
	assert_string_equal(text, want);
	free(text);
}

#define IDS(...) (int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4

static void test_decode_bytes(void **state)
{
	struct tiny_tokenizer tiny;
	struct mote_detokenizer d = {0};
	struct tiny_json j;
	size_t bytes;

	(void)state;
	open_or_fail(&tiny, tiny_byte_level(&j, "", BYTE_LEVEL, SPECIAL(256, "<é> ", ""), ""), NULL);
	expect_text(&tiny, IDS(0xe2, 0x82, 0xac, 33), false, "€!");
	expect_text(&tiny, IDS(0xe2, 0x82, 33), false, "\xef\xbf\xbd!");
	expect_text(&tiny, IDS(0xe2, 0x82), false, "\xef\xbf\xbd");
	expect_text(&tiny, IDS(0xff, 0xc3), false, "\xef\xbf\xbd\xef\xbf\xbd");
	/* Not all of it is in the byte alphabet (the space is not), so it stands for itself. */
	expect_text(&tiny, IDS(97, 256, 98), false, "a<é> b");
	expect_text(&tiny, IDS(97, 256, 98, 9999, -1), true, "ab");
	expect_within(&tiny, IDS(32, 256, 0x82), " <é> \xef\xbf\xbd");
	assert_string_equal(mote_detokenizer_next(&d, tiny.t, 0xe2, false, &bytes), "");
	assert_string_equal(mote_detokenizer_next(&d, tiny.t, 0x82, false, &bytes), "");
	assert_string_equal(mote_detokenizer_next(&d, tiny.t, 0xac, false, &bytes), "€");
	tiny_close(&tiny);
	/* All of it is: then even an added token's text is mapped. */
	open_or_fail(&tiny, tiny_byte_level(&j, "", BYTE_LEVEL, SPECIAL(256, "<\\u0120>", ""), ""), NULL);
	expect_text(&tiny, IDS(256), false, "< >");
	tiny_close(&tiny);
}

static void test_decode_fallback(void **state)
{
	struct tiny_tokenizer tiny;
	static const char json[] = "{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
				   "\"pattern\":{\"String\":\"\u2581\"},\"content\":\" \"},"
				   "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\","
				   "\"content\":\" \",\"start\":1,\"stop\":0}]},"
				   "\"model\":{\"type\":\"BPE\",\"vocab\":{\"<0xE2>\":0,\"<0x82>\":1,\"<0xAC>\":2,"
				   "\"\u2581\":3,\"a\u2581b\":4},\"merges\":[]}}";
	struct mote_detokenizer d = {.started = true};
	size_t bytes;

	(void)state;
	open_or_fail(&tiny, json, NULL);
	expect_text(&tiny, IDS(3, 3, 4), false, " a b");
	expect_text(&tiny, IDS(4, 0, 1, 2, 0, 1, 2, 4), false, "a b€€a b");
	expect_within(&tiny, IDS(3), " ");
	expect_within(&tiny, IDS(3, 4), " a b");
	expect_within(&tiny, IDS(0), "\xef\xbf\xbd");
	/* One bad byte spoils the whole run: so the reference has it. */
	expect_text(&tiny, IDS(0, 1, 2, 1, 4), false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "a b");
	assert_string_equal(mote_detokenizer_next(&d, tiny.t, 3, false, &bytes),
			    " "); /* goes on with an earlier text */
	tiny_close(&tiny);
}

static void test_decode_others(void **state)
{
	struct tiny_tokenizer tiny;
	static const char model[] =
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"\u2581a\":0,\"\u2581\":1,\"b\":2},\"merges\":[]}}";
	char json[512];

	(void)state;
	snprintf(
		json, sizeof json,
		"{\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"always\"},%s",
		model);
	open_or_fail(&tiny, json, NULL);
	expect_text(&tiny, IDS(0, 0, 1, 2), false, "a a b");
	expect_within(&tiny, IDS(0), " a");
	tiny_close(&tiny);
	snprintf(json, sizeof json,
		 "{\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"never\"},%s",
		 model);
	open_or_fail(&tiny, json, NULL);
	expect_text(&tiny, IDS(0, 2), false, " ab");
	tiny_close(&tiny);
	snprintf(json, sizeof json, "{\"decoder\":null,%s", model);
	open_or_fail(&tiny, json, NULL);
	expect_text(&tiny, IDS(2, 0, 2), false, "b \u2581a b");
	expect_within(&tiny, IDS(2, 2), " b b");
	tiny_close(&tiny);
	snprintf(json, sizeof json, "{\"decoder\":{\"type\":\"Strip\",\"content\":\"b\",\"start\":1,\"stop\":1},%s",
		 model);
	open_or_fail(&tiny, json, NULL);
	expect_text(&tiny, IDS(2, 0, 2), false, "\u2581a");
	tiny_close(&tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_bytes),
		cmocka_unit_test(test_decode_fallback),
		cmocka_unit_test(test_decode_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
