/* Methods of str. */
#include "runtime/template/template_internal.h"

/* What a method of str works on. Markup's methods return Markup. */
struct call {
	struct jinja *j;
	const struct jinja_text *t;
	struct jinja_value *args; /* after self */
	const char *name;
};

static bool given(struct jinja_value v)
{
	return v.kind != JINJA_ABSENT && v.kind != JINJA_NONE;
}

static const struct jinja_text *text_arg(const struct call *c, int i)
{
	return mote_jinja_need_text(c->j, c->args[i], c->name);
}

static int64_t int_arg(const struct call *c, int i, int64_t absent)
{
	return c->args[i].kind == JINJA_ABSENT ? absent : mote_jinja_need_int(c->j, c->args[i], c->name);
}

static struct jinja_value done(struct jinja_builder *b)
{
	return mote_jinja_string(mote_jinja_end(b));
}

static struct jinja_value part(const struct call *c, size_t from, size_t to)
{
	return mote_jinja_string(mote_jinja_slice(c->j, c->t, from, to));
}

/* ---- case, stripping, padding ---- */

static struct jinja_value recase(const struct call *c, enum jinja_case how)
{
	return mote_jinja_string(mote_jinja_recase(c->j, c->t, how));
}

static struct jinja_value upper(const struct call *c) { return recase(c, JINJA_TO_UPPER); }
static struct jinja_value lower(const struct call *c) { return recase(c, JINJA_TO_LOWER); }
static struct jinja_value title(const struct call *c) { return recase(c, JINJA_TITLECASE); }
static struct jinja_value capitalize(const struct call *c) { return recase(c, JINJA_CAPITALIZE); }
static struct jinja_value swapcase(const struct call *c) { return recase(c, JINJA_SWAP); }
static struct jinja_value casefold(const struct call *c) { return recase(c, JINJA_FOLD); }

static struct jinja_value strip_sides(const struct call *c, bool left, bool right)
{
	size_t from, to;

	mote_jinja_strip(c->j, c->t, given(c->args[0]) ? text_arg(c, 0) : NULL, left, right, &from, &to);
	return part(c, from, to);
}

static struct jinja_value strip(const struct call *c) { return strip_sides(c, true, true); }
static struct jinja_value lstrip(const struct call *c) { return strip_sides(c, true, false); }
static struct jinja_value rstrip(const struct call *c) { return strip_sides(c, false, true); }

static struct jinja_value pad(const struct call *c, int where) /* -1: text left, 0: centre, 1: right */
{
	const struct jinja_text *fill =
		c->args[1].kind == JINJA_ABSENT ? mote_jinja_text(c->j, " ", 1, false) : text_arg(c, 1);
	int64_t width = int_arg(c, 0, 0), length = (int64_t)mote_jinja_chars(c->j, c->t), left;
	struct jinja_builder b;

	if (mote_jinja_chars(c->j, fill) != 1)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT,
				"%s: the fill character must be exactly one character long", c->name);
	if (width <= length)
		return mote_jinja_string(c->t);
	width -= length;
	left = where < 0 ? 0 : where > 0 ? width : width / 2 + (width & (width + length) & 1);
	mote_jinja_begin(&b, c->j);
	mote_jinja_put_fill(&b, fill, (size_t)left);
	mote_jinja_put_text(&b, c->t);
	mote_jinja_put_fill(&b, fill, (size_t)(width - left));
	return done(&b);
}

static struct jinja_value ljust(const struct call *c) { return pad(c, -1); }
static struct jinja_value center(const struct call *c) { return pad(c, 0); }
static struct jinja_value rjust(const struct call *c) { return pad(c, 1); }

static struct jinja_value zfill(const struct call *c)
{
	int64_t width = int_arg(c, 0, 0), length = (int64_t)mote_jinja_chars(c->j, c->t);
	size_t sign = c->t->bytes && (c->t->at[0] == '-' || c->t->at[0] == '+');
	struct jinja_builder b;

	mote_jinja_begin(&b, c->j);
	mote_jinja_put_slice(&b, c->t, 0, sign);
	mote_jinja_put_fill(&b, mote_jinja_text(c->j, "0", 1, false), width > length ? (size_t)(width - length) : 0);
	mote_jinja_put_slice(&b, c->t, sign, c->t->bytes);
	return done(&b);
}

