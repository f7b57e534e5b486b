/* Chat templates that fail: with which status and message, where, and within which bounds; nothing comes out then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/utf8.h"
#include "tests/render_template.h"

static const char *const errors[] = {
	"{{ 1 + 'a' }}",
	"{{ nope.x }}",
	"{{ nope + 1 }}",
	"{{ -'a' }}",
	"{{ +'1' }}",
	"{{ -none }}",
	"{{ -[1] }}",
	"{{ [].append(1) }}",
	"{{ 'a' | nope }}",
	"{{ 1 / 0 }}",
	"{{ [1, 'a'] | sort }}",
	"{{ {}['a'].b }}",
	"{{ none | length }}",
	"{% for x in 5 %}{% endfor %}",
	"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
	"{% call m() %}{% endcall %}",
	"{{ 'a' < 1 }}",
	"{{ '%d' % 'x' }}",
	"{{ [1,2] | map('nope') | list }}",
	"{{ ([1] | map('string')) | length }}",
	"{% set x.y = 1 %}",
	"{{ {[]: 1} }}",
	"{{ 'x'() }}",
	"{% set y = 1 %}{{ y[:1] }}",
	"{% set a, b = [1] %}",
	"{% break %}",
	"{{ a b }}",
	"{{ 'x }}",
	"{% if 1 %}",
	"{% endif %}",
	"{{ (1 }}",
	"{{ 1 is nope }}",
	"{% for loop in [1] %}{% endfor %}",
	"{{ f(a=1, 2) }}",
	"{# open",
	"{% raw %}x",
};

static void test_errors(void **state)
{
	struct mote_rendered r;
	struct mote_error error;

	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (render(errors[i], NULL, NULL, &r, &error) != MOTE_ERROR_CORRUPT)
			fail_msg("%s: status %d, %s", errors[i], error.code, r.text ? r.text : error.message);
		if (strncmp(error.message, "line ", 5))
			fail_msg("%s: no line in \"%s\"", errors[i], error.message);
		assert_null(r.text);
	}
}

static void test_error_places(void **state)
{
	struct mote_rendered r;
	struct mote_error error;

	(void)state;
	check_error("a\n  {{ x +\n     nope.y }}", MOTE_ERROR_CORRUPT, "line 3, column 11: 'nope' is undefined");
	check_error("{% if x %}\r\n{{ \"\303\251\" + x }}{% endif %}", MOTE_ERROR_CORRUPT,
		    "line 2, column 8: unsupported operand");
	check_error("{% for a in x %}", MOTE_ERROR_CORRUPT, "line 1, column 4: unexpected end of template: 'for' is "
		    "not closed");
	check_error("{% if 1 %}{% endfor %}", MOTE_ERROR_CORRUPT, "line 1, column 14: unknown tag 'endfor'; looking "
		    "for elif");
	/* a name of 40 letters is whole in a message, a longer one is not */
	check_error("{{ 1 abcdefghijklmnopqrstuvwxyzabcdefghijklmn }}", MOTE_ERROR_CORRUPT,
		    "line 1, column 6: expected '}}', got 'abcdefghijklmnopqrstuvwxyzabcdefghijklmn'");
	check_error("{{ 1 abcdefghijklmnopqrstuvwxyzabcdefghijklmno }}", MOTE_ERROR_CORRUPT,
		    "line 1, column 6: expected '}}', got 'abcdefghijklmnopqrstuvwxyzabcdefghijklmn...'");
	check_error("{{ raise_exception('No ' ~ x) }}", MOTE_ERROR_ARGUMENT, "the chat template refuses: No 1");
	check_error("{% include 'x' %}", MOTE_ERROR_UNSUPPORTED, "line 1, column 4: tag 'include' is not supported");
	check_error("{{ x | pprint }}", MOTE_ERROR_UNSUPPORTED, "line 1, column 8: filter 'pprint' is not supported");
	check_error("{{ '&eacute;' | striptags }}", MOTE_ERROR_UNSUPPORTED, "line 1, column 17: striptags: the entity");
	check_error("{{ [1].append(2) }}", MOTE_ERROR_CORRUPT, "line 1, column 14: access to attribute 'append' of "
		    "'list' object is unsafe");
	check_error("{{ '{:{:{}}}'.format(1, 2, 3) }}", MOTE_ERROR_CORRUPT,
		    "line 1, column 21: max string recursion exceeded");
	check_error("{{ '{!a}'.format(1) }}", MOTE_ERROR_UNSUPPORTED, "line 1, column 17: conversion specifier 'a'");
	check_error("{{ '{!b}'.format(1) }}", MOTE_ERROR_CORRUPT, "line 1, column 17: unknown conversion specifier");
	check_error("\xff", MOTE_ERROR_CORRUPT, "template is not valid UTF-8");
	assert_int_equal(render("{{ 1e24 | filesizeformat }} {{ 1.1e24 | filesizeformat }} {{ [[1], [[2]]] | "
				"tojson(indent='') }}", NULL, NULL, &r, &error), MOTE_OK);
	assert_string_equal(r.text, "1000.0 ZB 1.1 YB [\n[\n1\n],\n[\n[\n2\n]\n]\n]");
	mote_rendered_free(&r);
	/* in a condition, an unknown filter is an error only when it is reached */
	assert_int_equal(render("{% if false %}{{ 1 | nope }}{% endif %}{{ 1 | nope if false }}ok", NULL, NULL, &r,
				&error), MOTE_OK);
	assert_string_equal(r.text, "ok");
	mote_rendered_free(&r);
	check_error("{% if true %}{{ 1 | nope }}{% endif %}", MOTE_ERROR_CORRUPT,
		    "line 1, column 21: no filter named 'nope' found");
}

