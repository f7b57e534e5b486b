/* Compiling tokenizer.json: what is refused, and by which name; what tokenizer_config.json changes; normalizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "format/utf8.h"
#include "runtime/tokenizer/tokenizer_section.h"
#include "tests/tiny_tokenizer.h"

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void refused(const char *json, const char *config, enum mote_status status, const char *named)
{
	struct tiny_tokenizer tiny;

	if (tiny_open(&tiny, json, config))
		fail_msg("accepted: %s", json);
	if (tiny.error.code != status || !strstr(tiny.error.message, named))
		fail_msg("%s: code %d, \"%s\", expected code %d and \"%s\"", json, tiny.error.code,
			 tiny.error.message, status, named);
	assert_null(tiny.section);
	tiny_close(&tiny);
}

static void test_refused_by_name(void **state)
{
	static const struct { const char *json, *named;
	} cases[] = {
		{"{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," MODEL "}",
		 "pre_tokenizer: type \"UnicodeScripts\""},
		{"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Shout\"}]}," MODEL "}",
		 "normalizer: type \"Shout\""},
		{"{\"decoder\":{\"type\":\"CTC\"}," MODEL "}", "decoder: type \"CTC\""},
		{"{\"decoder\":{\"type\":\"BPEDecoder\"}," MODEL "}", "decoder: type \"BPEDecoder\""},
		{"{\"decoder\":{\"type\":\"WordPiece\"}," MODEL "}", "decoder: type \"WordPiece\""},
		{"{\"decoder\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},\"content\":\"\"}," MODEL "}",
		 "Replace by Regex \"a+\""},
		{"{\"post_processor\":{\"type\":\"Postman\"}," MODEL "}", "post_processor: type \"Postman\""},
		{"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "type \"WordPiece\""},
		{"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}}", "type \"WordLevel\""},
		{"{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", "dropout"},
		{"{\"model\":{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[[\"a\",0]]}}", "unk_id"},
		{"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Torn\"}"
		 "," MODEL "}",
		 "behavior \"Torn\""},
		{"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"behavior\":"
		 "\"Isolated\"}," MODEL "}",
		 "&&"},
		{"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a{2}+\"},\"behavior\":"
		 "\"Isolated\"}," MODEL "}",
		 "interval"},
		{"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"}"
		 "," MODEL "}",
		 "parenthes"},
		{"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}"
		 "," MODEL "}",
		 "prepend_scheme \"last\""},
		{"{\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\","
		 "\"content\":\"a\",\"start\":0,\"stop\":1}]}," MODEL "}",
		 "cannot be streamed"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(cases[i].json, NULL, MOTE_ERROR_UNSUPPORTED, cases[i].named);
}

static void test_corrupt(void **state)
{
	static const struct { const char *json, *named;
	} cases[] = {
		{"{", "line 1"},
		{"{}", "\"model\""},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "empty"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
		 "id 0 is both \"a\" and \"b\""},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "id -1"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}", "no integer"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000},\"merges\":[]}}", "id 4000000"},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a c\"]}}", "merges[0]: \"c\""},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "merges[0]: \"aa\""},
		{"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", "merges[0]"},
		{"{\"model\":{\"type\":\"BPE\",\"unk_token\":\"u\",\"vocab\":{\"a\":0},\"merges\":[]}}",
		 "unk_token \"u\""},
		{"{\"model\":{\"type\":\"Unigram\",\"unk_id\":5,\"vocab\":[[\"a\",0]]}}", "unk_id is 5"},
		{"{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}", "vocab[0]"},
		{"{\"added_tokens\":[{\"id\":1,\"content\":\"a\"}]," MODEL "}",
		 "\"a\" has id 1, the vocabulary gives it 0"},
		{"{\"added_tokens\":[{\"id\":1,\"content\":\"x\"}]," MODEL "}", "id 1 is both"},
		{"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"!!\"}," MODEL "}", "base64"},
		{"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\"}," MODEL "}",
		 "charsmap"},
		{"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}"
		 "}],\"special_tokens\":{}}," MODEL "}",
		 "\"x\" has no ids"},
		{"{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",7],\"sep\":[\"a\",0]}," MODEL "}",
		 "\"cls\""}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(cases[i].json, NULL, MOTE_ERROR_CORRUPT, cases[i].named);
	refused("{" MODEL "}", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"x\"}}}", MOTE_ERROR_CORRUPT,
		"\"x\" is no id");
	refused("{" MODEL "}", "{\"added_tokens_decoder\":{\"-1\":{\"content\":\"x\"}}}", MOTE_ERROR_CORRUPT,
		"\"-1\" is no id");
	refused("{" MODEL "}", "{\"added_tokens_decoder\":{\"2097152\":{\"content\":\"x\"}}}", MOTE_ERROR_CORRUPT,
		"\"2097152\" is no id");
}

static void test_config(void **state)
{
	struct tiny_tokenizer tiny;
	static const char json[] =
		"{\"added_tokens\":[{\"id\":3,\"content\":\"<x>\",\"special\":true,\"normalized\":false}]," MODEL
		"}";
	struct mote_ids ids = {0};

	(void)state;
	assert_true(tiny_open(
		&tiny, json,
		"{\"added_tokens_decoder\":{\"3\":{\"content\":\"<x>\",\"special\":true,\"rstrip\":true},"
		"\"4\":{\"content\":\"<y>\",\"special\":false}},\"eos_token\":\"ab\",\"pad_token\":\"[none]\"}"));
	assert_int_equal(tiny.info.vocab_size, 5);
	assert_int_equal(tiny.info.added_tokens, 3);
	assert_true(mote_tokenizer_is_special(tiny.t, 2));
	assert_false(mote_tokenizer_is_special(tiny.t, 4));
	assert_int_equal(mote_tokenizer_encode(tiny.t, "<x>  a", 6, 0, &ids, NULL), MOTE_OK);
	assert_int_equal(ids.count, 2); /* the spaces went with <x> */
	mote_ids_free(&ids);
	tiny_close(&tiny);
	assert_true(tiny_open(&tiny, "{" MODEL "}",
			      "{\"added_tokens_decoder\":{\"0\":{\"content\":\"a\",\"special\":true}}}"));
	assert_true(mote_tokenizer_is_special(tiny.t, 0));
	tiny_close(&tiny);
}

