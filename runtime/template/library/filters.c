/* Filters on sequences and mappings. Those that are generators in Jinja2 are so here: they have no
 * length, and complain when they are consumed.
 */
#include "runtime/template/template_internal.h"

#define CALL(name) \
	static struct jinja_value name(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)

static bool given(struct jinja_value v)
{
	return v.kind != JINJA_ABSENT && v.kind != JINJA_NONE;
}

/* ---- attributes by path: "a.b.0" ---- */

struct path {
	struct jinja_value *parts;
	size_t count;
	struct jinja_value fallback; /* for what is undefined on the way, or ABSENT */
};

static struct path make_path(struct jinja *j, const struct jinja_text *t, struct jinja_value index)
{
	struct path p = { .fallback = { .kind = JINJA_ABSENT } };
	size_t from = 0, to;
	struct jinja_value v;

	if (!t && !given(index))
		return p;
	p.parts = mote_jinja_alloc_array(j, t ? t->bytes + 1 : 1, sizeof *p.parts);
	if (!t) {
		p.parts[p.count++] = index;
		return p;
	}
	for (;; from = to + 1) {
		for (to = from; to < t->bytes && t->at[to] != '.'; to++)
			;
		v = mote_jinja_string(mote_jinja_slice(j, t, from, to));
		for (size_t i = from; i < to && t->at[i] >= '0' && t->at[i] <= '9'; i++)
			if (i + 1 == to)
				mote_jinja_parse_int(j, t->at + from, to - from, 10, &v);
		p.parts[p.count++] = v;
		if (to == t->bytes)
			return p;
	}
}

static struct path attribute_path(struct jinja *j, struct jinja_value attribute)
{
	return make_path(j, attribute.kind == JINJA_STRING ? attribute.text : NULL, attribute);
}

static struct jinja_value follow(struct jinja *j, const struct path *p, struct jinja_value v)
{
	for (size_t i = 0; i < p->count; i++) {
		v = mote_jinja_getitem(j, v, p->parts[i]);
		if (v.kind == JINJA_UNDEFINED && given(p->fallback))
			v = p->fallback;
	}
	return v;
}

static struct jinja_value fold(struct jinja *j, struct jinja_value v, bool case_sensitive)
{
	if (!case_sensitive && v.kind == JINJA_STRING)
		v.text = mote_jinja_recase(j, v.text, JINJA_TO_LOWER);
	return v;
}

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
	struct keys k = { .keys = keys, .reverse = reverse.kind != JINJA_ABSENT && mote_jinja_need_int(j, reverse, "reverse") };
	struct jinja_list *l = mote_jinja_new_list(j, items->count);
	size_t *order = mote_jinja_alloc_array(j, items->count, sizeof *order);

	mote_jinja_sort(j, order, items->count, less, &k);
	for (size_t i = 0; i < items->count; i++)
		mote_jinja_append(j, l, items->items[order[i]]);
	return l;
}

CALL(sort)
{
	struct jinja_list *items = mote_jinja_collect(j, args[0]), *key;
	struct jinja_value *keys = mote_jinja_alloc_array(j, items->count, sizeof *keys);
	const struct jinja_text *t = args[3].kind == JINJA_STRING ? args[3].text : NULL;
	size_t n = 0, from = 0, to;
	struct path *paths;

	(void)b;
	paths = mote_jinja_alloc_array(j, t ? t->bytes + 1 : 1, sizeof *paths);
	if (!t)
		paths[n++] = attribute_path(j, args[3]);
	for (; t && from <= t->bytes; from = to + 1) { /* "a,b.c": by a, then by b.c */
		for (to = from; to < t->bytes && t->at[to] != ','; to++)
			;
		paths[n++] = make_path(j, mote_jinja_slice(j, t, from, to), args[3]);
	}
	for (size_t i = 0; i < items->count; i++) {
		key = mote_jinja_new_list(j, n);
		for (size_t k = 0; k < n; k++)
			mote_jinja_append(
				j, key,
				fold(j, follow(j, &paths[k], items->items[i]), mote_jinja_truth(j, args[2])));
		keys[i] = mote_jinja_list(key);
	}
	return mote_jinja_list(sorted(j, items, keys, args[1]));
}

CALL(dictsort)
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
		keys[i] = fold(j, by_value ? e->value : e->key, mote_jinja_truth(j, args[1]));
	}
	return mote_jinja_list(sorted(j, items, keys, args[3]));
}

