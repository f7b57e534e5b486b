/* Character classes over utf8proc's categories: see unicode_class.h. */
#include "runtime/tokenizer/unicode_class.h"

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
