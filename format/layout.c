/* What kinds of sections and names may be: see layout.h. */
#include "format/layout.h"

#include <xxhash.h>

#include "format/utf8.h"

uint32_t mote_layout_flags(uint32_t kind)
{
	switch (kind) {
	case MOTE_SECTION_TENSORS:
	case MOTE_SECTION_TOKENIZER: return 0;
	case MOTE_SECTION_METADATA: return MOTE_SECTION_ZSTD;
	case MOTE_SECTION_RECEIPTS:
	case MOTE_SECTION_SENSITIVITY: return MOTE_SECTION_ZSTD | MOTE_SECTION_MAY_SKIP;
	default: return 0xffffffff;
	}
}

size_t mote_layout_max_values(uint32_t kind)
{
	switch (kind) {
	case MOTE_SECTION_METADATA: return MOTE_LAYOUT_MAX_METADATA_VALUES;
	case MOTE_SECTION_RECEIPTS: return MOTE_LAYOUT_MAX_RECEIPT_VALUES;
	case MOTE_SECTION_SENSITIVITY: return MOTE_LAYOUT_MAX_SENSITIVITY_VALUES;
	default: return 0;
	}
}

struct mote_hash128 mote_layout_hash(const void *data, size_t bytes)
{
	XXH128_hash_t hash = XXH3_128bits(data, bytes);
	return (struct mote_hash128){hash.low64, hash.high64};
}

bool mote_layout_name_ok(const char *name, size_t bytes)
{
	if (bytes < 1 || bytes > MOTE_MAX_TENSOR_NAME)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return mote_utf8_valid(name, bytes) == bytes;
}
