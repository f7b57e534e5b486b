/* Splits generated tokens into reasoning and answer by the tags that a model puts around its reasoning: <think> and
 * </think>, [THINK] and [/THINK], whatever the metadata's "reasoning" names.
 *
 * Where a tag is a token of its own it is known by its id, and text which merely says "</think>" is no tag. Where it
 * is text, whoever reads the text finds it there (runtime/generate/answer.c). Only what is generated is looked at: a
 * system prompt may well spell out "<think>...</think>" (TRLM's does).
 */
#ifndef MOTE_RUNTIME_REASONING_H
#define MOTE_RUNTIME_REASONING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/json.h"
#include "runtime/tokenizer/tokenizer.h"

/* open and close are NULL when the model has no tags, and borrowed from the metadata. An id is -1 when the tag is
 * text. */
struct mote_reasoning_tags {
	const char *open, *close;
	int32_t open_id, close_id;
};

/* The tags that the metadata names; without any, <think> and </think> where the tokenizer has both as tokens. */
struct mote_reasoning_tags mote_reasoning_tags_read(const cJSON *metadata, const struct mote_tokenizer *tokenizer);

/* Whether text leaves reasoning open: its last tag is an opening one. Some templates end their generation prompt
 * with "<think>\n"; then generation starts inside. */
bool mote_reasoning_is_open(const struct mote_reasoning_tags *tags, const char *text, size_t bytes);

struct mote_reasoning {
	int32_t open, close; /* ids of the tags; -1: none */
	bool inside;
};

enum mote_reasoning_part { MOTE_PART_ANSWER, MOTE_PART_REASONING, MOTE_PART_MARKER };

struct mote_reasoning mote_reasoning_start(const struct mote_reasoning_tags *tags, bool inside);

/* What the next generated token is. A tag that changes nothing (a second <think>) is still a marker. */
enum mote_reasoning_part mote_reasoning_next(struct mote_reasoning *r, int32_t id);

#endif