static void expect(const struct tiny_tokenizer *tiny, const char *text, const char *want)
{
	struct mote_ids ids = {0};
	char got[256] = "";
	size_t used = 0;

	assert_int_equal(mote_tokenizer_encode(tiny->t, text, strlen(text), 0, &ids, NULL), MOTE_OK);
	for (size_t i = 0; i < ids.count; i++)
		used += (size_t)snprintf(got + used, sizeof got - used, "%s%d", i ? " " : "", ids.id[i]);
	assert_string_equal(got, want);
	mote_ids_free(&ids);
}

/* Ids that no token has, in the vocabulary and before added tokens: never found, and nothing when decoded, not even
 * the space that stands between tokens where there is no decoder. */
static void test_unused_ids(void **state)
{
	static const char json[] =
		"{\"added_tokens\":[{\"id\":9,\"content\":\"<x>\",\"special\":true}],\"model\":{\"type\":\"BPE\","
		"\"vocab\":{\"a\":0,\"b\":2,\"ab\":5},\"merges\":[\"a b\"]}}";
	static const int32_t ids[] = {1, 0, 3, 4, 9, 8, 2, 1};
	struct tiny_tokenizer tiny;
	size_t bytes;
	char *text;

	(void)state;
	if (!tiny_open(&tiny, json, NULL))
		fail_msg("%s", tiny.error.message);
	assert_int_equal(tiny.info.vocab_size, 10);
	expect(&tiny, "aba<x>b", "5 0 9 2");
	assert_int_equal(mote_tokenizer_decode(tiny.t, ids, 8, false, &text, &bytes, NULL), MOTE_OK);
	assert_string_equal(text, "a <x> b");
	free(text);
	assert_int_equal(mote_tokenizer_find(tiny.t, "", 0), -1);
	assert_false(mote_tokenizer_is_special(tiny.t, 1));
	tiny_close(&tiny);
}

