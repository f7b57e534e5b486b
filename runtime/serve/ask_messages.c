/* Messages of every dialect as chat templates expect them: {"role", "content": text} and, of OpenAI's chats, names,
 * tool calls and reasoning. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/ask.h"
#include "runtime/serve/bytes.h"

enum { MAX_MESSAGES = 4096 };

static bool is_text(const cJSON *item, const char *text)
{
	return cJSON_IsString(item) && !strcmp(item->valuestring, text);
}

/* What one message of the template's says. Thoughts are those that a client hands back of our own answers; what of
 * them is shown is the template's. */
struct turn {
	struct mote_bytes text, thought;
};

/* Parts of an answer are pieces of one text; others' stand on lines of their own, as llama.cpp and vLLM put them. */
static void add_text(struct turn *turn, const char *role, const char *text)
{
	if (turn->text.count && strcmp(role, "assistant"))
		mote_bytes_add(&turn->text, "\n", 1);
	mote_bytes_add(&turn->text, text, strlen(text));
}

/* A text, or a list of parts of which each is one. */
static enum mote_status add_content(const cJSON *content, const char *role, const char *place, struct turn *turn,
				    struct mote_error *error)
{
	if (!content || cJSON_IsNull(content))
		return MOTE_OK;
	if (cJSON_IsString(content)) {
		add_text(turn, role, content->valuestring);
		return MOTE_OK;
	}
	if (!cJSON_IsArray(content))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: content: expected a text or a list of parts",
				      place);
	for (const cJSON *part = content->child; part; part = part->next) {
		const cJSON *type = mote_json_get(part, "type"), *text = mote_json_get(part, "text");
		const cJSON *thought = mote_json_get(part, "thinking");

		if (is_text(type, "thinking")) {
			if (cJSON_IsString(thought))
				mote_bytes_add(&turn->thought, thought->valuestring, strlen(thought->valuestring));
			continue;
		}
		if (is_text(type, "redacted_thinking")) /* another's, which nobody can read */
			continue;
		if (!is_text(type, "text") && !is_text(type, "input_text") && !is_text(type, "output_text"))
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "%s: content: a part of type %.60s is not supported: "
					      "this model reads text", place,
					      cJSON_IsString(type) ? type->valuestring : "(none)");
		if (!cJSON_IsString(text))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: content: a part without its text",
					      place);
		add_text(turn, role, text->valuestring);
	}
	return MOTE_OK;
}

/* The message of a turn, which is empty then. */
static cJSON *end_turn(struct mote_json_builder *b, cJSON *messages, const char *role, struct turn *turn)
{
	cJSON *message = mote_json_add_object(b, messages, NULL);

	mote_json_add_text(b, message, "role", role);
	mote_json_add_text(b, message, "content", turn->text.text ? turn->text.text : "");
	if (turn->thought.count)
		mote_json_add_text(b, message, "reasoning_content", turn->thought.text);
	b->failed |= turn->text.failed || turn->thought.failed;
	mote_bytes_free(&turn->text);
	mote_bytes_free(&turn->thought);
	return message;
}

static enum mote_status add_message(struct mote_json_builder *b, cJSON *messages, const char *role,
				    const cJSON *content, const char *place, struct mote_error *error)
{
	struct turn turn = {0};
	enum mote_status status = add_content(content, role, place, &turn, error);

	end_turn(b, messages, role, &turn);
	return status;
}

static size_t values_of(const cJSON *item)
{
	size_t n = 0;

	for (; item; item = item->next)
		n += 1 + values_of(item->child);
	return n;
}

/* Templates write a call's arguments as JSON and want them as an object; clients send them as a text. All calls have
 * *left values together: what is the most of one text could otherwise come in each of many. */
static enum mote_status add_calls(struct mote_json_builder *b, cJSON *message, const cJSON *calls, size_t *left,
				  struct mote_error *error)
{
	cJSON *copy = cJSON_Duplicate(calls, true);

