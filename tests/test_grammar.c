/* Grammars: what GBNF and JSON schemas accept and refuse, the messages with their places, and the tokens that a matcher
 * lets through, compared with trying every token byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/grammar/matcher.h"
#include "runtime/grammar/network.h"
#include "tests/tiny_tokenizer.h"

static struct mote_grammar *gbnf(const char *text)
{
	struct mote_error error = {0};
	struct mote_grammar *g;

	if (mote_grammar_read_gbnf(text, strlen(text), "g", &g, &error))
		fail_msg("%s: %s", text, error.message);
	return g;
}

static struct mote_grammar *schema(const char *text)
{
	struct mote_error error = {0};
	struct mote_grammar *g;
	cJSON *json;

	if (mote_json_parse(text, strlen(text), "s", &json, &error) || mote_grammar_read_schema(json, "s", &g, &error))
		fail_msg("%s: %s", text, error.message);
	cJSON_Delete(json);
	return g;
}

/* 'y': the text is whole; 'p': a beginning of one; 'n': neither. */
static char judge(const struct mote_grammar *g, const char *text)
{
	struct mote_matcher *m;
	char judged = 'p';

	assert_int_equal(mote_matcher_open(g, NULL, &m, NULL), MOTE_OK);
	if (mote_matcher_take(m, text, strlen(text), NULL))
		judged = 'n';
	else if (mote_matcher_may_end(m))
		judged = 'y';
	mote_matcher_close(m);
	return judged;
}

/* texts: pairs of a judgement and a text, ended by NULL. */
static void judge_all(struct mote_grammar *g, ...)
{
	va_list list;

	va_start(list, g);
	for (const char *text; (text = va_arg(list, const char *));)
		if (judge(g, text + 1) != *text)
			fail_msg("'%s' is judged %c", text, judge(g, text + 1));
	va_end(list);
	mote_grammar_close(g);
}

static void test_gbnf(void **state)
{
	(void)state;
	judge_all(gbnf("root ::= \"a\" b* (\"c\" | \"d\"{2,3})? # comment\nb ::= [x-z] | \"\\u00e9\"\n"), "ya",
		  "pad", "yadd", "yaxzyddd", "nadddd", "yaxé", "nac c", "p", NULL);
}

