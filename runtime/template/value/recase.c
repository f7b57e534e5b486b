/* Texts in another case, with other digits, or without what stands at their ends, as Python's str has them.
 *
 * A character may become several (the German sharp s in capitals), or depend on its neighbours (a sigma at the end of
 * a word); each new one is plain when the old one was.
 */
#include "runtime/template/value/recase.h"

#include <utf8proc.h>

#include "format/utf8.h"
#include "runtime/template/value/characters.h"

/* Unicode gives each script's digits as a row, from zero on; only the mathematical ones have rows side by side. */
const struct jinja_text *mote_jinja_ascii_digits(struct jinja *j, const struct jinja_text *t)
{
	struct jinja_builder b;
	uint32_t code, zero;
	size_t length;

	if (mote_jinja_chars(j, t) == t->bytes)
		return t;
	mote_jinja_begin(&b, j);
	for (size_t i = 0; i < t->bytes; i += length) {
		code = mote_utf8_decode(t->at + i, &length);
		if (!mote_jinja_is(code, JINJA_DECIMAL)) {
			mote_jinja_put_slice(&b, t, i, i + length);
			continue;
		}
		for (zero = code; mote_jinja_is(zero - 1, JINJA_DECIMAL); zero--)
			;
		mote_jinja_put_code(&b, '0' + (code - zero) % 10, mote_jinja_plain_at(t, i));
	}
	return mote_jinja_end(&b);
}

/* Characters whose upper or title case is more than one (Unicode's SpecialCasing.txt, unconditional part, without
 * the polytonic Greek rows). */
static const struct {
	uint32_t code;
	const char *upper, *title;
} special[] = {
	{0xdf, "SS", "Ss"}, {0x149, "\xca\xbcN", "\xca\xbcN"}, {0x1f0, "J\xcc\x8c", "J\xcc\x8c"},
	{0x390, "\xce\x99\xcc\x88\xcc\x81", "\xce\x99\xcc\x88\xcc\x81"},
	{0x3b0, "\xce\xa5\xcc\x88\xcc\x81", "\xce\xa5\xcc\x88\xcc\x81"},
	{0x587, "\xd4\xb5\xd5\x92", "\xd4\xb5\xd6\x82"}, {0x1e96, "H\xcc\xb1", "H\xcc\xb1"},
	{0x1e97, "T\xcc\x88", "T\xcc\x88"}, {0x1e98, "W\xcc\x8a", "W\xcc\x8a"},
	{0x1e99, "Y\xcc\x8a", "Y\xcc\x8a"}, {0x1e9a, "A\xca\xbe", "A\xca\xbe"}, {0xfb00, "FF", "Ff"},
	{0xfb01, "FI", "Fi"}, {0xfb02, "FL", "Fl"}, {0xfb03, "FFI", "Ffi"}, {0xfb04, "FFL", "Ffl"},
	{0xfb05, "ST", "St"}, {0xfb06, "ST", "St"}, {0xfb13, "\xd5\x84\xd5\x86", "\xd5\x84\xd5\xb6"},
	{0xfb14, "\xd5\x84\xd4\xb5", "\xd5\x84\xd5\xa5"}, {0xfb15, "\xd5\x84\xd4\xbb", "\xd5\x84\xd5\xab"},
	{0xfb16, "\xd5\x8e\xd5\x86", "\xd5\x8e\xd5\xb6"}, {0xfb17, "\xd5\x84\xd4\xbd", "\xd5\x84\xd5\xad"},
};

static void put_cased(struct jinja_builder *b, uint32_t code, enum jinja_case how, bool plain)
{
	utf8proc_int32_t c = (utf8proc_int32_t)code;

	if (how == JINJA_TO_LOWER) {
		if (code == 0x130)
			mote_jinja_put(b, "i\xcc\x87", 3, plain);
		else
			mote_jinja_put_code(b, (uint32_t)utf8proc_tolower(c), plain);
		return;
	}
	for (size_t i = 0; code >= 0xdf && i < sizeof special / sizeof special[0]; i++) {
		if (special[i].code == code) {
			mote_jinja_put_string(b, how == JINJA_TO_UPPER ? special[i].upper : special[i].title, plain);
			return;
		}
	}
	mote_jinja_put_code(b, (uint32_t)(how == JINJA_TO_UPPER ? utf8proc_toupper(c) : utf8proc_totitle(c)), plain);
}

