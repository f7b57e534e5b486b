/* Methods of str that take a text apart or put it together. Parts are slices of the text: they share its bytes, and
 * keep where these came from.
 */
#include "format/utf8.h"
#include "runtime/template/library/str_call.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

struct jinja_value mote_jinja_str_replace(const struct jinja_str_call *c)
{
	const struct jinja_text *old = mote_jinja_str_text_arg(c, 0), *new = mote_jinja_str_text_arg(c, 1);
	int64_t max = mote_jinja_str_int_arg(c, 2, -1);
	struct jinja_builder b;
	size_t from = 0, at, length;

	mote_jinja_begin(&b, c->j);
	if (!old->bytes) { /* before each character and at the end */
		for (; max && from < c->t->bytes; max--, from += length) {
			mote_jinja_put_text(&b, new);
			mote_utf8_decode(c->t->at + from, &length);
			mote_jinja_put_slice(&b, c->t, from, from + length);
			mote_jinja_charge(c->j, 1);
		}
		if (max)
			mote_jinja_put_text(&b, new);
	}
	for (; old->bytes && max && (at = mote_jinja_find(c->j, c->t, from, c->t->bytes, old)) != SIZE_MAX; max--) {
		mote_jinja_put_slice(&b, c->t, from, at);
		mote_jinja_put_text(&b, new);
		from = at + old->bytes;
	}
	mote_jinja_put_slice(&b, c->t, from, c->t->bytes);
	return mote_jinja_str_done(&b);
}

/* The run of white space or not at "at", forwards. */
size_t mote_jinja_str_skip(const struct jinja_str_call *c, size_t at, bool space)
{
	size_t length;

	for (; at < c->t->bytes; at += length)
		if (mote_jinja_is_space(mote_utf8_decode(c->t->at + at, &length)) != space)
			break;
	return at;
}

static size_t skip_back(const struct jinja_str_call *c, size_t at, bool space)
{
	size_t before, length;

	for (; at; at = before) {
		for (before = at - 1; ((unsigned char)c->t->at[before] & 0xc0) == 0x80; before--)
			;
		if (mote_jinja_is_space(mote_utf8_decode(c->t->at + before, &length)) != space)
			break;
	}
	return at;
}

static struct jinja_value reversed(struct jinja *j, const struct jinja_list *l)
{
	struct jinja_list *r = mote_jinja_new_list(j, l->count);

	for (size_t i = l->count; i--;)
		mote_jinja_append(j, r, l->items[i]);
	return mote_jinja_list(r);
}

struct jinja_value mote_jinja_str_split(const struct jinja_str_call *c)
{
	const struct jinja_text *sep = mote_jinja_given(c->args[0]) ? mote_jinja_str_text_arg(c, 0) : NULL;
	int64_t max = mote_jinja_str_int_arg(c, 1, -1);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t from = 0, at;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	if (!sep) {
		for (from = mote_jinja_str_skip(c, 0, true); from < c->t->bytes;
		     from = mote_jinja_str_skip(c, at, true)) {
			at = max == 0 ? c->t->bytes : mote_jinja_str_skip(c, from, false);
			mote_jinja_append(c->j, l, mote_jinja_str_part(c, from, at));
			max--;
		}
		return mote_jinja_list(l);
	}
	if (!sep->bytes)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "empty separator");
	for (; max && (at = mote_jinja_find(c->j, c->t, from, c->t->bytes, sep)) != SIZE_MAX; max--) {
		mote_jinja_append(c->j, l, mote_jinja_str_part(c, from, at));
		from = at + sep->bytes;
	}
	mote_jinja_append(c->j, l, mote_jinja_str_part(c, from, c->t->bytes));
	return mote_jinja_list(l);
}

struct jinja_value mote_jinja_str_rsplit(const struct jinja_str_call *c)
{
	const struct jinja_text *sep = mote_jinja_given(c->args[0]) ? mote_jinja_str_text_arg(c, 0) : NULL;
	int64_t max = mote_jinja_str_int_arg(c, 1, -1);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t to = c->t->bytes, at;

	if (max < 0)
		return mote_jinja_str_split(c); /* the same pieces */
	mote_jinja_charge(c->j, c->t->bytes >> 3);
	if (!sep) {
		for (to = skip_back(c, to, true); to; to = skip_back(c, at, true)) {
			at = max == 0 ? 0 : skip_back(c, to, false);
			mote_jinja_append(c->j, l, mote_jinja_str_part(c, at, to));
			max--;
		}
		return reversed(c->j, l);
	}
	if (!sep->bytes)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "empty separator");
	for (; max && (at = mote_jinja_find_last(c->j, c->t, 0, to, sep)) != SIZE_MAX; max--) {
		mote_jinja_append(c->j, l, mote_jinja_str_part(c, at + sep->bytes, to));
		to = at;
	}
	mote_jinja_append(c->j, l, mote_jinja_str_part(c, 0, to));
	return reversed(c->j, l);
}

struct jinja_value mote_jinja_str_splitlines(const struct jinja_str_call *c)
{
	bool keep = mote_jinja_truth(c->j, c->args[0]);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t from = 0, at = 0, length, end;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	while (at < c->t->bytes) {
		if (!mote_jinja_is_line_break(mote_utf8_decode(c->t->at + at, &length))) {
			at += length;
			continue;
		}
		end = at + length;
		if (c->t->at[at] == '\r' && end < c->t->bytes && c->t->at[end] == '\n')
			end++;
		mote_jinja_append(c->j, l, mote_jinja_str_part(c, from, keep ? end : at));
		from = at = end;
	}
	if (from < c->t->bytes)
		mote_jinja_append(c->j, l, mote_jinja_str_part(c, from, c->t->bytes));
	return mote_jinja_list(l);
}

static struct jinja_value partition_at(const struct jinja_str_call *c, bool last)
{
	const struct jinja_text *sep = mote_jinja_str_text_arg(c, 0);
	struct jinja_list *l = mote_jinja_new_list(c->j, 3);
	size_t at, length = sep->bytes;

	if (!length)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "empty separator");
	at = last ? mote_jinja_find_last(c->j, c->t, 0, c->t->bytes, sep) :
		    mote_jinja_find(c->j, c->t, 0, c->t->bytes, sep);
	if (at == SIZE_MAX) {
		at = last ? 0 : c->t->bytes;
		length = 0;
	}
	mote_jinja_append(c->j, l, mote_jinja_str_part(c, 0, at));
	mote_jinja_append(c->j, l, mote_jinja_str_part(c, at, at + length));
	mote_jinja_append(c->j, l, mote_jinja_str_part(c, at + length, c->t->bytes));
	return mote_jinja_tuple(l);
}

struct jinja_value mote_jinja_str_partition(const struct jinja_str_call *c) { return partition_at(c, false); }
struct jinja_value mote_jinja_str_rpartition(const struct jinja_str_call *c) { return partition_at(c, true); }

struct jinja_value mote_jinja_str_join(const struct jinja_str_call *c)
{
	struct jinja_iter it = mote_jinja_iterate(c->j, c->args[0]);
	struct jinja_builder b;
	struct jinja_value item;
	bool first = true;

	mote_jinja_begin(&b, c->j);
	for (; mote_jinja_next(c->j, &it, &item); first = false) {
		if (!first)
			mote_jinja_put_text(&b, c->t);
		mote_jinja_put_text(&b, c->t->markup ? mote_jinja_escape(c->j, item) :
						       mote_jinja_need_text(c->j, item, "sequence item of join"));
	}
	return mote_jinja_str_done(&b);
}
