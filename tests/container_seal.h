/* Makes the checksums of a container in memory right again after a test or a fuzzer has changed it, so that
 * what is behind them gets tested. Follows offsets only as far as they stay inside. */
#ifndef MOTE_TESTS_CONTAINER_SEAL_H
#define MOTE_TESTS_CONTAINER_SEAL_H

#include <string.h>
#include <xxhash.h>

#include "format/layout.h"

static inline void seal_header(uint8_t *data)
{
	uint64_t hash = XXH3_64bits(data, 56);
	memcpy(data + 56, &hash, 8);
}

static inline void seal_container(uint8_t *data, size_t bytes)
{
	struct mote_layout_header h;

	if (bytes < sizeof h)
		return;
	memcpy(&h, data, sizeof h);
	if (h.table_offset <= bytes && h.table_bytes <= bytes - h.table_offset) {
		uint8_t *table = data + h.table_offset;

		for (uint64_t at = 0; h.table_bytes - at >= sizeof(struct mote_layout_section);
		     at += sizeof(struct mote_layout_section)) {
			struct mote_layout_section s;

			memcpy(&s, table + at, sizeof s);
			if (s.offset <= bytes && s.stored_bytes <= bytes - s.offset)
				s.hash = mote_layout_hash(data + s.offset, s.stored_bytes);
			memcpy(table + at, &s, sizeof s);
		}
		h.table_hash = mote_layout_hash(table, h.table_bytes);
	}
	memcpy(data, &h, sizeof h);
	seal_header(data);
}

#endif
