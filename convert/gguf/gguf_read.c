/* GGUF headers: see gguf_read.h. */
#include "convert/gguf/gguf_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/cursor.h"
#include "format/utf8.h"

#define FIRST_READ ((size_t)1 << 20)  /* most headers are larger or end here; then twice as much is read */
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

static int by_name(const void *a, const void *b)
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
	qsort(g->tensor, g->tensors, sizeof *g->tensor, by_name);
	for (uint32_t i = 1; i < g->tensors && !status; i++)
		if (by_name(&g->tensor[i - 1], &g->tensor[i]) == 0)
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

static void free_tables(struct mote_gguf *g)
{
	free(g->value);
	free(g->tensor);
	g->value = NULL;
	g->tensor = NULL;
	g->values = g->tensors = 0;
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
		free_tables(out);
		(void)mote_error_set(error, status, "%s", own.message);
	}
	return status;
}

/* Reads as much of the file as its header turns out to need. */
static enum mote_status open_part(struct mote_source *source, const char *name, struct mote_gguf *g, uint32_t *part,
				  uint32_t *parts, struct mote_error *error)
{
	struct mote_error own = {0};
	enum mote_status status;
	uint64_t n = FIRST_READ;
	uint8_t *head = NULL;
	bool more = false;
	uint32_t file;

	status = mote_source_open_file(source, name, &file, error);
	if (status)
		return status;
	do {
		const struct mote_source_file *f = &source->file[file];

		free(head);
		n = n < f->bytes ? n : f->bytes;
		own = (struct mote_error){0};
		head = malloc((size_t)n + 1);
		if (!head)
			status = mote_error_set(&own, MOTE_ERROR_MEMORY, "%s: out of memory", name);
		else if (!(status = mote_source_read_at(f, 0, head, (size_t)n, &own)))
			status = mote_gguf_parse(head, (size_t)n, f->bytes, name, g, &more, part, parts, &own);
		n *= 2;
	} while (status && more && n / 2 < MOTE_GGUF_MAX_HEADER_BYTES);
	if (status && more)
		status = mote_error_set(error, MOTE_ERROR_LIMIT,
					"%s: key-values and tensor infos of more than %" PRIu64 " bytes",
					name, MOTE_GGUF_MAX_HEADER_BYTES);
	else if (status)
		(void)mote_error_set(error, status, "%s", own.message);
	for (uint32_t i = 0; i < g->tensors; i++)
		g->tensor[i].file = file;
	if (status) {
		free(head);
		return status;
	}
	g->header[g->parts++] = head;
	return MOTE_OK;
}

/* "NAME-00002-of-00003.gguf" of the first part's name; NULL when that has not this form, or memory is gone. */
static char *part_name(const char *first, uint32_t part, uint32_t parts)
{
	char tail[32];
	size_t n = strlen(first), m = (size_t)snprintf(tail, sizeof tail, "-00001-of-%05u.gguf", parts);
	char *name;

	if (n < m || strcmp(first + n - m, tail))
		return NULL;
	name = strdup(first);
	if (name) {
		snprintf(tail, sizeof tail, "-%05u-of-%05u.gguf", part + 1, parts);
		memcpy(name + n - m, tail, m);
	}
	return name;
}

static enum mote_status add_part(struct mote_gguf *g, struct mote_gguf *other, struct mote_error *error)
{
	struct mote_gguf_tensor *grown =
		realloc(g->tensor, (g->tensors + (size_t)other->tensors + 1) * sizeof *grown);

	if (!grown)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	g->tensor = grown;
	memcpy(grown + g->tensors, other->tensor, other->tensors * sizeof *grown);
	g->tensors += other->tensors;
	g->header[g->parts++] = other->header[0];
	other->parts = 0;
	return MOTE_OK;
}

static enum mote_status open_other_part(struct mote_source *source, struct mote_gguf *g, uint32_t expected,
					uint32_t parts, struct mote_error *error)
{
	struct mote_gguf other = {.header = calloc(1, sizeof *other.header)};
	char *name = part_name(g->name, expected, parts);
	uint32_t part = 0, n = 0;
	enum mote_status status;

	if (!other.header)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	else if (!name)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT,
					"%s is the first of %u parts; its name does not end in "
					"\"-00001-of-%05u.gguf\"", g->name, parts, parts);
	else
		status = open_part(source, name, &other, &part, &n, error);
	if (!status && (part != expected || n != parts))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: it is part %u of %u by its own count", name,
					part + 1, n);
	if (!status)
		status = add_part(g, &other, error);
	mote_gguf_close(&other);
	free(name);
	return status;
}

static enum mote_status open_all(struct mote_source *source, const char *name, struct mote_gguf *g,
				 struct mote_error *error)
{
	uint32_t part = 0, parts = 0;
	enum mote_status status;

	g->name = strdup(name);
	g->header = calloc(MOTE_GGUF_MAX_PARTS, sizeof *g->header);
	if (!g->name || !g->header)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", name);
	status = open_part(source, name, g, &part, &parts, error);
	if (!status && part)
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"%s is part %u of %u of a split model: give the first "
					"(-00001-of-%05u.gguf)", name, part + 1, parts, parts);
	if (!status && parts > MOTE_GGUF_MAX_PARTS)
		status = mote_error_set(error, MOTE_ERROR_LIMIT, "%s: %u parts; at most %u", name, parts,
					MOTE_GGUF_MAX_PARTS);
	for (uint32_t i = 1; i < parts && !status; i++)
		status = open_other_part(source, g, i, parts, error);
	if (status)
		return status;
	qsort(g->tensor, g->tensors, sizeof *g->tensor, by_name);
	for (uint32_t i = 1; i < g->tensors; i++)
		if (by_name(&g->tensor[i - 1], &g->tensor[i]) == 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: tensor \"%.*s\" is in two parts", name,
					      (int)g->tensor[i].name.bytes, g->tensor[i].name.text);
	return MOTE_OK;
}

enum mote_status mote_gguf_open(struct mote_source *source, const char *name, struct mote_gguf *out,
				struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_gguf){0};
	status = open_all(source, name, out, error);
	if (status)
		mote_gguf_close(out);
	return status;
}

void mote_gguf_close(struct mote_gguf *g)
{
	free_tables(g);
	for (uint32_t i = 0; i < g->parts; i++)
		free(g->header[i]);
	free(g->header);
	free(g->name);
	*g = (struct mote_gguf){0};
}
