/* "..." % arguments.
 *
 * The format is read once from left to right: "at" is the next byte of it, "next" the next argument. Text between the
 * fields is copied as it is, with where it came from; each field becomes a layout and goes to field.c.
 */
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/field.h"
#include "runtime/template/value/number.h"
#include "runtime/template/value/print_value.h"

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
	for (; peek(p) >= '0' && peek(p) <= '9' && n <= JINJA_MAX_WIDTH && n >= -JINJA_MAX_WIDTH; p->at++)
		n = n * 10 + (peek(p) - '0');
	if (n > JINJA_MAX_WIDTH || n < -JINJA_MAX_WIDTH)
		mote_jinja_fail(p->b.j, MOTE_ERROR_LIMIT, "field wider than %d", JINJA_MAX_WIDTH);
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
	struct jinja_layout plain_layout = {.width = l->precision, .precision = -1, .type = type};

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
					    l->alternate && l->type != 'd' ? (char[3]){'0', type, 0} : "",
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
	struct jinja_layout l = {.align = 0, .precision = -1};
	struct jinja *j = p->b.j;
	struct jinja_builder b;
	struct jinja_value v = {.kind = JINJA_ABSENT};
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
	struct percent p = {.format = format, .args = args};
	size_t run;

	mote_jinja_begin(&p.b, j);
	while (p.at < format->bytes) {
		for (run = p.at; run < format->bytes && format->at[run] != '%'; run++)
			;
		mote_jinja_put_slice(&p.b, format, p.at, run);
		p.at = run + 1;
		if (run == format->bytes)
			break;
		percent_field(&p);
		mote_jinja_charge(j, 1 + (p.at - run) / 4); /* flags and zeros leave nothing behind */
	}
	if (args.kind == JINJA_TUPLE ? p.next < args.list->count :
	    !p.next && args.kind != JINJA_DICT && args.kind != JINJA_LIST && args.kind != JINJA_RANGE &&
	    args.kind != JINJA_UNDEFINED) /* what has elements counts as a mapping */
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "not all arguments converted during string formatting");
	return mote_jinja_as_markup(j, mote_jinja_end(&p.b), format->markup);
}
