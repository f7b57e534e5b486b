/* One GGUF file's header, from memory: see gguf_read.h. Files and their parts: gguf_open.c. */
#include "convert/gguf/gguf_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/cursor.h"
#include "format/utf8.h"

#define MAX_ALIGNMENT ((uint32_t)1 << 20)
#define MAX_NAME 63u                  /* of a tensor, as ggml has it */
#define MAX_KEY 65535u

static const uint8_t kind_bytes[MOTE_GGUF_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

/* Of a file that is being parsed. */
struct parsing {
	struct mote_cursor c;
	struct mote_gguf *out;
	uint64_t file_bytes;
	uint32_t alignment;
};

static bool is_plain(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return mote_utf8_valid(text, bytes) == bytes;
}

/* A length and so many bytes. */
static struct mote_gguf_text take_text(struct mote_cursor *c, uint64_t most, const char *what)
{
	uint64_t bytes = mote_cursor_u64(c, what);
	struct mote_gguf_text t = {"", 0};

	if (c->status)
		return t;
	if (bytes > most) {
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "%s of %" PRIu64 " bytes; at most %" PRIu64, what, bytes, most);
		return t;
	}
	t.text = mote_cursor_take(c, (size_t)bytes, what);
	t.bytes = (uint32_t)bytes;
	if (!t.text)
		return (struct mote_gguf_text){"", 0};
	return t;
}

static void take_array(struct parsing *p, struct mote_gguf_value *v)
{
	struct mote_cursor *c = &p->c;
	uint32_t kind = mote_cursor_u32(c, "an array's element type");
	uint64_t count = mote_cursor_u64(c, "an array's length");

	if (c->status)
		return;
	if (kind == MOTE_GGUF_ARRAY) {
		(void)mote_cursor_fail(c, MOTE_ERROR_UNSUPPORTED,
				       "\"%.*s\": arrays in arrays", (int)v->key.bytes, v->key.text);
		return;
	}
	if (kind >= MOTE_GGUF_KINDS) {
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "\"%.*s\": element type %u", (int)v->key.bytes, v->key.text, kind);
		return;
	}
	v->array = true;
	v->kind = (enum mote_gguf_kind)kind;
	/* the least that an element takes: so a count is never larger than the file */
	if (count > p->file_bytes / (kind == MOTE_GGUF_STRING ? 8 : kind_bytes[kind]) || count > UINT32_MAX) {
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "\"%.*s\": %" PRIu64 " elements in a file of %" PRIu64 " bytes",
				 (int)v->key.bytes, v->key.text, count, p->file_bytes);
		return;
	}
	v->count = (uint32_t)count;
	v->data = c->data + c->at;
	if (kind != MOTE_GGUF_STRING) {
		mote_cursor_take(c, (size_t)count * kind_bytes[kind], "an array");
		return;
	}
	for (uint64_t i = 0; i < count && !c->status; i++)
		take_text(c, UINT32_MAX, "a string in an array");
}

static void take_value(struct parsing *p, struct mote_gguf_value *v)
{
	struct mote_cursor *c = &p->c;
	uint32_t kind;

	v->key = take_text(c, MAX_KEY, "a key");
	if (!c->status && (!v->key.bytes || !is_plain(v->key.text, v->key.bytes)))
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "a key that is empty or no plain UTF-8");
	kind = mote_cursor_u32(c, "a value's type");
	if (c->status)
		return;
	v->count = 1;
	v->kind = (enum mote_gguf_kind)kind;
	v->data = c->data + c->at;
	if (kind >= MOTE_GGUF_KINDS)
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "\"%.*s\": value type %u", (int)v->key.bytes, v->key.text, kind);
	else if (kind == MOTE_GGUF_ARRAY)
		take_array(p, v);
	else if (kind == MOTE_GGUF_STRING)
		take_text(c, UINT32_MAX, "a string");
	else
		mote_cursor_take(c, kind_bytes[kind], "a value");
}

static int compare_texts(const struct mote_gguf_text *a, const struct mote_gguf_text *b)
{
	int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);

	return order ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int by_key(const void *a, const void *b)
{
	return compare_texts(&((const struct mote_gguf_value *)a)->key, &((const struct mote_gguf_value *)b)->key);
}

int mote_gguf_by_name(const void *a, const void *b)
{
	return compare_texts(&((const struct mote_gguf_tensor *)a)->name, &((const struct mote_gguf_tensor *)b)->name);
}

