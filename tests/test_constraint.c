/* How an answer obeys a grammar around its thought: which ids may come at each of its places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/generate/constraint.h"
#include "tests/tiny_tokenizer.h"

/* A byte is its own id; then "ab" and the added tokens. */
enum { AB = 256, OPEN, CLOSE, END, LINES, TWO, THREE, VOCAB };

struct place {
	struct tiny_tokenizer tiny;
	struct mote_token_trie *tokens;
	struct mote_grammar *grammar;
	struct mote_config config;
	struct mote_constraint *c;
};

static void open_place(struct place *p)
{
	static struct tiny_json json;
	static const char added[] = "{\"id\":257,\"content\":\"<think>\",\"special\":false},"
		"{\"id\":258,\"content\":\"</think>\",\"special\":false},{\"id\":259,\"content\":\"<end>\","
		"\"special\":true},"
		"{\"id\":260,\"content\":\"\\n\\n\",\"special\":false},{\"id\":261,\"content\":\"  \","
		"\"special\":false},"
		"{\"id\":262,\"content\":\"   \",\"special\":false}";
	static const char text[] = "root ::= \"ab\" \"a\"?\n";
	struct mote_reasoning tags = {.open = OPEN, .close = CLOSE};

	*p = (struct place){.config = {.vocab = VOCAB, .n_eos = 1, .eos = {END}}};
	if (!tiny_open(&p->tiny, tiny_byte_level(&json, "ab", "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
							       "\"use_regex\":true}", added, ""), NULL))
		fail_msg("%s", p->tiny.error.message);
	assert_int_equal(mote_tokenizer_vocab_size(p->tiny.t), VOCAB);
	assert_int_equal(mote_token_trie_open(p->tiny.t, VOCAB, &p->tokens, NULL), MOTE_OK);
	assert_int_equal(mote_grammar_read_gbnf(text, strlen(text), "g", &p->grammar, NULL), MOTE_OK);
	assert_int_equal(mote_constraint_open(p->grammar, p->tokens, &p->config, &tags, &p->c, NULL), MOTE_OK);
}

static void close_place(struct place *p)
{
	mote_constraint_close(p->c);
	mote_grammar_close(p->grammar);
	mote_token_trie_close(p->tokens);
	tiny_close(&p->tiny);
}

/* Exactly these ids may come; the list ends with -1. */
static void may_come(const struct place *p, bool inside, bool after_marker, const int32_t *ids)
{
	const uint64_t *allowed;

	assert_int_equal(mote_constraint_mask(p->c, inside, after_marker, &allowed, NULL), MOTE_OK);
	for (int32_t id = 0; id < VOCAB; id++) {
		bool expected = false;

		for (const int32_t *i = ids; *i >= 0; i++)
			expected = expected || *i == id;
		if (expected != (allowed[id / 64] >> (id % 64) & 1))
			fail_msg("id %d may%s come", id, expected ? " not" : "");
	}
}

static void test_thought(void **state)
{
	const uint64_t *allowed;
	struct place p;

	(void)state;
	open_place(&p);
	may_come(&p, false, false, (int32_t[]){'a', AB, OPEN, -1});
	assert_int_equal(mote_constraint_mask(p.c, true, false, &allowed, NULL), MOTE_OK);
	for (int32_t id = 0; id < VOCAB; id++)
		assert_int_equal(allowed[id / 64] >> (id % 64) & 1, id != END);
	assert_false(mote_constraint_began(p.c));
	close_place(&p);
}

/* Two bytes of white space behind a thought, however they are cut into tokens. */
static void test_blanks(void **state)
{
	struct place p;

	(void)state;
	open_place(&p);
	may_come(&p, false, true, (int32_t[]){' ', '\n', LINES, TWO, 'a', AB, -1});
	assert_int_equal(mote_constraint_take(p.c, '\n', true, NULL), MOTE_OK);
	may_come(&p, false, true, (int32_t[]){' ', '\n', 'a', AB, -1});
	assert_int_equal(mote_constraint_take(p.c, ' ', true, NULL), MOTE_OK);
	assert_false(mote_constraint_began(p.c));
	may_come(&p, false, true, (int32_t[]){'a', AB, -1});
	assert_int_not_equal(mote_constraint_take(p.c, ' ', true, NULL), MOTE_OK);
	close_place(&p);
	open_place(&p);
	assert_int_equal(mote_constraint_take(p.c, TWO, true, NULL), MOTE_OK);
	may_come(&p, false, true, (int32_t[]){'a', AB, -1});
	close_place(&p);
	open_place(&p);
	assert_int_not_equal(mote_constraint_take(p.c, THREE, true, NULL), MOTE_OK);
	close_place(&p);
	open_place(&p);
	assert_int_not_equal(mote_constraint_take(p.c, ' ', false, NULL), MOTE_OK);
	close_place(&p);
}

static void test_end(void **state)
{
	struct place p;

	(void)state;
	open_place(&p);
	assert_int_equal(mote_constraint_take(p.c, 'a', true, NULL), MOTE_OK);
	assert_true(mote_constraint_began(p.c));
	may_come(&p, false, true, (int32_t[]){'b', -1}); /* neither white space nor a thought any more */
	may_come(&p, false, false, (int32_t[]){'b', -1});
	assert_int_equal(mote_constraint_take(p.c, 'b', false, NULL), MOTE_OK);
	may_come(&p, false, false, (int32_t[]){'a', END, -1});
	assert_int_equal(mote_constraint_take(p.c, END, false, NULL), MOTE_OK);
	assert_false(mote_constraint_is_over(p.c)); /* more can follow */
	assert_int_equal(mote_constraint_take(p.c, 'a', false, NULL), MOTE_OK);
	assert_true(mote_constraint_is_over(p.c));
	may_come(&p, false, false, (int32_t[]){END, -1});
	close_place(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thought), cmocka_unit_test(test_blanks), cmocka_unit_test(test_end)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