static void test_gbnf_forms(void **state)
{
	(void)state;
	judge_all(gbnf("root ::=\n  \"x\" |\n  y\n  | z\ny ::= [^a-c\\n]{2}\nz ::= .+ \"!\"\n"), "yx", "yyy", "paa",
		  "yab!", "yé日", "nb\xff", "y\n!", NULL);
	judge_all(gbnf("root ::= (\"a\" \"b\"?)+ [.\\]\\\\-]{,2} \"\"\n"), "ya", "yaba.", "yab]\\", "ya-",
		  "na...", NULL);
	judge_all(gbnf("root ::= \"(\" root \")\" | \"\"\n"), "y", "y(())", "p((", "n)", NULL);
	judge_all(gbnf("root ::= \"\\x41\\U0001F600\\t\\\"\" [\\u0430-\\u044f]+\n"), "yA😀\t\"я", "pA😀\t\"",
		  "nA😀\t\"a", NULL);
	judge_all(gbnf("root ::= a{0} b{3}\na ::= \"a\"\nb ::= \"b\" | \"\"\n"), "y", "ybbb", "nbbbb", "na", NULL);
	/* ambiguous without end, and empty repetitions of what is empty */
	judge_all(gbnf("root ::= s*\ns ::= (\"a\" | \"a\" \"a\" | \"\")* t*\nt ::= s2?\ns2 ::= \"a\" | \"b\"\n"),
		  "yaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "nac", NULL);
}

static void test_gbnf_refused(void **state)
{
	static const char *const refused[][2] = {
		{"root ::= a\n", "g: line 1, column 10: no rule has this name"},
		{"x ::= \"a\"\n", "g: no rule is called root"},
		{"root ::= \"a\n", "line 1, column 12: the line ends inside"},
		{"root ::= \"é\" [a\n", "line 1, column 16: the line ends inside"},
		{"root ::= (\"a\"\n", "line 1, column 10: a group without its closing parenthesis"},
		{"root ::= \"a\" )\n", "line 1, column 14: expected the end of the rule"},
		{"root ::= *\n", "line 1, column 10: expected a literal"},
		{"root ::= \"a\"?*\n", "line 1, column 14: nothing to repeat"},
		{"root ::= \"a\"{3,2}\n", "line 1, column 13: the most repetitions"},
		{"root ::= \"a\"{200000}\n", "line 1, column 13: more than 100000"},
		{"root ::= \"a\"{9999}{\n", "nothing to repeat"},
		{"root ::= \"\\q\"\n", "line 1, column 12: no escape"},
		{"root ::= [b-a]\n", "line 1, column 10: a range ends before"},
		{"root ::= []\n", "no character is of this class"},
		{"root ::= \"\\ud800\"\n", "line 1, column 11: no character has this number"},
		{"root ::= \"a\"\nroot ::= \"b\"\n", "line 2, column 1: a rule of this name"},
		{"root = \"a\"\n", "line 1, column 6: expected ::="},
		{"root ::= <think> \"a\"\n", "line 1, column 10: tokens (<...> and !<...>) in a grammar are not "
		 "supported"},
		{"root ::= x\nx ::= \"a\" x\n", "line 1, column 1: rule root never comes to an end"},
		{"root ::= \"b\"\nroot2 ::= y\ny ::= \"\" z \"a\" | \"b\"\nz ::= y | \"\"\n", "is left recursive"},
		{"root ::= root \"a\" | \"b\"\n", "line 1, column 1: rule root is left recursive"},
		{"root ::= \"\xff\"", "is not UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct mote_error error = {0};
		struct mote_grammar *g;

		assert_int_not_equal(mote_grammar_read_gbnf(refused[i][0], strlen(refused[i][0]), "g", &g, &error),
				     MOTE_OK);
		assert_null(g);
		if (!strstr(error.message, refused[i][1]))
			fail_msg("%s: %s", refused[i][0], error.message);
	}
}

static void test_schema(void **state)
{
	(void)state;
	judge_all(schema("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
			 "\"b\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}"),
		  "y{\"a\": 12, \"b\": true}", "y{\"b\":false}", "y{\n  \"b\": false\n}", "n{\"a\": 1}", "n{}",
		  "n{\"b\":true,}", "n{\"a\":01", "n{\"c\"", "p{\"a\":-", NULL);
	judge_all(schema("{\"type\":\"integer\",\"minimum\":-7,\"maximum\":203}"), "y-7", "n-8", "y0", "n-0", "y203",
		  "n204", "y99", "n2030", "y20", NULL);
	judge_all(schema("{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}"), "p0", "p0.", "y0.5",
		  "n1", "n-", "y0.001", NULL);
	judge_all(schema("{\"type\":\"number\",\"minimum\":-1,\"maximum\":0}"), "y0", "y-1", "y-0.25", "n-1.",
		  "n1", NULL);
	judge_all(schema("{\"type\":\"string\",\"minLength\":1,\"maxLength\":2}"), "n\"\"", "y\"a\"",
		  "y\"é日\"", "n\"abc", "y\"\\n\\u00e9\"", "n\"\\u0000", "n\"\\ud8", "n\"\n", NULL);
	judge_all(schema("{\"enum\":[\"x\",3,null,{\"a\":[1]}],\"type\":[\"string\",\"object\"]}"), "y\"x\"", "n3",
		  "y{\"a\":[1]}", NULL);
	judge_all(schema("{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":1,\"maxItems\":2}"), "n[]",
		  "y[null]", "y[null, null]", "n[null,null,", NULL);
	judge_all(schema("{\"prefixItems\":[{\"const\":1},{\"const\":2}]}"), "y[]", "y[1]", "y[1,2]", "n[1,2,",
		  "n[2", NULL);
	judge_all(schema("true"), "y{\"a\": [1.5e3, \"x\", null]}", "y[[[[]]]]", "n{a", "y-0.5", NULL);
	judge_all(schema("{\"type\":\"object\"}"), "y{}", "y{\"any\": [true]}", "n[", NULL);
	judge_all(schema("{\"properties\":{\"ab\":{\"const\":1}},\"additionalProperties\":{\"const\":2}}"),
		  "y{\"ab\":1,\"abc\":2}", "y{\"a\":2}", "n{\"ab\":2", "n{\"abc\":1", "y{\"b\":2, \"é\":2}",
		  "y{\"\":2}", NULL);
	judge_all(schema("{\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}},"
			 "\"$ref\":\"#/$defs/t\"}"), "y[]",
		  "y[[],[[]]]", "n[1", NULL);
	judge_all(schema("{\"allOf\":[{\"properties\":{\"a\":{\"type\":\"number\"}},\"required\":[\"a\"]},"
			 "{\"properties\":{\"a\":"
			 "{\"type\":\"integer\",\"minimum\":5,\"maximum\":6}}}]}"), "y{\"a\":5}", "n{\"a\":4",
		  "n{}", NULL);
	judge_all(schema("{\"type\":\"string\",\"pattern\":\"^a[\\\"\\\\n]?b+$\"}"), "y\"ab\"", "y\"a\\\"b\"",
		  "y\"a\\nbb\"", "n\"a\"", NULL);
	judge_all(schema("{\"type\":\"string\",\"pattern\":\"b|^c$\"}"), "y\"xbx\"", "y\"c\"", "n\"c\\\"\"", NULL);
	judge_all(schema("{\"type\":\"string\",\"format\":\"date\"}"), "y\"2024-01-31\"", "n\"2024-02-31", "n\"2024-13",
		  NULL);
}

static void test_schema_refused(void **state)
{
	static const char *const refused[][2] = {
		{"{\"properties\":{\"a\":{\"not\":{}}}}", "s: #/properties/a: not is not supported"},
		{"{\"type\":\"array\",\"uniqueItems\":true}", "s: #: uniqueItems is not supported"},
		{"{\"type\":\"string\",\"format\":\"jwt\"}", "format: jwt is not supported"},
		{"{\"type\":\"string\",\"pattern\":\"a(?=b)\"}", "pattern: byte 2: looking ahead"},
		{"{\"type\":\"string\",\"pattern\":\"a\\\\1\"}", "pattern: byte 2: this escape"},
		{"{\"type\":\"string\",\"pattern\":\"a^\"}", "^ and $ are supported at the ends only"},
		{"{\"type\":\"string\",\"pattern\":\"ab\",\"maxLength\":1}", "no value fits"},
		{"{\"type\":\"number\",\"minimum\":0.5}", "a bound that is not a whole number"},
		{"{\"type\":\"integer\",\"minimum\":2,\"maximum\":1}", "no number fits"},
		{"{\"type\":\"number\",\"multipleOf\":0.1}", "multipleOf: expected a whole number"},
		{"{\"type\":\"text\"}", "type: expected null"},
		{"{\"$ref\":\"#/x\"}", "$ref: #/x: there is nothing"},
		{"{\"$defs\":{\"x\":{}},\"$ref\":\"#/$defs/x%00y\"}", "$ref: #/$defs/x%00y: there is nothing"},
		{"{\"$defs\":{\"x\\t\":{}},\"$ref\":\"#/$defs/x%+9\"}", "$ref: #/$defs/x%+9: there is nothing"},
		{"{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/anyOf/+0\"}]}", "$ref: #/anyOf/+0: there is nothing"},
		{"{\"$ref\":\"http://x\"}", "only pointers into the schema itself"},
		{"{\"$ref\":\"#\"}", "never comes to an end"},
		{"{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", "is left recursive"},
		{"{\"$defs\":{\"a\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"}},\"required\":[\"a\"]}},"
		 "\"$ref\":\"#/$defs/a\"}", "s: the schema never comes to an end"},
		{"{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"string\",\"maxLength\":2}]}",
		 "#/oneOf/1: oneOf: it cannot be told"},
		{"{\"properties\":{\"a/b\":false}}", "no value fits"},
		{"{\"enum\":[1],\"type\":\"string\"}", "no value fits"},
		{"{\"type\":\"string\",\"maxLength\":1000000}", "more than 100000 is not counted"},
		{"{\"required\":[\"a\"],\"additionalProperties\":false}", "a is required and not allowed"},
		{"{\"allOf\":[{\"additionalProperties\":false},{\"properties\":{\"a\":{}}}]}",
		 "additionalProperties of one schema"},
		{"[]", "expected a schema"},
		{"{\"minLenght\":1}", "minLenght is not supported"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct mote_error error = {0};
		struct mote_grammar *g;
		cJSON *json;

		assert_int_equal(mote_json_parse(refused[i][0], strlen(refused[i][0]), "s", &json, NULL), MOTE_OK);
		assert_int_not_equal(mote_grammar_read_schema(json, "s", &g, &error), MOTE_OK);
		assert_null(g);
		if (!strstr(error.message, refused[i][1]))
			fail_msg("%s: %s", refused[i][0], error.message);
		cJSON_Delete(json);
	}
}

static void test_tool_calls(void **state)
{
	static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"add\","
				    "\"parameters\":{\"type\":\"object\","
		"\"properties\":{\"a\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"a\"],"
		"\"$defs\":{\"n\":{\"type\":\"integer\"}}}}},"
		"{\"type\":\"function\",\"function\":{\"name\":\"now\"}},"
		"{\"type\":\"function\",\"function\":{\"name\":\"ever\",\"parameters\":{}}}]";
	struct mote_error error = {0};
	struct mote_grammar *g;
	cJSON *json;

	(void)state;
	assert_int_equal(mote_json_parse(tools, strlen(tools), "t", &json, NULL), MOTE_OK);
	assert_int_equal(mote_grammar_tool_calls(json, NULL, true, &g, NULL), MOTE_OK);
	judge_all(g, "y<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 5}}\n</tool_call>",
		  "y<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": "
		  "\"now\", \"arguments\": {}}\n</tool_call>", "n<tool_call>\n{\"name\": \"now\", \"arguments\": {\"a",
		  "nhello", NULL);
	assert_int_equal(mote_grammar_tool_calls(json, "now", false, &g, NULL), MOTE_OK);
	judge_all(g, "y<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
		  "n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n",
		  "n<tool_call>\n{\"name\": \"a", NULL);
	assert_int_equal(mote_grammar_tool_calls(json, "ever", false, &g, NULL), MOTE_OK);
	judge_all(g, "y<tool_call>\n{\"name\": \"ever\", \"arguments\": {}}\n</tool_call>",
		  "n<tool_call>\n{\"name\": \"ever\", \"arguments\": 1", NULL);
	assert_int_equal(mote_grammar_tool_calls(json, "never", false, &g, &error), MOTE_ERROR_ARGUMENT);
	assert_non_null(strstr(error.message, "no tool is called never"));
	cJSON_Delete(json);
}

/* ---- tokens ---- */

static struct tiny_tokenizer tiny;
static struct mote_token_trie *trie;

static int open_tokens(void **state)
{
	static struct tiny_json json;
	static const char added[] = "{\"id\":262,\"content\":\"<end>\",\"special\":true},"
		"{\"id\":263,\"content\":\"<tool_call>\",\"special\":false}";

	(void)state;
	if (!tiny_open(&tiny, tiny_byte_level(&json, "truelsabbca{", "{\"type\":\"ByteLevel\","
					      "\"add_prefix_space\":false,"
				"\"use_regex\":true}", added, ""), NULL))
		return print_error("%s\n", tiny.error.message), 1;
	return mote_token_trie_open(tiny.t, mote_tokenizer_vocab_size(tiny.t), &trie, NULL);
}

static int close_tokens(void **state)
{
	(void)state;
	mote_token_trie_close(trie);
	tiny_close(&tiny);
	return 0;
}

/* The mask against each token tried by itself. */
static void compare(struct mote_matcher *m)
{
	const uint64_t *mask;
	struct mote_error error = {0};

	if (mote_matcher_mask(m, &mask, &error))
		fail_msg("%s", error.message);
	for (uint32_t id = 0; id < trie->vocab; id++) {
		size_t bytes = trie->offset[id + 1] - trie->offset[id];
		bool may = bytes && mote_matcher_may_take(m, trie->text + trie->offset[id], bytes);

		if (may != (mask[id / 64] >> (id % 64) & 1))
			fail_msg("token %u", id);
	}
}

static void test_mask(void **state)
{
	static const char *const texts[] = {"{\"ab\": tru", "e, \"c\": \"\xe6\x97", "\xa5 ab\", \"d\": [1, true", "]}"};
	struct mote_grammar *g = schema("{\"type\":\"object\"}");
	struct mote_matcher *m;

	(void)state;
	assert_int_equal(mote_matcher_open(g, trie, &m, NULL), MOTE_OK);
	compare(m);
	for (size_t i = 0; i < 4; i++)
		for (const char *c = texts[i]; *c; c++) {
			assert_int_equal(mote_matcher_take(m, c, 1, NULL), MOTE_OK);
			if (!mote_matcher_is_over(m))
				compare(m);
			compare(m);
		}
	assert_true(mote_matcher_is_over(m));
	assert_int_equal(mote_matcher_take(m, "x", 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_true(mote_matcher_is_over(m)); /* the place stays */
	mote_matcher_close(m);
	mote_grammar_close(g);
	g = gbnf("root ::= \"<tool_call>\" \"<end>\"\n");
	assert_int_equal(mote_matcher_open(g, trie, &m, NULL), MOTE_OK);
	compare(m);
	assert_int_equal(mote_matcher_take_id(m, 263, NULL), MOTE_OK);
	assert_int_equal(mote_matcher_take_id(m, 262, NULL), MOTE_ERROR_ARGUMENT); /* a special token is no text */
	assert_int_equal(mote_matcher_take(m, "<end>", 5, NULL), MOTE_OK);
	assert_true(mote_matcher_is_over(m));
	mote_matcher_close(m);
	mote_grammar_close(g);
}

/* Deep inside of rules and along long counts what was kept is forgotten; the place is not. */
static void test_forgetting(void **state)
{
	struct mote_grammar *g = gbnf("root ::= \"[\" root \"]\" | [a-z]{3} | \"\"\n");
	enum { DEPTH = 210000 };
	struct mote_matcher *m;

	(void)state;
	assert_int_equal(mote_matcher_open(g, trie, &m, NULL), MOTE_OK);
	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(mote_matcher_take(m, "[", 1, NULL), MOTE_OK);
	compare(m);
	assert_int_equal(mote_matcher_take(m, "abc", 3, NULL), MOTE_OK);
	for (int i = 0; i < DEPTH; i++) {
		assert_false(mote_matcher_may_end(m));
		assert_int_equal(mote_matcher_take(m, "]", 1, NULL), MOTE_OK);
	}
	assert_true(mote_matcher_is_over(m));
	mote_matcher_close(m);
	mote_grammar_close(g);
	g = gbnf("root ::= [a-z]{100000}\n");
	assert_int_equal(mote_matcher_open(g, trie, &m, NULL), MOTE_OK);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(mote_matcher_take(m, "a", 1, NULL), MOTE_OK);
	assert_true(mote_matcher_is_over(m));
	mote_matcher_close(m);
	mote_grammar_close(g);
}

/* As many parts as are allowed, and not one more. */
static void test_most_parts(void **state)
{
	struct mote_grammar *g = mote_network_open(NULL);
	struct mote_error error = {0};
	uint32_t a;

	(void)state;
	assert_non_null(g);
	while (!g->error.code)
		mote_network_rule(g, "r", 1);
	assert_int_equal(g->rules, MOTE_GRAMMAR_MAX_RULES);
	assert_int_equal(mote_network_finish(g, &g, &error), MOTE_ERROR_LIMIT);
	assert_string_equal(error.message, "the grammar is too large: it has more than 65536 parts");
	assert_null(g);

	g = mote_network_open(NULL);
	a = mote_network_state(g);
	while (!g->error.code)
		mote_network_byte(g, a, 'a', 'z', a);
	assert_int_equal(g->edges, MOTE_GRAMMAR_MAX_EDGES);
	mote_grammar_close(g);
}

/* A text that may be at ever more places ends in an error and not in ever more memory. */
static void test_ambiguity(void **state)
{
	struct mote_grammar *g = gbnf("root ::= s\ns ::= \"a\" s s2 | \"a\" s s3 | \"a\"\ns2 ::= \"b\" | \"\"\ns3 ::= "
				      "\"c\" | \"\"\n");
	struct mote_error error = {0};
	enum mote_status status = MOTE_OK;
	struct mote_matcher *m;

	(void)state;
	assert_int_equal(mote_matcher_open(g, trie, &m, NULL), MOTE_OK);
	for (int i = 0; i < 100 && status == MOTE_OK; i++)
		status = mote_matcher_take(m, "a", 1, &error);
	assert_int_equal(status, MOTE_ERROR_LIMIT);
	assert_non_null(strstr(error.message, "too ambiguous"));
	mote_matcher_close(m);
	mote_grammar_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gbnf), cmocka_unit_test(test_gbnf_forms), cmocka_unit_test(test_gbnf_refused),
		cmocka_unit_test(test_schema), cmocka_unit_test(test_schema_refused), cmocka_unit_test(test_tool_calls),
		cmocka_unit_test(test_mask), cmocka_unit_test(test_forgetting), cmocka_unit_test(test_most_parts),
		cmocka_unit_test(test_ambiguity),
	};

	return cmocka_run_group_tests(tests, open_tokens, close_tokens);
}
