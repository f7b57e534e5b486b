/* safetensors headers: see safetensors.h. */
#include "convert/hf/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Zero when the format has no such dtype (or one of less than a byte, which nobody's weights are). */
static uint32_t dtype_bytes(const char *dtype)
{
	static const struct {
		char name[8];
		uint32_t bytes;
	} table[] = {
		{"BF16", 2}, {"F16", 2}, {"F32", 4}, {"F64", 8}, {"I8", 1},   {"I16", 2},
		{"I32", 4},  {"I64", 8}, {"U8", 1},  {"U16", 2}, {"U32", 4},  {"U64", 8},
		{"BOOL", 1}, {"C64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(dtype, table[i].name) == 0)
			return table[i].bytes;
	return 0;
}

const char *mote_safetensors_shape(const struct mote_safetensors_tensor *t, char *out, size_t room)
{
	size_t used = (size_t)snprintf(out, room, "[");

	for (uint32_t i = 0; i < t->rank && used < room; i++)
		used += (size_t)snprintf(out + used, room - used, "%s%" PRIu64, i ? ", " : "", t->shape[i]);
	if (used < room)
		snprintf(out + used, room - used, "]");
	return out;
}

/* The integers of a JSON array, which must be at most max long; *count is its length. False when it is none. */
static bool read_integers(const cJSON *array, uint32_t max, uint64_t *out, uint32_t *count)
{
	const cJSON *item;
	int64_t value;

	*count = 0;
	if (!cJSON_IsArray(array))
		return false;
	cJSON_ArrayForEach(item, array) {
		if (!mote_json_integer(item, &value) || value < 0)
			return false;
		if (*count < max)
			out[*count] = (uint64_t)value;
		++*count;
	}
	return true;
}

static enum mote_status read_tensor(const cJSON *item, uint64_t data_bytes, const char *file,
				    struct mote_safetensors_tensor *t, struct mote_error *error)
{
	const cJSON *dtype = mote_json_get(item, "dtype");
	uint64_t offsets[2], bytes;
	uint32_t element, n_offsets;

	t->name = item->string;
	if (!cJSON_IsObject(item))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%s\": expected an object",
				      file, t->name);
	if (!cJSON_IsString(dtype))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%s\": \"dtype\" is no string", file,
				      t->name);
	t->dtype = dtype->valuestring;
	element = dtype_bytes(t->dtype);
	if (!element)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: tensor \"%s\": dtype %s is not supported; BF16, F16 and F32 are", file,
				      t->name, t->dtype);
	if (!read_integers(mote_json_get(item, "shape"), MOTE_SAFETENSORS_MAX_RANK, t->shape, &t->rank))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: tensor \"%s\": \"shape\" is no array of non-negative integers",
				      file, t->name);
	if (t->rank > MOTE_SAFETENSORS_MAX_RANK)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: tensor \"%s\": %u dimensions; at most %u",
				      file, t->name, t->rank, MOTE_SAFETENSORS_MAX_RANK);
	if (!read_integers(mote_json_get(item, "data_offsets"), 2, offsets, &n_offsets) || n_offsets != 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: tensor \"%s\": \"data_offsets\" is no pair of non-negative integers", file,
				      t->name);
	if (offsets[0] > offsets[1])
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: tensor \"%s\": ends at %" PRIu64 ", before it begins at %" PRIu64, file,
				      t->name, offsets[1], offsets[0]);
	if (offsets[1] > data_bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: tensor \"%s\": ends at data byte %" PRIu64 ", but the file holds %" PRIu64
				      " (truncated?)", file, t->name, offsets[1], data_bytes);
	bytes = element;
	for (uint32_t i = 0; i < t->rank; i++)
		if (__builtin_mul_overflow(bytes, t->shape[i], &bytes))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: tensor \"%s\": its shape's size overflows", file, t->name);
	if (bytes != offsets[1] - offsets[0])
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: tensor \"%s\": its shape and dtype %s take %" PRIu64
				      " bytes, its offsets span %" PRIu64, file, t->name, t->dtype, bytes,
				      offsets[1] - offsets[0]);
	t->offset = offsets[0];
	t->bytes = bytes;
	return MOTE_OK;
}

static enum mote_status check_metadata(const cJSON *metadata, const char *file, struct mote_error *error)
{
	const cJSON *item;

