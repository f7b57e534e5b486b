/* The alphabet of bytes, and steps of a section that no compiler makes: one that would never end, ways to split that
 * there are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/tokenizer/tokenizer_section.h"
#include "runtime/tokenizer/unicode_class.h"
#include "tests/tiny_tokenizer.h"

/* The bytes that stand for themselves, by GPT-2's encoder.py: '!' to '~', U+00A1 to U+00AC, U+00AE to U+00FF. */
static void test_alphabet(void **state)
{
	uint32_t next = 0x100;

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		bool plain = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
		uint32_t c = plain ? byte : next++;

		assert_int_equal(mote_tokenizer_byte_to_char((uint8_t)byte), c);
		assert_int_equal(mote_tokenizer_char_to_byte(c), byte);
		assert_true(plain || mote_tokenizer_char_to_byte(byte) == -1);
	}
	assert_int_equal(next, 0x144);
	assert_int_equal(mote_tokenizer_char_to_byte(0x144), -1);
}

static const char words[] =
	"{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[],\"normalizer\":null,"
	"\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":%d},\"post_processor\":null,\"decoder\":null,"
	"\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,\"continuing_subword_prefix\":null,"
	"\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"vocab\":{\"a\":0,\"b\":1},"
	"\"merges\":[]}}";

/* Pieces of no characters: a text would have no end of them. */
static void test_pieces_of_nothing(void **state)
{
	struct tiny_tokenizer three, five;
	struct mote_tokenizer *t;
	struct mote_error error = {0};
	char text[1024];
	size_t at = 0;

	(void)state;
	snprintf(text, sizeof text, words, 3);
	assert_true(tiny_open(&three, text, NULL));
	snprintf(text, sizeof text, words, 5);
	assert_true(tiny_open(&five, text, NULL));
	assert_int_equal(three.section_bytes, five.section_bytes);
	while (at < three.section_bytes && three.section[at] == five.section[at])
		at++;
	assert_true(at < three.section_bytes && three.section[at] == 3);
	three.section[at] = 0;
	mote_tokenizer_close(three.t);
	three.t = NULL;
	assert_int_equal(mote_tokenizer_open(three.section, three.section_bytes, &t, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "step"));
	tiny_close(&three);
	tiny_close(&five);
	snprintf(text, sizeof text, words, 0);
	assert_false(tiny_open(&three, text, NULL));
	tiny_close(&three);
}

#define SPLIT(pattern, behavior) \
	"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":" pattern ",\"behavior\":\"" behavior "\"}," MODEL
#define PUNCTUATION(behavior) "{\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"" behavior "\"}," MODEL
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}"

/* Sections that are the same but for the way a step splits, which is one byte. */
static void test_unknown_ways_to_split(void **state)
{
	static const char *const pairs[][2] = {
		{SPLIT("{\"Regex\":\"x+\"}", "Isolated"), SPLIT("{\"Regex\":\"x+\"}", "Contiguous")},
		{SPLIT("{\"String\":\"x\"}", "Isolated"), SPLIT("{\"String\":\"x\"}", "Contiguous")},
		{SPLIT("{\"Regex\":\"\\\\w+|[^\\\\w\\\\s]+\"}", "Isolated"),
		 SPLIT("{\"Regex\":\"\\\\w+|[^\\\\w\\\\s]+\"}", "Contiguous")},
		{PUNCTUATION("Isolated"), PUNCTUATION("Contiguous")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct tiny_tokenizer one, other;
		struct mote_tokenizer *t;
		size_t at = 0, places = 0;

		assert_true(tiny_open(&one, pairs[i][0], NULL) && tiny_open(&other, pairs[i][1], NULL));
		assert_int_equal(one.section_bytes, other.section_bytes);
		for (size_t k = 0; k < one.section_bytes; k++)
			if (one.section[k] != other.section[k]) {
				at = k;
				places++;
			}
		assert_int_equal(places, 1);
		mote_tokenizer_close(one.t);
		one.t = NULL;
		for (unsigned mode = 0; mode < 256; mode++) {
			struct mote_error error = {0};

			one.section[at] = (uint8_t)mode;
			assert_int_equal(mote_tokenizer_open(one.section, one.section_bytes, &t, &error),
					 mode < BEHAVIORS ? MOTE_OK : MOTE_ERROR_CORRUPT);
			assert_true(mode < BEHAVIORS || strstr(error.message, "step"));
			mote_tokenizer_close(t);
		}
		tiny_close(&one);
		tiny_close(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alphabet),
		cmocka_unit_test(test_pieces_of_nothing),
		cmocka_unit_test(test_unknown_ways_to_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
