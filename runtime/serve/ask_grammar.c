/* What a request says its answers must look like: response_format (text.format in responses, output_config.format in
 * messages), grammar, or a tool_choice that asks for a call. All become a grammar of the library. */
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/ask.h"

static bool is_text(const cJSON *item, const char *text)
{
	return cJSON_IsString(item) && !strcmp(item->valuestring, text);
}

/* Opens it; mistakes in it are the parameter's. */
static enum mote_status open_grammar(const struct mote_lm *lm, struct mote_ask *ask, const char *parameter,
				     const struct mote_lm_grammar_options *options, struct mote_error *error)
{
	struct mote_lm_error own = {0};

	ask->parameter = parameter;
	if (ask->grammar)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "%s: only one of response_format, grammar and a tool_choice that asks for a call",
				      parameter);
	if (mote_lm_grammar_open(lm, options, &ask->grammar, &own))
		return mote_ask_fail(&own, error);
	ask->job.options.grammar = ask->grammar;
	ask->parameter = NULL;
	return MOTE_OK;
}

/* With a tree's text. */
static enum mote_status open_json(const struct mote_lm *lm, struct mote_ask *ask, const char *parameter,
				  struct mote_lm_grammar_options *options, const cJSON *json, struct mote_error *error)
{
	char *text = mote_json_print(json, &options->bytes);
	enum mote_status status;

	options->text = text;
	status = text ? open_grammar(lm, ask, parameter, options, error)
		      : mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %s", parameter);
	free(text);
	return status;
}

/* {"type": "text" | "json_object" | "json_schema"}. The schema lies in "json_schema" or, as responses and llama.cpp's
 * clients write it, beside the type, a json_object's too. */
static enum mote_status read_format(const struct mote_lm *lm, struct mote_ask *ask, const cJSON *format,
				    const char *parameter, struct mote_error *error)
{
	struct mote_lm_grammar_options options = MOTE_LM_GRAMMAR_OPTIONS_INIT;
	const cJSON *type = mote_json_get(format, "type"), *inner = mote_json_get(format, "json_schema");
	const cJSON *schema = mote_json_get(inner ? inner : format, "schema");

	if (!format || cJSON_IsNull(format) || is_text(type, "text"))
		return MOTE_OK;
	options.name = parameter;
	if (is_text(type, "json_object") && (!schema || cJSON_IsNull(schema))) {
		options.kind = MOTE_LM_GRAMMAR_JSON_OBJECT;
		return open_grammar(lm, ask, parameter, &options, error);
	}
	if (!is_text(type, "json_object") && !is_text(type, "json_schema"))
		return mote_ask_wrong(ask, parameter, "a type of text, json_object or json_schema", error);
	if (!schema)
		return mote_ask_wrong(ask, parameter,
				      ask->dialect >= MOTE_DIALECT_RESPONSES
					      ? "{\"type\": \"json_schema\", \"schema\": {...}}"
					      : "{\"type\": \"json_schema\", \"json_schema\": {\"schema\": {...}}}",
				      error);
	options.kind = MOTE_LM_GRAMMAR_JSON_SCHEMA;
	return open_json(lm, ask, parameter, &options, schema, error);
}

/* "none", "auto", "required", or {"type": "function", "function": {"name"}}: the one that must be called. */
static enum mote_status read_choice(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	struct mote_lm_grammar_options options = MOTE_LM_GRAMMAR_OPTIONS_INIT;
	const cJSON *choice = mote_json_get(ask->json, "tool_choice"), *tools = mote_json_get(ask->json, "tools");
	const cJSON *name = mote_json_get(mote_json_get(choice, "function"), "name");

	if (!choice || cJSON_IsNull(choice) || is_text(choice, "none") || is_text(choice, "auto"))
		return MOTE_OK;
	if (!is_text(choice, "required") &&
	    !(is_text(mote_json_get(choice, "type"), "function") && cJSON_IsString(name)))
		return mote_ask_wrong(ask, "tool_choice", "none, auto, required or a function with its name", error);
	if (!cJSON_IsArray(tools) || !tools->child)
		return mote_ask_wrong(ask, "tools", "a list of what tool_choice asks for", error);
	options.kind = MOTE_LM_GRAMMAR_TOOL_CALLS;
	options.name = "tools";
	options.tool = name ? name->valuestring : NULL;
	options.several = !name && !cJSON_IsFalse(mote_json_get(ask->json, "parallel_tool_calls"));
	return open_json(lm, ask, "tools", &options, tools, error);
}

enum mote_status mote_ask_grammar(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	struct mote_lm_grammar_options options = MOTE_LM_GRAMMAR_OPTIONS_INIT;
	const cJSON *grammar = mote_json_get(ask->json, "grammar"), *type;
	const cJSON *text = mote_json_get(mote_json_get(ask->json, "text"), "format");
	const cJSON *output = mote_json_get(mote_json_get(ask->json, "output_config"), "format");
	enum mote_status status;

	if (ask->dialect >= MOTE_DIALECT_RESPONSES) { /* which have no tools here */
		type = mote_json_get(ask->json, "tool_choice");
		type = cJSON_IsObject(type) ? mote_json_get(type, "type") : type;
		if (type && !cJSON_IsNull(type) && !is_text(type, "none") && !is_text(type, "auto")) {
			ask->parameter = "tool_choice";
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "tool_choice: a call is not supported by this server in this API");
		}
		return ask->dialect == MOTE_DIALECT_RESPONSES ? read_format(lm, ask, text, "text", error)
							      : read_format(lm, ask, output, "output_config", error);
	}
	if ((status = read_format(lm, ask, mote_json_get(ask->json, "response_format"), "response_format", error)))
		return status;
	if (grammar && !cJSON_IsNull(grammar)) {
		if (!cJSON_IsString(grammar))
			return mote_ask_wrong(ask, "grammar", "a text in GBNF", error);
		options.text = grammar->valuestring;
		options.bytes = strlen(grammar->valuestring);
		options.name = "grammar";
		if ((status = open_grammar(lm, ask, "grammar", &options, error)))
			return status;
	}
	return ask->dialect == MOTE_DIALECT_CHAT ? read_choice(lm, ask, error) : MOTE_OK;
}
