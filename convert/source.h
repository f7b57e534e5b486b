/* The source directory: files are opened relative to it, read, and remembered with size and XXH3-128 for the
 * lineage. Symbolic links are followed (model hubs' caches are made of them).
 *
 * Large files are read piece by piece and never mapped: measured, a copy into a buffer that stays in the cache costs
 * less than a page table that comes and goes, memory stays small without further care, and a disk error or a file
 * that is cut meanwhile is an error rather than a signal.
 */
#ifndef MOTE_CONVERT_SOURCE_H
#define MOTE_CONVERT_SOURCE_H

#include "format/container.h"
#include "format/json.h"
#include "format/status.h"

#define MOTE_SOURCE_MAX_TEXT_BYTES ((size_t)1 << 24)      /* of a file that is read whole */
#define MOTE_SOURCE_MAX_TOKENIZER_BYTES ((size_t)1 << 26) /* of tokenizer.json; the largest known are half of it */
#define MOTE_SOURCE_PIECE_BYTES ((size_t)1 << 20)     /* for reading large files; measured best of 128 KiB to 2 MiB */

struct mote_source_file {
	char *name;                /* relative to the directory */
	uint64_t bytes;
	struct mote_hash128 hash;
	int fd;                    /* -1 unless opened by mote_source_open_file() */
	uint64_t device, inode;    /* which file it is, by whatever name */
};

struct mote_source {
	char *path;
	int fd;                    /* of the directory */
	struct mote_source_file *file;
	uint32_t files;
	bool gguf;                 /* a GGUF file is what is looked for, not a mistake */
};

/* MOTE_ERROR_IO: no such directory, or not readable; MOTE_ERROR_UNSUPPORTED: a file, with what it is. close() accepts a
 * zeroed or half-opened struct. */
enum mote_status mote_source_open(const char *path, struct mote_source *s, struct mote_error *error);
void mote_source_close(struct mote_source *s);

/* *is: a file (not a directory) that begins as a GGUF file does, or as mote's own. MOTE_ERROR_IO: there is nothing, or
 * it cannot be read. */
enum mote_status mote_source_is_gguf(const char *path, bool *is, struct mote_error *error) MOTE_CHECKED;
enum mote_status mote_source_is_container(const char *path, bool *is, struct mote_error *error) MOTE_CHECKED;
/* The folder that a path names a file in (allocated, NULL when memory is gone),
 * and that file's name in it (in path). */
char *mote_source_folder(const char *path);
const char *mote_source_base(const char *path);

/* *has: the directory has an entry of this name, be it a link to nothing. MOTE_ERROR_IO: it cannot be told. */
enum mote_status mote_source_has(const struct mote_source *s, const char *name, bool *has,
				 struct mote_error *error) MOTE_CHECKED;

/* What it means that a name could not be opened because nothing is there: MOTE_ERROR_CORRUPT for a symbolic link to
 * nothing (model hubs' caches are made of links, and what one is for must not be lost in silence), and for a file that
 * is required; else MOTE_OK. */
enum mote_status mote_source_absent(const struct mote_source *s, const char *name, bool required,
				    struct mote_error *error);

/* Reads a whole file and records it. *text is allocated (caller frees), NUL-terminated, NUL not counted; NULL
 * with MOTE_OK when there is no such file and it is not required. A required one that is absent, or a link to nothing,
 * is MOTE_ERROR_CORRUPT; MOTE_ERROR_UNSUPPORTED: it is something else than its name says (file_kind.h);
 * MOTE_ERROR_LIMIT beyond MOTE_SOURCE_MAX_TEXT_BYTES (tokenizer.json: _MAX_TOKENIZER_BYTES); MOTE_ERROR_IO. */
enum mote_status mote_source_read(struct mote_source *s, const char *name, bool required, char **text,
				  size_t *bytes, struct mote_error *error);

/* Like read(), then parsed: *json is freed with cJSON_Delete(), and must be an object. */
enum mote_status mote_source_read_json(struct mote_source *s, const char *name, bool required, cJSON **json,
				       struct mote_error *error);

/* Opens a large file until close and records it; its hash stays zero until mote_source_hash(). *index: of file[].
 * MOTE_ERROR_CORRUPT when absent; MOTE_ERROR_UNSUPPORTED, _IO as for read(). */
enum mote_status mote_source_open_file(struct mote_source *s, const char *name, uint32_t *index,
				       struct mote_error *error);

/* MOTE_ERROR_ARGUMENT when path is one of the files that were read or opened, by whatever name: an output replaces none
 * of them. It may not exist. */
enum mote_status mote_source_refuse_output(const struct mote_source *s, const char *path, struct mote_error *error);

/* Moves all files of another source, opened or read, behind those of this one.
 * MOTE_ERROR_MEMORY: nothing has changed. */
enum mote_status mote_source_adopt(struct mote_source *s, struct mote_source *other, struct mote_error *error);

/* Reads exactly this range, which lies inside the file as it was opened. MOTE_ERROR_IO. Thread-safe. */
enum mote_status mote_source_read_at(const struct mote_source_file *file, uint64_t offset, void *out, size_t bytes,
				     struct mote_error *error);

/* Fills in an opened file's hash. *stop (may be NULL) ends it early with MOTE_ERROR_INTERRUPTED. The file may be
 * read by another thread meanwhile. */
enum mote_status mote_source_hash(struct mote_source_file *file, const _Atomic(bool) *stop,
				  struct mote_error *error);

#endif
