/* Chat templates: a table of small templates against what Jinja2 made of them (tests/templates.json, written by
 * tests/differential/template_table.py): every form of expression, calls on texts and numbers, scopes, white space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/render_template.h"

static cJSON *read_table(void)
{
	FILE *file = fopen("tests/templates.json", "rb");
	enum { MOST = 1 << 20 };
	char *text = malloc(MOST);
	cJSON *json;

	assert_non_null(file);
	assert_non_null(text);
	json = cJSON_ParseWithLength(text, fread(text, 1, MOST, file));
	fclose(file);
	free(text);
	assert_non_null(json);
	return json;
}

/* The mark stands in texts of contexts only, and never in a template. */
static bool mark_is_plain(const struct mote_rendered *r)
{
	bool good = true;

	for (size_t i = 0; i < r->n_spans; i++) {
		const char *from = r->text + r->spans[i].begin;

		good = good &&
		       (r->spans[i].plain || !memmem(from, r->spans[i].end - r->spans[i].begin, "\xe9\xbe\x98", 3));
	}
	return good;
}

static void test_table(void **state)
{
	cJSON *table = read_table();
	const char *context = mote_json_get(table, "context")->valuestring;
	const cJSON *row;
	int wrong = 0;

	(void)state;
	cJSON_ArrayForEach(row, mote_json_get(table, "cases")) {
		const cJSON *text = cJSON_GetArrayItem(row, 0), *expected = cJSON_GetArrayItem(row, 1);
		const cJSON *own = cJSON_GetArrayItem(row, 2);
		struct mote_rendered r;
		struct mote_error error;
		enum mote_status status = render(text->valuestring, own ? own->valuestring : context, NULL, &r, &error);

		if (cJSON_IsNull(expected) ? status == MOTE_OK
					   : status != MOTE_OK || strcmp(r.text, expected->valuestring)) {
			print_message("%s\n  expected %s\n  came     %s\n", text->valuestring,
				      cJSON_IsNull(expected) ? "an error" : expected->valuestring,
				      status ? error.message : r.text);
			wrong++;
		} else if (!mark_is_plain(&r) && ++wrong) {
			print_message("%s: text of the context comes as the template's\n", text->valuestring);
		}
		mote_rendered_free(&r);
	}
	cJSON_Delete(table);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
