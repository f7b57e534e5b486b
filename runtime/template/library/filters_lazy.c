/* Filters that are generators in Jinja2, and so here: they have no length, and complain when they are consumed. */
#include "runtime/template/library/library.h"
#include "runtime/template/library/path.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"

static void run_unique(struct jinja *j, struct jinja_generator *g)
{
	struct jinja_value *args = g->args.values, v, key;
	struct jinja_path path = mote_jinja_attribute_path(j, args[2]);
	struct jinja_dict *seen = mote_jinja_new_dict(j);
	struct jinja_iter it = mote_jinja_iterate(j, args[0]);

	while (mote_jinja_next(j, &it, &v)) {
		key = mote_jinja_fold(j, mote_jinja_follow(j, &path, v), mote_jinja_truth(j, args[1]));
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
	if (mote_jinja_given(args[2])) {
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
		if (mote_jinja_given(args[2]) && i >= extra)
			mote_jinja_append(j, column, args[2]);
		mote_jinja_append(j, &g->list, mote_jinja_list(column));
	}
}

JINJA_BUILTIN(lazy) /* arguments bound now, work done when the first element is asked for */
{
	static const struct {
		const char *type;
		void (*run)(struct jinja *j, struct jinja_generator *g);
	} generators[] = { {"sync_do_unique", run_unique}, {"do_items", run_items}, {"do_batch", run_batch},
			   {"sync_do_slice", run_slice} };
	struct jinja_args kept = {.count = 3};

	kept.values = mote_jinja_alloc_array(j, 3, sizeof *kept.values);
	memcpy(kept.values, args, 3 * sizeof *kept.values);
	return mote_jinja_generator(j, generators[b->detail].type, generators[b->detail].run, b, &kept);
}

static const struct jinja_builtin *named(struct jinja *j, struct jinja_value name, bool filter)
{
	const struct jinja_builtin *found;
	const struct jinja_text *t = mote_jinja_need_text(j, name, filter ? "filter name" : "test name");

	found = filter ? j->library->find_filter(t->at, t->bytes) : j->library->find_test(t->at, t->bytes);
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
	struct jinja_path path = {0};
	struct jinja_iter it;
	struct jinja_value v;

	if (!mote_jinja_truth(j, g->args.values[0]))
		return;
	if (g->args.count > 1) {
		f = named(j, g->args.values[1], true);
	} else if (attribute) {
		path = mote_jinja_attribute_path(j, *attribute);
		if (fallback)
			path.fallback = *fallback;
		if (g->args.n_keywords > 1u + (fallback != NULL))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "map has an unexpected keyword argument");
	} else {
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "map needs a filter's name or an attribute");
	}
	for (it = mote_jinja_iterate(j, g->args.values[0]); mote_jinja_next(j, &it, &v);)
		mote_jinja_append(j, &g->list,
				  f ? apply(j, f, "filter", &g->args, 1, v) : mote_jinja_follow(j, &path, v));
}

enum { BY_ATTRIBUTE = 1, REJECT = 2 };

static void run_select(struct jinja *j, struct jinja_generator *g)
{
	size_t skip = g->builtin->detail & BY_ATTRIBUTE ? 1 : 0;
	const struct jinja_builtin *test = NULL;
	struct jinja_path path = {0};
	struct jinja_iter it;
	struct jinja_value v, of, result;

	if (!mote_jinja_truth(j, g->args.values[0]))
		return;
	if (g->args.count < 1 + skip)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s needs the name of an attribute", g->builtin->name);
	if (skip)
		path = mote_jinja_attribute_path(j, g->args.values[1]);
	if (g->args.count > 1 + skip)
		test = named(j, g->args.values[1 + skip], false);
	for (it = mote_jinja_iterate(j, g->args.values[0]); mote_jinja_next(j, &it, &v);) {
		of = mote_jinja_follow(j, &path, v);
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

const struct jinja_builtin *mote_jinja_find_lazy_filter(const char *name, size_t bytes)
{
	static const struct jinja_builtin filters[] = {
		{.name = "batch", .call = lazy, .parameters = "linecount fill_with", .required = 1, .detail = 2},
		{.name = "items", .call = lazy, .parameters = "", .detail = 1},
		{.name = "map", .raw = map},
		{.name = "reject", .raw = select_, .detail = REJECT},
		{.name = "rejectattr", .raw = select_, .detail = REJECT | BY_ATTRIBUTE},
		{.name = "select", .raw = select_},
		{.name = "selectattr", .raw = select_, .detail = BY_ATTRIBUTE},
		{.name = "slice", .call = lazy, .parameters = "slices fill_with", .required = 1, .detail = 3},
		{.name = "unique", .call = lazy, .parameters = "case_sensitive attribute"},
	};

	return mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);
}
