/* Tests: what stands behind "is", and what select and reject take. */
#include "runtime/template/library/library.h"
#include "runtime/template/run/arithmetic.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

enum kind_test {
	IS_DEFINED,
	IS_UNDEFINED,
	IS_NONE,
	IS_BOOLEAN,
	IS_TRUE,
	IS_FALSE,
	IS_INTEGER,
	IS_FLOAT,
	IS_NUMBER,
	IS_STRING,
	IS_MAPPING,
	IS_SEQUENCE,
	IS_ITERABLE,
	IS_CALLABLE,
	IS_ESCAPED
};

JINJA_BUILTIN(is_kind)
{
	struct jinja_value v = args[0];

	(void)j;
	switch ((enum kind_test)b->detail) {
	case IS_DEFINED: return mote_jinja_bool(v.kind != JINJA_UNDEFINED);
	case IS_UNDEFINED: return mote_jinja_bool(v.kind == JINJA_UNDEFINED);
	case IS_NONE: return mote_jinja_bool(v.kind == JINJA_NONE);
	case IS_BOOLEAN: return mote_jinja_bool(v.kind == JINJA_BOOL);
	case IS_TRUE: return mote_jinja_bool(v.kind == JINJA_BOOL && v.boolean);
	case IS_FALSE: return mote_jinja_bool(v.kind == JINJA_BOOL && !v.boolean);
	case IS_INTEGER: return mote_jinja_bool(v.kind == JINJA_INT || v.kind == JINJA_BIG);
	case IS_FLOAT: return mote_jinja_bool(v.kind == JINJA_FLOAT);
	case IS_NUMBER: return mote_jinja_bool(mote_jinja_is_number(v));
	case IS_STRING: return mote_jinja_bool(v.kind == JINJA_STRING);
	case IS_MAPPING: return mote_jinja_bool(v.kind == JINJA_DICT);
	case IS_SEQUENCE: /* has a length and elements */
		return mote_jinja_bool(v.kind == JINJA_STRING || v.kind == JINJA_LIST || v.kind == JINJA_TUPLE ||
				       v.kind == JINJA_DICT || v.kind == JINJA_RANGE || v.kind == JINJA_UNDEFINED);
	case IS_ITERABLE: return mote_jinja_bool(mote_jinja_iterable(v) || v.kind == JINJA_LOOP);
	case IS_CALLABLE: /* Undefined has a __call__, which fails */
		return mote_jinja_bool(v.kind == JINJA_MACRO || v.kind == JINJA_FUNCTION || v.kind == JINJA_JOINER ||
				       v.kind == JINJA_LOOP || v.kind == JINJA_UNDEFINED);
	case IS_ESCAPED: return mote_jinja_bool(v.kind == JINJA_STRING && v.text->markup);
	}
	return mote_jinja_bool(false);
}

JINJA_BUILTIN(compare)
{
	switch (b->detail) {
	case JINJA_EQ: return mote_jinja_bool(mote_jinja_equal(j, args[0], args[1]));
	case JINJA_NE: return mote_jinja_bool(!mote_jinja_equal(j, args[0], args[1]));
	case JINJA_IN: return mote_jinja_bool(mote_jinja_contains(j, args[1], args[0]));
	default: return mote_jinja_bool(mote_jinja_order(j, args[0], args[1], (enum jinja_compare)b->detail));
	}
}

/* odd, even, divisibleby: value % number == result */
JINJA_BUILTIN(remainder_is)
{
	struct jinja_value by = b->detail == 2 ? args[1] : mote_jinja_int(2);
	struct jinja_value rest = mote_jinja_arithmetic(j, JINJA_MOD, args[0], by);

	return mote_jinja_bool(mote_jinja_equal(j, rest, mote_jinja_int(b->detail == 1)));
}

JINJA_BUILTIN(is_case)
{
	const char *name = b->detail ? "isupper" : "islower";
	struct jinja_value self = mote_jinja_string(mote_jinja_str(j, args[0]));
	struct jinja_args call = {.values = &self, .count = 1};

	return mote_jinja_invoke(j, mote_jinja_find_method(self, mote_jinja_text(j, name, 7, false)), "test", &call);
}

JINJA_BUILTIN(same_as)
{
	(void)j;
	(void)b;
	return mote_jinja_bool(mote_jinja_same(args[0], args[1]));
}

JINJA_BUILTIN(is_name)
{
	const struct jinja_builtin *found;
	uint64_t hash;

	if (args[0].kind != JINJA_STRING && !mote_jinja_hash(j, args[0], &hash))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unhashable type: '%s'", mote_jinja_type(args[0]));
	if (args[0].kind != JINJA_STRING)
		return mote_jinja_bool(false);
	found = b->detail ? j->library->find_test(args[0].text->at, args[0].text->bytes) :
			    j->library->find_filter(args[0].text->at, args[0].text->bytes);
	return mote_jinja_bool(found != NULL);
}

#define KIND(test_name, which) {.name = test_name, .call = is_kind, .parameters = "", .detail = which}
#define COMPARE(test_name, how) \
	{.name = test_name, .call = compare, .parameters = "other", .required = 1, .detail = how, .positional = true}

const struct jinja_builtin *mote_jinja_find_test(const char *name, size_t bytes)
{
	static const struct jinja_builtin tests[] = {
		KIND("defined", IS_DEFINED), KIND("undefined", IS_UNDEFINED), KIND("none", IS_NONE),
		KIND("boolean", IS_BOOLEAN), KIND("true", IS_TRUE), KIND("false", IS_FALSE),
		KIND("integer", IS_INTEGER), KIND("float", IS_FLOAT), KIND("number", IS_NUMBER),
		KIND("string", IS_STRING), KIND("mapping", IS_MAPPING), KIND("sequence", IS_SEQUENCE),
		KIND("iterable", IS_ITERABLE), KIND("callable", IS_CALLABLE), KIND("escaped", IS_ESCAPED),
		COMPARE("==", JINJA_EQ), COMPARE("eq", JINJA_EQ), COMPARE("equalto", JINJA_EQ),
		COMPARE("!=", JINJA_NE), COMPARE("ne", JINJA_NE), COMPARE("<", JINJA_LT), COMPARE("lt", JINJA_LT),
		COMPARE("lessthan", JINJA_LT), COMPARE("<=", JINJA_LE), COMPARE("le", JINJA_LE),
		COMPARE(">", JINJA_GT), COMPARE("gt", JINJA_GT), COMPARE("greaterthan", JINJA_GT),
		COMPARE(">=", JINJA_GE), COMPARE("ge", JINJA_GE),
		{.name = "in", .call = compare, .parameters = "seq", .required = 1, .detail = JINJA_IN},
		{.name = "even", .call = remainder_is, .parameters = ""},
		{.name = "odd", .call = remainder_is, .parameters = "", .detail = 1},
		{.name = "divisibleby", .call = remainder_is, .parameters = "num", .required = 1, .detail = 2},
		{.name = "lower", .call = is_case, .parameters = ""},
		{.name = "upper", .call = is_case, .parameters = "", .detail = 1},
		{.name = "sameas", .call = same_as, .parameters = "other", .required = 1},
		{.name = "filter", .call = is_name, .parameters = ""},
		{.name = "test", .call = is_name, .parameters = "", .detail = 1},
	};

	return mote_jinja_lookup(tests, sizeof tests / sizeof tests[0], name, bytes);
}
