/* What a chat template shows of how its model speaks: the token that ends a turn, and the tags around reasoning. */
#ifndef MOTE_CONVERT_HF_CHAT_H
#define MOTE_CONVERT_HF_CHAT_H

#include "format/json.h"
#include "runtime/tokenizer/tokenizer.h"

/* *id is the special token that template (the default one, or NULL) writes right behind an assistant's message, or -1:
 * it was rendered with one. variables: bos_token and so on, an object. Templates that do not render so have none.
 * MOTE_ERROR_MEMORY: it is not known. */
enum mote_status mote_hf_turn_end(const char *template, const cJSON *variables, const struct mote_tokenizer *tokenizer,
				  int32_t *id, struct mote_error *error);

/* The tags around reasoning: those that the template names, else those that the tokenizer has as tokens.
 * False: there are none. */
bool mote_hf_reasoning_tags(const char *template, const struct mote_tokenizer *tokenizer, const char **open,
			    const char **close);

#endif