static struct jinja_value expandtabs(const struct call *c)
{
	const struct jinja_text *space = mote_jinja_text(c->j, " ", 1, false);
	int64_t size = int_arg(c, 0, 8), column = 0;
	struct jinja_builder b;

	if (size > INT32_MAX || size < INT32_MIN)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "tab size too large");
	mote_jinja_begin(&b, c->j);
	for (size_t i = 0; i < c->t->bytes; i++) {
		if (c->t->at[i] == '\t') {
			mote_jinja_put_fill(&b, space, size > 0 ? (size_t)(size - column % size) : 0);
			column += size > 0 ? size - column % size : 0;
			continue;
		}
		mote_jinja_put_slice(&b, c->t, i, i + 1);
		mote_jinja_charge(c->j, 1);
		column = c->t->at[i] == '\n' || c->t->at[i] == '\r' ? 0 :
			 column + (((unsigned char)c->t->at[i] & 0xc0) != 0x80);
	}
	return done(&b);
}

/* ---- searching ---- */

/* Arguments start and end, as byte offsets; false when start lies behind the end. */
static bool bounds(const struct call *c, int i, size_t *from, size_t *to)
{
	int64_t length = (int64_t)mote_jinja_chars(c->j, c->t);
	int64_t start = given(c->args[i]) ? mote_jinja_need_int(c->j, c->args[i], c->name) : 0;
	int64_t end = given(c->args[i + 1]) ? mote_jinja_need_int(c->j, c->args[i + 1], c->name) : length;

	if (start < 0)
		start = start < -length ? 0 : start + length;
	if (end < 0)
		end = end < -length ? 0 : end + length;
	if (end > length)
		end = length;
	if (start > end)
		return false;
	*from = mote_jinja_byte_of(c->j, c->t, (size_t)start);
	*to = mote_jinja_byte_of(c->j, c->t, (size_t)end);
	return true;
}

static struct jinja_value position(const struct call *c, bool last, bool must)
{
	const struct jinja_text *needle = text_arg(c, 0), *before;
	size_t from, to, at = SIZE_MAX;

	if (bounds(c, 1, &from, &to))
		at = last ? mote_jinja_find_last(c->j, c->t, from, to, needle)
			  : mote_jinja_find(c->j, c->t, from, to, needle);
	if (at == SIZE_MAX && must)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "substring not found");
	if (at == SIZE_MAX)
		return mote_jinja_int(-1);
	before = mote_jinja_slice(c->j, c->t, 0, at);
	return mote_jinja_int((int64_t)mote_jinja_chars(c->j, before));
}

static struct jinja_value find(const struct call *c) { return position(c, false, false); }
static struct jinja_value rfind(const struct call *c) { return position(c, true, false); }
static struct jinja_value index_of(const struct call *c) { return position(c, false, true); }
static struct jinja_value rindex_of(const struct call *c) { return position(c, true, true); }

static struct jinja_value count(const struct call *c)
{
	const struct jinja_text *needle = text_arg(c, 0);
	size_t from, to, at;
	int64_t n = 0;

	if (!bounds(c, 1, &from, &to))
		return mote_jinja_int(0);
	if (!needle->bytes)
		return mote_jinja_int((int64_t)mote_jinja_chars(c->j, mote_jinja_slice(c->j, c->t, from, to)) + 1);
	for (; (at = mote_jinja_find(c->j, c->t, from, to, needle)) != SIZE_MAX; n++)
		from = at + needle->bytes;
	return mote_jinja_int(n);
}

static bool affix_matches(const struct call *c, struct jinja_value v, size_t from, size_t to, bool end)
{
	const struct jinja_text *affix = mote_jinja_need_text(c->j, v, c->name);

	mote_jinja_charge(c->j, 1 + (affix->bytes >> 6));
	if (affix->bytes > to - from)
		return false;
	return !memcmp(c->t->at + (end ? to - affix->bytes : from), affix->at, affix->bytes);
}

static struct jinja_value has_affix(const struct call *c, bool end)
{
	size_t from, to;

	if (!bounds(c, 1, &from, &to))
		return mote_jinja_bool(false);
	if (c->args[0].kind != JINJA_TUPLE)
		return mote_jinja_bool(affix_matches(c, c->args[0], from, to, end));
	for (size_t i = 0; i < c->args[0].list->count; i++)
		if (affix_matches(c, c->args[0].list->items[i], from, to, end))
			return mote_jinja_bool(true);
	return mote_jinja_bool(false);
}

