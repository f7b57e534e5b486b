/* tojson: json.dumps(value, ensure_ascii=False, indent, separators, sort_keys). What a bracket or a number belongs to
 * decides whether it is plain: what came with the context stays so.
 */
#include <math.h>
#include <stdio.h>

#include "format/utf8.h"
#include "runtime/template/library/library.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

struct dump {
	struct jinja_builder b;
	const struct jinja_text *indent; /* NULL: on one line */
	const struct jinja_text *item, *key; /* separators */
	bool ascii, sort;
};

static void dump(struct dump *d, struct jinja_value v, size_t level);

static void dump_text(struct dump *d, const struct jinja_text *t)
{
	bool edge = t->bytes ? mote_jinja_plain_at(t, 0) : t->plain;
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	size_t length, run = 0;
	const char *found;
	uint32_t code;
	char out[16];

	mote_jinja_put(&d->b, "\"", 1, edge);
	mote_jinja_charge(d->b.j, t->bytes >> 4);
	for (size_t i = 0; i < t->bytes; i += length) {
		code = mote_utf8_decode(t->at + i, &length);
		if (code >= 32 && code != '"' && code != '\\' && (code < 0x7f || !d->ascii))
			continue;
		mote_jinja_put_slice(&d->b, t, run, i);
		run = i + length;
		found = code && code < 0x80 ? strchr(from, (char)code) : NULL;
		if (found)
			snprintf(out, sizeof out, "\\%c", to[found - from]);
		else if (code < 0x10000)
			snprintf(out, sizeof out, "\\u%04x", code);
		else
			snprintf(out, sizeof out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
				 0xdc00 + (code & 0x3ff));
		mote_jinja_put_string(&d->b, out, mote_jinja_plain_at(t, i));
	}
	mote_jinja_put_slice(&d->b, t, run, t->bytes);
	mote_jinja_put(&d->b, "\"", 1, edge);
}

static const char *json_name(struct jinja_value v)
{
	if (v.kind == JINJA_NONE)
		return "null";
	if (v.kind == JINJA_BOOL)
		return v.boolean ? "true" : "false";
	if (v.kind == JINJA_FLOAT && !isfinite(v.real))
		return isnan(v.real) ? "NaN" : v.real < 0 ? "-Infinity" : "Infinity";
	return NULL;
}

/* Python's dumps takes str, int, float, bool and None as keys, and makes them strings. */
static void dump_key(struct dump *d, struct jinja_value key)
{
	const char *name = json_name(key);

	if (key.kind == JINJA_STRING) {
		dump_text(d, key.text);
		return;
	}
	if (!name && !mote_jinja_is_number(key))
		mote_jinja_fail(d->b.j, MOTE_ERROR_CORRUPT, "keys must be str, int, float, bool or None, not %s",
				mote_jinja_type(key));
	mote_jinja_put(&d->b, "\"", 1, key.plain);
	if (name)
		mote_jinja_put_string(&d->b, name, key.plain);
	else
		mote_jinja_put_number(&d->b, key);
	mote_jinja_put(&d->b, "\"", 1, key.plain);
}

static void dump_break(struct dump *d, size_t level, bool plain)
{
	if (!d->indent)
		return;
	mote_jinja_put(&d->b, "\n", 1, plain);
	for (size_t i = 0; d->indent->bytes && i < level; i++)
		mote_jinja_put(&d->b, d->indent->at, d->indent->bytes, plain);
}

static bool less_key(struct jinja *j, void *user, size_t a, size_t b)
{
	const struct jinja_dict *dict = user;

	return mote_jinja_order(j, dict->entries[a].key, dict->entries[b].key, JINJA_LT);
}

