/* mote-tokenize's parts: what they share. */
#ifndef MOTE_RUNTIME_TOKENIZE_H
#define MOTE_RUNTIME_TOKENIZE_H

#include <stdbool.h>

#include "format/container.h"
#include "runtime/tokenizer/tokenizer.h"

#define MOST_INPUT ((size_t)1 << 31)

struct tokenize_options {
	const char *model, *dash, *file, *prompt, *messages, *tools, *context, *diff;
	bool decode, skip_special, plain, add_special, no_cache, time, show, json, no_generation_prompt;
};

struct tokenize {
	struct tokenize_options options;
	struct mote_container *container;
	struct mote_tokenizer *tokenizer;
	struct mote_error error;
	double open_seconds;
};

/* To standard output: a text that may hold any character, U+0000 too, as a JSON string; ids, with a character between
 * them; what comes before a token, its id and its text in a line. */
void mote_tokenize_print_json_text(const char *text, size_t bytes);
void mote_tokenize_print_ids(const struct mote_ids *ids, char between);
enum mote_status mote_tokenize_print_token(struct tokenize *t, const char *lead, int32_t id);
/* To standard error, where there were some. */
void mote_tokenize_warn_dropped(const struct mote_ids *ids);

/* --messages: renders the template, prints its text and ids, or how they differ from plain ChatML's. */
enum mote_status mote_tokenize_messages(struct tokenize *t);

#endif
