/* Formatting: "..." % arguments and "...".format(...). */
#include "runtime/template/template_internal.h"

#define MAX_WIDTH 100000 /* of a field, and of a precision */

/* ---- % ---- */

struct percent {
	struct jinja_builder b;
	const struct jinja_text *format;
	struct jinja_value args;
	size_t at, next;
};

static struct jinja_value next_arg(struct percent *p)
{
	if (p->args.kind == JINJA_TUPLE) {
		if (p->next >= p->args.list->count)
			mote_jinja_fail(p->b.j, MOTE_ERROR_CORRUPT, "not enough arguments for format string");
		return p->args.list->items[p->next++];
	}
	if (p->next++)
		mote_jinja_fail(p->b.j, MOTE_ERROR_CORRUPT, "not enough arguments for format string");
	return p->args;
}

static char peek(const struct percent *p)
{
	if (p->at >= p->format->bytes)
		mote_jinja_fail(p->b.j, MOTE_ERROR_CORRUPT, "incomplete format");
	return p->format->at[p->at];
}

static int64_t percent_size(struct percent *p)
{
	int64_t n = 0;

	if (peek(p) == '*') {
		p->at++;
		n = mote_jinja_need_int(p->b.j, next_arg(p), "* in a format");
	}
	for (; peek(p) >= '0' && peek(p) <= '9' && n <= MAX_WIDTH; p->at++)
		n = n * 10 + (peek(p) - '0');
	if (n > MAX_WIDTH || n < -MAX_WIDTH)
		mote_jinja_fail(p->b.j, MOTE_ERROR_LIMIT, "field wider than %d", MAX_WIDTH);
	return n;
}

static struct jinja_value keyed_arg(struct percent *p)
{
	size_t from = ++p->at, depth = 1;
	const struct jinja_value *found;
	struct jinja_value key;

	if (p->args.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(p->b.j, p->args);
	if (p->args.kind != JINJA_DICT)
		mote_jinja_fail(p->b.j, MOTE_ERROR_CORRUPT, "format requires a mapping");
	for (; depth; p->at++)
		depth = peek(p) == '(' ? depth + 1 : peek(p) == ')' ? depth - 1 : depth;
	key = mote_jinja_string(mote_jinja_slice(p->b.j, p->format, from, p->at - 1));
	found = mote_jinja_get(p->b.j, p->args.dict, key);
	if (!found)
		mote_jinja_fail(p->b.j, MOTE_ERROR_CORRUPT, "format: key '%.*s' is missing",
				(int)(key.text->bytes < 100 ? key.text->bytes : 100), key.text->at);
	return *found;
}

static void percent_number(struct percent *p, struct jinja_layout *l, struct jinja_value v, char type)
{
	struct jinja *j = p->b.j;
	bool is_int = type == 'd' || type == 'i' || type == 'u' || type == 'x' || type == 'X' || type == 'o';
	struct jinja_builder zeros;
	struct jinja_layout plain_layout = { .width = l->precision, .precision = -1, .type = type };

	l->type = type == 'i' || type == 'u' ? 'd' : type;
	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	if (!mote_jinja_is_number(v))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%%%c format: a number is required, not %s", type,
				mote_jinja_type(v));
	if (is_int && v.kind == JINJA_FLOAT) {
		if (l->type != 'd')
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%%%c format: an integer is required, not float",
					type);
		v = mote_jinja_to_int(j, v.real);
	}
	if (l->zero && !l->align) {
		l->align = '=';
		l->fill = mote_jinja_text(j, "0", 1, false);
		l->zero = false;
	}
	if (is_int && l->precision >= 0) { /* at least so many digits: format the digits alone first */
		bool negative = v.kind == JINJA_INT && v.integer < 0;

		mote_jinja_begin(&zeros, j);
		plain_layout.fill = mote_jinja_text(j, "0", 1, false);
		plain_layout.align = '>';
		mote_jinja_put_int(&zeros, &plain_layout, negative ? mote_jinja_negate(j, v, true) : v);
		mote_jinja_put_number_field(&p->b, l, negative,
					    l->alternate && l->type != 'd' ? (char[3]){ '0', type, 0 } : "",
					    zeros.at, zeros.bytes, v.plain);
		return;
	}
	if (is_int)
		mote_jinja_put_int(&p->b, l, v);
	else
		mote_jinja_put_float(&p->b, l, mote_jinja_real(j, v), v.plain);
}

