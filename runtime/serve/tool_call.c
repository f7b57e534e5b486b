#include "runtime/serve/tool_call.h"

#include <stdlib.h>
#include <string.h>

static const char opening[] = "<tool_call>", closing[] = "</tool_call>";
enum { OPENING = sizeof opening - 1, CLOSING = sizeof closing - 1 };

/* White space before a call belongs to it. */
static bool separates(char c)
{
	return c == '\n' || c == ' ';
}

size_t mote_tool_calls_begin(const char *text, size_t bytes)
{
	size_t end = 0;

	for (; end < bytes; end++) {
		size_t n = bytes - end < OPENING ? bytes - end : OPENING;

		if (!memcmp(text + end, opening, n))
			break;
	}
	while (end && separates(text[end - 1]))
		end--;
	return end;
}

/* One call from what lies between the tags. False: it is none, or *memory is gone. */
static bool read_call(const char *text, size_t bytes, struct mote_tool_call *call, bool *memory)
{
	enum mote_status status;
	const cJSON *name, *arguments;
	cJSON *json = NULL;
	size_t printed;

	*call = (struct mote_tool_call){0};
	if ((status = mote_json_parse(text, bytes, "tool call", &json, NULL))) {
		*memory &= status != MOTE_ERROR_MEMORY;
		return false;
	}
	name = mote_json_get(json, "name");
	arguments = mote_json_get(json, "arguments");
	if (!arguments)
		arguments = mote_json_get(json, "parameters");
	if (cJSON_IsString(name)) {
		call->name = strdup(name->valuestring);
		call->arguments = arguments ? mote_json_print(arguments, &printed) : strdup("{}");
		*memory &= call->name && call->arguments;
	}
	cJSON_Delete(json);
	if (call->name && call->arguments)
		return true;
	mote_tool_call_free(call);
	return false;
}

size_t mote_tool_calls_read(const char *text, size_t bytes, struct mote_tool_call calls[MOTE_TOOL_CALLS_MAX],
			    struct mote_bytes *rest)
{
	const char *at = text, *end = text + bytes;
	bool memory = true;
	size_t n = 0;

	while (n < MOTE_TOOL_CALLS_MAX) {
		const char *open = memmem(at, (size_t)(end - at), opening, OPENING), *close;

		close = open ? memmem(open, (size_t)(end - open), closing, CLOSING) : NULL;
		if (!close)
			break;
		if (read_call(open + OPENING, (size_t)(close - open - OPENING), &calls[n], &memory)) {
			n++;
			while (open > at && separates(open[-1]))
				open--;
			mote_bytes_add(rest, at, (size_t)(open - at));
		} else {
			mote_bytes_add(rest, at, (size_t)(close + CLOSING - at));
		}
		at = close + CLOSING;
	}
	mote_bytes_add(rest, at, (size_t)(end - at));
	rest->failed |= !memory;
	return n;
}

void mote_tool_call_free(struct mote_tool_call *call)
{
	free(call->name);
	free(call->arguments);
	*call = (struct mote_tool_call){0};
}
