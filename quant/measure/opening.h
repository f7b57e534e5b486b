/* What a text that a model writes itself begins with: its chat template's text up to where the user speaks, or a start
 * of plain text.
 */
#ifndef MOTE_QUANT_OPENING_H
#define MOTE_QUANT_OPENING_H

#include "format/container.h"
#include "runtime/chat/chat.h"
#include "runtime/model/model.h"
#include "runtime/tokenizer/tokenizer.h"

/* Free ids with mote_ids_free(), whatever was returned. */
struct mote_opening {
	bool chat;           /* ids are the template's text up to where the user speaks */
	bool bos;            /* the tokenizer puts a bos before any text */
	struct mote_ids ids; /* at least one; without chat what the tokenizer puts before any text, else bos,
			      * else eos */
};

/* A template that does not take a plain user message, or leaves no room in a context of so many tokens, is treated like
 * none. MOTE_ERROR_UNSUPPORTED: nothing to start from. MOTE_ERROR_MEMORY, and what a template may return. */
enum mote_status mote_opening_find(const struct mote_model *m, const struct mote_tokenizer *tokenizer, uint32_t context,
				   struct mote_opening *out, struct mote_error *error) MOTE_CHECKED;

/* A token of the vocabulary that is no control token: the one with the id random modulo the vocabulary's size, or
 * the next that has a text; -1 when there is none. */
int32_t mote_opening_word(const struct mote_model *m, const struct mote_tokenizer *tokenizer, uint64_t random);

/* Renders a conversation of one message, the user's. */
enum mote_status mote_opening_render_user(const cJSON *metadata, const char *content, struct mote_rendered *out,
					  struct mote_error *error) MOTE_CHECKED;

#endif
