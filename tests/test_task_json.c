/* A user's own tasks: definitions as they should be, and every way in which they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quant/eval/answer_match.h"
#include "quant/eval/task_json.h"

static const char choice[] =
	"{\n\"name\": \"capitals\",\n\"kind\": \"choice\",\n\"id\": \"{n}\",\n\"group\": \"{continent}\",\n"
	"\"description\": \"Questions about {continent}.\\n\",\n\"context\": \"Q: {q|strip}\\nA:\",\n\"choices\": "
	"\"options[].text\",\n"
	"\"gold\": \"{right}\",\n\"gold_names\": \"options[].label\",\n\"few_shot\": 2,\n\"metric\": \"acc_norm\"\n}\n";
static const char answer[] =
	"{\"name\":\"sums\",\"kind\":\"answer\",\"context\":\"{{ {a} }\",\"gold\":\"{right}\",\"until\":[\"\\n\"],"
	"\"max_tokens\":9,\n"
	"\"filters\":[{\"name\":\"number\",\"pattern\":\"-?[0-9]+\",\"take\":\"last\"},{\"name\":\"word\","
	"\"pattern\":\"[a-z]+\"}],"
	"\"ignore\":[\" \"],\"ignore_case\":true,\"metric\":\"contains\"}";

static enum mote_status parse(const char *text, struct mote_task_file **f, struct mote_error *error)
{
	*error = (struct mote_error){0};
	return mote_task_file_parse(text, strlen(text), "my.json", f, error);
}

static void test_good(void **state)
{
	struct mote_task_file *f, *g;
	const struct mote_task_row *row;
	struct mote_error error;

	(void)state;
	assert_int_equal(parse(choice, &f, &error), MOTE_OK);
	row = mote_task_file_row(f);
	assert_string_equal(row->name, "capitals");
	assert_int_equal(row->kind, MOTE_TASK_CHOICE);
	assert_int_equal(row->length, MOTE_LENGTH_CHARACTERS);
	assert_int_equal(row->few, 2);
	assert_string_equal(row->choices, "options[].text");
	assert_string_equal(mote_task_file_text(f), choice);
	assert_int_equal(parse(answer, &g, &error), MOTE_OK);
	row = mote_task_file_row(g);
	assert_string_equal(row->filter[0].stripped, "number_stripped");
	assert_true(row->filter[0].last && !row->filter[1].last && row->contains && row->ignore_case);
	assert_int_equal(row->most_tokens, 9);
	assert_true(row->hash.low != mote_task_file_row(f)->hash.low);
	mote_task_file_close(f);
	mote_task_file_close(g);
	/* What may be left out. */
	assert_int_equal(parse("{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"c\",\"gold\":\"{g}\","
			       "\"choices\":[\"x\",\"{y}\"]}", &f, &error), MOTE_OK);
	row = mote_task_file_row(f);
	assert_string_equal(row->gold_name[1], "1");
	assert_int_equal(row->length, MOTE_LENGTH_NONE);
	mote_task_file_close(f);
	assert_int_equal(parse("{\"name\":\"a\",\"kind\":\"answer\",\"context\":\"c\",\"gold\":\"{g}\"}", &f, &error),
			 MOTE_OK);
	row = mote_task_file_row(f);
	assert_string_equal(row->filter[0].name, "answer");
	assert_int_equal(row->most_tokens, 256);
	mote_task_file_close(f);
	mote_task_file_close(NULL);
}

static void test_truncations(void **state)
{
	static const char *const whole[] = {choice, answer};
	struct mote_task_file *f;
	struct mote_error error;

	(void)state;
	for (int i = 0; i < 2; i++)
		for (size_t n = 0; n < strlen(whole[i]) - 1; n++) {
			char *text = malloc(n + 1);

			memcpy(text, whole[i], n);
			text[n] = 0;
			if (i == 0 && n == strlen(choice) - 2) { /* without the last line end */
				free(text);
				continue;
			}
			if (parse(text, &f, &error) != MOTE_ERROR_CORRUPT || !strstr(error.message, "my.json"))
				fail_msg("%zu bytes: %s", n, error.message);
			assert_null(f);
			free(text);
		}
}

