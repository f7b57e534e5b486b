/* Filters for HTML, XML and addresses. What is written in place of a character is plain when that character was. */
#include <stdio.h>

#include "format/utf8.h"
#include "runtime/template/library/library.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

JINJA_BUILTIN(escape)
{
	if (b->detail) /* forceescape: once more where it was */
		args[0] = mote_jinja_string(mote_jinja_str(j, args[0]));
	return mote_jinja_string(mote_jinja_escape(j, args[0]));
}

static void put_quoted(struct jinja_builder *out, const struct jinja_text *t, bool query)
{
	char hex[4];

	for (size_t i = 0; i < t->bytes; i++) {
		unsigned char c = (unsigned char)t->at[i];

		mote_jinja_charge(out->j, 1);
		if (c < 0x80 && ((c && strchr("_.-~", c)) || (c >= '0' && c <= '9') ||
				 ((c | 32) >= 'a' && (c | 32) <= 'z') || (c == '/' && !query))) {
			mote_jinja_put_slice(out, t, i, i + 1);
		} else if (c == ' ' && query) {
			mote_jinja_put(out, "+", 1, mote_jinja_plain_at(t, i));
		} else {
			snprintf(hex, sizeof hex, "%%%02X", c);
			mote_jinja_put(out, hex, 3, mote_jinja_plain_at(t, i));
		}
	}
}

JINJA_BUILTIN(urlencode)
{
	struct jinja_value pair[3], item, of = args[0];
	struct jinja_iter it, inner;
	struct jinja_builder out;
	bool any = false;
	size_t n;

	(void)b;
	mote_jinja_begin(&out, j);
	if (of.kind == JINJA_STRING || !mote_jinja_iterable(of)) {
		put_quoted(&out, mote_jinja_soft_str(j, of), false);
		return mote_jinja_string(mote_jinja_end(&out));
	}
	if (of.kind == JINJA_DICT) {
		struct jinja_args call = {.values = &of, .count = 1};

		of = mote_jinja_invoke(j, j->library->find_filter("items", 5), "filter", &call);
	}
	for (it = mote_jinja_iterate(j, of); mote_jinja_next(j, &it, &item); any = true) {
		inner = mote_jinja_iterate(j, item);
		for (n = 0; n < 3 && mote_jinja_next(j, &inner, &pair[n]); n++)
			;
		if (n != 2)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "urlencode expects pairs");
		if (any)
			mote_jinja_put(&out, "&", 1, false);
		put_quoted(&out, mote_jinja_soft_str(j, pair[0]), true);
		mote_jinja_put(&out, "=", 1, false);
		put_quoted(&out, mote_jinja_soft_str(j, pair[1]), true);
	}
	return mote_jinja_string(mote_jinja_end(&out));
}

JINJA_BUILTIN(xmlattr)
{
	struct jinja_builder out;

	(void)b;
	if (args[0].kind != JINJA_DICT)
		mote_jinja_fail_type(j, "xmlattr needs a mapping", args[0]);
	mote_jinja_begin(&out, j);
	for (uint32_t i = 0; i < args[0].dict->count; i++) {
		const struct jinja_entry *e = &args[0].dict->entries[i];
		const struct jinja_text *key;

		if (e->value.kind == JINJA_NONE || e->value.kind == JINJA_UNDEFINED)
			continue;
		key = mote_jinja_need_text(j, e->key, "attribute name");
		for (size_t k = 0; k < key->bytes; k++)
			if (key->at[k] && strchr(" \t\n\r\f\v/>=", key->at[k]))
				mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "invalid character in an attribute's name");
		if (out.bytes || args[1].kind == JINJA_ABSENT || mote_jinja_truth(j, args[1]))
			mote_jinja_put(&out, " ", 1, false);
		mote_jinja_put_text(&out, mote_jinja_escape(j, e->key));
		mote_jinja_put(&out, "=\"", 2, false);
		mote_jinja_put_text(&out, mote_jinja_escape(j, e->value));
		mote_jinja_put(&out, "\"", 1, false);
	}
	return mote_jinja_string(mote_jinja_end(&out));
}

