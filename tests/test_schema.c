/* JSON schemas: which texts their grammars take whole. tests/schemas.json holds what python3-jsonschema says of each
 * text, which tests/differential/schema.py looks at again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/utf8.h"
#include "runtime/grammar/matcher.h"

static cJSON *read_table(void)
{
	FILE *file = fopen("tests/schemas.json", "rb");
	char *text = malloc(1 << 20);
	size_t bytes;
	cJSON *json;

	assert_non_null(file);
	assert_non_null(text);
	bytes = fread(text, 1, 1 << 20, file);
	fclose(file);
	json = cJSON_ParseWithLength(text, bytes);
	free(text);
	assert_true(cJSON_IsArray(json));
	return json;
}

/* Takes the text a byte at a time, as answers come. */
static bool fits(const struct mote_grammar *g, const char *text)
{
	struct mote_matcher *m;
	bool good = true;

	assert_int_equal(mote_matcher_open(g, NULL, &m, NULL), MOTE_OK);
	for (; good && *text; text++)
		good = mote_matcher_take(m, text, 1, NULL) == MOTE_OK;
	good = good && mote_matcher_may_end(m);
	mote_matcher_close(m);
	return good;
}

static void test_schemas(void **state)
{
	cJSON *table = read_table();
	const cJSON *row, *text;
	int wrong = 0;

	(void)state;
	cJSON_ArrayForEach(row, table) {
		char *schema = cJSON_PrintUnformatted(mote_json_get(row, "schema"));
		struct mote_error error = {0};
		const cJSON *refused = mote_json_get(row, "refused"); /* by name: see docs/grammar.md */
		struct mote_grammar *g;

		if (mote_grammar_read_schema(mote_json_get(row, "schema"), "s", &g, &error)) {
			if ((!refused || strcmp(error.message, refused->valuestring)) && ++wrong)
				print_message("%s: %s\n", schema, error.message);
		} else {
			cJSON_ArrayForEach(text, mote_json_get(row, "fits"))
				if (!fits(g, text->valuestring) && ++wrong)
					print_message("%s: refuses %s\n", schema, text->valuestring);
			cJSON_ArrayForEach(text, mote_json_get(row, "unfit"))
				if (fits(g, text->valuestring) && ++wrong)
					print_message("%s: takes %s\n", schema, text->valuestring);
			wrong += refused != NULL;
			mote_grammar_close(g);
		}
		cJSON_free(schema);
	}
	cJSON_Delete(table);
	assert_int_equal(wrong, 0);
}

