/* Which tokenizers GGUF has a name for: SentencePiece's way with spaces, and what only looks like it; and its keys for
 * tokens with a meaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "convert/gguf/gguf_put.h"
#include "tests/tiny_tokenizer.h"

#define STEP(what) "{\"type\":" what "}"
#define PREPEND(text) STEP("\"Prepend\",\"prepend\":\"" text "\"")
#define REPLACE(from, to) STEP("\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to "\"")
#define META "\xe2\x96\x81"

#define CUT(at, invert) "{\"type\":\"Split\",\"pattern\":{\"String\":\"" at "\"},\"behavior\":\"MergedWithPrevious\"," \
	"\"invert\":" invert "}"
#define SPACE(scheme) \
	"{\"type\":\"Metaspace\",\"replacement\":\"" META "\",\"prepend_scheme\":\"" scheme "\",\"split\":false}"

#define TEXT \
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":{\"type\":" \
	"\"Sequence\",\"normalizers\":[%s]},\"pre_tokenizer\":%s,\"post_processor\":%s,\"decoder\":null," \
	"\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":%s,\"continuing_subword_prefix\":null," \
	"\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":true," \
	"\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"<u>\":3},\"merges\":[\"a b\"]}}"

static void test_spaces(void **state)
{
	static const struct {
		const char *steps;
		int prefix; /* what the file says of it; -1: refused */
		const char *split;
		unsigned notes;
	} cases[] = {
		{PREPEND(META) "," REPLACE(" ", META), 1, "null", 0}, {REPLACE(" ", META), 0, "null", 0},
		{PREPEND("_") "," REPLACE(" ", META), -1, "null", 0},
		{REPLACE(META, " ") "," REPLACE(" ", META), -1, "null", 0},
		{REPLACE(" ", "_"), -1, "null", 0}, {REPLACE("x", META), -1, "null", 0},
		{PREPEND(META) "," PREPEND(META) "," REPLACE(" ", META), -1, "null", 0}, {PREPEND(META), -1, "null", 0},
		{REPLACE(" ", META), 0, CUT(" ", "false"), 0}, {REPLACE(" ", META), -1, CUT(META, "false"), 0},
		{PREPEND(META) "," REPLACE(" ", META), 1, CUT(" ", "false"), 0},
		{REPLACE(" ", META), -1, CUT(" ", "true"), 0}, {"", -1, CUT(" ", "false"), 0},
		{"", 1, SPACE("first"), 1}, {"", 1, SPACE("always"), 1}, {"", 0, SPACE("never"), 0},
	};
	static const char key[] = "tokenizer.ggml.add_space_prefix\7\0\0"; /* a truth value, its kind in four bytes */

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_put put = {0};
		struct mote_notes notes = {0};
		struct mote_error error = {0};
		struct tiny_tokenizer tiny;
		enum mote_status status;
		struct tiny_json j = {0};

		tiny_put(&j, TEXT, cases[i].steps, cases[i].split, "null", "null");
		if (!tiny_open(&tiny, j.text, NULL))
			fail_msg("%s: %s", cases[i].steps, tiny.error.message);
		status = mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, NULL, 4, &notes, &error);
		if (cases[i].prefix < 0) {
			assert_int_equal(status, MOTE_ERROR_UNSUPPORTED);
			assert_non_null(strstr(error.message, "how it cuts a text"));
		} else {
			const char *at;

			assert_int_equal(status, MOTE_OK);
			at = memmem(put.b.text, put.b.bytes, key, sizeof key);
			assert_non_null(at);
			assert_int_equal(at[sizeof key], cases[i].prefix);
			assert_non_null(memmem(put.b.text, put.b.bytes, "tokenizer.ggml.scores", 21));
			assert_int_equal(notes.notes, cases[i].notes);
		}
		free(put.b.text);
		mote_notes_free(&notes);
		tiny_close(&tiny);
	}
}