#define CHOICE(more) "{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"c\",\"gold\":\"{g}\"," more "}"
#define ANSWER(more) "{\"name\":\"a\",\"kind\":\"answer\",\n\"context\":\"c\",\"gold\":\"{g}\",\n" more "}"

static void test_bad(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"", "my.json"}, {"[]", "expected a JSON object"}, {"3", "expected a JSON object"},
		{"{}", "\"name\" is missing"}, {"{\"name\":\"a\"}", "\"kind\" is missing"},
		{"{\"name\":3}", "line 1, field \"name\": expected a text"},
		{"{\n\n\"name\":\"\"}", "line 3, field \"name\": expected a text"},
		{"{\"name\":\"A b\"}", "small letters"}, {"{\"name\":\"boolq\"}", "no built-in task"},
		{"{\"name\":\"a\",\"name\":\"b\"}", "my.json"},
		{"{\"name\":\"a\",\n\"kind\":\"quiz\"}", "line 2, field \"kind\": expected \"choice\" or \"answer\""},
		{"{\"name\":\"a\",\"kind\":\"choice\"}", "\"context\" is missing"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"c\"}", "\"gold\" is missing"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"c\",\"gold\":\"{g}\"}", "\"choices\" is missing"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":[],\"gold\":\"{g}\"}",
		 "field \"context\": expected a text"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"{x\",\"gold\":\"{g}\"}",
		 "field \"context\": expected a brace that is closed"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"{}\",\"gold\":\"{g}\"}",
		 "expected a field's name between braces"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"{|strip}\",\"gold\":\"{g}\"}",
		 "expected a field's name between braces"},
		{"{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"{x|upper}\",\"gold\":\"{g}\"}",
		 "no filter but \"|strip\""},
		{CHOICE("\"choices\":\"options\""), "field \"choices\": expected an array of texts, or the path"},
		{CHOICE("\"choices\":[]"), "an array of 1 to 16"}, {CHOICE("\"choices\":[3,4]"), "expected a text"},
		{CHOICE("\"choices\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"0\",\"1\",\"2\",\"3\","
			"\"4\",\"5\",\"6\",\"7\"]"), "1 to 16"},
		{CHOICE("\"choices\":[\"a\",\"{b\"]"), "a brace that is closed"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"metric\":\"f1\""), "\"acc\", \"acc_norm\" or"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"metric\":\"exact\""), "\"acc\", \"acc_norm\" or"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"until\":[\"x\"]"), "field \"until\": expected none"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"few_shot\":-1"), "a whole number from 0 to 64"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"few_shot\":1.0"), "a whole number from 0 to 64"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\n\"colour\":1"), "line 2, field \"colour\": expected no field of "
		 "this name"},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"gold_names\":{}"), "field \"gold_names\""},
		{CHOICE("\"choices\":[\"a\",\"b\"],\"labels\":\"../x\""), "without folders"},
		{ANSWER("\"choices\":[\"a\",\"b\"]"), "line 3, field \"choices\": expected none"},
		{ANSWER("\"metric\":\"acc\""), "\"exact\" or \"contains\""}, {ANSWER("\"max_tokens\":0"), "from 1 to"},
		{ANSWER("\"max_tokens\":\"9\""), "from 1 to"}, {ANSWER("\"until\":\"x\""), "an array of 1 to 7"},
		{ANSWER("\"until\":[\"\"]"), "expected a text"}, {ANSWER("\"ignore_case\":1"), "true or false"},
		{ANSWER("\"ignore\":[\"(\"]"), "field \"ignore\": pattern \"(\""},
		{ANSWER("\"filters\":{}"), "an array of 1 to 4 filters"},
		{ANSWER("\"filters\":[3]"), "filters that are objects"},
		{ANSWER("\"filters\":[{}]"), "expected a text"},
		{ANSWER("\"filters\":[{\"name\":\"x\"}]"), "expected a text"},
		{ANSWER("\"filters\":[{\"name\":\"x\",\"pattern\":\"[\"}]"),
		 "line 3, field \"filters\": pattern \"[\""},
		{ANSWER("\"filters\":[{\"name\":\"x\",\"pattern\":\"a\",\"take\":\"all\"}]"), "\"first\" or \"last\""},
		{ANSWER("\"filters\":[{\"name\":\"x\",\"pattern\":\"a\",\"flags\":\"i\"}]"), "alone"},
		{ANSWER("\"filters\":[{\"name\":\"x\",\"pattern\":\"a\"},{\"name\":\"x\",\"pattern\":\"b\"}]"),
		 "different names"},
		{ANSWER("\"filters\":[{\"name\":\"x_stripped\",\"pattern\":\"a\"}]"), "do not end in \"_stripped\""},
	};
	struct mote_task_file *f;
	struct mote_error error;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(parse(bad[i].text, &f, &error), MOTE_ERROR_CORRUPT);
		assert_null(f);
		if (!strstr(error.message, bad[i].words) || !strstr(error.message, "my.json"))
			fail_msg("\"%s\" says \"%s\"", bad[i].text, error.message);
	}
}

