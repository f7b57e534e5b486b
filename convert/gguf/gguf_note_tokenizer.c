/* What llama.cpp reads otherwise of a tokenizer that GGUF has words for: see gguf_put.h. */
#include <string.h>

#include "convert/gguf/gguf_put.h"

/* Of added tokens of one kind: how many, and the first. */
struct found {
	uint32_t tokens, bytes;
	const char *text;
};

static void count(struct found *f, const char *text, uint32_t bytes)
{
	if (f->tokens++)
		return;
	f->text = text;
	f->bytes = bytes < 60 ? bytes : 60;
}

static enum mote_status note(const struct found *f, const char *what, struct mote_notes *notes,
			     struct mote_error *error)
{
	return !f->tokens ? MOTE_OK :
	       mote_notes_add(notes, error, "tokenizer: %u added tokens (\"%.*s\" is the first) %s; llama.cpp finds "
			      "them anywhere and alone: a text beside them can be other tokens there", f->tokens,
			      (int)f->bytes, f->text, what);
}

enum mote_status mote_gguf_note_tokenizer(const struct mote_tokenizer_parts *t, struct mote_notes *notes,
					  struct mote_error *error)
{
	struct found beside = {0}, normalized = {0};
	enum mote_status status;
	uint32_t n, bytes, first = mote_tokenizer_parts_stage(t, STAGE_NORMALIZE, &n);

	for (uint32_t i = 0; i < t->n_added; i++) {
		const struct tokenizer_added *a = &t->added[i];
		const char *text = mote_tokenizer_parts_text(t, a->id, &bytes);

		if (a->flags & (ADDED_SINGLE_WORD | ADDED_LSTRIP | ADDED_RSTRIP))
			count(&beside, text, bytes);
		if (a->flags >> ADDED_PHASE_SHIFT == PHASE_NORMALIZED &&
		    (a->bytes != bytes || memcmp(mote_tokenizer_parts_string(t, a->offset), text, bytes)))
			count(&normalized, text, bytes);
	}
	status = note(&beside, "take white space beside them along, or are words of their own only", notes, error);
	if (!status)
		status = note(&normalized, "are looked for as the normalizer writes them, behind a space, say", notes,
			      error);
	for (uint32_t i = first; i < first + n && !status; i++)
		if (t->step[i].kind == NORMALIZE_NFC)
			status = mote_notes_add(notes, error, "tokenizer: text that is not in Unicode's normal form C "
						"can be other tokens in llama.cpp, which does not normalize");
	return status;
}
