/* The header of saved logits, for the files that write and read them: see logits_file.h. */
#ifndef MOTE_QUANT_LOGITS_HEADER_H
#define MOTE_QUANT_LOGITS_HEADER_H

#include <stddef.h>
#include <xxhash.h>

#include "format/container.h"

#define MOTE_LOGITS_MAGIC "MOTELOGI"

enum { MOTE_LOGITS_VERSION = 2 };

/* All fields are of 8 bytes, so that there is no padding; memcpy'd as it lies on a little-endian machine, which is
 * all that mote runs on. */
struct mote_logits_header {
	char magic[8];
	uint64_t version;
	uint64_t vocab, cols, type;                   /* of the head matrix */
	uint64_t context, first, chunk_rows, chunks, portion_rows;
	struct mote_hash128 ids, tensors;
	uint8_t codebook[16];                         /* zeros for a type without */
	uint64_t head_bytes, head_compressed;
	double scale, cap;                            /* of the products, as in the model's config; 0: none */
	uint64_t check;                               /* XXH3-64 of all before it */
};

static inline uint64_t mote_logits_header_checksum(const struct mote_logits_header *h)
{
	return XXH3_64bits(h, offsetof(struct mote_logits_header, check));
}

#endif
