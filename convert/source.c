/* The source directory: see source.h. */
#include "convert/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "convert/file_kind.h"

static struct mote_hash128 to_hash(XXH128_hash_t h)
{
	return (struct mote_hash128){.low = h.low64, .high = h.high64};
}

/* By the file's beginning, as much as there is of it. A folder or a pipe is of no kind. False: it cannot be read. */
static bool find_kind(int fd, struct mote_file_kind *kind)
{
	uint8_t first[MOTE_FILE_KIND_BYTES];
	ssize_t got = pread(fd, first, sizeof first, 0);

	*kind = mote_file_kind_of(first, got > 0 ? (size_t)got : 0);
	return got >= 0 || errno == EISDIR || errno == ESPIPE;
}

static enum mote_status find_kind_at(const char *path, struct mote_file_kind *kind, struct mote_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool found = fd >= 0 && find_kind(fd, kind);
	enum mote_status status = found ? MOTE_OK
					: mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));

	if (fd >= 0)
		close(fd);
	return status;
}

/* A file where a directory was expected. */
static enum mote_status refuse_single(const char *path, struct mote_error *error)
{
	struct mote_file_kind kind = {0};
	enum mote_status status = find_kind_at(path, &kind, error);

	if (status)
		return status;
	if (kind.is)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s is %s; expected a checkpoint's directory: %s",
				      path, kind.is, kind.advice);
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
			      "%s is a single file; expected the directory that holds a checkpoint's files "
			      "(config.json, tokenizer.json and the weights)", path);
}

static enum mote_status is_file_of_kind(const char *path, const char *words, bool *is, struct mote_error *error)
{
	struct mote_file_kind kind = {0};
	enum mote_status status = find_kind_at(path, &kind, error);

	*is = !status && kind.is && strstr(kind.is, words);
	return status;
}

enum mote_status mote_source_is_gguf(const char *path, bool *is, struct mote_error *error)
{
	return is_file_of_kind(path, "GGUF", is, error);
}

enum mote_status mote_source_is_container(const char *path, bool *is, struct mote_error *error)
{
	return is_file_of_kind(path, "mote's", is, error);
}

const char *mote_source_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *mote_source_folder(const char *path)
{
	size_t n = (size_t)(mote_source_base(path) - path);

	return n ? strndup(path, n) : strdup(".");
}

enum mote_status mote_source_open(const char *path, struct mote_source *s, struct mote_error *error)
{
	*s = (struct mote_source){.fd = -1};
	s->path = strdup(path);
	if (!s->path)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 && errno == ENOTDIR)
		return refuse_single(path, error);
	if (s->fd < 0)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	return MOTE_OK;
}

void mote_source_close(struct mote_source *s)
{
	for (uint32_t i = 0; i < s->files; i++) {
		if (s->file[i].fd >= 0)
			close(s->file[i].fd);
		free(s->file[i].name);
	}
	if (s->path && s->fd >= 0)
		close(s->fd);
	free(s->file);
	free(s->path);
	*s = (struct mote_source){.fd = -1};
}

enum mote_status mote_source_has(const struct mote_source *s, const char *name, bool *has, struct mote_error *error)
{
	struct stat st;

	*has = fstatat(s->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (*has || errno == ENOENT)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_IO, "%s/%s: %s", s->path, name, strerror(errno));
}

enum mote_status mote_source_absent(const struct mote_source *s, const char *name, bool required,
				    struct mote_error *error)
{
	char target[512];
	ssize_t n;
	bool has;
	enum mote_status status = mote_source_has(s, name, &has, error);

	if (status)
		return status;
	if (has) {
		n = readlinkat(s->fd, name, target, sizeof target);
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s/%s is a symbolic link to \"%.*s\", which is not there (an incomplete "
				      "download?)", s->path, name, n > 0 ? (int)n : 0, target);
	}
	if (!required)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s/%s is missing", s->path, name);
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

/* A page of HTML can be a template's text; the rest of what is known is no text at all. */
static enum mote_status refuse_kind(const struct mote_source *s, const char *name, int fd, struct mote_error *error)
{
	const size_t n = strlen(name);
	struct mote_file_kind kind;

	if (!find_kind(fd, &kind))
		return mote_error_set(error, MOTE_ERROR_IO, "%s/%s: %s", s->path, name, strerror(errno));
	if (!kind.is || (s->gguf && strstr(kind.is, "GGUF")) ||
	    (n > 6 && strcmp(name + n - 6, ".jinja") == 0 && strstr(kind.is, "HTML")))
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s/%s is %s: %s", s->path, name, kind.is, kind.advice);
}

/* file->fd is -1 when there is no such file. */
static enum mote_status open_file(const struct mote_source *s, const char *name, bool required,
				  struct mote_source_file *file, struct mote_error *error)
{
	enum mote_status status;
	struct stat st;
	int *fd = &file->fd;