static void expect_equal(const char *definition, const char *found, const char *right, bool expected)
{
	struct mote_task_file *f;
	struct mote_answer_match *m;
	struct mote_error error;
	bool equal;

	assert_int_equal(parse(definition, &f, &error), MOTE_OK);
	assert_int_equal(mote_answer_match_open(mote_task_file_row(f), &m, NULL), MOTE_OK);
	assert_int_equal(mote_answer_match_equal(m, found, right, &equal, NULL), MOTE_OK);
	assert_int_equal(equal, expected);
	mote_answer_match_close(m);
	mote_task_file_close(f);
}

static void test_metrics(void **state)
{
	(void)state;
	expect_equal(answer, "in New York City", "new york", true); /* blanks go, case does not count */
	expect_equal(answer, "in York", "new york", false);
	expect_equal(answer, "anything", " ", false);
	expect_equal(ANSWER("\"metric\":\"contains\""), "in New York", "new york", false);
	expect_equal(ANSWER("\"metric\":\"exact\""), "in New York", "New York", false);
	expect_equal(ANSWER("\"metric\":\"exact\""), "New York", "New York", true);
}

/* Items of a task, read from a file of one record. */
static enum mote_status read_items_of(const char *task, const char *record, size_t bytes, struct mote_task *t,
				      struct mote_error *error)
{
	char path[] = "/tmp/test_task_XXXXXX";
	const struct mote_task_options options = {.few = 0};
	struct mote_task_file *f;
	int descriptor = mkstemp(path);
	FILE *stream = fdopen(descriptor, "wb");
	enum mote_status status;

	assert_non_null(stream);
	assert_int_equal(fwrite(record, 1, bytes, stream), bytes);
	fclose(stream);
	assert_int_equal(parse(task, &f, error), MOTE_OK);
	status = mote_task_read(mote_task_file_row(f), path, &options, t, error);
	if (status)
		mote_task_file_close(f);
	else
		t->file = f;
	unlink(path);
	return status;
}

static enum mote_status read_items(const char *record, size_t bytes, struct mote_task *t, struct mote_error *error)
{
	return read_items_of(choice, record, bytes, t, error);
}

/* A record may name fewer answers than it has choices: one that is not among the names is no choice. */
static void test_fewer_names(void **state)
{
	static const char task[] = "{\"name\":\"a\",\"kind\":\"choice\",\"context\":\"c\","
				   "\"choices\":\"options[].text\","
				   "\"gold\":\"{right}\",\"gold_names\":\"names[].name\"}";
	static const char records[] = "{\"options\":[{\"text\":\"x\"},{\"text\":\"y\"},{\"text\":\"z\"}],"
				      "\"names\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"right\":\"%c\"}\n";
	char text[256];
	struct mote_task t;
	struct mote_error error;

	(void)state;
	snprintf(text, sizeof text, records, 'b');
	assert_int_equal(read_items_of(task, text, strlen(text), &t, &error), MOTE_OK);
	assert_int_equal(t.item[0].gold, 1);
	mote_task_free(&t);
	snprintf(text, sizeof text, records, 'c');
	assert_int_equal(read_items_of(task, text, strlen(text), &t, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "line 1: the answer \"c\" is none of the choices"));
}

