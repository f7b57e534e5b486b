/* Records of tasks: see task_files.h. Every byte of these files may be wrong; messages say where. */
#include "quant/eval/task_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/json_build.h"
#include "format/utf8.h"
#include "quant/eval/csv_row.h"

enum { MAX_FILE_BYTES = 1 << 30, MAX_RECORDS = 1 << 22 };

struct file {
	char *data;
	size_t bytes;
	char name[280]; /* without its folders */
};

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
}

void mote_records_free(struct mote_records *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		cJSON_Delete(r->record[i].fields);
	free(r->record);
	*r = (struct mote_records){0};
}

static enum mote_status read_stream(FILE *stream, const char *path, struct file *f, struct mote_error *error)
{
	size_t room = 0, got;

	do {
		if (room - f->bytes < 65536) {
			char *grown = realloc(f->data, room = room ? room * 2 : 131072);

			if (!grown)
				return no_memory(error);
			f->data = grown;
		}
		got = fread(f->data + f->bytes, 1, room - f->bytes - 1, stream);
		f->bytes += got;
		if (f->bytes > MAX_FILE_BYTES)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: larger than %d bytes", path,
					      MAX_FILE_BYTES);
	} while (got > 0);
	f->data[f->bytes] = 0;
	return ferror(stream) ? mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno)) : MOTE_OK;
}

/* Reads a file and makes its bytes part of the records' hash, whose order is that of reading. */
static enum mote_status read_file(const char *path, struct file *f, struct mote_records *r, struct mote_error *error)
{
	const char *slash = strrchr(path, '/');
	FILE *stream = fopen(path, "rb");
	XXH128_hash_t hash;
	enum mote_status status;

	*f = (struct file){0};
	snprintf(f->name, sizeof f->name, "%s", slash ? slash + 1 : path);
	if (!stream)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", path, strerror(errno));
	status = read_stream(stream, path, f, error);
	fclose(stream);
	if (status) {
		free(f->data);
		*f = (struct file){0};
		return status;
	}
	hash = XXH3_128bits_withSeed(f->data, f->bytes, r->hash.low ^ r->hash.high);
	r->hash.low ^= hash.low64;
	r->hash.high = r->hash.high * 0x9e3779b97f4a7c15u + hash.high64;
	r->bytes += f->bytes;
	return MOTE_OK;
}

/* Takes fields over, also on error. */
static enum mote_status add_record(struct mote_records *r, cJSON *fields, const char *name, const char *unit,
				   uint64_t number, struct mote_error *error)
{
	if (r->count == r->capacity) {
		uint32_t more = r->capacity ? r->capacity * 2 : 256;
		struct mote_record *grown = more > MAX_RECORDS ? NULL : realloc(r->record, more * sizeof *grown);

		if (!grown) {
			cJSON_Delete(fields);
			return more > MAX_RECORDS
			       ? mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %d records", name, MAX_RECORDS)
						  : no_memory(error);
		}
		r->record = grown;
		r->capacity = more;
	}
	r->record[r->count].fields = fields;
	snprintf(r->record[r->count].place, sizeof r->record->place, "%s, %s %llu", name, unit,
		 (unsigned long long)number);
	r->count++;
	return MOTE_OK;
}

/* ---- JSON lines ---- */

static enum mote_status read_line(struct mote_records *r, const char *at, size_t length, const char *name,
				  uint64_t line, struct mote_error *error)
{
	cJSON *fields = NULL;
	enum mote_status status;

	status = mote_json_parse_line(at, length, name, line, &fields, error);
	if (status)
		return status;
	if (!cJSON_IsObject(fields)) {
		cJSON_Delete(fields);
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line %llu: expected a JSON object", name,
				      (unsigned long long)line);
	}
	return add_record(r, fields, name, "line", line, error);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static enum mote_status read_lines(const char *path, struct mote_records *r, struct mote_error *error)
{
	struct file f;
	uint64_t line = 1;
	enum mote_status status = read_file(path, &f, r, error);

	for (const char *at = f.data, *end = f.data + f.bytes; !status && at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop ? stop : end) - at);

		while (length > 0 && is_space(at[length - 1]))
			length--;
		if (length > 0)
			status = read_line(r, at, length, f.name, line, error);
		at = stop ? stop + 1 : end;
	}
	free(f.data);
	if (!status && r->count == 0)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: holds no record", path);
	return status;
}

