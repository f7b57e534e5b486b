/* Numbers and texts laid out in fields of a width, for both kinds of formatting.
 *
 * A number is a sign with a prefix, and digits, made without padding; the two are put into the field last, because
 * the fill goes around both or (align '=') between them. Width and precision are at most JINJA_MAX_WIDTH here.
 */
#include "runtime/template/value/field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/template/value/number.h"

static void put_aligned(struct jinja_builder *b, const struct jinja_layout *l, const struct jinja_text *prefix,
			const struct jinja_text *body, char align)
{
	size_t chars = mote_jinja_chars(b->j, prefix) + mote_jinja_chars(b->j, body), pad, left;

	pad = l->width > 0 && (size_t)l->width > chars ? (size_t)l->width - chars : 0;
	left = align == '<' ? 0 : align == '^' ? pad / 2 : pad;
	if (align != '=')
		mote_jinja_put_fill(b, l->fill, left);
	mote_jinja_put_text(b, prefix);
	if (align == '=')
		mote_jinja_put_fill(b, l->fill, pad);
	mote_jinja_put_text(b, body);
	if (align != '=')
		mote_jinja_put_fill(b, l->fill, pad - left);
}

void mote_jinja_put_text_field(struct jinja_builder *b, const struct jinja_layout *l, const struct jinja_text *t)
{
	if (l->precision >= 0)
		t = mote_jinja_slice(b->j, t, 0, mote_jinja_byte_of(b->j, t, (size_t)l->precision));
	put_aligned(b, l, mote_jinja_text(b->j, "", 0, false), t, l->align ? l->align : '<');
}

/* digits with separators between groups counted from the right; the part after the digits stays. */
static const struct jinja_text *group(struct jinja *j, const struct jinja_layout *l, size_t sign_bytes, const char *s,
				      size_t bytes, bool plain)
{
	size_t digits = 0, each = l->type == 'x' || l->type == 'X' || l->type == 'o' || l->type == 'b' ? 4 : 3, n;
	size_t padded;
	struct jinja_builder b;

	while (digits < bytes && s[digits] != '.' && s[digits] != 'e' && s[digits] != 'E' && s[digits] != '%')
		digits++;
	if (l->grouping && each == 4)
		digits = bytes;
	mote_jinja_begin(&b, j);
	if (l->grouping && l->zero && l->width > 0) { /* zeros are grouped too */
		for (padded = digits;
		     padded + (padded - 1) / each + (bytes - digits) + sign_bytes < (size_t)l->width; padded++)
			;
		for (n = padded; n > digits; n--) {
			mote_jinja_put(&b, "0", 1, plain);
			if ((n - 1) % each == 0)
				mote_jinja_put(&b, &l->grouping, 1, plain);
		}
	}
	for (size_t i = 0; i < digits; i++) {
		mote_jinja_put(&b, s + i, 1, plain);
		if (l->grouping && digits - i > 1 && (digits - i - 1) % each == 0)
			mote_jinja_put(&b, &l->grouping, 1, plain);
	}
	mote_jinja_put(&b, s + digits, bytes - digits, plain);
	return mote_jinja_end(&b);
}

void mote_jinja_put_number_field(struct jinja_builder *b, const struct jinja_layout *l, bool negative,
				 const char *prefix, const char *digits, size_t bytes, bool plain)
{
	char sign[8];

	snprintf(sign, sizeof sign, "%s%s",
		 negative         ? "-"
		 : l->sign == '+' ? "+"
		 : l->sign == ' ' ? " "
				  : "",
		 prefix);
	put_aligned(b, l, mote_jinja_text(b->j, sign, strlen(sign), plain),
		    group(b->j, l, strlen(sign), digits, bytes, plain), l->align ? l->align : '>');
}

void mote_jinja_put_int(struct jinja_builder *b, const struct jinja_layout *l, struct jinja_value v)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	unsigned base = l->type == 'x' || l->type == 'X' ? 16 : l->type == 'o' ? 8 : l->type == 'b' ? 2 : 10;
	char digits[80], prefix[3] = {'0', l->type, 0};
	size_t n = sizeof digits;
	int64_t i = 0;
	uint64_t u;

	if (v.kind == JINJA_BIG) {
		if (base != 10)
			mote_jinja_fail(b->j, MOTE_ERROR_LIMIT, "integer beyond 64 bits");
		mote_jinja_put_number_field(b, l, v.text->at[0] == '-', "", v.text->at + (v.text->at[0] == '-'),
				 v.text->bytes - (v.text->at[0] == '-'), v.plain);
		return;
	}
	mote_jinja_integral(v, &i);
	u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	do
		digits[--n] = (l->type == 'X' ? upper : lower)[u % base];
	while (u /= base);
	mote_jinja_put_number_field(b, l, i < 0, l->alternate && base != 10 ? prefix : "", digits + n,
				    sizeof digits - n, v.plain);
}

/* No type, but a precision: like 'g', except that it never looks like an integer, for which one digit less fits. */
static int like_float(const struct jinja_layout *l, double x, int64_t precision, char *text, size_t room)
{
	int n, exponent, digits = precision > 0 ? (int)precision : 1;
	char *e;

	n = snprintf(text, room, "%.*e", digits - 1, x);
	e = strchr(text, 'e');
	if (!isfinite(x) || !e)
		return n;
	exponent = (int)strtol(e + 1, NULL, 10);
	if (exponent >= -4 && exponent < digits - 1) {
		n = snprintf(text, room, l->alternate ? "%#.*g" : "%.*g", digits, x);
		return strchr(text, '.') ? n : n + snprintf(text + n, room - (size_t)n, ".0");
	}
	if (l->alternate)
		return strchr(text, '.') ? n : snprintf(text, room, "%#.*e", digits - 1, x);
	if (strchr(text, '.')) {
		char *end = e;

		while (end[-1] == '0')
			end--;
		end -= end[-1] == '.';
		memmove(end, e, strlen(e) + 1);
	}
	return (int)strlen(text);
}

void mote_jinja_put_float(struct jinja_builder *b, const struct jinja_layout *l, double x, bool plain)
{
	char format[16], repr[40], *text;
	double value = l->type == '%' ? x * 100 : x;
	int64_t precision = l->precision < 0 ? 6 : l->precision;
	size_t room = (size_t)precision + 340;
	char type = l->type == '%' || l->type == 0 ? (l->type ? 'f' : 'g') : l->type == 'n' ? 'g' : l->type;
	int n;

	if (l->type == 0 && l->precision < 0) {
		mote_jinja_float_repr(fabs(x), repr);
		mote_jinja_put_number_field(b, l, signbit(x) && !isnan(x), "", repr, strlen(repr), plain);
		return;
	}
	text = mote_jinja_alloc(b->j, room);
	snprintf(format, sizeof format, "%%%s.*%c", l->alternate ? "#" : "", type);
	n = snprintf(text, room, format, (int)precision, fabs(value)); /* the format is built from a checked type */
	if (n < 0) /* with a great precision, the C library needs memory of its own */
		mote_jinja_fail(b->j, MOTE_ERROR_MEMORY, "out of memory");
	if (l->type == 0)
		n = like_float(l, fabs(value), precision, text, room);
	if (l->type == '%')
		text[n++] = '%';
	mote_jinja_put_number_field(b, l, signbit(x) && !isnan(x), "", text, (size_t)n, plain);
}
