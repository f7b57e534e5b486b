/* Opening a model for mote.h, and what can be asked of it; errors and options, which every file of the room needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/container.h"
#include "format/version.h"
#include "runtime/api/api.h"
#include "runtime/chat/chat.h"

/* The two lists of statuses are one, and so are the two versions. */
_Static_assert(MOTE_LM_IO == (int)MOTE_ERROR_IO && MOTE_LM_MEMORY == (int)MOTE_ERROR_MEMORY, "statuses differ");
_Static_assert(MOTE_LM_ARGUMENT == (int)MOTE_ERROR_ARGUMENT && MOTE_LM_CORRUPT == (int)MOTE_ERROR_CORRUPT,
	       "statuses differ");
_Static_assert(MOTE_LM_UNSUPPORTED == (int)MOTE_ERROR_UNSUPPORTED && MOTE_LM_LIMIT == (int)MOTE_ERROR_LIMIT,
	       "statuses differ");
_Static_assert(MOTE_LM_QUALITY == (int)MOTE_ERROR_QUALITY && MOTE_LM_INTERRUPTED == (int)MOTE_ERROR_INTERRUPTED,
	       "statuses differ");

const char *mote_version(void)
{
	return MOTE_VERSION;
}

int mote_api_fail(struct mote_lm_error *out, const struct mote_error *error)
{
	if (out) {
		out->status = (int)error->code;
		snprintf(out->message, sizeof out->message, "%s", error->message);
	}
	return (int)error->code;
}

int mote_api_refuse(struct mote_lm_error *out, enum mote_status status, const char *message)
{
	struct mote_error error = {0};

	(void)mote_error_set(&error, status, "%s", message);
	return mote_api_fail(out, &error);
}

int mote_api_options(void *own, size_t own_bytes, const void *given)
{
	size_t bytes;

	if (!given)
		return 1;
	memcpy(&bytes, given, sizeof bytes);
	if (bytes < sizeof bytes || bytes > 1 << 16)
		return 0;
	memcpy(own, given, bytes < own_bytes ? bytes : own_bytes);
	return 1;
}

int mote_lm_exit_code(int status)
{
	return mote_status_exit_code((enum mote_status)status);
}

void mote_lm_free(void *memory)
{
	free(memory);
}

/* What the model's makers set for answers (generation_config.json). */
static enum mote_status read_generation(struct mote_lm *lm, struct mote_error *error)
{
	const cJSON *generation = mote_json_get(lm->metadata, "generation");
	const cJSON *most = mote_json_get(generation, "max_new_tokens");
	const cJSON *stop = mote_json_get(generation, "stop_strings");
	int n = cJSON_IsArray(stop) ? cJSON_GetArraySize(stop) : 1;

	if (cJSON_IsNumber(most) && most->valuedouble >= 1 && most->valuedouble < UINT32_MAX)
		lm->max_tokens = (uint32_t)most->valuedouble;
	lm->stop = malloc(((size_t)n + 1) * sizeof *lm->stop);
	if (!lm->stop)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a model");
	for (const cJSON *text = cJSON_IsArray(stop) ? stop->child : stop; text;
	     text = cJSON_IsArray(stop) ? text->next : NULL)
		if (cJSON_IsString(text) && *text->valuestring)
			lm->stop[lm->stops++] = text->valuestring;
	return MOTE_OK;
}

int mote_lm_open(const char *path, const struct mote_lm_options *options, struct mote_lm **out,
		 struct mote_lm_error *error)
{
	struct mote_lm_options o = MOTE_LM_OPTIONS_INIT;
	struct mote_error own = {0};
	struct mote_lm *lm;
	const void *section;
	size_t bytes;

	*out = NULL;
	if (!mote_api_options(&o, sizeof o, options))
		return mote_api_refuse(error, MOTE_ERROR_ARGUMENT, "mote_lm_open: options without their size");
	lm = calloc(1, sizeof *lm);
	if (!lm)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for a model");
	if (!(lm->tokens = mote_api_tokens_open())) {
		(void)mote_error_set(&own, MOTE_ERROR_MEMORY, "no memory for a model");
		goto fail;
	}
	if (mote_model_open(path, o.mapped ? MOTE_WEIGHTS_MAPPED : MOTE_WEIGHTS_DEFAULT, &lm->model, &own))
		goto fail;
	lm->metadata = mote_container_metadata(lm->model->container);
	section = mote_container_section(lm->model->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section) {
		(void)mote_error_set(&own, MOTE_ERROR_UNSUPPORTED, "%s: the file has no tokenizer", path);
		goto fail;
	}
	if (mote_tokenizer_open(section, bytes, &lm->tokenizer, &own) || read_generation(lm, &own)) {
		mote_error_prefix(&own, "%s", path);
		goto fail;
	}
	*out = lm;
	return MOTE_LM_OK;
fail:
	mote_lm_close(lm);
	return mote_api_fail(error, &own);
}

void mote_lm_close(struct mote_lm *lm)
{
	if (!lm)
		return;
	free(lm->stop);
	mote_api_tokens_close(lm->tokens);
	mote_tokenizer_close(lm->tokenizer);
	mote_model_close(lm->model);
	free(lm);
}

void mote_lm_describe(const struct mote_lm *lm, struct mote_lm_info *info)
{
	const struct mote_container *container = lm->model->container;
	const struct mote_config *config = &lm->model->config;
	uint64_t weights = 0, bytes = 0;

	memset(info, 0, sizeof *info);
	info->vocab = config->vocab;
	info->hidden = config->hidden;
	info->layers = config->layers;
	info->max_tokens = config->max_positions;
	info->bos = config->bos;
	info->file_bytes = mote_container_file_bytes(container);
	info->chat = mote_chat_has_template(lm->metadata);
	info->reasons = mote_reasoning_tags_read(lm->metadata, lm->tokenizer).open != NULL;
	for (uint32_t i = 0; i < mote_container_tensor_count(container); i++) {
		const struct mote_tensor *t = mote_container_tensor(container, i);
		uint64_t n = (uint64_t)t->rows * t->cols;

		info->parameters += n;
		weights += t->rank == 2 ? n : 0;
		bytes += t->rank == 2 ? t->bytes : 0;
	}
	info->bits_per_weight = weights ? 8.0 * (double)bytes / (double)weights : 0;
}

/* A tree as text for the caller. */
static int print_json(const cJSON *json, char **text, struct mote_lm_error *error)
{
	size_t bytes;

	*text = mote_json_print(json, &bytes);
	return *text ? MOTE_LM_OK : mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for JSON");
}

int mote_lm_metadata(const struct mote_lm *lm, char **json, struct mote_lm_error *error)
{
	return print_json(lm->metadata, json, error);
}

int mote_lm_receipts(const struct mote_lm *lm, char **json, struct mote_lm_error *error)
{
	const cJSON *receipts = mote_container_receipts(lm->model->container);

	if (receipts)
		return print_json(receipts, json, error);
	*json = strdup("[]");
	return *json ? MOTE_LM_OK : mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for JSON");
}
