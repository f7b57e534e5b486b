#include "runtime/serve/tool_call.h"

#include <stdlib.h>
#include <string.h>

static const char opening[] = "<tool_call>", closing[] = "</tool_call>";
enum { OPENING = sizeof opening - 1, CLOSING = sizeof closing - 1 };

/* What other models put around calls, where it is text: as special tokens they leave none. */
static const char *const marks[] = {"[TOOL_CALLS]", "<|tool_call|>", "<|/tool_call|>", "<|python_tag|>", "<tool_calls>",
				    "</tool_calls>"};
static const char args_mark[] = "[ARGS]";
enum { MARKS = sizeof marks / sizeof *marks };

/* Calls as they are read. */
struct reader {
	struct mote_tool_call *calls;
	size_t n;
	const cJSON *tools; /* of which one must be called; NULL: a call may have any name */
	bool memory;
};

/* White space before a call belongs to it. */
static bool separates(char c)
{
	return c == '\n' || c == ' ';
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && (separates(*at) || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/* Behind a mark that a text begins with, else NULL. */
static const char *skip_mark(const char *at, const char *end, const char *mark)
{
	size_t n = strlen(mark);

	return (size_t)(end - at) >= n && !memcmp(at, mark, n) ? at + n : NULL;
}

/* Whether a text that still grows, and is not empty, begins with a mark, or may do so. */
static bool may_begin(const char *at, const char *end, const char *mark)
{
	size_t n = strlen(mark), bytes = (size_t)(end - at);

	return *at == *mark && !memcmp(at, mark, n < bytes ? n : bytes);
}

static const char *tool_name(const cJSON *tool)
{
	const cJSON *function = mote_json_get(tool, "function");
	const cJSON *name = mote_json_get(function ? function : tool, "name");

	return cJSON_IsString(name) && *name->valuestring ? name->valuestring : NULL;
}

static bool is_offered(const cJSON *tools, const char *name)
{
	for (const cJSON *tool = tools->child; tool; tool = tool->next)
		if (tool_name(tool) && !strcmp(tool_name(tool), name))
			return true;
	return false;
}

/* ---- how much of a growing text is no call ---- */

/* The text as a whole, in the ways of read_untagged(). */
static bool may_be_untagged(const char *at, const char *end, const cJSON *tools)
{
	const char *next, *name;

	at = skip_space(at, end);
	if (at == end)
		return true;
	for (int i = 0; i < MARKS; i++)
		if (may_begin(at, end, marks[i]))
			return true;
	next = skip_space(at + 1, end);
	if (*at == '{' || *at == '[')
		return next == end || *next == (*at == '{' ? '"' : '{');
	for (const cJSON *tool = tools->child; tool; tool = tool->next) {
		if (!(name = tool_name(tool)) || !may_begin(at, end, name))
			continue;
		next = skip_mark(at, end, name);
		next = next ? skip_space(next, end) : end;
		if (next == end || *next == '{' || may_begin(next, end, args_mark))
			return true;
	}
	return false;
}

size_t mote_tool_calls_begin(const char *text, size_t bytes, size_t certain, const cJSON *tools)
{
	size_t end = certain;

	if (!certain && may_be_untagged(text, text + bytes, tools))
		return 0;
	for (; end < bytes; end++)
		if (may_begin(text + end, text + bytes, opening) || may_begin(text + end, text + bytes, marks[0]))
			break;
	while (end > certain && separates(text[end - 1]))
		end--;
	return end;
}

/* ---- reading ---- */

/* How many bytes the object or list takes that a text begins with; 0: none, or it does not end. */
static size_t value_bytes(const char *text, const char *end)
{
	size_t depth = 0, bytes = (size_t)(end - text);
	bool quoted = false;

	for (size_t i = 0; i < bytes; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth && !--depth)
			return i + 1;
		if (!depth)
			return 0;
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

static bool add_call(struct reader *r, const char *name, const cJSON *arguments)
{
	struct mote_tool_call *call = &r->calls[r->n];

	if (r->n == MOTE_TOOL_CALLS_MAX)
		return false;
	*call = (struct mote_tool_call){strdup(name), print_arguments(arguments)};
	if (call->name && call->arguments) {
		r->n++;
		return true;
	}
	r->memory = false;
	mote_tool_call_free(call);
	return false;
}

/* {"name": ..., "arguments": {...}}. Where no tag says that it is a call, it must be one of a tool that was offered. */
static bool add_object(struct reader *r, const cJSON *json)
{
	const cJSON *name = mote_json_get(json, "name"), *arguments = mote_json_get(json, "arguments");

	if (!arguments)
		arguments = mote_json_get(json, "parameters");
	return cJSON_IsString(name) &&
	       (!r->tools || ((cJSON_IsObject(arguments) || cJSON_IsString(arguments)) &&
			      is_offered(r->tools, name->valuestring))) &&
	       add_call(r, name->valuestring, arguments);
}

static void drop_calls(struct reader *r, size_t n)
{
	while (r->n > n)
		mote_tool_call_free(&r->calls[--r->n]);
}

/* One call, or a list of some, or with a name given that one's arguments. */
static bool read_value(struct reader *r, const char *text, size_t bytes, const char *name)
{
	size_t before = r->n;
	cJSON *json = NULL;
	enum mote_status status = bytes ? mote_json_parse(text, bytes, "tool call", &json, NULL) : MOTE_ERROR_CORRUPT;
	bool good = status == MOTE_OK;

	r->memory &= status != MOTE_ERROR_MEMORY;
	if (good && name)
		good = cJSON_IsObject(json) && add_call(r, name, json);
	else if (good && cJSON_IsObject(json))
		good = add_object(r, json);
	else if (good)
		for (const cJSON *item = json->child; item && good; item = item->next)
			good = add_object(r, item);
	if (!good)
		drop_calls(r, before);
	cJSON_Delete(json);
	return r->n > before;
}

/* What lies between an opening tag and the next one or the text's end. Returns where it ends, or NULL: it is no call,
 * or memory is gone. A closing tag may stand in its texts, and may be missing where nothing else follows: models forget
 * it at the end of a turn. */
static const char *read_tagged(struct reader *r, const char *text, const char *end)
{
	const char *from = skip_space(text, end), *after, *closed;
	size_t bytes = value_bytes(from, end);

	after = skip_space(from + bytes, end);
	closed = skip_mark(after, end, closing);
	return (closed || after == end) && read_value(r, from, bytes, NULL) ? (closed ? closed : end) : NULL;
}

/* Behind the name of a tool that was offered and before its arguments; NULL: there is none. */
static const char *skip_name(const cJSON *tools, const char *at, const char *end, const char **name)
{
	const char *next, *marked;

	for (const cJSON *tool = tools->child; tool; tool = tool->next) {
		if (!(*name = tool_name(tool)) || !(next = skip_mark(at, end, *name)))
			continue;
		marked = skip_mark(next, end, args_mark);
		next = skip_space(marked ? marked : next, end);
		if (next < end && *next == '{')
			return next;
	}
	return NULL;
}

/* A text that is nothing but calls: JSON as Llama, Granite, Phi and the older Mistrals write it, or names with
 * arguments, as the newer ones do. */
static bool read_untagged(struct reader *r, const char *at, const char *end)
{
	for (at = skip_space(at, end); at < end;) {
		const char *name = NULL, *marked = NULL;
		size_t bytes;

		for (int i = 0; i < MARKS && !marked; i++)
			marked = skip_mark(at, end, marks[i]);
		if (!marked) {
			if (*at != '{' && *at != '[' && !(at = skip_name(r->tools, at, end, &name)))
				return false;
			bytes = value_bytes(at, end);
			if (!read_value(r, at, bytes, name))
				return false;
			marked = at + bytes;
		}
		at = skip_space(marked, end);
		if (at < end && *at == ';') /* Llama's, between calls */
			at = skip_space(at + 1, end);
	}
	return r->n > 0;
}

size_t mote_tool_calls_read(const char *text, size_t bytes, const cJSON *tools,
			    struct mote_tool_call calls[MOTE_TOOL_CALLS_MAX], struct mote_bytes *rest)
{
	const char *at = text, *end = text + bytes, *open = memmem(text, bytes, opening, OPENING), *next, *after;
	struct reader r = {.calls = calls, .memory = true};

	for (; open; open = next) {
		next = memmem(open + OPENING, (size_t)(end - open - OPENING), opening, OPENING);
		after = read_tagged(&r, open + OPENING, next ? next : end);
		if (!after)
			continue;
		while (open > at && separates(open[-1]))
			open--;
		mote_bytes_add(rest, at, (size_t)(open - at));
		at = after;
	}
	if (!r.n) {
		r.tools = tools;
		open = memmem(text, bytes, marks[0], strlen(marks[0])); /* Mistral's, which may speak before */
		if (!read_untagged(&r, open ? open : text, end)) {
			drop_calls(&r, 0);
		} else {
			while (open && open > text && separates(open[-1]))
				open--;
			mote_bytes_add(rest, text, open ? (size_t)(open - text) : 0);
			at = end;
		}
	}
	mote_bytes_add(rest, at, (size_t)(end - at));
	rest->failed |= !r.memory;
	return r.n;
}

void mote_tool_call_free(struct mote_tool_call *call)
{
	free(call->name);
	free(call->arguments);
	*call = (struct mote_tool_call){0};
}
