/* Numbers as text, as Python writes and reads them: repr() of a float, int() and float() of a string.
 *
 * repr() is the shortest decimal that reads back as the same double: precisions are tried from one digit up, and
 * seventeen always do.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/utf8.h"
#include "runtime/template/value/characters.h"
#include "runtime/template/value/number.h"

/* Writes x with so many digits behind the first; whether it reads back as x. Where doubles get denser below x, the
 * nearest decimal may be one too low to read back although the next one does. */
static bool shortest(char digits[40], double x, int precision)
{
	char *last;

	snprintf(digits, 40, "%.*e", precision, x);
	if (strtod(digits, NULL) == x)
		return true;
	last = strchr(digits, 'e') - 1;
	if (*last == '9')
		return false;
	++*last;
	return strtod(digits, NULL) == x;
}

size_t mote_jinja_float_repr(double x, char out[40])
{
	char digits[40], sign[2] = "";
	size_t n = 0;
	int exponent;

	if (isnan(x))
		return (size_t)snprintf(out, 40, "nan");
	if (isinf(x))
		return (size_t)snprintf(out, 40, "%sinf", x < 0 ? "-" : "");
	if (signbit(x))
		sign[0] = '-';
	for (int precision = 0; precision < 17 && !shortest(digits, fabs(x), precision); precision++)
		;
	exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10);
	for (size_t i = 0; digits[i] != 'e'; i++)
		if (digits[i] >= '0' && digits[i] <= '9')
			digits[n++] = digits[i];
	if (exponent < -4 || exponent >= 16)
		return (size_t)snprintf(out, 40, "%s%c%s%.*se%c%02d", sign, digits[0], n > 1 ? "." : "",
					(int)n - 1, digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
	if (exponent < 0)
		return (size_t)snprintf(out, 40, "%s0.%.*s%.*s", sign, -exponent - 1, "0000", (int)n, digits);
	if ((int)n <= exponent + 1)
		return (size_t)snprintf(out, 40, "%s%.*s%.*s.0", sign, (int)n, digits, exponent + 1 - (int)n,
					"0000000000000000");
	return (size_t)snprintf(out, 40, "%s%.*s.%.*s", sign, exponent + 1, digits, (int)n - exponent - 1,
				digits + exponent + 1);
}

static void trim(const char **s, size_t *bytes)
{
	struct jinja_text t = {.at = *s, .bytes = *bytes};
	size_t from = 0, to = t.bytes, length, at;

	while (from < to && mote_jinja_is_space(mote_utf8_decode(t.at + from, &length)))
		from += length;
	while (to > from) {
		for (at = to - 1; ((unsigned char)t.at[at] & 0xc0) == 0x80; at--)
			;
		if (!mote_jinja_is_space(mote_utf8_decode(t.at + at, &length)))
			break;
		to = at;
	}
	*s += from;
	*bytes = to - from;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* A decimal integer too long for 64 bits, without leading zeros and underscores. */
static struct jinja_value big(struct jinja *j, const char *s, size_t bytes, bool negative, int base)
{
	struct jinja_value v = {.kind = JINJA_BIG};
	struct jinja_builder b;
	bool leading = true;

	if (base != 10)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "integer beyond 64 bits");
	mote_jinja_begin(&b, j);
	if (negative)
		mote_jinja_put(&b, "-", 1, false);
	for (size_t i = 0; i < bytes; i++) {
		leading = leading && (s[i] == '0' || s[i] == '_');
		if (!leading && s[i] != '_')
			mote_jinja_put(&b, s + i, 1, false);
	}
	v.text = mote_jinja_text(j, b.at, b.bytes, false);
	return v;
}

