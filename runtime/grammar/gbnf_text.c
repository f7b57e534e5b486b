/* Literals and classes of GBNF. */
#include <string.h>

#include "format/utf8.h"
#include "runtime/grammar/gbnf.h"

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static uint32_t read_hex(struct gbnf_reader *r, int digits)
{
	const char *begin = r->at - 2;
	uint32_t value = 0;

	for (int i = 0; i < digits; i++, r->at++) {
		if (digit_of(mote_gbnf_peek(r)) < 0) {
			mote_gbnf_fail(r, "expected a hexadecimal digit");
			return 0;
		}
		value = value * 16 + (uint32_t)digit_of(*r->at);
	}
	if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, "no character has this number");
	return value;
}

/* One character of a literal or a class, escaped or not. */
static uint32_t read_character(struct gbnf_reader *r)
{
	static const char names[] = "nrt\\\"'[]^-/", values[] = "\n\r\t\\\"'[]^-/";
	const char *found;
	uint32_t c;
	size_t n;

	if (r->at == r->end || *r->at == '\n') {
		mote_gbnf_fail(r, "the line ends inside of a literal or class");
		return 0;
	}
	c = mote_utf8_decode(r->at, &n);
	r->at += n;
	if (c != '\\')
		return c;
	c = (uint8_t)mote_gbnf_peek(r);
	r->at += r->at < r->end;
	if (c == 'x' || c == 'u' || c == 'U')
		return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	found = c ? strchr(names, (int)c) : NULL;
	if (found && c < 0x80)
		return (uint8_t)values[found - names];
	mote_gbnf_fail_at(r, r->at - 1, MOTE_ERROR_CORRUPT, "no escape of this name: expected n r t x u U or a sign");
	return 0;
}

void mote_gbnf_literal(struct gbnf_reader *r, uint32_t from, uint32_t to)
{
	const char *begin = r->at++;

	while (!mote_gbnf_failed(r) && mote_gbnf_peek(r) != '"') {
		char text[4];
		size_t n;
		uint32_t next;

		n = mote_utf8_encode(read_character(r), text);
		next = mote_network_state(r->g);
		mote_network_text(r->g, from, text, n, next);
		from = next;
	}
	mote_gbnf_expect(r, '"', begin, "a literal without its closing quote");
	mote_network_empty(r->g, from, to);
}

void mote_gbnf_class(struct gbnf_reader *r, uint32_t from, uint32_t to)
{
	struct grammar_range *range = r->range;
	const char *begin = r->at++;
	bool inverted = mote_gbnf_peek(r) == '^';
	size_t n = 0;

	r->at += inverted;
	while (!mote_gbnf_failed(r) && mote_gbnf_peek(r) != ']') {
		if (n == GBNF_MAX_RANGES) {
			mote_gbnf_fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 1024 ranges in a class");
			return;
		}
		range[n].low = range[n].high = read_character(r);
		if (mote_gbnf_peek(r) == '-' && r->at + 1 < r->end && r->at[1] != ']') {
			r->at++;
			range[n].high = read_character(r);
			if (range[n].high < range[n].low)
				mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, "a range ends before it begins");
		}
		n++;
	}
	mote_gbnf_expect(r, ']', begin, "a class without its closing bracket");
	n = mote_ranges_normalize(range, n);
	if (inverted)
		n = mote_ranges_invert(range, n, r->other);
	if (!mote_ranges_any(inverted ? r->other : range, n))
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, "no character is of this class");
	mote_network_characters(r->g, from, inverted ? r->other : range, n, to);
}
