/* Merges from scores: see gguf_merges.h. */
#include "convert/gguf/gguf_merges.h"

#include <stdlib.h>
#include <string.h>

#include "convert/source.h"
#include "format/utf8.h"

#define MAX_MERGES ((size_t)1 << 21)
#define MAX_TOKEN_BYTES 1024u /* longer ones are no words: nothing merges to them */

struct merge {
	float score;
	uint32_t left_length, right_length; /* characters */
	uint32_t token, left, right;
};

struct list {
	struct merge *merge;
	size_t merges, room;
};

struct entry {
	struct mote_gguf_text text;
	uint32_t id;
};

static int compare_texts(const struct mote_gguf_text *a, const struct mote_gguf_text *b)
{
	int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);

	return order ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int by_text(const void *a, const void *b)
{
	return compare_texts(&((const struct entry *)a)->text, &((const struct entry *)b)->text);
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int by_order(const void *a, const void *b)
{
	const struct merge *x = a, *y = b;
	int order;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if ((order = compare_numbers(y->left_length, x->left_length)) ||
	    (order = compare_numbers(y->right_length, x->right_length)) ||
	    (order = compare_numbers(x->token, y->token)) || (order = compare_numbers(x->left, y->left)))
		return order;
	return compare_numbers(x->right, y->right);
}

static uint32_t characters(const char *text, size_t bytes)
{
	uint32_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += !mote_utf8_continues(text[i]);
	return n;
}

static bool is_word(const struct mote_gguf_vocabulary *v, uint32_t id)
{
	return v->type[id] == MOTE_GGUF_TOKEN_NORMAL || v->type[id] == MOTE_GGUF_TOKEN_USER_DEFINED;
}

static const struct entry *find(const struct entry *index, uint32_t entries, const char *text, size_t bytes)
{
	const struct entry key = {{text, (uint32_t)bytes}, 0};

	return bsearch(&key, index, entries, sizeof *index, by_text);
}

/* Every way to cut the token into two others. False when memory is gone. */
static bool cut(struct list *l, const struct mote_gguf_vocabulary *v, const struct entry *index, uint32_t entries,
		uint32_t token)
{
	const struct mote_gguf_text t = v->token[token];

	for (uint32_t at = 1; at < t.bytes && t.bytes <= MAX_TOKEN_BYTES; at++) {
		const struct entry *left, *right;

		if (mote_utf8_continues(t.text[at]) || !(left = find(index, entries, t.text, at)) ||
		    !(right = find(index, entries, t.text + at, t.bytes - at)))
			continue;
		if (l->merges == l->room) {
			size_t room = l->room ? l->room * 2 : 4096;
			struct merge *grown = realloc(l->merge, room * sizeof *grown);

			if (!grown)
				return false;
			l->merge = grown;
			l->room = room;
		}
		l->merge[l->merges++] = (struct merge){ v->score[token], characters(t.text, at),
							characters(t.text + at, t.bytes - at),
							token, left->id, right->id };
		if (l->merges > MAX_MERGES)
			return true;
	}
	return true;
}

static enum mote_status find_all(struct list *l, const struct mote_gguf_vocabulary *v, struct mote_error *error)
{
	struct entry *index = malloc((v->tokens + (size_t)1) * sizeof *index);
	uint32_t entries = 0;
	bool memory = index != NULL;

	for (uint32_t i = 0; i < v->tokens && memory; i++)
		if (is_word(v, i))
			index[entries++] = (struct entry){v->token[i], i};
	if (memory)
		qsort(index, entries, sizeof *index, by_text);
	for (uint32_t i = 0; i < v->tokens && memory && l->merges <= MAX_MERGES; i++)
		if (is_word(v, i))
			memory = cut(l, v, index, entries, i);
	free(index);
	if (!memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	if (l->merges > MAX_MERGES)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "the vocabulary has more than %zu merges", MAX_MERGES);
	return MOTE_OK;
}

enum mote_status mote_gguf_merges_write(struct mote_text_buffer *b, const struct mote_gguf_vocabulary *v,
					struct mote_error *error)
{
	struct list l = {0};
	enum mote_status status = find_all(&l, v, error);

	if (!status && l.merges)
		qsort(l.merge, l.merges, sizeof *l.merge, by_order);
	for (size_t i = 0; i < l.merges && !status; i++) {
		const struct mote_gguf_text *x = &v->token[l.merge[i].left], *y = &v->token[l.merge[i].right];

		mote_text_buffer_add(b, i ? ",[" : "[", i ? 2 : 1);
		mote_text_buffer_quote(b, x->text, x->bytes);
		mote_text_buffer_add(b, ",", 1);
		mote_text_buffer_quote(b, y->text, y->bytes);
		mote_text_buffer_add(b, "]", 1);
		if (b->bytes > MOTE_SOURCE_MAX_TOKENIZER_BYTES) /* a few long tokens have very many long merges */
			status = mote_error_set(error, MOTE_ERROR_LIMIT, "the vocabulary's merges are more than %zu "
						"bytes of JSON", MOTE_SOURCE_MAX_TOKENIZER_BYTES);
	}
	free(l.merge);
	return status;
}

enum mote_status mote_gguf_merges_count(const struct mote_gguf_vocabulary *v, uint32_t *count, struct mote_error *error)
{
	struct list l = {0};
	enum mote_status status = find_all(&l, v, error);

	*count = (uint32_t)l.merges;
	free(l.merge);
	return status;
}