/* What the file says of a key: an u32 or a truth value (kinds 4 and 7 of GGUF's specification); -1: nothing. */
static int64_t value_of(const struct mote_gguf_put *put, const char *key)
{
	const char *at = memmem(put->b.text, put->b.bytes, key, strlen(key));
	uint32_t kind, x;

	if (!at)
		return -1;
	at += strlen(key);
	memcpy(&kind, at, 4);
	if (kind == 7)
		return at[4];
	assert_int_equal(kind, 4);
	memcpy(&x, at + 4, 4);
	return x;
}

/* Tokens with a meaning: each under GGUF's key for it, and no key where there is none. */
static void test_special_ids(void **state)
{
	static const char *const keys[] = {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id",
					   "padding_token_id", "unknown_token_id", "add_bos_token", "add_eos_token"};
	static const struct {
		const char *tokens, *unknown;
		int ids[8];
	} cases[] = {
		{"{\"bos\":0,\"eos\":[1,2],\"pad\":2,\"add_bos\":true,\"add_eos\":false}", "\"<u>\"",
		 {0, 1, 2, -1, 2, 3, 1, 0}},
		{"{\"bos\":2,\"eos\":[0],\"add_eos\":true}", "null", {2, 0, -1, -1, -1, -1, 0, 1}},
		{"{\"eos\":[],\"pad\":4}", "null", {-1, -1, -1, -1, -1, -1, 0, 0}}, /* the model has no id 4 */
		{"{\"unk_text\":\"<e>\",\"special\":{\"<e>\":1}}", "null", {-1, -1, -1, -1, -1, 1, 0, 0}},
		{"{\"unk_text\":\"<e>\",\"special\":{\"<f>\":1}}", "null", {-1, -1, -1, -1, -1, -1, 0, 0}},
		/* of several ends that which a template knows comes first */
		{"{\"eos\":[0,2,1,3],\"eos_text\":\"<e>\",\"special\":{\"<e>\":2}}", "null",
		 {-1, 2, 0, 1, -1, -1, 0, 0}},
		{"{\"eos\":[0,1],\"eos_text\":\"<e>\",\"special\":{\"<e>\":2}}", "null",
		 {-1, 0, 1, -1, -1, -1, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_put put = {0};
		struct mote_notes notes = {0};
		struct mote_error error = {0};
		struct tiny_tokenizer tiny;
		struct tiny_json j = {0};
		char text[256], key[64];
		cJSON *metadata;

		snprintf(text, sizeof text, "{\"tokens\":%s}", cases[i].tokens);
		metadata = cJSON_Parse(text);
		assert_non_null(metadata);
		tiny_put(&j, TEXT, REPLACE(" ", META), "null", "null", cases[i].unknown);
		if (!tiny_open(&tiny, j.text, NULL) ||
		    mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, metadata, 4, &notes, &error))
			fail_msg("%s%s", tiny.error.message, error.message);
		assert_int_equal(notes.notes, strstr(cases[i].tokens, "[0,2,1,3]") != NULL); /* of the fourth end */
		for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
			snprintf(key, sizeof key, "tokenizer.ggml.%s", keys[k]);
			if (value_of(&put, key) != cases[i].ids[k])
				fail_msg("%s of %s: %d", keys[k], cases[i].tokens, (int)value_of(&put, key));
		}
		free(put.b.text);
		cJSON_Delete(metadata);
		mote_notes_free(&notes);
		tiny_close(&tiny);
	}
}

#define ONE(name) "{\"SpecialToken\":{\"id\":\"" name "\"}}"
#define SINGLE(before, after) \
	"{\"type\":\"TemplateProcessing\",\"single\":[" before "{\"Sequence\":{\"id\":\"A\"}}" after "]," \
	"\"special_tokens\":{\"a\":{\"ids\":[0]},\"b\":{\"ids\":[1]}}}"

