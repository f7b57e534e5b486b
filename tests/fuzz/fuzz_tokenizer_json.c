/* Any bytes as tokenizer.json: refused with a message, or a section that opens and encodes and decodes. What stands
 * behind the first NUL is a text to encode. */
#include <stdlib.h>
#include <string.h>

#include "convert/hf/hf_tokenizer.h"
#include "runtime/tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct mote_tokenizer *t, const char *input, size_t bytes)
{
	struct mote_ids ids = {0}, uncached = {0};
	struct mote_error error = {0};
	struct mote_detokenizer d = {0};
	size_t total = 0, piece, length;
	char *text;

	if (mote_tokenizer_encode(t, input, bytes, MOTE_ENCODE_ADD_SPECIAL, &ids, &error) == MOTE_OK) {
		if (mote_tokenizer_encode(t, input, bytes, MOTE_ENCODE_ADD_SPECIAL | MOTE_ENCODE_NO_CACHE,
					  &uncached, &error))
			abort();
		if (ids.count != uncached.count ||
		    (ids.count && memcmp(ids.id, uncached.id, ids.count * sizeof *ids.id)))
			abort();
		if (mote_tokenizer_decode(t, ids.id, ids.count, false, &text, &length, &error))
			abort();
		for (size_t i = 0; i < ids.count; i++, total += piece)
			mote_detokenizer_next(&d, t, ids.id[i], false, &piece);
		mote_detokenizer_flush(&d, &piece);
		if (total + piece != length)
			abort();
		free(text);
	}
	mote_ids_free(&ids);
	mote_ids_free(&uncached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char sample[] = "Hi, <s>x</s>  it's\n\n12 \xe2\x96\x81\xc3\xa9 \xf0\x9f\x98\x80";
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t json = nul ? (size_t)(nul - data) : size, section_bytes;
	struct mote_hf_tokenizer_source source = { .json = (const char *)data, .bytes = json,
						   .model_ids = nul ? (uint8_t)size : 0 };
	struct mote_error error = {0};
	struct mote_tokenizer *t;
	uint8_t *section;

	if (mote_hf_tokenizer_compile(&source, &section, &section_bytes, NULL, &error)) {
		if (!error.message[0] || section)
			abort();
		return 0;
	}
	if (mote_tokenizer_open(section, section_bytes, &t, &error))
		abort();
	use(t, sample, sizeof sample - 1);
	if (nul && size - json - 1 <= 4096)
		use(t, (const char *)nul + 1, size - json - 1);
	mote_tokenizer_close(t);
	free(section);
	return 0;
}
