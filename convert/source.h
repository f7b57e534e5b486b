/* The source directory: files are opened relative to it, read or mapped, and remembered with size and
 * XXH3-128 for the lineage. Symbolic links are followed (model hubs' caches are made of them).
 *
 * A mapped file is used through windows: touch one, read it, drop it, so that resident memory stays at a
 * few windows whatever the file's size.
 */
#ifndef MOTE_CONVERT_SOURCE_H
#define MOTE_CONVERT_SOURCE_H

#include "format/container.h"
#include "format/json.h"
#include "format/status.h"

#define MOTE_SOURCE_MAX_TEXT_BYTES ((size_t)1 << 28) /* of a file that is read whole */
#define MOTE_SOURCE_WINDOW_BYTES ((size_t)4 << 20)

struct mote_source_file {
	char *name;                /* relative to the directory */
	uint64_t bytes;
	struct mote_hash128 hash;
	const uint8_t *map;        /* NULL unless mapped */
};

struct mote_source {
	char *path;
	int fd;                    /* of the directory */
	struct mote_source_file *file;
	uint32_t files;
};

/* MOTE_ERROR_IO: no such directory, or not readable. close() accepts a zeroed or half-opened struct. */
enum mote_status mote_source_open(const char *path, struct mote_source *s, struct mote_error *error);
void mote_source_close(struct mote_source *s);

/* True when the directory has a file of this name, readable or not. */
bool mote_source_has(const struct mote_source *s, const char *name);

/* Reads a whole file and records it. *text is allocated (caller frees), NUL-terminated, NUL not counted; NULL
 * with MOTE_OK when there is no such file and it is not required. A required one that is absent is
 * MOTE_ERROR_CORRUPT; MOTE_ERROR_LIMIT beyond MOTE_SOURCE_MAX_TEXT_BYTES; MOTE_ERROR_IO. */
enum mote_status mote_source_read(struct mote_source *s, const char *name, bool required, char **text,
				  size_t *bytes, struct mote_error *error);

/* Like read(), then parsed: *json is freed with cJSON_Delete(), and must be an object. */
enum mote_status mote_source_read_json(struct mote_source *s, const char *name, bool required, cJSON **json,
				       struct mote_error *error);

/* Maps a file until close and records it; its hash stays zero until mote_source_hash(). *index: of file[].
 * MOTE_ERROR_CORRUPT when absent or empty. */
enum mote_status mote_source_map(struct mote_source *s, const char *name, uint32_t *index,
				 struct mote_error *error);

/* Makes a mapped range resident. MOTE_ERROR_IO when it cannot be read: a disk error, or the file was cut
 * while it was being read (without this, touching it would be a signal). */
enum mote_status mote_source_touch(const struct mote_source_file *file, uint64_t offset, uint64_t bytes,
				   struct mote_error *error);
/* Lets go of what touch() brought in; the range stays readable. */
void mote_source_drop(const struct mote_source_file *file, uint64_t offset, uint64_t bytes);

/* Fills in a mapped file's hash, window by window. *stop (may be NULL) ends it early with
 * MOTE_ERROR_INTERRUPTED. Distinct files may be hashed by distinct threads. */
enum mote_status mote_source_hash(struct mote_source_file *file, const _Atomic(bool) *stop,
				  struct mote_error *error);

#endif