/* Where characters' encodings change length, and around the surrogates: a class has its characters and no others. */
static void test_class_edges(void **state)
{
	static const uint32_t edge[] = {0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
	enum { EDGES = sizeof edge / sizeof *edge };

	(void)state;
	for (int low = 0; low < EDGES; low++)
		for (int high = low; high < EDGES; high++) {
			struct mote_grammar *g;
			char text[64];

			snprintf(text, sizeof text, "root ::= [\\U%08X-\\U%08X]\n", edge[low], edge[high]);
			assert_int_equal(mote_grammar_read_gbnf(text, strlen(text), "g", &g, NULL), MOTE_OK);
			for (int i = 0; i < EDGES; i++)
				for (int step = -1; step <= 1; step++) {
					uint32_t c = edge[i] + (uint32_t)step;
					char encoded[8] = {0};

					if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
						continue;
					mote_utf8_encode(c, encoded);
					assert_int_equal(fits(g, encoded), c >= edge[low] && c <= edge[high]);
				}
			mote_grammar_close(g);
		}
}

/* Where white space may be: nothing, one blank, or a line break with up to 20 blanks and tabs (docs/grammar.md). */
static void test_white_space(void **state)
{
	cJSON *schema = cJSON_Parse("{\"type\": \"array\", \"items\": {\"type\": \"boolean\"}}");
	struct mote_grammar *g;

	(void)state;
	assert_int_equal(mote_grammar_read_schema(schema, "s", &g, NULL), MOTE_OK);
	assert_true(fits(g, "[true,false]") && fits(g, "[ true, false ]") && fits(g, "[\n\ttrue,\n \tfalse\n]"));
	assert_false(fits(g, "[  true]") || fits(g, "[\ttrue]") || fits(g, "[ \ntrue]") || fits(g, "[\n\ntrue]"));
	for (int blanks = 0; blanks < 40; blanks++) {
		char text[64];

		snprintf(text, sizeof text, "[\n%*strue]", blanks, "");
		assert_int_equal(fits(g, text), blanks <= 20);
	}
	mote_grammar_close(g);
	cJSON_Delete(schema);
}

/* ---- small texts that would be much work ---- */

struct text {
	char *at;
	size_t bytes;
};

static void put(struct text *t, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	t->bytes += (size_t)vsprintf(t->at + t->bytes, format, list);
	va_end(list);
}

static enum mote_status read_text(struct text *t)
{
	struct mote_grammar *g = NULL;
	struct mote_error error = {0};
	cJSON *schema = NULL;
	enum mote_status status;

	assert_int_equal(mote_json_parse(t->at, t->bytes, "s", &schema, &error), MOTE_OK);
	status = mote_grammar_read_schema(schema, "s", &g, &error);
	mote_grammar_close(g);
	cJSON_Delete(schema);
	t->bytes = 0;
	return status;
}

static void put_deep(struct text *t, int levels)
{
	put(t, "{\"const\":");
	for (int i = 0; i < levels; i++)
		put(t, "{\"a\":");
	put(t, "1");
	for (int i = 0; i < levels; i++)
		put(t, "}");
	put(t, "}");
}

static void put_definitions(struct text *t, int count)
{
	put(t, ",\"$defs\":{\"z\":true");
	for (int i = 0; i < count; i++)
		put(t, ",\"k%d\":{\"const\":%d}", i, i);
	put(t, "}}");
}

static void test_much_work(void **state)
{
	struct text t = {.at = malloc(8 << 20)};

	(void)state;
	assert_non_null(t.at);
	put(&t, "{\"allOf\":["); /* to compare both was two to the power of the levels */
	put_deep(&t, 100);
	put(&t, ",");
	put_deep(&t, 100);
	put(&t, "]}");
	assert_int_equal(read_text(&t), MOTE_OK);

	put(&t, "{\"oneOf\":[{\"const\":-1}"); /* each pair, each found behind all others */
	for (int i = 0; i < 900; i++)
		put(&t, ",{\"$ref\":\"#/$defs/k%d\"}", 29000 + i);
	put(&t, "]");
	put_definitions(&t, 30000);
	assert_int_equal(read_text(&t), MOTE_ERROR_LIMIT);

	put(&t, "{\"prefixItems\":[true"); /* each found behind all others */
	for (int i = 0; i < 30000; i++)
		put(&t, ",{\"$ref\":\"#/$defs/k%d\"}", 29999 - i % 7);
	put(&t, "]");
	put_definitions(&t, 30000);
	assert_int_equal(read_text(&t), MOTE_ERROR_LIMIT);

	put(&t, "{\"type\":\"string\""); /* each alternative is given all members of what stands beside it */
	for (int i = 0; i < 20000; i++)
		put(&t, ",\"x-%d\":1", i);
	put(&t, ",\"anyOf\":[{\"minLength\":1}");
	for (int i = 0; i < 900; i++)
		put(&t, ",{\"maxLength\":%d}", i);
	put(&t, "]}");
	assert_int_equal(read_text(&t), MOTE_ERROR_LIMIT);

	put(&t, "{\"prefixItems\":[true"); /* each divisor is a grammar of its own */
	for (int i = 0; i < 1000; i++)
		put(&t, ",{\"type\":\"integer\",\"minimum\":0,\"maximum\":9,\"multipleOf\":1000}");
	put(&t, "]}");
	assert_int_equal(read_text(&t), MOTE_ERROR_LIMIT);
	free(t.at);
}

/* What is compared all the same: half a thousand alternatives that a property tells apart. */
static void test_many_alternatives(void **state)
{
	struct text t = {.at = malloc(1 << 20)};

	(void)state;
	assert_non_null(t.at);
	put(&t, "{\"oneOf\":[true");
	t.bytes -= 4;
	for (int i = 0; i < 500; i++)
		put(&t, "%s{\"$ref\":\"#/$defs/k%d\"}", i ? "," : "", i);
	put(&t, "]");
	put_definitions(&t, 500);
	assert_int_equal(read_text(&t), MOTE_OK);
	free(t.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_schemas), cmocka_unit_test(test_class_edges),
					   cmocka_unit_test(test_white_space),
					   cmocka_unit_test(test_much_work),
					   cmocka_unit_test(test_many_alternatives)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
