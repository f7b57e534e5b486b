/* Filters on sequences and mappings, but those which are generators (filters_lazy.c). They make new lists, and leave
 * what they are given alone.
 */
#include "runtime/template/library/library.h"
#include "runtime/template/library/path.h"
#include "runtime/template/run/arithmetic.h"
#include "runtime/template/run/attribute.h"
#include "runtime/template/run/loop.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"

/* ---- sorting ---- */

struct keys {
	struct jinja_value *keys;
	bool reverse;
};

static bool less(struct jinja *j, void *user, size_t a, size_t b)
{
	const struct keys *k = user;

	return k->reverse ? mote_jinja_order(j, k->keys[b], k->keys[a], JINJA_LT) :
			    mote_jinja_order(j, k->keys[a], k->keys[b], JINJA_LT);
}

static struct jinja_list *sorted(struct jinja *j, const struct jinja_list *items, struct jinja_value *keys,
				 struct jinja_value reverse)
{
	struct keys k = {.keys = keys, .reverse = reverse.kind != JINJA_ABSENT &&
			 mote_jinja_need_int(j, reverse, "reverse")};
	struct jinja_list *l = mote_jinja_new_list(j, items->count);
	size_t *order = mote_jinja_alloc_array(j, items->count, sizeof *order);

	mote_jinja_sort(j, order, items->count, less, &k);
	for (size_t i = 0; i < items->count; i++)
		mote_jinja_append(j, l, items->items[order[i]]);
	return l;
}

JINJA_BUILTIN(sort)
{
	struct jinja_list *items = mote_jinja_collect(j, args[0]), *key;
	struct jinja_value *keys = mote_jinja_alloc_array(j, items->count, sizeof *keys);
	const struct jinja_text *t = args[3].kind == JINJA_STRING ? args[3].text : NULL;
	size_t n = 0, from = 0, to;
	struct jinja_path *paths;

	(void)b;
	paths = mote_jinja_alloc_array(j, t ? t->bytes + 1 : 1, sizeof *paths);
	if (!t)
		paths[n++] = mote_jinja_attribute_path(j, args[3]);
	for (; t && from <= t->bytes; from = to + 1) { /* "a,b.c": by a, then by b.c */
		for (to = from; to < t->bytes && t->at[to] != ','; to++)
			;
		paths[n++] = mote_jinja_make_path(j, mote_jinja_slice(j, t, from, to), args[3]);
	}
	for (size_t i = 0; i < items->count; i++) {
		key = mote_jinja_new_list(j, n);
		for (size_t k = 0; k < n; k++)
			mote_jinja_append(
				j, key,
				mote_jinja_fold(j, mote_jinja_follow(j, &paths[k], items->items[i]),
						mote_jinja_truth(j, args[2])));
		keys[i] = mote_jinja_list(key);
	}
	return mote_jinja_list(sorted(j, items, keys, args[1]));
}

JINJA_BUILTIN(dictsort)
{
	bool by_value = false;
	struct jinja_list *items;
	struct jinja_value *keys;

	(void)b;
	if (args[0].kind != JINJA_DICT)
		mote_jinja_fail_type(j, "dictsort needs a mapping", args[0]);
	if (args[2].kind == JINJA_STRING && mote_jinja_text_is(args[2].text, "value"))
		by_value = true;
	else if (args[2].kind != JINJA_ABSENT &&
		 (args[2].kind != JINJA_STRING || !mote_jinja_text_is(args[2].text, "key")))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "dictsort can sort by \"key\" or \"value\" only");
	items = mote_jinja_new_list(j, args[0].dict->count);
	keys = mote_jinja_alloc_array(j, args[0].dict->count, sizeof *keys);
	for (uint32_t i = 0; i < args[0].dict->count; i++) {
		const struct jinja_entry *e = &args[0].dict->entries[i];

		mote_jinja_append(j, items, mote_jinja_pair(j, e->key, e->value));
		keys[i] = mote_jinja_fold(j, by_value ? e->value : e->key, mote_jinja_truth(j, args[1]));
	}
	return mote_jinja_list(sorted(j, items, keys, args[3]));
}