static void test_items(void **state)
{
	static const char good[] = "{\"n\":7,\"continent\":\"Asia\",\"q\":\" Japan? \","
				   "\"options\":[{\"text\":\"Kyoto\",\"label\":\"a\"},"
				   "{\"text\":\"Tokyo\",\"label\":\"b\"}],\"right\":\"b\"}";
	static const char outside[] = "{\"n\":7,\"continent\":\"Asia\",\"q\":\"?\",\"options\":[{\"text\":\"K\","
				      "\"label\":\"a\"},"
				      "{\"text\":\"T\",\"label\":\"b\"}],\"right\":\"c\"}";
	size_t bytes = 10 << 20;
	char *text = malloc(bytes);
	struct mote_task t;
	struct mote_error error;

	(void)state;
	assert_int_equal(read_items(good, strlen(good), &t, &error), MOTE_OK);
	assert_string_equal(t.item[0].context, "Questions about Asia.\nQ: Japan?\nA:");
	assert_string_equal(t.item[0].id, "7");
	assert_string_equal(t.item[0].group, "Asia");
	assert_int_equal(t.item[0].gold, 1);
	mote_task_free(&t);
	assert_int_equal(read_items(outside, strlen(outside), &t, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "line 1: the answer \"c\" is none of the choices"));
	assert_int_equal(read_items("{\"n\":7}", 7, &t, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "line 1: expected a text in field \"continent\""));
	for (size_t n = 1; n < strlen(good); n++)
		assert_int_equal(read_items(good, n, &t, &error), MOTE_ERROR_CORRUPT);
	memset(text, 'x', bytes);
	assert_int_equal(read_items(text, bytes, &t, &error), MOTE_ERROR_CORRUPT);
	free(text);
}

static enum mote_status read_limited(const char *records, uint32_t limit, struct mote_task *t)
{
	char path[] = "/tmp/test_task_XXXXXX";
	const struct mote_task_options options = {.few = 0, .limit = limit};
	struct mote_task_file *f;
	struct mote_error error;
	FILE *stream = fdopen(mkstemp(path), "wb");
	enum mote_status status;

	assert_non_null(stream);
	assert_true(fputs(records, stream) >= 0);
	fclose(stream);
	assert_int_equal(parse("{\"name\":\"a\",\"kind\":\"answer\",\"context\":\"c\",\"gold\":\"x\",\"id\":\"{n}\","
			       "\"group\":\"{g}\"}", &f, &error), MOTE_OK);
	status = mote_task_read(mote_task_file_row(f), path, &options, t, &error);
	unlink(path);
	if (status)
		mote_task_file_close(f);
	else
		t->file = f;
	return status;
}

/* Items of a group come to stand behind each other, and a limit is one of each group. */
static void test_groups(void **state)
{
	static const char mixed[] = "{\"n\":1,\"g\":\"a\"}\n{\"n\":2,\"g\":\"b\"}\n{\"n\":3,\"g\":\"a\"}\n{\"n\":4,"
				    "\"g\":\"c\"}\n"
				    "{\"n\":5,\"g\":\"b\"}\n{\"n\":6,\"g\":\"a\"}\n";
	static const char *const order[] = {"1", "3", "6", "2", "5", "4"}, *const firsts[] = {"1", "3", "2", "5", "4"};
	char *many = malloc(64 * 600), *to = many;
	struct mote_task t;

	(void)state;
	assert_int_equal(read_limited(mixed, 0, &t), MOTE_OK);
	assert_int_equal(t.items, 6);
	for (int i = 0; i < 6; i++)
		assert_string_equal(t.item[i].id, order[i]);
	mote_task_free(&t);
	assert_int_equal(read_limited(mixed, 2, &t), MOTE_OK);
	assert_int_equal(t.items, 5);
	for (int i = 0; i < 5; i++)
		assert_string_equal(t.item[i].id, firsts[i]);
	mote_task_free(&t);
	for (int i = 0; i < 512; i++)
		to += sprintf(to, "{\"n\":%d,\"g\":\"g%d\"}\n", i, i);
	assert_int_equal(read_limited(many, 1, &t), MOTE_OK);
	assert_int_equal(t.items, 512);
	mote_task_free(&t);
	sprintf(to, "{\"n\":600,\"g\":\"one more\"}\n");
	assert_int_equal(read_limited(many, 1, &t), MOTE_ERROR_LIMIT);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_truncations), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_metrics), cmocka_unit_test(test_items),
		cmocka_unit_test(test_fewer_names), cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
