/* Splits generated tokens into reasoning and answer by the ids of <think> and </think>.
 *
 * By id and among generated tokens only: a system prompt may well spell out "<think>...</think>" (TRLM's does),
 * and text which merely says "</think>" is no marker.
 */
#ifndef MOTE_RUNTIME_REASONING_H
#define MOTE_RUNTIME_REASONING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mote_reasoning {
	int32_t open, close; /* ids of the markers; -1: the model has none */
	bool inside;
};

enum mote_reasoning_part { MOTE_PART_ANSWER, MOTE_PART_REASONING, MOTE_PART_MARKER };

/* open, close: ids or -1. prompt: the ids before the first generated token; some templates end their generation
 * prompt with "<think>\n", and then generation starts inside. */
struct mote_reasoning mote_reasoning_start(int32_t open, int32_t close, const int32_t *prompt, size_t prompt_tokens);

/* What the next generated token is. A marker that changes nothing (a second <think>) is still a marker. */
enum mote_reasoning_part mote_reasoning_next(struct mote_reasoning *r, int32_t id);

#endif
