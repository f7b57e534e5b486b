/* Chat templates: what renders to what, as Jinja2 3.1.6 in transformers' environment renders it. Each feature is here
 * once; tests/differential/template.py compares at random. Where text came from is in test_template_origin.c, errors
 * and limits are in test_template_bounds.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/render_template.h"

struct example {
	const char *template, *expected, *context; /* context: {} when NULL */
};

static const struct example whitespace[] = {
	{ "a\n  {% if true %}\n  b\n  {% endif %}\nc\n\n",
	  "a\n  b\nc\n", NULL },
	{ "  {%- set x = 1 -%}  {{- x -}}  y",
	  "1y", NULL },
	{ " {%+ if true %}x{% endif +%}\n y",
	  " x\n y", NULL },
	{ "{# note #}\n  {#- note -#}  z",
	  "z", NULL },
	{ "{% raw %}{{ x }}{% endraw %}\r\n{%- raw -%} {% if %} {%- endraw -%} !\rend",
	  "{{ x }}{% if %}!\nend", NULL },
	{ "{{ 'a' }}\n{{ 'b' }}  {% set y = 2 %}  c",
	  "a\nb    c", NULL },
	{ "x {{ '}}' }} {{ {'a': {'b': 1}}['a']['b'] }}",
	  "x }} 1", NULL },
};

static const struct example literals[] = {
	{ "{{ 'a\\n\\x41\\u00e9\\101\\q\\\\' }}|{{ \"it's\" 'x' }}",
	  "a\nA\303\251A\\q\\|it'sx", NULL },
	{ "{{ [1, 2.0, 'x', none, true, (1,), {'k': [1]}] }}",
	  "[1, 2.0, 'x', None, True, (1,), {'k': [1]}]", NULL },
	{ "{{ 1_000 }} {{ 0xff }} {{ 0b11 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 10 ** 15 }}.0 {{ 1e16 }} {{ 0.1 + 0.2 }} "
	  "{{ -0.0 }}",
	  "1000 255 3 1000.0 1.5e-07 1000000000000000.0 1e+16 0.30000000000000004 -0.0", NULL },
	{ "{{ 'q\"' }} {{ ['q\"', \"it's\", \"'\\\"\", '\\n\\t\\x00\\x7f', '\303\251\342\200\213\360\237\230\200'] }}",
	  "q\" ['q\"', \"it's\", '\\'\"', '\\n\\t\\x00\\x7f', '\303\251\\u200b\360\237\230\200']", NULL },
	{ "{{ n }} {{ f }} {{ big }} {{ e }}",
	  "1 1.0  100000.0",
	  "{\"n\": 1, \"f\": 1.0, \"e\": 100000.0}" },
};

/* Keys that are equal are one key, whatever their type. */
static const struct example keys[] = {
	{ "{{ {1: 'a'}[true] }}{{ {true: 'a'}[1] }}{{ {0: 'a'}[false] }}{{ {false: 'a'}[0.0] }}{{ {1.0: 'a'}[true] }}",
	  "aaaaa", NULL },
	{ "{{ {257: 'a'}[257.0] }}{{ {2: 'a'}[2.0] }}{{ {-3.0: 'a'}[-3] }}{{ {0.5: 'a'}[0.5] }}{{ {(1, 2): 'a'}[(true, "
	  "2.0)] }}", "aaaaa", NULL },
	{ "{{ {1: 'a', true: 'b', 1.0: 'c'} }}{{ true in {1: 0} }}{{ 1 in {true: 0} }}{{ 2 in {true: 0} }}",
	  "{1: 'c'}TrueTrueFalse", NULL },
	{ "{{ {-9007199254740992: 'a'}[-9007199254740992.0] }}{{ {9007199254740992.0: 'a'}[9007199254740992] }}"
	  "{{ {1152921504606846976: 'a'}[1152921504606846976.0] }}{{ {(-2) ** 63: 'a'}[-9223372036854775808.0] }}"
	  "{{ 9223372036854775807 in {9223372036854775808.0: 'a'} }}",
	  "aaaaFalse", NULL },
	{ "{{ nope == nah }}{{ [nope] == [nah] }}{{ none == nope }}{{ none in [nope] }}{{ [none] == [none] }}",
	  "TrueTrueFalseFalseTrue", NULL },
};

