/* The vocabulary: questions about it, and what opening builds beside the section: the table of single characters, by
 * which the models begin, and facts that encoding wants to know beforehand, all small next to the vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "runtime/tokenizer/tokenizer_internal.h"

static enum mote_status out_of_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a tokenizer");
}

int32_t mote_tokenizer_char_id(const struct mote_tokenizer *t, uint32_t c)
{
	if (c < 512)
		return t->char_id[c];
	return t->far_page[c >> 8] ? t->far_id[(t->far_page[c >> 8] - 1u) * (size_t)256 + (c & 255)] : -1;
}

static void set_char(struct mote_tokenizer *t, uint32_t c, uint32_t id)
{
	if (c < 512)
		t->char_id[c] = (int32_t)id;
	else
		t->far_id[(t->far_page[c >> 8] - 1u) * (size_t)256 + (c & 255)] = (int32_t)id;
}

/* Pages for the single characters among the texts: at most 4.4 MB, and no choice of characters makes a look-up slow. */
static enum mote_status make_pages(struct mote_tokenizer *t, struct mote_error *error)
{
	size_t bytes, length, pages = 0;

	for (uint32_t id = 0; id < t->n_ids; id++) {
		const char *text = token_text(t, id, &bytes);

		if (bytes > 1 && bytes <= 4 && mote_utf8_length(text[0]) == bytes)
			t->far_page[mote_utf8_decode(text, &length) >> 8] = 1;
	}
	for (size_t i = 0; i < sizeof t->far_page / sizeof *t->far_page; i++)
		if (t->far_page[i])
			t->far_page[i] = (uint16_t)++pages;
	t->far_id = malloc((pages + 1) * 256 * sizeof *t->far_id);
	if (!t->far_id)
		return out_of_memory(error);
	memset(t->far_id, 0xff, (pages + 1) * 256 * sizeof *t->far_id);
	return MOTE_OK;
}

/* The models' own tokens of one character, and of one byte. */
static enum mote_status build_chars(struct mote_tokenizer *t, const uint64_t *foreign, struct mote_error *error)
{
	enum mote_status status = make_pages(t, error);
	size_t bytes, length;

	if (status)
		return status;
	memset(t->char_id, 0xff, sizeof t->char_id);
	memset(t->byte_id, 0xff, sizeof t->byte_id);
	for (uint32_t id = 0; id < t->n_ids; id++) {
		const char *text = token_text(t, id, &bytes);

		if (foreign[id / 64] >> (id % 64) & 1)
			continue;
		if (bytes && bytes <= 4 && mote_utf8_length(text[0]) == bytes)
			set_char(t, mote_utf8_decode(text, &length), id);
		if (t->model_flags & MODEL_BYTE_FALLBACK && bytes == 6 && text[0] == '<') {
			static const char hex[] = "0123456789ABCDEF";
			const char *high = memchr(hex, text[3], 16), *low = memchr(hex, text[4], 16);

			if (high && low && !memcmp(text, "<0x", 3) && text[5] == '>')
				t->byte_id[(high - hex) * 16 + (low - hex)] = (int32_t)id;
		}
	}
	return MOTE_OK;
}

/* True when U+2581 is a token and in every token comes only at the start (or behind another of its kind), and nothing
 * is dropped: behind what is, two of its kind may merge. */
static bool can_cut_at_space(const struct mote_tokenizer *t)
{
	size_t bytes;

	for (int byte = 0; byte < 256; byte++)
		if (t->unk == MOTE_TOKENIZER_NONE && t->byte_id[byte] < 0)
			return false;
	if (t->model != MODEL_BPE || t->byte_level || t->prefix_bytes || t->suffix_bytes ||
	    t->model_flags & MODEL_IGNORE_MERGES || mote_tokenizer_char_id(t, 0x2581) < 0)
		return false;
	for (uint32_t id = 0; id < t->n_ids; id++) {
		const char *text = token_text(t, id, &bytes), *stop = text + bytes;
		bool may = true;

		for (; text < stop; text += mote_utf8_length(*text)) {
			bool meta = stop - text >= 3 && !memcmp(text, "\xe2\x96\x81", 3);

			if (meta && !may)
				return false;
			may = meta;
		}
	}
	return true;
}

enum mote_status mote_tokenizer_build(struct mote_tokenizer *t, struct mote_error *error)
{
	uint64_t *foreign = calloc(t->n_ids / 64 + 1, sizeof *foreign); /* ids that the model does not know */
	enum mote_status status;

	if (!foreign)
		return out_of_memory(error);
	for (uint32_t i = 0; i < t->phase_begin[PHASES]; i++)
		if (t->added[i].flags & ADDED_NOT_IN_MODEL)
			foreign[t->added[i].id / 64] |= UINT64_C(1) << (t->added[i].id % 64);
	status = build_chars(t, foreign, error);
	free(foreign);
	if (status)
		return status;
	t->cut_at_space = can_cut_at_space(t);
	for (unsigned byte = 0; byte < 256; byte++)
		t->symbol[byte] = mote_tokenizer_char_id(t, mote_tokenizer_byte_to_char((uint8_t)byte));
	t->plain_bytes = t->byte_level && t->model == MODEL_BPE && !t->prefix_bytes && !t->suffix_bytes &&
			 t->unk == MOTE_TOKENIZER_NONE &&
			 !(t->model_flags & (MODEL_IGNORE_MERGES | MODEL_BYTE_FALLBACK));
	return MOTE_OK;
}

uint32_t mote_tokenizer_vocab_size(const struct mote_tokenizer *t)
{
	return t->n_ids;
}

int32_t mote_tokenizer_find(const struct mote_tokenizer *t, const char *text, size_t bytes)
{
	size_t found;

	for (uint32_t id = 0; id < t->n_ids && bytes; id++) {
		const char *spelled = token_text(t, id, &found);

		if (found == bytes && !memcmp(spelled, text, bytes))
			return (int32_t)id;
	}
	return -1;
}

const char *mote_tokenizer_token(const struct mote_tokenizer *t, int32_t id, size_t *bytes)
{
	*bytes = 0;
	return id >= 0 && (uint32_t)id < t->n_ids ? token_text(t, (uint32_t)id, bytes) : NULL;
}

bool mote_tokenizer_is_special(const struct mote_tokenizer *t, int32_t id)
{
	return id >= 0 && (uint32_t)id < t->n_ids && id_is_special(t, (uint32_t)id);
}
