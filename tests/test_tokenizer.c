/* Tokenizers: encoding, added tokens, spans. Decoding: test_detokenize.c; merges: test_bpe.c. Long comparisons with
 * other implementations are in tests/differential and tests/conformance;
 * goldens.json here comes from the reference itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "format/json.h"
#include "runtime/tokenizer/encode_state.h"
#include "tests/tokenizer_open.h"

/* Ids as text: "1 2 3". */
static const char *encoded(const struct tiny_tokenizer *tiny, const char *text, size_t bytes, unsigned flags)
{
	static char out[4096];
	struct mote_ids ids = {0};
	size_t used = 0;

	out[0] = 0;
	assert_int_equal(mote_tokenizer_encode(tiny->t, text, bytes, flags, &ids, NULL), MOTE_OK);
	for (size_t i = 0; i < ids.count; i++)
		used += (size_t)snprintf(out + used, sizeof out - used, "%s%d", i ? " " : "", (int)ids.id[i]);
	mote_ids_free(&ids);
	return out;
}

static void expect(const struct tiny_tokenizer *tiny, const char *text, const char *ids)
{
	assert_string_equal(encoded(tiny, text, strlen(text), 0), ids);
	assert_string_equal(encoded(tiny, text, strlen(text), MOTE_ENCODE_NO_CACHE), ids);
}

/* The text of a case's ids, whole and piece by piece. */
static void expect_decoded(const struct tiny_tokenizer *tiny, const cJSON *ids, const char *want)
{
	static struct mote_detokenizer d;
	char streamed[4096], *whole;
	int32_t id[512];
	size_t count = 0, used = 0, bytes;
	const char *piece;

	memset(&d, 0, sizeof d);
	for (const cJSON *item = ids->child; item; item = item->next, count++) {
		assert_true(count < 512);
		id[count] = item->valueint;
		piece = mote_detokenizer_next(&d, tiny->t, id[count], false, &bytes);
		memcpy(streamed + used, piece, bytes);
		used += bytes;
	}
	piece = mote_detokenizer_flush(&d, &bytes);
	memcpy(streamed + used, piece, bytes + 1);
	assert_string_equal(streamed, want);
	assert_int_equal(mote_tokenizer_decode(tiny->t, id, count, false, &whole, &bytes, NULL), MOTE_OK);
	assert_string_equal(whole, want);
	free(whole);
}

static void expect_case(const struct tiny_tokenizer *tiny, const char *kind, const cJSON *item)
{
	const cJSON *input = item->child, *ids = input->next;
	const char *got;
	char want[4096] = "";
	size_t used = 0;

	for (const cJSON *id = ids->child; id; id = id->next)
		used += (size_t)snprintf(want + used, sizeof want - used, "%s%d", used ? " " : "", id->valueint);
	for (unsigned flags = 0; flags <= MOTE_ENCODE_NO_CACHE; flags += MOTE_ENCODE_NO_CACHE) {
		got = encoded(tiny, input->valuestring, strlen(input->valuestring), flags);
		if (strcmp(got, want))
			fail_msg("%s: \"%s\": %s, expected %s", kind, input->valuestring, got, want);
	}
	expect_decoded(tiny, ids, ids->next->valuestring);
}

static void test_goldens(void **state)
{
	FILE *file = fopen("tests/tokenizers/goldens.json", "rb");
	static char text[1 << 20];
	size_t bytes = file ? fread(text, 1, sizeof text, file) : 0;
	const cJSON *models, *model;
	unsigned cases = 0;
	cJSON *root;

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(mote_json_parse(text, bytes, "goldens.json", &root, NULL), MOTE_OK);
	models = mote_json_get(root, "models");
	for (const cJSON *kind = mote_json_get(root, "kinds")->child; kind; kind = kind->next) {
		cJSON *tokenizer = cJSON_Duplicate(mote_json_get(kind, "tokenizer"), true);
		struct tiny_tokenizer tiny;
		char *json;

		model = mote_json_get(tokenizer, "model"); /* itself, or the name of one that several have */
		if (cJSON_IsString(model))
			cJSON_ReplaceItemInObjectCaseSensitive(
				tokenizer, "model", cJSON_Duplicate(mote_json_get(models, model->valuestring), true));
		json = mote_json_print(tokenizer, &bytes);
		open_or_fail(&tiny, json, NULL);
		for (const cJSON *item = mote_json_get(kind, "cases")->child; item; item = item->next, cases++)
			expect_case(&tiny, mote_json_get(kind, "name")->valuestring, item);
		tiny_close(&tiny);
		free(json);
		cJSON_Delete(tokenizer);
	}
	assert_int_equal(cases, 70 * 40 + 2 * 4);
	cJSON_Delete(root);
}

