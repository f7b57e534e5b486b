/* Looking things up in a GGUF file: see gguf_read.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/gguf/gguf_read.h"
#include "format/utf8.h"

static int compare(const struct mote_gguf_text *a, const char *text, size_t bytes)
{
	int order = memcmp(a->text, text, a->bytes < bytes ? a->bytes : bytes);

	return order ? order : (a->bytes > bytes) - (a->bytes < bytes);
}

const struct mote_gguf_value *mote_gguf_find(const struct mote_gguf *g, const char *key)
{
	const size_t bytes = strlen(key);
	uint32_t low = 0, high = g->values;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(&g->value[middle].key, key, bytes);

		if (order == 0)
			return &g->value[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct mote_gguf_tensor *mote_gguf_find_tensor(const struct mote_gguf *g, const char *name)
{
	const size_t bytes = strlen(name);
	uint32_t low = 0, high = g->tensors;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare(&g->tensor[middle].name, name, bytes);

		if (order == 0)
			return &g->tensor[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint64_t load(const uint8_t *p, uint32_t bytes)
{
	uint64_t x = 0;

	memcpy(&x, p, bytes);
	return x;
}

/* u64 beyond int64's range becomes its largest, which nothing accepts. */
int64_t mote_gguf_integer_at(const struct mote_gguf_value *v, uint32_t index)
{
	switch (v->kind) {
	case MOTE_GGUF_UINT8:
	case MOTE_GGUF_BOOL: return v->data[index];
	case MOTE_GGUF_INT8: return (int8_t)v->data[index];
	case MOTE_GGUF_UINT16: return (int64_t)load(v->data + (size_t)index * 2, 2);
	case MOTE_GGUF_INT16: return (int16_t)load(v->data + (size_t)index * 2, 2);
	case MOTE_GGUF_UINT32: return (int64_t)load(v->data + (size_t)index * 4, 4);
	case MOTE_GGUF_INT32: return (int32_t)load(v->data + (size_t)index * 4, 4);
	case MOTE_GGUF_INT64: return (int64_t)load(v->data + (size_t)index * 8, 8);
	case MOTE_GGUF_UINT64: {
		uint64_t x = load(v->data + (size_t)index * 8, 8);

		return x > INT64_MAX ? INT64_MAX : (int64_t)x;
	}
	default: return -1;
	}
}

double mote_gguf_number_at(const struct mote_gguf_value *v, uint32_t index)
{
	double wide;
	float x;

	if (v->kind == MOTE_GGUF_FLOAT64) {
		memcpy(&wide, v->data + (size_t)index * 8, 8);
		return wide;
	}
	memcpy(&x, v->data + (size_t)index * 4, 4);
	return x;
}

struct mote_gguf_text mote_gguf_next_text(const uint8_t **at)
{
	struct mote_gguf_text t = {(const char *)*at + 8, (uint32_t)load(*at, 8)};

	*at += 8 + (size_t)t.bytes;
	return t;
}

static bool is_integer(const struct mote_gguf_value *v)
{
	return !v->array && v->kind != MOTE_GGUF_FLOAT32 && v->kind != MOTE_GGUF_FLOAT64 && v->kind != MOTE_GGUF_BOOL &&
	       v->kind != MOTE_GGUF_STRING;
}

static enum mote_status wrong(const struct mote_gguf *g, const char *key, const char *expected,
			      struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": expected %s", g->name ? g->name : "GGUF", key,
			      expected);
}

enum mote_status mote_gguf_want_u32(const struct mote_gguf *g, const char *key, uint32_t fallback, uint32_t *value,
				    struct mote_error *error)
{
	const struct mote_gguf_value *v = mote_gguf_find(g, key);
	int64_t x = v && is_integer(v) ? mote_gguf_integer_at(v, 0) : -1;

	*value = fallback;
	if (!v)
		return MOTE_OK;
	if (x < 0 || x > UINT32_MAX)
		return wrong(g, key, "an integer from 0 to 4294967295", error);
	*value = (uint32_t)x;
	return MOTE_OK;
}

enum mote_status mote_gguf_need_u32(const struct mote_gguf *g, const char *key, uint32_t *value,
				    struct mote_error *error)
{
	if (!mote_gguf_find(g, key))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: key \"%s\" is missing",
				      g->name ? g->name : "GGUF", key);
	return mote_gguf_want_u32(g, key, 0, value, error);
}

enum mote_status mote_gguf_want_double(const struct mote_gguf *g, const char *key, double fallback, double *value,
				       struct mote_error *error)
{
	const struct mote_gguf_value *v = mote_gguf_find(g, key);

	*value = fallback;
	if (!v)
		return MOTE_OK;
	if (v->array || (v->kind != MOTE_GGUF_FLOAT32 && v->kind != MOTE_GGUF_FLOAT64))
		return wrong(g, key, "a floating-point number", error);
	*value = mote_gguf_number_at(v, 0);
	if (!(*value > -1e300 && *value < 1e300))
		return wrong(g, key, "a finite number", error);
	return MOTE_OK;
}

enum mote_status mote_gguf_want_bool(const struct mote_gguf *g, const char *key, bool fallback, bool *value,
				     struct mote_error *error)
{
	const struct mote_gguf_value *v = mote_gguf_find(g, key);

	*value = fallback;
	if (!v)
		return MOTE_OK;
	if (v->array || v->kind != MOTE_GGUF_BOOL || v->data[0] > 1)
		return wrong(g, key, "true or false", error);
	*value = v->data[0];
	return MOTE_OK;
}

enum mote_status mote_gguf_want_text(const struct mote_gguf *g, const char *key, struct mote_gguf_text *value,
				     struct mote_error *error)
{
	const struct mote_gguf_value *v = mote_gguf_find(g, key);
	const uint8_t *at;

	*value = (struct mote_gguf_text){0};
	if (!v)
		return MOTE_OK;
	if (v->array || v->kind != MOTE_GGUF_STRING)
		return wrong(g, key, "a string", error);
	at = v->data;
	*value = mote_gguf_next_text(&at);
	if (memchr(value->text, 0, value->bytes) || mote_utf8_valid(value->text, value->bytes) != value->bytes)
		return wrong(g, key, "UTF-8 without NUL", error);
	return MOTE_OK;
}

enum mote_status mote_gguf_want_array(const struct mote_gguf *g, const char *key, enum mote_gguf_kind kind,
				      const struct mote_gguf_value **value, struct mote_error *error)
{
	const struct mote_gguf_value *v = mote_gguf_find(g, key);
	char expected[32];

	*value = v;
	if (!v || (v->array && v->kind == kind))
		return MOTE_OK;
	*value = NULL;
	snprintf(expected, sizeof expected, "an array of type %d", (int)kind);
	return wrong(g, key, expected, error);
}
