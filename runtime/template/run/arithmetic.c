/* Operators between any two values: numbers are calculated with, sequences joined and repeated, texts formatted.
 * Nothing is changed in place: a list may be shared by any number of values.
 */
#include "runtime/template/run/arithmetic.h"

#include "runtime/template/value/container_value.h"
#include "runtime/template/value/field.h"
#include "runtime/template/value/print_value.h"

_Noreturn static void fail_operands(struct jinja *j, enum jinja_calculation op, struct jinja_value a,
				    struct jinja_value b)
{
	static const char *const signs[] = {"+", "-", "*", "/", "//", "%", "**"};

	if (a.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, a);
	if (b.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, b);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unsupported operand types for %s: '%s' and '%s'",
			signs[op - JINJA_ADD], mote_jinja_type(a), mote_jinja_type(b));
}

static struct jinja_value repeat(struct jinja *j, struct jinja_value v, int64_t times)
{
	struct jinja_builder b;
	struct jinja_list *l;
	size_t n = times > 0 ? (size_t)times : 0, total;
	const struct jinja_text *t;

	if (v.kind == JINJA_STRING) {
		mote_jinja_begin(&b, j);
		mote_jinja_put_fill(&b, v.text, n);
		t = mote_jinja_end(&b);
		return mote_jinja_string(mote_jinja_as_markup(j, t, v.text->markup));
	}
	if (__builtin_mul_overflow(v.list->count, n, &total))
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
	l = mote_jinja_new_list(j, total);
	for (size_t i = 0; i < total; i++)
		mote_jinja_append(j, l, v.list->items[i % v.list->count]);
	v.list = l;
	return v;
}

static struct jinja_value join_lists(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	struct jinja_list *l = mote_jinja_new_list(j, a.list->count + b.list->count);

	for (size_t i = 0; i < a.list->count; i++)
		mote_jinja_append(j, l, a.list->items[i]);
	for (size_t i = 0; i < b.list->count; i++)
		mote_jinja_append(j, l, b.list->items[i]);
	a.list = l;
	a.plain = a.plain || b.plain;
	return a;
}

static struct jinja_value join_strings(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	bool markup = a.text->markup || b.text->markup;
	struct jinja_builder builder;

	if (markup) {
		a.text = mote_jinja_escape(j, a);
		b.text = mote_jinja_escape(j, b);
	}
	mote_jinja_begin(&builder, j);
	mote_jinja_put_text(&builder, a.text);
	mote_jinja_put_text(&builder, b.text);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&builder), markup));
}

static bool is_sequence(struct jinja_value v)
{
	return v.kind == JINJA_STRING || v.kind == JINJA_LIST || v.kind == JINJA_TUPLE;
}

struct jinja_value mote_jinja_arithmetic(struct jinja *j, enum jinja_calculation op, struct jinja_value a,
					 struct jinja_value b)
{
	int64_t x;

	if (mote_jinja_is_number(a) && mote_jinja_is_number(b))
		return mote_jinja_calculate(j, op, a, b);
	if (op == JINJA_ADD && a.kind == JINJA_STRING && b.kind == JINJA_STRING)
		return join_strings(j, a, b);
	if (op == JINJA_ADD && a.kind == b.kind && is_sequence(a))
		return join_lists(j, a, b);
	if (op == JINJA_MUL && is_sequence(a) && mote_jinja_integral(b, &x))
		return repeat(j, a, x);
	if (op == JINJA_MUL && is_sequence(b) && mote_jinja_integral(a, &x))
		return repeat(j, b, x);
	if (op == JINJA_MOD && a.kind == JINJA_STRING)
		return mote_jinja_string(mote_jinja_percent(j, a.text, b));
	fail_operands(j, op, a, b);
}
