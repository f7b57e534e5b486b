/* Container reader: see container.h, and docs/container-format.md for what is checked and why.
 *
 * The order is from the certain to the derived: header, section table, sections with their checksums,
 * tensor directory (directory.c), JSON. The whole file must be accounted for: header, zeros, tensors, sections and
 * table follow each other with at most 63 zero bytes between them. Not here: reading tensor data, which
 * only verify does. */
#include "format/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "format/cursor.h"
#include "format/layout.h"

struct mote_container {
	char *path;
	int fd;               /* -1 when the file was in memory */
	void *mapping;        /* NULL likewise */
	const uint8_t *data;
	size_t bytes;
	struct mote_section_info sections[MOTE_LAYOUT_MAX_SECTIONS];
	uint32_t n_sections;
	struct mote_directory directory;
	cJSON *metadata, *receipts, *sensitivity;
};

static bool same_hash(struct mote_hash128 a, struct mote_hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

static enum mote_status read_header(const struct mote_container *c, struct mote_layout_header *h,
				    struct mote_error *error)
{
	struct mote_cursor cursor = mote_cursor(c->data, c->bytes, 0, "header", error);

	mote_cursor_read(&cursor, h, sizeof *h, "header");
	if (cursor.status != MOTE_OK)
		return cursor.status;
	cursor.at = 0;
	if (memcmp(h->magic, MOTE_LAYOUT_MAGIC, sizeof h->magic) != 0)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "wrong magic number, this is not a mote file");
	if (XXH3_64bits(h, offsetof(struct mote_layout_header, header_hash)) != h->header_hash)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "checksum of the header does not match");
	cursor.at = offsetof(struct mote_layout_header, version);
	if (h->version != MOTE_LAYOUT_VERSION)
		return mote_cursor_fail(&cursor, MOTE_ERROR_UNSUPPORTED,
					"container version: found %u, this mote reads version %u", h->version,
					MOTE_LAYOUT_VERSION);
	cursor.at = offsetof(struct mote_layout_header, file_bytes);
	if (h->file_bytes != c->bytes)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT,
					"the file is %zu bytes long, expected %llu (truncated, or something was "
					"appended)", c->bytes, (unsigned long long)h->file_bytes);
	cursor.at = offsetof(struct mote_layout_header, sections);
	if (h->sections < 1 || h->sections > MOTE_LAYOUT_MAX_SECTIONS)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "number of sections: found %u, expected 1..%u",
					h->sections, MOTE_LAYOUT_MAX_SECTIONS);
	cursor.at = offsetof(struct mote_layout_header, table_offset);
	if (h->table_bytes != h->sections * sizeof(struct mote_layout_section) ||
	    h->table_bytes > c->bytes || h->table_offset != c->bytes - h->table_bytes ||
	    h->table_offset % MOTE_LAYOUT_ALIGNMENT != 0)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT,
					"section table of %u entries: found %llu bytes at %llu, expected %zu that end "
					"the file", h->sections, (unsigned long long)h->table_bytes,
					(unsigned long long)h->table_offset,
					h->sections * sizeof(struct mote_layout_section));
	cursor.at = sizeof *h;
	mote_cursor_zeros(&cursor, MOTE_LAYOUT_DATA_OFFSET - sizeof *h, "padding behind the header");
	return cursor.status;
}

/* One entry of the section table, which the cursor has just read; before is NULL for the first. */
static enum mote_status check_section(struct mote_container *c, struct mote_cursor *cursor,
				      const struct mote_layout_section *s, const struct mote_section_info *before,
				      uint64_t table_offset)
{
	uint32_t flags = mote_layout_flags(s->kind);
	uint64_t end;
	struct mote_cursor padding;

	if (before && s->kind <= before->kind)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"section kind %u behind kind %u: expected ascending kinds", s->kind,
					before->kind);
	if (flags != 0xffffffff ? s->flags != flags
				: (s->flags & ~(uint32_t)(MOTE_SECTION_MAY_SKIP | MOTE_SECTION_ZSTD)))
		return mote_cursor_fail(cursor, MOTE_ERROR_UNSUPPORTED, "section kind %u has unknown flags 0x%x",
					s->kind, s->flags);
	if (s->offset % MOTE_LAYOUT_ALIGNMENT != 0 || s->offset < MOTE_LAYOUT_DATA_OFFSET ||
	    s->offset > table_offset || s->stored_bytes < 1 || s->stored_bytes > table_offset - s->offset)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"section kind %u: found %llu bytes at %llu, expected aligned, between %u "
					"and %llu", s->kind, (unsigned long long)s->stored_bytes,
					(unsigned long long)s->offset, MOTE_LAYOUT_DATA_OFFSET,
					(unsigned long long)table_offset);
	if (!(s->flags & MOTE_SECTION_ZSTD) && s->raw_bytes != s->stored_bytes)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"section kind %u is not compressed, but its raw size is %llu and its stored "
					"size %llu", s->kind, (unsigned long long)s->raw_bytes,
					(unsigned long long)s->stored_bytes);
	if (!same_hash(mote_layout_hash(c->data + s->offset, s->stored_bytes), s->hash))
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT, "section kind %u: checksum does not match",
					s->kind);
	if (flags == 0xffffffff && !(s->flags & MOTE_SECTION_MAY_SKIP))
		return mote_cursor_fail(cursor, MOTE_ERROR_UNSUPPORTED,
					"section kind %u must be understood to read this file, and this mote does "
					"not know it", s->kind);

	/* Nothing but zeros, and less than the alignment of them, before the section. */
	end = before ? before->offset + before->stored_bytes : s->offset;
	if (s->offset < end || s->offset - end >= MOTE_LAYOUT_ALIGNMENT)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"section kind %u: found at %llu, expected directly behind kind %u, which "
					"ends at %llu", s->kind, (unsigned long long)s->offset, before->kind,
					(unsigned long long)end);
	padding = mote_cursor(c->data + end, s->offset - end, end, "padding", cursor->error);
	mote_cursor_zeros(&padding, s->offset - end, "before a section");
	return cursor->status = padding.status;
}

