/* BPE against the algorithm in its plainest form; and no input takes more than n log n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/tokenizer/encode_state.h"
#include "tests/tokenizer_open.h"

struct naive_rule {
	uint32_t left, right, result;
};

static size_t naive_merge(uint32_t *id, size_t n, const struct naive_rule *rule, size_t rules)
{
	for (;;) {
		size_t best = rules, at = 0;

		for (size_t i = 0; i + 1 < n; i++)
			for (size_t r = 0; r < best; r++)
				if (rule[r].left == id[i] && rule[r].right == id[i + 1]) {
					best = r;
					at = i;
				}
		if (best == rules)
			return n;
		id[at] = rule[best].result;
		memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
		n--;
	}
}

static uint64_t random_step(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Short words are merged by scanning, long ones through a heap: both must do what the definition says. */
static void test_merges(void **state)
{
	enum { LETTERS = 4, RULES = 40 };
	char token[LETTERS + RULES][64];
	struct naive_rule rule[RULES];
	uint64_t random = 12;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct tiny_tokenizer tiny;
		struct tiny_json j = {.used = 0};
		uint32_t n = LETTERS;

		for (uint32_t i = 0; i < LETTERS; i++)
			snprintf(token[i], sizeof token[i], "%c", 'a' + (int)i);
		for (int tries = 0; n < LETTERS + RULES && tries < 1000; tries++) {
			uint32_t left = (uint32_t)(random_step(&random) % n),
				 right = (uint32_t)(random_step(&random) % n);
			bool is_new = strlen(token[left]) + strlen(token[right]) < 12;
			char joined[64];

			snprintf(joined, sizeof joined, "%.31s%.31s", token[left], token[right]);
			strcpy(token[n], joined);
			for (uint32_t i = 0; i < n; i++)
				is_new = is_new && strcmp(token[i], token[n]);
			if (is_new)
				rule[n - LETTERS] = (struct naive_rule){left, right, n}, n++;
		}
		tiny_put(&j, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
		for (uint32_t i = 0; i < n; i++)
			tiny_put(&j, "%s\"%s\":%u", i ? "," : "", token[i], i);
		tiny_put(&j, "},\"merges\":[");
		for (uint32_t i = LETTERS; i < n; i++)
			tiny_put(&j, "%s\"%s %s\"", i > LETTERS ? "," : "", token[rule[i - LETTERS].left],
				 token[rule[i - LETTERS].right]);
		tiny_put(&j, "]}}");
		open_or_fail(&tiny, j.text, NULL);
		for (int word = 0; word < 40; word++) {
			size_t length = 1 + random_step(&random) % (word % 2 ? 40 : 300),
			       letters = 1 + random_step(&random) % LETTERS;
			uint32_t id[300];
			char text[300];
			struct mote_ids ids = {0};

			for (size_t i = 0; i < length; i++) {
				id[i] = (uint32_t)(random_step(&random) % letters);
				text[i] = (char)('a' + id[i]);
			}
			assert_int_equal(mote_tokenizer_encode(tiny.t, text, length, 0, &ids, NULL), MOTE_OK);
			assert_int_equal(ids.count, naive_merge(id, length, rule, n - LETTERS));
			assert_memory_equal(ids.id, id, ids.count * sizeof *id);
			mote_ids_free(&ids);
		}
		tiny_close(&tiny);
	}
}

static void test_long_words(void **state)
{
	static const char *const units[] = {"a", " ", "\u0301", "1", "\n ", "ab", "\u0301\u0316", "é"};
	size_t bytes = 1 << 20;
	char *text = malloc(bytes);
	struct tiny_tokenizer tiny;
	struct tiny_json j;

	(void)state;
	open_or_fail(&tiny, tiny_byte_level(&j, "aaab", BYTE_LEVEL, "", ""), NULL);
	for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
		size_t length = strlen(units[u]);
		struct mote_ids ids = {0};

		for (size_t i = 0; i < bytes; i++)
			text[i] = units[u][i % length];
		assert_int_equal(mote_tokenizer_encode(tiny.t, text, bytes / length * length, 0, &ids, NULL),
				 MOTE_OK);
		assert_int_equal(ids.count, bytes / length * length / (u == 0 || u == 5 ? 2 : 1));
		mote_ids_free(&ids);
	}
	tiny_close(&tiny);
	free(text);
}

/* The prefix of tokens within a word goes from the right one of two that merge, however many bytes it has. */
static void test_prefix(void **state)
{
	static const char *const prefixes[] = {"#", "##", "\xc3\xa9", "\xe2\x96\x81"};
	struct tiny_tokenizer tiny;
	struct mote_ids ids = {0};
	char json[512];

	(void)state;
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
		const char *p = prefixes[i];

		snprintf(json, sizeof json, "{\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"%s\","
			 "\"vocab\":{\"a\":0,\"%sb\":1,\"ab\":2,\"%sc\":3,\"abc\":4,\"%sd\":5,\"%scd\":6},"
			 "\"merges\":[\"a %sb\",\"ab %sc\",\"%sc %sd\"]}}", p, p, p, p, p, p, p, p, p);
		open_or_fail(&tiny, json, NULL);
		assert_int_equal(mote_tokenizer_encode(tiny.t, "abcacd", 6, 0, &ids, NULL), MOTE_OK);
		/* "a" within a word is unknown, and dropped */
		assert_int_equal(ids.count, 2);
		assert_int_equal(ids.id[0], 4);
		assert_int_equal(ids.id[1], 6);
		ids.count = 0;
		tiny_close(&tiny);
	}
	mote_ids_free(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