static void test_limits(void **state)
{
	static const char *const hostile[] = {
		"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
		"{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor "
		"%}{{ ns.s }}", "{% set ns = namespace(s=[]) %}{% for i in range(9999) %}{% set ns.s = [ns.s] %}{% "
		"endfor %}{{ ns.s | tojson }}", "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
		"{{ 'a' * 999999999 }}", "{{ [1] * 999999999 }}", "{{ range(999999999) }}", "{{ 9 ** 99 }}",
		"{{ 9223372036854775807 + 1 }}", "{{ -((-2) ** 63) }}",
		"{{ 'x' | center(999999999) }}", "{{ '%999999999d' % 1 }}",
		"{{ '{:999999999}'.format(1) }}", "{{ 'x' | indent(999999999, true) }}",
		"{{ [1] | tojson(indent=999999999) }}", "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
		/* what works long and leaves nothing behind that memory would bound */
		"{% set s = '\\t' * 1000 * 4000 %}{% for i in range(9999) %}{% set x = s.expandtabs(0) %}"
		"{% endfor %}",
		"{% set s = '%' ~ '-' * 1000 * 1000 ~ 'd' %}{% for i in range(9999) %}{% set x = s % 1 %}{% endfor %}",
		"{% set s = '{:' ~ '0' * 1000 * 1000 ~ '}' %}{% for i in range(9999) %}{% set x = s.format(1) %}"
		"{% endfor %}",
		"{% set d = dict(range(4000) | map('string') | batch(2), x='') %}"
		"{% set x = ('{x}' * 1000 * 100).format_map(d) %}",
		"{% set s = ('9' * 1000 * 1000) | int %}{% set t = ('9' * 1000 * 1000) | int %}"
		"{% for i in range(9999) %}{% if s == t %}{% endif %}{% endfor %}",
		"{% set s = ('9' * 1000 * 1000) | int %}{% for i in range(999) %}{% if s < 1.5 %}{% endif %}"
		"{% endfor %}",
		"{% set s = '%z' * 1000 * 1000 %}{% for i in range(99) %}{% set x = strftime_now(s) %}{% endfor %}",
		"{% set s = ' ' * 1000 * 1000 %}{% for i in range(9999) %}{% if s.isspace() %}{% endif %}{% endfor %}",
		"{% set s = 'a' * 1000 * 1000 %}{% for i in range(9999) %}{% if s.isprintable() %}{% endif %}"
		"{% endfor %}",
		"{% set s = 'a' * 1000 * 1000 %}{% for i in range(9999) %}{% if s.isidentifier() %}{% endif %}"
		"{% endfor %}",
		"{% set p = '0.' * 1000 * 100 ~ '0' %}{{ (['a'] * 99) | map(attribute=p) | list }}",
		"{{ '%*5d' % (-9223372036854775807, 1) }}", "{{ range(0, 10, 2)[::9223372036854775807] }}",
		"{{ range(-9223372036854775807, 9223372036854775807, 4611686018427387904)[::-1] }}",
		"{{ [1] | batch(999999999, 0) | list }}", "{% set s = 'a' * 1000000 %}{% for i in range(9999) %}{{ "
		"s.rfind('b' + 'a' * 100000) }}{% endfor %}",
	};
	struct mote_template_limits limits = {.steps = 2000000, .output_bytes = 100000, .memory_bytes = 16 << 20};
	struct mote_rendered r;
	struct mote_error error;

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
		if (render(hostile[i], NULL, &limits, &r, &error) != MOTE_ERROR_LIMIT)
			fail_msg("%s: status %d, %s", hostile[i], error.code, error.message);
	limits.output_bytes = 10;
	assert_int_equal(render("0123456789", NULL, &limits, &r, &error), MOTE_OK);
	mote_rendered_free(&r);
	assert_int_equal(render("0123456789{{ 'a' }}", NULL, &limits, &r, &error), MOTE_ERROR_LIMIT);
}

