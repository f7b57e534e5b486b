/* Which tokenizers GGUF has a name for: SentencePiece's way with spaces, and what only looks like it. */
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

#define TEXT \
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":{\"type\":" \
	"\"Sequence\",\"normalizers\":[%s]},\"pre_tokenizer\":null,\"post_processor\":null,\"decoder\":null," \
	"\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null," \
	"\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":true,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}," \
	"\"merges\":[\"a b\"]}}"

static void test_spaces(void **state)
{
	static const struct {
		const char *steps;
		int prefix; /* what the file says of it; -1: refused */
	} cases[] = {
		{PREPEND(META) "," REPLACE(" ", META), 1}, {REPLACE(" ", META), 0},
		{PREPEND("_") "," REPLACE(" ", META), -1}, {REPLACE(META, " ") "," REPLACE(" ", META), -1},
		{REPLACE(" ", "_"), -1}, {REPLACE("x", META), -1},
		{PREPEND(META) "," PREPEND(META) "," REPLACE(" ", META), -1}, {PREPEND(META), -1},
	};
	static const char key[] = "tokenizer.ggml.add_space_prefix\7\0\0"; /* a truth value, its kind in four bytes */

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mote_gguf_put put = {0};
		struct mote_error error = {0};
		struct tiny_tokenizer tiny;
		enum mote_status status;
		struct tiny_json j = {0};

		tiny_put(&j, TEXT, cases[i].steps);
		if (!tiny_open(&tiny, j.text, NULL))
			fail_msg("%s: %s", cases[i].steps, tiny.error.message);
		status = mote_gguf_put_tokenizer(&put, tiny.section, tiny.section_bytes, NULL, 3, &error);
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
		}
		free(put.b.text);
		tiny_close(&tiny);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_spaces)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
