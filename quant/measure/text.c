/* Texts: see text.h. */
#include "quant/measure/text.h"

#include <stdlib.h>
#include <xxhash.h>

void mote_text_free(struct mote_text *t)
{
	free(t->data);
	*t = (struct mote_text){ 0 };
}

struct mote_hash128 mote_text_hash(const struct mote_text *t)
{
	XXH128_hash_t h = XXH3_128bits(t->data, t->bytes);
	return (struct mote_hash128){ h.low64, h.high64 };
}
