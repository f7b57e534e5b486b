#include "runtime/chat/chat.h"

#include <string.h>

#include "format/json_build.h"

/* The variables that transformers takes from special_tokens_map: text of the model, so it may become tokens. */
static const char *const trusted[] = {"bos_token", "eos_token", "unk_token", "pad_token", NULL};
static const char *const trusted_keys[] = {"bos_text", "eos_text", "unk_text", "pad_text"};

static const char *find_template(const cJSON *metadata, const char *name)
{
	const cJSON *list = mote_json_get(metadata, "chat_templates");

	for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
		const cJSON *found = mote_json_get(item, "name"), *text = mote_json_get(item, "template");

		if (cJSON_IsString(found) && cJSON_IsString(text) && !strcmp(found->valuestring, name))
			return text->valuestring;
	}
	return NULL;
}

bool mote_chat_has_template(const cJSON *metadata)
{
	return find_template(metadata, "default") != NULL;
}

/* A list of the request's own, which the tree that it is put into does not free. The cast only satisfies a signature
 * that lacks const. */
static cJSON *reference(const cJSON *list)
{
	return cJSON_CreateArrayReference((cJSON *)(uintptr_t)list->child);
}

/* The template's variables. */
static enum mote_status make_context(const cJSON *metadata, const struct mote_chat_request *request, cJSON **out,
				     struct mote_error *error)
{
	const cJSON *tokens = mote_json_get(metadata, "tokens");
	struct mote_json_builder b = {0};
	cJSON *context = mote_json_new_object(&b);

	mote_json_add_item(&b, context, "messages", reference(request->messages));
	if (request->tools)
		mote_json_add_item(&b, context, "tools", reference(request->tools));
	else
		mote_json_add_null(&b, context, "tools");
	mote_json_add_null(&b, context, "documents");
	mote_json_add_bool(&b, context, "add_generation_prompt", !request->no_generation_prompt);
	for (size_t i = 0; trusted[i]; i++) {
		const cJSON *text = mote_json_get(tokens, trusted_keys[i]);

		if (cJSON_IsString(text))
			mote_json_add_text(&b, context, trusted[i], text->valuestring);
	}
	for (const cJSON *item = request->context ? request->context->child : NULL; item; item = item->next) {
		cJSON_DeleteItemFromObjectCaseSensitive(context, item->string);
		mote_json_add_item(&b, context, item->string, cJSON_Duplicate(item, true));
	}
	*out = context;
	return mote_json_finish(&b, out, "the template's variables", error);
}

enum mote_status mote_chat_render(const cJSON *metadata, const struct mote_chat_request *request,
				  struct mote_rendered *out, struct mote_error *error)
{
	struct mote_template_options options = mote_template_options_default();
	struct mote_template_limits limits = {.now = request->now};
	const char *text = request->template_text;
	struct mote_template *template = NULL;
	enum mote_status status;
	cJSON *context;

	memset(out, 0, sizeof *out);
	if (!text && request->tools)
		text = find_template(metadata, "tool_use");
	if (!text)
		text = find_template(metadata, "default");
	if (!text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the model has no chat template");
	if (!cJSON_IsArray(request->messages))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "messages: expected an array");
	if (request->tools && !cJSON_IsArray(request->tools))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "tools: expected an array");
	if ((status = make_context(metadata, request, &context, error)))
		return status;
	status = mote_template_open(text, strlen(text), &options, &template, error);
	if (status == MOTE_OK)
		status = mote_template_render(template, context, trusted, &limits, out, error);
	if (status)
		mote_error_prefix(error, "chat template");
	mote_template_close(template);
	cJSON_Delete(context);
	return status;
}

bool mote_chat_opens_reasoning(const struct mote_reasoning_tags *tags, const struct mote_rendered *rendered)
{
	size_t begin = 0;

	for (size_t i = 0; i < rendered->n_spans; i++)
		if (rendered->spans[i].plain)
			begin = rendered->spans[i].end;
	return mote_reasoning_is_open(tags, rendered->text + begin, rendered->bytes - begin);
}

enum mote_status mote_chat_encode(const cJSON *metadata, const struct mote_chat_request *request,
				  const struct mote_tokenizer *tokenizer, struct mote_ids *ids, bool *reasoning_open,
				  struct mote_error *error)
{
	struct mote_reasoning_tags tags = mote_reasoning_tags_read(metadata, tokenizer);
	struct mote_rendered rendered;
	enum mote_status status = mote_chat_render(metadata, request, &rendered, error);

	if (status == MOTE_OK)
		status = mote_tokenizer_encode_spans(tokenizer, rendered.text, rendered.spans, rendered.n_spans, 0,
						     ids, error);
	if (reasoning_open)
		*reasoning_open = status == MOTE_OK && mote_chat_opens_reasoning(&tags, &rendered);
	mote_rendered_free(&rendered);
	return status;
}