/* A variable of a scope that has many is looked for among them. */
static void test_many_variables(void **state)
{
	static const char begin[] = "{% macro m(a) %}", end[] = "{% for i in range(9999) %}{% if a %}{% endif %}"
				    "{% if a %}{% endif %}{% if a %}{% endif %}{% endfor %}{% endmacro %}{{ m(1) }}";
	struct mote_template_limits limits = {.steps = 1000000};
	char *text = malloc(100000);
	struct mote_rendered r;
	struct mote_error error;
	int n = sprintf(text, "%s", begin);

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += sprintf(text + n, "{%% set v%d = 1 %%}", i);
	strcpy(text + n, end);
	assert_int_equal(render(text, NULL, &limits, &r, &error), MOTE_ERROR_LIMIT);
	sprintf(text, "%s%s", begin, end);
	assert_int_equal(render(text, NULL, &limits, &r, &error), MOTE_OK);
	mote_rendered_free(&r);
	free(text);
}

/* One construct within itself, n times. */
static enum mote_status nested(const char *open, const char *inside, const char *close, size_t n)
{
	size_t open_bytes = strlen(open), close_bytes = strlen(close), at = 0;
	char *text = malloc(n * (open_bytes + close_bytes) + strlen(inside) + 9);
	struct mote_rendered r;
	struct mote_error error;
	enum mote_status status;

	for (size_t i = 0; i < n; i++, at += open_bytes)
		memcpy(text + at, open, open_bytes);
	at += (size_t)sprintf(text + at, "%s", inside);
	for (size_t i = 0; i < n; i++, at += close_bytes)
		memcpy(text + at, close, close_bytes);
	text[at] = 0;
	status = render(text, NULL, NULL, &r, &error);
	mote_rendered_free(&r);
	free(text);
	return status;
}

static void test_nesting(void **state)
{
	(void)state;
	assert_int_equal(nested("{% if true %}", "x", "{% endif %}", 90), MOTE_OK);
	assert_int_equal(nested("{% if true %}", "x", "{% endif %}", 100000), MOTE_ERROR_LIMIT);
	assert_int_equal(nested("{% for i in 'a' %}", "x", "{% endfor %}", 90), MOTE_OK);
	assert_int_equal(nested("{% for i in 'a' %}", "x", "{% endfor %}", 100000), MOTE_ERROR_LIMIT);
	assert_int_equal(nested("{% if 0 %}", "", "{% elif 0 %}", 1), MOTE_ERROR_CORRUPT);
	assert_int_equal(nested("", "{{ ((((((((((1)))))))))) }}", "", 0), MOTE_OK);
	assert_int_equal(nested("{{ (", "1", ") }}", 1), MOTE_OK);
	assert_int_equal(nested("{{ '' ~ ", "", "'' }}", 2), MOTE_ERROR_CORRUPT);
	for (size_t n = 50; n < 1000000; n *= 10000) {
		enum mote_status expected = n == 50 ? MOTE_OK : MOTE_ERROR_LIMIT;
		static const char *const chains[] = {"not ", "-", "[", "1 if 1 else ", "1+", "1**", "1 or ", "("};

		for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
			size_t bytes = strlen(chains[i]);
			char *text = malloc(n * (bytes + 1) + 20), close = chains[i][0] == '[' ? ']' :
									   chains[i][0] == '(' ? ')' : ' ';
			struct mote_rendered r;
			struct mote_error error;
			size_t at = 3;

			memcpy(text, "{{ ", 3);
			for (size_t k = 0; k < n; k++, at += bytes)
				memcpy(text + at, chains[i], bytes);
			text[at++] = '1';
			memset(text + at, close, n);
			strcpy(text + at + n, " }}");
			if (render(text, NULL, NULL, &r, &error) != expected)
				fail_msg("%zu times %s: %s", n, chains[i], error.message);
			mote_rendered_free(&r);
			free(text);
		}
	}
}

