#include "runtime/chat/reasoning.h"

struct mote_reasoning mote_reasoning_start(int32_t open, int32_t close, const int32_t *prompt, size_t prompt_tokens)
{
	struct mote_reasoning r = {open, close, false};

	/* The marker is the prompt's last token, or one token of white space follows it. */
	for (size_t back = 1; open >= 0 && back <= 2 && back <= prompt_tokens; back++) {
		int32_t id = prompt[prompt_tokens - back];

		if (id == close)
			break;
		if (id == open)
			r.inside = true;
	}
	return r;
}

enum mote_reasoning_part mote_reasoning_next(struct mote_reasoning *r, int32_t id)
{
	if (id >= 0 && (id == r->open || id == r->close)) {
		r->inside = id == r->open;
		return MOTE_PART_MARKER;
	}
	return r->inside ? MOTE_PART_REASONING : MOTE_PART_ANSWER;
}