static const struct example operators[] = {
	{ "{{ 7 // -2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 6 / 2 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} "
	  "{{ 2 ** -1 }} {{ 9223372036854775807 / 9007199254740993 }} {{ 0 / -5 }}",
	  "-4 2 3.0 0.5 3.0 64 4 0.5 1023.9999999999999 -0.0", NULL },
	{ "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 == true }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} "
	  "{{ 'b' in 'abc' }} {{ 1 not in [2] }}",
	  "True False True True True True True", NULL },
	{ "{{ 1 ~ 'a' ~ none ~ [] }} {{ 'a' + 'b' * 2 }} {{ [1] + [2] * 2 }} {{ not 1 == 2 }} {{ 0 or 'x' }} "
	  "{{ '' and 1 }}|",
	  "1aNone[] abb [1, 2, 2] True x |", NULL },
	{ "{{ 'a' if false }}|{{ 'a' if 1 else 'b' }}|{{ 1 if 0 else 2 if 0 else 3 }}",
	  "|a|3", NULL },
	{ "{{ 'abcdef'[1:-1] }} {{ 'abcdef'[::-2] }} {{ [1,2,3][-2:] }} {{ 'h\303\251llo'[1] }} {{ (1,2,3)[5:] }} "
	  "{{ range(10)[2:8:3] | list }}",
	  "bcde fdb [2, 3] \303\251 () [2, 5]", NULL },
	{ "{{ x.y.z }}|{{ d['a'] }}|{{ d.b }}|{{ d['b'] is defined }}|{{ l.0 }}|{{ l[-1] }}|{{ d.items() | list }}",
	  "1|A||False|1|2|[('a', 'A'), ('items', 3)]",
	  "{\"x\": {\"y\": {\"z\": 1}}, \"d\": {\"a\": \"A\", \"items\": 3}, \"l\": [1, 2]}" },
	{ "{{ 12345678901234567890 }} {{ 9223372036854775807 }} {{ 12345678901234567890 == b }} {{ [b] | tojson }}",
	  "12345678901234567890 9223372036854775807 True [12345678901234567890]",
	  "{\"b\": 12345678901234567890}" },
};

static const struct example scopes[] = {
	{ "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
	  "231", NULL },
	{ "{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
	  "2", NULL },
	{ "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
	  "6", NULL },
	{ "{% for i in [1] %}{{ x }}{% endfor %}|{% set x = 1 %}{{ x }}",
	  "|1",
	  "{\"x\": 5}" },
	{ "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% for x in [2] %}{{ m() }}{% endfor %}",
	  "11", NULL },
	{ "{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
	  "177",
	  "{\"a\": 7}" },
	{ "{% set x %}in{{ 1 }}{% endset %}{{ x }}{% set x | upper %}abc{% endset %}{{ x }}{% set a, (b, c) = 1, (2, "
	  "3) %}{{ a + b + c }}",
	  "in1ABC6", NULL },
	{ "{% set add_generation_prompt = add_generation_prompt or false %}{{ add_generation_prompt }}",
	  "False", NULL },
};

static const struct example loops[] = {
	{ "{% for i in 'abc' %}"
	  "{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ "
	  "loop.length }}{{ i }} {% endfor %}",
	  "1032TrueFalse3a 2121FalseFalse3b 3210FalseTrue3c ", NULL },
	{ "{% for i in range(6) if i % 2 %}"
	  "{{ i }}/{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }} {% else %}none{% endfor %}",
	  "1/33 3/315 5/33 ", NULL },
	{ "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}",
	  "a=1,b=2", NULL },
	{ "{% for i in [] %}x{% else %}empty{% endfor %}{% for i in [1] %}{% continue %}{% else %}skipped{% endfor %}",
	  "emptyskipped", NULL },
	{ "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 4 %}{% break %}{% endif %}"
	  "{{ i }}{% endfor %}",
	  "023", NULL },
	{ "{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }} {% endfor %}",
	  "Truea Falseb Truea ", NULL },
	{ "{% for n in t recursive %}<{{ n.v }}{{ loop.depth }}{{ loop(n.c) }}>{% endfor %}",
	  "<11<22><32>>",
	  "{\"t\": [{\"v\": 1, \"c\": [{\"v\": 2, \"c\": []}, {\"v\": 3, \"c\": []}]}]}" },
	{ "{% for a in [1, 2] %}{% for b in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
	  "121;122;", NULL },
};