static enum mote_status parse_values(struct parsing *p, uint64_t count)
{
	struct mote_gguf *g = p->out;
	struct mote_cursor *c = &p->c;

	if (count > MOTE_GGUF_MAX_KEYS || count > p->file_bytes / 13) /* a key of one byte with one of a value */
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "%" PRIu64 " key-values in a file of %" PRIu64
					" bytes; at most %u", count, p->file_bytes, MOTE_GGUF_MAX_KEYS);
	g->value = calloc((size_t)count + 1, sizeof *g->value);
	if (!g->value)
		return mote_cursor_fail(c, MOTE_ERROR_MEMORY, "out of memory");
	for (uint64_t i = 0; i < count && !c->status; i++)
		take_value(p, &g->value[i]);
	if (c->status)
		return c->status;
	g->values = (uint32_t)count;
	qsort(g->value, g->values, sizeof *g->value, by_key);
	for (uint32_t i = 1; i < g->values; i++)
		if (by_key(&g->value[i - 1], &g->value[i]) == 0)
			return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "duplicate key \"%.*s\"",
						(int)g->value[i].key.bytes, g->value[i].key.text);
	return MOTE_OK;
}

/* The offset is checked here for its own sake; where it lies among the others, later. */
static void take_tensor(struct parsing *p, struct mote_gguf_tensor *t)
{
	struct mote_cursor *c = &p->c;
	uint64_t elements = 1, row;
	uint32_t type;

	t->name = take_text(c, MAX_NAME, "a tensor's name");
	if (!c->status && (!t->name.bytes || !is_plain(t->name.text, t->name.bytes)))
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "a tensor's name that is empty or no plain UTF-8");
	t->rank = mote_cursor_u32(c, "a tensor's rank");
	if (!c->status && (t->rank == 0 || t->rank > MOTE_GGUF_MAX_RANK))
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "tensor \"%.*s\": %u dimensions; 1 to %u are possible",
				 (int)t->name.bytes, t->name.text, t->rank, MOTE_GGUF_MAX_RANK);
	for (uint32_t i = 0; i < t->rank && !c->status; i++) {
		uint64_t *n = &t->shape[t->rank - 1 - i]; /* the file has the innermost first */

		*n = mote_cursor_u64(c, "a tensor's dimension");
		if (!c->status && (*n == 0 || !mote_checked_multiply(elements, *n, &elements) || elements > INT64_MAX))
			(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
					       "tensor \"%.*s\": dimension %" PRIu64 " makes its size %s",
					 (int)t->name.bytes, t->name.text, *n, *n ? "overflow" : "zero");
	}
	type = mote_cursor_u32(c, "a tensor's type");
	t->offset = mote_cursor_u64(c, "a tensor's offset");
	if (c->status)
		return;
	t->type = mote_gguf_type_find(type);
	row = t->shape[t->rank - 1];
	if (!t->type) {
		(void)mote_cursor_fail(c, MOTE_ERROR_UNSUPPORTED,
				       "tensor \"%.*s\": type %u is not known", (int)t->name.bytes,
				 t->name.text, type);
		return;
	}
	if (row % t->type->elements)
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "tensor \"%.*s\": rows of %" PRIu64 " are no whole blocks of %s (%u)",
				 (int)t->name.bytes, t->name.text, row, t->type->name, t->type->elements);
	else if (!mote_checked_multiply(elements / t->type->elements, t->type->bytes, &t->bytes))
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "tensor \"%.*s\": its size overflows", (int)t->name.bytes, t->name.text);
}

static enum mote_status place_tensors(struct parsing *p)
{
	struct mote_gguf *g = p->out;
	struct mote_cursor *c = &p->c;
	uint64_t start = 0, at = 0, end = 0;

	if (!mote_checked_round_up(c->at, p->alignment, &start) || (start > p->file_bytes && g->tensors))
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
					"the file ends before its tensors' data begin (truncated?)");
	for (uint32_t i = 0; i < g->tensors; i++) {
		struct mote_gguf_tensor *t = &g->tensor[i];
		const int n = (int)t->name.bytes;

		if (t->offset != at)
			return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "tensor \"%.*s\": at data byte %" PRIu64
						", expected at %" PRIu64 " (behind the one before, a multiple of %u)",
						n, t->name.text, t->offset, at, p->alignment);
		if (at > p->file_bytes - start || t->bytes > p->file_bytes - start - at)
			return mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
						"tensor \"%.*s\": %" PRIu64 " bytes at byte %" PRIu64
						" of a file of %" PRIu64 " (truncated?)", n, t->name.text, t->bytes,
						start + at, p->file_bytes);
		t->offset = start + at;
		end = at + t->bytes;
		if (!mote_checked_round_up(end, p->alignment, &at))
			return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "tensor \"%.*s\": its end overflows", n,
						t->name.text);
	}
	if (g->tensors && p->file_bytes - start > at)
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "%" PRIu64 " bytes follow the last tensor, which ends "
					"at byte %" PRIu64, p->file_bytes - start - end, start + end);
	return MOTE_OK;
}

