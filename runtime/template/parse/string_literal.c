/* String literals: Python's unicode-escape. The lexer found where the literal ends, so an escape may look one byte
 * ahead of a backslash without asking: the closing quote is there.
 */
#include "format/utf8.h"
#include "runtime/template/parse/token.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t hex_escape(struct jinja *j, struct jinja_builder *b, size_t at, size_t end, size_t count)
{
	uint32_t code = 0;

	for (size_t i = 0; i < count; i++) {
		if (at + i >= end || hex_digit(j->source[at + i]) < 0)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT,
					"truncated escape in a string: %zu hexadecimal digits expected", count);
		code = code << 4 | (uint32_t)hex_digit(j->source[at + i]);
	}
	if (code > 0x10ffff)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "illegal Unicode character in a string");
	if (code >= 0xd800 && code <= 0xdfff)
		mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "surrogate in a string: \\u%04x", code);
	mote_jinja_put_code(b, code, false);
	return at + count;
}

/* One escape whose backslash is at "at"; returns what follows. */
static size_t escape(struct jinja *j, struct jinja_builder *b, size_t at, size_t end)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *s = j->source, *found;
	size_t length;
	uint32_t code = 0;
	char text[16];

	at++;
	if (s[at] == '\n')
		return at + 1;
	if (s[at] && (found = strchr(from, s[at]))) {
		mote_jinja_put(b, &to[found - from], 1, false);
		return at + 1;
	}
	if (s[at] >= '0' && s[at] <= '7') {
		for (length = 0; length < 3 && at < end && s[at] >= '0' && s[at] <= '7'; length++)
			code = code * 8 + (uint32_t)(s[at++] - '0');
		mote_jinja_put_code(b, code, false);
		return at;
	}
	if (s[at] == 'x' || s[at] == 'u' || s[at] == 'U')
		return hex_escape(j, b, at + 1, end, s[at] == 'x' ? 2 : s[at] == 'u' ? 4 : 8);
	if (s[at] == 'N')
		mote_jinja_fail(j, MOTE_ERROR_UNSUPPORTED, "\\N{name} in a string");
	mote_jinja_put(b, "\\", 1, false);
	if ((unsigned char)s[at] < 0x80)
		return at;
	/* Jinja2 turns what is not ASCII into escapes first, so the backslash here escapes that escape's own. */
	code = mote_utf8_decode(s + at, &length);
	text[0] = code < 0x100 ? 'x' : code < 0x10000 ? 'u' : 'U';
	for (int i = 0, n = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8; i < n; i++)
		text[n - i] = "0123456789abcdef"[code >> 4 * i & 15];
	mote_jinja_put(b, text, code < 0x100 ? 3 : code < 0x10000 ? 5 : 9, false);
	return at + length;
}

const struct jinja_text *mote_jinja_unescape(struct jinja *j, uint32_t at, uint32_t end)
{
	struct jinja_builder b;
	const struct jinja_text *t;
	size_t i = at, run;

	j->at = at;
	mote_jinja_begin(&b, j);
	while (i < end) {
		for (run = i; run < end && j->source[run] != '\\'; run++)
			;
		mote_jinja_put(&b, j->source + i, run - i, false);
		i = run < end ? escape(j, &b, run, end) : run;
	}
	t = mote_jinja_end(&b);
	mote_jinja_chars(j, t);
	return t;
}
