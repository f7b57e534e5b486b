/* Small vocabularies that would take much memory or time, and what is refused of them; and failing memory that must not
 * pass for a template without an end of a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "convert/gguf/gguf_merges.h"
#include "convert/hf/hf_chat.h"
#include "format/utf8.h"
#include "runtime/tokenizer/regex.h"
#include "runtime/tokenizer/tokenizer_section.h"
#include "tests/tiny_tokenizer.h"

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void refused(const char *json, enum mote_status status, const char *named)
{
	struct tiny_tokenizer tiny;

	assert_false(tiny_open(&tiny, json, NULL));
	if (tiny.error.code != status || !strstr(tiny.error.message, named))
		fail_msg("code %d, \"%s\", expected code %d and \"%s\"", tiny.error.code, tiny.error.message, status,
			 named);
	tiny_close(&tiny);
}

/* A few hundred bytes that would become gigabytes are refused, by the compiler or when a text comes. */
static void test_no_growth(void **state)
{
	static const char twice[] = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}";
	char json[8192] = "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[", plain[8192];
	struct mote_error error = {0};
	struct tiny_tokenizer tiny;
	struct mote_ids ids = {0};

	(void)state;
	for (int i = 0; i < 30; i++)
		sprintf(json + strlen(json), "%s%s", i ? "," : "", twice);
	strcat(json, "]}");
	snprintf(plain, sizeof plain, "%s," MODEL "}", json);
	strcat(json, ",\"added_tokens\":[{\"id\":3,\"content\":\"a!\",\"normalized\":true}]," MODEL "}");
	refused(json, MOTE_ERROR_LIMIT, "lengthen");
	assert_true(tiny_open(&tiny, plain, NULL));
	assert_int_equal(mote_tokenizer_encode(tiny.t, "a", 1, 0, &ids, &error), MOTE_ERROR_LIMIT);
	assert_non_null(strstr(error.message, "lengthen"));
	assert_int_equal(ids.count, 0);
	assert_int_equal(mote_tokenizer_encode(tiny.t, "b", 1, 0, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 1);
	mote_ids_free(&ids);
	tiny_close(&tiny);
}

#define SPLIT(pattern) \
	"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Isolated\"}," \
	MODEL "}"

/* A pattern that takes some hundred thousand steps at each "a" and does not match there: none of its matches reaches
 * the limit of one. */