/* The text without what stands between open and close, as often as both are found. */
static const struct jinja_text *without(struct jinja *j, const struct jinja_text *t, const char *open,
					const char *close)
{
	const struct jinja_text *begin = mote_jinja_text(j, open, strlen(open), false);
	const struct jinja_text *end = mote_jinja_text(j, close, strlen(close), false);
	struct jinja_builder out;
	size_t from = 0, at, to;

	mote_jinja_begin(&out, j);
	while ((at = mote_jinja_find(j, t, from, t->bytes, begin)) != SIZE_MAX &&
	       (to = mote_jinja_find(j, t, at, t->bytes, end)) != SIZE_MAX) {
		mote_jinja_put_slice(&out, t, from, at);
		from = to + end->bytes;
	}
	mote_jinja_put_slice(&out, t, from, t->bytes);
	return mote_jinja_end(&out);
}

/* An entity as Python's html.unescape() takes it, its bytes in *length, or NULL: '&' is ordinary text. Of its 2,231
 * names these are known here, the others are refused. */
static const char *entity_at(struct jinja *j, const char *at, size_t bytes, size_t *length)
{
	static const struct {
		const char *entity, *text;
	} entities[] = { {"&lt;", "<"},  {"&gt;", ">"}, {"&quot;", "\""}, {"&#34;", "\""}, {"&#39;", "'"},
			 {"&amp;", "&"}, {"&lt", "<"},  {"&gt", ">"},	{"&quot", "\""}, {"&amp", "&"}};
	size_t end = 1;

	while (end < bytes && ((at[end] | 32) >= 'a' && (at[end] | 32) <= 'z'))
		end++;
	*length = end < bytes && at[end] == ';' ? end + 1 : 0;
	for (size_t k = 0; k < sizeof entities / sizeof entities[0]; k++) {
		size_t n = strlen(entities[k].entity);

		if (bytes >= n && !memcmp(at, entities[k].entity, n) && (!*length || *length == n)) {
			*length = n;
			return entities[k].text;
		}
	}
	if (*length > 2 || (bytes > 2 && at[1] == '#' && ((at[2] >= '0' && at[2] <= '9') || (at[2] | 32) == 'x')))
		mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "striptags: the entity %.*s is not supported",
				(int)(bytes < 12 ? bytes : 12), at);
	return NULL;
}

JINJA_BUILTIN(striptags)
{
	const struct jinja_text *t = mote_jinja_str(j, args[0]);
	struct jinja_builder out;
	const char *text;
	size_t i, length, skip;
	bool space = false;

	(void)b;
	t = without(j, without(j, t, "<!--", "-->"), "<", ">");
	mote_jinja_begin(&out, j);
	for (i = 0; i < t->bytes; i += length) {
		if (mote_jinja_is_space(mote_utf8_decode(t->at + i, &length))) {
			space = out.bytes > 0;
			continue;
		}
		if (space)
			mote_jinja_put(&out, " ", 1, mote_jinja_plain_at(t, i));
		space = false;
		text = t->at[i] == '&' ? entity_at(j, t->at + i, t->bytes - i, &skip) : NULL;
		if (text) {
			mote_jinja_put_string(&out, text, mote_jinja_plain_at(t, i));
			length = skip;
		} else {
			mote_jinja_put_slice(&out, t, i, i + length);
		}
	}
	return mote_jinja_string(mote_jinja_end(&out));
}

const struct jinja_builtin *mote_jinja_find_markup_filter(const char *name, size_t bytes)
{
	static const struct jinja_builtin filters[] = {
		{.name = "e", .call = escape, .parameters = ""},
		{.name = "escape", .call = escape, .parameters = ""},
		{.name = "forceescape", .call = escape, .parameters = "", .detail = 1},
		{.name = "striptags", .call = striptags, .parameters = ""},
		{.name = "urlencode", .call = urlencode, .parameters = ""},
		{.name = "xmlattr", .call = xmlattr, .parameters = "autospace"},
	};

	return mote_jinja_lookup(filters, sizeof filters / sizeof filters[0], name, bytes);
}
