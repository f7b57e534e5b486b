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

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* How many bytes the object takes that a text begins with, behind white space; 0: none ends in it. */
static size_t object_bytes(const char *text, size_t bytes)
{
	bool quoted = false;
	size_t depth = 0, i = 0;

	while (i < bytes && is_space(text[i]))
		i++;
	for (; i < bytes; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && text[i] == '{')
			depth++;
		else if (!quoted && text[i] == '}' && depth)
			depth--;
		if (!depth)
			return i < bytes && text[i] == '}' ? i + 1 : 0;
	}
	return 0;
}

/* Some models write an object's text instead of the object. */
static char *print_arguments(const cJSON *arguments)
{
	size_t printed;

	if (!arguments || cJSON_IsNull(arguments))
		return strdup("{}");
	return cJSON_IsString(arguments) ? strdup(arguments->valuestring) : mote_json_print(arguments, &printed);
}

static bool parse_call(const char *text, size_t bytes, struct mote_tool_call *call, bool *memory)
{
	enum mote_status status;
	const cJSON *name, *arguments;
	cJSON *json = NULL;

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
		call->arguments = print_arguments(arguments);
		*memory &= call->name && call->arguments;
	}
	cJSON_Delete(json);
	if (call->name && call->arguments)
		return true;
	mote_tool_call_free(call);
	return false;
}

/* One call from what lies between its opening tag and the next one or the text's end. Returns where it ends, or NULL:
 * it is none, or *memory is gone. A closing tag may stand in its texts, and may be missing where nothing else follows:
 * models forget it at the end of a turn. */
static const char *read_call(const char *text, const char *end, struct mote_tool_call *call, bool *memory)
{
	size_t bytes = object_bytes(text, (size_t)(end - text));
	const char *after = text + bytes;

	while (after < end && is_space(*after))
		after++;
	if (end - after >= CLOSING && !memcmp(after, closing, CLOSING))
		after += CLOSING;
	else if (after < end)
		return NULL;
	return bytes && parse_call(text, bytes, call, memory) ? after : NULL;
}

size_t mote_tool_calls_read(const char *text, size_t bytes, struct mote_tool_call calls[MOTE_TOOL_CALLS_MAX],
			    struct mote_bytes *rest)
{
	const char *at = text, *end = text + bytes, *open = memmem(text, bytes, opening, OPENING), *next, *after;
	bool memory = true;
	size_t n = 0;

	for (; open && n < MOTE_TOOL_CALLS_MAX; open = next) {
		next = memmem(open + OPENING, (size_t)(end - open - OPENING), opening, OPENING);
		after = read_call(open + OPENING, next ? next : end, &calls[n], &memory);
		if (!after)
			continue;
		n++;
		while (open > at && separates(open[-1]))
			open--;
		mote_bytes_add(rest, at, (size_t)(open - at));
		at = after;
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
