#include "runtime/chat/chat.h"

#include <stdlib.h>
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

static enum mote_status render(const cJSON *metadata, const struct mote_chat_request *request,
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

/* ---- going on with the last message ---- */

/* Put behind the last content, it shows where a template lets that end. Its first letter comes once, so that no two
 * of it overlap. */
static const char mark[] = "Qend of content";

static enum mote_status mark_last(const cJSON *messages, cJSON **out, struct mote_error *error)
{
	const cJSON *content = mote_json_get(messages->child ? messages->child->prev : NULL, "content");
	const char *text = cJSON_IsString(content) ? content->valuestring : "";
	struct mote_json_builder b = {0};
	char *marked = NULL;

	if (!*text)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "messages: the last one has no text to go on with");
	*out = cJSON_Duplicate(messages, true);
	if (*out && (marked = malloc(strlen(text) + sizeof mark))) {
		memcpy(marked, text, strlen(text));
		memcpy(marked + strlen(text), mark, sizeof mark);
		cJSON_DeleteItemFromObjectCaseSensitive((*out)->child->prev, "content");
		mote_json_add_text(&b, (*out)->child->prev, "content", marked);
	}
	b.failed |= !marked;
	free(marked);
	return b.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the messages") : MOTE_OK;
}

static const char *find_mark(const struct mote_rendered *r)
{
	const char *found = NULL, *end = r->text + r->bytes;

	for (const char *at = r->text; (at = memmem(at, (size_t)(end - at), mark, sizeof mark - 1)); at++)
		found = at;
	return found;
}

/* Cuts off what stands behind the content: both renderings are the same but for the mark, and for white space before
 * it, which templates trim where a content ends. False: they are not. */
static bool cut_behind_content(struct mote_rendered *r, const struct mote_rendered *marked)
{
	const char *found = find_mark(marked);
	size_t n = sizeof mark - 1, end = found ? (size_t)(found - marked->text) : 0, trimmed;

	if (!found || marked->bytes - n < r->bytes || (trimmed = marked->bytes - n - r->bytes) > end)
		return false;
	end -= trimmed;
	if (memcmp(r->text, marked->text, end) || memcmp(r->text + end, found + n, r->bytes - end) ||
	    strspn(marked->text + end, " \t\r\n") < trimmed)
		return false;
	while (r->n_spans && r->spans[r->n_spans - 1].begin >= end)
		r->n_spans--;
	if (r->n_spans)
		r->spans[r->n_spans - 1].end = end;
	r->n_generated = 0;
	r->bytes = end;
	r->text[end] = 0;
	return true;
}

static enum mote_status render_open(const cJSON *metadata, const struct mote_chat_request *request,
				    struct mote_rendered *out, struct mote_error *error)
{
	struct mote_chat_request whole = *request;
	struct mote_rendered marked = {0};
	cJSON *messages = NULL;
	enum mote_status status;

	whole.no_generation_prompt = true;
	if ((status = render(metadata, &whole, out, error)) == MOTE_OK &&
	    (status = mark_last(request->messages, &messages, error)) == MOTE_OK) {
		whole.messages = messages;
		status = render(metadata, &whole, &marked, error);
	}
	if (status == MOTE_OK && !cut_behind_content(out, &marked))
		status = mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					"chat template: where it lets the last message's content end cannot be "
					"told, so that no answer can go on with it");
	if (status)
		mote_rendered_free(out);
	mote_rendered_free(&marked);
	cJSON_Delete(messages);
	return status;
}

enum mote_status mote_chat_render(const cJSON *metadata, const struct mote_chat_request *request,
				  struct mote_rendered *out, struct mote_error *error)
{
	return request->continues_last ? render_open(metadata, request, out, error)
				       : render(metadata, request, out, error);
}

bool mote_chat_opens_reasoning(const struct mote_reasoning_tags *tags, const struct mote_rendered *rendered)
{
	size_t n = rendered->n_spans, begin = 0;

	n -= n && rendered->spans[n - 1].plain; /* an answer's beginning */
	for (size_t i = 0; i < n; i++)
		if (rendered->spans[i].plain)
			begin = rendered->spans[i].end;
	return n && mote_reasoning_is_open(tags, rendered->text + begin, rendered->spans[n - 1].end - begin);
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
