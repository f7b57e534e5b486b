/* An answer: samples token after token, turns them into text, and splits reasoning from answer, until the model
 * ends it or a limit is reached.
 */
#ifndef MOTE_RUNTIME_ANSWER_H
#define MOTE_RUNTIME_ANSWER_H

#include "format/json.h"
#include "runtime/generate/context.h"
#include "runtime/chat/reasoning.h"
#include "runtime/generate/sampler.h"
#include "runtime/tokenizer/tokenizer.h"

enum mote_finish {
	MOTE_FINISH_STOP,        /* the model ended it */
	MOTE_FINISH_LENGTH,      /* as many tokens as asked for, or the context is full */
	MOTE_FINISH_INTERRUPTED  /* proceed() said so */
};

struct mote_answer_job {
	const struct mote_config *config;      /* for its ends */
	const struct mote_tokenizer *tokenizer;
	struct mote_sampler *sampler;
	struct mote_context *context;          /* holds the prompt */
	const struct mote_ids *prompt;
	const float *logits;                   /* of the prompt's last token */
	uint32_t most_tokens;                  /* 0: no limit */
	bool continues_text;                   /* the prompt is text to go on with, not a message to answer */
	bool (*proceed)(void);                 /* asked before each token; may be NULL */
	/* Each piece of text as it comes, whole UTF-8 characters, ANSWER or REASONING; may be NULL. */
	void (*show)(void *user, enum mote_reasoning_part part, const char *text, size_t bytes);
	void *user;
};

/* Zero-initialize; free with mote_answer_free(). Texts are NUL-terminated, or NULL when empty. */
struct mote_answer {
	struct mote_ids ids;                   /* all that was sampled, markers and the end token included */
	char *text, *reasoning;
	size_t text_bytes, reasoning_bytes;
	size_t text_room, reasoning_room;
	enum mote_finish finish;
};

/* Special tokens leave no text; white space that follows a marker of reasoning is dropped, it only separates.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_answer_generate(const struct mote_answer_job *job, struct mote_answer *answer,
				      struct mote_error *error);
void mote_answer_free(struct mote_answer *answer);

/* A new object: text, reasoning, ids, prompt_ids, finish_reason. White space at the end of the reasoning, which only
 * separates it from </think>, goes. What there is no memory for is missing; NULL without any. */
cJSON *mote_answer_json(struct mote_answer *answer, const struct mote_ids *prompt);

/* "stop", "length", "interrupted" */
const char *mote_finish_name(enum mote_finish finish);

#endif
