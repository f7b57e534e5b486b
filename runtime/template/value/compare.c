/* Truth, length, equality and order, as Python has them.
 *
 * Equality and order recur through containers, so each level is charged and counted (mote_jinja_enter): a list of
 * lists of the same list is wide without being large. Containers in turn need equality to find a key, which is why
 * this file and container_value.c call each other.
 */
#include "runtime/template/value/compare.h"

#include "runtime/template/value/container_value.h"
#include "runtime/template/value/number.h"

int64_t mote_jinja_length(struct jinja *j, struct jinja_value v)
{
	switch (v.kind) {
	case JINJA_UNDEFINED:
		return 0;
	case JINJA_STRING:
		return (int64_t)mote_jinja_chars(j, v.text);
	case JINJA_LIST:
	case JINJA_TUPLE:
		return (int64_t)v.list->count;
	case JINJA_DICT:
		return v.dict->count;
	case JINJA_VIEW:
		return v.view->dict->count;
	case JINJA_RANGE:
		return v.range->count;
	default:
		return -1;
	}
}

bool mote_jinja_truth(struct jinja *j, struct jinja_value v)
{
	switch (v.kind) {
	case JINJA_ABSENT:
	case JINJA_NONE:
		return false;
	case JINJA_BOOL:
		return v.boolean;
	case JINJA_INT:
		return v.integer != 0;
	case JINJA_FLOAT:
		return v.real != 0;
	case JINJA_STRING:
		return v.text->bytes != 0;
	case JINJA_LOOP:
		return true;
	default:
		return mote_jinja_length(j, v) != 0;
	}
}

bool mote_jinja_same(struct jinja_value a, struct jinja_value b)
{
	if (a.kind != b.kind)
		return false;
	switch (a.kind) {
	case JINJA_NONE:
		return true;
	case JINJA_BOOL:
		return a.boolean == b.boolean;
	case JINJA_INT: /* CPython keeps one object each of the small ones */
		return a.integer == b.integer && a.integer >= -5 && a.integer <= 256;
	case JINJA_FLOAT:
		return false;
	case JINJA_STRING:
		return a.text == b.text;
	case JINJA_BIG:
		return a.text == b.text;
	case JINJA_TUPLE:
		return a.list == b.list || (!a.list->count && !b.list->count);
	default:
		return a.dict == b.dict; /* any pointer of the union */
	}
}

static bool equal_dicts(struct jinja *j, const struct jinja_dict *a, const struct jinja_dict *b)
{
	const struct jinja_value *other;

	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		other = mote_jinja_get(j, b, a->entries[i].key);
		if (!other || !mote_jinja_equal(j, a->entries[i].value, *other))
			return false;
	}
	return true;
}

/* keys() and items() compare as sets. */
static bool equal_views(struct jinja *j, const struct jinja_view *a, const struct jinja_view *b)
{
	if (a->of != b->of || a->of == JINJA_VALUES)
		return a == b;
	if (a->of == JINJA_ITEMS)
		return equal_dicts(j, a->dict, b->dict);
	if (a->dict->count != b->dict->count)
		return false;
	for (uint32_t i = 0; i < a->dict->count; i++)
		if (!mote_jinja_get(j, b->dict, a->dict->entries[i].key))
			return false;
	return true;
}

static bool equal_inside(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	switch (a.kind) {
	case JINJA_LIST:
	case JINJA_TUPLE:
		if (a.list->count != b.list->count)
			return false;
		for (size_t i = 0; i < a.list->count; i++)
			if (!mote_jinja_equal(j, a.list->items[i], b.list->items[i]))
				return false;
		return true;
	case JINJA_DICT:
		return equal_dicts(j, a.dict, b.dict);
	case JINJA_VIEW:
		return equal_views(j, a.view, b.view);
	case JINJA_RANGE:
		return a.range->count == b.range->count && (!a.range->count || (a.range->start == b.range->start &&
			(a.range->count == 1 || a.range->step == b.range->step)));
	default:
		return mote_jinja_same(a, b);
	}
}

/* Long integers are compared by their digits, and read as floats for it. */
static int compare_numbers(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	mote_jinja_charge(j, (a.kind == JINJA_BIG ? a.text->bytes >> 2 : 0) +
			     (b.kind == JINJA_BIG ? b.text->bytes >> 2 : 0));
	return mote_jinja_compare_numbers(a, b);
}

bool mote_jinja_equal(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	bool equal;

	mote_jinja_charge(j, 1);
	if (mote_jinja_is_number(a) && mote_jinja_is_number(b))
		return compare_numbers(j, a, b) == 0;
	if (a.kind != b.kind)
		return false;
	if (a.kind == JINJA_UNDEFINED || a.kind == JINJA_NONE)
		return true;
	if (a.kind == JINJA_STRING) {
		mote_jinja_charge(j, a.text->bytes >> 6);
		return a.text->bytes == b.text->bytes && !memcmp(a.text->at, b.text->at, a.text->bytes);
	}
	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	equal = equal_inside(j, a, b);
	j->depth--;
	return equal;
}