	*fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not keep us waiting */
	if (*fd < 0 && errno == ENOENT)
		return mote_source_absent(s, name, required, error);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s/%s: %s", s->path, name, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		status = mote_error_set(error, MOTE_ERROR_IO, "%s/%s is no regular file", s->path, name);
	else
		status = refuse_kind(s, name, *fd, error);
	if (!status) {
		file->bytes = (uint64_t)st.st_size;
		file->device = (uint64_t)st.st_dev;
		file->inode = (uint64_t)st.st_ino;
	}
	if (status && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return status;
}

enum mote_status mote_source_read_at(const struct mote_source_file *file, uint64_t offset, void *out, size_t bytes,
				     struct mote_error *error)
{
	char *to = out;
	ssize_t got;

	while (bytes) {
		got = pread(file->fd, to, bytes, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return mote_error_set(error, MOTE_ERROR_IO, "%s: byte %llu: %s", file->name,
					      (unsigned long long)offset,
					      got < 0 ? strerror(errno) : "the file became shorter while it was read");
		to += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return MOTE_OK;
}

enum mote_status mote_source_read(struct mote_source *s, const char *name, bool required, char **text,
				  size_t *bytes, struct mote_error *error)
{
	const size_t most = strcmp(name, "tokenizer.json") ? MOTE_SOURCE_MAX_TEXT_BYTES
							   : MOTE_SOURCE_MAX_TOKENIZER_BYTES;
	struct mote_source_file file = {.fd = -1};
	enum mote_status status;

	*text = NULL;
	*bytes = 0;
	status = open_file(s, name, required, &file, error);
	if (status || file.fd < 0)
		return status;
	if (file.bytes > most) {
		status = mote_error_set(error, MOTE_ERROR_LIMIT, "%s/%s: %llu bytes; at most %zu are read", s->path,
					name, (unsigned long long)file.bytes, most);
		goto end;
	}
	*text = malloc((size_t)file.bytes + 1);
	if (!*text)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s/%s: out of memory", s->path, name);
	if (status || (status = record(s, name, file, error)))
		goto end;
	/* the record keeps the name; its descriptor is this function's to close */
	status = mote_source_read_at(&s->file[s->files - 1], 0, *text, (size_t)file.bytes, error);
	s->file[s->files - 1].fd = -1;
	s->file[s->files - 1].hash = to_hash(XXH3_128bits(*text, (size_t)file.bytes));
	(*text)[file.bytes] = 0;
	*bytes = (size_t)file.bytes;
end:
	if (status) {
		free(*text);
		*text = NULL;
		*bytes = 0;
	}
	close(file.fd);
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

enum mote_status mote_source_open_file(struct mote_source *s, const char *name, uint32_t *index,
				       struct mote_error *error)
{
	struct mote_source_file file = {0};
	enum mote_status status;

	status = open_file(s, name, true, &file, error);
	if (status)
		return status;
	status = record(s, name, file, error);
	if (status)
		close(file.fd);
	else
		*index = s->files - 1;
	return status;
}

enum mote_status mote_source_hash(struct mote_source_file *file, const _Atomic(bool) *stop,
				  struct mote_error *error)
{
	XXH3_state_t *state = XXH3_createState();
	uint8_t *piece = malloc(MOTE_SOURCE_PIECE_BYTES);
	enum mote_status status = MOTE_OK;

	if (!state || !piece)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", file->name);
	else
		XXH3_128bits_reset(state);
	for (uint64_t at = 0; at < file->bytes && !status; at += MOTE_SOURCE_PIECE_BYTES) {
		uint64_t left = file->bytes - at;
		size_t n = left < MOTE_SOURCE_PIECE_BYTES ? (size_t)left : MOTE_SOURCE_PIECE_BYTES;

		if (stop && atomic_load(stop))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
		else if (!(status = mote_source_read_at(file, at, piece, n, error)))
			XXH3_128bits_update(state, piece, n);
	}
	if (!status)
		file->hash = to_hash(XXH3_128bits_digest(state));
	free(piece);
	XXH3_freeState(state);
	return status;
}

enum mote_status mote_source_refuse_output(const struct mote_source *s, const char *path, struct mote_error *error)
{
	struct stat st;
	bool there = stat(path, &st) == 0;

	if (!there && (errno == ENOENT || errno == ENOTDIR))
		return MOTE_OK;
	if (!there)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: cannot tell whether it is an input: %s", path,
				      strerror(errno));
	for (uint32_t i = 0; i < s->files; i++)
		if (s->file[i].device == (uint64_t)st.st_dev && s->file[i].inode == (uint64_t)st.st_ino)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is an input, %s, and is not replaced",
					      path, s->file[i].name);
	return MOTE_OK;
}

enum mote_status mote_source_adopt(struct mote_source *s, struct mote_source *other, struct mote_error *error)
{
	struct mote_source_file *grown = realloc(s->file, (s->files + (size_t)other->files + 1) * sizeof *grown);

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", other->path);
	s->file = grown;
	for (uint32_t i = 0; i < other->files; i++)
		grown[s->files++] = other->file[i];
	other->files = 0;
	return MOTE_OK;
}
