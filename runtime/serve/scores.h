/* Log-probabilities of tokens in OpenAI's two forms. */
#ifndef MOTE_RUNTIME_SERVE_SCORES_H
#define MOTE_RUNTIME_SERVE_SCORES_H

#include "runtime/serve/reply.h"

/* Of chats: a list of {"token", "logprob", "bytes", "top_logprobs"}. */
void mote_scores_add_chat(struct mote_json_builder *b, cJSON *object, const struct mote_reply *r,
			  const struct mote_scored *scored, size_t n);

/* Of completions: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}; the answer's follow the
 * prompt's, if those were asked for. *offset counts characters and goes on. */
void mote_scores_add_completion(struct mote_json_builder *b, cJSON *object, const struct mote_reply *r,
				const struct mote_scored *scored, size_t n, size_t *offset);

#endif