/* A message quotes names and texts up to a length, and whole characters of them. */
static void test_long_messages(void **state)
{
	static const char *const templates[] = {
		"{{ raise_exception('%s' ~ '\303\251' * 2000) }}", "{{ {}['%s' ~ '\303\251' * 2000].x }}",
		"{{ ('%(%s' ~ '\303\251' * 500 ~ ')d') % {} }}", "{{ [1] | map('%s' ~ '\xe2\x82\xac' * 500) | list }}",
		"{% macro m() %}{% endmacro %}{{ m(**{'%s' ~ '\xf0\x9f\x98\x80' * 500: 1}) }}",
		"{{ ('{%s' ~ '\303\251' * 500 ~ '}').format() }}", "{{ ('&#1%s' ~ '\303\251' * 9) | striptags }}"
	};
	struct mote_rendered r;
	struct mote_error error;
	char text[400], pad[20];

	(void)state;
	for (size_t i = 0; i < 4 * sizeof templates / sizeof templates[0]; i++) {
		const char *template = templates[i / 4], *at = strstr(template, "%s");

		memset(pad, 'a', sizeof pad);
		pad[i % 4] = 0;
		snprintf(text, sizeof text, "%.*s%s%s", (int)(at - template), template, pad, at + 2);
		assert_int_not_equal(render(text, NULL, NULL, &r, &error), MOTE_OK);
		assert_null(r.text);
		assert_int_equal(mote_utf8_valid(error.message, strlen(error.message)), strlen(error.message));
	}
}

/* ---- memory ---- */

/* glibc's allocator stands behind these, and the sanitizer's does not. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
static size_t allocations_left = SIZE_MAX; /* SIZE_MAX: any number */

static bool refused(void)
{
	if (allocations_left == SIZE_MAX)
		return false;
	if (!allocations_left)
		return true;
	allocations_left--;
	return false;
}

void *malloc(size_t bytes)
{
	return refused() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return refused() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return refused() ? NULL : __libc_realloc(old, bytes);
}

/* Each allocation fails once: an error, no text; and when there were enough, the whole text. */
static void test_memory(void **state)
{
	static const char text[] = "{% macro m(a) %}{{ a }}{% endmacro %}{% for i in range(300) %}{% generation %}{{ "
				   "m(x) }}{% endgeneration %}"
				   "{{ [i, x] | tojson }}{% endfor %}{{ '%.20000f' % 0.1 }}{{ '{:.20000f}'.format(0.1) "
				   "}}";
	struct mote_rendered whole, r;
	struct mote_error error = {0};
	struct mote_template *t = NULL;
	enum mote_status status;
	cJSON *context;
	size_t n = 0;

	(void)state;
	assert_int_equal(mote_json_parse("{\"x\":\"u\"}", 9, "context", &context, &error), MOTE_OK);
	assert_int_equal(mote_template_open(text, strlen(text), NULL, &t, &error), MOTE_OK);
	assert_int_equal(mote_template_render(t, context, NULL, NULL, &whole, &error), MOTE_OK);
	assert_int_equal(whole.n_generated, 300);
	mote_template_close(t);
	for (status = MOTE_ERROR_MEMORY; status == MOTE_ERROR_MEMORY; n++) {
		t = NULL;
		r = (struct mote_rendered){0};
		error = (struct mote_error){0};
		allocations_left = n;
		status = mote_template_open(text, strlen(text), NULL, &t, &error);
		if (status == MOTE_OK)
			status = mote_template_render(t, context, NULL, NULL, &r, &error);
		allocations_left = SIZE_MAX;
		mote_template_close(t);
		if (status) {
			assert_int_equal(error.code, MOTE_ERROR_MEMORY);
			assert_null(r.text);
			assert_int_equal(r.bytes, 0);
		}
	}
	assert_int_equal(status, MOTE_OK);
	assert_true(n > 10);
	assert_int_equal(r.bytes, whole.bytes);
	assert_memory_equal(r.text, whole.text, whole.bytes);
	assert_int_equal(r.n_generated, whole.n_generated);
	mote_rendered_free(&r);
	mote_rendered_free(&whole);
	cJSON_Delete(context);
}
#else
static void test_memory(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_error_places),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_variables),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