CALL(groupby)
{
	struct path path = attribute_path(j, args[1]);
	struct jinja_list *items = mote_jinja_collect(j, args[0]), *out = mote_jinja_new_list(j, 0), *group, *pair;
	struct jinja_value *keys = mote_jinja_alloc_array(j, items->count, sizeof *keys), key, last = { .kind = JINJA_ABSENT };
	bool case_sensitive = mote_jinja_truth(j, args[3]);

	(void)b;
	path.fallback = args[2];
	for (size_t i = 0; i < items->count; i++)
		keys[i] = fold(j, follow(j, &path, items->items[i]), case_sensitive);
	items = sorted(j, items, keys, (struct jinja_value){ .kind = JINJA_ABSENT });
	group = NULL;
	for (size_t i = 0; i < items->count; i++) {
		key = fold(j, follow(j, &path, items->items[i]), case_sensitive);
		if (!group || !mote_jinja_equal(j, key, last)) {
			group = mote_jinja_new_list(j, 0);
			pair = mote_jinja_new_list(j, 2);
			pair->group = true;
			mote_jinja_append(j, pair, follow(j, &path, items->items[i]));
			mote_jinja_append(j, pair, mote_jinja_list(group));
			mote_jinja_append(j, out, mote_jinja_tuple(pair));
			last = key;
		}
		mote_jinja_append(j, group, items->items[i]);
	}
	return mote_jinja_list(out);
}

CALL(extreme) /* min, max */
{
	struct path path = attribute_path(j, args[2]);
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value best, best_key, v, key;
	bool case_sensitive = mote_jinja_truth(j, args[1]);

	if (!mote_jinja_next(j, &it, &best))
		return mote_jinja_undefined(j, "no aggregated item, the sequence was empty", NULL, JINJA_ABSENT);
	best_key = fold(j, follow(j, &path, best), case_sensitive);
	while (mote_jinja_next(j, &it, &v)) {
		key = fold(j, follow(j, &path, v), case_sensitive);
		if (mote_jinja_order(j, key, best_key, b->detail ? JINJA_GT : JINJA_LT)) {
			best = v;
			best_key = key;
		}
	}
	return best;
}

CALL(sum)
{
	struct path path = attribute_path(j, args[1]);
	struct jinja_value total = args[2].kind == JINJA_ABSENT ? mote_jinja_int(0) : args[2], v;
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);

	(void)b;
	if (total.kind == JINJA_STRING)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "sum cannot add strings");
	while (mote_jinja_next(j, &it, &v))
		total = mote_jinja_arithmetic(j, JINJA_ADD, total, follow(j, &path, v));
	return total;
}

/* ---- generators ---- */

static void run_unique(struct jinja *j, struct jinja_generator *g)
{
	struct jinja_value *args = g->args.values, v, key;
	struct path path = attribute_path(j, args[2]);
	struct jinja_dict *seen = mote_jinja_new_dict(j);
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);

	while (mote_jinja_next(j, &it, &v)) {
		key = fold(j, follow(j, &path, v), mote_jinja_truth(j, args[1]));
		if (mote_jinja_get(j, seen, key))
			continue;
		mote_jinja_set(j, seen, key, mote_jinja_none());
		mote_jinja_append(j, &g->list, v);
	}
}

static void run_items(struct jinja *j, struct jinja_generator *g)
{
	struct jinja_value v = g->args.values[0];

	if (v.kind == JINJA_UNDEFINED)
		return;
	if (v.kind != JINJA_DICT)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "can only get item pairs from a mapping, not from %s",
				mote_jinja_type(v));
	for (uint32_t i = 0; i < v.dict->count; i++)
		mote_jinja_append(j, &g->list, mote_jinja_pair(j, v.dict->entries[i].key, v.dict->entries[i].value));
}

static void run_batch(struct jinja *j, struct jinja_generator *g)
{
	struct jinja_value *args = g->args.values, v;
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_list *row = mote_jinja_new_list(j, 0);
	int64_t width;

	while (mote_jinja_next(j, &it, &v)) {
		if (mote_jinja_equal(j, mote_jinja_int((int64_t)row->count), args[1])) {
			mote_jinja_append(j, &g->list, mote_jinja_list(row));
			row = mote_jinja_new_list(j, 0);
		}
		mote_jinja_append(j, row, v);
	}
	if (!row->count)
		return;
	if (given(args[2])) {
		width = mote_jinja_need_int(j, args[1], "batch size");
		while ((int64_t)row->count < width)
			mote_jinja_append(j, row, args[2]);
	}
	mote_jinja_append(j, &g->list, mote_jinja_list(row));
}