	for (cJSON *call = copy ? copy->child : NULL; call; call = call->next) {
		cJSON *function = cJSON_GetObjectItemCaseSensitive(call, "function"), *parsed = NULL;
		const cJSON *text = mote_json_get(function, "arguments");
		enum mote_status status = MOTE_OK;

		if (cJSON_IsObject(function) && (!text || cJSON_IsNull(text) || is_text(text, ""))) { /* without any */
			cJSON_DeleteItemFromObjectCaseSensitive(function, "arguments");
			mote_json_add_object(b, function, "arguments");
			continue;
		}
		if (cJSON_IsString(text))
			status = mote_json_parse_large(text->valuestring, strlen(text->valuestring), "arguments", *left,
						       &parsed, NULL);
		if (status == MOTE_ERROR_LIMIT) {
			cJSON_Delete(copy);
			return mote_error_set(error, status, "tool_calls: arguments deeper than %d, or of more than "
					      "%zu values in all", MOTE_JSON_MAX_DEPTH, MOTE_JSON_MAX_VALUES);
		}
		*left -= values_of(parsed);
		b->failed |= status == MOTE_ERROR_MEMORY;
		if (cJSON_IsObject(parsed) && cJSON_ReplaceItemInObjectCaseSensitive(function, "arguments", parsed))
			continue;
		b->failed |= cJSON_IsObject(parsed);
		cJSON_Delete(parsed);
	}
	mote_json_add_item(b, message, "tool_calls", copy);
	return MOTE_OK;
}

/* A text of a client's, under the name that templates know it by, unless there is one already. */
static void copy_text(struct mote_json_builder *b, cJSON *message, const char *key, const cJSON *from,
		      const char *named)
{
	const cJSON *text = mote_json_get(from, named);

	if (cJSON_IsString(text) && !mote_json_get(message, key))
		mote_json_add_text(b, message, key, text->valuestring);
}

/* The role as templates know it, or NULL. */
static const char *role_of(const cJSON *item)
{
	static const char *const roles[] = {"system", "user", "assistant", "tool"};
	const cJSON *role = mote_json_get(item, "role");

	if (is_text(role, "developer"))
		return "system";
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (is_text(role, roles[i]))
			return roles[i];
	return NULL;
}

/* MOTE_ERROR_ARGUMENT, MOTE_ERROR_UNSUPPORTED: no message. */
static enum mote_status check_item(const cJSON *item, const char *place, struct mote_error *error)
{
	const cJSON *type = mote_json_get(item, "type");

	if (role_of(item))
		return MOTE_OK;
	if (cJSON_IsString(type) && !is_text(type, "message"))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: an item of type %.60s is not supported by this server", place,
				      type->valuestring);
	return mote_error_set(error, MOTE_ERROR_ARGUMENT,
			      "%s: role: expected system, developer, user, assistant or tool", place);
}

/* What a message has besides its text. */
static enum mote_status add_rest(struct mote_json_builder *b, cJSON *message, const cJSON *item, size_t *left,
				 struct mote_error *error)
{
	const cJSON *calls = mote_json_get(item, "tool_calls");

	copy_text(b, message, "name", item, "name");
	copy_text(b, message, "tool_call_id", item, "tool_call_id");
	copy_text(b, message, "reasoning_content", item, "reasoning_content");
	copy_text(b, message, "reasoning_content", item, "reasoning"); /* as vLLM and OpenRouter call it */
	return cJSON_IsArray(calls) && calls->child ? add_calls(b, message, calls, left, error) : MOTE_OK;
}

/* combine: messages in succession of one who speaks are one turn, as Anthropic has it. Many templates know no other. */
static enum mote_status add_list(struct mote_json_builder *b, cJSON *messages, const cJSON *list, const char *key,
				 bool combine, struct mote_error *error)
{
	size_t left = MOTE_JSON_MAX_VALUES;
	enum mote_status status = MOTE_OK;
	struct turn turn = {0};
	int n = 0;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > MAX_MESSAGES || !list->child)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: expected a list of 1 to %d messages", key,
				      MAX_MESSAGES);
	for (const cJSON *item = list->child; item && status == MOTE_OK; item = item->next, n++) {
		const char *role = role_of(item);
		char place[64];

		snprintf(place, sizeof place, "%.20s[%d]", key, n);
		if (!role && is_text(mote_json_get(item, "type"), "reasoning")) /* of our own answers, handed back */
			continue;
		if ((status = check_item(item, place, error)) ||
		    (status = add_content(mote_json_get(item, "content"), role, place, &turn, error)))
			break;
		if (!combine || role != role_of(item->next))
			status = add_rest(b, end_turn(b, messages, role, &turn), item, &left, error);
	}
	mote_bytes_free(&turn.text);
	mote_bytes_free(&turn.thought);
	return status;
}