static enum mote_status read_sections(struct mote_container *c, struct mote_error *error)
{
	struct mote_layout_header h;
	const struct mote_section_info *before = NULL;
	struct mote_cursor cursor, padding;
	enum mote_status status = read_header(c, &h, error);
	uint64_t end;

	if (status != MOTE_OK)
		return status;
	cursor = mote_cursor(c->data + h.table_offset, h.table_bytes, h.table_offset, "section table", error);
	if (!same_hash(mote_layout_hash(cursor.data, cursor.bytes), h.table_hash))
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "checksum does not match");
	for (uint32_t i = 0; i < h.sections; i++) {
		struct mote_layout_section s;

		mote_cursor_read(&cursor, &s, sizeof s, "entry");
		if (check_section(c, &cursor, &s, before, h.table_offset) != MOTE_OK)
			return cursor.status;
		c->sections[i] = (struct mote_section_info){ s.kind, s.flags, s.offset, s.stored_bytes,
							     s.raw_bytes, s.hash };
		before = c->sections + i;
		c->n_sections = i + 1;
	}
	end = before->offset + before->stored_bytes;
	if (h.table_offset - end >= MOTE_LAYOUT_ALIGNMENT)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "found at %llu, expected directly behind %llu",
					(unsigned long long)h.table_offset, (unsigned long long)end);
	padding = mote_cursor(c->data + end, h.table_offset - end, end, "padding", error);
	mote_cursor_zeros(&padding, h.table_offset - end, "before the section table");
	return padding.status;
}

static const struct mote_section_info *find_section(const struct mote_container *c, uint32_t kind)
{
	for (uint32_t i = 0; i < c->n_sections; i++)
		if (c->sections[i].kind == kind)
			return c->sections + i;
	return NULL;
}

/* Absent: *out stays NULL. */
static enum mote_status read_json(const struct mote_container *c, uint32_t kind, const char *name, bool array,
				  cJSON **out, struct mote_error *error)
{
	const struct mote_section_info *s = find_section(c, kind);
	enum mote_status status = MOTE_OK;
	struct mote_cursor cursor;
	char *text;
	size_t n;

	if (!s)
		return MOTE_OK;
	cursor = mote_cursor(c->data + s->offset, s->stored_bytes, s->offset, name, error);
	if (s->raw_bytes < 2 || s->raw_bytes > MOTE_LAYOUT_MAX_JSON)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "raw size: found %llu, expected 2..%u",
					(unsigned long long)s->raw_bytes, MOTE_LAYOUT_MAX_JSON);
	if (ZSTD_findFrameCompressedSize(cursor.data, cursor.bytes) != cursor.bytes)
		return mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "expected one whole zstd frame of %llu bytes",
					(unsigned long long)s->stored_bytes);
	text = malloc(s->raw_bytes);
	if (!text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	n = ZSTD_decompress(text, s->raw_bytes, cursor.data, cursor.bytes);
	if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	else if (ZSTD_isError(n) || n != s->raw_bytes)
		status = mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "does not decompress to %llu bytes (%s)",
					  (unsigned long long)s->raw_bytes,
					  ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it ends early");
	else
		status = mote_json_parse_large(text, n, name, mote_layout_max_values(kind), out, error);
	free(text);
	if (status == MOTE_OK && !(array ? cJSON_IsArray(*out) : cJSON_IsObject(*out)))
		status = mote_cursor_fail(&cursor, MOTE_ERROR_CORRUPT, "expected %s",
					  array ? "a JSON array" : "a JSON object");
	return status;
}

static enum mote_status read_all(struct mote_container *c, struct mote_error *error)
{
	enum mote_status status = read_sections(c, error);

