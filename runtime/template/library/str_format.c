/* Formatting: "...".format(...). Fields may nest once, in a specification; f->b is the builder that the innermost one
 * in work writes to.
 */
#include "format/utf8.h"
#include "runtime/template/library/library.h"
#include "runtime/template/run/attribute.h"
#include "runtime/template/value/field.h"
#include "runtime/template/value/number.h"
#include "runtime/template/value/print_value.h"

struct format {
	struct jinja_builder *b;
	const struct jinja_args *args; /* without self */
	bool markup;
	int64_t automatic;             /* next field number; -1: numbered by hand */
};

static int64_t layout_size(struct jinja *j, const struct jinja_text *spec, size_t *at)
{
	int64_t n = 0;

	for (; *at < spec->bytes && spec->at[*at] >= '0' && spec->at[*at] <= '9'; ++*at) {
		n = n * 10 + (spec->at[*at] - '0');
		if (n > JINJA_MAX_WIDTH)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "field wider than %d", JINJA_MAX_WIDTH);
	}
	return n;
}

static struct jinja_layout parse_layout(struct jinja *j, const struct jinja_text *spec, bool text)
{
	struct jinja_layout l = {.fill = mote_jinja_text(j, " ", 1, false), .precision = -1};
	size_t at = 0, length = 0;
	bool filled = false;

	if (spec->bytes)
		mote_utf8_decode(spec->at, &length);
	if (spec->bytes > length && spec->at[length] && strchr("<>=^", spec->at[length])) {
		l.fill = mote_jinja_slice(j, spec, 0, length);
		l.align = spec->at[length];
		at = length + 1;
		filled = true;
	} else if (spec->bytes && spec->at[0] && strchr("<>=^", spec->at[0])) {
		l.align = spec->at[at++];
	}
	if (at < spec->bytes && spec->at[at] && strchr("+- ", spec->at[at]))
		l.sign = spec->at[at++];
	if (at < spec->bytes && spec->at[at] == '#' && ++at)
		l.alternate = true;
	if (at < spec->bytes && spec->at[at] == '0' && ++at) {
		l.align = l.align ? l.align : text ? '<' : '=';
		l.fill = filled ? l.fill : mote_jinja_text(j, "0", 1, false);
	}
	l.zero = l.align == '=' && mote_jinja_text_is(l.fill, "0");
	l.width = layout_size(j, spec, &at);
	if (at < spec->bytes && (spec->at[at] == ',' || spec->at[at] == '_'))
		l.grouping = spec->at[at++];
	if (at < spec->bytes && spec->at[at] == '.') {
		if (++at >= spec->bytes || spec->at[at] < '0' || spec->at[at] > '9')
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "format specifier missing precision");
		l.precision = layout_size(j, spec, &at);
	}
	if (at < spec->bytes)
		l.type = spec->at[at++];
	if (at < spec->bytes)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "invalid format specifier");
	return l;
}

_Noreturn static void fail_code(struct jinja *j, const struct jinja_layout *l, struct jinja_value v)
{
	mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "format code '%c' does not fit %s",
			l->type >= 32 && l->type < 127 ? l->type : '?', mote_jinja_type(v));
}

/* format(v, spec) */
static void format_value(struct jinja_builder *b, struct jinja_value v, const struct jinja_text *spec)
{
	struct jinja *j = b->j;
	struct jinja_layout l;

	if (!spec->bytes) {
		mote_jinja_print(b, v);
		return;
	}
	if (v.kind != JINJA_STRING && !mote_jinja_is_number(v))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unsupported format string for %s", mote_jinja_type(v));
	l = parse_layout(j, spec, v.kind == JINJA_STRING);
	if (v.kind == JINJA_STRING) {
		if ((l.type && l.type != 's') || l.sign || l.alternate || l.grouping || l.align == '=')
			fail_code(j, &l, v);
		mote_jinja_put_text_field(b, &l, v.text);
	} else if (v.kind == JINJA_FLOAT || (l.type && strchr("eEfFgG%", l.type))) {
		if ((l.type && !strchr("eEfFgGn%", l.type)) || (l.grouping && l.type == 'n'))
			fail_code(j, &l, v);
		mote_jinja_put_float(b, &l, mote_jinja_real(j, v), v.plain);
	} else {
		if ((l.type && !strchr("bcdoxXn", l.type)) || l.precision >= 0 ||
		    (l.grouping && l.type == 'n') || (l.grouping == ',' && l.type && l.type != 'd'))
			fail_code(j, &l, v);
		if (l.type == 'c')
			mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "format code 'c'");
		mote_jinja_put_int(b, &l, v);
	}
}

