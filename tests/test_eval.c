/* Evaluation without a model: answers found in awkward texts, statistics against values worked out by hand, and task
 * files that are not what they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quant/eval/answer_match.h"
#include "quant/eval/outcome.h"

static char folder[] = "/tmp/test_eval_XXXXXX";

/* ---- answers ---- */

struct finding {
	const char *text, *strict, *flexible;
};

static void expect_found(const char *task, const struct finding *f, size_t n, uint32_t filters)
{
	struct mote_answer_match *m;

	assert_int_equal(mote_answer_match_open(mote_task_row_find(task), &m, NULL), MOTE_OK);
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < filters; k++) {
			char *found = mote_answer_match_find(m, k, f[i].text, strlen(f[i].text));

			if (strcmp(found, k ? f[i].flexible : f[i].strict) != 0)
				fail_msg("%s, filter %u, \"%s\": found \"%s\"", task, k, f[i].text, found);
			free(found);
		}
	mote_answer_match_close(m);
}

static void test_gsm8k_answers(void **state)
{
	static const struct finding f[] = {
		{"#### 18", "18", "18"},
		{"He pays 3 + 4 = 7.\n#### 7", "7", "7"},
		{"#### -5", "-5", "-5"},
		{"#### 1,234", "1,234", "1,234"},
		{"#### 12.50", "12.50", "12.50"},
		{"#### 12.", "12.", "12."},
		{"#### $18", "[invalid]", "$18"},
		{"####18", "[invalid]", "18"},
		{"#### 18 dollars and 20 cents", "18", "20"},
		{"#### 3\n\n#### 4", "3", "4"},
		{"The answer is 42", "[invalid]", "42"},
		{"The answer is 42.", "[invalid]", "42."},
		{"The answer is $1,000.00.", "[invalid]", "$1,000.00."},
		{"5 apples, then 6", "[invalid]", "6"},
		{"7", "[invalid]", "7"},
		{"-7", "[invalid]", "-7"},
		{"--7", "[invalid]", "-7"},
		{"10-7", "[invalid]", "-7"},
		{"", "[invalid]", "[invalid]"},
		{"none at all", "[invalid]", "[invalid]"},
		{"...", "[invalid]", "..."},
		{"It is 5. So", "[invalid]", "5."},
		{"x = 3/4", "[invalid]", "4"},
		{"50%", "[invalid]", "50"},
		{"#### \xc2\xa3""5", "[invalid]", "5"},
		{"1e5", "[invalid]", "5"},
		{"#### .", ".", "[invalid]"},
		{"a\n#### 9\nb 10", "9", "10"},
		{"## 8\n### 9", "[invalid]", "9"},
		{"##### 8", "8", "8"},
		{"#### 1.000.000", "1.000.000", "1.000.000"},
		{"#### -$5", "[invalid]", "-$5"},
		{"#### \xe2\x88\x92""5", "[invalid]", "5"},  /* a minus that is no hyphen */
		{"#### 5,", "5,", "5,"},
		{"#### 5 .", "5", "5"},
		{"####  5", "[invalid]", "5"},
		{"####\n5", "[invalid]", "5"},
		{"#### 5\n####", "5", "5"},
		{"12 / 4 = <<12/4=3>>3", "[invalid]", "3"},
		{"\\boxed{72}", "[invalid]", "72"},
		{"It costs $ 5", "[invalid]", "5"},
		{"$$", "[invalid]", "$$"},
		{"3 1/2 cups", "[invalid]", "2"},
		{"#### 7#### 8", "7", "8"},
		{"\xef\xbc\x95", "[invalid]", "[invalid]"}, /* a digit of another kind */
	};

	(void)state;
	expect_found("gsm8k", f, sizeof f / sizeof *f, 2);
}