/* GGUF's bos and eos are what a text gets: the ids that the tokenizer puts there, whatever the config calls so. */
static void test_ids_around(void **state)
{
	static const struct {
		const char *processor;
		int bos, eos, eot; /* -1 in bos: refused */
	} cases[] = {
		{"null", 2, 3, 1}, {SINGLE(ONE("a") ",", ""), 0, 3, 1}, {SINGLE("", "," ONE("b")), 2, 1, 3},
		{SINGLE("", "," ONE("a")), -1, 0, 0}, {SINGLE(ONE("a") "," ONE("b") ",", ""), -1, 0, 0},
		{SINGLE("", "," ONE("b") "," ONE("b")), -1, 0, 0},
	};
	cJSON *metadata = cJSON_Parse("{\"tokens\":{\"bos\":2,\"eos\":[3,1]}}");

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_put put = {0};
		struct mote_notes notes = {0};
		struct mote_error error = {0};
		struct tiny_tokenizer tiny;
		struct tiny_json j = {0};
		enum mote_status status;

		tiny_put(&j, TEXT, REPLACE(" ", META), "null", cases[i].processor, "null");
		if (!tiny_open(&tiny, j.text, NULL))
			fail_msg("%s: %s", cases[i].processor, tiny.error.message);
		status = mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, metadata, 4, &notes, &error);
		assert_int_equal(status, cases[i].bos < 0 ? MOTE_ERROR_UNSUPPORTED : MOTE_OK);
		if (cases[i].bos < 0) {
			assert_non_null(strstr(error.message, "behind"));
		} else {
			assert_int_equal(value_of(&put, "tokenizer.ggml.bos_token_id"), cases[i].bos);
			assert_int_equal(value_of(&put, "tokenizer.ggml.eos_token_id"), cases[i].eos);
			assert_int_equal(value_of(&put, "tokenizer.ggml.eot_token_id"), cases[i].eot);
		}
		free(put.b.text);
		mote_notes_free(&notes);
		tiny_close(&tiny);
	}
	cJSON_Delete(metadata);
}

/* Qwen2's tokenizer, of few tokens. */
#define QWEN2 \
	"{\"added_tokens\":[],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\"," \
	"\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|" \
	"[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|" \
	"\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+" \
	"\"},\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\"," \
	"\"add_prefix_space\":false,\"use_regex\":false}]}," \
	"\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}"
/* The flags of a token; what the normalizer does before it replaces spaces. */
#define TOKEN \
	"{\"added_tokens\":[{\"id\":3,\"content\":\"<u>\",\"special\":true,%s}]," \
	"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[%s" REPLACE(" ", META) "]}," \
	"\"model\":{\"type\":\"BPE\",\"byte_fallback\":true," \
	"\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"<u>\":3},\"merges\":[\"a b\"]}}"

/* What llama.cpp does not do with added tokens and normal forms is said. */
static void test_notes(void **state)
{
	static const struct {
		const char *added, *steps, *note; /* NULL: none */
	} cases[] = {
		{"\"rstrip\":false", "", NULL}, {"\"rstrip\":true", "", "white space"},
		{"\"lstrip\":true", "", "white space"}, {"\"single_word\":true", "", "white space"},
		{"\"normalized\":true", "", NULL},
		{"\"normalized\":true", PREPEND(META) ",", "as the normalizer writes them"},
	};
	struct mote_gguf_put put = {0};
	struct mote_notes notes = {0};
	struct mote_error error = {0};
	struct tiny_tokenizer tiny;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[1024];

		snprintf(text, sizeof text, TOKEN, cases[i].added, cases[i].steps);
		if (!tiny_open(&tiny, text, NULL) ||
		    mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, NULL, 4, &notes, &error))
			fail_msg("%s: %s%s", text, tiny.error.message, error.message);
		assert_int_equal(notes.notes, cases[i].note != NULL);
		if (cases[i].note &&
		    (!strstr(notes.note[0], cases[i].note) || !strstr(notes.note[0], "\"<u>\" is the")))
			fail_msg("%s", notes.note[0]);
		mote_notes_free(&notes);
		tiny_close(&tiny);
	}
	assert_true(tiny_open(&tiny, QWEN2, NULL));
	assert_int_equal(mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, NULL, 3, &notes, &error),
			 MOTE_OK);
	assert_int_equal(notes.notes, 1);
	assert_non_null(strstr(notes.note[0], "normal form C"));
	free(put.b.text);
	mote_notes_free(&notes);
	tiny_close(&tiny);
}