static struct jinja_value format_argument(struct format *f, const struct jinja_text *name)
{
	struct jinja *j = f->b->j;
	struct jinja_value index;
	int64_t i;

	if (!name->bytes) {
		if (f->automatic < 0)
			mote_jinja_fail(
				j, MOTE_ERROR_CORRUPT,
				"cannot switch from manual field specification to automatic field numbering");
		i = f->automatic++;
	} else if (name->at[0] >= '0' && name->at[0] <= '9' &&
		   mote_jinja_parse_int(j, name->at, name->bytes, 10, &index) && index.kind == JINJA_INT) {
		if (f->automatic > 0)
			mote_jinja_fail(
				j, MOTE_ERROR_CORRUPT,
				"cannot switch from automatic field numbering to manual field specification");
		f->automatic = -1;
		i = index.integer;
	} else {
		mote_jinja_charge(j, f->args->n_keywords / 4);
		for (size_t k = 0; k < f->args->n_keywords; k++)
			if (f->args->keywords[k].name->bytes == name->bytes &&
			    !memcmp(f->args->keywords[k].name->at, name->at, name->bytes))
				return f->args->keywords[k].value;
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "format: argument '%.*s' is missing",
				(int)(name->bytes < 100 ? name->bytes : 100), name->at);
	}
	if ((size_t)i >= f->args->count)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "format: argument %lld is missing", (long long)i);
	return f->args->values[i];
}

/* name, then .attribute and [element] */
static struct jinja_value format_field(struct format *f, const struct jinja_text *field)
{
	struct jinja *j = f->b->j;
	size_t at = 0, from;
	struct jinja_value v, key;
	char open;

	while (at < field->bytes && field->at[at] != '.' && field->at[at] != '[')
		at++;
	v = format_argument(f, mote_jinja_slice(j, field, 0, at));
	while (at < field->bytes) {
		open = field->at[at];
		if (open != '.' && open != '[')
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "only '.' or '[' may follow ']' in a format field");
		for (from = ++at;
		     at < field->bytes &&
		     (open == '[' ? field->at[at] != ']' : field->at[at] != '.' && field->at[at] != '[');
		     at++)
			;
		key = mote_jinja_string(mote_jinja_slice(j, field, from, at));
		if (at == from || (open == '[' && at == field->bytes))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "empty attribute in format string");
		if (open == '.') {
			v = mote_jinja_getattr(j, v, key);
			continue;
		}
		if (field->at[from] >= '0' && field->at[from] <= '9')
			mote_jinja_parse_int(j, field->at + from, at - from, 10, &key);
		v = mote_jinja_getitem(j, v, key);
		at++;
	}
	return v;
}

static void run_format(struct format *f, const struct jinja_text *t, unsigned depth);

