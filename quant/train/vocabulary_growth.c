/* A vocabulary that grows: see vocabulary_growth.h. */
#include "quant/train/vocabulary_growth.h"

#include <stdlib.h>

#include "format/json_build.h"
#include "runtime/tokenizer/section_extend.h"

static enum mote_status grow_tokenizer(struct mote_vocabulary *v, const char *const *token, uint32_t n,
				       struct mote_error *error)
{
	enum mote_status status = mote_tokenizer_section_extend(v->section, v->section_bytes, token, n, &v->own,
								&v->section_bytes, error);

	if (status)
		return status;
	v->section = v->own;
	v->first = mote_tokenizer_vocab_size(v->tokenizer);
	v->added = n;
	v->rows = v->first + n > v->rows ? v->first + n : v->rows;
	mote_tokenizer_close(v->tokenizer);
	v->tokenizer = NULL;
	return mote_tokenizer_open(v->section, v->section_bytes, &v->tokenizer, error);
}

/* The places of the metadata that speak of the vocabulary (docs/container-format.md). */
static enum mote_status grow_metadata(struct mote_vocabulary *v, const char *const *token, struct mote_error *error)
{
	cJSON *tokens = cJSON_GetObjectItemCaseSensitive(v->metadata, "tokens");
	cJSON *special = cJSON_GetObjectItemCaseSensitive(tokens, "special");
	cJSON *model = cJSON_GetObjectItemCaseSensitive(v->metadata, "model");
	struct mote_json_builder b = {0};
	cJSON *rows = cJSON_CreateNumber(v->rows);

	if (!rows || !cJSON_ReplaceItemInObjectCaseSensitive(model, "vocab_size", rows)) {
		cJSON_Delete(rows);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "metadata: out of memory");
	}
	if (cJSON_IsObject(tokens) && !special)
		special = mote_json_add_object(&b, tokens, "special");
	for (uint32_t i = 0; i < v->added && special; i++)
		mote_json_add_number(&b, special, token[i], v->first + i);
	return b.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "metadata: out of memory") : MOTE_OK;
}

enum mote_status mote_vocabulary_open(struct mote_vocabulary *v, const struct mote_model *model,
				      const char *const *token, uint32_t n, struct mote_error *error)
{
	const struct mote_container *c = model->container;
	enum mote_status status;

	v->section = mote_container_section(c, MOTE_SECTION_TOKENIZER, &v->section_bytes);
	if (!v->section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer", mote_container_path(c));
	v->rows = model->config.vocab;
	v->metadata = cJSON_Duplicate(mote_container_metadata(c), true);
	status = v->metadata ? mote_tokenizer_open(v->section, v->section_bytes, &v->tokenizer, error)
			     : mote_error_set(error, MOTE_ERROR_MEMORY, "metadata: out of memory");
	if (status == MOTE_OK && n)
		status = grow_tokenizer(v, token, n, error);
	return status == MOTE_OK && n ? grow_metadata(v, token, error) : status;
}

void mote_vocabulary_free(struct mote_vocabulary *v)
{
	mote_tokenizer_close(v->tokenizer);
	cJSON_Delete(v->metadata);
	free(v->own);
	*v = (struct mote_vocabulary){0};
}
