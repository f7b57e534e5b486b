/* An answer: samples token after token, turns them into text, and splits reasoning from answer, until the model
 * ends it or a limit is reached. It owns no loop: mote_answer_take() advances it by one row of logits, whoever computes
 * that; a scheduler computes it for many answers at once.
 */
#ifndef MOTE_RUNTIME_ANSWER_H
#define MOTE_RUNTIME_ANSWER_H

#include "format/json_build.h"
#include "runtime/chat/reasoning.h"
#include "runtime/generate/constraint.h"
#include "runtime/generate/sampler.h"
#include "runtime/generate/scheduler.h"
#include "runtime/tokenizer/tokenizer.h"

enum mote_finish {
	MOTE_FINISH_INTERRUPTED, /* it has not come to its end */
	MOTE_FINISH_STOP,        /* the model ended it, or its grammar has come to its end */
	MOTE_FINISH_LENGTH       /* as many tokens as asked for, or the context is full */
};

/* All borrowed until mote_answer_end(). */
struct mote_answer_options {
	const struct mote_config *config;      /* for its ends */
	const struct mote_tokenizer *tokenizer;
	const cJSON *metadata;                 /* for the tags of its reasoning; NULL: <think> and </think> */
	struct mote_sampler *sampler;          /* of this answer alone */
	const struct mote_ids *prompt;         /* what it answers */
	uint32_t context_tokens;               /* of the session, the prompt included; 0: no limit */
	uint32_t most_tokens;                  /* 0: no limit */
	bool continues_text;                   /* the prompt is text to go on with, not a message to answer */
	bool one_text;                         /* reasoning is text as any other, its tags too */
	bool reasoning_open;                   /* the prompt ends inside reasoning: mote_chat_encode() says so */
	uint32_t think_tokens;                 /* most tokens of reasoning, then its closing tag is put in;
						* 0: no limit */
	bool ignore_eos;                       /* the config's ends are none; rule them out by the sampler's bias,
						* too */
	const int32_t *stop_id;                /* [stop_ids] further ids that end it */
	const char *const *stop_text;          /* [stop_texts] texts that end it and are not shown; in reasoning only
						* where it goes on with a text */
	size_t stop_ids, stop_texts;
	const struct mote_grammar *grammar;    /* what the answer's text obeys, behind its reasoning; or NULL */
	const struct mote_token_trie *tokens;  /* of the tokenizer, for it */
	/* Asked before each forward pass by mote_answer_generate(), false interrupts; may be NULL. */
	bool (*proceed)(void *user);
	/* Each piece of text as it comes, whole UTF-8 characters, ANSWER or REASONING; may be NULL. */
	void (*show)(void *user, enum mote_reasoning_part part, const char *text, size_t bytes);
	void *user;
};

/* Zero-initialize; free with mote_answer_free(). Texts are NUL-terminated, or NULL when empty. A NUL that the model
 * writes is U+FFFD in them and in what is shown: JSON readers refuse it or end the text there, ours among them. The
 * ids tell. */
struct mote_answer {
	struct mote_ids ids;                   /* all that was sampled, markers and the end token included */
	char *text, *reasoning;
	size_t text_bytes, reasoning_bytes;
	enum mote_finish finish;
	int stop_text;                         /* the index of the stop text that ended it, or -1 */
	struct mote_error error;               /* what ended it, when its code is not MOTE_OK */
	struct mote_answer_state *state;       /* between open and free */
};

/* Begins an answer. Special tokens leave no text, but for <tool_call>, </tool_call> and [TOOL_CALLS]; white space that
 * follows a marker of reasoning is dropped, it only separates. MOTE_ERROR_MEMORY; MOTE_ERROR_ARGUMENT: a stop text that
 * is empty or not UTF-8. */
enum mote_status mote_answer_open(const struct mote_answer_options *options, struct mote_answer *answer,
				  struct mote_error *error);

/* Takes the logits [vocab] after the prompt, or after the id that it returned last. Returns the id to compute next, or
 * MOTE_ENDED: then finish or error says why, and all text has come. */
int32_t mote_answer_take(struct mote_answer *answer, const float *logits);

/* The same for mote_scheduler_add(). */
struct mote_taker mote_answer_taker(struct mote_answer *answer);

/* Puts the closing tag of reasoning in next, as at the end of its budget; nothing outside of reasoning. */
void mote_answer_close_reasoning(struct mote_answer *answer);

/* Ends an answer early: what was held back of its text comes. No effect on one that has ended. */
void mote_answer_end(struct mote_answer *answer);
void mote_answer_free(struct mote_answer *answer);

/* One whole answer: opens it, adds it to the scheduler, steps until it has ended. An interrupted one is no error.
 * Statuses as mote_answer_open(), mote_scheduler_add() and mote_scheduler_step(), and the answer's own error. */
enum mote_status mote_answer_generate(struct mote_scheduler *scheduler, const struct mote_answer_options *options,
				      struct mote_answer *answer, struct mote_error *error);

/* Adds text, reasoning, ids, prompt_ids and finish_reason to an object. White space at the end of the reasoning,
 * which only separates it from its closing tag, goes. */
void mote_answer_add_json(struct mote_json_builder *b, cJSON *object, struct mote_answer *answer,
			  const struct mote_ids *prompt);

/* "stop", "length", "interrupted" */
const char *mote_finish_name(enum mote_finish finish);

#endif