static void test_patterns_that_backtrack(void **state)
{
	enum { LONG = 50000 };
	struct tiny_tokenizer tiny;
	struct mote_error error = {0};
	struct mote_ids ids = {0};
	char *text = malloc(LONG);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', LONG);
	assert_true(tiny_open(&tiny, SPLIT("(?:a?){16}a{16}[bc]|a"), NULL));
	assert_int_equal(mote_tokenizer_encode(tiny.t, text, 100, 0, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 100);
	assert_int_equal(mote_tokenizer_encode(tiny.t, text, LONG, 0, &ids, &error), MOTE_ERROR_LIMIT);
	assert_non_null(strstr(error.message, "a pattern"));
	assert_int_equal(ids.count, 100);
	mote_ids_free(&ids);
	tiny_close(&tiny);
	free(text);
}

/* "single" of so many pieces, each of them so many ids. */
static void template(char *json, int pieces, int ids)
{
	strcpy(json, "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"special_tokens\":{\"x\":{\"ids\":[0");
	for (int i = 1; i < ids; i++)
		strcat(json, ",0");
	strcat(json, "]}},\"single\":[");
	for (int i = 1; i < pieces; i++)
		strcat(json, "{\"SpecialToken\":{\"id\":\"x\"}},");
	strcat(json, "{\"Sequence\":{\"id\":\"A\"}}]}," MODEL "}");
}

static void test_template_limits(void **state)
{
	struct tiny_tokenizer tiny;
	struct mote_ids ids = {0};
	char json[16384];

	(void)state;
	template(json, 65, 16);
	refused(json, MOTE_ERROR_UNSUPPORTED, "more than 64 pieces");
	template(json, 64, 17);
	refused(json, MOTE_ERROR_UNSUPPORTED, "more than 1024 ids before");
	template(json, 64, 16);
	assert_true(tiny_open(&tiny, json, NULL));
	assert_int_equal(mote_tokenizer_encode(tiny.t, "b", 1, MOTE_ENCODE_ADD_SPECIAL, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 63 * 16 + 1);
	mote_ids_free(&ids);
	tiny_close(&tiny);
}

/* Texts of one FNV-1a hash, any of two blocks at each of 15 places. (With that hash, unseeded, this takes a minute.) */
static void test_texts_of_one_hash(void **state)
{
	static const char *const block[][2] = {
		{"ogBOZM", "VlMu3a"}, {"onmtzU", "2nEyFw"}, {"JguJTI", "CEsseH"}, {"aChKOe", "5SOMNU"},
		{"t8woAr", "E84qiF"}, {"o9uaW4", "fIEALr"}, {"xpZYRi", "pWO63M"}, {"L99dwz", "2Hhrbw"},
		{"IjQX1S", "Gq4Fou"}, {"zwoHCR", "56SRnS"}, {"CiFKjb", "7dNKrK"}, {"C4u6tP", "aMxorO"},
		{"qmI1QK", "sQjzf2"}, {"rQ0YoK", "3v5VeE"}, {"Xbhy7w", "KsYOS6"}
	};
	enum { BLOCKS = sizeof block / sizeof *block, TEXTS = 1 << BLOCKS, ROOM = TEXTS * (BLOCKS * 6 + 10) + 100 };
	struct tiny_tokenizer tiny;
	char *json = malloc(ROOM), *at = json;

	(void)state;
	assert_non_null(json);
	at += sprintf(at, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
	for (int i = 0; i < TEXTS; i++) {
		at += sprintf(at, "%s\"", i ? "," : "");
		for (int k = 0; k < BLOCKS; k++)
			at += sprintf(at, "%s", block[k][i >> k & 1]);
		at += sprintf(at, "\":%d", i);
	}
	sprintf(at, "}}}");
	assert_true(tiny_open(&tiny, json, NULL));
	assert_int_equal(tiny.info.vocab_size, TEXTS);
	assert_int_equal(mote_tokenizer_find(tiny.t, "ogBOZMonmtzUJguJTIaChKOet8woAro9uaW4xpZYRiL99dwzIjQX1SzwoHCR"
					     "CiFKjbC4u6tPqmI1QKrQ0YoKXbhy7w", 6 * BLOCKS), 0);
	tiny_close(&tiny);
	free(json);
}

/* Every character beyond Latin that multiplies to a low number, which an unseeded hash would put side by side; and one
 * of each page of 256, at its ends. */
static void test_chosen_characters(void **state)
{
	enum { MOST = 45000, ROOM = MOST * 16 + 200 };
	struct tiny_tokenizer tiny;
	char *json = malloc(ROOM), *at = json, c[5] = "";
	struct mote_ids ids = {0};
	int n = 0;

	(void)state;
	assert_non_null(json);
	at += sprintf(at, "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
	for (uint32_t i = 512; i < 0x110000 && n < MOST; i++)
		if ((i < 0xd800 || i > 0xdfff) &&
		    ((i * 0x9e3779b1u >> 12 & 0xffff) < 1932 || (i & 255) == 0 || (i & 255) == 255)) {
			c[mote_utf8_encode(i, c)] = 0;
			at += sprintf(at, "%s\"%s\":%d", n ? "," : "", c, n);
			n++;
		}
	sprintf(at, "}}}");
	if (!tiny_open(&tiny, json, NULL))
		fail_msg("%s", tiny.error.message);
	assert_int_equal(tiny.info.vocab_size, n);
	/* U+0200, U+02FF, U+10FFFF, U+0201 */
	assert_int_equal(mote_tokenizer_encode(tiny.t, "\xc8\x80\xcb\xbf\xf4\x8f\xbf\xbf\xc8\x81", 10, 0, &ids, NULL),
			 MOTE_OK);
	assert_int_equal(ids.count, 3);
	assert_int_equal(ids.id[0], 0);
	assert_int_equal(ids.id[2], n - 1);
	mote_ids_free(&ids);
	tiny_close(&tiny);
	free(json);
}

/* Merges of a^i with a^j that all fall into one bucket of the table, which is searched one after the other. */
static void merges_of_bucket(char *json, int wanted)
{
	enum { LONGEST = 400, ID_BITS = 9, BUCKET_BITS = 8 };
	char run[LONGEST + 1], *at = json;
	int found = 0;

	memset(run, 'a', LONGEST);
	at += sprintf(at, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
	for (int i = 1; i <= LONGEST; i++)
		at += sprintf(at, "%s\"%.*s\":%d", i > 1 ? "," : "", i, run, i - 1);
	at += sprintf(at, "},\"merges\":[");
	for (int i = 1; i < LONGEST; i++)
		for (int j = 1; i + j <= LONGEST && found < wanted; j++)
			if (merge_key((uint32_t)i - 1, (uint32_t)j - 1, ID_BITS) >> (2 * ID_BITS - BUCKET_BITS) == 77)
				at += sprintf(at, "%s\"%.*s %.*s\"", found++ ? "," : "", i, run, j, run);
	assert_int_equal(found, wanted);
	sprintf(at, "]}}");
}

static void test_one_bucket(void **state)
{
	struct tiny_tokenizer tiny;
	char *json = malloc(1 << 20);

	(void)state;
	assert_non_null(json);
	merges_of_bucket(json, 256);
	if (!tiny_open(&tiny, json, NULL))
		fail_msg("%s", tiny.error.message);
	tiny_close(&tiny);
	merges_of_bucket(json, 257);
	refused(json, MOTE_ERROR_CORRUPT, "merge bucket 78");
	free(json);
}

/* 700 tokens a^i, 245,000 bytes, have merges of more than 100 MB. */
static void test_long_merges(void **state)
{
	enum { TOKENS = 700 };
	static struct mote_gguf_text token[TOKENS];
	static uint8_t type[TOKENS];
	static float score[TOKENS];
	const struct mote_gguf_vocabulary v = {.token = token, .type = type, .score = score, .tokens = TOKENS};
	struct mote_text_buffer b = {0};
	struct mote_error error = {0};
	char run[TOKENS];

	(void)state;
	memset(run, 'a', sizeof run);
	for (uint32_t i = 0; i < TOKENS; i++) {
		token[i] = (struct mote_gguf_text){run, i + 1};
		type[i] = MOTE_GGUF_TOKEN_NORMAL;
	}
	assert_int_equal(mote_gguf_merges_write(&b, &v, &error), MOTE_ERROR_LIMIT);
	assert_non_null(strstr(error.message, "67108864 bytes"));
	free(b.text);
}

/* Where texts of ids begin decides how long they are: one may not be longer than any that is compiled, nor end before
 * it begins. */
static void test_text_borders(void **state)
{
	static const uint16_t borders[][3] = {{4000, 4095, 0}, {4095, 4095, 0}, {4096, 4100, 1}, {10, 9, 2},
					      {0, 4096, 2}};
	static char json[8192];
	struct tiny_tokenizer tiny;
	struct mote_tokenizer *t;
	char run[4001];

	(void)state;
	memset(run, 'a', 4000);
	run[4000] = 0;
	snprintf(json, sizeof json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"%s\":0,\"%.100s\":1,\"%.99s\":2},"
		 "\"merges\":[]}}", run, run, run);
	assert_true(tiny_open(&tiny, json, NULL));
	for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
		uint8_t *offset = tiny.section + MOTE_TOKENIZER_HEADER_BYTES + 8; /* behind one base */
		struct mote_error error = {0};
		char named[32];

		memcpy(offset + 2, borders[i], 4);
		snprintf(named, sizeof named, "text of id %d ", borders[i][2]);
		assert_int_equal(mote_tokenizer_open(tiny.section, tiny.section_bytes, &t, &error),
				 borders[i][2] ? MOTE_ERROR_CORRUPT : MOTE_OK);
		if (borders[i][2] && !strstr(error.message, named))
			fail_msg("%s", error.message);
		mote_tokenizer_close(t);
	}
	tiny_close(&tiny);
}

static void *no_memory(size_t bytes)
{
	(void)bytes;
	return NULL;
}

static void test_turn_end_without_memory(void **state)
{
	cJSON_Hooks none = {no_memory, free};
	struct mote_error error = {0};
	struct tiny_tokenizer tiny;
	enum mote_status status;
	int32_t id;

	(void)state;
	assert_true(tiny_open(&tiny, "{\"added_tokens\":[{\"id\":3,\"content\":\"<e>\",\"special\":true}]," MODEL "}",
			      NULL));
	assert_int_equal(mote_hf_turn_end("{{ messages[1].content }}<e>", NULL, tiny.t, &id, &error), MOTE_OK);
	assert_int_equal(id, 3);
	assert_int_equal(mote_hf_turn_end("{{ no", NULL, tiny.t, &id, &error), MOTE_OK);
	assert_int_equal(id, -1);
	cJSON_InitHooks(&none);
	status = mote_hf_turn_end("{{ messages[1].content }}<e>", NULL, tiny.t, &id, &error);
	cJSON_InitHooks(NULL);
	assert_int_equal(status, MOTE_ERROR_MEMORY);
	tiny_close(&tiny);
}

/* A pattern ends where its bytes do, whatever lies behind them. */
static void test_pattern_end(void **state)
{
	struct mote_error error = {0};
	size_t bytes;
	char *out;

	(void)state;
	assert_int_equal(mote_tokenizer_regex_rewrite("a{2}+behind", 5, &out, &bytes, &error), MOTE_ERROR_UNSUPPORTED);
	free(out);
	assert_non_null(strstr(error.message, "pattern \"a{2}+\": byte"));
	assert_int_equal(mote_tokenizer_regex_rewrite("a{2}+", 4, &out, &bytes, NULL), MOTE_OK);
	assert_int_equal(bytes, 4);
	assert_memory_equal(out, "a{2}", 4);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_growth),	  cmocka_unit_test(test_template_limits),
		cmocka_unit_test(test_patterns_that_backtrack),
		cmocka_unit_test(test_texts_of_one_hash), cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_chosen_characters), cmocka_unit_test(test_pattern_end),
		cmocka_unit_test(test_long_merges),	  cmocka_unit_test(test_text_borders),
		cmocka_unit_test(test_turn_end_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