/* Pieces of a hand-written pattern, with | between them. */
static void expect_pieces(enum tokenizer_pattern pattern, const char *text, const char *pieces)
{
	char out[512] = "";
	size_t bytes = strlen(text), end;

	for (size_t at = 0; at < bytes; at = end) {
		end = mote_tokenizer_pattern_next(pattern, text, bytes, at);
		snprintf(out + strlen(out), sizeof out - strlen(out), "%s%.*s", at ? "|" : "", (int)(end - at),
			 text + at);
	}
	assert_string_equal(out, pieces);
}

static void test_patterns(void **state)
{
	(void)state;
	expect_pieces(PATTERN_GPT2, "I'm they'll DON'T 'style", "I|'m| they|'ll| DON|'|T| '|style");
	expect_pieces(PATTERN_GPT2, "a  b   1\n\n x  ", "a| | b|  | 1|\n\n| x|  ");
	expect_pieces(PATTERN_GPT2, "x\xc2\xa0\xc2\xa0y", "x|\xc2\xa0|\xc2\xa0|y");
	expect_pieces(PATTERN_LLAMA3, "DON'T 'ſo ('re", "DON|'T| '|\xc5\xbfo| ('|re");
	expect_pieces(PATTERN_LLAMA3, "it'\xc5\xbf 12345", "it|'\xc5\xbf| |123|45");
	expect_pieces(PATTERN_LLAMA3, "a \n  b\n\n  c\t\td!!\n\ne", "a| \n| | b|\n\n| | c|\t|\td|!!\n\n|e");
	expect_pieces(PATTERN_QWEN2, "v12 ²x", "v|1|2| |²|x");
	expect_pieces(PATTERN_WORDS, "a_1-- é\u0301!", "a_1|--| |é\u0301|!");
}

/* A line's end in a pattern is one of the text, but nothing where white space is. */
static void test_line_ends(void **state)
{
	static const struct {
		const char *pattern, *ids; /* of "xab\nb", where "xa" is a token */
	} cases[] = {
		{"a\\nb", "256 98 10 98"}, {"ab\\n", "120 97 98 10 98"}, {"(?x:a\\nb)", "120 97 98 10 98"},
		{"(?i-x:a\\nb)", "256 98 10 98"}, {"ab\\\\\\n", "120 97 98 10 98"}, {"[a\\n]", "120 97 98 10 98"},
	};
	struct tiny_tokenizer tiny;
	struct tiny_json json;
	char split[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(split, sizeof split, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
			 "\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\","
			 "\"add_prefix_space\":false,\"use_regex\":false}]}", cases[i].pattern);
		open_or_fail(&tiny, tiny_byte_level(&json, "xa", split, "", ""), NULL);
		expect(&tiny, "xab\nb", cases[i].ids);
		tiny_close(&tiny);
	}
}

/* SmolLM2: each number alone, and the text that the pattern sees ends there. */
static void test_digits(void **state)
{
	struct tiny_tokenizer tiny;
	struct tiny_json j;

	(void)state;
	open_or_fail(&tiny,
		     tiny_byte_level(&j, "12",
				     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
				     "\"individual_digits\":true}," BYTE_LEVEL "]}",
				     "", ""),
		     NULL);
	expect(&tiny, "12", "49 50");
	expect(&tiny, "a  1", "97 32 32 49");
	tiny_close(&tiny);
	open_or_fail(&tiny, tiny_byte_level(&j, "12", BYTE_LEVEL, "", ""), NULL);
	expect(&tiny, "12", "256");
	tiny_close(&tiny);
}

