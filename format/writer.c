/* Container writer: see writer.h for the order of calls and docs/container-format.md for the layout.
 *
 * Tensor data goes to its final place as it comes, hashed on the way. Sections wait in memory until
 * finish() puts them behind the data, then the table, then the header: a file that was not finished
 * has zeros where the magic number belongs. */
#include "format/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "format/cursor.h"
#include "format/layout.h"
#include "format/output.h"
#include "format/portable.h"

/* Metadata is small and written once. */
#define ZSTD_LEVEL 19

/* Written and hashed while it is in the cache. */
#define COPY_BYTES (256u << 10)

struct section {
	uint32_t kind, flags;
	uint64_t raw_bytes;
	size_t bytes;
	void *data; /* as stored; owned */
};

#define WRITE_BACK_BYTES (16u << 20)

struct mote_writer {
	struct mote_output *output;
	const char *target;          /* of the output */
	struct mote_layout_tensor *tensors;
	char **names;
	uint32_t n_tensors, tensors_room;
	uint64_t data_end;           /* of the tensors planned so far, not rounded */
	uint32_t current;            /* the tensor being written, == n_tensors when all are */
	uint64_t current_bytes;      /* written of it */
	uint64_t handed;             /* the disk has been given the data up to here */
	XXH3_state_t *hash;          /* of the current tensor */
	struct section sections[MOTE_LAYOUT_MAX_SECTIONS]; /* ascending kinds; the directory is not among them */
	uint32_t n_sections;
	bool finished;               /* nothing has changed since finish */
};

static enum mote_status fail_memory(const struct mote_writer *w, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", w->target);
}

static enum mote_status write_at(const struct mote_writer *w, const void *data, size_t bytes, uint64_t offset,
				 struct mote_error *error)
{
	return mote_output_write_at(w->output, data, bytes, offset, error);
}

enum mote_status mote_writer_open(const char *path, bool force, struct mote_writer **out,
				  struct mote_error *error)
{
	struct mote_writer *w = calloc(1, sizeof *w);
	enum mote_status status;

	*out = NULL;
	if (!w || !(w->hash = XXH3_createState()))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
	else
		status = mote_output_open(path, force, &w->output, error);
	if (status) {
		mote_writer_discard(w);
		return status;
	}
	w->target = mote_output_target(w->output);
	w->data_end = MOTE_LAYOUT_DATA_OFFSET;
	XXH3_128bits_reset(w->hash);
	*out = w;
	return MOTE_OK;
}

enum mote_status mote_writer_add_tensor(struct mote_writer *w, const char *name, uint32_t rank,
					enum mote_type type, uint64_t rows, uint64_t cols,
					const uint8_t *codebook, struct mote_error *error)
{
	struct mote_layout_tensor t = {.type = type, .rank = rank};
	struct mote_error why = {0};
	struct mote_matrix matrix;
	uint64_t end;

	if (!mote_layout_name_ok(name, strlen(name)))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "tensor name \"%.255s\": expected 1..%u bytes of UTF-8 without control "
				      "characters", name, MOTE_MAX_TENSOR_NAME);
	if (rank == 1 ? type != MOTE_F32 || cols != 1 : rank != 2)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "tensor \"%s\": rank %u, %llu columns, type %u: a vector is f32 and has one "
				      "column", name, rank, (unsigned long long)cols, (unsigned)type);
	if (mote_matrix_init(&matrix, type, rows, cols, NULL, NULL, &t.bytes, &why) != MOTE_OK)
		return mote_error_set(error, why.code, "tensor \"%s\": %s", name, why.message);
	if (rank == 1)
		t.bytes = rows * 4;
	t.rows = (uint32_t)rows;
	t.cols = (uint32_t)cols;
	t.name_bytes = (uint32_t)strlen(name);
	if (mote_type_has_codebook(type))
		memcpy(t.codebook, codebook ? codebook : mote_type_linear_codebook(type), mote_type_levels(type));
	if (!mote_checked_round_up(w->data_end, MOTE_LAYOUT_ALIGNMENT, &t.offset) ||
	    !mote_checked_add(t.offset, t.bytes, &end) || end > INT64_MAX)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more tensor data than a file can hold", w->target);

	if (w->n_tensors == w->tensors_room) {
		uint32_t room = w->tensors_room ? w->tensors_room * 2 : 64;
		struct mote_layout_tensor *tensors = realloc(w->tensors, room * sizeof *tensors);
		char **names = tensors ? realloc(w->names, room * sizeof *names) : NULL;

		w->tensors = tensors ? tensors : w->tensors;
		w->names = names ? names : w->names;
		if (!names)
			return fail_memory(w, error);
		w->tensors_room = room;
	}
	w->names[w->n_tensors] = strdup(name);
	if (!w->names[w->n_tensors])
		return fail_memory(w, error);
	w->tensors[w->n_tensors++] = t;
	w->data_end = end;
	w->finished = false;
	return MOTE_OK;
}

