/* Text to ids and back for mote.h; conversations through the model's template. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/api/api.h"
#include "runtime/chat/chat.h"

/* An array of ids for the caller, who frees it; empty ones are an array too. */
static int give_ids(struct mote_ids *from, int32_t **ids, size_t *count, struct mote_lm_error *error)
{
	if (!from->id && !(from->id = malloc(sizeof *from->id)))
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for ids");
	*ids = from->id;
	*count = from->count;
	return MOTE_LM_OK;
}

int mote_lm_encode(const struct mote_lm *lm, const char *text, size_t bytes, unsigned flags, int32_t **ids,
		   size_t *count, struct mote_lm_error *error)
{
	struct mote_error own = {0};
	struct mote_ids list = {0};
	unsigned inner = (flags & MOTE_LM_ADD_SPECIAL ? MOTE_ENCODE_ADD_SPECIAL : 0) |
			 (flags & MOTE_LM_ADD_BEFORE ? MOTE_ENCODE_ADD_BEFORE : 0) |
			 (flags & MOTE_LM_PLAIN ? MOTE_ENCODE_PLAIN : 0);

	*ids = NULL;
	*count = 0;
	if (mote_tokenizer_encode(lm->tokenizer, text, bytes, inner, &list, &own)) {
		mote_ids_free(&list);
		return mote_api_fail(error, &own);
	}
	return give_ids(&list, ids, count, error);
}

int mote_lm_decode(const struct mote_lm *lm, const int32_t *ids, size_t count, int special, char **text,
		   size_t *bytes, struct mote_lm_error *error)
{
	struct mote_error own = {0};

	*text = NULL;
	*bytes = 0;
	return mote_tokenizer_decode(lm->tokenizer, ids, count, !special, text, bytes, &own)
		? mote_api_fail(error, &own) : MOTE_LM_OK;
}

const char *mote_lm_token(const struct mote_lm *lm, int32_t id, size_t *bytes)
{
	return mote_tokenizer_token(lm->tokenizer, id, bytes);
}

int32_t mote_lm_token_id(const struct mote_lm *lm, const char *text, size_t bytes)
{
	return mote_tokenizer_find(lm->tokenizer, text, bytes);
}

int mote_lm_is_end(const struct mote_lm *lm, int32_t id)
{
	for (uint32_t i = 0; i < lm->model->config.n_eos; i++)
		if (lm->model->config.eos[i] == id)
			return 1;
	return 0;
}

int mote_lm_opens_reasoning(const struct mote_lm *lm, const char *text, size_t bytes)
{
	struct mote_reasoning_tags tags = mote_reasoning_tags_read(lm->metadata, lm->tokenizer);

	return mote_reasoning_is_open(&tags, text, bytes);
}

/* ---- streams ---- */

struct mote_lm_text {
	const struct mote_tokenizer *tokenizer;
	struct mote_detokenizer state;
	bool skip_special;
};

int mote_lm_text_open(const struct mote_lm *lm, int flags, struct mote_lm_text **out, struct mote_lm_error *error)
{
	*out = calloc(1, sizeof **out);
	if (!*out)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for a text stream");
	(*out)->tokenizer = lm->tokenizer;
	(*out)->skip_special = !(flags & MOTE_LM_TEXT_SPECIAL);
	(*out)->state.started = (flags & MOTE_LM_TEXT_CONTINUES) != 0;
	(*out)->state.raw = (flags & MOTE_LM_TEXT_BYTES) != 0;
	return MOTE_LM_OK;
}

const char *mote_lm_text_next(struct mote_lm_text *t, int32_t id, size_t *bytes)
{
	return mote_detokenizer_next(&t->state, t->tokenizer, id, t->skip_special, bytes);
}

const char *mote_lm_text_flush(struct mote_lm_text *t, size_t *bytes)
{
	return mote_detokenizer_flush(&t->state, bytes);
}

void mote_lm_text_close(struct mote_lm_text *t)
{
	free(t);
}

/* ---- conversations ---- */

/* The request's JSON texts as trees. */
struct chat_trees {
	cJSON *messages, *tools, *variables;
	struct mote_chat_request request;
};

static enum mote_status parse(const char *text, const char *name, cJSON **out, struct mote_error *error)
{
	*out = NULL;
	return text ? mote_json_parse(text, strlen(text), name, out, error) : MOTE_OK;
}

static enum mote_status read_chat(const struct mote_lm_chat *chat, struct chat_trees *t, struct mote_error *error)
{
	struct mote_lm_chat c = MOTE_LM_CHAT_INIT;
	enum mote_status status;

	if (!chat || !mote_api_options(&c, sizeof c, chat))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a chat without its size");
	if (!c.messages)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "messages: none are given");
	if ((status = parse(c.messages, "messages", &t->messages, error)) ||
	    (status = parse(c.tools, "tools", &t->tools, error)) ||
	    (status = parse(c.variables, "variables", &t->variables, error)))
		return status;
	if (t->tools && !cJSON_IsArray(t->tools))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "tools: expected an array");
	if (t->variables && !cJSON_IsObject(t->variables))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "variables: expected an object");
	t->request = (struct mote_chat_request){.messages = t->messages, .tools = t->tools, .context = t->variables,
						.template_text = c.template_text,
						.no_generation_prompt = c.no_generation_prompt != 0,
						.continues_last = c.continues_last != 0,
						.now = c.now ? c.now : (int64_t)time(NULL)};
	return MOTE_OK;
}

static void free_chat(struct chat_trees *t)
{
	cJSON_Delete(t->messages);
	cJSON_Delete(t->tools);
	cJSON_Delete(t->variables);
}

int mote_lm_render(const struct mote_lm *lm, const struct mote_lm_chat *chat, char **text, size_t *bytes,
		   struct mote_lm_error *error)
{
	struct mote_rendered rendered = {0};
	struct mote_error own = {0};
	struct chat_trees trees = {0};

	*text = NULL;
	*bytes = 0;
	if (read_chat(chat, &trees, &own) == MOTE_OK &&
	    mote_chat_render(lm->metadata, &trees.request, &rendered, &own) == MOTE_OK) {
		*text = rendered.text;
		*bytes = rendered.bytes;
		rendered.text = NULL; /* the caller's now */
	}
	mote_rendered_free(&rendered);
	free_chat(&trees);
	return own.code ? mote_api_fail(error, &own) : MOTE_LM_OK;
}

int mote_lm_encode_chat(const struct mote_lm *lm, const struct mote_lm_chat *chat, int32_t **ids, size_t *count,
			int *reasoning_open, struct mote_lm_error *error)
{
	struct mote_error own = {0};
	bool open = false;
	struct chat_trees trees = {0};
	struct mote_ids list = {0};

	*ids = NULL;
	*count = 0;
	if (read_chat(chat, &trees, &own) == MOTE_OK)
		(void)mote_chat_encode(lm->metadata, &trees.request, lm->tokenizer, &list, &open, &own);
	if (reasoning_open)
		*reasoning_open = open;
	free_chat(&trees);
	if (own.code) {
		mote_ids_free(&list);
		return mote_api_fail(error, &own);
	}
	return give_ids(&list, ids, count, error);
}
