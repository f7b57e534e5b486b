/* Character classes over utf8proc's categories, and UTF-8 of untrusted bytes: see unicode_class.h. */
#include "runtime/tokenizer/unicode_class.h"

#include <string.h>
#include <utf8proc.h>

#define L CLASS_LETTER
#define N CLASS_NUMBER
#define S CLASS_SPACE
const uint8_t mote_tokenizer_ascii_class[128] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, S, S, S, S, S, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	S, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, 0, 0,
	0, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, 0, 0,
	0, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, 0, 0, 0, 0, 0
};
#undef L
#undef N
#undef S

size_t mote_tokenizer_utf8_step(const char *text, size_t bytes, size_t *bad)
{
	const uint8_t *p = (const uint8_t *)text;
	uint8_t low = 0x80, high = 0xbf; /* range of the second byte */
	size_t need, i;

	*bad = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < need; i++) {
		if (i == bytes) {
			*bad = 0;
			return 0;
		}
		if (p[i] < low || p[i] > high) {
			*bad = i;
			return 0;
		}
		low = 0x80;
		high = 0xbf;
	}
	return need;
}

size_t mote_tokenizer_utf8_valid(const char *text, size_t bytes)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t at = 0, bad, step;
	uint64_t eight;

	while (at < bytes) {
		while (bytes - at >= 8) { /* ASCII in strides */
			memcpy(&eight, text + at, 8);
			eight &= UINT64_C(0x8080808080808080);
			if (eight) {
				at += (size_t)__builtin_ctzll(eight) / 8;
				break;
			}
			at += 8;
		}
		if (at == bytes)
			break;
		if (p[at] < 0x80) {
			at++;
			continue;
		}
		/* Two bytes are most of what is left in a byte-level vocabulary. */
		if (p[at] >= 0xc2 && p[at] < 0xe0 && bytes - at >= 2 && (p[at + 1] & 0xc0) == 0x80) {
			at += 2;
			continue;
		}
		step = mote_tokenizer_utf8_step(text + at, bytes - at, &bad);
		if (!step)
			break;
		at += step;
	}
	return at;
}

enum char_class mote_tokenizer_class(uint32_t c)
{
	if (c < 128)
		return (enum char_class)mote_tokenizer_ascii_class[c];
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return CLASS_LETTER;
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_NO:
		return CLASS_NUMBER;
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return CLASS_SPACE;
	default:
		return c == 0x85 ? CLASS_SPACE : CLASS_OTHER;
	}
}

bool mote_tokenizer_is_space(uint32_t c)
{
	return mote_tokenizer_class(c) == CLASS_SPACE;
}

bool mote_tokenizer_is_number(uint32_t c)
{
	return mote_tokenizer_class(c) == CLASS_NUMBER;
}

bool mote_tokenizer_is_punctuation(uint32_t c)
{
	if (c < 128)
		return c > 0x20 && c < 0x7f && mote_tokenizer_ascii_class[c] == CLASS_OTHER;
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_PC:
	case UTF8PROC_CATEGORY_PD:
	case UTF8PROC_CATEGORY_PS:
	case UTF8PROC_CATEGORY_PE:
	case UTF8PROC_CATEGORY_PI:
	case UTF8PROC_CATEGORY_PF:
	case UTF8PROC_CATEGORY_PO:
		return true;
	default:
		return false;
	}
}

bool mote_tokenizer_is_mark(uint32_t c)
{
	utf8proc_category_t category;

	if (c < 0x300)
		return false;
	category = utf8proc_category((utf8proc_int32_t)c);
	return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
	       category == UTF8PROC_CATEGORY_ME;
}

/* Alphabetic, marks, decimal digits, connectors, joiners. Beyond letters, letter numbers and marks,
 * Alphabetic holds only the circled and squared Latin letters. */
bool mote_tokenizer_is_word(uint32_t c)
{
	switch (utf8proc_category((utf8proc_int32_t)c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_ND:
	case UTF8PROC_CATEGORY_NL:
	case UTF8PROC_CATEGORY_PC:
		return true;
	case UTF8PROC_CATEGORY_CF:
		return c == 0x200c || c == 0x200d;
	case UTF8PROC_CATEGORY_SO:
		return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
		       (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
	default:
		return false;
	}
}

/* Printable Latin-1 stands for itself; the 68 other bytes follow from U+0100 on, in order. */
uint32_t mote_tokenizer_byte_to_char(uint8_t byte)
{
	if (byte <= 0x20)
		return 0x100u + byte;
	if (byte >= 0x7f && byte <= 0xa0)
		return 0x100u + 33 + byte - 0x7f;
	return byte == 0xad ? 0x143u : byte;
}

int mote_tokenizer_char_to_byte(uint32_t c)
{
	if (c < 0x100)
		return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad ? -1 : (int)c;
	if (c <= 0x120)
		return (int)(c - 0x100);
	if (c <= 0x142)
		return (int)(c - 0x121 + 0x7f);
	return c == 0x143 ? 0xad : -1;
}