static const struct example macros[] = {
	{ "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }} {{ m(b=5) }}",
	  "121 123 5", NULL },
	{ "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }} {{ m(*[1, 2], "
	  "**{'z': 1}) }}",
	  "1(2, 3){'k': 4} 1(2,){'z': 1}", NULL },
	{ "{% macro m(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) m(3) %}{{ y * 2 }}{% endcall %}",
	  "<6>", NULL },
	{ "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}{{ f }}",
	  "3210<Macro 'f'>", NULL },
	{ "{% filter upper | replace('A', 'b') %}a{{ 'x' }}{% endfilter %}{% generation %}g{% endgeneration %}",
	  "bXg", NULL },
};

static const struct example filters[] = {
	{ "{{ [3, 1, 2] | sort | join(',') }} {{ ['b', 'A'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} "
	  "{{ l | sort(attribute='a,b') | map(attribute='b') | list }}",
	  "1,2,3 ['A', 'b'] ['A', 'b'] [2, 3, 1]",
	  "{\"l\": [{\"a\": 2, \"b\": 1}, {\"a\": 1, \"b\": 3}, {\"a\": 1, \"b\": 2}]}" },
	{ "{{ l | selectattr('r', 'equalto', 'u') | map(attribute='c') | list }} {{ l | rejectattr('r', "
	  "'defined') | list | length }} {{ l | map(attribute='x', default='-') | join }} "
	  "{{ l | groupby('r') | map('first') | list }}",
	  "[1] 0 -- ['a', 'u']",
	  "{\"l\": [{\"r\": \"u\", \"c\": 1}, {\"r\": \"a\", \"c\": 2}]}" },
	{ "{{ ' a b ' | trim }}|{{ 'hello world-foo' | title }}|{{ 'aB' | capitalize }}|{{ 'x' | center(5) }}|"
	  "{{ 'a b c d' | truncate(5, leeway=0) }}|{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a b' | wordcount }}",
	  "a b|Hello World-Foo|Ab|  x  |a...|a\n  b\n\n  c|2", NULL },
	{ "{{ {'b': 1, 'a': [1, {'c': none}]} | tojson }} {{ {'b': 1, 'a': 2} | tojson(indent=2, sort_keys=true) }} "
	  "{{ '\303\251<\"\n' | tojson }} {{ '\303\251' | tojson(ensure_ascii=true) }} {{ 1.0 | tojson }}",
	  "{\"b\": 1, \"a\": [1, {\"c\": null}]} {\n  \"a\": 2,\n  \"b\": 1\n} \"\303\251<\\\"\\n\" \"\\u00e9\" 1.0",
	  NULL },
	{ "{{ '<a>' | e }} {{ ('<a>' | e) | e }} {{ ('<b>' | safe) + '<i>' }} {{ '<p>x &amp; y</p> &ltz R&D' | "
	  "striptags }} {{ 'a b/c?d=\303\251' | urlencode }}",
	  "&lt;a&gt; &lt;a&gt; <b>&lt;i&gt; x & y <z R&D a%20b/c%3Fd%3D%C3%A9", NULL },
	{ "{{ '42' | int }} {{ 'x' | int(-1) }} {{ '0x1f' | int(base=16) }} {{ 3.99 | int }} {{ '\331\241\331\242' | "
	  "int }} {{ '2.5' | float }} {{ 2.5 | round }} {{ 3.5 | round(none) }} {{ 2.675 | round(2) }} {{ 1234 | "
	  "round(-2) }} {{ 2.1 | round(0, 'ceil') }} {{ -3 | abs }}",
	  "42 -1 31 3 12 2.5 2.0 4 2.67 1200 3.0 3", NULL },
	{ "{{ [1, 2, 3, 4, 5] | batch(2, 0) | list }} {{ [1, 2, 3] | slice(2) | list }} {{ [1, 'a', 1, "
	  "'A'] | unique | list }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }} {{ [1, 2] | sum }} {{ [3, "
	  "1] | min }} {{ ['b', 'C'] | max }}",
	  "[[1, 2], [3, 4], [5, 0]] [[1, 2], [3]] [1, 'a'] cba [2, 1] 3 1 C", NULL },
	{ "{{ nope | default('d') }} {{ '' | default('d', true) }} {{ {'b': 2, 'a': 1} | dictsort }} {{ {'a': 2, "
	  "'b': 1} | dictsort(by='value') }} {{ [1, 2] | first }} {{ [1, 2] | last }} {{ {'a': 1} | items | list }} "
	  "{{ 'aXbX' | replace('X', '-', 1) }}",
	  "d d [('a', 1), ('b', 2)] [('b', 1), ('a', 2)] 1 2 [('a', 1)] a-bX", NULL },
	{ "{{ '%s and %r' | format('a', 'b') }} {{ '%05.1f|%-4d|%+d|%x' % (2.25, 7, 3, 255) }} "
	  "{{ '{:{}}|{:{}.{}f}|{:{w}}'.format('a', 3, 2.25, 6, 1, 'b', w=2) }} "
	  "{{ '{:>5}|{:<5}|{:^5}|{:,}|{:.2f}|{:08.3f}|{!r}'.format('a', 'b', 'c', 1234567, 3.14159, -2.5, 'x') }} "
	  "{{ '%(k)s' % {'k': 1} }}",
	  "a and 'b' 002.2|7   |+3|ff a  |   2.2|b      a|b    |  c  |1,234,567|3.14|-002.500|'x' 1", NULL },
};

