/* Calls of tools as a grammar; see grammar.h. */
#include <stdio.h>
#include <string.h>

#include "runtime/grammar/schema.h"

/* {"name": NAME, "arguments": ARGUMENTS} */
static void build_call(struct schema_reader *r, const char *tool, const cJSON *parameters, uint32_t from, uint32_t to)
{
	static const char begin[] = "{\"name\": ", middle[] = ", \"arguments\": ";
	uint32_t name = mote_network_state(r->g), after = mote_network_state(r->g), value = mote_network_state(r->g);
	uint32_t end = mote_network_state(r->g);
	cJSON *text = cJSON_CreateString(tool);

	if (!text)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a call");
	mote_network_text(r->g, from, begin, sizeof begin - 1, name);
	if (text)
		mote_schema_build_literal(r, text, name, after);
	cJSON_Delete(text);
	mote_network_text(r->g, after, middle, sizeof middle - 1, value);
	if (parameters)
		mote_schema_build_root(r, parameters, value, end);
	else
		mote_network_text(r->g, value, "{}", 2, end);
	mote_network_byte(r->g, end, '}', '}', to);
}

static void build_calls(struct schema_reader *r, const cJSON *tools, const char *only, uint32_t from, uint32_t to)
{
	bool any = false;
	int n = 0;

	for (const cJSON *item = cJSON_IsArray(tools) ? tools->child : NULL; item && !mote_schema_failed(r);
	     item = item->next, n++) {
		const cJSON *function = mote_json_get(item, "function"), *name = mote_json_get(function, "name");
		const cJSON *parameters = mote_json_get(function, "parameters");
		bool none = cJSON_IsNull(parameters) || (cJSON_IsObject(parameters) && !parameters->child);
		char place[40];

		if (!cJSON_IsString(name)) {
			mote_schema_fail(r, MOTE_ERROR_ARGUMENT, "tools[%d]: expected a function with its name", n);
			return;
		}
		if (only && strcmp(only, name->valuestring) != 0)
			continue;
		snprintf(place, sizeof place, "tools[%d].function.parameters", n);
		r->name = place;
		build_call(r, name->valuestring, none ? NULL : parameters, from, to);
		any = true;
	}
	r->name = "tools";
	if (!any && !mote_schema_failed(r))
		mote_schema_fail(r, MOTE_ERROR_ARGUMENT,
				 only ? "no tool is called %.100s" : "there is none to be called", only);
}

enum mote_status mote_grammar_tool_calls(const cJSON *tools, const char *only, bool several, struct mote_grammar **out,
					 struct mote_error *error)
{
	static const char open[] = "<tool_call>\n", close[] = "\n</tool_call>";
	struct schema_reader r = {.name = "tools", .g = mote_network_open(error), .steps = SCHEMA_MAX_STEPS};
	uint32_t from, to, inside, end;

	*out = NULL;
	if (!r.g)
		return MOTE_ERROR_MEMORY;
	r.g->root = mote_network_rule(r.g, "a call", 6);
	from = mote_network_state(r.g);
	to = mote_network_state(r.g);
	inside = mote_network_state(r.g);
	end = mote_network_state(r.g);
	if (!mote_schema_failed(&r)) {
		mote_network_empty(r.g, r.g->rule[r.g->root].start, from);
		mote_network_text(r.g, from, open, sizeof open - 1, inside);
		build_calls(&r, tools, only, inside, end);
		mote_network_text(r.g, end, close, sizeof close - 1, to);
		mote_network_empty(r.g, to, r.g->rule[r.g->root].end);
		if (several)
			mote_network_byte(r.g, to, '\n', '\n', from);
	}
	mote_schema_close(&r);
	return mote_network_finish(r.g, out, error);
}
