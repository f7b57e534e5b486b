/* Any bytes as a compiled tokenizer section: refused with a message, or whatever it holds, encoding and decoding stay
 * inside it. Sizes are patched, so that changes get further than the header. */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char sample[] = "Hi, <s>x</s>  it's\n\n12 \xe2\x96\x81\xc3\xa9 \xf0\x9f\x98\x80 "
				     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const struct mote_text_span spans[] = {{0, 8, false}, {8, 16, true}, {16, sizeof sample - 1, false}};
	uint8_t *section = malloc(size + !size);
	uint32_t bytes = (uint32_t)size;
	struct mote_ids ids = {0};
	struct mote_error error = {0};
	struct mote_tokenizer *t;
	char *text;
	size_t length;

	memcpy(section, data, size);
	if (size >= 12)
		memcpy(section + 8, &bytes, 4);
	if (mote_tokenizer_open(section, size, &t, &error)) {
		if (!error.message[0] || t)
			abort();
		free(section);
		return 0;
	}
	mote_tokenizer_encode(t, sample, sizeof sample - 1, MOTE_ENCODE_ADD_SPECIAL, &ids, NULL);
	mote_tokenizer_encode_spans(t, sample, spans, 3, 0, &ids, NULL);
	for (size_t i = 0; i < ids.count; i++)
		if ((uint32_t)ids.id[i] >= mote_tokenizer_vocab_size(t))
			abort();
	if (mote_tokenizer_decode(t, ids.id, ids.count, false, &text, &length, NULL) == MOTE_OK)
		free(text);
	for (uint32_t id = 0; id < mote_tokenizer_vocab_size(t) && id < 1000; id++) {
		const int32_t one = (int32_t)id;

		if (mote_tokenizer_decode(t, &one, 1, true, &text, &length, NULL) == MOTE_OK)
			free(text);
	}
	mote_ids_free(&ids);
	mote_tokenizer_close(t);
	free(section);
	return 0;
}
