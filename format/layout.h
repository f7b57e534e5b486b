/* The container's fixed-size records, as docs/container-format.md specifies them; for the reader and
 * the writer only. Natural alignment leaves no padding in them and hosts are little endian, so a
 * record is copied as it lies. */
#ifndef MOTE_FORMAT_LAYOUT_H
#define MOTE_FORMAT_LAYOUT_H

#include "format/container.h"

#define MOTE_LAYOUT_MAGIC "\x89MOTE\r\n\x1a" /* as PNG's: catches 7-bit and newline conversion */
#define MOTE_LAYOUT_VERSION 1u
#define MOTE_LAYOUT_DATA_OFFSET 4096u    /* where tensor data begins */
#define MOTE_LAYOUT_ALIGNMENT 64u        /* of tensors, sections and the section table */
#define MOTE_LAYOUT_MAX_SECTIONS 64u
#define MOTE_LAYOUT_MAX_JSON (4u << 20)  /* raw bytes of a JSON section */

/* Values in the JSON of a section. Compressed, millions of them fit into kilobytes, and a tree takes 150 bytes for
 * each: so what a model may need many times over, and few enough that a file's JSON never takes more than 64 MiB. */
#define MOTE_LAYOUT_MAX_METADATA_VALUES ((size_t)1 << 16)    /* the most, by far, are special tokens: thousands */
#define MOTE_LAYOUT_MAX_RECEIPT_VALUES ((size_t)1 << 16)     /* a receipt has about 80 */
#define MOTE_LAYOUT_MAX_SENSITIVITY_VALUES ((size_t)1 << 17) /* six for each tensor and type: 4,000 matrices in 5
							      * types */

struct mote_layout_header {
	char magic[8];
	uint32_t version;
	uint32_t sections;
	uint64_t file_bytes;
	uint64_t table_offset, table_bytes;
	struct mote_hash128 table_hash;
	uint64_t header_hash; /* XXH3-64 of the 56 bytes before it */
};

struct mote_layout_section {
	uint32_t kind, flags;
	uint64_t offset, stored_bytes, raw_bytes;
	struct mote_hash128 hash; /* of the stored bytes */
};

/* Directory: u32 count, u32 zero, these entries, then their names, each ended by a NUL byte. */
struct mote_layout_tensor {
	uint64_t offset, bytes;
	struct mote_hash128 hash; /* from here on part of the tensors' hash */
	uint8_t codebook[16];
	uint32_t type, rank, rows, cols;
	uint32_t name_bytes; /* without its NUL */
	uint32_t zero;
};
#define MOTE_LAYOUT_TENSOR_IDENTITY 16u /* offset of .hash */

_Static_assert(sizeof(struct mote_layout_header) == 64, "no padding");
_Static_assert(sizeof(struct mote_layout_section) == 48, "no padding");
_Static_assert(sizeof(struct mote_layout_tensor) == 72, "no padding");

/* The directory of an open file. */
struct mote_directory {
	struct mote_tensor *tensors; /* names are borrowed from the file */
	uint32_t n_tensors;
	const struct mote_tensor **by_name; /* [n_tensors], ascending */
	struct mote_hash128 hash;    /* of all tensors */
};

/* file: the whole file, of which the section, whose extent is checked already, is a part; the tensors
 * must fill all between MOTE_LAYOUT_DATA_OFFSET and the section. d must be zeros; free it also on error. */
enum mote_status mote_directory_read(struct mote_directory *d, const uint8_t *file,
				     const struct mote_section_info *section, struct mote_error *error);
const struct mote_tensor *mote_directory_find(const struct mote_directory *d, const char *name);
void mote_directory_free(struct mote_directory *d);

/* The flags that a kind must have; 0xffffffff for an unknown kind. */
uint32_t mote_layout_flags(uint32_t kind);
/* The limit of values of a section's kind; 0 for kinds that hold no JSON. */
size_t mote_layout_max_values(uint32_t kind);
struct mote_hash128 mote_layout_hash(const void *data, size_t bytes);
/* 1..MOTE_MAX_TENSOR_NAME bytes of UTF-8 without control characters. */
bool mote_layout_name_ok(const char *name, size_t bytes);

#endif
