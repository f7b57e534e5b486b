/* Filters that make text. Those which are methods of str by another name call the method, so that there is one
 * implementation of each; what differs is how the value becomes a text, and Markup.
 */
#include <stdio.h>

#include "format/utf8.h"
#include "runtime/template/library/library.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/field.h"
#include "runtime/template/value/number.h"
#include "runtime/template/value/print_value.h"
#include "runtime/template/value/recase.h"

/* The method of the same name, on soft_str(value): upper, lower, capitalize, center, trim. */
JINJA_BUILTIN(method)
{
	static const char *const names[] = {"upper", "lower", "capitalize", "center", "strip"};
	const char *name = names[b->detail];
	const struct jinja_text *t = mote_jinja_soft_str(j, args[0]);
	const struct jinja_builtin *m;
	struct jinja_args call = {.values = args, .count = 1};

	args[0] = mote_jinja_string(t);
	m = mote_jinja_find_method(args[0], mote_jinja_text(j, name, strlen(name), false));
	if (b->detail == 3 && args[1].kind == JINJA_ABSENT)
		args[1] = mote_jinja_int(80);
	if (args[1].kind != JINJA_ABSENT)
		call.count = 2;
	return mote_jinja_invoke(j, m, "filter", &call);
}

JINJA_BUILTIN(string)
{
	const struct jinja_text *t = mote_jinja_soft_str(j, args[0]);

	return mote_jinja_string(b->detail ? mote_jinja_as_markup(j, t, true) : t); /* safe: Markup */
}

JINJA_BUILTIN(join)
{
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	const struct jinja_text *separator = args[1].kind == JINJA_ABSENT ? NULL : mote_jinja_str(j, args[1]);
	struct jinja_args attribute = {.n_keywords = 1};
	struct jinja_keyword keyword;
	struct jinja_builder out;
	struct jinja_value v;
	bool any = false;

	(void)b;
	if (mote_jinja_given(args[2])) { /* as map(attribute=...) */
		keyword.name = mote_jinja_text(j, "attribute", 9, false);
		keyword.value = args[2];
		attribute.keywords = &keyword;
		attribute.values = args;
		attribute.count = 1;
		v = mote_jinja_invoke(j, j->library->find_filter("map", 3), "filter", &attribute);
		it = mote_jinja_iterate(j, mote_jinja_list(mote_jinja_collect(j, v)));
	}
	mote_jinja_begin(&out, j);
	for (; mote_jinja_next(j, &it, &v); any = true) {
		if (any && separator)
			mote_jinja_put_text(&out, separator);
		mote_jinja_print(&out, v);
	}
	return mote_jinja_string(mote_jinja_end(&out));
}

JINJA_BUILTIN(replace)
{
	struct jinja_args call = {.values = args, .count = 4};
	const struct jinja_builtin *m;

	(void)b;
	for (int i = 0; i < 3; i++)
		args[i] = mote_jinja_string(mote_jinja_str(j, args[i]));
	if (!mote_jinja_given(args[3]))
		args[3] = mote_jinja_int(-1);
	m = mote_jinja_find_method(args[0], mote_jinja_text(j, "replace", 7, false));
	return mote_jinja_invoke(j, m, "filter", &call);
}

static struct jinja_value format(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	struct jinja_list *l = mote_jinja_new_list(j, args->count);
	struct jinja_value with = mote_jinja_dict(mote_jinja_new_dict(j));

	(void)b;
	if (args->count > 1 && args->n_keywords)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT,
				"format can't handle positional and keyword arguments at the same time");
	for (size_t i = 1; i < args->count; i++)
		mote_jinja_append(j, l, args->values[i]);
	for (size_t i = 0; i < args->n_keywords; i++)
		mote_jinja_set(j, with.dict, mote_jinja_string(args->keywords[i].name), args->keywords[i].value);
	if (!args->n_keywords)
		with = mote_jinja_tuple(l);
	return mote_jinja_string(mote_jinja_percent(j, mote_jinja_soft_str(j, args->values[0]), with));
}

