/* What one call of encode() owns: see encode_state.h. */
#include "runtime/tokenizer/encode_state.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/regex.h"

void mote_tokenizer_run_fail(struct run *r, enum mote_status status, const char *what)
{
	if (r->status)
		return;
	r->status = status;
	if (status == MOTE_ERROR_MEMORY)
		(void)mote_error_set(r->error, status, "encoding: no memory for %s", what);
	else
		(void)mote_error_set(r->error, status, "encoding: limit reached by %s", what);
}

void mote_tokenizer_text_add(struct run *r, struct text *text, const char *bytes, size_t count, uint8_t mark)
{
	if (count > r->left) {
		mote_tokenizer_run_fail(r, MOTE_ERROR_LIMIT, "text that the tokenizer's steps lengthen");
		return;
	}
	r->left -= count;
	if (text->room - text->size < count || !text->data) {
		size_t room = text->room * 2 > text->size + count ? text->room * 2 : text->size + count + 64;
		char *data = realloc(text->data, room);
		uint8_t *marks = r->marked ? realloc(text->mark, room) : NULL;

		text->data = data ? data : text->data;
		text->mark = marks ? marks : text->mark;
		if (!data || (r->marked && !marks)) {
			mote_tokenizer_run_fail(r, MOTE_ERROR_MEMORY, "text");
			return;
		}
		text->room = room;
	}
	memcpy(text->data + text->size, bytes, count);
	if (r->marked)
		memset(text->mark + text->size, mark, count);
	text->size += count;
}

void mote_tokenizer_text_free(struct text *text)
{
	free(text->data);
	free(text->mark);
	memset(text, 0, sizeof *text);
}

bool mote_tokenizer_ids_reserve(struct mote_ids *ids, size_t more)
{
	size_t wanted = ids->count + more, capacity = ids->capacity ? ids->capacity : 256;
	int32_t *grown;

	if (wanted <= ids->capacity)
		return true;
	while (capacity < wanted)
		capacity *= 2;
	grown = realloc(ids->id, capacity * sizeof *grown);
	if (!grown)
		return false;
	ids->id = grown;
	ids->capacity = capacity;
	return true;
}

void mote_ids_free(struct mote_ids *ids)
{
	free(ids->id);
	memset(ids, 0, sizeof *ids);
}

void mote_tokenizer_run_close(struct run *r)
{
	mote_tokenizer_text_free(&r->repaired);
	mote_tokenizer_text_free(&r->mapped);
	for (int i = 0; i < 2; i++)
		mote_tokenizer_text_free(&r->normal[i]);
	for (uint32_t i = 0; i < MOTE_TOKENIZER_MAX_STEPS; i++)
		mote_tokenizer_text_free(&r->buffer[i]);
	free(r->unit);
	free(r->cache);
	mote_tokenizer_regex_scratch_free(r->regex);
	mote_tokenizer_bpe_free(r->bpe);
	mote_tokenizer_unigram_free(r->unigram);
}