cJSON *mote_ask_messages(const struct mote_ask *ask, struct mote_error *error)
{
	const char *system_key = ask->dialect == MOTE_DIALECT_MESSAGES ? "system" : "instructions";
	const char *list_key = ask->dialect == MOTE_DIALECT_RESPONSES ? "input" : "messages";
	const cJSON *system = ask->dialect == MOTE_DIALECT_CHAT ? NULL : mote_json_get(ask->json, system_key);
	const cJSON *list = mote_json_get(ask->json, list_key);
	struct mote_json_builder b = {0};
	cJSON *messages = mote_json_new_array(&b);
	enum mote_status status = MOTE_OK;

	if (system && !cJSON_IsNull(system))
		status = add_message(&b, messages, "system", system, system_key, error);
	if (status == MOTE_OK && ask->dialect == MOTE_DIALECT_RESPONSES && cJSON_IsString(list))
		status = add_message(&b, messages, "user", list, list_key, error);
	else if (status == MOTE_OK)
		status = add_list(&b, messages, list, list_key, ask->dialect == MOTE_DIALECT_MESSAGES, error);
	if (status == MOTE_OK)
		status = mote_json_finish(&b, &messages, "messages", error);
	if (status) {
		cJSON_Delete(messages);
		return NULL;
	}
	return messages;
}

/* ---- variables ---- */

/* What only the template itself may bring in: texts of these become control tokens, or they are other parameters. */
static bool is_reserved(const char *key)
{
	static const char *const keys[] = {"messages", "tools", "bos_token", "eos_token", "unk_token", "pad_token"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strcmp(key, keys[i]))
			return true;
	return false;
}

/* How hard to think, as each dialect has it. */
static const cJSON *effort_of(const struct mote_ask *ask)
{
	const cJSON *effort = mote_json_get(ask->json, "reasoning_effort");

	if (!effort)
		effort = mote_json_get(mote_json_get(ask->json, "reasoning"), "effort");
	return effort ? effort : mote_json_get(mote_json_get(ask->json, "output_config"), "effort");
}

/* Whether a request switches thinking on or off in its dialect's way: 1, 0, or -1 for neither. */
static int thinking(struct mote_ask *ask)
{
	const cJSON *type = mote_json_get(mote_json_get(ask->json, "thinking"), "type"), *effort = effort_of(ask);
	int64_t budget;

	if (is_text(effort, "none") || is_text(type, "disabled"))
		return 0;
	if (mote_json_integer(mote_json_get(mote_json_get(ask->json, "thinking"), "budget_tokens"), &budget) &&
	    budget > 0 && budget <= MOTE_ASK_MAX_TOKENS)
		ask->job.options.think_budget = (uint32_t)budget;
	return is_text(type, "enabled") ? 1 : -1;
}

static enum mote_status make_variables(struct mote_ask *ask, struct mote_json_builder *b, cJSON *variables,
				       struct mote_error *error)
{
	static const char *const switches[] = {"enable_thinking", "thinking"}; /* Qwen's and most others', Granite's */
	const cJSON *given = mote_json_get(ask->json, "chat_template_kwargs"), *effort = effort_of(ask);
	int think = thinking(ask);

	if (given && !cJSON_IsNull(given) && !cJSON_IsObject(given)) {
		ask->parameter = "chat_template_kwargs";
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "chat_template_kwargs: expected an object");
	}
	for (const cJSON *item = given ? given->child : NULL; item; item = item->next) {
		if (is_reserved(item->string)) {
			ask->parameter = "chat_template_kwargs";
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "chat_template_kwargs: %.60s cannot be given there",
					      item->string);
		}
		mote_json_add_item(b, variables, item->string, cJSON_Duplicate(item, true));
	}
	if (cJSON_IsString(effort) && !mote_json_get(given, "reasoning_effort"))
		mote_json_add_text(b, variables, "reasoning_effort", effort->valuestring);
	for (int i = 0; i < 2 && think >= 0; i++)
		if (!mote_json_get(given, switches[i]))
			mote_json_add_bool(b, variables, switches[i], think);
	return MOTE_OK;
}