static struct jinja_value startswith(const struct call *c) { return has_affix(c, false); }
static struct jinja_value endswith(const struct call *c) { return has_affix(c, true); }

static struct jinja_value removeprefix(const struct call *c)
{
	return part(c, affix_matches(c, c->args[0], 0, c->t->bytes, false) ? text_arg(c, 0)->bytes : 0, c->t->bytes);
}

static struct jinja_value removesuffix(const struct call *c)
{
	return part(c, 0,
		    c->t->bytes -
			    (affix_matches(c, c->args[0], 0, c->t->bytes, true) ? text_arg(c, 0)->bytes : 0));
}

/* ---- splitting and joining ---- */

static struct jinja_value replace(const struct call *c)
{
	const struct jinja_text *old = text_arg(c, 0), *new = text_arg(c, 1);
	int64_t max = int_arg(c, 2, -1);
	struct jinja_builder b;
	size_t from = 0, at, length;

	mote_jinja_begin(&b, c->j);
	if (!old->bytes) { /* before each character and at the end */
		for (; max && from < c->t->bytes; max--, from += length) {
			mote_jinja_put_text(&b, new);
			mote_jinja_decode(c->t->at + from, &length);
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
	return done(&b);
}

/* The run of white space or not at "at", forwards. */
static size_t skip(const struct call *c, size_t at, bool space)
{
	size_t length;

	for (; at < c->t->bytes; at += length)
		if (mote_jinja_is_space(mote_jinja_decode(c->t->at + at, &length)) != space)
			break;
	return at;
}

static size_t skip_back(const struct call *c, size_t at, bool space)
{
	size_t before, length;

	for (; at; at = before) {
		for (before = at - 1; ((unsigned char)c->t->at[before] & 0xc0) == 0x80; before--)
			;
		if (mote_jinja_is_space(mote_jinja_decode(c->t->at + before, &length)) != space)
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

static struct jinja_value split(const struct call *c)
{
	const struct jinja_text *sep = given(c->args[0]) ? text_arg(c, 0) : NULL;
	int64_t max = int_arg(c, 1, -1);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t from = 0, at;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	if (!sep) {
		for (from = skip(c, 0, true); from < c->t->bytes; from = skip(c, at, true)) {
			at = max == 0 ? c->t->bytes : skip(c, from, false);
			mote_jinja_append(c->j, l, part(c, from, at));
			max--;
		}
		return mote_jinja_list(l);
	}
	if (!sep->bytes)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "empty separator");
	for (; max && (at = mote_jinja_find(c->j, c->t, from, c->t->bytes, sep)) != SIZE_MAX; max--) {
		mote_jinja_append(c->j, l, part(c, from, at));
		from = at + sep->bytes;
	}
	mote_jinja_append(c->j, l, part(c, from, c->t->bytes));
	return mote_jinja_list(l);
}

static struct jinja_value rsplit(const struct call *c)
{
	const struct jinja_text *sep = given(c->args[0]) ? text_arg(c, 0) : NULL;
	int64_t max = int_arg(c, 1, -1);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t to = c->t->bytes, at;

	if (max < 0)
		return split(c); /* the same pieces */
	mote_jinja_charge(c->j, c->t->bytes >> 3);
	if (!sep) {
		for (to = skip_back(c, to, true); to; to = skip_back(c, at, true)) {
			at = max == 0 ? 0 : skip_back(c, to, false);
			mote_jinja_append(c->j, l, part(c, at, to));
			max--;
		}
		return reversed(c->j, l);
	}
	if (!sep->bytes)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "empty separator");
	for (; max && (at = mote_jinja_find_last(c->j, c->t, 0, to, sep)) != SIZE_MAX; max--) {
		mote_jinja_append(c->j, l, part(c, at + sep->bytes, to));
		to = at;
	}
	mote_jinja_append(c->j, l, part(c, 0, to));
	return reversed(c->j, l);
}

static struct jinja_value splitlines(const struct call *c)
{
	bool keep = mote_jinja_truth(c->j, c->args[0]);
	struct jinja_list *l = mote_jinja_new_list(c->j, 0);
	size_t from = 0, at = 0, length, end;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	while (at < c->t->bytes) {
		if (!mote_jinja_is_line_break(mote_jinja_decode(c->t->at + at, &length))) {
			at += length;
			continue;
		}
		end = at + length;
		if (c->t->at[at] == '\r' && end < c->t->bytes && c->t->at[end] == '\n')
			end++;
		mote_jinja_append(c->j, l, part(c, from, keep ? end : at));
		from = at = end;
	}
	if (from < c->t->bytes)
		mote_jinja_append(c->j, l, part(c, from, c->t->bytes));
	return mote_jinja_list(l);
}

static struct jinja_value partition_at(const struct call *c, bool last)
{
	const struct jinja_text *sep = text_arg(c, 0);
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
	mote_jinja_append(c->j, l, part(c, 0, at));
	mote_jinja_append(c->j, l, part(c, at, at + length));
	mote_jinja_append(c->j, l, part(c, at + length, c->t->bytes));
	return mote_jinja_tuple(l);
}

static struct jinja_value partition(const struct call *c) { return partition_at(c, false); }
static struct jinja_value rpartition(const struct call *c) { return partition_at(c, true); }

static struct jinja_value join(const struct call *c)
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
	return done(&b);
}

/* ---- questions ---- */

static struct jinja_value all(const struct call *c, enum jinja_class what, bool when_empty)
{
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length)
		if (!mote_jinja_is(mote_jinja_decode(c->t->at + i, &length), what))
			return mote_jinja_bool(false);
	return mote_jinja_bool(c->t->bytes || when_empty);
}

