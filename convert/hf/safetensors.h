/* safetensors: the header of one file, checked completely; no data is read here.
 *
 * u64 little-endian header length N (at most 100,000,000), N bytes of JSON that begin with '{', then data.
 * Offsets count from the data's start, leave no hole, do not overlap, and end where the file ends.
 */
#ifndef MOTE_CONVERT_SAFETENSORS_H
#define MOTE_CONVERT_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "format/json.h"
#include "format/status.h"

#define MOTE_SAFETENSORS_MAX_HEADER_BYTES 100000000u
#define MOTE_SAFETENSORS_MAX_RANK 8u
/* What is read of that: 8 values a tensor, so 131,072 tensors a file. The largest models have fewer in all their files;
 * a header of nothing but small numbers would take fourteen times its size. */
#define MOTE_SAFETENSORS_MAX_VALUES ((size_t)1 << 20)
#define MOTE_SAFETENSORS_MAX_READ_BYTES ((uint64_t)1 << 25)

struct mote_safetensors_tensor {
	const char *name, *dtype; /* borrowed from the header: dtype is one of the format's, as it spells them */
	uint32_t rank;
	uint64_t shape[MOTE_SAFETENSORS_MAX_RANK];
	uint64_t offset, bytes;   /* in the file; not aligned */
};

struct mote_safetensors {
	cJSON *header;
	struct mote_safetensors_tensor *tensor; /* in the order of their data */
	uint32_t tensors;
};

/* The bytes of the header without its length field, when the first 8 bytes of a file (or all of a shorter one) give a
 * length that can be right; else 0, and mote_safetensors_parse() says what is wrong. */
uint64_t mote_safetensors_header_bytes(const uint8_t *file, uint64_t file_bytes);

/* Parses the header at the start of a file.
 *   file        its first bytes: 8, and the whole header if mote_safetensors_header_bytes() is not 0
 *   file_bytes  of the whole file
 *   name        of the file, for messages
 * MOTE_ERROR_CORRUPT with the tensor, found and expected; MOTE_ERROR_UNSUPPORTED: a dtype that the format does
 * not have, or more than MOTE_SAFETENSORS_MAX_RANK dimensions; MOTE_ERROR_LIMIT; MOTE_ERROR_MEMORY.
 * *out is zeroed on error. */
enum mote_status mote_safetensors_parse(const uint8_t *file, uint64_t file_bytes, const char *name,
					struct mote_safetensors *out, struct mote_error *error);
void mote_safetensors_free(struct mote_safetensors *s); /* a zeroed struct is fine */

/* "[576, 1536]" for messages; out is cut when it is too small. Returns out. */
const char *mote_safetensors_shape(const struct mote_safetensors_tensor *t, char *out, size_t room);

#endif