static void percent_field(struct percent *p)
{
	struct jinja_layout l = { .align = 0, .precision = -1 };
	struct jinja *j = p->b.j;
	struct jinja_builder b;
	struct jinja_value v = { .kind = JINJA_ABSENT };
	int64_t code;
	bool left = false;
	char c;

	l.fill = mote_jinja_text(j, " ", 1, mote_jinja_plain_at(p->format, p->at - 1));
	if (peek(p) == '(')
		v = keyed_arg(p);
	for (; (c = peek(p)) && strchr("-+ #0", c); p->at++) {
		left = left || c == '-';
		l.zero = l.zero || c == '0';
		l.alternate = l.alternate || c == '#';
		l.sign = c == '+' || (c == ' ' && !l.sign) ? c : l.sign;
	}
	l.width = percent_size(p);
	if (l.width < 0) {
		left = true;
		l.width = -l.width;
	}
	if (left)
		l.align = '<';
	if (peek(p) == '.') {
		p->at++;
		l.precision = percent_size(p);
		if (l.precision < 0)
			l.precision = 0;
	}
	while ((c = peek(p)) && strchr("hlL", c))
		p->at++;
	c = peek(p);
	p->at++;
	if (c == '%') {
		mote_jinja_put_slice(&p->b, p->format, p->at - 1, p->at);
		return;
	}
	if (!c || !strchr("diuoxXeEfFgGcrsa", c))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "unsupported format character '%c'",
				c >= 32 && c < 127 ? c : '?');
	if (v.kind == JINJA_ABSENT)
		v = next_arg(p);
	if (strchr("diuoxXeEfFgG", c)) {
		percent_number(p, &l, v, c);
		return;
	}
	if (!l.align)
		l.align = '>';
	mote_jinja_begin(&b, j);
	if (c == 's') {
		mote_jinja_put_text(&b, p->format->markup ? mote_jinja_escape(j, v) : mote_jinja_soft_str(j, v));
	} else if (c == 'c' && mote_jinja_integral(v, &code)) {
		if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%%c needs a code point");
		mote_jinja_put_code(&b, (uint32_t)code, v.plain);
	} else if (c == 'c') {
		if (mote_jinja_chars(j, mote_jinja_need_text(j, v, "%c")) != 1)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%%c requires an integer or a character");
		mote_jinja_put_text(&b, v.text);
	} else if (c == 'r') {
		mote_jinja_repr(&b, v);
		if (p->format->markup) {
			v = mote_jinja_string(mote_jinja_end(&b));
			mote_jinja_begin(&b, j);
			mote_jinja_put_text(&b, mote_jinja_escape(j, v));
		}
	} else {
		mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "format character 'a'");
	}
	mote_jinja_put_text_field(&p->b, &l, mote_jinja_end(&b));
}

const struct jinja_text *mote_jinja_percent(struct jinja *j, const struct jinja_text *format, struct jinja_value args)
{
	struct percent p = { .format = format, .args = args };
	size_t run;

	mote_jinja_begin(&p.b, j);
	while (p.at < format->bytes) {
		for (run = p.at; run < format->bytes && format->at[run] != '%'; run++)
			;
		mote_jinja_put_slice(&p.b, format, p.at, run);
		p.at = run + 1;
		if (run < format->bytes)
			percent_field(&p);
	}
	if (args.kind == JINJA_TUPLE ? p.next < args.list->count :
	    !p.next && args.kind != JINJA_DICT && args.kind != JINJA_LIST && args.kind != JINJA_RANGE &&
	    args.kind != JINJA_UNDEFINED) /* what has elements counts as a mapping */
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "not all arguments converted during string formatting");
	return mote_jinja_as_markup(j, mote_jinja_end(&p.b), format->markup);
}

/* ---- str.format ---- */

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
		if (n > MAX_WIDTH)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "field wider than %d", MAX_WIDTH);
	}
	return n;
}

static struct jinja_layout parse_layout(struct jinja *j, const struct jinja_text *spec, bool text)
{
	struct jinja_layout l = { .fill = mote_jinja_text(j, " ", 1, false), .precision = -1 };
	size_t at = 0, length = 0;
	bool filled = false;

	if (spec->bytes)
		mote_jinja_decode(spec->at, &length);
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
	struct format f = { .b = &out, .args = &rest, .markup = t->markup };

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
					rest.values[0].dict->entries[i].key.text, rest.values[0].dict->entries[i].value };
		rest.count = 0;
	}
	mote_jinja_begin(&out, j);
	run_format(&f, t, 1);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&out), t->markup));
}
