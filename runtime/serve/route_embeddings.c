/* The route of embeddings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/routes.h"

static void add_base64(struct mote_json_builder *b, cJSON *item, const float *value, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *byte = (const unsigned char *)value;
	size_t bytes = n * sizeof *value;
	struct mote_bytes text = {0};

	for (size_t i = 0; i < bytes; i += 3) {
		size_t left = bytes - i;
		unsigned second = left > 1 ? byte[i + 1] : 0, third = left > 2 ? byte[i + 2] : 0;
		unsigned three = (unsigned)byte[i] << 16 | second << 8 | third;
		char four[4] = {digit[three >> 18], digit[three >> 12 & 63], left > 1 ? digit[three >> 6 & 63] : '=',
				left > 2 ? digit[three & 63] : '='};

		mote_bytes_add(&text, four, sizeof four);
	}
	mote_json_add_text(b, item, "embedding", text.text ? text.text : "");
	b->failed |= text.failed;
	mote_bytes_free(&text);
}

/* As text at once: a tree of all the numbers of a large request would take a hundred MB. */
static void add_numbers(struct mote_json_builder *b, cJSON *item, const float *value, size_t n)
{
	struct mote_bytes text = {0};

	for (size_t i = 0; i < n; i++)
		mote_bytes_print(&text, "%c%.17g", i ? ',' : '[', (double)value[i]);
	mote_bytes_add(&text, "]", 1);
	b->failed |= text.failed;
	mote_json_add_item(b, item, "embedding", text.failed ? NULL : cJSON_CreateRaw(text.text));
	mote_bytes_free(&text);
}

static cJSON *embeddings(struct mote_serve *s, const struct mote_ask *ask, bool base64, struct mote_json_builder *b)
{
	cJSON *json = mote_json_new_object(b), *list, *usage;
	size_t tokens = 0;

	mote_json_add_text(b, json, "object", "list");
	list = mote_json_add_array(b, json, "data");
	for (uint32_t i = 0; i < ask->job.prompts; i++) {
		const float *value = ask->job.embedding + (size_t)i * s->info.hidden;
		cJSON *item = mote_json_add_object(b, list, NULL);

		mote_json_add_text(b, item, "object", "embedding");
		mote_json_add_number(b, item, "index", i);
		if (base64)
			add_base64(b, item, value, s->info.hidden);
		else
			add_numbers(b, item, value, s->info.hidden);
		tokens += ask->prompt[i].count;
	}
	mote_json_add_text(b, json, "model", s->model);
	usage = mote_json_add_object(b, json, "usage");
	mote_json_add_number(b, usage, "prompt_tokens", (double)tokens);
	mote_json_add_number(b, usage, "total_tokens", (double)tokens);
	return json;
}

static bool is_text(const cJSON *item, const char *text)
{
	return cJSON_IsString(item) && !strcmp(item->valuestring, text);
}

/* Runs the job to its end. False: it failed, and the request was refused. */
static bool run(struct mote_serve *s, struct mote_exchange *x, struct mote_job *job)
{
	struct mote_piece *list;
	uint32_t ended = 0, failed = 0;

	while ((list = mote_engine_wait(s->engine, job))) {
		for (struct mote_piece *p = list; p; p = p->next) {
			ended += p->kind == MOTE_PIECE_END;
			if (p->kind == MOTE_PIECE_FAILED && !failed++)
				mote_route_failed(x, p->status, p->text);
		}
		mote_piece_free(list);
	}
	mote_engine_release(s->engine, job);
	if (!failed && ended < job->prompts)
		mote_route_failed(x, MOTE_LM_MEMORY, "no memory for an embedding");
	return ended == job->prompts;
}

void mote_route_embeddings(struct mote_serve *s, struct mote_exchange *x)
{
	struct mote_lm_answer_options options = MOTE_LM_ANSWER_OPTIONS_INIT;
	const cJSON *format, *input, *pooling, *size;
	struct mote_json_builder b = {0};
	struct mote_error error = {0};
	struct mote_ask ask;
	bool base64;

	if (!mote_route_read_body(x, "model input encoding_format dimensions pooling user", &ask))
		return;
	format = mote_json_get(ask.json, "encoding_format");
	input = mote_json_get(ask.json, "input");
	pooling = mote_json_get(ask.json, "pooling");
	size = mote_json_get(ask.json, "dimensions");
	ask.job.embedding_last = is_text(pooling, "last");
	base64 = is_text(format, "base64");
	ask.job.options = options;
	ask.job.options.prompt_only = 1;
	ask.job.copies = 1;
	mote_lm_sampling_recommended(s->lm, &ask.job.sampling);
	if (format && !cJSON_IsNull(format) && !base64 && !is_text(format, "float")) {
		mote_route_refuse(x, 400, "encoding_format", NULL, "encoding_format: expected float or base64");
	} else if (pooling && !cJSON_IsNull(pooling) && !ask.job.embedding_last && !is_text(pooling, "mean")) {
		mote_route_refuse(x, 400, "pooling", NULL, "pooling: expected mean or last");
	} else if (size && !cJSON_IsNull(size) && !(cJSON_IsNumber(size) && size->valuedouble == s->info.hidden)) {
		mote_route_refuse(x, 400, "dimensions", "unsupported",
				  "dimensions: expected as many as this model has");
	} else if (mote_ask_read_input(s->lm, input, "input", MOTE_ASK_MAX_INPUTS, s->context_tokens, &ask, &error)) {
		mote_route_fail(x, &ask, &error);
	} else if (!(ask.job.embedding = calloc(ask.job.prompts, s->info.hidden * sizeof *ask.job.embedding))) {
		mote_route_refuse(x, 500, NULL, NULL, "no memory for embeddings");
	} else {
		ask.job.prompt = ask.prompt;
		if (mote_route_submit(s, x, &ask.job) && run(s, x, &ask.job))
			mote_route_json(x, &b, embeddings(s, &ask, base64, &b));
	}
	free(ask.job.embedding);
	mote_ask_free(&ask);
}
