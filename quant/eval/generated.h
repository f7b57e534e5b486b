/* Greedy answers to the items of a task, many side by side. */
#ifndef MOTE_QUANT_GENERATED_H
#define MOTE_QUANT_GENERATED_H

#include "quant/eval/request.h"
#include "runtime/model/model.h"

/* Both texts end before the first of the task's texts that end an answer. */
struct mote_generated {
	char *raw;       /* all that was written, special tokens left out,
			  * so that <think> vanishes and the thought stays */
	char *stripped;  /* without the reasoning, by the tags' ids */
	uint32_t tokens;
};
void mote_generated_free(struct mote_generated *g, uint32_t n);

struct mote_generate_options {
	const struct mote_tokenizer *tokenizer;
	bool chat;
	uint32_t most_tokens;  /* 0: the row's */
	uint32_t threads;
};

/* requests [n], of one request each; out [n], zero before. MOTE_ERROR_INTERRUPTED, MOTE_ERROR_MEMORY,
 * MOTE_ERROR_CORRUPT: a logit is not a number. The KV cache is f32. */
enum mote_status mote_generate_answers(const struct mote_model *m, const struct mote_task *task,
				       const struct mote_requests *requests, uint32_t n,
				       const struct mote_generate_options *options,
				       const struct mote_progress *progress, struct mote_generated *out,
				       struct mote_error *error) MOTE_CHECKED;

#endif