static struct jinja_value isalpha_(const struct call *c) { return all(c, JINJA_ALPHA, false); }
static struct jinja_value isalnum_(const struct call *c) { return all(c, JINJA_ALNUM, false); }
static struct jinja_value isdigit_(const struct call *c) { return all(c, JINJA_DIGIT, false); }
static struct jinja_value isdecimal_(const struct call *c) { return all(c, JINJA_DECIMAL, false); }
static struct jinja_value isnumeric_(const struct call *c) { return all(c, JINJA_NUMERIC, false); }

/* No cased character of another case, and at least one of this. */
static struct jinja_value all_cased(const struct call *c, enum jinja_class what)
{
	bool found = false;
	uint32_t code;
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_jinja_decode(c->t->at + i, &length);
		if (mote_jinja_is(code, what))
			found = true;
		else if (mote_jinja_is(code, JINJA_CASED))
			return mote_jinja_bool(false);
	}
	return mote_jinja_bool(found);
}

static struct jinja_value islower_(const struct call *c) { return all_cased(c, JINJA_LOWER); }
static struct jinja_value isupper_(const struct call *c) { return all_cased(c, JINJA_UPPER); }

static struct jinja_value istitle(const struct call *c)
{
	bool found = false, after_cased = false, is_upper;
	uint32_t code;
	size_t length;

	mote_jinja_charge(c->j, c->t->bytes >> 3);
	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_jinja_decode(c->t->at + i, &length);
		is_upper = mote_jinja_is(code, JINJA_UPPER) || mote_jinja_is(code, JINJA_TITLE);
		if (is_upper ? after_cased : mote_jinja_is(code, JINJA_LOWER) && !after_cased)
			return mote_jinja_bool(false);
		after_cased = mote_jinja_is(code, JINJA_CASED);
		found = found || after_cased;
	}
	return mote_jinja_bool(found);
}

static struct jinja_value isspace_(const struct call *c)
{
	return mote_jinja_bool(c->t->bytes && skip(c, 0, true) == c->t->bytes);
}

static struct jinja_value isascii_(const struct call *c)
{
	return mote_jinja_bool(mote_jinja_chars(c->j, c->t) == c->t->bytes);
}

static struct jinja_value isprintable(const struct call *c)
{
	size_t length;

	for (size_t i = 0; i < c->t->bytes; i += length)
		if (!mote_jinja_is_printable(mote_jinja_decode(c->t->at + i, &length)))
			return mote_jinja_bool(false);
	return mote_jinja_bool(true);
}

static struct jinja_value isidentifier(const struct call *c)
{
	uint32_t code;
	size_t length;

	for (size_t i = 0; i < c->t->bytes; i += length) {
		code = mote_jinja_decode(c->t->at + i, &length);
		if (!mote_jinja_is_identifier(code, i == 0))
			return mote_jinja_bool(false);
	}
	return mote_jinja_bool(c->t->bytes != 0);
}

/* ---- the table of str ---- */

