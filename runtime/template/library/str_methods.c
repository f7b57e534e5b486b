/* Methods of str: the table, and those about case, padding and searching. Offsets are in characters for the template
 * and in bytes inside; Python's rules for negative and too large ones are in bounds(), and nowhere else.
 */
#include "runtime/template/library/library.h"
#include "runtime/template/library/str_call.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"
#include "runtime/template/value/recase.h"

/* ---- case, stripping, padding ---- */

static struct jinja_value recase(const struct jinja_str_call *c, enum jinja_case how)
{
	return mote_jinja_string(mote_jinja_recase(c->j, c->t, how));
}

static struct jinja_value upper(const struct jinja_str_call *c) { return recase(c, JINJA_TO_UPPER); }
static struct jinja_value lower(const struct jinja_str_call *c) { return recase(c, JINJA_TO_LOWER); }
static struct jinja_value title(const struct jinja_str_call *c) { return recase(c, JINJA_TITLECASE); }
static struct jinja_value capitalize(const struct jinja_str_call *c) { return recase(c, JINJA_CAPITALIZE); }
static struct jinja_value swapcase(const struct jinja_str_call *c) { return recase(c, JINJA_SWAP); }
static struct jinja_value casefold(const struct jinja_str_call *c) { return recase(c, JINJA_FOLD); }

static struct jinja_value strip_sides(const struct jinja_str_call *c, bool left, bool right)
{
	size_t from, to;

	mote_jinja_strip(c->j, c->t, mote_jinja_given(c->args[0]) ? mote_jinja_str_text_arg(c, 0) : NULL, left, right,
			 &from, &to);
	return mote_jinja_str_part(c, from, to);
}

static struct jinja_value strip(const struct jinja_str_call *c) { return strip_sides(c, true, true); }
static struct jinja_value lstrip(const struct jinja_str_call *c) { return strip_sides(c, true, false); }
static struct jinja_value rstrip(const struct jinja_str_call *c) { return strip_sides(c, false, true); }

static struct jinja_value pad(const struct jinja_str_call *c, int where) /* -1: text left, 0: centre, 1: right */
{
	const struct jinja_text *fill =
		c->args[1].kind == JINJA_ABSENT ? mote_jinja_text(c->j, " ", 1, false) : mote_jinja_str_text_arg(c, 1);
	int64_t width = mote_jinja_str_int_arg(c, 0, 0), length = (int64_t)mote_jinja_chars(c->j, c->t), left;
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
	return mote_jinja_str_done(&b);
}

static struct jinja_value ljust(const struct jinja_str_call *c) { return pad(c, -1); }
static struct jinja_value center(const struct jinja_str_call *c) { return pad(c, 0); }
static struct jinja_value rjust(const struct jinja_str_call *c) { return pad(c, 1); }

static struct jinja_value zfill(const struct jinja_str_call *c)
{
	int64_t width = mote_jinja_str_int_arg(c, 0, 0), length = (int64_t)mote_jinja_chars(c->j, c->t);
	size_t sign = c->t->bytes && (c->t->at[0] == '-' || c->t->at[0] == '+');
	struct jinja_builder b;

	mote_jinja_begin(&b, c->j);
	mote_jinja_put_slice(&b, c->t, 0, sign);
	mote_jinja_put_fill(&b, mote_jinja_text(c->j, "0", 1, false), width > length ? (size_t)(width - length) : 0);
	mote_jinja_put_slice(&b, c->t, sign, c->t->bytes);
	return mote_jinja_str_done(&b);
}

static struct jinja_value expandtabs(const struct jinja_str_call *c)
{
	const struct jinja_text *space = mote_jinja_text(c->j, " ", 1, false);
	int64_t size = mote_jinja_str_int_arg(c, 0, 8), column = 0;
	struct jinja_builder b;

	if (size > INT32_MAX || size < INT32_MIN)
		mote_jinja_fail(c->j, MOTE_ERROR_CORRUPT, "tab size too large");
	mote_jinja_begin(&b, c->j);
	for (size_t i = 0; i < c->t->bytes; i++) {
		mote_jinja_charge(c->j, 1);
		if (c->t->at[i] == '\t') {
			mote_jinja_put_fill(&b, space, size > 0 ? (size_t)(size - column % size) : 0);
			column += size > 0 ? size - column % size : 0;
			continue;
		}
		mote_jinja_put_slice(&b, c->t, i, i + 1);
		column = c->t->at[i] == '\n' || c->t->at[i] == '\r' ? 0 :
			 column + (((unsigned char)c->t->at[i] & 0xc0) != 0x80);
	}
	return mote_jinja_str_done(&b);
}