static void run_slice(struct jinja *j, struct jinja_generator *g)
{
	struct jinja_value *args = g->args.values;
	struct jinja_list *items = mote_jinja_collect(j, args[0]), *column;
	int64_t slices = mote_jinja_need_int(j, args[1], "number of slices"), length = (int64_t)items->count,
		extra, each;
	size_t at = 0, end;

	if (!slices)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "division by zero");
	if (slices < 0)
		return;
	each = length / slices;
	extra = length % slices;
	for (int64_t i = 0; i < slices; i++) {
		column = mote_jinja_new_list(j, 0);
		for (end = at + (size_t)each + (i < extra); at < end; at++)
			mote_jinja_append(j, column, items->items[at]);
		if (given(args[2]) && i >= extra)
			mote_jinja_append(j, column, args[2]);
		mote_jinja_append(j, &g->list, mote_jinja_list(column));
	}
}

CALL(lazy) /* arguments bound now, work done when the first element is asked for */
{
	static const struct {
		const char *type;
		void (*run)(struct jinja *j, struct jinja_generator *g);
	} generators[] = { { "sync_do_unique", run_unique }, { "do_items", run_items }, { "do_batch", run_batch },
			   { "sync_do_slice", run_slice } };
	struct jinja_args kept = { .count = 3 };

	kept.values = mote_jinja_alloc_array(j, 3, sizeof *kept.values);
	memcpy(kept.values, args, 3 * sizeof *kept.values);
	return mote_jinja_generator(j, generators[b->detail].type, generators[b->detail].run, b, &kept);
}

static const struct jinja_builtin *named(struct jinja *j, struct jinja_value name, bool filter)
{
	const struct jinja_builtin *found;
	const struct jinja_text *t = mote_jinja_need_text(j, name, filter ? "filter name" : "test name");

	found = filter ? mote_jinja_find_filter(t->at, t->bytes) : mote_jinja_find_test(t->at, t->bytes);
	if (!found)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "no %s named '%.*s'", filter ? "filter" : "test",
				(int)(t->bytes < 100 ? t->bytes : 100), t->at);
	return found;
}

/* What follows the first skip arguments, behind item: the call of a named filter or test. */
static struct jinja_value apply(struct jinja *j, const struct jinja_builtin *f, const char *kind,
				const struct jinja_args *from, size_t skip, struct jinja_value item)
{
	struct jinja_args args = *from;

	args.count = from->count - skip;
	args.values = mote_jinja_alloc_array(j, args.count, sizeof *args.values);
	args.values[0] = item;
	memcpy(args.values + 1, from->values + skip + 1, (args.count - 1) * sizeof *args.values);
	return mote_jinja_invoke(j, f, kind, &args);
}

static const struct jinja_value *keyword(const struct jinja_args *args, const char *name)
{
	for (size_t i = 0; i < args->n_keywords; i++)
		if (mote_jinja_text_is(args->keywords[i].name, name))
			return &args->keywords[i].value;
	return NULL;
}

static void run_map(struct jinja *j, struct jinja_generator *g)
{
	const struct jinja_value *attribute = keyword(&g->args, "attribute"),
				 *fallback = keyword(&g->args, "default");
	const struct jinja_builtin *f = NULL;
	struct path path = { 0 };
	struct jinja_iter it;
	struct jinja_value v;

	if (!mote_jinja_truth(j, g->args.values[0]))
		return;
	if (g->args.count > 1) {
		f = named(j, g->args.values[1], true);
	} else if (attribute) {
		path = attribute_path(j, *attribute);
		if (fallback)
			path.fallback = *fallback;
		if (g->args.n_keywords > 1u + (fallback != NULL))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "map has an unexpected keyword argument");
	} else {
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "map needs a filter's name or an attribute");
	}
	for (it = mote_jinja_iterate(j, g->args.values[0]); mote_jinja_next(j, &it, &v);)
		mote_jinja_append(j, &g->list, f ? apply(j, f, "filter", &g->args, 1, v) : follow(j, &path, v));
}

enum { BY_ATTRIBUTE = 1, REJECT = 2 };

static void run_select(struct jinja *j, struct jinja_generator *g)
{
	size_t skip = g->builtin->detail & BY_ATTRIBUTE ? 1 : 0;
	const struct jinja_builtin *test = NULL;
	struct path path = { 0 };
	struct jinja_iter it;
	struct jinja_value v, of, result;

	if (!mote_jinja_truth(j, g->args.values[0]))
		return;
	if (g->args.count < 1 + skip)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s needs the name of an attribute", g->builtin->name);
	if (skip)
		path = attribute_path(j, g->args.values[1]);
	if (g->args.count > 1 + skip)
		test = named(j, g->args.values[1 + skip], false);
	for (it = mote_jinja_iterate(j, g->args.values[0]); mote_jinja_next(j, &it, &v);) {
		of = follow(j, &path, v);
		result = test ? apply(j, test, "test", &g->args, 1 + skip, of) : of;
		if (mote_jinja_truth(j, result) != ((g->builtin->detail & REJECT) != 0))
			mote_jinja_append(j, &g->list, v);
	}
}