/* A label a line, of the file called `labels` in path's folder. */
static enum mote_status read_labels(const char *path, const char *labels, struct mote_records *r,
				    struct mote_error *error)
{
	const char *slash = strrchr(path, '/');
	int folder = slash ? (int)(slash + 1 - path) : 0;
	struct mote_json_builder b = {0};
	char beside[4096];
	struct file f;
	uint32_t i = 0;
	enum mote_status status;

	snprintf(beside, sizeof beside, "%.*s%s", folder, path, labels);
	status = read_file(beside, &f, r, error);
	for (char *at = f.data; !status && at < f.data + f.bytes; i++) {
		size_t length = strcspn(at, "\r\n");
		size_t skip = length + strspn(at + length, "\r\n");

		at[length] = 0;
		if (i < r->count)
			mote_json_add_text(&b, r->record[i].fields, "label", at);
		at += skip > length ? skip : length + 1;
	}
	free(f.data);
	if (!status && i != r->count)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: %u labels for %u records", beside, i, r->count);
	return !status && b.failed ? no_memory(error) : status;
}

/* ---- tables ---- */

static enum mote_status read_table(const char *path, const char *suffix, const char *columns, struct mote_records *r,
				   struct mote_error *error)
{
	struct mote_json_builder b = {0};
	struct file f;
	char subject[280];
	uint64_t row = 1;
	char *at;
	enum mote_status status = read_file(path, &f, r, error);

	snprintf(subject, sizeof subject, "%.*s", (int)(strlen(f.name) - strlen(suffix)), f.name);
	for (char *c = subject; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	for (at = f.data; !status && at < f.data + f.bytes; row++) {
		cJSON *fields = mote_json_new_object(&b);
		char place[320];

		snprintf(place, sizeof place, "%s, row %llu", f.name, (unsigned long long)row);
		status = mote_csv_row(&at, f.data + f.bytes, columns, place, fields, error);
		mote_json_add_text(&b, fields, "subject", subject);
		if (!status && b.failed)
			status = no_memory(error);
		if (status)
			cJSON_Delete(fields);
		else
			status = add_record(r, fields, f.name, "row", row, error);
	}
	free(f.data);
	return status;
}

/* ---- folders ---- */

/* Calls read for every file of the folder that ends in suffix, in the order of their names' bytes. */
static enum mote_status each_file(const char *folder, const char *suffix, const struct mote_task_row *row,
				  struct mote_records *r,
				  enum mote_status (*read)(const struct mote_task_row *row, const char *folder,
							   const char *name, const char *suffix, struct mote_records *r,
							   struct mote_error *error),
				  struct mote_error *error)
{
	struct dirent **entry = NULL;
	int n = scandir(folder, &entry, NULL, alphasort);
	uint32_t found = 0;
	enum mote_status status = MOTE_OK;

	if (n < 0)
		return mote_error_set(error, MOTE_ERROR_IO, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *name = entry[i]->d_name;
		size_t length = strlen(name), tail = strlen(suffix);

		if (!status && length > tail && strcmp(name + length - tail, suffix) == 0) {
			status = read(row, folder, name, suffix, r, error);
			found++;
		}
		free(entry[i]);
	}
	free(entry);
	if (!status && (found == 0 || r->count == 0))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: holds no record in files called *%s",
					folder, suffix);
	return status;
}