/* ---- searching ---- */

/* Arguments start and end, as byte offsets; false when start lies behind the end. */
static bool bounds(const struct jinja_str_call *c, int i, size_t *from, size_t *to)
{
	int64_t length = (int64_t)mote_jinja_chars(c->j, c->t);
	int64_t start = mote_jinja_given(c->args[i]) ? mote_jinja_need_int(c->j, c->args[i], c->name) : 0;
	int64_t end = mote_jinja_given(c->args[i + 1]) ? mote_jinja_need_int(c->j, c->args[i + 1], c->name) : length;

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

static struct jinja_value position(const struct jinja_str_call *c, bool last, bool must)
{
	const struct jinja_text *needle = mote_jinja_str_text_arg(c, 0), *before;
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

static struct jinja_value find(const struct jinja_str_call *c) { return position(c, false, false); }
static struct jinja_value rfind(const struct jinja_str_call *c) { return position(c, true, false); }
static struct jinja_value index_of(const struct jinja_str_call *c) { return position(c, false, true); }
static struct jinja_value rindex_of(const struct jinja_str_call *c) { return position(c, true, true); }

static struct jinja_value count(const struct jinja_str_call *c)
{
	const struct jinja_text *needle = mote_jinja_str_text_arg(c, 0);
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

static bool affix_matches(const struct jinja_str_call *c, struct jinja_value v, size_t from, size_t to, bool end)
{
	const struct jinja_text *affix = mote_jinja_need_text(c->j, v, c->name);

	mote_jinja_charge(c->j, 1 + (affix->bytes >> 6));
	if (affix->bytes > to - from)
		return false;
	return !memcmp(c->t->at + (end ? to - affix->bytes : from), affix->at, affix->bytes);
}

static struct jinja_value has_affix(const struct jinja_str_call *c, bool end)
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

static struct jinja_value startswith(const struct jinja_str_call *c) { return has_affix(c, false); }
static struct jinja_value endswith(const struct jinja_str_call *c) { return has_affix(c, true); }

/* Of the argument, when the text begins or ends with it. */
static size_t affix_bytes(const struct jinja_str_call *c, bool at_end)
{
	return affix_matches(c, c->args[0], 0, c->t->bytes, at_end) ? mote_jinja_str_text_arg(c, 0)->bytes : 0;
}

static struct jinja_value removeprefix(const struct jinja_str_call *c)
{
	return mote_jinja_str_part(c, affix_bytes(c, false), c->t->bytes);
}

static struct jinja_value removesuffix(const struct jinja_str_call *c)
{
	return mote_jinja_str_part(c, 0, c->t->bytes - affix_bytes(c, true));
}

/* ---- the table of str ---- */

static const struct {
	struct jinja_value (*call)(const struct jinja_str_call *c);
	bool escapes; /* of Markup: the second argument becomes part of the text */
} str_calls[] = {
	{capitalize, false}, {casefold, false}, {center, true}, {count, false}, {endswith, false},
	{expandtabs, false}, {find, false}, {index_of, false}, {mote_jinja_str_isalnum, false},
	{mote_jinja_str_isalpha, false}, {mote_jinja_str_isascii, false}, {mote_jinja_str_isdecimal, false},
	{mote_jinja_str_isdigit, false}, {mote_jinja_str_isidentifier, false},
	{mote_jinja_str_islower, false}, {mote_jinja_str_isnumeric, false}, {mote_jinja_str_isprintable, false},
	{mote_jinja_str_isspace, false}, {mote_jinja_str_istitle, false}, {mote_jinja_str_isupper, false},
	{mote_jinja_str_join, false}, {ljust, true}, {lower, false},
	{lstrip, false}, {mote_jinja_str_partition, false}, {removeprefix, false}, {removesuffix, false},
	{mote_jinja_str_replace, true}, {rfind, false}, {rindex_of, false}, {rjust, true},
	{mote_jinja_str_rpartition, false}, {mote_jinja_str_rsplit, false}, {rstrip, false},
	{mote_jinja_str_split, false}, {mote_jinja_str_splitlines, false}, {startswith, false},
	{strip, false}, {swapcase, false}, {title, false}, {upper, false}, {zfill, false},
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
	struct jinja_str_call c = {.j = j, .t = args[0].text, .args = args + 1, .name = b->name};

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
	STR(41, "zfill", "width", 1, true), {.name = "format", .raw = mote_jinja_format},
	{.name = "format_map", .raw = mote_jinja_format, .detail = 1},
};