/* A byte without a symbol is dropped, and its neighbours may merge then. */
static void test_dropped_bytes(void **state)
{
	struct tiny_tokenizer tiny;
	struct mote_ids ids = {0};
	static const char json[] =
		"{\"pre_tokenizer\":" BYTE_LEVEL
		",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3},"
		"\"merges\":[\"a b\"]}}";

	(void)state;
	open_or_fail(&tiny, json, NULL);
	assert_int_equal(tiny.info.n_inexpressible, 256 - 3 - 13);
	assert_int_equal(mote_tokenizer_encode(tiny.t, "a b\0b azb az", 12, 0, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 8); /* a, _, b b, _, ab, _, a: the z and the NUL are gone */
	assert_int_equal(ids.id[6], 3);
	assert_int_equal(ids.dropped_bytes, 3);
	mote_ids_free(&ids);
	tiny_close(&tiny);
}

/* A character that is dropped between words: two marks of spaces merge. */
static void test_dropped_between_words(void **state)
{
	struct tiny_tokenizer tiny;
	struct mote_ids ids = {0};

	(void)state;
	open_or_fail(&tiny,
		     "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"\u2581\":1,\"\u2581\u2581\":2},"
		     "\"merges\":[\"\u2581 \u2581\"]}}",
		     NULL);
	assert_int_equal(mote_tokenizer_encode(tiny.t, "a\u2581Q\u2581a", 9, 0, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 3);
	assert_int_equal(ids.id[1], 2);
	mote_ids_free(&ids);
	tiny_close(&tiny);
}

static void test_added_tokens(void **state)
{
	struct tiny_tokenizer tiny;
	struct tiny_json j;
	static const char added[] =
		SPECIAL(256, "<a>", "") "," SPECIAL(257, "<a>b", "") ","
		SPECIAL(258, "[w]", ",\"single_word\":true") "," SPECIAL(259, "[l]", ",\"lstrip\":true") ","
		SPECIAL(260, "[r]", ",\"rstrip\":true") ","
		"{\"id\":261,\"content\":\"hi\",\"special\":false,\"normalized\":true},"
		SPECIAL(262, "\\f", ",\"lstrip\":true,\"rstrip\":true");

	(void)state;
	open_or_fail(&tiny, tiny_byte_level(&j, "", BYTE_LEVEL, added, ""), NULL);
	assert_int_equal(tiny.info.special_tokens, 6);
	expect(&tiny, "<a><a>b<a", "256 257 60 97");               /* leftmost, then longest */
	expect(&tiny, "[w] [w]x _[w]", "258 32 91 119 93 120 32 95 91 119 93");
	expect(&tiny, "a \n[l]\t[r] \u3000b", "97 259 9 260 98");   /* spaces go with the token */
	expect(&tiny, " [l] [l]", "259 259");
	expect(&tiny, "ahi", "97 261");
	expect(&tiny, "a\f \f\fb[r]\f", "97 262 98 260"); /* none of its own where another took its spaces */
	assert_string_equal(encoded(&tiny, "<a>hi", 5, MOTE_ENCODE_PLAIN), "60 97 62 104 105");
	assert_true(mote_tokenizer_is_special(tiny.t, 256));
	assert_false(mote_tokenizer_is_special(tiny.t, 261));
	assert_int_equal(mote_tokenizer_find(tiny.t, "[r]", 3), 260);
	assert_int_equal(mote_tokenizer_find(tiny.t, "[q]", 3), -1);
	tiny_close(&tiny);
}

static void expect_spans(const struct tiny_tokenizer *tiny, const char *text, const struct mote_text_span *spans,
			 size_t n, const char *want)
{
	struct mote_ids ids = {0};
	char out[512] = "";

	assert_int_equal(mote_tokenizer_encode_spans(tiny->t, text, spans, n, 0, &ids, NULL), MOTE_OK);
	for (size_t i = 0; i < ids.count; i++)
		snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d", i ? " " : "", (int)ids.id[i]);
	assert_string_equal(out, want);
	mote_ids_free(&ids);
}

/* What a message says never becomes a control token, neither whole nor in part. */
static void test_spans(void **state)
{
	static const struct mote_text_span spans[] = {{0, 3, false}, {3, 6, true}, {6, 9, false}};
	static const struct mote_text_span across[] = {{0, 2, false}, {2, 4, true}, {4, 6, false}};
	struct tiny_tokenizer tiny;
	struct tiny_json j;

	(void)state;
	open_or_fail(&tiny, tiny_byte_level(&j, "", BYTE_LEVEL, SPECIAL(256, "<a>", ""), ""), NULL);
	expect_spans(&tiny, "<a><a><a>", spans, 3, "256 60 97 62 256");
	expect_spans(&tiny, "<a><a>", across, 3, "60 97 62 60 97 62");
	/* nor behind bytes that are no UTF-8, for which other bytes stand */
	expect_spans(&tiny, "<a>\xff<a><a>", (struct mote_text_span[]){{0, 4, false}, {4, 7, true}, {7, 10, false}}, 3,
		     "256 239 191 189 60 97 62 256");
	expect_spans(&tiny, "\xf0\x9f<a>", (struct mote_text_span[]){{0, 5, true}}, 1, "239 191 189 60 97 62");
	tiny_close(&tiny);
	/* The same through a normalizer, whose pattern is "\u2581<a>" */
	open_or_fail(&tiny,
		     "{\"added_tokens\":[{\"id\":4,\"content\":\"<a>\",\"normalized\":true,\"special\":true}],"
		     "\"normalizer\":"
		     "{\"type\":\"Prepend\",\"prepend\":\"_\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"_\":0,\"<"
		     "\":1,\"a\":2,\">\":3},"
		     "\"merges\":[]}}",
		     NULL);
	expect_spans(&tiny, "<a>", (struct mote_text_span[]){{0, 3, false}}, 1, "4");
	/* behind a token nothing is put before it, so there it is text, as in the reference */
	expect_spans(&tiny, "<a><a>", (struct mote_text_span[]){{0, 6, false}}, 1, "4 1 2 3");
	expect_spans(&tiny, "<a><a>", (struct mote_text_span[]){{0, 3, false}, {3, 6, true}}, 2, "4 1 2 3");
	expect_spans(&tiny, "<a>", (struct mote_text_span[]){{0, 3, true}}, 1, "0 1 2 3");
	expect_spans(&tiny, "<a>", (struct mote_text_span[]){{0, 2, false}, {2, 3, true}}, 2, "0 1 2 3");
	tiny_close(&tiny);
	/* A vocabulary whose model could spell a special token itself */
	open_or_fail(&tiny,
		     "{\"added_tokens\":[{\"id\":3,\"content\":\"<>\",\"special\":true}],\"model\":{\"type\":"
		     "\"Unigram\",\"unk_id\":0,"
		     "\"vocab\":[[\"?\",-9],[\"<\",-2],[\">\",-2],[\"<>\",0]]}}",
		     NULL);
	expect_spans(&tiny, "<><>", (struct mote_text_span[]){{0, 2, false}, {2, 4, true}}, 2, "3 1 2");
	tiny_close(&tiny);
}

static void test_special_around(void **state)
{
	struct tiny_tokenizer tiny;
	static const char model[] =
		"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"<s>\":1,\"</s>\":2},\"merges\":[]}}";
	char json[1024];

	(void)state;
	snprintf(json, sizeof json,
		 "{\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"
		 "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{"
		 "\"id\":\"A\"}},"
		 "{\"SpecialToken\":{\"id\":\"</s>\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[1]},\"</"
		 "s>\":{\"ids\":[2,2]}}}]},%s",
		 model);
	open_or_fail(&tiny, json, NULL);
	assert_string_equal(encoded(&tiny, "aa", 2, MOTE_ENCODE_ADD_SPECIAL), "1 0 0 2 2");
	assert_string_equal(encoded(&tiny, "", 0, MOTE_ENCODE_ADD_SPECIAL), "1 2 2");
	assert_string_equal(encoded(&tiny, "aa", 2, MOTE_ENCODE_ADD_BEFORE), "1 0 0");
	tiny_close(&tiny);
	snprintf(json, sizeof json,
		 "{\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"<s>\",1],\"sep\":[\"</s>\",2]},%s",
		 model);
	open_or_fail(&tiny, json, NULL);
	assert_true(tiny.info.adds_bos && tiny.info.adds_eos);
	assert_string_equal(encoded(&tiny, "a", 1, MOTE_ENCODE_ADD_SPECIAL), "1 0 2");
	tiny_close(&tiny);
	open_or_fail(&tiny, json,
		     "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"bos_token\":\"<s>\",\"eos_token\":{\"content\":"
		     "\"</s>\"},"
		     "\"add_bos_token\":false,\"add_eos_token\":true}");
	assert_string_equal(encoded(&tiny, "a", 1, MOTE_ENCODE_ADD_SPECIAL), "0 2");
	assert_true(mote_tokenizer_is_special(tiny.t, 1)); /* named by the configuration */
	tiny_close(&tiny);
}

/* Ill-formed UTF-8: one U+FFFD for each maximal part, as Unicode and Python have it. */
static void test_ill_formed(void **state)
{
	struct tiny_tokenizer tiny;
	struct tiny_json j;

	(void)state;
	open_or_fail(&tiny, tiny_byte_level(&j, "", BYTE_LEVEL, "", ""), NULL);
	assert_string_equal(encoded(&tiny, "a\xf0\x9f\x98" "b", 5, 0), "97 239 191 189 98");
	assert_string_equal(encoded(&tiny, "\xed\xa0\x80", 3, 0), "239 191 189 239 191 189 239 191 189");
	assert_string_equal(encoded(&tiny, "\xe2\x82", 2, 0), "239 191 189");
	assert_string_equal(encoded(&tiny, "\xc0\xaf\xff", 3, 0), "239 191 189 239 191 189 239 191 189");
	tiny_close(&tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goldens),
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_dropped_bytes),
		cmocka_unit_test(test_dropped_between_words),
		cmocka_unit_test(test_added_tokens),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_special_around),
		cmocka_unit_test(test_ill_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
