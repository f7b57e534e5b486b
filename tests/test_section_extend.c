/* Special tokens added to a compiled tokenizer: the same bytes as compiling the tokenizer.json that names them, also
 * where the ids outgrow the bits of the merge table; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer.h"
#include "runtime/tokenizer/section_extend.h"
#include "runtime/tokenizer/tokenizer.h"

enum { MOST_NEW = 300, JSON_BYTES = 1 << 16 };

#define ADDED(id, content, normalized, special) \
	"{\"id\":" #id ",\"content\":\"" content "\",\"single_word\":false,\"lstrip\":true,\"rstrip\":false," \
	"\"normalized\":" \
	#normalized ",\"special\":" #special "}"

/* A tokenizer.json without its end: its added tokens, then a comma and the rest. ids: as many as it has. */
struct kind {
	const char *added, *rest;
	uint32_t ids;
};

static const struct kind kinds[] = {
	/* ignore_merges has a trie; a normalized pattern; patterns that a new token's sorts before,
	 * between and behind */
	{ADDED(5, "<s>", false, true) "," ADDED(6, "Zz", true, false),
	 "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},"
	 "\"behavior\":\"Isolated\","
	 "\"invert\":false},\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,"
	 "\"abab\":3,\" \":4},"
	 "\"merges\":[\"a b\",\"ab ab\"]}", 7},
	/* an affix, and an id that no token has */
	{ADDED(9, "<s>", false, true),
	 "\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0,\"b</w>\":1,\"ab</w>\":2},"
	 "\"merges\":[[\"a\",\"b</w>\"]]}", 10},
	{ADDED(3, "<s>", false, true),
	 "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1.5],[\"ab\",-2]]}", 4}
};

static void compile(const struct kind *k, uint32_t n, uint8_t **section, size_t *bytes)
{
	char *json = malloc(JSON_BYTES);
	struct mote_error error = {0};
	int at;

	assert_non_null(json);
	at = snprintf(json, JSON_BYTES, "{\"added_tokens\":[%s", k->added);
	for (uint32_t i = 0; i < n; i++)
		at += snprintf(json + at, JSON_BYTES - (size_t)at, ",{\"id\":%u,\"content\":\"<%u\xc3\xa4>\","
			       "\"special\":true}", k->ids + i, i);
	at += snprintf(json + at, JSON_BYTES - (size_t)at, "],%s}", k->rest);
	if (mote_hf_tokenizer_compile(&(struct mote_hf_tokenizer_source){.json = json, .bytes = (size_t)at}, section,
				      bytes, NULL, &error))
		fail_msg("%s", error.message);
	free(json);
}

static void test_same_bytes(void **state)
{
	static const uint32_t counts[] = {1, 2, 7, 30, MOST_NEW};
	static char text[MOST_NEW][16];
	const char *token[MOST_NEW];

	(void)state;
	for (uint32_t i = 0; i < MOST_NEW; i++) {
		snprintf(text[i], sizeof text[i], "<%u\xc3\xa4>", i);
		token[i] = text[i];
	}
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
		for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
			uint8_t *old, *expected, *found;
			size_t old_bytes, expected_bytes, found_bytes;
			struct mote_tokenizer *t;

			compile(&kinds[k], 0, &old, &old_bytes);
			compile(&kinds[k], counts[c], &expected, &expected_bytes);
			assert_int_equal(mote_tokenizer_section_extend(old, old_bytes, token, counts[c], &found,
								       &found_bytes, NULL),
					 MOTE_OK);
			assert_int_equal(found_bytes, expected_bytes);
			assert_memory_equal(found, expected, found_bytes);
			assert_int_equal(mote_tokenizer_open(found, found_bytes, &t, NULL), MOTE_OK);
			assert_int_equal(mote_tokenizer_find(t, token[0], strlen(token[0])), kinds[k].ids);
			assert_true(mote_tokenizer_is_special(t, (int32_t)kinds[k].ids));
			mote_tokenizer_close(t);
			free(old);
			free(expected);
			free(found);
		}
}

static void test_refused(void **state)
{
	static char long_text[4097];
	static const char *const given[][2] = {{"", "x"}, {long_text, "x"}, {"\xff", "x"}, {"<s>", "x"}, {"ab", "x"},
					       {"x", "x"}};
	static const char *const said[] = {"expected 1 to 4095", "expected 1 to 4095", "UTF-8",
					   "in the vocabulary already (id 5)", "in the vocabulary already (id 2)",
					   "given twice"};
	uint8_t *old, *found;
	size_t old_bytes, found_bytes;

	(void)state;
	memset(long_text, 'a', sizeof long_text - 1);
	compile(&kinds[0], 0, &old, &old_bytes);
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		struct mote_error error = {0};

		assert_int_equal(mote_tokenizer_section_extend(old, old_bytes, given[i], 2, &found, &found_bytes,
							       &error),
				 MOTE_ERROR_ARGUMENT);
		assert_null(found);
		assert_non_null(strstr(error.message, said[i]));
	}
	assert_int_equal(mote_tokenizer_section_extend(old, old_bytes - 8, given[0], 1, &found, &found_bytes, NULL),
			 MOTE_ERROR_CORRUPT);
	free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests_name("section_extend", tests, NULL, NULL);
}
