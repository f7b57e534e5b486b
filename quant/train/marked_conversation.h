/* A conversation as token ids, with a mark at each that the assistant wrote.
 *
 * Conversations pass through the model's own template. Where that has {% generation %} blocks, what they wrote is the
 * assistant's; else it is what the template adds for a message of the assistant's behind its prompt for one
 * (or from the message's own text on, where the prompt's white space differs). In what the
 * assistant says the model's own tokens are recognised (a thought's tags); other messages never become control tokens.
 */
#ifndef MOTE_QUANT_MARKED_CONVERSATION_H
#define MOTE_QUANT_MARKED_CONVERSATION_H

#include "format/json.h"
#include "runtime/tokenizer/tokenizer.h"

struct mote_conversation_options {
	bool last_only;              /* of the assistant's messages only the last is marked */
	const cJSON *metadata;       /* the model's: its template */
	const cJSON *tools;          /* a list, or NULL */
	const cJSON *variables;      /* of the template, which override all others: an object, or NULL */
	const struct mote_tokenizer *tokenizer;
	int64_t now;                 /* for templates that print the date */
};

/* messages: objects with a "role" each, the last one the assistant's. Appends to ids, which are empty before; *target
 * [ids->count] is 1 where the assistant wrote the token, allocated, the caller frees both whatever comes back.
 * MOTE_ERROR_ARGUMENT: the model has no template, or it refused the conversation; MOTE_ERROR_UNSUPPORTED: the
 * assistant's part cannot be told from the rest; MOTE_ERROR_MEMORY. */
enum mote_status mote_conversation_encode(const struct mote_conversation_options *options, const cJSON *messages,
					  struct mote_ids *ids, uint8_t **target,
					  struct mote_error *error) MOTE_CHECKED;

/* Where a text ends without the white space at its end: what a template puts behind a turn is never generated. */
size_t mote_without_space(const char *text, size_t begin, size_t end);

/* Whether a message is the assistant's. */
bool mote_message_is_assistant(const cJSON *message);

#endif