static void test_bbh_answers(void **state)
{
	static const struct finding f[] = {
		{"So the answer is True.", "True", NULL},
		{"So the answer is (A).", "(A)", NULL},
		{"So the answer is (A)", "(A", NULL}, /* the last character falls off, whichever it is */
		{"the answer is 8. And on.", "8. And on", NULL},
		{"the answer is no.\nthe answer is yes.", "no", NULL},
		{"The answer is yes.", "[invalid]", NULL},
		{"The answer is so. the answer is X.", "X", NULL},
		{"the answer is .", "", NULL},
		{"the answer is", "[invalid]", NULL},
		{"", "[invalid]", NULL},
		{"the answer is ] ) >.", "] ) >", NULL},
		{"the answer is  two .", "two", NULL},
		{"the answer is \xe3\x80\x80two\xc2\xa0\xc2\x85.", "two", NULL}, /* what is white space to Python */
		{"the answer is \xc3\xa9t\xc3\xa9.", "\xc3\xa9t\xc3\xa9", NULL},
		{"the answer is valid", "vali", NULL},
		{"the answer is (B).\n\nQ: is it?", "(B)", NULL},
		{"the answer is True.\r\n", "True.", NULL}, /* the last character of the line is the carriage return */
		{"the answer is -5.", "-5", NULL},
		{"the answer is the answer is 3.", "the answer is 3", NULL},
		{"the answer is\n3.", "[invalid]", NULL},
		{"the answer is 3", "", NULL},
	};

	(void)state;
	expect_found("bbh", f, sizeof f / sizeof *f, 1);
}

/* Patterns that may match nothing: as re.findall() goes on behind an empty match, a character at a time. */
static void test_empty_matches(void **state)
{
	static const struct {
		const char *pattern, *text, *first, *last;
	} f[] = {
		{"[0-9]+|(?=b)", "b \xc3\xa9 12", "", "12"},
		{"[0-9]+|(?=\xc3\xa9)", "\xc3\xa9\xc3\xa9 a 12 bc", "", "12"},
		{"[0-9]+|(?=\xe2\x82\xac)", "7 \xe2\x82\xac" "5 \xe2\x82\xac", "7", ""},
		{"[0-9]+|(?=b)", "1bb2bb34bb", "1", ""},
		{"x*", "xx", "xx", ""}, /* the last one is behind the text's end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
		const struct mote_task_row row = {.filter = {{.name = "first", .pattern = f[i].pattern},
							     {.name = "last", .pattern = f[i].pattern, .last = true}}};
		struct mote_answer_match *m;

		assert_int_equal(mote_answer_match_open(&row, &m, NULL), MOTE_OK);
		for (uint32_t k = 0; k < 2; k++) {
			char *found = mote_answer_match_find(m, k, f[i].text, strlen(f[i].text));

			assert_string_equal(found, k ? f[i].last : f[i].first);
			free(found);
		}
		mote_answer_match_close(m);
	}
}

static void test_equal_answers(void **state)
{
	static const struct {
		const char *found, *right;
		bool equal;
	} f[] = {
		{"18", "Janet sells.\n#### 18", true}, {"$18", "#### 18", true}, {"1,234", "#### 1234", true},
		{"12.", "#### 12", true}, {"12.0", "#### 12", false}, {"-5", "#### 5", false},
		{"[invalid]", "#### 5", false}, {"18", "a #### 17\nb #### 18", true},
		{"ABC", "#### abc", true}, {"", "#### ", true},
	};
	struct mote_answer_match *m;
	bool equal;

	(void)state;
	assert_int_equal(mote_answer_match_open(mote_task_row_find("gsm8k"), &m, NULL), MOTE_OK);
	for (size_t i = 0; i < sizeof f / sizeof *f; i++) {
		assert_int_equal(mote_answer_match_equal(m, f[i].found, f[i].right, &equal, NULL), MOTE_OK);
		assert_int_equal(equal, f[i].equal);
	}
	mote_answer_match_close(m);
	assert_int_equal(mote_answer_match_open(mote_task_row_find("bbh"), &m, NULL), MOTE_OK);
	for (size_t i = 0; i < 4; i++) { /* nothing is ignored, not even case */
		static const char *const found[] = {"True", "true", "True.", "(True"};

		assert_int_equal(mote_answer_match_equal(m, found[i], "True", &equal, NULL), MOTE_OK);
		assert_int_equal(equal, i == 0);
	}
	mote_answer_match_close(m);
}

