/* Chat: the text that a model's own template makes of messages, as transformers' apply_chat_template() does.
 * Text of the template may become control tokens, text of messages never does.
 */
#ifndef MOTE_RUNTIME_CHAT_H
#define MOTE_RUNTIME_CHAT_H

#include "runtime/chat/reasoning.h"
#include "runtime/template/template.h"

struct mote_chat_request {
	const cJSON *messages;     /* array of {"role", "content", ...} */
	const cJSON *tools;        /* array, or NULL; prefers the template named "tool_use" */
	const char *template_text; /* instead of the model's own, or NULL */
	const cJSON *context;      /* object of further variables which override all others, or NULL */
	bool no_generation_prompt;
	/* The answer goes on with the last message: what is rendered ends with its content, without what the template
	 * puts behind that, an end of the turn or a generation prompt. */
	bool continues_last;
	int64_t now;               /* seconds since 1970, for templates that print the date */
};

/* Renders with the template of a container's metadata. All inputs are borrowed for the call; out is freed by the
 * caller with mote_rendered_free(). MOTE_ERROR_ARGUMENT: the model has no template, messages is no array, or the
 * template refused (raise_exception), or the last message has no text to go on with; MOTE_ERROR_UNSUPPORTED: where the
 * last content ends cannot be told; other statuses as mote_template_open() and mote_template_render(). */
enum mote_status mote_chat_render(const cJSON *metadata, const struct mote_chat_request *request,
				  struct mote_rendered *out, struct mote_error *error);

/* Whether the rendered text ends inside reasoning: behind the last text of a message, in the template's own generation
 * prompt, a tag opens it, or in what it puts before the beginning of an answer. */
bool mote_chat_opens_reasoning(const struct mote_reasoning_tags *tags, const struct mote_rendered *rendered);

/* Renders and encodes: appends the ids of the conversation to *ids.
 *   reasoning_open  mote_chat_opens_reasoning() of it, may be NULL */
enum mote_status mote_chat_encode(const cJSON *metadata, const struct mote_chat_request *request,
				  const struct mote_tokenizer *tokenizer, struct mote_ids *ids, bool *reasoning_open,
				  struct mote_error *error);

/* True when the metadata holds a template. */
bool mote_chat_has_template(const cJSON *metadata);

#endif