static enum mote_status parse_tensors(struct parsing *p, uint64_t count)
{
	struct mote_gguf *g = p->out;
	struct mote_cursor *c = &p->c;
	enum mote_status status;

	if (count > MOTE_GGUF_MAX_TENSORS || count > p->file_bytes / 33) /* a name of one byte, one dimension */
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "%" PRIu64 " tensors in a file of %" PRIu64 " bytes; "
					"at most %u", count, p->file_bytes, MOTE_GGUF_MAX_TENSORS);
	g->tensor = calloc((size_t)count + 1, sizeof *g->tensor);
	if (!g->tensor)
		return mote_cursor_fail(c, MOTE_ERROR_MEMORY, "out of memory");
	for (uint64_t i = 0; i < count && !c->status; i++)
		take_tensor(p, &g->tensor[i]);
	if (c->status)
		return c->status;
	g->tensors = (uint32_t)count;
	status = place_tensors(p);
	qsort(g->tensor, g->tensors, sizeof *g->tensor, mote_gguf_by_name);
	for (uint32_t i = 1; i < g->tensors && !status; i++)
		if (mote_gguf_by_name(&g->tensor[i - 1], &g->tensor[i]) == 0)
			status = mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "tensor \"%.*s\" is there twice",
						  (int)g->tensor[i].name.bytes, g->tensor[i].name.text);
	return status;
}

static enum mote_status parse(struct parsing *p, uint32_t *part, uint32_t *parts)
{
	struct mote_cursor *c = &p->c;
	const char *magic = mote_cursor_take(c, 4, "the magic number");
	uint32_t version = mote_cursor_u32(c, "the version");
	enum mote_status status;
	uint64_t tensors, values;

	if (!c->status && memcmp(magic, "GGUF", 4))
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "no GGUF file (it does not begin with \"GGUF\")");
	if (!c->status && (version & 0xffff) == 0 && version)
		return mote_cursor_fail(c, MOTE_ERROR_UNSUPPORTED, "a big-endian GGUF file");
	if (!c->status && version != 2 && version != 3)
		return mote_cursor_fail(c, MOTE_ERROR_UNSUPPORTED, "GGUF version %u; 2 and 3 are read", version);
	tensors = mote_cursor_u64(c, "the number of tensors");
	values = mote_cursor_u64(c, "the number of key-values");
	if ((status = c->status) || (status = parse_values(p, values)) ||
	    (status = mote_gguf_want_u32(p->out, "general.alignment", 32, &p->alignment, c->error)) ||
	    (status = mote_gguf_want_u32(p->out, "split.no", 0, part, c->error)) ||
	    (status = mote_gguf_want_u32(p->out, "split.count", 0, parts, c->error)))
		return status;
	if (!p->alignment || p->alignment & (p->alignment - 1) || p->alignment > MAX_ALIGNMENT)
		return mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "\"general.alignment\" is %u; expected a power of two "
					"up to %u", p->alignment, MAX_ALIGNMENT);
	return parse_tensors(p, tensors);
}

enum mote_status mote_gguf_parse(const uint8_t *head, size_t head_bytes, uint64_t file_bytes, const char *name,
				 struct mote_gguf *out, bool *more, uint32_t *part, uint32_t *parts,
				 struct mote_error *error)
{
	struct mote_error own = {0};
	struct parsing p = {.c = mote_cursor(head, head_bytes, 0, name, &own), .out = out, .file_bytes = file_bytes};
	enum mote_status status = parse(&p, part, parts);

	/* a cut head fails where the next field would begin: more of the file may mend it */
	*more = p.c.cut && head_bytes < file_bytes;
	if (status) {
		free(out->value);
		free(out->tensor);
		*out = (struct mote_gguf){.name = out->name, .header = out->header, .parts = out->parts};
		(void)mote_error_set(error, status, "%s", own.message);
	}
	return status;
}
