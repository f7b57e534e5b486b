/* Text that a model writes itself, for measuring or calibrating where the user has none. */
#ifndef MOTE_QUANT_OWN_TEXT_H
#define MOTE_QUANT_OWN_TEXT_H

#include "quant/measure/text.h"
#include "runtime/model/model.h"

/* Lets m write about min_tokens tokens itself, at temperature 1 over the whole vocabulary. With a chat
 * template it also invents the user's turns: it continues the rendered template from where the user
 * speaks, and then answers (the method of Magpie, Xu et al. 2024); without one, it continues bos. A
 * document depends on (model, seed, its number) alone; documents are concatenated in order of number.
 * Same text on any machine. MOTE_ERROR_UNSUPPORTED: the container has no tokenizer, or the model has
 * nothing to start from. */
enum mote_status mote_text_generate(const struct mote_model *m, uint64_t seed, uint32_t min_tokens, uint32_t threads,
				    const struct mote_progress *progress, struct mote_text *out,
				    struct mote_error *error) MOTE_CHECKED;

#endif
