/* Any bytes as a safetensors file: either refused with a message, or every tensor lies inside the file, in order. */
#include <stdlib.h>

#include "convert/hf/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mote_safetensors s;
	struct mote_error error = {0};
	uint64_t at = 0;

	if (mote_safetensors_parse(data, size, "fuzz", &s, &error)) {
		if (!error.message[0] || s.tensor || s.header)
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < s.tensors; i++) {
		const struct mote_safetensors_tensor *t = &s.tensor[i];

		if (t->offset < 8 || t->offset > size || t->bytes > size - t->offset || (at && t->offset != at))
			abort();
		at = t->offset + t->bytes;
	}
	if (s.tensors && at != size)
		abort();
	mote_safetensors_free(&s);
	return 0;
}