static const struct jinja_list *lines_of(struct jinja *j, const struct jinja_text *t)
{
	struct jinja_value self = mote_jinja_string(t);
	const struct jinja_builtin *m = mote_jinja_find_method(self, mote_jinja_text(j, "splitlines", 10, false));
	struct jinja_args call = {.values = &self, .count = 1};

	return mote_jinja_invoke(j, m, "filter", &call).list;
}

JINJA_BUILTIN(indent)
{
	const struct jinja_text *t = mote_jinja_need_text(j, args[0], "what indent is applied to"), *width;
	const struct jinja_list *lines;
	bool each_first = mote_jinja_truth(j, args[2]), blank = mote_jinja_truth(j, args[3]);
	struct jinja_builder out;
	int64_t n = 4;

	(void)b;
	if (args[1].kind == JINJA_STRING) {
		width = args[1].text;
	} else {
		n = args[1].kind == JINJA_ABSENT ? 4 : mote_jinja_need_int(j, args[1], "width");
		mote_jinja_begin(&out, j);
		mote_jinja_put_fill(&out, mote_jinja_text(j, " ", 1, false), n > 0 ? (size_t)n : 0);
		width = mote_jinja_end(&out);
	}
	mote_jinja_begin(&out, j); /* a newline goes after it, so that a last empty line counts */
	mote_jinja_put_text(&out, t);
	mote_jinja_put(&out, "\n", 1, t->bytes ? mote_jinja_plain_at(t, t->bytes - 1) : false);
	lines = lines_of(j, mote_jinja_end(&out));
	mote_jinja_begin(&out, j);
	for (size_t i = 0; i < lines->count; i++) {
		if (i)
			mote_jinja_put(&out, "\n", 1,
				       lines->items[i - 1].text->bytes
					       ? mote_jinja_plain_at(lines->items[i - 1].text, 0)
					       : t->plain);
		if (i ? blank || lines->items[i].text->bytes : each_first)
			mote_jinja_put_text(&out, width);
		mote_jinja_put_text(&out, lines->items[i].text);
	}
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&out), t->markup));
}

JINJA_BUILTIN(title)
{
	const struct jinja_text *t = mote_jinja_soft_str(j, args[0]);
	size_t at = 0, length, end;
	struct jinja_builder out;
	uint32_t code;

	(void)b;
	mote_jinja_begin(&out, j);
	mote_jinja_charge(j, t->bytes >> 3);
	while (at < t->bytes) {
		code = mote_utf8_decode(t->at + at, &length);
		mote_jinja_put_text(
			&out, mote_jinja_recase(j, mote_jinja_slice(j, t, at, at + length), JINJA_TO_UPPER));
		for (end = at += length; end < t->bytes; end += length) {
			uint32_t next = mote_utf8_decode(t->at + end, &length);
			bool separates = next == '-' || next == '(' || next == '{' || next == '[' ||
					 next == '<' || mote_jinja_is_space(next);

			if (code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
			    mote_jinja_is_space(code) || separates)
				break;
		}
		mote_jinja_put_text(&out, mote_jinja_recase(j, mote_jinja_slice(j, t, at, end), JINJA_TO_LOWER));
		at = end;
	}
	return mote_jinja_string(mote_jinja_end(&out));
}

