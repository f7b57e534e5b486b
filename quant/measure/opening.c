/* What a text that a model writes begins with: see opening.h. */
#include "quant/measure/opening.h"

#include <stdlib.h>
#include <string.h>

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for generated text");
}

enum mote_status mote_opening_render_user(const cJSON *metadata, const char *content, struct mote_rendered *out,
					  struct mote_error *error)
{
	cJSON *messages = cJSON_CreateArray(), *message = cJSON_CreateObject();
	struct mote_chat_request request = {.messages = messages};
	enum mote_status status;

	if (!messages || !message || !cJSON_AddStringToObject(message, "role", "user") ||
	    !cJSON_AddStringToObject(message, "content", content) || !cJSON_AddItemToArray(messages, message)) {
		cJSON_Delete(message);
		cJSON_Delete(messages);
		return no_memory(error);
	}
	status = mote_chat_render(metadata, &request, out, error);
	cJSON_Delete(messages);
	return status;
}

/* Whether an error speaks of this machine at this moment, not of the template. */
static bool is_of_the_moment(enum mote_status status)
{
	return status == MOTE_ERROR_MEMORY || status == MOTE_ERROR_IO || status == MOTE_ERROR_INTERRUPTED;
}

/* The template's text up to where the user speaks. Not a chat when the template does not take a plain user message;
 * then the model is treated like one without a template. */
static enum mote_status find_chat(const cJSON *metadata, const struct mote_tokenizer *tokenizer,
				  struct mote_opening *out, struct mote_error *error)
{
	static const char mark[] = "zqUserSpeaksHereqz";
	struct mote_rendered rendered = {0};
	struct mote_error refused = {0};
	const char *place;
	enum mote_status status;

	if (!mote_chat_has_template(metadata))
		return MOTE_OK;
	status = mote_opening_render_user(metadata, mark, &rendered, &refused);
	place = status == MOTE_OK ? strstr(rendered.text, mark) : NULL;
	if (place && place != rendered.text) {
		status = mote_tokenizer_encode(tokenizer, rendered.text, (size_t)(place - rendered.text), 0, &out->ids,
					       &refused);
		out->chat = status == MOTE_OK && out->ids.count > 0;
	}
	mote_rendered_free(&rendered);
	return is_of_the_moment(status) ? mote_error_set(error, status, "%s", refused.message) : MOTE_OK;
}

/* What plain text begins with: what the tokenizer puts before any text, else a control token. */
static enum mote_status find_start(const struct mote_model *m, const struct mote_tokenizer *tokenizer,
				   struct mote_opening *out, struct mote_error *error)
{
	const struct mote_config *c = &m->config;
	int32_t start = c->bos >= 0 ? c->bos : c->n_eos ? c->eos[0] : -1;
	enum mote_status status;

	out->ids.count = 0;
	status = mote_tokenizer_encode(tokenizer, "", 0, MOTE_ENCODE_ADD_BEFORE, &out->ids, error);
	if (status != MOTE_OK || out->ids.count > 0)
		return status;
	if (start < 0)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: no bos, no eos, no chat template: nothing to "
				      "start a text from; give one (--validate FILE)",
				      mote_container_path(m->container));
	out->ids.id = malloc(sizeof *out->ids.id);
	if (!out->ids.id)
		return no_memory(error);
	out->ids.id[0] = start;
	out->ids.count = out->ids.capacity = 1;
	return MOTE_OK;
}

/* Whether the tokenizer puts a bos before any text. */
static enum mote_status find_bos(int32_t bos, const struct mote_tokenizer *tokenizer, bool *adds,
				 struct mote_error *error)
{
	struct mote_ids ids = {0};
	enum mote_status status = mote_tokenizer_encode(tokenizer, "", 0, MOTE_ENCODE_ADD_BEFORE, &ids, error);

	*adds = status == MOTE_OK && ids.count > 0 && ids.id[0] == bos;
	mote_ids_free(&ids);
	return status;
}

enum mote_status mote_opening_find(const struct mote_model *m, const struct mote_tokenizer *tokenizer, uint32_t context,
				   struct mote_opening *out, struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_opening){0};
	status = find_chat(mote_container_metadata(m->container), tokenizer, out, error);
	out->chat = out->chat && out->ids.count + 2 < context;
	if (status == MOTE_OK && !out->chat)
		status = find_start(m, tokenizer, out, error);
	if (status == MOTE_OK)
		status = find_bos(m->config.bos, tokenizer, &out->bos, error);
	return status;
}

int32_t mote_opening_word(const struct mote_model *m, const struct mote_tokenizer *tokenizer, uint64_t random)
{
	uint32_t vocab = mote_tokenizer_vocab_size(tokenizer), n = vocab < m->config.vocab ? vocab : m->config.vocab;

	for (uint32_t i = 0; i < n; i++) {
		int32_t id = (int32_t)((random + i) % n);
		size_t bytes;

		if (!mote_tokenizer_is_special(tokenizer, id) && mote_tokenizer_token(tokenizer, id, &bytes))
			return id;
	}
	return -1;
}