static enum mote_status read_table_of(const struct mote_task_row *row, const char *folder, const char *name,
				      const char *suffix, struct mote_records *r, struct mote_error *error)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return read_table(path, suffix, row->columns, r, error);
}

/* What stands behind the line of dashes in a file of worked examples, without white space at its end. */
static enum mote_status read_prompt(const char *path, struct mote_records *r, char **prompt, struct mote_error *error)
{
	static const char dashes[] = "-----\n";
	struct file f;
	enum mote_status status = read_file(path, &f, r, error);
	char *from;

	*prompt = NULL;
	if (status)
		return status;
	from = strstr(f.data, dashes);
	from = from ? from + strlen(dashes) : f.data;
	while (f.bytes > 0 && (is_space(f.data[f.bytes - 1]) || f.data[f.bytes - 1] == '\n'))
		f.data[--f.bytes] = 0;
	if (from > f.data + f.bytes || mote_utf8_valid(from, strlen(from)) != strlen(from))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: holds no text in UTF-8", path);
	else if (!(*prompt = strdup(from)))
		status = no_memory(error);
	free(f.data);
	return status;
}

static enum mote_status add_examples(const char *name, const char *task, const char *prompt, const cJSON *json,
				     struct mote_records *r, struct mote_error *error)
{
	const cJSON *examples = mote_json_get(json, "examples");
	uint64_t number = 1;
	enum mote_status status = MOTE_OK;

	if (!cJSON_IsArray(examples))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array \"examples\"", name);
	for (const cJSON *e = examples->child; e && !status; e = e->next, number++) {
		struct mote_json_builder b = {0};
		cJSON *fields = cJSON_IsObject(e) ? cJSON_Duplicate(e, true) : mote_json_new_object(&b);

		mote_json_add_text(&b, fields, "prompt", prompt);
		mote_json_add_text(&b, fields, "subject", task);
		if (!fields || b.failed) {
			cJSON_Delete(fields);
			return no_memory(error);
		}
		status = add_record(r, fields, name, "example", number, error);
	}
	return status;
}

static enum mote_status read_bbh(const struct mote_task_row *row, const char *folder, const char *name,
				 const char *suffix, struct mote_records *r, struct mote_error *error)
{
	int length = (int)(strlen(name) - strlen(suffix));
	char path[4096], task[256], *prompt = NULL;
	cJSON *json = NULL;
	struct file f;
	enum mote_status status;

	(void)row;
	snprintf(task, sizeof task, "%.*s", length, name);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	status = read_file(path, &f, r, error);
	if (!status)
		status = mote_json_parse(f.data, f.bytes, name, &json, error);
	free(f.data);
	snprintf(path, sizeof path, "%s/../cot-prompts/%s.txt", folder, task);
	if (!status)
		status = read_prompt(path, r, &prompt, error);
	if (!status)
		status = add_examples(name, task, prompt, json, r, error);
	cJSON_Delete(json);
	free(prompt);
	return status;
}

enum mote_status mote_records_read(const struct mote_task_row *row, const char *path, const char *suffix,
				   struct mote_records *out, struct mote_error *error)
{
	char folder[4096];
	enum mote_status status;

	*out = (struct mote_records){0};
	switch (row->layout) {
	case MOTE_LAYOUT_LINES:
		status = read_lines(path, out, error);
		if (!status && row->labels)
			status = read_labels(path, row->labels, out, error);
		return status;
	case MOTE_LAYOUT_TABLES:
		/* mmlu itself, or the folder in it */
		snprintf(folder, sizeof folder, "%s/%s", path, strcmp(suffix, "_test.csv") == 0 ? "test" : row->shots);
		return each_file(folder, suffix, row, out, read_table_of, error);
	case MOTE_LAYOUT_BBH:
		snprintf(folder, sizeof folder, "%s/bbh", path);
		return each_file(folder, ".json", row, out, read_bbh, error);
	}
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: unknown layout", row->name);
}