JINJA_BUILTIN(truncate)
{
	int64_t length = args[1].kind == JINJA_ABSENT ? 255 : mote_jinja_need_int(j, args[1], "length"), n;
	const struct jinja_text *end = args[3].kind == JINJA_ABSENT ? mote_jinja_text(j, "...", 3, false) :
								      mote_jinja_need_text(j, args[3], "end"), *t;
	int64_t leeway = mote_jinja_given(args[4]) ? mote_jinja_need_int(j, args[4], "leeway") : 5;
	int64_t end_chars = (int64_t)mote_jinja_chars(j, end);
	struct jinja_builder out;
	size_t cut, space;

	(void)b;
	if (length < end_chars || leeway < 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "truncate: expected length >= %lld and leeway >= 0",
				(long long)end_chars);
	n = mote_jinja_length(j, args[0]);
	if (n < 0)
		mote_jinja_fail_type(j, "truncate needs a string", args[0]);
	if (n <= length || n - length <= leeway)
		return args[0];
	t = mote_jinja_need_text(j, args[0], "what truncate is applied to");
	cut = mote_jinja_byte_of(j, t, (size_t)(length - end_chars));
	if (!mote_jinja_truth(j, args[2])) {
		space = mote_jinja_find_last(j, t, 0, cut, mote_jinja_text(j, " ", 1, false));
		cut = space == SIZE_MAX ? cut : space;
	}
	mote_jinja_begin(&out, j);
	mote_jinja_put_slice(&out, t, 0, cut);
	mote_jinja_put_text(&out, end);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&out), t->markup));
}

JINJA_BUILTIN(wordcount)
{
	const struct jinja_text *t = mote_jinja_soft_str(j, args[0]);
	bool inside = false, word;
	int64_t n = 0;
	size_t length;

	(void)b;
	mote_jinja_charge(j, t->bytes >> 3);
	for (size_t i = 0; i < t->bytes; i += length) {
		word = mote_jinja_is_word(mote_utf8_decode(t->at + i, &length));
		n += word && !inside;
		inside = word;
	}
	return mote_jinja_int(n);
}

JINJA_BUILTIN(filesizeformat)
{
	static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
	static const char *const binary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
	bool two = mote_jinja_truth(j, args[1]);
	double base = two ? 1024 : 1000, bytes, unit;
	char text[400];
	size_t i = 0;

	(void)b;
	if (args[0].kind == JINJA_STRING) {
		args[0].text = mote_jinja_ascii_digits(j, args[0].text);
		if (!mote_jinja_parse_float(j, args[0].text->at, args[0].text->bytes, &bytes))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "could not convert string to float");
	} else if (mote_jinja_is_number(args[0])) {
		bytes = mote_jinja_real(j, args[0]);
	} else {
		mote_jinja_fail_type(j, "filesizeformat needs a number", args[0]);
	}
	if (bytes == 1)
		return mote_jinja_literal(j, "1 Byte");
	if (bytes < base) {
		snprintf(text, sizeof text, "%lld Bytes", (long long)mote_jinja_to_int(j, bytes).integer);
		return mote_jinja_literal(j, text);
	}
	/* 1e24 is the double below 10^24, with which Python compares it. */
	for (unit = base * base; i < 7 && !(bytes < unit) && !(bytes == unit && unit == 1e24); i++)
		unit *= base;
	snprintf(text, sizeof text, "%.1f %s", base * bytes / unit, two ? binary[i] : decimal[i]);
	return mote_jinja_literal(j, text);
}

static const struct jinja_builtin filters[] = {
	{.name = "capitalize", .call = method, .parameters = "", .detail = 2},
	{.name = "center", .call = method, .parameters = "width", .detail = 3},
	{.name = "filesizeformat", .call = filesizeformat, .parameters = "binary"},
	{.name = "format", .raw = format},
	{.name = "indent", .call = indent, .parameters = "width first blank"},
	{.name = "join", .call = join, .parameters = "d attribute"},
	{.name = "lower", .call = method, .parameters = "", .detail = 1},
	{.name = "replace", .call = replace, .parameters = "old new count", .required = 2},
	{.name = "safe", .call = string, .parameters = "", .detail = 1},
	{.name = "string", .call = string, .parameters = ""},
	{.name = "title", .call = title, .parameters = ""},
	{.name = "trim", .call = method, .parameters = "chars", .detail = 4},
	{.name = "truncate", .call = truncate, .parameters = "length killwords end leeway"},
	{.name = "upper", .call = method, .parameters = ""},
	{.name = "wordcount", .call = wordcount, .parameters = ""},
};

const struct jinja_builtin *mote_jinja_find_text_filter(const char *name, size_t bytes)
{
	return mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);
}