static enum mote_status print(cJSON *json, char **text, struct mote_error *error)
{
	size_t bytes;

	*text = json ? mote_json_print(json, &bytes) : NULL;
	return *text ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the template's input");
}

/* Whether a message is the beginning of an answer: text of the assistant's, or nothing yet. */
static bool is_beginning(const cJSON *message)
{
	return is_text(mote_json_get(message, "role"), "assistant") && !mote_json_get(message, "tool_calls") &&
	       !(is_text(mote_json_get(message, "content"), "") && mote_json_get(message, "reasoning_content"));
}

/* How the conversation ends. Where its last message begins an answer, messages go on with that, as Anthropic says of
 * theirs, and so do chats, as llama.cpp's server lets them, unless vLLM's two flags say otherwise. */
static enum mote_status read_end(struct mote_ask *ask, cJSON *messages, struct mote_lm_chat *chat,
				 struct mote_error *error)
{
	cJSON *last = messages->child ? messages->child->prev : NULL;
	bool may = ask->dialect != MOTE_DIALECT_RESPONSES && is_beginning(last), begins = false, goes_on;
	enum mote_status status;

	if ((status = mote_ask_flag(ask, ask->json, "add_generation_prompt", &begins, error)))
		return status;
	chat->no_generation_prompt = cJSON_IsFalse(mote_json_get(ask->json, "add_generation_prompt"));
	goes_on = may && !begins;
	if ((status = mote_ask_flag(ask, ask->json, "continue_final_message", &goes_on, error)))
		return status;
	if (goes_on && (!may || begins))
		return mote_ask_wrong(ask, "continue_final_message", "a last message that is text of the assistant's, "
				      "and no add_generation_prompt", error);
	if (goes_on && is_text(mote_json_get(last, "content"), "")) {
		cJSON_Delete(cJSON_DetachItemViaPointer(messages, last));
		chat->no_generation_prompt = 0;
		goes_on = false;
	}
	chat->continues_last = goes_on;
	ask->job.options.continues_text = goes_on;
	return MOTE_OK;
}

enum mote_status mote_ask_chat(struct mote_ask *ask, struct mote_ask_chat *out, struct mote_error *error)
{
	struct mote_lm_chat chat = MOTE_LM_CHAT_INIT;
	const cJSON *tools = mote_json_get(ask->json, "tools");
	struct mote_json_builder b = {0};
	cJSON *messages, *variables = mote_json_new_object(&b);
	enum mote_status status;

	*out = (struct mote_ask_chat){.chat = chat};
	ask->parameter = ask->dialect == MOTE_DIALECT_RESPONSES ? "input" : "messages";
	messages = mote_ask_messages(ask, error);
	status = messages ? read_end(ask, messages, &out->chat, error) : error->code;
	if (status == MOTE_OK)
		status = make_variables(ask, &b, variables, error);
	if (status == MOTE_OK)
		status = mote_json_finish(&b, &variables, "the template's variables", error);
	if (status == MOTE_OK && tools && !cJSON_IsNull(tools) && !cJSON_IsArray(tools)) {
		ask->parameter = "tools";
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "tools: expected a list");
	}
	if (status == MOTE_OK && (status = print(messages, &out->messages, error)) == MOTE_OK)
		status = print(variables, &out->variables, error);
	if (status == MOTE_OK && cJSON_GetArraySize(tools) &&
	    !is_text(mote_json_get(ask->json, "tool_choice"), "none")) {
		ask->tools = true;
		size_t bytes;

		out->tools = mote_json_print(tools, &bytes);
		status = out->tools ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for tools");
	}
	out->chat.messages = out->messages;
	out->chat.tools = out->tools;
	out->chat.variables = out->variables;
	if (status == MOTE_OK)
		ask->parameter = NULL;
	cJSON_Delete(messages);
	cJSON_Delete(variables);
	return status;
}

void mote_ask_free_chat(struct mote_ask_chat *chat)
{
	free(chat->messages);
	free(chat->tools);
	free(chat->variables);
	*chat = (struct mote_ask_chat){0};
}
