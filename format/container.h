/* The container: one file with everything that running a model needs.
 * docs/container-format.md is the specification; this is its reader. The writer is in writer.h.
 *
 * Opening maps the file read-only and checks everything but the tensors' checksums (which
 * mote_container_verify() does): sizes, offsets, alignment, overlap, holes, padding, section
 * checksums, types, names. After a successful open nothing read through it can leave the
 * mapping (unless another program shortens the file meanwhile: then the system sends SIGBUS;
 * mote's own tools replace files and never shorten them). Everything returned is borrowed and dies at close.
 * Thread-safe after open.
 */
#ifndef MOTE_FORMAT_CONTAINER_H
#define MOTE_FORMAT_CONTAINER_H

#include "format/block.h"
#include "format/json.h"
#include "format/status.h"

#define MOTE_MAX_TENSOR_NAME 255u

enum mote_section { /* numbers of the file format: never renumber */
	MOTE_SECTION_TENSORS = 1,   /* tensor directory */
	MOTE_SECTION_METADATA = 2,  /* zstd-compressed JSON object */
	MOTE_SECTION_TOKENIZER = 3, /* compiled tokenizer; its layout belongs to runtime/tokenizer */
	MOTE_SECTION_RECEIPTS = 4,  /* zstd-compressed JSON array; may be skipped */
	MOTE_SECTION_SENSITIVITY = 5/* zstd-compressed JSON object; may be skipped */
};

enum mote_section_flag {
	MOTE_SECTION_MAY_SKIP = 1, /* a reader that does not know the kind ignores the section */
	MOTE_SECTION_ZSTD = 2      /* one zstd frame */
};

struct mote_hash128 {
	uint64_t low, high; /* XXH3-128 */
};

struct mote_section_info {
	uint32_t kind, flags;
	uint64_t offset, stored_bytes, raw_bytes;
	struct mote_hash128 hash; /* of the stored bytes */
};

/* A vector (rank 1) is plain f32 [rows]; a matrix (rank 2) is panels. */
struct mote_tensor {
	const char *name;          /* the checkpoint's own: "model.layers.0.mlp.up_proj.weight" */
	uint32_t rank;             /* 1 or 2 */
	uint32_t rows, cols;       /* cols is 1 for a vector */
	enum mote_type type;
	struct mote_matrix matrix; /* rank 2 */
	const float *vector;       /* rank 1 */
	uint64_t offset, bytes;    /* place in the file */
	struct mote_hash128 hash;  /* of the bytes */
};

struct mote_container;

/* MOTE_ERROR_IO: cannot be opened or mapped. MOTE_ERROR_CORRUPT / _UNSUPPORTED: with byte offset,
 * found, expected. On error *out is NULL. */
enum mote_status mote_container_open(const char *path, struct mote_container **out, struct mote_error *error);
/* The same for a file that is in memory already: data is borrowed until close and 64-byte aligned;
 * name stands for the path in messages. mote_container_fd() is -1 then. */
enum mote_status mote_container_open_memory(const void *data, size_t bytes, const char *name,
					    struct mote_container **out, struct mote_error *error);
void mote_container_close(struct mote_container *c); /* NULL is fine */

const char *mote_container_path(const struct mote_container *c);
uint64_t mote_container_file_bytes(const struct mote_container *c);
uint32_t mote_container_tensor_count(const struct mote_container *c);
const struct mote_tensor *mote_container_tensor(const struct mote_container *c, uint32_t index); /* file order */
const struct mote_tensor *mote_container_find(const struct mote_container *c, const char *name); /* or NULL */
/* The metadata object; never NULL after open. */
const cJSON *mote_container_metadata(const struct mote_container *c);
/* The section table, in file order; index < count. */
uint32_t mote_container_section_count(const struct mote_container *c);
const struct mote_section_info *mote_container_section_info(const struct mote_container *c, uint32_t index);
/* A section's stored bytes, 64-byte aligned, or NULL when the file has none of that kind. (JSON
 * sections are compressed in there: they are read with the three functions for them.) */
const void *mote_container_section(const struct mote_container *c, enum mote_section kind, size_t *bytes);
/* Array of receipts (NULL when none), object of sensitivities (NULL when none). */
const cJSON *mote_container_receipts(const struct mote_container *c);
const cJSON *mote_container_sensitivity(const struct mote_container *c);

/* One hash over the directory entries of all tensors (names, types, shapes, codebooks, hashes; not
 * offsets): what a receipt speaks of. Cheap: it does not read tensor data. */
struct mote_hash128 mote_container_tensors_hash(const struct mote_container *c);

/* The range of the file that holds tensor data, and the descriptor, for readers that copy
 * weights into huge pages instead of using the mapping. The range is whole, 64-byte aligned. */
int mote_container_fd(const struct mote_container *c);
void mote_container_data_range(const struct mote_container *c, uint64_t *offset, uint64_t *bytes);

/* Called now and then by long operations; returning false asks them to stop with
 * MOTE_ERROR_INTERRUPTED. done <= total. */
struct mote_progress {
	bool (*update)(void *user, uint64_t done, uint64_t total);
	void *user;
};

/* Reads every tensor and compares checksums. MOTE_ERROR_CORRUPT names the tensor. */
enum mote_status mote_container_verify(const struct mote_container *c, const struct mote_progress *progress,
				       struct mote_error *error);

#endif