enum mote_status mote_writer_set_codebook(struct mote_writer *w, uint32_t tensor, const uint8_t *codebook,
					  struct mote_error *error)
{
	if (tensor >= w->n_tensors || !mote_type_has_codebook((enum mote_type)w->tensors[tensor].type))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: tensor %u takes no codebook", w->target, tensor);
	memcpy(w->tensors[tensor].codebook, codebook, mote_type_levels((enum mote_type)w->tensors[tensor].type));
	w->finished = false;
	return MOTE_OK;
}

/* Space for all tensors at once: a full disk is found out now, not minutes later, and the file system has less to
 * do for each write (TRLM's 269 MB: written and synced in 70 ms instead of 138). Some file systems cannot. */
static enum mote_status reserve(const struct mote_writer *w, struct mote_error *error)
{
	if (!mote_portable_reserve(mote_output_descriptor(w->output), w->data_end))
		return mote_output_fail(w->output, "cannot write", error);
	return MOTE_OK;
}

/* Lets the disk begin before the sync at the end, which would otherwise wait for all of it. Advice: whether it works
 * does not matter. */
static void write_back(struct mote_writer *w, uint64_t end)
{
	if (end - w->handed < WRITE_BACK_BYTES)
		return;
	mote_portable_write_back(mote_output_descriptor(w->output), w->handed, end - w->handed);
	w->handed = end;
}

enum mote_status mote_writer_write(struct mote_writer *w, const void *data, size_t bytes,
				   struct mote_error *error)
{
	static const uint8_t zeros[MOTE_LAYOUT_ALIGNMENT];
	struct mote_layout_tensor *t;
	XXH128_hash_t hash;
	enum mote_status status;

	if (w->current == w->n_tensors)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: more data than tensors", w->target);
	t = w->tensors + w->current;
	if (bytes > t->bytes - w->current_bytes)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: more data than tensor \"%s\" takes", w->target,
				      w->names[w->current]);
	if (w->current == 0 && w->current_bytes == 0 && (status = reserve(w, error)) != MOTE_OK)
		return status;
	status = write_at(w, data, bytes, t->offset + w->current_bytes, error);
	if (status != MOTE_OK)
		return status;
	XXH3_128bits_update(w->hash, data, bytes);
	w->current_bytes += bytes;
	write_back(w, t->offset + w->current_bytes);
	if (w->current_bytes < t->bytes)
		return MOTE_OK;

	hash = XXH3_128bits_digest(w->hash);
	t->hash = (struct mote_hash128){hash.low64, hash.high64};
	XXH3_128bits_reset(w->hash);
	w->current++;
	w->current_bytes = 0;
	return write_at(w, zeros, -(t->offset + t->bytes) % MOTE_LAYOUT_ALIGNMENT, t->offset + t->bytes, error);
}

/* Takes data over, also on error. */
static enum mote_status put_stored(struct mote_writer *w, uint32_t kind, uint32_t flags, void *data, size_t bytes,
				   uint64_t raw_bytes, struct mote_error *error)
{
	struct section *s = w->sections;
	uint32_t at = 0;

	while (at < w->n_sections && s[at].kind < kind)
		at++;
	if (at < w->n_sections && s[at].kind == kind) {
		free(s[at].data);
	} else if (w->n_sections + 1 == MOTE_LAYOUT_MAX_SECTIONS) { /* one is for the directory */
		free(data);
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %u sections", w->target,
				      MOTE_LAYOUT_MAX_SECTIONS);
	} else {
		memmove(s + at + 1, s + at, (w->n_sections - at) * sizeof *s);
		w->n_sections++;
	}
	s[at] = (struct section){kind, flags, raw_bytes, bytes, data};
	w->finished = false;
	return MOTE_OK;
}

enum mote_status mote_writer_put_section(struct mote_writer *w, enum mote_section kind, const void *data,
					 size_t bytes, struct mote_error *error)
{
	void *copy;

	if (mote_layout_flags(kind) != 0 || kind == MOTE_SECTION_TENSORS || bytes < 1)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "%s: section kind %u of %zu raw bytes cannot be stored", w->target,
				      (unsigned)kind, bytes);
	copy = malloc(bytes);
	if (!copy)
		return fail_memory(w, error);
	memcpy(copy, data, bytes);
	return put_stored(w, kind, 0, copy, bytes, bytes, error);
}

