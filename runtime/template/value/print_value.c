/* Values as text, as Python prints them: str() and repr(). What a number, a quote or a bracket belongs to decides
 * whether it is plain: what came with the context stays so, its punctuation included.
 */
#include "runtime/template/value/print_value.h"

#include <stdio.h>

#include "format/utf8.h"
#include "runtime/template/value/builtin.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/number.h"

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
		code = mote_utf8_decode(t->at + i, &length);
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

void mote_jinja_put_number(struct jinja_builder *b, struct jinja_value v)
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
	case JINJA_LOOP:
		b->j->put_object(b, v);
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
		mote_jinja_put_number(b, v);
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
	static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
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
