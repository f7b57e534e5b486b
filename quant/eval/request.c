/* Requests: see request.h. */
#include "quant/eval/request.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/json_build.h"
#include "quant/eval/ifeval_text.h"
#include "runtime/chat/chat.h"

void mote_requests_free(struct mote_requests *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		free(r->request[i].id);
		free(r->request[i].continuation);
	}
	free(r->context);
	*r = (struct mote_requests){0};
}

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for requests");
}

/* Bytes of a text without the white space at its end. */
static size_t bytes_kept(const char *text)
{
	struct mote_span s = mote_span_strip(mote_span_of(text));

	return s.bytes ? (size_t)(s.at - text) + s.bytes : 0;
}

static char *join(const char *a, size_t a_bytes, const char *b, const char *c)
{
	size_t b_bytes = strlen(b), c_bytes = strlen(c);
	char *text = malloc(a_bytes + b_bytes + c_bytes + 1);

	if (!text)
		return NULL;
	memcpy(text, a, a_bytes);
	memcpy(text + a_bytes, b, b_bytes);
	memcpy(text + a_bytes + b_bytes, c, c_bytes + 1);
	return text;
}

/* The context as the user's turn, up to where the model speaks. */
static enum mote_status render(const struct mote_item *item, const cJSON *metadata, struct mote_rendered *out,
			       struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *messages = mote_json_new_array(&b), *message = mote_json_add_object(&b, messages, NULL);
	struct mote_chat_request request = {0};
	enum mote_status status;

	mote_json_add_text(&b, message, "role", "user");
	mote_json_add_text(&b, message, "content", item->context);
	status = mote_json_finish(&b, &messages, "a conversation", error);
	request.messages = messages;
	if (!status)
		status = mote_chat_render(metadata, &request, out, error);
	cJSON_Delete(messages);
	return status;
}

/* Encodes text; with chat its tail (a continuation) is plain like the user's words, so that it cannot end a turn. */
static enum mote_status encode(const struct mote_tokenizer *t, const char *text, const struct mote_rendered *rendered,
			       struct mote_ids *ids, struct mote_error *error)
{
	struct mote_text_span *span;
	size_t bytes = strlen(text);
	enum mote_status status;

	if (!rendered->text)
		return mote_tokenizer_encode(t, text, bytes, MOTE_ENCODE_ADD_BEFORE, ids, error);
	span = malloc((rendered->n_spans + 1) * sizeof *span);
	if (!span)
		return no_memory(error);
	memcpy(span, rendered->spans, rendered->n_spans * sizeof *span);
	span[rendered->n_spans] = (struct mote_text_span){rendered->bytes, bytes, true};
	status = mote_tokenizer_encode_spans(t, text, span, rendered->n_spans + (bytes > rendered->bytes), 0,
					     ids, error);
	free(span);
	return status;
}

/* Takes ids over; what does not fit goes from the beginning. */
static enum mote_status set_request(struct mote_request *r, struct mote_ids *ids, uint32_t context, uint32_t most,
				    struct mote_error *error)
{
	uint32_t count = (uint32_t)ids->count, drop;

	if (context == 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "the context is empty, and the tokenizer puts no "
				      "token before a text; expected something to go on from");
	if (ids->count > UINT32_MAX / 2 || (uint32_t)ids->count < context)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "a context of %u tokens and %zu in all", context,
				      ids->count);
	/* The last token is never computed: it only has to be predicted. */
	drop = most && count > most + (count > context) ? count - most - (count > context) : 0;
	memmove(ids->id, ids->id + drop, (count - drop) * sizeof *ids->id);
	r->id = ids->id;
	r->context = drop < context ? context - drop : 1; /* something has to be there to predict the first from */
	r->count = count - drop;
	r->truncated = drop > 0;
	*ids = (struct mote_ids){0};
	return MOTE_OK;
}

static enum mote_status make_choice(const struct mote_item *item, uint32_t choice, const struct mote_tokenizer *t,
				    const struct mote_rendered *rendered, uint32_t most, struct mote_requests *out,
				    struct mote_error *error)
{
	size_t bytes = strlen(out->context), kept = rendered->text ? bytes : bytes_kept(out->context);
	struct mote_request *r = &out->request[choice];
	struct mote_ids whole = {0}, context = {0};
	char *text, *head;
	enum mote_status status = MOTE_OK;

	r->continuation = join(out->context + kept, bytes - kept, rendered->text ? "" : " ", item->choice[choice]);
	out->count = choice + 1;
	head = join(out->context, kept, "", "");
	text = r->continuation ? join(out->context, kept, r->continuation, "") : NULL;
	if (!text || !head)
		status = no_memory(error);
	if (!status)
		status = encode(t, head, rendered, &context, error);
	if (!status)
		status = encode(t, text, rendered, &whole, error);
	if (!status && whole.count <= context.count)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "choice \"%s\" adds no token to its context",
					item->choice[choice]);
	if (!status)
		status = set_request(r, &whole, (uint32_t)context.count, most, error);
	mote_ids_free(&whole);
	mote_ids_free(&context);
	free(text);
	free(head);
	return status;
}

enum mote_status mote_requests_make(const struct mote_task *task, const struct mote_item *item, const cJSON *metadata,
				    const struct mote_tokenizer *tokenizer, const struct mote_request_options *options,
				    struct mote_requests *out, struct mote_error *error)
{
	struct mote_rendered rendered = {0};
	struct mote_ids ids = {0};
	XXH128_hash_t hash;
	enum mote_status status = MOTE_OK;

	*out = (struct mote_requests){0};
	if (options->chat)
		status = render(item, metadata, &rendered, error);
	if (!status && !(out->context = strdup(rendered.text ? rendered.text : item->context)))
		status = no_memory(error);
	if (!status && rendered.text) {
		struct mote_reasoning_tags tags = mote_reasoning_tags_read(metadata, tokenizer);

		out->reasoning_open = mote_chat_opens_reasoning(&tags, &rendered);
	}
	for (uint32_t c = 0; c < item->choices && !status; c++)
		status = make_choice(item, c, tokenizer, &rendered, options->context_tokens, out, error);
	if (!status && task->row->kind != MOTE_TASK_CHOICE) {
		out->count = 1;
		status = encode(tokenizer, out->context, &rendered, &ids, error);
		if (!status)
			status = set_request(&out->request[0], &ids, (uint32_t)ids.count, options->context_tokens,
					     error);
	}
	if (!status) {
		hash = XXH3_128bits(out->context, strlen(out->context));
		out->hash = (struct mote_hash128){hash.low64, hash.high64};
	} else {
		mote_error_prefix(error, "item %s", item->id);
		mote_requests_free(out);
	}
	mote_ids_free(&ids);
	mote_rendered_free(&rendered);
	return status;
}