bool mote_jinja_parse_int(struct jinja *j, const char *s, size_t bytes, int base, struct jinja_value *out)
{
	bool negative, overflow = false, prefixed = false;
	int64_t value = 0;
	int prefix = 0;
	size_t i = 0;

	mote_jinja_charge(j, bytes >> 3);
	trim(&s, &bytes);
	negative = bytes && s[0] == '-';
	if (bytes && (s[0] == '-' || s[0] == '+')) {
		s++;
		bytes--;
	}
	if (bytes > 2 && s[0] == '0') {
		prefix = (s[1] | 32) == 'x' ? 16 : (s[1] | 32) == 'o' ? 8 : (s[1] | 32) == 'b' ? 2 : 0;
		if (prefix && (base == 0 || base == prefix)) {
			i = s[2] == '_' ? 3 : 2;
			base = prefix;
			prefixed = true;
		}
	}
	if (base == 0) {
		base = 10;
		for (size_t k = 0; bytes > 1 && s[0] == '0' && k < bytes; k++) /* 007 is no literal */
			if (s[k] != '0' && s[k] != '_')
				return false;
	}
	if (i >= bytes)
		return false;
	for (size_t first = i; i < bytes; i++) {
		if (s[i] == '_' && (i > first || prefixed) && i + 1 < bytes && s[i + 1] != '_')
			continue;
		if (digit_value(s[i]) >= base)
			return false;
		overflow = overflow || __builtin_mul_overflow(value, base, &value) ||
			   __builtin_sub_overflow(value, digit_value(s[i]),
						  &value); /* downwards: has room for the minimum */
	}
	if (!overflow && !negative && value == INT64_MIN)
		overflow = true;
	*out = overflow ? big(j, s, bytes, negative, base) : mote_jinja_int(negative ? value : -value);
	return true;
}

/* [digits][.digits][e[+-]digits] with single underscores between digits; copies without them. */
static bool valid_float(const char *s, size_t bytes, char *copy)
{
	size_t n = 0, digits = 0;
	bool point = false, exponent = false;

	for (size_t i = 0; i < bytes; i++) {
		if (s[i] >= '0' && s[i] <= '9') {
			digits++;
		} else if (s[i] == '_') {
			if (!i || i + 1 >= bytes || s[i - 1] < '0' || s[i - 1] > '9' || s[i + 1] < '0' ||
			    s[i + 1] > '9')
				return false;
			continue;
		} else if (s[i] == '.' && !point && !exponent) {
			point = true;
		} else if ((s[i] | 32) == 'e' && digits && !exponent) {
			exponent = true;
			digits = 0;
			copy[n++] = s[i];
			if (i + 1 < bytes && (s[i + 1] == '+' || s[i + 1] == '-'))
				copy[n++] = s[++i];
			continue;
		} else {
			return false;
		}
		copy[n++] = s[i];
	}
	copy[n] = 0;
	return digits > 0;
}

bool mote_jinja_parse_float(struct jinja *j, const char *s, size_t bytes, double *out)
{
	bool negative;
	char *copy;

	mote_jinja_charge(j, bytes >> 2);
	trim(&s, &bytes);
	negative = bytes && s[0] == '-';
	if (bytes && (s[0] == '-' || s[0] == '+')) {
		s++;
		bytes--;
	}
	if ((bytes == 3 && !strncasecmp(s, "inf", 3)) || (bytes == 8 && !strncasecmp(s, "infinity", 8))) {
		*out = negative ? -INFINITY : INFINITY;
		return true;
	}
	if (bytes == 3 && !strncasecmp(s, "nan", 3)) {
		*out = NAN;
		return true;
	}
	copy = mote_jinja_alloc(j, bytes + 1);
	if (!valid_float(s, bytes, copy))
		return false;
	*out = strtod(copy, NULL);
	if (negative)
		*out = -*out;
	return true;
}

struct jinja_value mote_jinja_number(struct jinja *j, const char *json, bool plain)
{
	struct jinja_value v;
	double x;

	if (strpbrk(json, ".eE")) {
		x = strtod(json, NULL);
		v = mote_jinja_float(x);
	} else if (!mote_jinja_parse_int(j, json, strlen(json), 10, &v)) {
		mote_jinja_fail_bare(j, MOTE_ERROR_ARGUMENT, "the context holds a number that is none");
	}
	v.plain = plain;
	return v;
}
