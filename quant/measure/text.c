/* Texts: see text.h. */
#include "quant/measure/text.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/utf8.h"

void mote_text_free(struct mote_text *t)
{
	free(t->data);
	*t = (struct mote_text){0};
}

/* NULs at every other byte of the beginning: what Latin text in UTF-16 without a mark looks like. */
static bool alternates(const unsigned char *byte, size_t bytes)
{
	size_t odd = 0, even = 0, pairs = bytes / 2 < 32 ? bytes / 2 : 32;

	for (size_t i = 0; i < pairs; i++) {
		even += byte[2 * i] == 0;
		odd += byte[2 * i + 1] == 0;
	}
	return pairs > 1 && odd + even >= pairs - pairs / 8 && (odd == 0 || even == 0);
}

enum mote_status mote_text_check(const struct mote_text *t, struct mote_error *error)
{
	const char *name = t->generated ? "generated text" : t->name;
	const unsigned char *byte = (const unsigned char *)t->data;
	size_t valid = mote_utf8_valid(t->data, t->bytes);
	const char *nul = memchr(t->data, 0, t->bytes);

	if ((t->bytes >= 2 && (memcmp(byte, "\xff\xfe", 2) == 0 || memcmp(byte, "\xfe\xff", 2) == 0)) ||
	    alternates(byte, t->bytes))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: is UTF-16, expected UTF-8 (iconv -f UTF-16 -t "
				      "UTF-8 converts it)", name);
	if (valid < t->bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: byte %zu (0x%02x) is not UTF-8", name, valid,
				      byte[valid]);
	if (nul)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: byte %zu is a NUL, which no text has", name,
				      (size_t)(nul - t->data));
	return MOTE_OK;
}

struct mote_hash128 mote_text_hash(const struct mote_text *t)
{
	XXH128_hash_t h = XXH3_128bits(t->data, t->bytes);
	return (struct mote_hash128){h.low64, h.high64};
}
