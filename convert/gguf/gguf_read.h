/* GGUF, version 2 and 3: header, key-values and tensor infos of a file and of its further parts, checked completely;
 * no tensor data is read here.
 *
 * "GGUF", u32 version, u64 tensors, u64 key-values; key-values; tensor infos; padding to general.alignment; data, each
 * tensor at the next multiple of the alignment behind the one before, in the order of the infos. Integers are little
 * endian. Every length and count is compared with the bytes that are left before anything is allocated for it.
 */
#ifndef MOTE_CONVERT_GGUF_READ_H
#define MOTE_CONVERT_GGUF_READ_H

#include "convert/gguf/gguf_types.h"
#include "convert/source.h"

#define MOTE_GGUF_MAX_HEADER_BYTES ((uint64_t)1 << 27) /* key-values and infos; the largest known are a tenth of it */
#define MOTE_GGUF_MAX_KEYS 65536u
#define MOTE_GGUF_MAX_TENSORS 131072u
#define MOTE_GGUF_MAX_RANK 4u
#define MOTE_GGUF_MAX_PARTS 1000u

enum mote_gguf_kind { /* numbers of the format */
	MOTE_GGUF_UINT8, MOTE_GGUF_INT8, MOTE_GGUF_UINT16, MOTE_GGUF_INT16, MOTE_GGUF_UINT32, MOTE_GGUF_INT32,
	MOTE_GGUF_FLOAT32, MOTE_GGUF_BOOL, MOTE_GGUF_STRING, MOTE_GGUF_ARRAY, MOTE_GGUF_UINT64, MOTE_GGUF_INT64,
	MOTE_GGUF_FLOAT64, MOTE_GGUF_KINDS
};

struct mote_gguf_text { /* borrowed from the header, not NUL-terminated */
	const char *text;
	uint32_t bytes;
};

struct mote_gguf_value {
	struct mote_gguf_text key;     /* UTF-8 without controls */
	enum mote_gguf_kind kind;      /* of an array: its elements' */
	bool array;
	uint32_t count;                /* of an array's elements; else 1 */
	const uint8_t *data;           /* the elements one after the other, strings with their u64 lengths */
};

struct mote_gguf_tensor {
	struct mote_gguf_text name;    /* UTF-8 without controls, 1 to 63 bytes */
	const struct mote_gguf_type_info *type;
	uint32_t rank;
	uint64_t shape[MOTE_GGUF_MAX_RANK]; /* outermost first, as safetensors has it; [0] to [rank - 1] */
	uint64_t offset, bytes;        /* in its file */
	uint32_t file;                 /* index into the source's files */
};

struct mote_gguf {
	char *name;                    /* of the first file, for messages */
	struct mote_gguf_value *value; /* [values] of the first file, by key */
	uint32_t values;
	struct mote_gguf_tensor *tensor; /* [tensors], by name */
	uint32_t tensors;
	uint8_t **header;              /* [parts]: what texts are borrowed from */
	uint32_t parts;
};

/* Opens the file of this name in the source, and with it the other parts of a split one (-00001-of-0000N.gguf); the
 * files stay open in the source, whose .gguf has to be set.
 * MOTE_ERROR_CORRUPT with file, byte offset, found and expected; MOTE_ERROR_UNSUPPORTED: version 1, big endian, nested
 * arrays, unknown types; MOTE_ERROR_LIMIT; MOTE_ERROR_IO; MOTE_ERROR_MEMORY. On error *out is zeroed. */
enum mote_status mote_gguf_open(struct mote_source *source, const char *name, struct mote_gguf *out,
				struct mote_error *error);
void mote_gguf_close(struct mote_gguf *g); /* a zeroed struct is fine */

/* For mote_gguf_open() and the fuzzer: one file's header in memory. head: the file's first bytes, borrowed until close;
 * *more is set, and nothing else, when it is cut and file_bytes says that there is more to read. *part and *parts:
 * which of how many parts of a split file it is. */
enum mote_status mote_gguf_parse(const uint8_t *head, size_t head_bytes, uint64_t file_bytes, const char *name,
				 struct mote_gguf *out, bool *more, uint32_t *part, uint32_t *parts,
				 struct mote_error *error);

int mote_gguf_by_name(const void *a, const void *b); /* orders tensors, for qsort() */
const struct mote_gguf_tensor *mote_gguf_find_tensor(const struct mote_gguf *g, const char *name); /* or NULL */

/* Values by key. find: NULL when absent; array says which of the two it has to be.
 * need_*: absent is MOTE_ERROR_CORRUPT; want_*: absent stores the fallback; the wrong kind is an error in both, as is
 * an integer out of its range, whatever its width in the file. */
const struct mote_gguf_value *mote_gguf_find(const struct mote_gguf *g, const char *key);
enum mote_status mote_gguf_want_u32(const struct mote_gguf *g, const char *key, uint32_t fallback, uint32_t *value,
				    struct mote_error *error);
enum mote_status mote_gguf_need_u32(const struct mote_gguf *g, const char *key, uint32_t *value,
				    struct mote_error *error);
enum mote_status mote_gguf_want_double(const struct mote_gguf *g, const char *key, double fallback, double *value,
				       struct mote_error *error);
enum mote_status mote_gguf_want_bool(const struct mote_gguf *g, const char *key, bool fallback, bool *value,
				     struct mote_error *error);
/* .text is NULL when absent; else UTF-8 without NUL. */
enum mote_status mote_gguf_want_text(const struct mote_gguf *g, const char *key, struct mote_gguf_text *value,
				     struct mote_error *error);
/* An array of this kind; *value is NULL when absent. */
enum mote_status mote_gguf_want_array(const struct mote_gguf *g, const char *key, enum mote_gguf_kind kind,
				      const struct mote_gguf_value **value, struct mote_error *error);

/* Elements of arrays. Texts are read one after the other: *at begins as value->data and is moved on. */
struct mote_gguf_text mote_gguf_next_text(const uint8_t **at);
int64_t mote_gguf_integer_at(const struct mote_gguf_value *v, uint32_t index); /* integers and bools */
double mote_gguf_number_at(const struct mote_gguf_value *v, uint32_t index);   /* floats */

#endif