JINJA_BUILTIN(groupby)
{
	struct jinja_path path = mote_jinja_attribute_path(j, args[1]);
	struct jinja_list *items = mote_jinja_collect(j, args[0]), *out = mote_jinja_new_list(j, 0), *group, *pair;
	struct jinja_value *keys = mote_jinja_alloc_array(j, items->count, sizeof *keys), key;
	struct jinja_value last = {.kind = JINJA_ABSENT};
	bool case_sensitive = mote_jinja_truth(j, args[3]);

	(void)b;
	path.fallback = args[2];
	for (size_t i = 0; i < items->count; i++)
		keys[i] = mote_jinja_fold(j, mote_jinja_follow(j, &path, items->items[i]), case_sensitive);
	items = sorted(j, items, keys, (struct jinja_value){.kind = JINJA_ABSENT});
	group = NULL;
	for (size_t i = 0; i < items->count; i++) {
		key = mote_jinja_fold(j, mote_jinja_follow(j, &path, items->items[i]), case_sensitive);
		if (!group || !mote_jinja_equal(j, key, last)) {
			group = mote_jinja_new_list(j, 0);
			pair = mote_jinja_new_list(j, 2);
			pair->group = true;
			mote_jinja_append(j, pair, mote_jinja_follow(j, &path, items->items[i]));
			mote_jinja_append(j, pair, mote_jinja_list(group));
			mote_jinja_append(j, out, mote_jinja_tuple(pair));
			last = key;
		}
		mote_jinja_append(j, group, items->items[i]);
	}
	return mote_jinja_list(out);
}

JINJA_BUILTIN(extreme) /* min, max */
{
	struct jinja_path path = mote_jinja_attribute_path(j, args[2]);
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value best, best_key, v, key;
	bool case_sensitive = mote_jinja_truth(j, args[1]);

	if (!mote_jinja_next(j, &it, &best))
		return mote_jinja_undefined(j, "no aggregated item, the sequence was empty", NULL, JINJA_ABSENT);
	best_key = mote_jinja_fold(j, mote_jinja_follow(j, &path, best), case_sensitive);
	while (mote_jinja_next(j, &it, &v)) {
		key = mote_jinja_fold(j, mote_jinja_follow(j, &path, v), case_sensitive);
		if (mote_jinja_order(j, key, best_key, b->detail ? JINJA_GT : JINJA_LT)) {
			best = v;
			best_key = key;
		}
	}
	return best;
}

JINJA_BUILTIN(sum)
{
	struct jinja_path path = mote_jinja_attribute_path(j, args[1]);
	struct jinja_value total = args[2].kind == JINJA_ABSENT ? mote_jinja_int(0) : args[2], v;
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);

	(void)b;
	if (total.kind == JINJA_STRING)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "sum cannot add strings");
	while (mote_jinja_next(j, &it, &v))
		total = mote_jinja_arithmetic(j, JINJA_ADD, total, mote_jinja_follow(j, &path, v));
	return total;
}

/* ---- elements ---- */

JINJA_BUILTIN(first)
{
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value v;

	(void)b;
	return mote_jinja_next(j, &it, &v) ? v :
		mote_jinja_undefined(j, "no first item, the sequence was empty", NULL, JINJA_ABSENT);
}

