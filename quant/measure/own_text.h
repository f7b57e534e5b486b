/* Text that a model writes itself, for measuring or calibrating where the user has none. */
#ifndef MOTE_QUANT_OWN_TEXT_H
#define MOTE_QUANT_OWN_TEXT_H

#include "quant/measure/text.h"
#include "runtime/model/model.h"

struct mote_own_text_options {
	uint64_t seed;
	uint32_t min_tokens;
	/* Every second document is plain text that goes on from a word of the vocabulary drawn at random, as in LLM-QAT
	 * (Liu et al. 2023): what is fitted to the text shall hold for more than what the model says most. */
	bool varied;
	uint32_t threads;                     /* 0: physical cores */
	const struct mote_progress *progress; /* in tokens; or NULL */
};

/* Lets m write about min_tokens tokens itself, at temperature 1 over the whole vocabulary. With a chat
 * template it also invents the user's turns: it continues the rendered template from where the user
 * speaks, and then answers (the method of Magpie, Xu et al. 2024); without one, it continues bos. A
 * document depends on (model, seed, its number, varied) alone; documents are concatenated in order of number.
 * Same text on any machine. MOTE_ERROR_UNSUPPORTED: the container has no tokenizer, or the model has
 * nothing to start from. */
enum mote_status mote_text_generate(const struct mote_model *m, const struct mote_own_text_options *options,
				    struct mote_text *out, struct mote_error *error) MOTE_CHECKED;

#endif
