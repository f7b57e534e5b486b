/* Behaviour: what a chat model answers, greedily, against what its reference answers. Perplexity looks one token
 * ahead on a given text; an answer walks its own way, and this is where it parts from the reference's.
 */
#ifndef MOTE_QUANT_ANSWERS_H
#define MOTE_QUANT_ANSWERS_H

#include "format/container.h"
#include "runtime/model/model.h"

/* Prompts, each followed by one model's answer. Zero-initialize; free with mote_answers_free(). */
struct mote_answers {
	struct mote_dialogue {
		int32_t *id;            /* owned: prompt, then answer */
		uint32_t prompt, count; /* ids of the prompt; of both */
		bool reasoning_open;    /* the prompt ends inside reasoning */
	} *item;                        /* [n] */
	uint32_t n;
	int32_t open, close;            /* ids of the tags of reasoning; -1: the model has no such tokens */
};
void mote_answers_free(struct mote_answers *a);

struct mote_behaviour {
	uint32_t prompts;
	bool compared;                 /* with a reference's answers; else the next three are 0 */
	uint32_t identical;            /* answers equal to the last token */
	double mean_identical_tokens;  /* up to the first token that differs, or the whole answer */
	double identical_share;        /* of all the reference's tokens, those before the first that differs */
	uint32_t thinking;             /* answers that open a <think>, or whose prompt did */
	uint32_t closed;               /* of these, those that close it */
	uint32_t ended;                /* answers that came to their end within the limit */
	double mean_tokens;
};

/* Reads one prompt a line (blank lines are skipped): plain text, or JSON {"prompt": "..."} or {"messages": [...]},
 * renders each with m's chat template if it has one, and tokenizes it. name is for messages.
 * MOTE_ERROR_CORRUPT with the line. */
enum mote_status mote_answers_read(const struct mote_model *m, const char *text, size_t bytes, const char *name,
				   struct mote_answers *out, struct mote_error *error) MOTE_CHECKED;

/* Lets m answer the prompts with at most most_tokens each. */
enum mote_status mote_answers_fill(struct mote_answers *a, const struct mote_model *m, uint32_t most_tokens,
				   uint32_t threads, const struct mote_progress *progress,
				   struct mote_error *error) MOTE_CHECKED;

/* The answers of one model, against the reference's to the same prompts if there are any (else NULL). */
void mote_behaviour_compare(const struct mote_model *m, const struct mote_answers *model,
			    const struct mote_answers *reference, struct mote_behaviour *out);

/* NULL when memory is gone. */
cJSON *mote_behaviour_to_json(const struct mote_behaviour *b);

#endif
