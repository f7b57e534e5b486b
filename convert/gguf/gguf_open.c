/* A GGUF file and its parts: see gguf_read.h. As much of each is read as its header turns out to need. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_read.h"

#define FIRST_READ ((size_t)1 << 20)  /* most headers are larger or end here; then twice as much is read */

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
	if (other->tensors)
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
	qsort(g->tensor, g->tensors, sizeof *g->tensor, mote_gguf_by_name);
	for (uint32_t i = 1; i < g->tensors; i++)
		if (mote_gguf_by_name(&g->tensor[i - 1], &g->tensor[i]) == 0)
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
	free(g->value);
	free(g->tensor);
	for (uint32_t i = 0; i < g->parts; i++)
		free(g->header[i]);
	free(g->header);
	free(g->name);
	*g = (struct mote_gguf){0};
}
