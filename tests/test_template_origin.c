/* Chat templates: which of the text is plain, i.e. out of the context's data, and which a generation block wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/render_template.h"

/* Writes the plain spans in brackets. */
static void check_spans(const char *text, const char *context, const char *expected)
{
	struct mote_rendered r;
	struct mote_error error;
	char marked[1000];
	size_t n = 0;

	if (render(text, context, NULL, &r, &error) != MOTE_OK)
		fail_msg("%s: %s", text, error.message);
	for (size_t i = 0; i < r.n_spans; i++) {
		size_t bytes = r.spans[i].end - r.spans[i].begin;

		assert_int_equal(r.spans[i].begin, i ? r.spans[i - 1].end : 0);
		if (r.spans[i].plain)
			marked[n++] = '[';
		memcpy(marked + n, r.text + r.spans[i].begin, bytes);
		n += bytes;
		if (r.spans[i].plain)
			marked[n++] = ']';
	}
	marked[n] = 0;
	assert_string_equal(marked, expected);
	assert_int_equal(r.n_spans ? r.spans[r.n_spans - 1].end : 0, r.bytes);
	mote_rendered_free(&r);
}

static void test_spans(void **state)
{
	static const char context[] = "{\"m\":{\"role\":\"user\",\"content\":\" <|end|> x,y \"},\"bos_token\":\"<s>\","
				      "\"n\":7,"
				      "\"l\":[\"a\",\"b\"]}";

	(void)state;
	check_spans("{{ bos_token }}<|start|>{{ m.role }}\n{{ m.content | trim }}<|end|>", context,
		    "<s><|start|>[user]\n[<|end|> x,y]<|end|>");
	check_spans("{{ '<a>' + m.role + '<b>' ~ m['role'] * 2 }}", context, "<a>[user]<b>[useruser]");
	check_spans("{{ ('<a>' + m.role + '<b>')[2:5] }}", context, ">[us]");
	check_spans("{{ (m.content.split(',') | join('<s>')).strip() }}", context, "[<|end|> x]<s>[y]");
	check_spans("{{ ('x' ~ m.role).replace('use', '<|') }}{{ m.role.replace('s', '<s>') }}", context,
		    "x<|[ru]<s>[er]");
	check_spans("{{ m.role | upper }}{{ m.role | title }}{{ m.role[::-1] }}", context, "[USERUserresu]");
	check_spans("{{ m | tojson }}{{ {'a': m.role, 'b': 1} | tojson }}", context,
		    "[{\"role\": \"user\", \"content\": \" <|end|> x,y \"}]{\"a\": [\"user\"], \"b\": 1}");
	check_spans("{{ l }}{{ [l[0], 'c'] }}{{ n }}{{ n + 1 }}{{ l | length }}", context,
		    "[['a', 'b']][['a'], 'c'][78]2");
	check_spans("{% set x %}<s>{{ m.role }}{% endset %}{% macro f(a) %}<{{ a }}>{% endmacro %}{{ x }}{{ f(m.role) "
		    "}}", context, "<s>[user]<[user]>");
	check_spans("{{ '%s|%s' % (m.role, 'x') }}{{ '{}|{:>6}'.format('x', m.role) }}", context, "[user]|xx|  [user]");
	check_spans("{{ m.role | indent(2, true) }}{{ m.role | e }}{{ 'a' | replace('a', m.role) }}", context,
		    "  [useruseruser]");
	check_spans("{% for k, v in m.items() %}{{ k }}={% endfor %}{% for c in m.role %}{{ c }}.{% endfor %}", context,
		    "[role]=[content]=[u].[s].[e].[r].");
}