static void test_until(void **state)
{
	const struct mote_task_row *row = mote_task_row_find("gsm8k");

	(void)state;
	assert_int_equal(mote_answer_until(row, "ab</s>Question: c", 17), 2);
	assert_int_equal(mote_answer_until(row, "abQuestion: </s>", 16), 2);
	assert_int_equal(mote_answer_until(row, "Question", 8), 8);
	assert_int_equal(mote_answer_until(row, "", 0), 0);
}

/* ---- statistics ---- */

static void expect_near(double value, double expected)
{
	if (!(fabs(value - expected) < 1e-12 * (1 + fabs(expected))))
		fail_msg("%.17g, expected %.17g", value, expected);
}

/* Exact values: twice the tail of a fair coin's binomial. */
static void test_mcnemar(void **state)
{
	(void)state;
	expect_near(mote_mcnemar_p(0, 0), 1);
	expect_near(mote_mcnemar_p(3, 3), 1);
	expect_near(mote_mcnemar_p(0, 1), 1);
	expect_near(mote_mcnemar_p(0, 5), 2.0 / 32);
	expect_near(mote_mcnemar_p(5, 0), 2.0 / 32);
	expect_near(mote_mcnemar_p(1, 9), 2.0 * 11 / 1024);
	expect_near(mote_mcnemar_p(2, 3), 1);
	expect_near(mote_mcnemar_p(2, 8), 2.0 * (1 + 10 + 45) / 1024);
	assert_true(mote_mcnemar_p(1000, 3000) < 1e-200 && mote_mcnemar_p(1000, 3000) >= 0);
	assert_true(mote_mcnemar_p(5000, 5050) > 0.5 && mote_mcnemar_p(5000, 5050) < 0.7);
}

static void test_rates_and_pairs(void **state)
{
	static const char *const metric[] = {"acc"};
	static const uint8_t before[] = {1, 1, 1, 0, 0}, after[] = {1, 0, 0, 1, 0};
	struct mote_outcome a, b;
	struct mote_pairing p;

	(void)state;
	assert_int_equal(mote_outcome_init(&a, 5, metric, 1, false, NULL), MOTE_OK);
	assert_int_equal(mote_outcome_init(&b, 5, metric, 1, false, NULL), MOTE_OK);
	memcpy(a.mark[0], before, 5);
	memcpy(b.mark[0], after, 5);
	p = mote_outcome_pair(&b, &a);
	assert_int_equal(p.to_wrong, 2);
	assert_int_equal(p.to_right, 1);
	expect_near(p.p, 1);
	expect_near(p.flips, 0.6);
	expect_near(p.agreement, 0.4);
	expect_near(mote_rate_of(before, 5).value, 0.6);
	expect_near(mote_rate_of(before, 5).error, sqrt(0.6 * 0.4 / 4));
	assert_true(isnan(mote_rate_of(before, 1).error));
	mote_outcome_free(&a);
	mote_outcome_free(&b);
}

/* ---- files ---- */

static const char *write_file(const char *name, const char *text, size_t bytes)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, bytes, f), bytes);
	fclose(f);
	return path;
}

static enum mote_status read_task(const char *name, const char *path, uint32_t limit, struct mote_task *t,
				  struct mote_error *error)
{
	const struct mote_task_options options = {.few = -1, .limit = limit};

	*error = (struct mote_error){0};
	return mote_task_read(mote_task_row_find(name), path, &options, t, error);
}

#define ARC \
	"{\"id\":\"q1\",\"question\":{\"stem\":\"S?\"," \
	"\"choices\":[{\"text\":\"x\",\"label\":\"A\"},{\"text\":\"yy\",\"label\":\"B\"}]},\"answerKey\":\"B\"}"