	if (!cJSON_IsObject(metadata))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"__metadata__\" is no object", file);
	cJSON_ArrayForEach(item, metadata)
		if (!cJSON_IsString(item))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"__metadata__\": \"%s\" is no string",
					      file, item->string);
	return MOTE_OK;
}

/* By data, empty tensors before the one that begins where they lie; by name so that the order is one. */
static int by_offset(const void *a, const void *b)
{
	const struct mote_safetensors_tensor *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static enum mote_status check_cover(struct mote_safetensors *s, uint64_t data_bytes, const char *file,
				    struct mote_error *error)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < s->tensors; i++) {
		const struct mote_safetensors_tensor *t = &s->tensor[i];

		if (t->offset != at)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "%s: tensor \"%s\": begins at data byte %" PRIu64
					      ", but the data before it end at %" PRIu64 " (%s)", file, t->name,
					      t->offset, at, t->offset > at ? "a hole" : "they overlap");
		at += t->bytes;
	}
	if (at != data_bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: %" PRIu64 " bytes follow the last tensor, which ends at data byte %" PRIu64,
				      file, data_bytes - at, at);
	return MOTE_OK;
}

static uint64_t read_length(const uint8_t *file)
{
	uint64_t length = 0;

	for (int i = 7; i >= 0; i--)
		length = length << 8 | file[i];
	return length;
}

uint64_t mote_safetensors_header_bytes(const uint8_t *file, uint64_t file_bytes)
{
	uint64_t length = file_bytes < 8 ? 0 : read_length(file);

	return length > MOTE_SAFETENSORS_MAX_READ_BYTES || length > file_bytes - 8 ? 0 : length;
}

static enum mote_status parse(const uint8_t *file, uint64_t file_bytes, const char *name,
			      struct mote_safetensors *s, struct mote_error *error)
{
	uint64_t header_bytes, data_bytes;
	enum mote_status status;
	const cJSON *item;
	uint32_t count = 0;

	if (file_bytes < 8)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: %" PRIu64 " bytes hold no header (truncated?)",
				      name, file_bytes);
	header_bytes = read_length(file);
	if (header_bytes > MOTE_SAFETENSORS_MAX_HEADER_BYTES)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: header of %" PRIu64 " bytes; at most %u", name,
				      header_bytes, MOTE_SAFETENSORS_MAX_HEADER_BYTES);
	if (header_bytes > file_bytes - 8)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: header of %" PRIu64 " bytes in a file of %" PRIu64 " (truncated?)", name,
				      header_bytes, file_bytes);
	if (header_bytes > MOTE_SAFETENSORS_MAX_READ_BYTES)
		return mote_error_set(error, MOTE_ERROR_LIMIT,
				      "%s: header of %" PRIu64 " bytes; at most %" PRIu64 " are read",
				      name, header_bytes, MOTE_SAFETENSORS_MAX_READ_BYTES);
	if (header_bytes == 0 || file[8] != '{')
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: byte 8: the header does not begin with '{'",
				      name);
	data_bytes = file_bytes - 8 - header_bytes;
	status = mote_json_parse_large((const char *)file + 8, (size_t)header_bytes, name, MOTE_SAFETENSORS_MAX_VALUES,
				       &s->header, error);
	if (status)
		return status;
	cJSON_ArrayForEach(item, s->header)
		count++;
	s->tensor = calloc(count + (size_t)1, sizeof *s->tensor);
	if (!s->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	cJSON_ArrayForEach(item, s->header) {
		if (strcmp(item->string, "__metadata__") == 0)
			status = check_metadata(item, name, error);
		else
			status = read_tensor(item, data_bytes, name, &s->tensor[s->tensors++], error);
		if (status)
			return status;
	}
	qsort(s->tensor, s->tensors, sizeof *s->tensor, by_offset);
	status = check_cover(s, data_bytes, name, error);
	for (uint32_t i = 0; i < s->tensors; i++)
		s->tensor[i].offset += 8 + header_bytes;
	return status;
}

enum mote_status mote_safetensors_parse(const uint8_t *file, uint64_t file_bytes, const char *name,
					struct mote_safetensors *out, struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_safetensors){0};
	status = parse(file, file_bytes, name, out, error);
	if (status)
		mote_safetensors_free(out);
	return status;
}

void mote_safetensors_free(struct mote_safetensors *s)
{
	cJSON_Delete(s->header);
	free(s->tensor);
	*s = (struct mote_safetensors){0};
}
