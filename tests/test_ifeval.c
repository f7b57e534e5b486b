/* IFEval's verifiers against answers written by hand. What each kind asks is what its published verifier asks; the
 * values expected here were reasoned from that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/eval/ifeval.h"
#include "tests/ifeval_answers.h"

static cJSON *record_of(const char *kind, const char *arguments)
{
	char text[4096];
	cJSON *record = NULL;
	struct mote_error error = {0};

	snprintf(text, sizeof text, "{\"instruction_id_list\":[\"%s\"],\"kwargs\":[%s]}", kind, arguments);
	assert_int_equal(mote_json_parse(text, strlen(text), "test", &record, &error), MOTE_OK);
	if (mote_ifeval_validate(record, "test", &error))
		fail_msg("%s %s: %s", kind, arguments, error.message);
	return record;
}

static void expect_marks(const char *kind, const char *arguments, const char *answer, bool strict, int loose)
{
	cJSON *record = record_of(kind, arguments);
	struct mote_ifeval_marks marks;

	assert_int_equal(mote_ifeval_check(record, answer, &marks, NULL), MOTE_OK);
	if (marks.count != 1 || marks.strict[0] != strict || (loose >= 0 && marks.loose[0] != loose))
		fail_msg("%s %s of \"%s\": strict %d, loose %d; expected %d, %d", kind, arguments, answer,
			 marks.strict[0], marks.loose[0], strict, loose);
	if (marks.strict[0] && !marks.loose[0])
		fail_msg("%s: strict without loose", answer);
	cJSON_Delete(record);
}

static void test_answers(void **state)
{
	const char *kind = "";
	int of_kind = 8, kinds = 0;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].kind, kind) != 0) {
			assert_true(of_kind >= 8);
			kind = answers[i].kind;
			kinds++;
			of_kind = 0;
		}
		of_kind++;
		expect_marks(kind, answers[i].arguments, answers[i].answer, answers[i].follows, -1);
	}
	assert_true(of_kind >= 8);
	assert_int_equal(kinds, 25);
}

/* The four cuts, and each without asterisks. */
static void test_loose(void **state)
{
	static const char no_comma[] = "punctuation:no_comma", quoted[] = "startend:quotation";
	static const char small[] = "change_case:english_lowercase";

	(void)state;
	expect_marks(no_comma, "{}", "Sure, here it is:\nno comma here", false, true);     /* first line */
	expect_marks(no_comma, "{}", "no comma here\nHope this helps, bye", false, true);   /* last line */
	expect_marks(no_comma, "{}", "Sure, it is:\nthe text\nI hope, bye", false, true);  /* both */
	expect_marks(no_comma, "{}", "fine\na, b\nfine", false, false);                    /* the middle stays */
	/* nothing is left, which follows nothing */
	expect_marks(no_comma, "{}", "Sure, no line behind it", false, false);
	expect_marks(no_comma, "{}", "Sure, and\n \n", false, false);                      /* what is left is blank */
	expect_marks(no_comma, "{}", "a, b\nc, d", false, false);                          /* without both: empty */
	expect_marks(no_comma, "{}", "", false, false);
	expect_marks(no_comma, "{}", " \n\t", false, false);
	expect_marks(no_comma, "{}", "***", true, true);
	expect_marks(quoted, "{}", "**\"quoted text\"**", false, true);                    /* asterisks */
	/* first line and asterisks */
	expect_marks(quoted, "{}", "Here:\n**\"quoted text\"**", false, true);
	expect_marks(quoted, "{}", "*\"quoted\"*\nBye", false, true);                      /* last line and asterisks */
	/* cut versions lose white space at their ends */
	expect_marks(quoted, "{}", "Here:\n\n  *\"quoted\"*  \n\nBye", false, true);
	expect_marks(quoted, "{}", "\"one\"\n\"two", false, true);
	expect_marks(small, "{}", "Sure!\nall of this is in small letters", false, true);
	expect_marks("startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. The end.\nAnything else?",
		     false, true);
	expect_marks("startend:end_checker", "{\"end_phrase\":\"The end.\"}", "A story. **The end.**", false, true);
	expect_marks("detectable_format:json_format", "{}", "Here is the JSON:\n{\"a\": 1}\nEnjoy", false, true);
	expect_marks("detectable_format:number_bullet_lists", "{\"num_bullets\":1}", "* one\n* two", false,
		     true); /* one line less */
	/* Versions without asterisks have no bullets: three lines cannot become fewer than one. */
	expect_marks("detectable_format:number_bullet_lists", "{\"num_bullets\":5}", "* one\n* two\n* three",
		     false, false);
}

static void test_several(void **state)
{
	static const char text[] = "{\"instruction_id_list\":[\"punctuation:no_comma\",\"startend:quotation\","
				   "\"punctuation:no_comma\"],"
				   "\"kwargs\":[{},{\"unused\":null},{}]}";
	struct mote_ifeval_marks marks;
	cJSON *record = NULL;

	(void)state;
	assert_int_equal(mote_json_parse(text, strlen(text), "test", &record, NULL), MOTE_OK);
	assert_int_equal(mote_ifeval_validate(record, "test", NULL), MOTE_OK);
	assert_int_equal(mote_ifeval_count(record), 3);
	assert_string_equal(mote_ifeval_kind(record, 1), "startend:quotation");
	assert_int_equal(mote_ifeval_check(record, "*\"a\"*", &marks, NULL), MOTE_OK);
	assert_int_equal(marks.count, 3);
	assert_true(marks.strict[0] && !marks.strict[1] && marks.strict[2]);
	assert_true(marks.loose[0] && marks.loose[1] && marks.loose[2]);
	/* Bytes that are no UTF-8, as a model's tokens may spell them, count as one character each. */
	assert_int_equal(mote_ifeval_check(record, "\"\xff \xe2\x82\"", &marks, NULL), MOTE_OK);
	assert_true(marks.strict[0] && marks.strict[1]);
	cJSON_Delete(record);
}

