/* UTF-8: the one codec (Unicode 15, section 3.9, table 3-7).
 *
 * The inline functions take text that is known to be valid and check nothing: whoever lets text in calls
 * mote_utf8_valid() once (the JSON reader does, and so does everything that opens a file's texts). The other functions
 * take any bytes. Nothing here can fail, allocates, or keeps state.
 */
#ifndef MOTE_FORMAT_UTF8_H
#define MOTE_FORMAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that begins with this byte; valid text. */
static inline size_t mote_utf8_length(char first)
{
	uint8_t b = (uint8_t)first;

	return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* Whether a byte continues a character that began before it. */
static inline bool mote_utf8_continues(char byte)
{
	return ((uint8_t)byte & 0xc0) == 0x80;
}

/* Decodes one character of valid text and stores its length. */
static inline uint32_t mote_utf8_decode(const char *text, size_t *length)
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

/* Encodes a scalar value (not a surrogate, at most U+10FFFF) into out[4]; returns its length. */
static inline size_t mote_utf8_encode(uint32_t c, char *out)
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

/* One step over any bytes, bytes >= 1. Returns the length of the valid character at text, or 0 with *bad set
 * to the length of the maximal ill-formed part there (what one U+FFFD stands for), or 0 with *bad = 0 when the bytes
 * end inside a character that is well-formed so far. */
size_t mote_utf8_step(const char *text, size_t bytes, size_t *bad);

/* Bytes from the start that are valid UTF-8, whole characters only; == bytes when all of them are. */
size_t mote_utf8_valid(const char *text, size_t bytes);

#endif