static size_t count_values(const cJSON *json)
{
	size_t values = 1;

	for (const cJSON *child = json->child; child; child = child->next)
		values += count_values(child);
	return values;
}

enum mote_status mote_writer_put_json(struct mote_writer *w, enum mote_section kind, const cJSON *json,
				      struct mote_error *error)
{
	bool array = kind == MOTE_SECTION_RECEIPTS;
	uint32_t flags = mote_layout_flags(kind);
	size_t bytes, room, stored, values;
	char *text;
	void *frame;

	if (flags == 0xffffffff || !(flags & MOTE_SECTION_ZSTD) ||
	    !(array ? cJSON_IsArray(json) : cJSON_IsObject(json)))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: section kind %u cannot hold this JSON",
				      w->target, (unsigned)kind);
	values = count_values(json);
	if (values > mote_layout_max_values(kind))
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: section kind %u: %zu values of JSON, at most %zu "
				      "are read", w->target, (unsigned)kind, values, mote_layout_max_values(kind));
	text = mote_json_print(json, &bytes);
	if (!text)
		return fail_memory(w, error);
	if (bytes > MOTE_LAYOUT_MAX_JSON) {
		free(text);
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: section kind %u: %zu bytes of JSON, at most %u fit",
				      w->target, (unsigned)kind, bytes, MOTE_LAYOUT_MAX_JSON);
	}
	room = ZSTD_compressBound(bytes);
	frame = malloc(room);
	stored = frame ? ZSTD_compress(frame, room, text, bytes, ZSTD_LEVEL) : 0;
	free(text);
	if (!frame || ZSTD_isError(stored)) { /* with room enough only memory can be missing */
		free(frame);
		return fail_memory(w, error);
	}
	return put_stored(w, kind, flags, frame, stored, bytes, error);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum mote_status check_names(const struct mote_writer *w, struct mote_error *error)
{
	char **sorted = malloc((w->n_tensors + 1u) * sizeof *sorted);
	enum mote_status status = MOTE_OK;

	if (!sorted)
		return fail_memory(w, error);
	if (w->n_tensors)
		memcpy(sorted, w->names, w->n_tensors * sizeof *sorted);
	qsort(sorted, w->n_tensors, sizeof *sorted, compare_names);
	for (uint32_t i = 1; i < w->n_tensors && status == MOTE_OK; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "two tensors have the name \"%s\"",
						sorted[i]);
	free(sorted);
	return status;
}

static enum mote_status make_directory(const struct mote_writer *w, struct section *s, struct mote_error *error)
{
	size_t names_at = 8 + w->n_tensors * sizeof *w->tensors, bytes = names_at;
	char *data, *p;

	for (uint32_t i = 0; i < w->n_tensors; i++)
		bytes += w->tensors[i].name_bytes + 1;
	data = calloc(1, bytes);
	if (!data)
		return fail_memory(w, error);
	memcpy(data, &w->n_tensors, sizeof w->n_tensors);
	if (w->n_tensors)
		memcpy(data + 8, w->tensors, w->n_tensors * sizeof *w->tensors);
	p = data + names_at;
	for (uint32_t i = 0; i < w->n_tensors; i++) {
		memcpy(p, w->names[i], w->tensors[i].name_bytes + 1);
		p += w->tensors[i].name_bytes + 1;
	}
	*s = (struct section){MOTE_SECTION_TENSORS, 0, bytes, bytes, data};
	return MOTE_OK;
}

static uint64_t round_up(uint64_t offset)
{
	return (offset + MOTE_LAYOUT_ALIGNMENT - 1) & ~(uint64_t)(MOTE_LAYOUT_ALIGNMENT - 1);
}

/* Directory, the other sections, table, header: all that is not tensor data. */
static enum mote_status write_frame(struct mote_writer *w, const struct section *directory, struct mote_error *error)
{
	struct mote_layout_section table[MOTE_LAYOUT_MAX_SECTIONS];
	struct mote_layout_header h = {.version = MOTE_LAYOUT_VERSION, .sections = w->n_sections + 1};
	uint64_t at = round_up(w->data_end);
	enum mote_status status;