/* Id 0 is a token like the others: as a pair's left, its right, and what the two become. */
static void test_merges_with_id_0(void **state)
{
	static const char order[][4] = {"abc", "bac", "cab"};
	struct tiny_tokenizer tiny;
	char json[512];

	(void)state;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		const int a = (int)(strchr(order[i], 'a') - order[i]), b = (int)(strchr(order[i], 'b') - order[i]);
		const int ab = 3 - a - b;
		char want[8];

		snprintf(json, sizeof json, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":%d,\"b\":%d,\"ab\":%d},"
			 "\"merges\":[\"a b\"]}}", a, b, ab);
		if (!tiny_open(&tiny, json, NULL))
			fail_msg("%s", tiny.error.message);
		snprintf(want, sizeof want, "%d %d %d", b, ab, a);
		expect(&tiny, "baba", want);
		tiny_close(&tiny);
	}
}

/* One text twice: the first one's id, the later flags; a special one decides where it is looked for. */
static void test_added_twice(void **state)
{
	static const char format[] = "{\"added_tokens\":[{\"id\":3,\"content\":\"<X>\",%s},"
				     "{\"id\":%d,\"content\":\"<X>\",%s}],"
				     "\"normalizer\":{\"type\":\"Lowercase\"}," MODEL "}";
	struct tiny_tokenizer tiny;
	char json[1024];

	(void)state;
	snprintf(json, sizeof json, format, "\"rstrip\":false", 3, "\"rstrip\":true");
	assert_true(tiny_open(&tiny, json, NULL));
	expect(&tiny, "a<x>  b", "0 3 1");
	assert_int_equal(tiny.info.added_tokens, 1);
	tiny_close(&tiny);
	snprintf(json, sizeof json, format, "\"special\":true,\"normalized\":false", 4, "\"normalized\":true");
	assert_true(tiny_open(&tiny, json, NULL));
	expect(&tiny, "a<X>b<x>", "0 3 1");
	assert_true(mote_tokenizer_is_special(tiny.t, 3));
	tiny_close(&tiny);
	snprintf(json, sizeof json, format, "\"normalized\":false", 3, "\"special\":true,\"normalized\":true");
	assert_true(tiny_open(&tiny, json, NULL));
	expect(&tiny, "a<X>b<x>", "0 3 1 3");
	tiny_close(&tiny);
}

/* Added tokens for which the model has no row are left out and told of, in the vocabulary proper or not. */
static void test_dropped_tokens(void **state)
{
	static const char json[] =
		"{\"added_tokens\":[{\"id\":2,\"content\":\"ab\"},{\"id\":4,\"content\":\"[PAD]\"},"
		"{\"id\":3,\"content\":\"c\"}],\"model\":{\"type\":\"BPE\","
		"\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3},\"merges\":[\"a b\"]}}";
	struct tiny_tokenizer tiny;

	(void)state;
	assert_true(tiny_open_for(&tiny, json, "{\"pad_token\":\"[PAD]\"}", 3));
	assert_int_equal(tiny.info.vocab_size, 3);
	assert_int_equal(tiny.info.added_tokens, 1);
	assert_int_equal(tiny.info.n_dropped, 2);
	assert_int_equal(tiny.info.dropped_id, 3);
	assert_string_equal(tiny.info.dropped_text, "c");
	expect(&tiny, "aab[PAD]c", "0 2");
	tiny_close(&tiny);
	assert_true(tiny_open_for(&tiny, json, NULL, 5));
	assert_int_equal(tiny.info.vocab_size, 5);
	assert_int_equal(tiny.info.n_dropped, 0);
	tiny_close(&tiny);
	assert_true(tiny_open_for(&tiny, "{" MODEL "}", NULL, 2)); /* its own tokens are the caller's to refuse */
	assert_int_equal(tiny.info.vocab_size, 3);
	tiny_close(&tiny);
}