/* Writes what generation blocks wrote in angle brackets. */
static void check_generated(const char *text, const char *context, const char *expected)
{
	struct mote_rendered r;
	struct mote_error error;
	char marked[1000];
	size_t n = 0, at = 0;

	if (render(text, context, NULL, &r, &error) != MOTE_OK)
		fail_msg("%s: %s", text, error.message);
	for (size_t i = 0; i <= r.n_generated; i++) {
		size_t begin = i < r.n_generated ? r.generated[i].begin : r.bytes;

		assert_true(begin >= at);
		n += (size_t)sprintf(marked + n, "%.*s", (int)(begin - at), r.text + at);
		at = begin;
		if (i == r.n_generated)
			break;
		assert_true(r.generated[i].end > begin && r.generated[i].end <= r.bytes);
		at = r.generated[i].end;
		n += (size_t)sprintf(marked + n, "<%.*s>", (int)(at - begin), r.text + begin);
	}
	assert_string_equal(marked, expected);
	mote_rendered_free(&r);
	assert_null(r.generated);
}

/* A text that takes memory of its own, whose end is the text's: the sanitizer build watches over it. */
static void check_long(void)
{
	enum { BYTES = 1 << 15 };
	struct mote_rendered r;
	struct mote_error error;
	const char *text = "{% generation %}{{ 'a' * 32768 }}{% endgeneration %}";

	assert_int_equal(render(text, NULL, NULL, &r, &error), MOTE_OK);
	assert_int_equal(r.bytes, BYTES);
	assert_int_equal(r.n_generated, 1);
	assert_true(r.generated->begin == 0 && r.generated->end == BYTES);
	mote_rendered_free(&r);
}

#define ASSISTANT "{% if m.role == 'assistant' %}{% generation %}{{ m.text }}{% if not loop.last %}|{% endif %}" \
		  "{% endgeneration %}{% else %}{{ m.text }}{% endif %}"
static void test_generated(void **state)
{
	static const char context[] = "{\"messages\":[{\"role\":\"user\",\"text\":\"hi\"},{\"role\":\"assistant\","
				      "\"text\":"
				      "\"h\u00e9\"},{\"role\":\"user\",\"text\":\"\"},{\"role\":\"assistant\","
				      "\"text\":\"bye \"}]}";

	(void)state;
	check_generated("{% for m in messages %}{{ m.role[0] }}:" ASSISTANT "{{ '\n' }}{% endfor %}", context,
			"u:hi\na:<h\303\251|>\nu:\na:<bye >\n");
	check_generated("{% macro turn(m, loop) %}[" ASSISTANT "]{% endmacro %}{% for m in messages %}{{ turn(m, loop) "
			"}}{% endfor %}", context, "[hi][<h\303\251|>][][<bye >]");
	check_generated("{% set all %}{% for m in messages %}" ASSISTANT "{% endfor %}{% endset %}{{ all | trim }}{{ "
			"all[3] }}", context, "hi<h\303\251|bye\303\251>");
	check_generated("{% generation %}a{% endgeneration %}{% generation %}{% endgeneration %}{% generation %}b{% "
			"endgeneration %}c", NULL, "<ab>c");
	check_generated("{% generation %}a{% generation %}b{% endgeneration %}{% endgeneration %}", NULL, "<ab>");
	check_generated("no{{ '' }}ne", NULL, "none");
	check_long();
	check_generated("", NULL, "");
	/* which text is plain is another matter, and a number made of the template's text stays the template's */
	check_spans("{{ x }}{% generation %}<s>{{ x }}{% endgeneration %}{{ x }}", "{\"x\":\"u\"}", "[u]<s>[uu]");
	check_spans("{% set n %}{% generation %}7{% endgeneration %}{% endset %}{{ n | int }}{{ x | int }}",
		    "{\"x\":\"8\"}", "7[8]");
	check_error("{% for i in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", MOTE_ERROR_CORRUPT,
		    "line 1, column 38: 'break' outside of a loop");
	check_error("{% generation %}x", MOTE_ERROR_CORRUPT, "line 1, column 4: unexpected end of template: "
		    "'generation' is not closed");
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_generated),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