#define SPLIT(pattern, how) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"}," how "},"
#define ALONE "\"behavior\":\"Isolated\",\"invert\":false"
#define MATCHES "\"behavior\":\"Removed\",\"invert\":true"
#define SPACES "|\\\\s+(?!\\\\S)|\\\\s+"
#define ENDINGS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS(cr, lf, digits) ENDINGS "|[^" cr lf "\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" digits \
	"| ?[^\\\\s\\\\p{L}\\\\p{N}]+[" cr lf "]*|\\\\s*[" cr lf "]+" SPACES
#define MARK "[^\\r\\n\\\\p{L}\\\\p{N}]?"
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define GPT_4O MARK UPPER "*" LOWER "+" ENDINGS "?|" MARK UPPER "+" LOWER "*" ENDINGS "?|\\\\p{N}{1,3}" \
	"| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\r\\n/]*|\\\\s*[\\r\\n]+" SPACES
#define DEEPSEEK3 SPLIT("\\\\p{N}{1,3}", ALONE) \
	SPLIT("[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+", ALONE) \
	SPLIT("[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|" \
	      "[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+" \
	      "| ?[\\\\p{P}\\\\p{S}]+[\\r\\n]*|\\\\s*[\\r\\n]+" SPACES, ALONE)

/* How a text is cut has a name, however its pattern is written: line ends as escapes or as they are, matches alone or
 * all that is kept. */
static void test_cuts(void **state)
{
	static const struct {
		const char *splits, *name; /* NULL: there is none */
	} cases[] = {
		{SPLIT(WORDS("\\\\r", "\\\\n", ""), ALONE), "stablelm2"},
		{SPLIT(WORDS("\\\\r", "\\\\n", ""), MATCHES), "stablelm2"},
		{SPLIT(WORDS("\\r", "\\n", "{1,3}"), ALONE), "dbrx"},
		{SPLIT(WORDS("\\r", "\\n", "{1,3}"), MATCHES), "dbrx"},
		{SPLIT(WORDS("\\r", "\\n", ""), "\"behavior\":\"Removed\",\"invert\":false"), NULL},
		{SPLIT(GPT_4O, ALONE), "gpt-4o"}, {SPLIT(GPT_4O, MATCHES), "gpt-4o"}, {DEEPSEEK3, "deepseek-v3"},
		{SPLIT("[\\r\\n]", ALONE) SPLIT("\\\\s?\\\\p{L}+", ALONE) SPLIT("\\\\s?\\\\p{P}+", ALONE)
		 SPLIT("[\xe4\xb8\x80-\xe9\xbe\xa5\xe0\xa0\x80-\xe4\xb8\x80\xea\xb0\x80-\xed\x9f\xbf]+", ALONE)
		 STEP("\"Digits\",\"individual_digits\":true") ",", "deepseek-coder"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_put put = {0};
		struct mote_notes notes = {0};
		struct mote_error error = {0};
		struct tiny_tokenizer tiny;
		char text[4096], key[64];
		enum mote_status status;

		snprintf(text, sizeof text, "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[%s"
			 STEP("\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false") "]},\"model\":{\"type\":"
			 "\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}", cases[i].splits);
		if (!tiny_open(&tiny, text, NULL))
			fail_msg("%s: %s", text, tiny.error.message);
		status = mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, NULL, 3, &notes, &error);
		assert_int_equal(status, cases[i].name ? MOTE_OK : MOTE_ERROR_UNSUPPORTED);
		if (cases[i].name) { /* a text's kind is 8, its length has eight bytes */
			const char *at = memmem(put.b.text, put.b.bytes, "tokenizer.ggml.pre\10\0\0", 22);

			snprintf(key, sizeof key, "%s", at ? at + 30 : "");
			assert_memory_equal(key, cases[i].name, strlen(cases[i].name));
			assert_int_equal(at[22], strlen(cases[i].name));
		} else {
			assert_non_null(strstr(error.message, "how it cuts a text"));
		}
		free(put.b.text);
		mote_notes_free(&notes);
		tiny_close(&tiny);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_spaces), cmocka_unit_test(test_special_ids),
					   cmocka_unit_test(test_ids_around), cmocka_unit_test(test_notes),
					   cmocka_unit_test(test_cuts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
