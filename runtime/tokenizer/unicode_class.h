/* UTF-8 and the character classes that tokenizers speak of.
 *
 * Text inside the tokenizer is always valid UTF-8: encode() repairs its input first, section texts are checked at
 * open. So the inline functions here do not check again; the ones that take untrusted bytes say so.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_UNICODE_H
#define MOTE_RUNTIME_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins with this byte. */
static inline size_t utf8_length(char first)
{
	uint8_t b = (uint8_t)first;

	return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* Decodes one character of valid UTF-8 and stores its length. */
static inline uint32_t utf8_decode(const char *text, size_t *length)
{
	const uint8_t *p = (const uint8_t *)text;

	if (p[0] < 0x80) {
		*length = 1;
		return p[0];
	}
	if (p[0] < 0xe0) {
		*length = 2;
		return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
	}
	if (p[0] < 0xf0) {
		*length = 3;
		return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	}
	*length = 4;
	return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
	       (p[3] & 0x3f);
}

/* Encodes a scalar value into out[4]; returns its length. */
static inline size_t utf8_encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* One step over untrusted bytes, bytes >= 1. Returns the length of the valid character at text, or 0 with *bad set
 * to the length of the maximal ill-formed part there (Unicode 3.9, what one U+FFFD stands for), or 0 with *bad = 0
 * when the bytes end inside a character that is well-formed so far. */
size_t mote_tokenizer_utf8_step(const char *text, size_t bytes, size_t *bad);

/* Bytes from the start that are valid UTF-8, whole characters only. Untrusted bytes. */
size_t mote_tokenizer_utf8_valid(const char *text, size_t bytes);

/* What the patterns ask of a character: \p{L}, \p{N}, \s, or none of them. */
enum char_class { CLASS_OTHER, CLASS_LETTER, CLASS_NUMBER, CLASS_SPACE };

/* [128] classes of ASCII. */
extern const uint8_t mote_tokenizer_ascii_class[128];
enum char_class mote_tokenizer_class(uint32_t c);

bool mote_tokenizer_is_space(uint32_t c);       /* White_Space */
bool mote_tokenizer_is_number(uint32_t c);      /* Nd, Nl, No */
bool mote_tokenizer_is_punctuation(uint32_t c); /* P*, and all of ASCII's punctuation */
bool mote_tokenizer_is_mark(uint32_t c);        /* M* */
bool mote_tokenizer_is_word(uint32_t c);        /* \w of Unicode's regular expressions: UTS 18, annex C */

/* The alphabet of byte-level vocabularies: each byte has a printable character, U+0021 to U+0143. */
uint32_t mote_tokenizer_byte_to_char(uint8_t byte);
/* Or -1 when the character stands for no byte. */
int mote_tokenizer_char_to_byte(uint32_t c);

#endif