/* Case-ignorable, as the final sigma's rule has it. */
static bool is_ignorable(uint32_t code)
{
	utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)code);

	return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME || c == UTF8PROC_CATEGORY_CF ||
	       c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_SK || code == '\'' || code == '.' || code == ':' ||
	       code == 0xb7 || code == 0x2019;
}

/* A capital sigma after a cased letter, with none after it, becomes the final small one. */
static bool is_final_sigma(const struct jinja_text *t, size_t at)
{
	size_t i = at, length;
	uint32_t code = 0;
	bool found = false;

	while (i && !found) {
		do
			i--;
		while (((unsigned char)t->at[i] & 0xc0) == 0x80);
		code = mote_utf8_decode(t->at + i, &length);
		found = !is_ignorable(code);
	}
	if (!found || !mote_jinja_is(code, JINJA_CASED))
		return false;
	for (i = at + 2; i < t->bytes; i += length) {
		code = mote_utf8_decode(t->at + i, &length);
		if (!is_ignorable(code))
			return !mote_jinja_is(code, JINJA_CASED);
	}
	return true;
}

static void put_fold(struct jinja_builder *b, uint32_t code, bool plain)
{
	utf8proc_int32_t out[8];
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code, out, 8, UTF8PROC_CASEFOLD, NULL);

	for (utf8proc_ssize_t i = 0; i < n && i < 8; i++)
		mote_jinja_put_code(b, (uint32_t)out[i], plain);
}

const struct jinja_text *mote_jinja_recase(struct jinja *j, const struct jinja_text *t, enum jinja_case how)
{
	struct jinja_builder b;
	bool in_word = false, plain;
	enum jinja_case each;
	size_t length;
	uint32_t code;

	mote_jinja_begin(&b, j);
	mote_jinja_charge(j, t->bytes >> 2);
	for (size_t i = 0; i < t->bytes; i += length) {
		code = mote_utf8_decode(t->at + i, &length);
		plain = mote_jinja_plain_at(t, i);
		each = how;
		if (how == JINJA_FOLD) {
			put_fold(&b, code, plain);
			continue;
		}
		if (how == JINJA_CAPITALIZE)
			each = i ? JINJA_TO_LOWER : JINJA_TITLECASE;
		else if (how == JINJA_TITLECASE)
			each = in_word ? JINJA_TO_LOWER : JINJA_TITLECASE;
		else if (how == JINJA_SWAP)
			each = mote_jinja_is(code, JINJA_UPPER) ? JINJA_TO_LOWER :
			       mote_jinja_is(code, JINJA_LOWER) ? JINJA_TO_UPPER : JINJA_SWAP;
		in_word = how == JINJA_TITLECASE && mote_jinja_is(code, JINJA_CASED);
		if (each == JINJA_SWAP)
			mote_jinja_put_code(&b, code, plain);
		else if (each == JINJA_TO_LOWER && code == 0x3a3)
			mote_jinja_put_code(&b, is_final_sigma(t, i) ? 0x3c2 : 0x3c3, plain);
		else
			put_cased(&b, code, each, plain);
	}
	return mote_jinja_end(&b);
}

static bool strips(const struct jinja_text *chars, const char *at, size_t length)
{
	size_t n;

	if (!chars)
		return mote_jinja_is_space(mote_utf8_decode(at, &n));
	for (size_t i = 0; i + length <= chars->bytes; i += n) {
		mote_utf8_decode(chars->at + i, &n);
		if (n == length && !memcmp(chars->at + i, at, n))
			return true;
	}
	return false;
}

void mote_jinja_strip(struct jinja *j, const struct jinja_text *t, const struct jinja_text *chars, bool left,
		      bool right, size_t *from, size_t *to)
{
	size_t begin = 0, end = t->bytes, at, length;
	uint64_t each = chars ? 1 + chars->bytes / 8 : 1;

	while (left && begin < end) {
		mote_utf8_decode(t->at + begin, &length);
		if (!strips(chars, t->at + begin, length))
			break;
		begin += length;
		mote_jinja_charge(j, each);
	}
	while (right && begin < end) {
		at = end - 1;
		while (((unsigned char)t->at[at] & 0xc0) == 0x80)
			at--;
		if (!strips(chars, t->at + at, end - at))
			break;
		end = at;
		mote_jinja_charge(j, each);
	}
	*from = begin;
	*to = end;
}