	/* Cutting off what an earlier finish wrote leaves zeros wherever nothing is written. */
	if (ftruncate(mote_output_descriptor(w->output), (off_t)w->data_end) != 0)
		return mote_output_fail(w->output, "cannot write", error);
	for (uint32_t i = 0; i < h.sections; i++) {
		const struct section *s = i == 0 ? directory : w->sections + i - 1;

		table[i] = (struct mote_layout_section){ s->kind, s->flags, at, s->bytes, s->raw_bytes,
							 mote_layout_hash(s->data, s->bytes) };
		status = write_at(w, s->data, s->bytes, at, error);
		if (status != MOTE_OK)
			return status;
		at = round_up(at + s->bytes);
	}
	h.table_offset = at;
	h.table_bytes = h.sections * sizeof *table;
	h.file_bytes = at + h.table_bytes;
	h.table_hash = mote_layout_hash(table, h.table_bytes);
	memcpy(h.magic, MOTE_LAYOUT_MAGIC, sizeof h.magic);
	h.header_hash = XXH3_64bits(&h, offsetof(struct mote_layout_header, header_hash));
	status = write_at(w, table, h.table_bytes, at, error);
	return status == MOTE_OK ? write_at(w, &h, sizeof h, 0, error) : status;
}

enum mote_status mote_writer_finish(struct mote_writer *w, struct mote_error *error)
{
	struct section directory = {0};
	enum mote_status status;

	if (w->current != w->n_tensors)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: tensor \"%s\" is not written to its end",
				      w->target, w->names[w->current]);
	if (w->n_sections == 0 || (w->sections[0].kind != MOTE_SECTION_METADATA))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: no metadata were given", w->target);
	status = check_names(w, error);
	if (status != MOTE_OK)
		return status;
	status = make_directory(w, &directory, error);
	if (status != MOTE_OK)
		return status;
	status = write_frame(w, &directory, error);
	free(directory.data);
	w->finished = status == MOTE_OK;
	return status;
}

const char *mote_writer_temp_path(const struct mote_writer *w)
{
	return mote_output_open_path(w->output);
}

enum mote_status mote_writer_commit(struct mote_writer *w, struct mote_error *error)
{
	enum mote_status status;

	if (w->finished) {
		status = mote_output_commit(w->output, error);
		w->output = NULL;
	} else {
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: committed without finish", w->target);
	}
	mote_writer_discard(w);
	return status;
}

void mote_writer_discard(struct mote_writer *w)
{
	if (!w)
		return;
	mote_output_discard(w->output);
	for (uint32_t i = 0; i < w->n_tensors; i++)
		free(w->names[i]);
	for (uint32_t i = 0; i < w->n_sections; i++)
		free(w->sections[i].data);
	XXH3_freeState(w->hash);
	free(w->tensors);
	free(w->names);
	free(w);
}

/* Everything of c but one section. */
static enum mote_status copy_container(struct mote_writer *w, const struct mote_container *c,
				       enum mote_section except, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; status == MOTE_OK && i < mote_container_tensor_count(c); i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);
		const uint8_t *data = t->rank == 1 ? (const uint8_t *)t->vector : t->matrix.data;

		status = mote_writer_add_tensor(w, t->name, t->rank, t->type, t->rows, t->cols, t->matrix.codebook,
						error);
		for (uint64_t at = 0; status == MOTE_OK && at < t->bytes; at += COPY_BYTES)
			status = mote_writer_write(w, data + at,
						   t->bytes - at < COPY_BYTES ? t->bytes - at : COPY_BYTES, error);
		/* A new checksum over damaged data would hide the damage. */
		if (status == MOTE_OK && memcmp(&w->tensors[i].hash, &t->hash, sizeof t->hash) != 0)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%s\": checksum does not match",
						w->target, t->name);
	}
	for (uint32_t i = 0; status == MOTE_OK && i < mote_container_section_count(c); i++) {
		const struct mote_section_info *s = mote_container_section_info(c, i);
		size_t bytes;
		const void *data = mote_container_section(c, (enum mote_section)s->kind, &bytes);
		void *copy;

		if (s->kind == MOTE_SECTION_TENSORS || s->kind == (uint32_t)except)
			continue;
		copy = malloc(bytes);
		if (!copy)
			return fail_memory(w, error);
		memcpy(copy, data, bytes);
		status = put_stored(w, s->kind, s->flags, copy, bytes, s->raw_bytes, error);
	}
	return status;
}

enum mote_status mote_container_stamp(const char *path, enum mote_section kind, const cJSON *json,
				      struct mote_error *error)
{
	struct mote_container *c;
	struct mote_writer *w = NULL;
	enum mote_status status = mote_container_open(path, &c, error);

	if (status == MOTE_OK)
		status = mote_writer_open(path, true, &w, error);
	if (status == MOTE_OK)
		status = copy_container(w, c, kind, error);
	if (status == MOTE_OK)
		status = mote_writer_put_json(w, kind, json, error);
	if (status == MOTE_OK)
		status = mote_writer_finish(w, error);
	mote_container_close(c);
	if (status == MOTE_OK)
		return mote_writer_commit(w, error);
	mote_writer_discard(w);
	return status;
}
