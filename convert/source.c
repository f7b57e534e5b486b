/* The source directory: see source.h. */
#include "convert/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define PAGE_BYTES ((uint64_t)4096)

static struct mote_hash128 to_hash(XXH128_hash_t h)
{
	return (struct mote_hash128){ .low = h.low64, .high = h.high64 };
}

enum mote_status mote_source_open(const char *path, struct mote_source *s, struct mote_error *error)
{
	*s = (struct mote_source){ .fd = -1 };
	s->path = strdup(path);
	if (!s->path)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	return MOTE_OK;
}

void mote_source_close(struct mote_source *s)
{
	for (uint32_t i = 0; i < s->files; i++) {
		if (s->file[i].map) /* munmap() takes no const pointer, though it writes nothing */
			munmap((void *)(uintptr_t)s->file[i].map, (size_t)s->file[i].bytes);
		free(s->file[i].name);
	}
	if (s->path && s->fd >= 0)
		close(s->fd);
	free(s->file);
	free(s->path);
	*s = (struct mote_source){ .fd = -1 };
}

bool mote_source_has(const struct mote_source *s, const char *name)
{
	struct stat st;

	return fstatat(s->fd, name, &st, 0) == 0;
}

static enum mote_status record(struct mote_source *s, const char *name, struct mote_source_file file,
			       struct mote_error *error)
{
	struct mote_source_file *grown = realloc(s->file, (s->files + (size_t)1) * sizeof *grown);

	if (grown)
		s->file = grown;
	file.name = grown ? strdup(name) : NULL;
	if (!file.name)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s/%s: out of memory", s->path, name);
	s->file[s->files++] = file;
	return MOTE_OK;
}

/* *fd is -1 when there is no such file. */
static enum mote_status open_file(const struct mote_source *s, const char *name, bool required, int *fd,
				  uint64_t *bytes, struct mote_error *error)
{
	struct stat st;

	*fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 && errno == ENOENT) {
		if (!required)
			return MOTE_OK;
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s/%s is missing", s->path, name);
	}
	if (*fd < 0 || fstat(*fd, &st) < 0) {
		mote_error_set(error, MOTE_ERROR_IO, "%s/%s: %s", s->path, name, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		mote_error_set(error, MOTE_ERROR_IO, "%s/%s is no regular file", s->path, name);
	} else {
		*bytes = (uint64_t)st.st_size;
		return MOTE_OK;
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return MOTE_ERROR_IO;
}

enum mote_status mote_source_read(struct mote_source *s, const char *name, bool required, char **text,
				  size_t *bytes, struct mote_error *error)
{
	enum mote_status status;
	uint64_t size = 0;
	size_t used = 0;
	ssize_t got;
	int fd;

	*text = NULL;
	*bytes = 0;
	status = open_file(s, name, required, &fd, &size, error);
	if (status || fd < 0)
		return status;
	if (size > MOTE_SOURCE_MAX_TEXT_BYTES) {
		status = mote_error_set(error, MOTE_ERROR_LIMIT, "%s/%s: %llu bytes; at most %zu are read", s->path,
					name, (unsigned long long)size, MOTE_SOURCE_MAX_TEXT_BYTES);
		goto end;
	}
	*text = malloc((size_t)size + 1);
	if (!*text) {
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s/%s: out of memory", s->path, name);
		goto end;
	}
	while (used < size) {
		got = read(fd, *text + used, (size_t)size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			status = mote_error_set(error, MOTE_ERROR_IO, "%s/%s: %s", s->path, name,
						got < 0 ? strerror(errno) : "became shorter while it was read");
			goto end;
		}
		used += (size_t)got;
	}
	(*text)[used] = 0;
	*bytes = used;
	status = record(s, name, (struct mote_source_file){ .bytes = size,
							     .hash = to_hash(XXH3_128bits(*text, used)) }, error);
end:
	if (status) {
		free(*text);
		*text = NULL;
	}
	close(fd);
	return status;
}

enum mote_status mote_source_read_json(struct mote_source *s, const char *name, bool required, cJSON **json,
				       struct mote_error *error)
{
	enum mote_status status;
	size_t bytes;
	char *text;

	*json = NULL;
	status = mote_source_read(s, name, required, &text, &bytes, error);
	if (status || !text)
		return status;
	status = mote_json_parse(text, bytes, name, json, error);
	free(text);
	if (!status && !cJSON_IsObject(*json)) {
		cJSON_Delete(*json);
		*json = NULL;
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an object", name);
	}
	return status;
}

enum mote_status mote_source_map(struct mote_source *s, const char *name, uint32_t *index,
				 struct mote_error *error)
{
	struct mote_source_file file = { 0 };
	enum mote_status status;
	void *map;
	int fd;

	status = open_file(s, name, true, &fd, &file.bytes, error);
	if (status)
		return status;
	if (file.bytes == 0 || file.bytes > SIZE_MAX / 2) {
		close(fd);
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s/%s: %llu bytes", s->path, name,
				      (unsigned long long)file.bytes);
	}
	map = mmap(NULL, (size_t)file.bytes, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return mote_error_set(error, MOTE_ERROR_IO, "%s/%s: cannot be mapped: %s", s->path, name,
				      strerror(errno));
	file.map = map;
	status = record(s, name, file, error);
	if (status)
		munmap(map, (size_t)file.bytes);
	else
		*index = s->files - 1;
	return status;
}

enum mote_status mote_source_touch(const struct mote_source_file *file, uint64_t offset, uint64_t bytes,
				   struct mote_error *error)
{
#ifdef MADV_POPULATE_READ
	uint64_t begin = offset & ~(PAGE_BYTES - 1);

	if (bytes && madvise((void *)(uintptr_t)(file->map + begin), (size_t)(offset + bytes - begin),
			     MADV_POPULATE_READ) < 0 && (errno == EFAULT || errno == EIO || errno == ENOMEM))
		return mote_error_set(error, MOTE_ERROR_IO, "%s: cannot be read at byte %llu", file->name,
				      (unsigned long long)offset);
	/* Linux before 5.14 says EINVAL: pages then come in one by one. */
#else
	(void)file, (void)offset, (void)bytes, (void)error;
#endif
	return MOTE_OK;
}

void mote_source_drop(const struct mote_source_file *file, uint64_t offset, uint64_t bytes)
{
	uint64_t begin = offset & ~(PAGE_BYTES - 1);

	madvise((void *)(uintptr_t)(file->map + begin), (size_t)(offset + bytes - begin), MADV_DONTNEED);
}

enum mote_status mote_source_hash(struct mote_source_file *file, const _Atomic(bool) *stop,
				  struct mote_error *error)
{
	XXH3_state_t *state = XXH3_createState();
	enum mote_status status = MOTE_OK;

	if (!state)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", file->name);
	XXH3_128bits_reset(state);
	for (uint64_t at = 0; at < file->bytes && !status; at += MOTE_SOURCE_WINDOW_BYTES) {
		uint64_t n = file->bytes - at;

		if (n > MOTE_SOURCE_WINDOW_BYTES)
			n = MOTE_SOURCE_WINDOW_BYTES;
		if (stop && atomic_load(stop))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		else if (!(status = mote_source_touch(file, at, n, error))) {
			XXH3_128bits_update(state, file->map + at, (size_t)n);
			mote_source_drop(file, at, n);
		}
	}
	file->hash = to_hash(XXH3_128bits_digest(state));
	XXH3_freeState(state);
	return status;
}