static bool holds(int order, enum jinja_compare how)
{
	switch (how) {
	case JINJA_LT:
		return order == -1;
	case JINJA_LE:
		return order == -1 || order == 0;
	case JINJA_GT:
		return order == 1;
	default:
		return order == 1 || order == 0;
	}
}

static bool order_lists(struct jinja *j, const struct jinja_list *a, const struct jinja_list *b,
			enum jinja_compare how)
{
	bool result;

	for (size_t i = 0; i < a->count && i < b->count; i++) {
		if (mote_jinja_equal(j, a->items[i], b->items[i]))
			continue;
		mote_jinja_enter(j, JINJA_MAX_DEPTH);
		result = mote_jinja_order(j, a->items[i], b->items[i], how);
		j->depth--;
		return result;
	}
	return holds(a->count < b->count ? -1 : a->count > b->count, how);
}

/* keys() and items(): < and > are subset and superset. */
static bool order_views(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how)
{
	struct jinja_iter it;
	struct jinja_value v;

	if (how == JINJA_GT || how == JINJA_GE)
		return order_views(j, b, a, how == JINJA_GT ? JINJA_LT : JINJA_LE);
	if (a.view->dict->count > b.view->dict->count ||
	    (how == JINJA_LT && a.view->dict->count == b.view->dict->count))
		return false;
	for (it = mote_jinja_iterate(j, a); mote_jinja_next(j, &it, &v);)
		if (!mote_jinja_contains(j, b, v))
			return false;
	return true;
}

bool mote_jinja_order(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how)
{
	static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
	size_t shorter;
	int order;

	mote_jinja_charge(j, 1);
	if (mote_jinja_is_number(a) && mote_jinja_is_number(b))
		return holds(compare_numbers(j, a, b), how);
	if (a.kind == JINJA_STRING && b.kind == JINJA_STRING) {
		shorter = a.text->bytes < b.text->bytes ? a.text->bytes : b.text->bytes;
		mote_jinja_charge(j, shorter >> 6);
		order = memcmp(a.text->at, b.text->at, shorter); /* of UTF-8: by code points */
		if (!order)
			return holds(a.text->bytes < b.text->bytes ? -1 : a.text->bytes > b.text->bytes, how);
		return holds(order < 0 ? -1 : 1, how);
	}
	if (a.kind == b.kind && (a.kind == JINJA_LIST || a.kind == JINJA_TUPLE))
		return order_lists(j, a.list, b.list, how);
	if (a.kind == JINJA_VIEW && b.kind == JINJA_VIEW && a.view->of != JINJA_VALUES && b.view->of != JINJA_VALUES)
		return order_views(j, a, b, how);
	if (a.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, a);
	if (b.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, b);
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' not supported between %s and %s", signs[how], mote_jinja_type(a),
			mote_jinja_type(b));
}

static bool view_contains(struct jinja *j, const struct jinja_view *view, struct jinja_value v)
{
	const struct jinja_value *found;

	if (view->of == JINJA_KEYS)
		return mote_jinja_get(j, view->dict, v) != NULL;
	if (view->of == JINJA_ITEMS) {
		if (v.kind != JINJA_TUPLE || v.list->count != 2)
			return false;
		found = mote_jinja_get(j, view->dict, v.list->items[0]);
		return found && mote_jinja_equal(j, *found, v.list->items[1]);
	}
	for (uint32_t i = 0; i < view->dict->count; i++)
		if (mote_jinja_equal(j, view->dict->entries[i].value, v))
			return true;
	return false;
}

bool mote_jinja_contains(struct jinja *j, struct jinja_value container, struct jinja_value v)
{
	struct jinja_iter it;
	struct jinja_value item;

	if (container.kind == JINJA_STRING) {
		if (v.kind != JINJA_STRING)
			mote_jinja_fail_type(j, "'in <string>' requires a string on the left", v);
		return mote_jinja_find(j, container.text, 0, container.text->bytes, v.text) != SIZE_MAX;
	}
	if (container.kind == JINJA_DICT)
		return mote_jinja_get(j, container.dict, v) != NULL;
	if (container.kind == JINJA_VIEW)
		return view_contains(j, container.view, v);
	if (!mote_jinja_iterable(container))
		mote_jinja_fail_type(j, "the right side of 'in' must be iterable", container);
	for (it = mote_jinja_iterate(j, container); mote_jinja_next(j, &it, &item);)
		if (mote_jinja_same(item, v) || mote_jinja_equal(j, item, v))
			return true;
	return false;
}
