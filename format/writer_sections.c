/* What a container has besides its tensors' data: see writer.h. Sections wait in memory until finish() puts the tensor
 * directory and them behind the data, then the table, then the header: a file that was not finished has zeros where
 * the magic number belongs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "format/writer_state.h"

/* Metadata is small and written once. */
#define ZSTD_LEVEL 19

enum mote_status mote_writer_put_stored(struct mote_writer *w, uint32_t kind, uint32_t flags, void *data, size_t bytes,
				   uint64_t raw_bytes, struct mote_error *error)
{
	struct writer_section *s = w->sections;
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
	s[at] = (struct writer_section){kind, flags, raw_bytes, bytes, data};
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
		return mote_writer_fail_memory(w, error);
	memcpy(copy, data, bytes);
	return mote_writer_put_stored(w, kind, 0, copy, bytes, bytes, error);
}

static size_t count_values(const cJSON *json)
{
	size_t values = 1;

	for (const cJSON *child = json->child; child; child = child->next)
		values += count_values(child);
	return values;
}

/* What a reader would refuse (nested too deep, no UTF-8, a key twice) makes no file. */
static enum mote_status check_readable(const struct mote_writer *w, enum mote_section kind, const char *text,
				       size_t bytes, struct mote_error *error)
{
	enum mote_status status;
	char name[40];
	cJSON *again;

	snprintf(name, sizeof name, "JSON for section kind %u", (unsigned)kind);
	status = mote_json_parse_large(text, bytes, name, mote_layout_max_values(kind), &again, error);
	if (status)
		mote_error_prefix(error, "%s: cannot be written", w->target);
	cJSON_Delete(again);
	return status;
}

enum mote_status mote_writer_put_json(struct mote_writer *w, enum mote_section kind, const cJSON *json,
				      struct mote_error *error)
{
	bool array = kind == MOTE_SECTION_RECEIPTS;
	uint32_t flags = mote_layout_flags(kind);
	size_t bytes, room, stored, values;
	enum mote_status status;
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
		return mote_writer_fail_memory(w, error);
	if (bytes > MOTE_LAYOUT_MAX_JSON) {
		free(text);
		return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: section kind %u: %zu bytes of JSON, at most %u fit",
				      w->target, (unsigned)kind, bytes, MOTE_LAYOUT_MAX_JSON);
	}
	status = check_readable(w, kind, text, bytes, error);
	if (status) {
		free(text);
		return status;
	}
	room = ZSTD_compressBound(bytes);
	frame = malloc(room);
	stored = frame ? ZSTD_compress(frame, room, text, bytes, ZSTD_LEVEL) : 0;
	free(text);
	if (!frame || ZSTD_isError(stored)) { /* with room enough only memory can be missing */
		free(frame);
		return mote_writer_fail_memory(w, error);
	}
	return mote_writer_put_stored(w, kind, flags, frame, stored, bytes, error);
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
		return mote_writer_fail_memory(w, error);
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

static enum mote_status make_directory(const struct mote_writer *w, struct writer_section *s, struct mote_error *error)
{
	size_t names_at = 8 + w->n_tensors * sizeof *w->tensors, bytes = names_at;
	char *data, *p;

	for (uint32_t i = 0; i < w->n_tensors; i++)
		bytes += w->tensors[i].name_bytes + 1;
	data = calloc(1, bytes); /* a zero ends each name */
	if (!data)
		return mote_writer_fail_memory(w, error);
	memcpy(data, &w->n_tensors, sizeof w->n_tensors);
	if (w->n_tensors)
		memcpy(data + 8, w->tensors, w->n_tensors * sizeof *w->tensors);
	p = data + names_at;
	for (uint32_t i = 0; i < w->n_tensors; i++) {
		memcpy(p, w->names[i], w->tensors[i].name_bytes);
		p += w->tensors[i].name_bytes + 1;
	}
	*s = (struct writer_section){MOTE_SECTION_TENSORS, 0, bytes, bytes, data};
	return MOTE_OK;
}

static uint64_t round_up(uint64_t offset)
{
	return (offset + MOTE_LAYOUT_ALIGNMENT - 1) & ~(uint64_t)(MOTE_LAYOUT_ALIGNMENT - 1);
}

/* Directory, the other sections, table, header: all that is not tensor data. */
static enum mote_status write_frame(struct mote_writer *w, const struct writer_section *directory,
				    struct mote_error *error)
{
	struct mote_layout_section table[MOTE_LAYOUT_MAX_SECTIONS];
	struct mote_layout_header h = {.version = MOTE_LAYOUT_VERSION, .sections = w->n_sections + 1};
	uint64_t at = round_up(w->data_end);
	enum mote_status status;

	/* Cutting off what an earlier finish wrote leaves zeros wherever nothing is written. */
	if (ftruncate(mote_output_descriptor(w->output), (off_t)w->data_end) != 0)
		return mote_output_fail(w->output, "cannot write", error);
	for (uint32_t i = 0; i < h.sections; i++) {
		const struct writer_section *s = i == 0 ? directory : w->sections + i - 1;

		table[i] = (struct mote_layout_section){ s->kind, s->flags, at, s->bytes, s->raw_bytes,
							 mote_layout_hash(s->data, s->bytes) };
		status = mote_output_write_at(w->output, s->data, s->bytes, at, error);
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
	status = mote_output_write_at(w->output, table, h.table_bytes, at, error);
	return status == MOTE_OK ? mote_output_write_at(w->output, &h, sizeof h, 0, error) : status;
}

enum mote_status mote_writer_finish(struct mote_writer *w, struct mote_error *error)
{
	struct writer_section directory = {0};
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