/* Both spellings of merges, and the same input twice, give the same bytes. */
static void test_same_bytes(void **state)
{
	struct tiny_tokenizer a, b, c;

	(void)state;
	assert_true(tiny_open(&a, "{" MODEL "}", NULL));
	assert_true(tiny_open(&b, "{" MODEL "}", NULL));
	assert_true(tiny_open(
		&c,
		"{\"model\":{\"merges\":[[\"a\",\"b\"]],\"vocab\":{\"ab\":2,\"b\":1,\"a\":0},\"type\":\"BPE\"}}",
		NULL));
	assert_int_equal(a.section_bytes, b.section_bytes);
	assert_memory_equal(a.section, b.section, a.section_bytes);
	assert_int_equal(a.section_bytes, c.section_bytes);
	assert_memory_equal(a.section, c.section, a.section_bytes);
	tiny_close(&a);
	tiny_close(&b);
	tiny_close(&c);
}

static void normalizes(const char *normalizer, const char *input, const char *want)
{
	struct tiny_tokenizer tiny;
	char json[4096], *out;
	size_t bytes;

	snprintf(json, sizeof json, "{\"normalizer\":%s," MODEL "}", normalizer);
	if (!tiny_open(&tiny, json, NULL))
		fail_msg("%s", tiny.error.message);
	assert_int_equal(mote_tokenizer_normalize_text(tiny.t, input, strlen(input), &out, &bytes, NULL), MOTE_OK);
	assert_int_equal(bytes, strlen(want));
	assert_memory_equal(out, want, bytes);
	free(out);
	tiny_close(&tiny);
}

/* Expected texts are Unicode's own examples (UAX 15) and what the components' definitions say. */
static void test_normalizers(void **state)
{
	static const char marks[] =
		"a\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316"
		"\u0301\u0316"
		"\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316\u0301\u0316";
	static const char ordered[] =
		"\u00e1\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316\u0316"
		"\u0316\u0316"
		"\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301";

	(void)state;
	normalizes("{\"type\":\"NFC\"}", "D\u0307\u0323 \u212b \u1100\u1161\u11a8 \u0958 \ufb01",
		   "\u1e0c\u0307 \u00c5 \uac01 \u0915\u093c \ufb01");
	normalizes("{\"type\":\"NFC\"}", "\u09c7\u09be \u0b47\u0300\u0b3e",
		   "\u09cb \u0b47\u0300\u0b3e"); /* starters compose when adjacent only */
	normalizes("{\"type\":\"NFD\"}", "\u1e0a\u0323 \u00c5 \uac01", "D\u0323\u0307 A\u030a \u1100\u1161\u11a8");
	normalizes("{\"type\":\"NFKC\"}", "\ufb01 \u00bd \u2460 \uff21 \u00a0x \ufdfa", "fi 1\u2044" "2 1 A  x "
		   "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645");
	normalizes("{\"type\":\"NFKD\"}", "\u1e9b\u0323", "s\u0323\u0307");
	normalizes("{\"type\":\"NFC\"}", marks, ordered); /* a long run: the other way of sorting */
	normalizes("{\"type\":\"Lowercase\"}", "ÀΣΑΣ\u0130Ǆ", "àσασi\u0307ǆ");
	normalizes("{\"type\":\"StripAccents\"}", "e\u0301\u20dd\u0903é", "eé");
	normalizes("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}", "\u3000\n a ", "a ");
	normalizes("{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \u2003\xc2\x85", "");
	normalizes("{\"type\":\"Prepend\",\"prepend\":\"__\"}", "a", "__a");
	normalizes("{\"type\":\"Replace\",\"pattern\":{\"String\":\"aa\"},\"content\":\"b\"}", "aaaaa.", "bba.");
	normalizes("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+|x?y\"},\"content\":\"-\"}",
		   "a \xc2\x85\u3000"
		   "b\u180e xy",
		   "a-b\u180e--");
	normalizes("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x*\"},\"content\":\"-\"}", "axé", "-a-é-");
	normalizes("{\"type\":\"Nmt\"}", "a\x01\u200b" "b\u2581\ufeff\tc", "a b   c");
	normalizes("{\"type\":\"ByteLevel\"}", "é\n", "Ã©Ċ");
	normalizes("{\"type\":\"BertNormalizer\"}", "\x07É漢\u00adx\t", "e 漢 x ");
	normalizes("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Strip\"},{\"type\":\"Prepend\",\"prepend\":"
		   "\"_\"}]}",
		   "  ", "");
}

