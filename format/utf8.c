/* UTF-8 of any bytes: see utf8.h. */
#include "format/utf8.h"

#include <string.h>

size_t mote_utf8_step(const char *text, size_t bytes, size_t *bad)
{
	const uint8_t *p = (const uint8_t *)text;
	uint8_t low = 0x80, high = 0xbf; /* range of the second byte: no overlong form, no surrogate, no excess */
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

size_t mote_utf8_valid(const char *text, size_t bytes)
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
		step = mote_utf8_step(text + at, bytes - at, &bad);
		if (!step)
			break;
		at += step;
	}
	return at;
}