/* What stands between braces: field, !conversion, :specification. */
static void put_replacement(struct format *f, const struct jinja_text *t, unsigned depth)
{
	struct jinja *j = f->b->j;
	struct jinja_builder inner, converted, *outer = f->b;
	const struct jinja_text *spec;
	size_t at = 0, end;
	struct jinja_value v;
	bool bracket = false;

	for (; at < t->bytes && (bracket || (t->at[at] != '!' && t->at[at] != ':')); at++)
		bracket = t->at[at] == '[' || (bracket && t->at[at] != ']');
	v = format_field(f, mote_jinja_slice(j, t, 0, at));
	if (at < t->bytes && t->at[at] == '!') {
		end = at + 2;
		if (end <= t->bytes && t->at[at + 1] == 'a' && (end == t->bytes || t->at[end] == ':'))
			mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "conversion specifier 'a'");
		if (end > t->bytes || (t->at[at + 1] != 'r' && t->at[at + 1] != 's') ||
		    (end < t->bytes && t->at[end] != ':'))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unknown conversion specifier in format string");
		mote_jinja_begin(&converted, j);
		if (t->at[at + 1] == 'r')
			mote_jinja_repr(&converted, v);
		else
			mote_jinja_print(&converted, v);
		v = mote_jinja_string(mote_jinja_end(&converted));
		at = end;
	}
	spec = mote_jinja_slice(j, t, at < t->bytes ? at + 1 : at, t->bytes);
	if (memchr(spec->at, '{', spec->bytes)) {
		if (depth >= 2)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "max string recursion exceeded");
		mote_jinja_begin(&inner, j);
		f->b = &inner;
		run_format(f, spec, depth + 1);
		f->b = outer;
		spec = mote_jinja_end(&inner);
	}
	if (!f->markup) {
		format_value(outer, v, spec);
		return;
	}
	if (v.kind == JINJA_STRING && v.text->markup && spec->bytes)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unsupported format specification for Markup");
	mote_jinja_begin(&inner, j);
	format_value(&inner, v, spec);
	if (v.kind == JINJA_STRING && v.text->markup)
		mote_jinja_put_text(outer, v.text);
	else
		mote_jinja_put_text(outer, mote_jinja_escape(j, mote_jinja_string(mote_jinja_end(&inner))));
}

static void run_format(struct format *f, const struct jinja_text *t, unsigned depth)
{
	struct jinja *j = f->b->j;
	size_t from = 0, at, end, open;
	bool bracket;

	for (at = 0; at < t->bytes; at++) {
		mote_jinja_charge(j, 1);
		if (t->at[at] != '{' && t->at[at] != '}')
			continue;
		mote_jinja_put_slice(f->b, t, from, at);
		if (at + 1 < t->bytes && t->at[at + 1] == t->at[at]) {
			mote_jinja_put_slice(f->b, t, at, at + 1);
			from = ++at + 1;
			continue;
		}
		if (t->at[at] == '}')
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "single '}' encountered in format string");
		for (end = at + 1, open = 1, bracket = false; end < t->bytes; end++) {
			if (!bracket && t->at[end] == '{')
				open++;
			else if (!bracket && t->at[end] == '}' && !--open)
				break;
		}
		if (end >= t->bytes)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "expected '}' before end of string");
		mote_jinja_charge(j, (end - at) / 2);
		put_replacement(f, mote_jinja_slice(j, t, at + 1, end), depth);
		at = end;
		from = end + 1;
	}
	mote_jinja_put_slice(f->b, t, from, t->bytes);
}

struct jinja_value mote_jinja_format(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	const struct jinja_text *t = args->values[0].text;
	struct jinja_args rest = *args;
	struct jinja_builder out;
	struct format f = {.b = &out, .args = &rest, .markup = t->markup};

	rest.values++;
	rest.count--;
	if (b->detail) { /* format_map */
		if (rest.count != 1 || rest.n_keywords || rest.values[0].kind != JINJA_DICT)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "format_map takes one mapping");
		rest.n_keywords = 0;
		rest.keywords = mote_jinja_alloc_array(j, rest.values[0].dict->count, sizeof *rest.keywords);
		for (uint32_t i = 0; i < rest.values[0].dict->count; i++)
			if (rest.values[0].dict->entries[i].key.kind == JINJA_STRING)
				rest.keywords[rest.n_keywords++] = (struct jinja_keyword){
					rest.values[0].dict->entries[i].key.text,
					rest.values[0].dict->entries[i].value };
		rest.count = 0;
	}
	mote_jinja_begin(&out, j);
	run_format(&f, t, 1);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&out), t->markup));
}
