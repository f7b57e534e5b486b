/* What a model is trained on: token ids, with a mark at each that is learnt.
 *
 * A line of the file is a JSON object:
 *   {"messages": [...]}                                     for supervised training; "tools" may be beside it
 *   {"text": ...}                                           likewise: plain text, all of which is learnt
 *   {"prompt": ..., "chosen": ..., "rejected": ...}         for preferences: texts or lists of messages; without a
 *                                                           prompt both are whole conversations
 * The template's variables may stand beside a conversation as an object "chat_template_kwargs".
 * Of conversations what the assistant wrote is learnt (marked_conversation.h). A text is taken as the tokenizer takes
 * one alone, with what it puts around it and with the model's own tokens recognised; nothing is added at its end.
 */
#ifndef MOTE_QUANT_EXAMPLES_H
#define MOTE_QUANT_EXAMPLES_H

#include "quant/train/marked_conversation.h"

struct mote_example {
	size_t at;           /* its first id */
	uint32_t length;     /* ids, at least 2 */
	uint32_t targets;    /* marked ones, at least 1; never the first */
};

/* Zero-initialize; free with mote_examples_free(). */
struct mote_examples {
	struct mote_example *example; /* of preferences: chosen, rejected, chosen, ... */
	uint32_t n, capacity;
	int32_t *id;                  /* of all examples */
	uint8_t *target;              /* 1: the token is learnt */
	size_t ids, ids_capacity;
	uint32_t records;             /* lines that were read */
	uint32_t cut, dropped;        /* records that were cut to the length; that had nothing to learn within it */
	uint32_t longest;
};

struct mote_examples_options {
	const char *path;             /* for messages */
	bool preferences;             /* else supervised; of these only the last message is learnt */
	uint32_t max_length;          /* tokens of an example; a longer conversation is cut,
				       * a longer text is several examples */
	const cJSON *metadata;        /* the model's: its template */
	const struct mote_tokenizer *tokenizer;
	uint32_t vocab;               /* ids are below */
	int64_t now;                  /* for templates that print the date */
};

/* text[0..bytes): the whole file. MOTE_ERROR_CORRUPT names file, line and field; MOTE_ERROR_ARGUMENT: the model has no
 * template, or it refused a conversation; MOTE_ERROR_UNSUPPORTED: the assistant's part cannot be told from the rest;
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_examples_read(struct mote_examples *e, const char *text, size_t bytes,
				    const struct mote_examples_options *options, struct mote_error *error) MOTE_CHECKED;
void mote_examples_free(struct mote_examples *e);

#endif