static const struct example methods[] = {
	{ "{{ ' a,b '.strip().split(',') }} {{ 'a b  c'.split() }} {{ 'a b c'.rsplit(' ', 1) }} "
	  "{{ 'a.b'.partition('.') }} {{ 'xaxbx'.strip('x') }} {{ 'l1\nl2\r\n'.splitlines() }}",
	  "['a', 'b'] ['a', 'b', 'c'] ['a b', 'c'] ('a', '.', 'b') axb ['l1', 'l2']", NULL },
	/* nothing is left, and what stands before it in the text is no part of it */
	{ "{{ 'x  '[3:].rstrip() }}|{{ 'x  '[3:] | trim }}|{{ 'xaa'[3:].rstrip('a') }}|{{ 'x  y'[1:3].strip() }}|"
	  "{{ '   '.rstrip() }}|{{ 'aa'.strip('a') }}|{{ '\342\200\203'.strip() }}|",
	  "|||||||", NULL },
	{ "{{ 'stra\303\237e'.upper() }} {{ '\316\221\316\243'.lower() }} {{ \"they're \307\206\".title() }} "
	  "{{ 'aB'.swapcase() }} {{ '\303\251'.isalpha() }} {{ '\302\262'.isdigit() }} {{ '12'.isdecimal() }} "
	  "{{ 'a_1'.isidentifier() }} {{ 'd\314\201'.isidentifier() }} {{ '1a'.isidentifier() }}",
	  "STRASSE \316\261\317\202 They'Re \307\205 Ab True True True True True False", NULL },
	{ "{{ 'abc'.find('c') }} {{ 'abcabc'.rfind('b') }} {{ 'aaa'.count('a') }} {{ 'ab'.startswith(('x', 'a')) }} "
	  "{{ 'abc'.endswith('c', 0, 3) }} {{ '-7'.zfill(4) }} {{ 'ab'.removeprefix('a') }} "
	  "{{ 'a\tb'.expandtabs(4) }} {{ ','.join(['a', 'b']) }}",
	  "2 4 3 True True -007 b a   b a,b", NULL },
	{ "{{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.keys() }} {{ [1, 2, 1].count(1) }} {{ [1, "
	  "2].index(2) }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '-') }}",
	  "None 2 dict_keys(['a']) 2 1 bba -a-b-", NULL },
};

static const struct example questions[] = {
	{ "{{ 1 is odd }} {{ 4 is divisibleby 2 }} {{ nope is defined }} {{ none is none }} {{ 1.0 is float }} "
	  "{{ true is number }} {{ true is integer }} {{ {} is mapping }} {{ 'a' is sequence }} {{ 1 is iterable }} "
	  "{{ 'a' is in 'abc' }} {{ 1 is not string }} {{ 'A' is upper }} {{ 1 is eq 1 }} {{ range is callable }} "
	  "{{ 'trim' is filter }}",
	  "True True False True True True False True True False True True True True True True", NULL },
};

static void check(const struct example *examples, size_t count)
{
	struct mote_rendered r;
	struct mote_error error;

	for (size_t i = 0; i < count; i++) {
		if (render(examples[i].template, examples[i].context, NULL, &r, &error) != MOTE_OK)
			fail_msg("%s: %s", examples[i].template, error.message);
		if (strlen(examples[i].expected) != r.bytes || memcmp(examples[i].expected, r.text, r.bytes))
			fail_msg("%s\n  expected %s\n  got      %s", examples[i].template, examples[i].expected,
				 r.text);
		mote_rendered_free(&r);
	}
}