	/* Every file has these two, and kinds ascend. */
	if (status == MOTE_OK && (c->n_sections < 2 || c->sections[0].kind != MOTE_SECTION_TENSORS ||
				  c->sections[1].kind != MOTE_SECTION_METADATA))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT,
					"section table: expected a tensor directory (kind %u) and metadata (kind "
					"%u) first", MOTE_SECTION_TENSORS, MOTE_SECTION_METADATA);
	if (status == MOTE_OK)
		status = mote_directory_read(&c->directory, c->data, c->sections, error);
	if (status == MOTE_OK)
		status = read_json(c, MOTE_SECTION_METADATA, "metadata", false, &c->metadata, error);
	if (status == MOTE_OK)
		status = read_json(c, MOTE_SECTION_RECEIPTS, "receipts", true, &c->receipts, error);
	if (status == MOTE_OK)
		status = read_json(c, MOTE_SECTION_SENSITIVITY, "sensitivities", false, &c->sensitivity, error);
	return status;
}

static enum mote_status map_file(struct mote_container *c, struct mote_error *error)
{
	struct stat st;

	/* Non-blocking, so that a FIFO is refused instead of waited for. */
	c->fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (c->fd < 0 || fstat(c->fd, &st) != 0)
		return mote_error_set(error, MOTE_ERROR_IO, "cannot open: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return mote_error_set(error, MOTE_ERROR_IO, "not a regular file");
	c->bytes = (size_t)st.st_size;
	if (c->bytes == 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "the file is empty");
	c->mapping = mmap(NULL, c->bytes, PROT_READ, MAP_SHARED, c->fd, 0);
	if (c->mapping == MAP_FAILED) {
		c->mapping = NULL;
		return mote_error_set(error, MOTE_ERROR_IO, "cannot map: %s", strerror(errno));
	}
	c->data = c->mapping;
	return MOTE_OK;
}

static enum mote_status open_container(const char *path, const void *data, size_t bytes,
				       struct mote_container **out, struct mote_error *error)
{
	struct mote_container *c = calloc(1, sizeof *c);
	enum mote_status status = MOTE_OK;

	*out = NULL;
	if (!c || !(c->path = strdup(path))) {
		free(c);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	}
	c->fd = -1;
	c->data = data;
	c->bytes = bytes;
	if (!data)
		status = map_file(c, error);
	if (status == MOTE_OK)
		status = read_all(c, error);
	if (status != MOTE_OK) {
		mote_error_prefix(error, "%s", path);
		mote_container_close(c);
		return status;
	}
	*out = c;
	return MOTE_OK;
}

enum mote_status mote_container_open(const char *path, struct mote_container **out, struct mote_error *error)
{
	return open_container(path, NULL, 0, out, error);
}

enum mote_status mote_container_open_memory(const void *data, size_t bytes, const char *name,
					    struct mote_container **out, struct mote_error *error)
{
	return open_container(name, data, bytes, out, error);
}

void mote_container_close(struct mote_container *c)
{
	if (!c)
		return;
	cJSON_Delete(c->metadata);
	cJSON_Delete(c->receipts);
	cJSON_Delete(c->sensitivity);
	mote_directory_free(&c->directory);
	if (c->mapping)
		munmap(c->mapping, c->bytes);
	if (c->fd >= 0)
		close(c->fd);
	free(c->path);
	free(c);
}

const char *mote_container_path(const struct mote_container *c)
{
	return c->path;
}

uint64_t mote_container_file_bytes(const struct mote_container *c)
{
	return c->bytes;
}

uint32_t mote_container_tensor_count(const struct mote_container *c)
{
	return c->directory.n_tensors;
}

const struct mote_tensor *mote_container_tensor(const struct mote_container *c, uint32_t index)
{
	return c->directory.tensors + index;
}

const struct mote_tensor *mote_container_find(const struct mote_container *c, const char *name)
{
	return mote_directory_find(&c->directory, name);
}

const cJSON *mote_container_metadata(const struct mote_container *c)
{
	return c->metadata;
}

uint32_t mote_container_section_count(const struct mote_container *c)
{
	return c->n_sections;
}

const struct mote_section_info *mote_container_section_info(const struct mote_container *c, uint32_t index)
{
	return c->sections + index;
}

const void *mote_container_section(const struct mote_container *c, enum mote_section kind, size_t *bytes)
{
	const struct mote_section_info *s = find_section(c, kind);

	*bytes = s ? s->stored_bytes : 0;
	return s ? c->data + s->offset : NULL;
}

const cJSON *mote_container_receipts(const struct mote_container *c)
{
	return c->receipts;
}

const cJSON *mote_container_sensitivity(const struct mote_container *c)
{
	return c->sensitivity;
}

struct mote_hash128 mote_container_tensors_hash(const struct mote_container *c)
{
	return c->directory.hash;
}

int mote_container_fd(const struct mote_container *c)
{
	return c->fd;
}

void mote_container_data_range(const struct mote_container *c, uint64_t *offset, uint64_t *bytes)
{
	*offset = MOTE_LAYOUT_DATA_OFFSET;
	*bytes = c->sections[0].offset - MOTE_LAYOUT_DATA_OFFSET;
}