JINJA_BUILTIN(reverse)
{
	struct jinja_list *l, *r;
	struct jinja_value text;

	if (args[0].kind == JINJA_GENERATOR && b->detail)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "a generator is not reversible");
	l = mote_jinja_collect(j, args[0]);
	r = mote_jinja_new_list(j, l->count);
	for (size_t i = l->count; i--;)
		mote_jinja_append(j, r, l->items[i]);
	if (b->detail) /* last */
		return r->count ? r->items[0] :
			mote_jinja_undefined(j, "no last item, the sequence was empty", NULL, JINJA_ABSENT);
	if (args[0].kind == JINJA_STRING) {
		struct jinja_builder builder;

		mote_jinja_begin(&builder, j);
		for (size_t i = 0; i < r->count; i++)
			mote_jinja_put_text(&builder, r->items[i].text);
		text = mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&builder), args[0].text->markup));
		return text;
	}
	if (args[0].kind == JINJA_GENERATOR)
		return mote_jinja_list(r);
	return mote_jinja_list_generator(j, "list_reverseiterator", r);
}

JINJA_BUILTIN(list)
{
	(void)b;
	return mote_jinja_list(mote_jinja_collect(j, args[0]));
}

JINJA_BUILTIN(length)
{
	int64_t n = mote_jinja_length(j, args[0]);

	(void)b;
	if (args[0].kind == JINJA_LOOP)
		return mote_jinja_loop_attribute(j, args[0].loop, mote_jinja_text(j, "length", 6, false));
	if (n < 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "object of type '%s' has no length", mote_jinja_type(args[0]));
	return mote_jinja_int(n);
}

JINJA_BUILTIN(attr)
{
	const struct jinja_text *name = mote_jinja_need_text(j, args[1], "attribute name");

	(void)b;
	if (args[0].kind == JINJA_DICT && !mote_jinja_find_method(args[0], name) &&
	    !mote_jinja_mutates(args[0], name))
		return mote_jinja_undefined(j, NULL, name, JINJA_DICT); /* a key is no attribute */
	return mote_jinja_getattr(j, args[0], args[1]);
}

JINJA_BUILTIN(default_)
{
	bool boolean = mote_jinja_truth(j, args[2]);

	(void)b;
	if (args[0].kind != JINJA_UNDEFINED && !(boolean && !mote_jinja_truth(j, args[0])))
		return args[0];
	return args[1].kind == JINJA_ABSENT ? mote_jinja_literal(j, "") : args[1];
}

JINJA_BUILTIN(left_out)
{
	(void)args;
	mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "filter '%s' is not supported", b->name);
}

static const struct jinja_builtin filters[] = {
	{.name = "attr", .call = attr, .parameters = "name", .required = 1},
	{.name = "count", .call = length, .parameters = ""},
	{.name = "d", .call = default_, .parameters = "default_value boolean"},
	{.name = "default", .call = default_, .parameters = "default_value boolean"},
	{.name = "dictsort", .call = dictsort, .parameters = "case_sensitive by reverse"},
	{.name = "first", .call = first, .parameters = ""},
	{.name = "groupby", .call = groupby, .parameters = "attribute default case_sensitive", .required = 1},
	{.name = "last", .call = reverse, .parameters = "", .detail = 1},
	{.name = "length", .call = length, .parameters = ""},
	{.name = "list", .call = list, .parameters = ""},
	{.name = "max", .call = extreme, .parameters = "case_sensitive attribute", .detail = 1},
	{.name = "min", .call = extreme, .parameters = "case_sensitive attribute"},
	{.name = "pprint", .call = left_out, .parameters = ""},
	{.name = "random", .call = left_out, .parameters = ""},
	{.name = "reverse", .call = reverse, .parameters = ""},
	{.name = "sort", .call = sort, .parameters = "reverse case_sensitive attribute"},
	{.name = "sum", .call = sum, .parameters = "attribute start"},
	{.name = "urlize", .call = left_out, .parameters = "trim_url_limit nofollow target rel extra_schemes"},
	{.name = "wordwrap", .call = left_out, .parameters = "width break_long_words wrapstring break_on_hyphens"},
};

const struct jinja_builtin *mote_jinja_find_sequence_filter(const char *name, size_t bytes)
{
	return mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);
}