static void test_arc(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "no record"}, {"\n\n", "no record"}, {"[]", "line 1: expected a JSON object"},
		{ARC "\n{", "line 2"},
		{ARC "\n" ARC "\n{\"id\":\"a\"}", "line 3: expected a text in field \"question.stem\""},
		{"{\"id\":3,\"question\":{\"stem\":\"S\",\"choices\":{}},\"answerKey\":\"A\"}",
		 "expected an array in field \"question.choices\""},
		{"{\"id\":3,\"question\":{\"stem\":\"S\",\"choices\":[{\"text\":\"x\",\"label\":\"A\"}]},"
		 "\"answerKey\":\"A\"}", "1 choices"},
		{"{\"id\":3,\"question\":{\"stem\":[],\"choices\":[]},\"answerKey\":\"A\"}", "\"question.stem\""},
		{"{\"id\":3,\"question\":{\"stem\":\"S\",\"choices\":[{\"text\":\"x\",\"label\":\"A\"},{\"text\":1,"
		 "\"label\":null}]},\"answerKey\":\"A\"}", "\"question.choices[].label\""},
		{"{\"id\":3,\"question\":{\"stem\":\"S\",\"choices\":[{\"text\":\"\",\"label\":\"A\"},{\"text\":\"b\","
		 "\"label\":\"B\"}]},\"answerKey\":\"A\"}", "choice 1 is empty"},
		{"{\"id\":3,\"question\":{\"stem\":\"S\",\"choices\":[{\"text\":\"a\",\"label\":\"A\"},{\"text\":\"b\","
		 "\"label\":\"B\"}]},\"answerKey\":\"C\"}", "\"C\" is none of the choices"},
	};
	struct mote_task t;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(read_task("arc_challenge", write_file("arc", ARC "\n\n" ARC "\r\n", 2 * strlen(ARC) + 4), 0,
				   &t, &error), MOTE_OK);
	assert_int_equal(t.items, 2);
	assert_string_equal(t.item[1].context, "Question: S?\nAnswer:");
	assert_string_equal(t.item[0].choice[1], "yy");
	assert_int_equal(t.item[0].gold, 1);
	assert_string_equal(t.item[0].id, "q1");
	expect_near(mote_task_chance(&t), 0.5);
	mote_task_free(&t);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(read_task("arc_challenge", write_file("arc", bad[i].text, strlen(bad[i].text)), 0,
					   &t, &error),
				 MOTE_ERROR_CORRUPT);
		if (!strstr(error.message, bad[i].words) || !strstr(error.message, "arc"))
			fail_msg("\"%s\" says \"%s\"", bad[i].text, error.message);
	}
	for (size_t n = 1; n < strlen(ARC); n++) /* every truncation */
		assert_int_equal(read_task("arc_challenge", write_file("arc", ARC, n), 0, &t, &error),
				 MOTE_ERROR_CORRUPT);
}

/* The share of items that one answer to all of them gets right. */
static void test_best_constant(void **state)
{
	static const char record[] = "{\"id\":\"q\",\"question\":{\"stem\":\"S?\",\"choices\":[{\"text\":\"x\","
				     "\"label\":\"A\"},"
		"{\"text\":\"y\",\"label\":\"B\"},{\"text\":\"z\",\"label\":\"C\"}]},\"answerKey\":\"%c\"}\n";
	static const struct {
		const char *keys, *best;
		double share;
	} cases[] = {{"A", "A", 1}, {"BBA", "B", 2.0 / 3}, {"ABCC", "C", 0.5}, {"AB", "A", 0.5}, {"CBABB", "B", 0.6}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[2048];
		const char *answer;
		size_t bytes = 0;
		struct mote_error error;
		struct mote_task t;

		for (const char *key = cases[i].keys; *key; key++)
			bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, record, *key);
		assert_int_equal(read_task("arc_challenge", write_file("arc", text, bytes), 0, &t, &error), MOTE_OK);
		expect_near(mote_task_best_constant(&t, &answer), cases[i].share);
		assert_string_equal(answer, cases[i].best);
		mote_task_free(&t);
	}
}

/* Of answers what is compared counts, not how each was worked out. */
static void test_best_answer(void **state)
{
	static const char text[] = "{\"question\":\"a\",\"answer\":\"1 + 2 = 3.\\n#### 3\"}\n"
		"{\"question\":\"b\",\"answer\":\"A thousand.\\n#### $1,000\"}\n"
		"{\"question\":\"c\",\"answer\":\"Ten times a hundred.\\n#### 1000.\"}\n";
	const char *answer;
	struct mote_error error;
	struct mote_task t;

	(void)state;
	assert_int_equal(read_task("gsm8k", write_file("arc", text, strlen(text)), 0, &t, &error), MOTE_OK);
	expect_near(mote_task_best_constant(&t, &answer), 2.0 / 3);
	assert_string_equal(answer, "1000");
	mote_task_free(&t);
}

