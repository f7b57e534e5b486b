/* Values as Python compares, hashes, orders and iterates them; lists and dicts. */
#include "runtime/text/template_internal.h"

struct jinja_value mote_jinja_none(void)
{
	return (struct jinja_value){ .kind = JINJA_NONE };
}

struct jinja_value mote_jinja_bool(bool b)
{
	return (struct jinja_value){ .kind = JINJA_BOOL, .boolean = b };
}

struct jinja_value mote_jinja_int(int64_t i)
{
	return (struct jinja_value){ .kind = JINJA_INT, .integer = i };
}

struct jinja_value mote_jinja_float(double f)
{
	return (struct jinja_value){ .kind = JINJA_FLOAT, .real = f };
}

struct jinja_value mote_jinja_string(const struct jinja_text *t)
{
	return (struct jinja_value){ .kind = JINJA_STRING, .text = t };
}

struct jinja_value mote_jinja_literal(struct jinja *j, const char *s)
{
	return mote_jinja_string(mote_jinja_text(j, s, strlen(s), false));
}

struct jinja_value mote_jinja_list(const struct jinja_list *l)
{
	return (struct jinja_value){ .kind = JINJA_LIST, .list = l };
}

struct jinja_value mote_jinja_tuple(const struct jinja_list *l)
{
	return (struct jinja_value){ .kind = JINJA_TUPLE, .list = l };
}

struct jinja_value mote_jinja_dict(struct jinja_dict *d)
{
	return (struct jinja_value){ .kind = JINJA_DICT, .dict = d };
}

/* ---- undefined, and other failures ---- */

struct jinja_value mote_jinja_undefined(struct jinja *j, const char *hint, const struct jinja_text *name,
					enum jinja_kind owner)
{
	struct jinja_undefined *u = mote_jinja_alloc(j, sizeof *u);

	*u = (struct jinja_undefined){ .hint = hint, .name = name, .owner = (uint8_t)owner };
	return (struct jinja_value){ .kind = JINJA_UNDEFINED, .undefined = u };
}

static const char *type_name(enum jinja_kind kind)
{
	static const char *const names[] = { "nothing", "Undefined", "NoneType", "bool", "int", "int", "float", "str", "list",
					     "tuple", "dict", "dict view", "range", "generator", "Namespace", "Macro",
					     "function", "LoopContext", "Cycler", "Joiner" };

	return names[kind];
}

