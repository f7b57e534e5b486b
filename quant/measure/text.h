/* A text that a model is measured on or fitted to, and its identity as receipts record it. */
#ifndef MOTE_QUANT_TEXT_H
#define MOTE_QUANT_TEXT_H

#include "format/container.h"

/* A text and its identity, as a receipt records it. Zero-initialize; free with mote_text_free(). */
struct mote_text {
	char *data;                    /* owned, NUL-terminated */
	size_t bytes;
	char name[256];                /* the file's name without its folder; "" when generated */
	bool generated;                /* written by the source model itself: seed and tokens say how */
	uint64_t seed;
	uint32_t generated_tokens;
};
void mote_text_free(struct mote_text *t);
/* Whether t is text as tokenizers take it: valid UTF-8 without a NUL. MOTE_ERROR_CORRUPT says what it is instead
 * (UTF-16, by its byte order mark or its NULs) or which byte is the first that is wrong. */
enum mote_status mote_text_check(const struct mote_text *t, struct mote_error *error) MOTE_CHECKED;
/* XXH3-128 of the bytes. */
struct mote_hash128 mote_text_hash(const struct mote_text *t);

#endif