static void test_long_line(void **state)
{
	size_t bytes = 10 << 20;
	char *text = malloc(bytes + 64);
	struct mote_task t;
	struct mote_error error;

	(void)state;
	memset(text, 'x', bytes);
	assert_int_equal(read_task("arc_challenge", write_file("long", text, bytes), 0, &t, &error),
			 MOTE_ERROR_CORRUPT);
	memcpy(text, "{\"goal\":\"", 9);
	memcpy(text + bytes - 2, "\"}", 2);
	assert_int_equal(read_task("arc_challenge", write_file("long", text, bytes), 0, &t, &error),
			 MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "line 1"));
	free(text);
}

static void test_labels(void **state)
{
	static const char record[] = "{\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\"}\n";
	struct mote_task t;
	struct mote_error error;
	const char *path;

	(void)state;
	write_file("valid-labels.lst", "1\n", 2);
	path = write_file("piqa", record, strlen(record));
	assert_int_equal(read_task("piqa", path, 0, &t, &error), MOTE_OK);
	assert_int_equal(t.item[0].gold, 1);
	mote_task_free(&t);
	write_file("valid-labels.lst", "1\n0\n", 4);
	assert_int_equal(read_task("piqa", write_file("piqa", record, strlen(record)), 0, &t, &error),
			 MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "2 labels for 1 records"));
	write_file("valid-labels.lst", "2\n", 2);
	assert_int_equal(read_task("piqa", write_file("piqa", record, strlen(record)), 0, &t, &error),
			 MOTE_ERROR_CORRUPT);
}

static void test_tables(void **state)
{
	static const struct {
		const char *text, *words; /* NULL: fine */
	} tables[] = {
		{" q\xc2\x85,1,2,3,4,D\n", NULL}, /* U+0085 is white space */
		{"\"a, \"\"b\"\"\nc\",1,2,3,4,A", NULL},
		{"q,1,2,3,4,A\r\nq,1,2,3,4,B\r\n", NULL}, {"q,1,2,3,4\n", "no column for \"answer\""},
		{"q,1,2,3,4,A,x\n", "more columns"}, {"\"q,1,2,3,4,A\n", "quotes of \"question\""},
		{"\"q\"x,1,2,3,4,A\n", "quotes"}, {"q,1,2,3,4,E\n", "\"E\" is none of the choices"},
		{"q\xff,1,2,3,4,A\n", "not UTF-8"}, {"", "no record"}, {"q,1,2,3,4,A\n\n", "row 2"},
	};
	char below[256];
	struct mote_task t;
	struct mote_error error;

	(void)state;
	snprintf(below, sizeof below, "%s/test", folder);
	mkdir(below, 0700);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		enum mote_status status;

		write_file("test/high_school_x_test.csv", tables[i].text, strlen(tables[i].text));
		status = read_task("mmlu", folder, 0, &t, &error);
		assert_int_equal(status, tables[i].words ? MOTE_ERROR_CORRUPT : MOTE_OK);
		if (tables[i].words && !strstr(error.message, tables[i].words))
			fail_msg("\"%s\" says \"%s\"", tables[i].text, error.message);
		if (i == 0)
			assert_string_equal(t.item[0].context, "The following are multiple choice questions (with "
					    "answers) about high school x.\n\nq\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:");
		if (i == 1)
			assert_non_null(strstr(t.item[0].context, "\na, \"b\"\nc\nA. 1"));
		mote_task_free(&t);
	}
	unlink(strcat(below, "/high_school_x_test.csv"));
	snprintf(below, sizeof below, "%s/test", folder);
	rmdir(below);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"arc", "long", "piqa", "valid-labels.lst"};
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gsm8k_answers), cmocka_unit_test(test_bbh_answers),
		cmocka_unit_test(test_empty_matches), cmocka_unit_test(test_equal_answers),
		cmocka_unit_test(test_until), cmocka_unit_test(test_mcnemar),
		cmocka_unit_test(test_rates_and_pairs), cmocka_unit_test(test_arc),
		cmocka_unit_test(test_best_constant), cmocka_unit_test(test_best_answer),
		cmocka_unit_test(test_long_line), cmocka_unit_test(test_labels),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