static const struct {
	struct jinja_value (*call)(const struct call *c);
	bool escapes; /* of Markup: the second argument becomes part of the text */
} str_calls[] = {
	{ capitalize, false }, { casefold, false }, { center, true }, { count, false }, { endswith, false },
	{ expandtabs, false }, { find, false }, { index_of, false }, { isalnum_, false }, { isalpha_, false },
	{ isascii_, false }, { isdecimal_, false }, { isdigit_, false }, { isidentifier, false },
	{ islower_, false }, { isnumeric_, false }, { isprintable, false }, { isspace_, false },
	{ istitle, false }, { isupper_, false }, { join, false }, { ljust, true }, { lower, false },
	{ lstrip, false }, { partition, false }, { removeprefix, false }, { removesuffix, false },
	{ replace, true }, { rfind, false }, { rindex_of, false }, { rjust, true }, { rpartition, false },
	{ rsplit, false }, { rstrip, false }, { split, false }, { splitlines, false }, { startswith, false },
	{ strip, false }, { swapcase, false }, { title, false }, { upper, false }, { zfill, false },
};

static struct jinja_value as_markup(struct jinja *j, struct jinja_value v)
{
	struct jinja_list *l;

	if (v.kind == JINJA_STRING) {
		v.text = mote_jinja_as_markup(j, v.text, true);
	} else if (v.kind == JINJA_LIST || v.kind == JINJA_TUPLE) {
		l = mote_jinja_new_list(j, v.list->count);
		for (size_t i = 0; i < v.list->count; i++)
			mote_jinja_append(j, l, as_markup(j, v.list->items[i]));
		v.list = l;
	}
	return v;
}

static struct jinja_value str_method(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct call c = { .j = j, .t = args[0].text, .args = args + 1, .name = b->name };

	if (!c.t->markup)
		return str_calls[b->detail].call(&c);
	if (str_calls[b->detail].escapes && c.args[1].kind == JINJA_STRING)
		c.args[1].text = mote_jinja_escape(j, c.args[1]);
	return as_markup(j, str_calls[b->detail].call(&c));
}

#define STR(index, method_name, parameter_names, needed, no_keywords) \
	{ .name = method_name, .call = str_method, .parameters = parameter_names, .required = needed, \
	  .positional = no_keywords, .detail = index }
const struct jinja_builtin mote_jinja_str_methods[MOTE_JINJA_STR_METHODS] = { /* in the order of str_calls */
	STR(0, "capitalize", "", 0, true), STR(1, "casefold", "", 0, true),
	STR(2, "center", "width fillchar", 1, true), STR(3, "count", "sub start end", 1, true),
	STR(4, "endswith", "suffix start end", 1, true), STR(5, "expandtabs", "tabsize", 0, false),
	STR(6, "find", "sub start end", 1, true), STR(7, "index", "sub start end", 1, true),
	STR(8, "isalnum", "", 0, true), STR(9, "isalpha", "", 0, true), STR(10, "isascii", "", 0, true),
	STR(11, "isdecimal", "", 0, true), STR(12, "isdigit", "", 0, true),
	STR(13, "isidentifier", "", 0, true), STR(14, "islower", "", 0, true),
	STR(15, "isnumeric", "", 0, true), STR(16, "isprintable", "", 0, true),
	STR(17, "isspace", "", 0, true), STR(18, "istitle", "", 0, true), STR(19, "isupper", "", 0, true),
	STR(20, "join", "iterable", 1, true), STR(21, "ljust", "width fillchar", 1, true),
	STR(22, "lower", "", 0, true), STR(23, "lstrip", "chars", 0, true),
	STR(24, "partition", "sep", 1, true), STR(25, "removeprefix", "prefix", 1, true),
	STR(26, "removesuffix", "suffix", 1, true), STR(27, "replace", "old new count", 2, true),
	STR(28, "rfind", "sub start end", 1, true), STR(29, "rindex", "sub start end", 1, true),
	STR(30, "rjust", "width fillchar", 1, true), STR(31, "rpartition", "sep", 1, true),
	STR(32, "rsplit", "sep maxsplit", 0, false), STR(33, "rstrip", "chars", 0, true),
	STR(34, "split", "sep maxsplit", 0, false), STR(35, "splitlines", "keepends", 0, false),
	STR(36, "startswith", "prefix start end", 1, true), STR(37, "strip", "chars", 0, true),
	STR(38, "swapcase", "", 0, true), STR(39, "title", "", 0, true), STR(40, "upper", "", 0, true),
	STR(41, "zfill", "width", 1, true), { .name = "format", .raw = mote_jinja_format },
	{ .name = "format_map", .raw = mote_jinja_format, .detail = 1 },
};
