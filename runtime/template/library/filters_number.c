/* Filters that make numbers. A number read from plain text is plain: printed, it is the context's again. */
#include <math.h>

#include "runtime/template/library/library.h"
#include "runtime/template/run/arithmetic.h"
#include "runtime/template/value/recase.h"

JINJA_BUILTIN(abs_)
{
	int64_t i;

	(void)b;
	if (args[0].kind == JINJA_FLOAT)
		return mote_jinja_float(fabs(args[0].real));
	if (mote_jinja_integral(args[0], &i))
		return mote_jinja_negate(j, args[0], i < 0);
	if (args[0].kind == JINJA_BIG)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "integer beyond 64 bits");
	mote_jinja_fail_type(j, "abs needs a number", args[0]);
}

static bool to_real(struct jinja *j, struct jinja_value v, double *x)
{
	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	if (v.kind == JINJA_STRING) {
		v.text = mote_jinja_ascii_digits(j, v.text);
		return mote_jinja_parse_float(j, v.text->at, v.text->bytes, x);
	}
	if (!mote_jinja_is_number(v))
		return false;
	*x = mote_jinja_real(j, v);
	return true;
}

static bool is_plain(struct jinja *j, struct jinja_value v)
{
	return v.plain || (v.kind == JINJA_STRING && mote_jinja_any_plain(j, v.text));
}

JINJA_BUILTIN(int_)
{
	struct jinja_value v = args[0], fallback = args[1].kind == JINJA_ABSENT ? mote_jinja_int(0) : args[1];
	int64_t base = args[2].kind == JINJA_ABSENT ? 10 : mote_jinja_need_int(j, args[2], "base"), i;
	double x;

	(void)b;
	if (v.kind == JINJA_STRING)
		v.text = mote_jinja_ascii_digits(j, v.text);
	if (v.kind == JINJA_STRING && (base == 0 || (base >= 2 && base <= 36)) &&
	    mote_jinja_parse_int(j, v.text->at, v.text->bytes, (int)base, &v)) {
		v.plain = is_plain(j, args[0]);
		return v;
	}
	if (v.kind == JINJA_BIG)
		return v;
	if (mote_jinja_integral(v, &i))
		v = mote_jinja_int(i);
	else if (!to_real(j, v, &x) || isnan(x) || (v.kind == JINJA_STRING && isinf(x)))
		return fallback;
	else
		v = mote_jinja_to_int(j, x);
	v.plain = is_plain(j, args[0]);
	return v;
}

JINJA_BUILTIN(float_)
{
	struct jinja_value v;
	double x;

	(void)b;
	if (!to_real(j, args[0], &x))
		return args[1].kind == JINJA_ABSENT ? mote_jinja_float(0) : args[1];
	v = mote_jinja_float(x);
	v.plain = is_plain(j, args[0]);
	return v;
}

JINJA_BUILTIN(round_)
{
	bool whole = args[1].kind == JINJA_NONE; /* Python's round(x, None) is an integer */
	int64_t precision = args[1].kind == JINJA_ABSENT || whole ? 0 : mote_jinja_need_int(j, args[1], "precision");
	const struct jinja_text *method =
		args[2].kind == JINJA_ABSENT ? NULL : mote_jinja_need_text(j, args[2], "method");
	bool ceiling = method && mote_jinja_text_is(method, "ceil");
	struct jinja_value unit, scaled;

	(void)b;
	if (method && !ceiling && !mote_jinja_text_is(method, "floor") && !mote_jinja_text_is(method, "common"))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "method must be common, ceil or floor");
	if (!mote_jinja_is_number(args[0]))
		mote_jinja_fail_type(j, "round needs a number", args[0]);
	if (!method || mote_jinja_text_is(method, "common")) {
		scaled = mote_jinja_round(j, args[0], precision);
		if (whole && scaled.kind == JINJA_FLOAT)
			scaled = mote_jinja_to_int(j, scaled.real);
	} else if (whole) {
		mote_jinja_fail_type(j, "precision must be an integer", args[1]);
	} else {
		unit = mote_jinja_arithmetic(j, JINJA_POW, mote_jinja_int(10), mote_jinja_int(precision));
		scaled = mote_jinja_arithmetic(j, JINJA_MUL, args[0], unit);
		if (scaled.kind == JINJA_FLOAT)
			scaled = mote_jinja_to_int(j, ceiling ? ceil(scaled.real) : floor(scaled.real));
		scaled = mote_jinja_arithmetic(j, JINJA_DIV, scaled, unit);
	}
	scaled.plain = args[0].plain;
	return scaled;
}

const struct jinja_builtin *mote_jinja_find_number_filter(const char *name, size_t bytes)
{
	static const struct jinja_builtin filters[] = {
		{.name = "abs", .call = abs_, .parameters = ""},
		{.name = "float", .call = float_, .parameters = "default"},
		{.name = "int", .call = int_, .parameters = "default base"},
		{.name = "round", .call = round_, .parameters = "precision method"},
	};

	return mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);
}
