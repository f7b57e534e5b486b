/* See ask.h. A request as a whole, and its prompts; settings are in ask_settings.c, messages in ask_messages.c. */
#include "runtime/serve/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/word_list.h"

static const char where[] = "the request";

enum mote_status mote_ask_fail(const struct mote_lm_error *from, struct mote_error *error)
{
	return mote_error_set(error, (enum mote_status)from->status, "%s", from->message);
}

enum mote_status mote_ask_check_keys(struct mote_ask *ask, const cJSON *object, const char *words,
				     struct mote_error *error)
{
	for (const cJSON *item = object ? object->child : NULL; item; item = item->next)
		if (!cJSON_IsNull(item) && !mote_words_have(words, item->string)) {
			ask->parameter = item->string;
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "unknown parameter: %.200s", item->string);
		}
	return MOTE_OK;
}

/* ---- prompts ---- */

static enum mote_status check_length(struct mote_ask *ask, const char *key, size_t tokens, uint32_t context,
				     struct mote_error *error)
{
	ask->parameter = key;
	if (tokens == 0)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: the prompt is empty", key);
	if (tokens <= context)
		return MOTE_OK;
	ask->too_long = true;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: %zu tokens do not fit into the context of %u", key,
			      tokens, context);
}

static enum mote_status ids_of_array(const struct mote_lm *lm, struct mote_ask *ask, const cJSON *list, const char *key,
				     struct mote_job_prompt *out, struct mote_error *error)
{
	struct mote_lm_info info;
	int64_t id;

	mote_lm_describe(lm, &info);
	out->ids = malloc(((size_t)cJSON_GetArraySize(list) + 1) * sizeof *out->ids);
	if (!out->ids)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a prompt");
	for (const cJSON *item = list->child; item; item = item->next) {
		if (!mote_json_integer(item, &id) || id < 0 || id >= (int64_t)info.vocab)
			return mote_ask_wrong(ask, key, "token ids of the vocabulary", error);
		out->ids[out->count++] = (int32_t)id;
	}
	return MOTE_OK;
}

static enum mote_status read_prompt(const struct mote_lm *lm, struct mote_ask *ask, const cJSON *item, const char *key,
				    uint32_t context, struct mote_error *error)
{
	struct mote_job_prompt *out = &ask->prompt[ask->job.prompts++];
	const unsigned flags = strcmp(key, "prompt") ? MOTE_LM_ADD_SPECIAL : MOTE_LM_ADD_BEFORE;
	struct mote_lm_error own = {0};
	enum mote_status status = MOTE_OK;

	if (cJSON_IsArray(item))
		status = ids_of_array(lm, ask, item, key, out, error);
	else if (!cJSON_IsString(item))
		status = mote_ask_wrong(ask, key, "a text, token ids, or a list of these", error);
	else if (mote_lm_encode(lm, item->valuestring, strlen(item->valuestring), flags, &out->ids, &out->count,
				&own))
		status = mote_ask_fail(&own, error);
	return status ? status : check_length(ask, key, out->count, context, error);
}

enum mote_status mote_ask_read_input(const struct mote_lm *lm, const cJSON *input, const char *name, int most,
				     uint32_t context_tokens, struct mote_ask *ask, struct mote_error *error)
{
	bool many = cJSON_IsArray(input) && input->child && !cJSON_IsNumber(input->child);
	int prompts = many ? cJSON_GetArraySize(input) : 1;
	enum mote_status status = MOTE_OK;
	char expected[80];

	snprintf(expected, sizeof expected, "a text, token ids, or a list of up to %d of these", most);
	if (!input || prompts > most)
		return mote_ask_wrong(ask, name, expected, error);
	ask->prompt = calloc((size_t)prompts, sizeof *ask->prompt);
	if (!ask->prompt)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %d prompts", prompts);
	for (const cJSON *item = many ? input->child : input; item && status == MOTE_OK;
	     item = many ? item->next : NULL)
		status = read_prompt(lm, ask, item, name, context_tokens, error);
	return status;
}

static enum mote_status check_chat(struct mote_ask *ask, struct mote_error *error)
{
	struct mote_ask_chat chat = {0};
	enum mote_status status = mote_ask_chat(ask, &chat, error);

	mote_ask_free_chat(&chat);
	return status;
}

static enum mote_status read_chat(const struct mote_lm *lm, struct mote_ask *ask, uint32_t context_tokens,
				  struct mote_error *error)
{
	struct mote_ask_chat chat = {0};
	struct mote_lm_error own = {0};
	enum mote_status status = mote_ask_chat(ask, &chat, error);

	ask->prompt = calloc(1, sizeof *ask->prompt);
	if (status == MOTE_OK && !ask->prompt)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a prompt");
	if (status == MOTE_OK) {
		ask->job.prompts = 1;
		if (mote_lm_encode_chat(lm, &chat.chat, &ask->prompt->ids, &ask->prompt->count,
					&ask->prompt->reasoning_open, &own)) {
			ask->parameter = "messages";
			status = mote_ask_fail(&own, error);
		} else {
			status = check_length(ask, ask->dialect == MOTE_DIALECT_RESPONSES ? "input" : "messages",
					      ask->prompt->count, context_tokens, error);
		}
	}
	mote_ask_free_chat(&chat);
	return status;
}

enum mote_status mote_ask_read(const struct mote_lm *lm, enum mote_dialect dialect, const char *body, size_t bytes,
			       uint32_t context_tokens, struct mote_ask *ask, struct mote_error *error)
{
	struct mote_lm_answer_options options = MOTE_LM_ANSWER_OPTIONS_INIT;
	enum mote_status status;

	*ask = (struct mote_ask){.dialect = dialect, .job = {.options = options, .fd = -1}};
	if ((status = mote_json_parse(body, bytes, where, &ask->json, error)))
		return status;
	if (!cJSON_IsObject(ask->json))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: expected an object", where);
	if ((status = mote_ask_settings(lm, ask, error)) || (status = lm ? mote_ask_grammar(lm, ask, error) : MOTE_OK))
		return status;
	if (!lm)
		return dialect == MOTE_DIALECT_COMPLETION ? MOTE_OK : check_chat(ask, error);
	if (dialect == MOTE_DIALECT_COMPLETION) {
		ask->job.options.continues_text = ask->job.options.one_text = 1;
		status = mote_ask_read_input(lm, mote_json_get(ask->json, "prompt"), "prompt", MOTE_ASK_MAX_CHOICES,
					     context_tokens, ask, error);
	} else {
		status = read_chat(lm, ask, context_tokens, error);
	}
	ask->job.prompt = ask->prompt;
	if (status == MOTE_OK && ask->job.prompts * ask->job.copies > MOTE_ASK_MAX_CHOICES)
		status = mote_ask_wrong(ask, "n", "at most 128 choices in all", error);
	return status;
}

void mote_ask_free(struct mote_ask *ask)
{
	for (uint32_t i = 0; ask->prompt && i < ask->job.prompts; i++)
		mote_lm_free(ask->prompt[i].ids);
	free(ask->prompt);
	free(ask->stop);
	free(ask->bias_ids);
	free(ask->bias);
	mote_lm_grammar_close(ask->grammar);
	cJSON_Delete(ask->json);
	*ask = (struct mote_ask){0};
}