const char *mote_jinja_type(struct jinja_value v)
{
	if (v.kind == JINJA_VIEW)
		return v.view->of == JINJA_KEYS ? "dict_keys" : v.view->of == JINJA_VALUES ? "dict_values" : "dict_items";
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
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s object' has no attribute '%.*s'", type_name(u->owner), bytes, u->name->at);
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

bool mote_jinja_equal(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	bool equal;

	mote_jinja_charge(j, 1);
	if (mote_jinja_is_number(a) && mote_jinja_is_number(b))
		return mote_jinja_compare_numbers(a, b) == 0;
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

static bool order_lists(struct jinja *j, const struct jinja_list *a, const struct jinja_list *b, enum jinja_compare how)
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
	if (a.view->dict->count > b.view->dict->count || (how == JINJA_LT && a.view->dict->count == b.view->dict->count))
		return false;
	for (it = mote_jinja_iterate(j, a); mote_jinja_next(j, &it, &v);)
		if (!mote_jinja_contains(j, b, v))
			return false;
	return true;
}

bool mote_jinja_order(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how)
{
	static const char *const signs[] = { "==", "!=", "<", "<=", ">", ">=" };
	size_t shorter;
	int order;

	mote_jinja_charge(j, 1);
	if (mote_jinja_is_number(a) && mote_jinja_is_number(b))
		return holds(mote_jinja_compare_numbers(a, b), how);
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

/* ---- lists ---- */

struct jinja_list *mote_jinja_new_list(struct jinja *j, size_t capacity)
{
	struct jinja_list *l = mote_jinja_alloc(j, sizeof *l);

	l->capacity = capacity;
	l->items = mote_jinja_alloc_array(j, capacity, sizeof *l->items);
	return l;
}

void mote_jinja_append(struct jinja *j, struct jinja_list *l, struct jinja_value v)
{
	struct jinja_value *grown;

	if (l->count == l->capacity) {
		l->capacity = l->capacity ? l->capacity * 2 : 8;
		grown = mote_jinja_alloc_array(j, l->capacity, sizeof *grown);
		if (l->count)
			memcpy(grown, l->items, l->count * sizeof *grown);
		l->items = grown;
	}
	mote_jinja_charge(j, 1);
	l->items[l->count++] = v;
}

struct jinja_value mote_jinja_pair(struct jinja *j, struct jinja_value a, struct jinja_value b)
{
	struct jinja_list *l = mote_jinja_new_list(j, 2);

	mote_jinja_append(j, l, a);
	mote_jinja_append(j, l, b);
	return mote_jinja_tuple(l);
}

static void merge(struct jinja *j, size_t *order, size_t *scratch, size_t count,
		  bool (*less)(struct jinja *j, void *user, size_t a, size_t b), void *user)
{
	size_t half = count / 2, left = 0, right = half, n = 0;

	if (count < 2)
		return;
	merge(j, order, scratch, half, less, user);
	merge(j, order + half, scratch, count - half, less, user);
	while (left < half && right < count)
		scratch[n++] = less(j, user, order[right], order[left]) ? order[right++] : order[left++];
	while (left < half)
		scratch[n++] = order[left++];
	memcpy(order, scratch, n * sizeof *order);
}

void mote_jinja_sort(struct jinja *j, size_t *order, size_t count,
		     bool (*less)(struct jinja *j, void *user, size_t a, size_t b), void *user)
{
	size_t *scratch = mote_jinja_alloc_array(j, count, sizeof *scratch);

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	merge(j, order, scratch, count, less, user);
}

/* ---- dicts ---- */

struct jinja_dict *mote_jinja_new_dict(struct jinja *j)
{
	return mote_jinja_alloc(j, sizeof(struct jinja_dict));
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* Numbers which are equal hash alike, whatever their type. */
static uint64_t hash_number(struct jinja_value v)
{
	uint64_t bits;
	double x;

	if (v.kind == JINJA_BOOL)
		return mix(v.boolean);
	if (v.kind == JINJA_INT)
		return mix((uint64_t)v.integer);
	x = v.real;
	if (x >= -9007199254740992.0 && x <= 9007199254740992.0 && x == (double)(int64_t)x)
		return mix((uint64_t)(int64_t)x);
	memcpy(&bits, &x, sizeof bits);
	return mix(bits + 1);
}

bool mote_jinja_hash(struct jinja *j, struct jinja_value v, uint64_t *hash)
{
	uint64_t h, each;
	bool hashable = true;

	switch (v.kind) {
	case JINJA_LIST:
	case JINJA_DICT:
	case JINJA_VIEW:
		return false;
	case JINJA_BOOL:
	case JINJA_INT:
	case JINJA_FLOAT:
		*hash = hash_number(v);
		return true;
	case JINJA_BIG:
	case JINJA_STRING:
		h = 14695981039346656037u;
		mote_jinja_charge(j, v.text->bytes >> 5);
		for (size_t i = 0; i < v.text->bytes; i++)
			h = (h ^ (unsigned char)v.text->at[i]) * 1099511628211u;
		*hash = mix(h);
		return true;
	case JINJA_TUPLE:
		h = 0x345678;
		mote_jinja_enter(j, JINJA_MAX_DEPTH);
		for (size_t i = 0; i < v.list->count && hashable; i++) {
			hashable = mote_jinja_hash(j, v.list->items[i], &each);
			h = mix(h ^ each) + i;
			mote_jinja_charge(j, 1);
		}
		j->depth--;
		*hash = h;
		return hashable;
	default: /* by identity */
		*hash = v.kind;
		return true;
	}
}

static bool same_key(struct jinja *j, const struct jinja_entry *e, uint64_t hash, struct jinja_value key)
{
	mote_jinja_charge(j, 1);
	return e->hash == hash && mote_jinja_equal(j, e->key, key);
}

static struct jinja_value *find(struct jinja *j, const struct jinja_dict *d, struct jinja_value key, uint64_t hash)
{
	uint32_t slot, entry;

	if (!d->n_slots) {
		for (uint32_t i = 0; i < d->count; i++)
			if (same_key(j, &d->entries[i], hash, key))
				return &d->entries[i].value;
		return NULL;
	}
	for (slot = (uint32_t)hash & (d->n_slots - 1); (entry = d->slots[slot]); slot = (slot + 1) & (d->n_slots - 1))
		if (same_key(j, &d->entries[entry - 1], hash, key))
			return &d->entries[entry - 1].value;
	return NULL;
}

static uint64_t need_hash(struct jinja *j, struct jinja_value key)
{
	uint64_t hash;

	if (!mote_jinja_hash(j, key, &hash))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unhashable type: '%s'", mote_jinja_type(key));
	return hash;
}

const struct jinja_value *mote_jinja_get(struct jinja *j, const struct jinja_dict *d, struct jinja_value key)
{
	return find(j, d, key, need_hash(j, key));
}

static void add_slot(struct jinja *j, struct jinja_dict *d, uint32_t entry)
{
	uint32_t slot = (uint32_t)d->entries[entry].hash & (d->n_slots - 1);

	for (; d->slots[slot]; slot = (slot + 1) & (d->n_slots - 1))
		mote_jinja_charge(j, 1);
	d->slots[slot] = entry + 1;
}

void mote_jinja_set(struct jinja *j, struct jinja_dict *d, struct jinja_value key, struct jinja_value value)
{
	uint64_t hash = need_hash(j, key);
	struct jinja_value *found = find(j, d, key, hash);
	struct jinja_entry *grown;

	if (found) {
		*found = value;
		return;
	}
	if (d->count == d->capacity) {
		if (d->capacity > UINT32_MAX / 8)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
		d->capacity = d->capacity ? d->capacity * 2 : 4;
		grown = mote_jinja_alloc_array(j, d->capacity, sizeof *grown);
		if (d->count)
			memcpy(grown, d->entries, d->count * sizeof *grown);
		d->entries = grown;
		if (d->capacity > 8) {
			d->n_slots = d->capacity * 2;
			d->slots = mote_jinja_alloc_array(j, d->n_slots, sizeof *d->slots);
			for (uint32_t i = 0; i < d->count; i++)
				add_slot(j, d, i);
		}
	}
	d->entries[d->count++] = (struct jinja_entry){ .hash = hash, .key = key, .value = value };
	if (d->n_slots)
		add_slot(j, d, d->count - 1);
}

struct jinja_value mote_jinja_copy_dict(struct jinja *j, const struct jinja_dict *d, bool plain)
{
	struct jinja_value v = mote_jinja_dict(mote_jinja_new_dict(j));

	v.plain = plain;
	for (uint32_t i = 0; i < d->count; i++)
		mote_jinja_set(j, v.dict, d->entries[i].key, d->entries[i].value);
	return v;
}

/* ---- iteration ---- */

bool mote_jinja_iterable(struct jinja_value v)
{
	return v.kind == JINJA_GENERATOR || v.kind == JINJA_UNDEFINED || v.kind == JINJA_STRING || v.kind == JINJA_LIST ||
	       v.kind == JINJA_TUPLE || v.kind == JINJA_DICT || v.kind == JINJA_VIEW || v.kind == JINJA_RANGE;
}

struct jinja_iter mote_jinja_iterate(struct jinja *j, struct jinja_value v)
{
	if (!mote_jinja_iterable(v))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' object is not iterable", mote_jinja_type(v));
	return (struct jinja_iter){ .of = v };
}

static bool next_generated(struct jinja *j, struct jinja_generator *g, struct jinja_value *out)
{
	void (*run)(struct jinja *, struct jinja_generator *) = g->run;

	if (run) {
		g->run = NULL;
		mote_jinja_enter(j, JINJA_MAX_DEPTH);
		run(j, g);
		j->depth--;
	}
	if (g->next >= g->list.count)
		return false;
	*out = g->list.items[g->next++];
	return true;
}

static struct jinja_value entry_of(struct jinja *j, const struct jinja_view *view, size_t i)
{
	const struct jinja_entry *e = &view->dict->entries[i];

	return view->of == JINJA_KEYS ? e->key : view->of == JINJA_VALUES ? e->value : mote_jinja_pair(j, e->key, e->value);
}

bool mote_jinja_next(struct jinja *j, struct jinja_iter *it, struct jinja_value *out)
{
	size_t at = it->at, length;

	mote_jinja_charge(j, 1);
	switch (it->of.kind) {
	case JINJA_STRING:
		if (at >= it->of.text->bytes)
			return false;
		mote_jinja_decode(it->of.text->at + at, &length);
		*out = mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_slice(j, it->of.text, at, at + length), false));
		it->at += length;
		return true;
	case JINJA_LIST:
	case JINJA_TUPLE:
		if (at >= it->of.list->count)
			return false;
		*out = it->of.list->items[at];
		break;
	case JINJA_DICT:
		if (at >= it->of.dict->count)
			return false;
		*out = it->of.dict->entries[at].key;
		break;
	case JINJA_VIEW:
		if (at >= it->of.view->dict->count)
			return false;
		*out = entry_of(j, it->of.view, at);
		break;
	case JINJA_RANGE:
		if (at >= (size_t)it->of.range->count)
			return false;
		*out = mote_jinja_int(it->of.range->start + (int64_t)at * it->of.range->step);
		break;
	case JINJA_GENERATOR:
		return next_generated(j, it->of.generator, out);
	default: /* undefined */
		return false;
	}
	it->at++;
	return true;
}

struct jinja_list *mote_jinja_collect(struct jinja *j, struct jinja_value v)
{
	struct jinja_iter it = mote_jinja_iterate(j, v);
	int64_t length = mote_jinja_length(j, v);
	struct jinja_list *l = mote_jinja_new_list(j, length > 0 ? (size_t)length : 0);
	struct jinja_value item;

	while (mote_jinja_next(j, &it, &item))
		mote_jinja_append(j, l, item);
	return l;
}

struct jinja_value mote_jinja_generator(struct jinja *j, const char *type,
					void (*run)(struct jinja *, struct jinja_generator *),
					const struct jinja_builtin *b, const struct jinja_args *args)
{
	struct jinja_generator *g = mote_jinja_alloc(j, sizeof *g);

	g->type = type;
	g->run = run;
	g->builtin = b;
	if (args)
		g->args = *args;
	return (struct jinja_value){ .kind = JINJA_GENERATOR, .generator = g };
}

struct jinja_value mote_jinja_list_generator(struct jinja *j, const char *type, const struct jinja_list *l)
{
	struct jinja_value v = mote_jinja_generator(j, type, NULL, NULL, NULL);

	v.generator->list = *l;
	return v;
}
