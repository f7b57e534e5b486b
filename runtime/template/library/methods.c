/* Methods of list, tuple, dict, range, numbers and cyclers, and finding a method by name. What would change a list
 * or a dict is forbidden by the sandbox; that is why values may share them.
 */
#include "runtime/template/library/library.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"

static struct jinja_value sequence_count(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value item;
	int64_t n = 0;

	(void)b;
	while (mote_jinja_next(j, &it, &item))
		n += mote_jinja_equal(j, item, args[1]);
	return mote_jinja_int(n);
}

static struct jinja_value sequence_index(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	int64_t length = mote_jinja_length(j, args[0]), at = 0;
	int64_t start = args[2].kind == JINJA_ABSENT ? 0 : mote_jinja_need_int(j, args[2], "start");
	int64_t stop = args[3].kind == JINJA_ABSENT ? length : mote_jinja_need_int(j, args[3], "stop");
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value item;

	(void)b;
	start = start < 0 ? start + length : start;
	stop = stop < 0 ? stop + length : stop;
	for (; at < stop && mote_jinja_next(j, &it, &item); at++)
		if (at >= start && mote_jinja_equal(j, item, args[1]))
			return mote_jinja_int(at);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "value is not in %s", mote_jinja_type(args[0]));
}

static struct jinja_value copy(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	(void)j;
	(void)b;
	return args[0]; /* nothing can change it */
}

static struct jinja_value dict_get(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	const struct jinja_value *found = mote_jinja_get(j, args[0].dict, args[1]);

	(void)b;
	return found ? *found : args[2].kind == JINJA_ABSENT ? mote_jinja_none() : args[2];
}

static struct jinja_value dict_view(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_view *view = mote_jinja_alloc(j, sizeof *view);

	*view = (struct jinja_view){.dict = args[0].dict, .of = (enum jinja_view_of)b->detail, .plain = args[0].plain};
	return (struct jinja_value){.kind = JINJA_VIEW, .view = view};
}

static struct jinja_value is_integer(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	double x = args[0].real;

	(void)j;
	(void)b;
	return mote_jinja_bool(
		x - x == 0 && (x >= 4503599627370496.0 || x <= -4503599627370496.0 || x == (double)(int64_t)x));
}

static struct jinja_value bit_length(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	int64_t i = 0, n = 0;
	uint64_t u;

	(void)j;
	(void)b;
	mote_jinja_integral(args[0], &i);
	for (u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i; u; u >>= 1)
		n++;
	return mote_jinja_int(n);
}

static struct jinja_value cycler_next(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_cycle *c = args[0].cycle;
	struct jinja_value v = c->items->items[c->next];

	(void)j;
	c->next = b->detail ? 0 : (c->next + 1) % c->items->count;
	return b->detail ? mote_jinja_none() : v;
}

static const struct jinja_builtin list_methods[] = {
	{.name = "count", .call = sequence_count, .parameters = "value", .required = 1, .positional = true},
	{.name = "index", .call = sequence_index, .parameters = "value start stop", .required = 1, .positional = true},
	{.name = "copy", .call = copy, .parameters = ""}, /* the last one: lists only */
};

static const struct jinja_builtin dict_methods[] = {
	{.name = "get", .call = dict_get, .parameters = "key default", .required = 1, .positional = true},
	{.name = "keys", .call = dict_view, .parameters = "", .detail = JINJA_KEYS},
	{.name = "values", .call = dict_view, .parameters = "", .detail = JINJA_VALUES},
	{.name = "items", .call = dict_view, .parameters = "", .detail = JINJA_ITEMS},
	{.name = "copy", .call = copy, .parameters = ""},
};

static const struct jinja_builtin float_methods[] = {{.name = "is_integer", .call = is_integer, .parameters = ""}};

static const struct jinja_builtin int_methods[] = {{.name = "bit_length", .call = bit_length, .parameters = ""}};

static const struct jinja_builtin cycler_methods[] = {
	{.name = "next", .call = cycler_next, .parameters = ""},
	{.name = "reset", .call = cycler_next, .parameters = "", .detail = 1},
};

#define COUNT(table) (sizeof table / sizeof table[0])

const struct jinja_builtin *mote_jinja_find_method(struct jinja_value v, const struct jinja_text *name)
{
	switch (v.kind) {
	case JINJA_STRING:
		return mote_jinja_lookup(mote_jinja_str_methods, COUNT(mote_jinja_str_methods), name->at,
					 name->bytes);
	case JINJA_LIST:
		return mote_jinja_lookup(list_methods, COUNT(list_methods), name->at, name->bytes);
	case JINJA_TUPLE:
	case JINJA_RANGE:
		return mote_jinja_lookup(list_methods, COUNT(list_methods) - 1, name->at, name->bytes);
	case JINJA_DICT:
		return mote_jinja_lookup(dict_methods, COUNT(dict_methods), name->at, name->bytes);
	case JINJA_FLOAT:
		return mote_jinja_lookup(float_methods, COUNT(float_methods), name->at, name->bytes);
	case JINJA_INT:
	case JINJA_BOOL:
		return mote_jinja_lookup(int_methods, COUNT(int_methods), name->at, name->bytes);
	case JINJA_CYCLER:
		return mote_jinja_lookup(cycler_methods, COUNT(cycler_methods), name->at, name->bytes);
	default:
		return NULL;
	}
}

bool mote_jinja_mutates(struct jinja_value v, const struct jinja_text *name)
{
	static const char *const of_list[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend",
					      "remove"};
	static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};

	for (size_t i = 0; v.kind == JINJA_LIST && i < COUNT(of_list); i++)
		if (mote_jinja_text_is(name, of_list[i]))
			return true;
	for (size_t i = 0; v.kind == JINJA_DICT && i < COUNT(of_dict); i++)
		if (mote_jinja_text_is(name, of_dict[i]))
			return true;
	return false;
}
