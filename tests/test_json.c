/* JSON: what RFC 8259 allows is read, everything else is refused, and numbers keep their last digit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "format/json_build.h"

/* Parses a copy of exactly these bytes, so that the address sanitizer sees a read beyond them. */
static enum mote_status parse(const char *text, size_t bytes, cJSON **out, struct mote_error *error)
{
	char *copy = malloc(bytes ? bytes : 1);
	enum mote_status status;

	memcpy(copy, text, bytes);
	status = mote_json_parse(copy, bytes, "test", out, error);
	free(copy);
	assert_true((status == MOTE_OK) == (*out != NULL));
	return status;
}

static cJSON *parsed(const char *text)
{
	struct mote_error error = {0};
	cJSON *tree;

	if (parse(text, strlen(text), &tree, &error) != MOTE_OK)
		fail_msg("%s: %s", text, error.message);
	return tree;
}

static void test_accepts(void **state)
{
	static const char *const good[] = {
		"{}", "[]", " \t\r\n[ ] \n", "null", "true", "false", "0", "-0", "0.5", "-12.5e-3", "1E+2", "1e999",
		"\"\"", "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\uFFFF\"", "\"\\ud83d\\ude00\"", "\"\x7f\"",
		"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
		"{\"a\":1,\"A\":2}", "[[[[[]]]],{\"\":[]}]", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
		"123456789012345678901234567890123456789012345678901234567890123",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		cJSON_Delete(parsed(good[i]));
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "[", "]", "}", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"{,}", "{a:1}", "{'a':1}", "{1:2}", "[1x", "{\"a\":1x", "{\"a\"x1}", "{\"a\"=1}", "[\"a\"x",
		"[\"\\q0000\"]", "nulx", "[truu]", "[01]", "[] []", "{}x", "nul", "nulll", "True", "NaN", "Infinity",
		"-Infinity", "+1", "01", "-01", "00", "-", ".5", "5.", "1.e2", "1e", "1e+", "0x10", "1_000",
		"--1", "1.2.3", "\"", "\"a", "\"\\", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u\"", "\"\\u 123\"",
		"\"\\u+123\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\\ud800\\ud800\"",
		"\"\\ude00\\ud83d\"", "\"a\nb\"", "\"a\tb\"", "\"\x01\"", "\"\x1f\"",
		"\"\\u0000\"", "\"a\\u0000b\"", "{\"\\u0000\":1}",
		"\"\x80\"", "\"\xc3\"", "\"\xc3(\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x9f\xbf\"",
		"\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"", "\"\xff\"", "\"\xe2\x82\"", "\"\xf0\x9f\x98\"", "\"\xf8\x88\x80\x80\x80\"",
		"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "[{\"x\":{\"k\":1,\"b\":2,\"k\":3}}]",
		"{\"\":1,\"\":2}", "\xef\xbb\xbf{}", "// c\n{}", "/* c */ {}", "[1]\f", "\xc2\xa0[]",
		"1234567890123456789012345678901234567890123456789012345678901234",
	};
	cJSON *tree;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mote_error error = {0};
		enum mote_status status = parse(bad[i], strlen(bad[i]), &tree, &error);

		if (status != MOTE_ERROR_CORRUPT || error.code != status || strncmp(error.message, "test: ", 6) != 0)
			fail_msg("case %zu, %s: status %d, message \"%s\"", i, bad[i], status, error.message);
	}
	/* A NUL byte is not the end of the text. */
	assert_int_equal(parse("[]\0", 3, &tree, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(parse("\"a\0b\"", 5, &tree, NULL), MOTE_ERROR_CORRUPT);
}

static void test_refuses_every_prefix(void **state)
{
	const char *text = "{\"k\\u00e9\\ud83d\\ude00\":[1.5e-3,true,false,null,\"\xf0\x9f\x98\x80\",{\"a\":[]}]}";
	cJSON *tree;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		if (parse(text, n, &tree, NULL) != MOTE_ERROR_CORRUPT)
			fail_msg("accepted when cut at byte %zu", n);
	cJSON_Delete(parsed(text));
}

static void test_depth(void **state)
{
	char text[2 * MOTE_JSON_MAX_DEPTH + 2];
	cJSON *tree;

	(void)state;
	for (size_t depth = MOTE_JSON_MAX_DEPTH; depth <= MOTE_JSON_MAX_DEPTH + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		assert_int_equal(parse(text, 2 * depth, &tree, NULL),
				 depth == MOTE_JSON_MAX_DEPTH ? MOTE_OK : MOTE_ERROR_CORRUPT);
		cJSON_Delete(tree);
	}
}

static void test_messages_name_the_place(void **state)
{
	struct mote_error error = {0};
	cJSON *tree;

	(void)state;
	parse("{\n  \"a\": 1,\n  \"b\": x\n}", 22, &tree, &error);
	assert_string_equal(error.message, "test: line 3, column 8: expected a value");
	error = (struct mote_error){0};
	parse("\xef\xbb\xbf{}", 5, &tree, &error);
	assert_string_equal(error.message, "test: line 1, column 1: expected a value, found a byte order mark");
	error = (struct mote_error){0};
	parse("{\"a\":1,\"a\":2}", 13, &tree, &error);
	assert_non_null(strstr(error.message, "duplicate key \"a\""));
}

static void test_strings_are_decoded(void **state)
{
	cJSON *tree = parsed("[\"\\u00e9\\ud83d\\ude00\\n\\/\", \"\xe2\x82\xac\"]");

	(void)state;
	assert_string_equal(cJSON_GetArrayItem(tree, 0)->valuestring, "\xc3\xa9\xf0\x9f\x98\x80\n/");
	assert_string_equal(cJSON_GetArrayItem(tree, 1)->valuestring, "\xe2\x82\xac");
	cJSON_Delete(tree);
}

/* Every number keeps its text, whatever stands around it. */
static void test_number_texts(void **state)
{
	static const char *const texts[] = {"1", "1.0", "12345678901234567890", "-0", "1e2", "7"};
	cJSON *tree = parsed("{\"s\":\"3\",\"a\":[1,{\"b\":1.0},[12345678901234567890]],\"c\":-0,\"d\":[null,1e2],"
			     "\"e\":7}");
	const cJSON *a = mote_json_get(tree, "a");
	const cJSON *items[] = { a->child, a->child->next->child, a->child->next->next->child, mote_json_get(tree, "c"),
				 mote_json_get(tree, "d")->child->next, mote_json_get(tree, "e") };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		assert_true(cJSON_IsNumber(items[i]));
		assert_string_equal(items[i]->valuestring, texts[i]);
		assert_true(items[i]->valuedouble == strtod(texts[i], NULL));
	}
	cJSON_Delete(tree);
}

static void test_integers(void **state)
{
	static const struct { const char *text; bool good; int64_t value; } cases[] = {
		{"0", true, 0}, {"-5", true, -5}, {"4294967296", true, 4294967296},
		{"9007199254740992", true, 9007199254740992}, {"-9007199254740992", true, -9007199254740992},
		{"9007199254740993", false, 0}, {"-9007199254740993", false, 0}, {"9007199254740994", false, 0},
		{"1.0", false, 0}, {"1e3", false, 0}, {"1E3", false, 0}, {"1.5", false, 0},
		{"18446744073709551616", false, 0}, {"1e999", false, 0}, {"\"1\"", false, 0}, {"null", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cJSON *tree = parsed(cases[i].text);
		int64_t value = 0;

		assert_int_equal(mote_json_integer(tree, &value), cases[i].good);
		assert_int_equal(value, cases[i].value);
		cJSON_Delete(tree);
	}
	cJSON *made = cJSON_CreateNumber(77); /* not parsed: has no text */
	int64_t value;
	assert_true(mote_json_integer(made, &value));
	assert_int_equal(value, 77);
	cJSON_Delete(made);
	assert_false(mote_json_integer(NULL, &value));
}

static bool equal(const char *a, const char *b, uint64_t steps)
{
	cJSON *left = parsed(a), *right = parsed(b);
	bool result = mote_json_equal(left, right, &steps);

	cJSON_Delete(left);
	cJSON_Delete(right);
	return result;
}

static void test_equal(void **state)
{
	static const char *const different[] = {"1", "true", "false", "null", "\"1\"", "\"\"", "[]", "[1]", "[1,1]",
						"{}", "{\"a\":1}", "{\"b\":1}", "{\"a\":1,\"b\":1}",
						"{\"a\":[1]}"};
	char deep[1024];
	uint64_t steps = 2;
	cJSON *tree;

	(void)state;
	for (size_t i = 0; i < sizeof different / sizeof *different; i++)
		for (size_t k = 0; k < sizeof different / sizeof *different; k++)
			assert_int_equal(equal(different[i], different[k], 100), i == k);
	assert_true(equal("{\"a\":1.0,\"b\":[{}],\"c\":\"x\"}", "{ \"c\":\"x\", \"a\":1, \"b\":[ {} ] }", 100));
	assert_false(equal("[1,1,1,1]", "[1,1,1,1]", 4));
	memset(deep, 0, sizeof deep);
	for (int i = 0; i < 120; i++)
		strcat(deep, "{\"a\":");
	strcat(deep, "1");
	for (int i = 0; i < 120; i++)
		strcat(deep, "}");
	assert_true(equal(deep, deep, 1000));
	/* a text's first 64 bytes are part of its own step, each 64 more are one */
	memset(deep, 'x', 402);
	deep[0] = deep[401] = '"';
	deep[402] = 0;
	assert_true(equal(deep, deep, 8));
	assert_false(equal(deep, deep, 7));
	tree = parsed("{\"a\":1,\"b\":2,\"c\":3}");
	assert_null(mote_json_find(tree, "c", &steps));
	assert_int_equal(steps, 0);
	steps = 100;
	assert_ptr_equal(mote_json_find(tree, "c", &steps), mote_json_get(tree, "c"));
	assert_null(mote_json_find(tree, "d", &steps));
	cJSON_Delete(tree);
}

static void test_members(void **state)
{
	cJSON *tree = parsed("{\"n\":7,\"N\":8,\"big\":5000000000,\"x\":0.25,\"b\":true,\"s\":\"t\",\"null\":null}");
	struct mote_error error = {0};
	uint32_t n;
	double x;
	bool b;
	const char *s;

	(void)state;
	assert_null(mote_json_get(tree, "none"));
	assert_null(mote_json_get(NULL, "n"));
	assert_null(mote_json_get(mote_json_get(tree, "n"), "n"));
	assert_int_equal(mote_json_need_u32(tree, "n", 0, 10, "t", &n, NULL), MOTE_OK);
	assert_int_equal(n, 7); /* case matters */
	assert_int_equal(mote_json_need_u32(tree, "n", 8, 10, "t", &n, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_need_u32(tree, "n", 0, 6, "t", &n, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_need_u32(tree, "big", 0, UINT32_MAX, "t", &n, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_need_u32(tree, "none", 0, 6, "here", &n, &error), MOTE_ERROR_CORRUPT);
	assert_string_equal(error.message, "here: \"none\": found nothing, expected an integer 0..6");
	assert_int_equal(mote_json_need_u32(tree, "null", 0, 6, "t", &n, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_want_u32(tree, "null", 0, 6, 3, "t", &n, NULL), MOTE_OK);
	assert_int_equal(n, 3);
	assert_int_equal(mote_json_want_u32(tree, "s", 0, 6, 3, "t", &n, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_want_double(tree, "x", 0, 1, 9, "t", &x, NULL), MOTE_OK);
	assert_true(x == 0.25);
	assert_int_equal(mote_json_want_double(tree, "x", 0.3, 1, 9, "t", &x, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_want_double(tree, "none", 0, 1, 9, "t", &x, NULL), MOTE_OK);
	assert_true(x == 9);
	assert_int_equal(mote_json_want_bool(tree, "b", false, "t", &b, NULL), MOTE_OK);
	assert_true(b);
	assert_int_equal(mote_json_want_bool(tree, "n", false, "t", &b, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_need_string(tree, "s", "t", &s, NULL), MOTE_OK);
	assert_string_equal(s, "t");
	assert_int_equal(mote_json_need_string(tree, "null", "t", &s, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_json_want_string(tree, "null", "f", "t", &s, NULL), MOTE_OK);
	assert_string_equal(s, "f");
	cJSON_Delete(tree);
}

/* What was parsed prints as it was written (less the spaces). */
static void test_print_keeps_texts(void **state)
{
	const char *text = "{\"a\":[1,1.0,12345678901234567890,1e999,-0,0.1],"
			   "\"b\\n\\u0001\\\"\\\\\":\"\xc3\xa9\\u007f\","
			   "\"c\":[true,false,null,{},[]]}";
	cJSON *tree = parsed(text);
	size_t bytes;
	char *printed = mote_json_print(tree, &bytes);

	(void)state;
	assert_string_equal(printed, text);
	assert_int_equal(bytes, strlen(text));
	free(printed);
	cJSON_Delete(tree);
}

static uint64_t random_bits(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Any double that a program puts into a tree reads back as the same double. */
/* What is no UTF-8, as a file's name may be, is U+FFFD for each piece of it; what is, stays. */
static void test_texts_that_are_none(void **state)
{
	static const char *const pairs[][2] = {{"a\xc3\xa9\xe6\x97\xa5", "a\xc3\xa9\xe6\x97\xa5"}, {"", ""},
					       {"a\xff" "b", "a\xef\xbf\xbd" "b"},
					       {"\xc3\xa9\xe6\x97", "\xc3\xa9\xef\xbf\xbd"},
					       {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"}};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct mote_json_builder b = {0};
		cJSON *object = mote_json_new_object(&b);

		mote_json_add_text(&b, object, "name", pairs[i][0]);
		assert_int_equal(mote_json_finish(&b, &object, "a name", NULL), MOTE_OK);
		assert_string_equal(mote_json_get(object, "name")->valuestring, pairs[i][1]);
		cJSON_Delete(object);
	}
}

static void test_print_doubles(void **state)
{
	static const double special[] = { 0.1, 1.0 / 3, 1e22, 1e23, 5e-324, 2.2250738585072014e-308,
					  1.7976931348623157e308, 9007199254740993.0, 123456789012345680.0,
					  0.30000000000000004 };
	uint64_t seed = 1;

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		double x, y;
		uint64_t bits = random_bits(&seed);
		cJSON *made, *tree;
		size_t bytes;
		char *text;

		if (i < sizeof special / sizeof *special)
			x = special[i];
		else
			memcpy(&x, &bits, sizeof x);
		made = cJSON_CreateNumber(x);
		text = mote_json_print(made, &bytes);
		if (!isfinite(x)) {
			assert_string_equal(text, "null");
		} else {
			tree = parsed(text);
			y = tree->valuedouble;
			if (memcmp(&x, &y, sizeof x) != 0 && !(x == 0 && y == 0))
				fail_msg("%.17g prints as %s", x, text);
			cJSON_Delete(tree);
		}
		cJSON_Delete(made);
		free(text);
	}
}

/* Many keys: the check for duplicates stays linear, and still finds one. */
static void test_big_object(void **state)
{
	enum { KEYS = 50000 };
	char *text = malloc(KEYS * 16 + 32), *p = text;
	cJSON *tree;

	(void)state;
	*p++ = '{';
	for (int i = 0; i < KEYS; i++)
		p += sprintf(p, "\"k%d\":%d,", i, i);
	p += sprintf(p, "\"end\":0}");
	assert_int_equal(parse(text, (size_t)(p - text), &tree, NULL), MOTE_OK);
	assert_int_equal(cJSON_GetArraySize(tree), KEYS + 1);
	cJSON_Delete(tree);
	memcpy(strstr(text, "\"end\""), "\"k77\"", 5);
	assert_int_equal(parse(text, (size_t)(p - text), &tree, NULL), MOTE_ERROR_CORRUPT);
	free(text);
}

/* A tree is some eighty times as large as the densest text: too many values are refused before one is built. */
static void test_too_many_values(void **state)
{
	const size_t bytes = 2 * MOTE_JSON_MAX_VALUES + 1; /* the array and as many ones as are allowed values */
	char *text = malloc(bytes);
	struct mote_error error = {0};
	cJSON *tree;

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	for (size_t i = 1; i < bytes; i += 2)
		memcpy(text + i, "1,", 2);
	text[bytes - 1] = ']';
	assert_int_equal(mote_json_parse(text, bytes, "test", &tree, &error), MOTE_ERROR_LIMIT);
	assert_null(tree);
	assert_string_equal(error.message, "test: line 1, column 524288: more than 262144 values");
	error.code = MOTE_OK;
	assert_int_equal(mote_json_parse_large(text, bytes, "test", MOTE_JSON_MAX_VALUES + 1, &tree, &error), MOTE_OK);
	cJSON_Delete(tree);
	text[bytes - 3] = ']';
	text[bytes - 2] = text[bytes - 1] = ' ';
	assert_int_equal(mote_json_parse(text, bytes, "test", &tree, &error), MOTE_OK);
	cJSON_Delete(tree);
	free(text);
}

/* Keys that all have one slot of the table of keys: accepted when they differ, refused when two are equal. */
static void test_crafted_keys(void **state)
{
	enum { KEYS = 3000, SLOTS = 8192 };
	char *text = malloc(KEYS * 24 + 64), key[16];
	struct mote_error error = {0};
	size_t used = 0, found = 0;
	cJSON *tree;

	(void)state;
	assert_non_null(text);
	text[used++] = '{';
	for (unsigned i = 0; found < KEYS; i++) {
		int n = snprintf(key, sizeof key, "%u", i);

		if ((XXH3_64bits(key, (size_t)n) & (SLOTS - 1)) < 16) {
			used += (size_t)sprintf(text + used, "\"%s\":0,", key);
			found++;
		}
	}
	strcpy(text + used - 1, "}");
	assert_int_equal(mote_json_parse(text, used, "test", &tree, &error), MOTE_OK);
	cJSON_Delete(tree);
	used += (size_t)sprintf(text + used - 1, ",\"%s\":1}", key) - 1;
	assert_int_equal(mote_json_parse(text, used, "test", &tree, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "duplicate key"));
	assert_non_null(strstr(error.message, key));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),		      cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_refuses_every_prefix),  cmocka_unit_test(test_depth),
		cmocka_unit_test(test_messages_name_the_place), cmocka_unit_test(test_strings_are_decoded),
		cmocka_unit_test(test_number_texts),	      cmocka_unit_test(test_integers),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_members),		      cmocka_unit_test(test_print_keeps_texts),
		cmocka_unit_test(test_texts_that_are_none),   cmocka_unit_test(test_print_doubles),
		cmocka_unit_test(test_big_object),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_crafted_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
