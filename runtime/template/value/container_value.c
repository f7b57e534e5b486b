/* Lists, dicts, and iteration over all that can be iterated.
 *
 * A dict is an array in order of insertion. Up to eight entries are searched one by one; from then on there are twice
 * as many slots as entries have room, a power of two, each an index + 1, found from the hash by linear probing.
 * Nothing is ever removed, so a probe ends at the first empty slot.
 */
#include "runtime/template/value/container_value.h"

#include "format/utf8.h"
#include "runtime/template/value/builtin.h"
#include "runtime/template/value/compare.h"

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
	if (x >= -0x1p63 && x < 0x1p63 && x == (double)(int64_t)x)
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
	d->entries[d->count++] = (struct jinja_entry){.hash = hash, .key = key, .value = value};
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
	return v.kind == JINJA_GENERATOR || v.kind == JINJA_UNDEFINED || v.kind == JINJA_STRING ||
	       v.kind == JINJA_LIST || v.kind == JINJA_TUPLE || v.kind == JINJA_DICT || v.kind == JINJA_VIEW ||
	       v.kind == JINJA_RANGE;
}

struct jinja_iter mote_jinja_iterate(struct jinja *j, struct jinja_value v)
{
	if (!mote_jinja_iterable(v))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' object is not iterable", mote_jinja_type(v));
	return (struct jinja_iter){.of = v};
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

	return view->of == JINJA_KEYS     ? e->key
	       : view->of == JINJA_VALUES ? e->value
					  : mote_jinja_pair(j, e->key, e->value);
}

bool mote_jinja_next(struct jinja *j, struct jinja_iter *it, struct jinja_value *out)
{
	size_t at = it->at, length;

	mote_jinja_charge(j, 1);
	switch (it->of.kind) {
	case JINJA_STRING:
		if (at >= it->of.text->bytes)
			return false;
		mote_utf8_decode(it->of.text->at + at, &length);
		*out = mote_jinja_string(
			mote_jinja_as_markup(j, mote_jinja_slice(j, it->of.text, at, at + length), false));
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
	return (struct jinja_value){.kind = JINJA_GENERATOR, .generator = g};
}

struct jinja_value mote_jinja_list_generator(struct jinja *j, const char *type, const struct jinja_list *l)
{
	struct jinja_value v = mote_jinja_generator(j, type, NULL, NULL, NULL);

	v.generator->list = *l;
	return v;
}