#define CHECK(group) \
	static void test_##group(void **state) \
	{ \
		(void)state; \
		check(group, sizeof group / sizeof group[0]); \
	}
CHECK(whitespace)
CHECK(literals)
CHECK(keys)
CHECK(operators)
CHECK(scopes)
CHECK(loops)
CHECK(macros)
CHECK(filters)
CHECK(methods)
CHECK(questions)

static void check_time(const char *zone, const char *format, enum mote_status status, const char *expected)
{
	struct mote_template_limits limits = {.now = 1752148800}; /* 2025-07-10 12:00:00 UTC */
	struct mote_rendered r;
	struct mote_error error;
	char text[200];

	setenv("TZ", zone, 1);
	tzset();
	snprintf(text, sizeof text, "{{ strftime_now('%s') }}", format);
	assert_int_equal(render(text, NULL, &limits, &r, &error), status);
	if (status)
		assert_non_null(strstr(error.message, expected));
	else
		assert_string_equal(r.text, expected);
	mote_rendered_free(&r);
}

/* As transformers' datetime.now(): local time, summer time included, without a zone. */
static void test_time(void **state)
{
	(void)state;
	check_time("UTC0", "%d %b %Y, %H:%M%%|%f|%Z", MOTE_OK, "10 Jul 2025, 12:00%|000000|");
	check_time("XYZ-9:30", "%H:%M|%z|", MOTE_OK, "21:30||");
	check_time("CET-1CEST,M3.5.0,M10.5.0/3", "%d %H:%M:%S", MOTE_OK, "10 14:00:00");
	check_time("AAA12", "%Y-%m-%d %H %p", MOTE_OK, "2025-07-10 00 AM");
	check_time("UTC0", "%6Y|%-d|%", MOTE_OK, "002025|10|%");
	check_time("UTC0", "%0400d", MOTE_ERROR_LIMIT, "strftime_now: '%0400d' makes more than 254 characters");
	check_time("UTC0", "%00000000000000000000d", MOTE_ERROR_LIMIT, "a directive of 22 characters");
}

static void test_options(void **state)
{
	struct mote_template_options options = {.keep_trailing_newline = true};
	static const char text[] = " {% if true %}\n a\n {% endif %}\n";
	struct mote_rendered r;
	struct mote_template *t;

	(void)state;
	assert_int_equal(mote_template_open(text, strlen(text), &options, &t, NULL), MOTE_OK);
	assert_int_equal(mote_template_render(t, NULL, NULL, NULL, &r, NULL), MOTE_OK);
	assert_string_equal(r.text, " \n a\n \n");
	mote_rendered_free(&r);
	mote_template_close(t);
	mote_template_close(NULL);
}

/* A context that was built, not parsed, may hold anything. */
static void test_ill_formed_text(void **state)
{
	static const char text[] = "{{ t|trim }}|{{ t[-1] }}|{{ t.split() }}|{{ d }}";
	cJSON *context = cJSON_CreateObject();
	struct mote_rendered r;
	struct mote_template *t;

	(void)state;
	cJSON_AddStringToObject(context, "t", "\xff a\xe2\x82z\xed\xa0\x80 \xf0");
	cJSON_AddStringToObject(cJSON_AddObjectToObject(context, "d"), "k\xf0\x9f\x98", "v\xc0");
	assert_int_equal(mote_template_open(text, strlen(text), NULL, &t, NULL), MOTE_OK);
	assert_int_equal(mote_template_render(t, context, NULL, NULL, &r, NULL), MOTE_OK);
#define BAD "\xef\xbf\xbd"
	assert_string_equal(r.text, BAD " a" BAD "z" BAD BAD BAD " " BAD "|" BAD "|['" BAD "', 'a" BAD "z" BAD BAD BAD
			    "', '" BAD
				    "']|{'k" BAD "': 'v" BAD "'}");
	assert_true(r.spans[0].plain);
	mote_rendered_free(&r);
	mote_template_close(t);
	cJSON_Delete(context);
}

int main(void)
{
	const struct CMUnitTest all[] = {
		cmocka_unit_test(test_whitespace),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_keys), cmocka_unit_test(test_operators),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_ill_formed_text),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