static void dump_dict(struct dump *d, struct jinja_value v, size_t level)
{
	size_t *order = NULL, at;

	if (!v.dict->count) {
		mote_jinja_put(&d->b, "{}", 2, v.plain);
		return;
	}
	if (d->sort) {
		order = mote_jinja_alloc_array(d->b.j, v.dict->count, sizeof *order);
		mote_jinja_sort(d->b.j, order, v.dict->count, less_key, v.dict);
	}
	mote_jinja_put(&d->b, "{", 1, v.plain);
	for (uint32_t i = 0; i < v.dict->count; i++) {
		at = order ? order[i] : i;
		if (i)
			mote_jinja_put(&d->b, d->item->at, d->item->bytes, v.plain);
		dump_break(d, level + 1, v.plain);
		dump_key(d, v.dict->entries[at].key);
		mote_jinja_put(&d->b, d->key->at, d->key->bytes, v.plain);
		dump(d, v.dict->entries[at].value, level + 1);
	}
	dump_break(d, level, v.plain);
	mote_jinja_put(&d->b, "}", 1, v.plain);
}

static void dump_list(struct dump *d, struct jinja_value v, size_t level)
{
	if (!v.list->count) {
		mote_jinja_put(&d->b, "[]", 2, v.plain);
		return;
	}
	mote_jinja_put(&d->b, "[", 1, v.plain);
	for (size_t i = 0; i < v.list->count; i++) {
		if (i)
			mote_jinja_put(&d->b, d->item->at, d->item->bytes, v.plain);
		dump_break(d, level + 1, v.plain);
		dump(d, v.list->items[i], level + 1);
	}
	dump_break(d, level, v.plain);
	mote_jinja_put(&d->b, "]", 1, v.plain);
}

static void dump(struct dump *d, struct jinja_value v, size_t level)
{
	const char *name = json_name(v);

	mote_jinja_charge(d->b.j, 1);
	mote_jinja_enter(d->b.j, JINJA_MAX_DEPTH);
	if (name)
		mote_jinja_put_string(&d->b, name, v.plain);
	else if (mote_jinja_is_number(v))
		mote_jinja_put_number(&d->b, v);
	else if (v.kind == JINJA_STRING)
		dump_text(d, v.text);
	else if (v.kind == JINJA_LIST || v.kind == JINJA_TUPLE)
		dump_list(d, v, level);
	else if (v.kind == JINJA_DICT)
		dump_dict(d, v, level);
	else
		mote_jinja_fail(d->b.j, MOTE_ERROR_CORRUPT, "object of type %s is not JSON serializable",
				mote_jinja_type(v));
	d->b.j->depth--;
}

static struct jinja_value tojson(struct jinja *j, const struct jinja_builtin *self, struct jinja_value *args)
{
	struct dump d = {.ascii = mote_jinja_truth(j, args[1]), .sort = mote_jinja_truth(j, args[4])};
	struct jinja_value pair[3];
	struct jinja_iter it;
	struct jinja_builder b;
	int64_t width;
	size_t n = 0;

	(void)self;
	if (args[2].kind == JINJA_STRING) {
		d.indent = args[2].text;
	} else if (args[2].kind != JINJA_ABSENT && args[2].kind != JINJA_NONE) {
		width = mote_jinja_need_int(j, args[2], "indent");
		mote_jinja_begin(&b, j);
		mote_jinja_put_fill(&b, mote_jinja_text(j, " ", 1, false), width > 0 ? (size_t)width : 0);
		d.indent = mote_jinja_end(&b);
	}
	d.item = mote_jinja_text(j, ", ", d.indent ? 1 : 2, false);
	d.key = mote_jinja_text(j, ": ", 2, false);
	if (args[3].kind != JINJA_ABSENT && args[3].kind != JINJA_NONE) {
		for (it = mote_jinja_iterate(j, args[3]); n < 3 && mote_jinja_next(j, &it, &pair[n]); n++)
			;
		if (n != 2)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "separators must be a pair of strings");
		d.item = mote_jinja_need_text(j, pair[0], "separator");
		d.key = mote_jinja_need_text(j, pair[1], "separator");
	}
	mote_jinja_begin(&d.b, j);
	dump(&d, args[0], 0);
	return mote_jinja_string(mote_jinja_end(&d.b));
}

const struct jinja_builtin mote_jinja_tojson = {
	.name = "tojson", .call = tojson, .parameters = "ensure_ascii indent separators sort_keys"
};