static struct jinja_value map(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	return mote_jinja_generator(j, "sync_do_map", run_map, b, args);
}

static struct jinja_value select_(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	return mote_jinja_generator(j, "select_or_reject", run_select, b, args);
}

/* ---- elements ---- */

CALL(first)
{
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);
	struct jinja_value v;

	(void)b;
	return mote_jinja_next(j, &it, &v) ? v :
		mote_jinja_undefined(j, "no first item, the sequence was empty", NULL, JINJA_ABSENT);
}

CALL(reverse)
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

CALL(list)
{
	(void)b;
	return mote_jinja_list(mote_jinja_collect(j, args[0]));
}

CALL(length)
{
	int64_t n = mote_jinja_length(j, args[0]);

	(void)b;
	if (args[0].kind == JINJA_LOOP)
		return mote_jinja_loop_attribute(j, args[0].loop, mote_jinja_text(j, "length", 6, false));
	if (n < 0)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "object of type '%s' has no length", mote_jinja_type(args[0]));
	return mote_jinja_int(n);
}

CALL(attr)
{
	const struct jinja_text *name = mote_jinja_need_text(j, args[1], "attribute name");

	(void)b;
	if (args[0].kind == JINJA_DICT && !mote_jinja_find_method(args[0], name) &&
	    !mote_jinja_mutates(args[0], name))
		return mote_jinja_undefined(j, NULL, name, JINJA_DICT); /* a key is no attribute */
	return mote_jinja_getattr(j, args[0], args[1]);
}

CALL(default_)
{
	bool boolean = mote_jinja_truth(j, args[2]);

	(void)b;
	if (args[0].kind != JINJA_UNDEFINED && !(boolean && !mote_jinja_truth(j, args[0])))
		return args[0];
	return args[1].kind == JINJA_ABSENT ? mote_jinja_literal(j, "") : args[1];
}

CALL(left_out)
{
	(void)args;
	mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "filter '%s' is not supported", b->name);
}

static const struct jinja_builtin filters[] = {
	{ .name = "attr", .call = attr, .parameters = "name", .required = 1 },
	{ .name = "batch", .call = lazy, .parameters = "linecount fill_with", .required = 1, .detail = 2 },
	{ .name = "count", .call = length, .parameters = "" },
	{ .name = "d", .call = default_, .parameters = "default_value boolean" },
	{ .name = "default", .call = default_, .parameters = "default_value boolean" },
	{ .name = "dictsort", .call = dictsort, .parameters = "case_sensitive by reverse" },
	{ .name = "first", .call = first, .parameters = "" },
	{ .name = "groupby", .call = groupby, .parameters = "attribute default case_sensitive", .required = 1 },
	{ .name = "items", .call = lazy, .parameters = "", .detail = 1 },
	{ .name = "last", .call = reverse, .parameters = "", .detail = 1 },
	{ .name = "length", .call = length, .parameters = "" },
	{ .name = "list", .call = list, .parameters = "" },
	{ .name = "map", .raw = map },
	{ .name = "max", .call = extreme, .parameters = "case_sensitive attribute", .detail = 1 },
	{ .name = "min", .call = extreme, .parameters = "case_sensitive attribute" },
	{ .name = "pprint", .call = left_out, .parameters = "" },
	{ .name = "random", .call = left_out, .parameters = "" },
	{ .name = "reject", .raw = select_, .detail = REJECT },
	{ .name = "rejectattr", .raw = select_, .detail = REJECT | BY_ATTRIBUTE },
	{ .name = "reverse", .call = reverse, .parameters = "" },
	{ .name = "select", .raw = select_ },
	{ .name = "selectattr", .raw = select_, .detail = BY_ATTRIBUTE },
	{ .name = "slice", .call = lazy, .parameters = "slices fill_with", .required = 1, .detail = 3 },
	{ .name = "sort", .call = sort, .parameters = "reverse case_sensitive attribute" },
	{ .name = "sum", .call = sum, .parameters = "attribute start" },
	{ .name = "unique", .call = lazy, .parameters = "case_sensitive attribute" },
	{ .name = "urlize", .call = left_out, .parameters = "trim_url_limit nofollow target rel extra_schemes" },
	{ .name = "wordwrap", .call = left_out, .parameters = "width break_long_words wrapstring break_on_hyphens" },
};

const struct jinja_builtin *mote_jinja_find_filter(const char *name, size_t bytes)
{
	const struct jinja_builtin *found =
		mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);

	if (!found && bytes == 6 && !memcmp(name, "tojson", 6))
		return &mote_jinja_tojson;
	if (!found)
		found = mote_jinja_find_number_filter(name, bytes);
	return found ? found : mote_jinja_find_text_filter(name, bytes);
}
