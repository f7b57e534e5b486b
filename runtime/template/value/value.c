/* Making values, and asking them for what is needed.
 *
 * A value is small and passed by copy; what it points to lies in the arena and lives as long as the run. A value that
 * is asked for what it is not fails with Python's message; an undefined one fails with its own, which says what is
 * missing and where it was looked for.
 */
#include "runtime/template/value/value.h"

struct jinja_value mote_jinja_none(void)
{
	return (struct jinja_value){.kind = JINJA_NONE};
}

struct jinja_value mote_jinja_bool(bool b)
{
	return (struct jinja_value){.kind = JINJA_BOOL, .boolean = b};
}

struct jinja_value mote_jinja_int(int64_t i)
{
	return (struct jinja_value){.kind = JINJA_INT, .integer = i};
}

struct jinja_value mote_jinja_float(double f)
{
	return (struct jinja_value){.kind = JINJA_FLOAT, .real = f};
}

struct jinja_value mote_jinja_string(const struct jinja_text *t)
{
	return (struct jinja_value){.kind = JINJA_STRING, .text = t};
}

struct jinja_value mote_jinja_literal(struct jinja *j, const char *s)
{
	return mote_jinja_string(mote_jinja_text(j, s, strlen(s), false));
}

struct jinja_value mote_jinja_list(const struct jinja_list *l)
{
	return (struct jinja_value){.kind = JINJA_LIST, .list = l};
}

struct jinja_value mote_jinja_tuple(const struct jinja_list *l)
{
	return (struct jinja_value){.kind = JINJA_TUPLE, .list = l};
}

struct jinja_value mote_jinja_dict(struct jinja_dict *d)
{
	return (struct jinja_value){.kind = JINJA_DICT, .dict = d};
}

/* ---- undefined, and other failures ---- */

struct jinja_value mote_jinja_undefined(struct jinja *j, const char *hint, const struct jinja_text *name,
					enum jinja_kind owner)
{
	struct jinja_undefined *u = mote_jinja_alloc(j, sizeof *u);

	*u = (struct jinja_undefined){.hint = hint, .name = name, .owner = (uint8_t)owner};
	return (struct jinja_value){.kind = JINJA_UNDEFINED, .undefined = u};
}

static const char *type_name(enum jinja_kind kind)
{
	static const char *const names[] = {
		"nothing", "Undefined", "NoneType", "bool", "int", "int", "float", "str", "list", "tuple",
		"dict", "dict view", "range", "generator", "Namespace", "Macro", "function", "LoopContext",
		"Cycler", "Joiner"
	};

	return names[kind];
}

const char *mote_jinja_type(struct jinja_value v)
{
	if (v.kind == JINJA_VIEW)
		return v.view->of == JINJA_KEYS     ? "dict_keys"
		       : v.view->of == JINJA_VALUES ? "dict_values"
						    : "dict_items";
	return type_name(v.kind);
}

_Noreturn void mote_jinja_fail_undefined(struct jinja *j, struct jinja_value v)
{
	const struct jinja_undefined *u = v.undefined;
	int bytes = u->name ? (int)(u->name->bytes < 200 ? u->name->bytes : 200) : 0;

	if (u->hint)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s", u->hint);
	if (!u->name)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s object has no such element", type_name(u->owner));
	if (u->owner == JINJA_ABSENT)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%.*s' is undefined", bytes, u->name->at);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s object' has no attribute '%.*s'", type_name(u->owner),
			bytes, u->name->at);
}

_Noreturn void mote_jinja_fail_type(struct jinja *j, const char *what, struct jinja_value v)
{
	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s, not %s", what, mote_jinja_type(v));
}

bool mote_jinja_integral(struct jinja_value v, int64_t *i)
{
	if (v.kind == JINJA_BOOL)
		*i = v.boolean;
	else if (v.kind == JINJA_INT)
		*i = v.integer;
	else
		return false;
	return true;
}

int64_t mote_jinja_need_int(struct jinja *j, struct jinja_value v, const char *what)
{
	int64_t i;

	if (v.kind == JINJA_BIG)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "%s: integer beyond 64 bits", what);
	if (!mote_jinja_integral(v, &i)) {
		if (v.kind == JINJA_UNDEFINED)
			mote_jinja_fail_undefined(j, v);
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s must be an integer, not %s", what, mote_jinja_type(v));
	}
	return i;
}

const struct jinja_text *mote_jinja_need_text(struct jinja *j, struct jinja_value v, const char *what)
{
	if (v.kind == JINJA_STRING)
		return v.text;
	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s must be a string, not %s", what, mote_jinja_type(v));
}

/* ---- truth, equality, order ---- */

bool mote_jinja_is_number(struct jinja_value v)
{
	return v.kind == JINJA_BOOL || v.kind == JINJA_INT || v.kind == JINJA_BIG || v.kind == JINJA_FLOAT;
}
