/* Values as text: str(), repr() and JSON, as Python prints them. What a number or bracket belongs to decides
 * whether it is plain: what came with the context stays so.
 */
#include "runtime/template/template_internal.h"

#include <math.h>
#include <stdio.h>

static void put_repr_text(struct jinja_builder *b, const struct jinja_text *t)
{
	bool single = memchr(t->at, '\'', t->bytes) != NULL, twice = memchr(t->at, '"', t->bytes) != NULL, plain;
	char quote = single && !twice ? '"' : '\'', out[16];
	size_t length, run = 0;
	uint32_t code;
	/* The quotes may not split a control token out of plain text, nor join one: they go with their text. */
	bool edge = t->bytes ? mote_jinja_plain_at(t, 0) : t->plain;

	if (t->markup)
		mote_jinja_put_string(b, "Markup(", edge);
	mote_jinja_put(b, &quote, 1, edge);
	mote_jinja_charge(b->j, t->bytes >> 3);
	for (size_t i = 0; i < t->bytes; i += length) {
		code = mote_jinja_decode(t->at + i, &length);
		if (code != '\\' && code != (uint32_t)quote && mote_jinja_is_printable(code))
			continue;
		mote_jinja_put_slice(b, t, run, i);
		run = i + length;
		plain = mote_jinja_plain_at(t, i);
		if (code == '\\' || code == (uint32_t)quote)
			snprintf(out, sizeof out, "\\%c", (char)code);
		else if (code == '\n' || code == '\r' || code == '\t')
			snprintf(out, sizeof out, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
		else
			snprintf(out, sizeof out,
				 code < 0x100     ? "\\x%02x"
				 : code < 0x10000 ? "\\u%04x"
						  : "\\U%08x",
				 code);
		mote_jinja_put_string(b, out, plain);
	}
	mote_jinja_put_slice(b, t, run, t->bytes);
	mote_jinja_put(b, &quote, 1, edge);
	if (t->markup)
		mote_jinja_put(b, ")", 1, edge);
}

static void put_number(struct jinja_builder *b, struct jinja_value v)
{
	char out[40];
	size_t n;

	switch (v.kind) {
	case JINJA_BOOL:
		mote_jinja_put_string(b, v.boolean ? "True" : "False", v.plain);
		break;
	case JINJA_INT:
		n = (size_t)snprintf(out, sizeof out, "%lld", (long long)v.integer);
		mote_jinja_put(b, out, n, v.plain);
		break;
	case JINJA_BIG:
		mote_jinja_put(b, v.text->at, v.text->bytes, v.plain);
		break;
	default:
		n = mote_jinja_float_repr(v.real, out);
		mote_jinja_put(b, out, n, v.plain);
		break;
	}
}

static void put_items(struct jinja_builder *b, struct jinja_value v, const char *open, const char *close)
{
	struct jinja_iter it = mote_jinja_iterate(b->j, v);
	struct jinja_value item;
	const char *separator = "";

	mote_jinja_put_string(b, open, v.plain);
	while (mote_jinja_next(b->j, &it, &item)) {
		mote_jinja_put_string(b, separator, v.plain);
		mote_jinja_repr(b, item);
		separator = ", ";
	}
	mote_jinja_put_string(b, close, v.plain);
}

static void put_dict(struct jinja_builder *b, const struct jinja_dict *d, bool plain)
{
	mote_jinja_put(b, "{", 1, plain);
	for (uint32_t i = 0; i < d->count; i++) {
		if (i)
			mote_jinja_put(b, ", ", 2, plain);
		mote_jinja_repr(b, d->entries[i].key);
		mote_jinja_put(b, ": ", 2, plain);
		mote_jinja_repr(b, d->entries[i].value);
	}
	mote_jinja_put(b, "}", 1, plain);
}

static void put_range(struct jinja_builder *b, const struct jinja_range *r)
{
	char out[80];

	if (r->step == 1)
		snprintf(out, sizeof out, "range(%lld, %lld)", (long long)r->start, (long long)r->stop);
	else
		snprintf(out, sizeof out, "range(%lld, %lld, %lld)", (long long)r->start, (long long)r->stop,
			 (long long)r->step);
	mote_jinja_put_string(b, out, false);
}

static void put_macro(struct jinja_builder *b, const struct jinja_macro *m)
{
	mote_jinja_put_string(b, "<Macro ", false);
	if (m->name)
		put_repr_text(b, m->name);
	else
		mote_jinja_put_string(b, "anonymous", false);
	mote_jinja_put(b, ">", 1, false);
}

static void put_object(struct jinja_builder *b, struct jinja_value v)
{
	char out[100];

	switch (v.kind) {
	case JINJA_VIEW:
		snprintf(out, sizeof out, "%s([", mote_jinja_type(v));
		v.plain = v.view->plain;
		put_items(b, v, out, "])");
		break;
	case JINJA_RANGE:
		put_range(b, v.range);
		break;
	case JINJA_NAMESPACE:
		mote_jinja_put_string(b, "<Namespace ", false);
		put_dict(b, v.dict, false);
		mote_jinja_put(b, ">", 1, false);
		break;
	case JINJA_MACRO:
		put_macro(b, v.macro);
		break;
	case JINJA_LOOP:
		mote_jinja_loop_attribute(b->j, v.loop, mote_jinja_text(b->j, "length", 6, false));
		snprintf(out, sizeof out, "<LoopContext %lld/%lld>", (long long)v.loop->index0 + 1,
			 (long long)v.loop->length);
		mote_jinja_put_string(b, out, false);
		break;
	case JINJA_GENERATOR: /* Python prints addresses, which no two runs agree on */
		snprintf(out, sizeof out, v.generator->builtin ? "<generator object %s at 0x0>" : "<%s object at 0x0>",
			 v.generator->type);
		mote_jinja_put_string(b, out, false);
		break;
	case JINJA_FUNCTION:
		if (v.function->self.kind == JINJA_ABSENT)
			snprintf(out, sizeof out, "<function %s at 0x0>", v.function->builtin->name);
		else
			snprintf(out, sizeof out, "<built-in method %s of %s object at 0x0>", v.function->builtin->name,
				 mote_jinja_type(v.function->self));
		mote_jinja_put_string(b, out, false);
		break;
	default:
		snprintf(out, sizeof out, "<jinja2.utils.%s object at 0x0>", mote_jinja_type(v));
		mote_jinja_put_string(b, out, false);
		break;
	}
}

void mote_jinja_repr(struct jinja_builder *b, struct jinja_value v)
{
	mote_jinja_enter(b->j, JINJA_MAX_DEPTH);
	mote_jinja_charge(b->j, 1);
	switch (v.kind) {
	case JINJA_UNDEFINED:
		mote_jinja_put_string(b, "Undefined", false);
		break;
	case JINJA_NONE:
		mote_jinja_put_string(b, "None", v.plain);
		break;
	case JINJA_BOOL:
	case JINJA_INT:
	case JINJA_BIG:
	case JINJA_FLOAT:
		put_number(b, v);
		break;
	case JINJA_STRING:
		put_repr_text(b, v.text);
		break;
	case JINJA_LIST:
		put_items(b, v, "[", "]");
		break;
	case JINJA_TUPLE:
		put_items(b, v, "(", v.list->count == 1 ? ",)" : ")");
		break;
	case JINJA_DICT:
		put_dict(b, v.dict, v.plain);
		break;
	default:
		put_object(b, v);
		break;
	}
	b->j->depth--;
}

void mote_jinja_print(struct jinja_builder *b, struct jinja_value v)
{
	if (v.kind == JINJA_STRING)
		mote_jinja_put_text(b, v.text);
	else if (v.kind != JINJA_UNDEFINED)
		mote_jinja_repr(b, v);
}

const struct jinja_text *mote_jinja_soft_str(struct jinja *j, struct jinja_value v)
{
	struct jinja_builder b;

	if (v.kind == JINJA_STRING)
		return v.text;
	mote_jinja_begin(&b, j);
	mote_jinja_print(&b, v);
	return mote_jinja_end(&b);
}

const struct jinja_text *mote_jinja_str(struct jinja *j, struct jinja_value v)
{
	return mote_jinja_as_markup(j, mote_jinja_soft_str(j, v), false);
}

const struct jinja_text *mote_jinja_escape(struct jinja *j, struct jinja_value v)
{
	static const char from[] = "&<>'\"";
	static const char *const to[] = { "&amp;", "&lt;", "&gt;", "&#39;", "&#34;" };
	const struct jinja_text *t = mote_jinja_soft_str(j, v);
	struct jinja_builder b;
	const char *found;
	size_t run = 0;

	if (t->markup)
		return t;
	mote_jinja_begin(&b, j);
	for (size_t i = 0; i < t->bytes; i++) {
		if (!t->at[i] || !(found = strchr(from, t->at[i])))
			continue;
		mote_jinja_put_slice(&b, t, run, i);
		mote_jinja_put_string(&b, to[found - from], mote_jinja_plain_at(t, i));
		run = i + 1;
	}
	mote_jinja_put_slice(&b, t, run, t->bytes);
	return mote_jinja_as_markup(j, mote_jinja_end(&b), true);
}

/* ---- tojson: json.dumps(value, ensure_ascii=False, indent, separators, sort_keys) ---- */

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
		code = mote_jinja_decode(t->at + i, &length);
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
		put_number(&d->b, key);
	mote_jinja_put(&d->b, "\"", 1, key.plain);
}

static void dump_break(struct dump *d, size_t level, bool plain)
{
	if (!d->indent)
		return;
	mote_jinja_put(&d->b, "\n", 1, plain);
	for (size_t i = 0; i < level; i++)
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
		put_number(&d->b, v);
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
	struct dump d = { .ascii = mote_jinja_truth(j, args[1]), .sort = mote_jinja_truth(j, args[4]) };
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
