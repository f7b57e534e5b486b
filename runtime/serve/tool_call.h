/* Calls of tools as models write them: JSON between <tool_call> and </tool_call>, {"name": ..., "arguments": {...}}, or
 * a text that is nothing but calls of tools that were offered: such JSON, a list of it, or names with arguments. */
#ifndef MOTE_RUNTIME_SERVE_TOOL_CALL_H
#define MOTE_RUNTIME_SERVE_TOOL_CALL_H

#include "runtime/serve/bytes.h"

enum { MOTE_TOOL_CALLS_MAX = 32 };

struct mote_tool_call {
	char *name, *arguments; /* the arguments as JSON text */
};

/* How much of a text that still grows is certainly no call: nothing while all of it may be calls; else all before a
 * tag, or before what may become one, but for the white space there, which goes with a call.
 *   certain  what it was when the text was shorter, 0 at first: only what follows is looked at
 *   tools    those that were offered, as OpenAI's chats list them */
size_t mote_tool_calls_begin(const char *text, size_t bytes, size_t certain, const cJSON *tools);

/* Takes the calls out of text; what is left, with what looks like a call and is none, is appended to *rest. Returns how
 * many there are, each to be freed with mote_tool_call_free(). */
size_t mote_tool_calls_read(const char *text, size_t bytes, const cJSON *tools,
			    struct mote_tool_call calls[MOTE_TOOL_CALLS_MAX], struct mote_bytes *rest);
void mote_tool_call_free(struct mote_tool_call *call);

#endif