/* A character of BERT's Chinese ones has spaces around it: these ranges, to their ends, as the reference's
 * is_chinese_char has them (which begins one at U+2B920 where BERT's has U+2B820). */
static void test_chinese(void **state)
{
	static const uint32_t ranges[][2] = {{0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x2a6df},
					     {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
	static const char spaces[] = "{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":true,"
				     "\"strip_accents\":false,\"lowercase\":false}";

	(void)state;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		for (int k = 0; k < 4; k++) {
			const uint32_t c = k < 2 ? ranges[i][0] - 1 + (uint32_t)k : ranges[i][1] + (uint32_t)k - 2;
			char one[5] = "", text[8], want[10];

			mote_utf8_encode(c, one);
			snprintf(text, sizeof text, "a%sb", one);
			snprintf(want, sizeof want, k == 1 || k == 2 ? "a %s b" : "a%sb", one);
			normalizes(spaces, text, want);
		}
}

/* A charsmap of one key, "A" (and "AB", which never counts: the shortest key decides), made by hand:
 * unit 0: offset 1; unit 1^'A': label 'A', leaf, offset 2; its leaf 2^1^'A': value 0, the string "x\u00e9". */
static void test_precompiled(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t array[128] = {[0] = 1u << 10, [1 ^ 'A'] = 2u << 10 | 1u << 8 | 'A', [2 ^ 1 ^ 'A'] = 1u << 31};
	uint8_t map[4 + sizeof array + 4 + 2] = {0};
	uint32_t bytes = sizeof array;
	char json[2048] = "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"";
	size_t used = strlen(json);

	(void)state;
	memcpy(map, &bytes, 4);
	memcpy(map + 4, array, sizeof array);
	memcpy(map + 4 + sizeof array, "x\xc3\xa9", 4);
	for (size_t i = 0; i < sizeof map; i += 3) {
		uint32_t three = (uint32_t)map[i] << 16 | (uint32_t)map[i + 1] << 8 | map[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			json[used++] = digits[three >> shift & 63];
	}
	strcpy(json + used, "\"}");
	normalizes(json, "ABA\u0301C",
		   "x\u00e9Bx\u00e9C"); /* A with its accent is one cluster, and the key begins it */
	normalizes(json, "A\u0301\u0301\u0301",
		   "x\u00e9\u0301\u0301\u0301"); /* a cluster of six bytes and more: character by character */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_by_name), cmocka_unit_test(test_corrupt),
		cmocka_unit_test(test_unused_ids),	cmocka_unit_test(test_added_twice),
		cmocka_unit_test(test_dropped_tokens),	cmocka_unit_test(test_merges_with_id_0),
		cmocka_unit_test(test_chinese),
		cmocka_unit_test(test_config),		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_normalizers),	cmocka_unit_test(test_precompiled)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