/* A search that would never end is an error and not a wait. */
static void test_hostile(void **state)
{
	size_t bytes = 200000;
	char *text = malloc(bytes + 1);
	cJSON *record = record_of("detectable_format:number_bullet_lists", "{\"num_bullets\":2}");
	struct mote_ifeval_marks marks;
	enum mote_status status;

	(void)state;
	memset(text, '\n', bytes);
	memcpy(text + bytes - 3, "- a", 3);
	text[bytes] = 0;
	status = mote_ifeval_check(record, text, &marks, NULL);
	assert_true(status == MOTE_OK || status == MOTE_ERROR_LIMIT);
	cJSON_Delete(record);
	free(text);
}

static void test_languages(void **state)
{
	static const char *const codes[] = {"hi", "kn", "mr", "vi", "ko", "sw", "de", "pa", "fa", "ru", "bg", "pt",
					    /* all that the benchmark asks for */
					    "gu", "te", "it", "ar", "ta", "fi", "ur", "th", "ne", "bn"};
	char arguments[64];

	(void)state;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		snprintf(arguments, sizeof arguments, "{\"language\":\"%s\"}", codes[i]);
		cJSON_Delete(record_of("language:response_language", arguments));
	}
	assert_true(mote_ifeval_approximate("language:response_language") &&
		    mote_ifeval_approximate("change_case:english_capital") &&
		    mote_ifeval_approximate("change_case:english_lowercase"));
	assert_true(mote_ifeval_approximate("length_constraints:number_sentences"));
	assert_false(mote_ifeval_approximate("punctuation:no_comma") || mote_ifeval_approximate("none"));
}

static void test_bad_records(void **state)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"{}", "\"instruction_id_list\""}, {"{\"instruction_id_list\":[]}", "\"instruction_id_list\""},
		{"{\"instruction_id_list\":\"x\"}", "\"instruction_id_list\""},
		{"{\"instruction_id_list\":[\"punctuation:no_comma\"]}", "\"kwargs\""},
		{"{\"instruction_id_list\":[3],\"kwargs\":[{}]}", "what is no text"},
		{"{\"instruction_id_list\":[\"punctuation:comma\"],\"kwargs\":[{}]}", "punctuation:comma is no kind"},
		{"{\"instruction_id_list\":[\"punctuation:no_comma\"],\"kwargs\":[]}", "fewer"},
		{"{\"instruction_id_list\":[\"punctuation:no_comma\"],\"kwargs\":[{},{}]}", "more"},
		{"{\"instruction_id_list\":[\"punctuation:no_comma\"],\"kwargs\":[null]}", "expected an object"},
#define ONE(kind, arguments) "{\"instruction_id_list\":[\"" kind "\"],\"kwargs\":[" arguments "]}"
		{ONE("startend:end_checker", "{}"), "\"end_phrase\": expected a text"},
		{ONE("startend:end_checker", "{\"end_phrase\":\" \"}"), "\"end_phrase\": expected a text"},
		{ONE("keywords:existence", "{\"keywords\":\"a\"}"), "\"keywords\": expected an array"},
		{ONE("keywords:existence", "{\"keywords\":[\"a\",\"\"]}"), "\"keywords\": expected an array"},
		{ONE("keywords:existence", "{\"keywords\":[]}"), "\"keywords\": expected an array"},
		{ONE("keywords:letter_frequency", "{\"letter\":\"ab\",\"let_frequency\":1,"
		     "\"let_relation\":\"at least\"}"), "single character"},
		{ONE("keywords:letter_frequency", "{\"letter\":\"a\",\"let_frequency\":1.5,"
		     "\"let_relation\":\"at least\"}"), "whole number"},
		{ONE("keywords:letter_frequency", "{\"letter\":\"a\",\"let_frequency\":-1,"
		     "\"let_relation\":\"at least\"}"), "whole number"},
		{ONE("keywords:letter_frequency", "{\"letter\":\"a\",\"let_frequency\":1,\"let_relation\":\"more\"}"),
		 "\"at least\""},
		{ONE("length_constraints:number_words", "{\"num_words\":\"3\",\"relation\":\"at least\"}"),
		 "whole number"},
		{ONE("language:response_language", "{\"language\":\"xx\"}"), "language"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mote_error error = {0};
		cJSON *record = NULL;

		assert_int_equal(mote_json_parse(bad[i].text, strlen(bad[i].text), "test", &record, &error), MOTE_OK);
		assert_int_equal(mote_ifeval_validate(record, "f.jsonl, line 7", &error), MOTE_ERROR_CORRUPT);
		if (!strstr(error.message, bad[i].words) || !strstr(error.message, "f.jsonl, line 7"))
			fail_msg("\"%s\" says \"%s\"", bad[i].text, error.message);
		cJSON_Delete(record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_loose), cmocka_unit_test(test_several),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_languages), cmocka_unit_test(test_bad_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
