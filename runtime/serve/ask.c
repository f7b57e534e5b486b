/* See ask.h. Settings and prompts; messages are in ask_messages.c. */
#include "runtime/serve/ask.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char where[] = "the request";

/* Every name that a dialect knows. Those of the last line of each change nothing here: they steer a service (billing,
 * caches, storage) that is not there. */
static const char *const known[] = {
	[MOTE_DIALECT_CHAT] = "model messages stream stream_options temperature top_p top_k min_p typical_p n seed stop max_tokens "
		"max_completion_tokens logprobs top_logprobs logit_bias presence_penalty frequency_penalty repeat_penalty "
		"response_format tools tool_choice chat_template_kwargs reasoning_effort return_token_ids think_budget ignore_eos "
		"parallel_tool_calls user metadata store service_tier prompt_cache_key safety_identifier",
	[MOTE_DIALECT_COMPLETION] = "model prompt stream stream_options temperature top_p top_k min_p typical_p n best_of seed stop "
		"max_tokens logprobs logit_bias presence_penalty frequency_penalty repeat_penalty echo return_token_ids ignore_eos "
		"suffix user",
	[MOTE_DIALECT_RESPONSES] = "model input instructions stream temperature top_p max_output_tokens tools tool_choice text "
		"reasoning top_logprobs seed "
		"truncation parallel_tool_calls user metadata store service_tier prompt_cache_key safety_identifier include background",
	[MOTE_DIALECT_MESSAGES] = "model messages system max_tokens stop_sequences stream temperature top_p top_k tools tool_choice "
		"thinking seed "
		"metadata service_tier"};

enum mote_status mote_ask_fail(const struct mote_lm_error *from, struct mote_error *error)
{
	return mote_error_set(error, (enum mote_status)from->status, "%s", from->message);
}

static bool is_word(const char *words, const char *word)
{
	size_t bytes = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += bytes)
		if ((at == words || at[-1] == ' ') && (at[bytes] == ' ' || !at[bytes]))
			return bytes > 0 && !strchr(word, ' ');
	return false;
}

enum mote_status mote_ask_check_keys(struct mote_ask *ask, const cJSON *object, const char *words, struct mote_error *error)
{
	for (const cJSON *item = object ? object->child : NULL; item; item = item->next)
		if (!is_word(words, item->string)) {
			ask->parameter = item->string;
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "unknown parameter: %.200s", item->string);
		}
	return MOTE_OK;
}

/* ---- typed members that remember which one was wrong ---- */

static enum mote_status number(struct mote_ask *ask, const char *key, double min, double max, float *value,
			       struct mote_error *error)
{
	double read;
	enum mote_status status = mote_json_want_double(ask->json, key, min, max, (double)*value, where, &read, error);

	if (status)
		ask->parameter = key;
	else if (cJSON_IsNumber(mote_json_get(ask->json, key)))
		*value = (float)read;
	return status;
}

static enum mote_status count(struct mote_ask *ask, const char *key, uint32_t min, uint32_t max, uint32_t *value,
			      struct mote_error *error)
{
	enum mote_status status = mote_json_want_u32(ask->json, key, min, max, *value, where, value, error);

	if (status)
		ask->parameter = key;
	return status;
}

static enum mote_status flag(struct mote_ask *ask, const cJSON *object, const char *key, bool *value,
			     struct mote_error *error)
{
	enum mote_status status = mote_json_want_bool(object, key, *value, where, value, error);

	if (status)
		ask->parameter = key;
	return status;
}

static enum mote_status wrong(struct mote_ask *ask, const char *key, const char *expected, struct mote_error *error)
{
	ask->parameter = key;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: expected %s", key, expected);
}

/* ---- settings ---- */

static enum mote_status read_seed(struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *item = mote_json_get(ask->json, "seed");
	int64_t seed;

	if (!item || cJSON_IsNull(item)) {
		if (getrandom(&ask->job.sampling.seed, sizeof ask->job.sampling.seed, 0) != sizeof ask->job.sampling.seed)
			ask->job.sampling.seed = 0;
		ask->job.sampling.seed >>= 12;
		return MOTE_OK;
	}
	if (!mote_json_integer(item, &seed) || seed < 0)
		return wrong(ask, "seed", "an integer from 0 to 2^53", error);
	ask->job.sampling.seed = (uint64_t)seed;
	return MOTE_OK;
}

static enum mote_status read_sampling(struct mote_ask *ask, struct mote_error *error)
{
	struct mote_lm_sampling *s = &ask->job.sampling;
	enum mote_status status;

	if ((status = number(ask, "temperature", 0, 100, &s->temperature, error)) ||
	    (status = number(ask, "top_p", 0, 1, &s->top_p, error)) ||
	    (status = number(ask, "min_p", 0, 1, &s->min_p, error)) ||
	    (status = number(ask, "typical_p", 0, 1, &s->typical_p, error)) ||
	    (status = count(ask, "top_k", 0, UINT32_MAX - 1, &s->top_k, error)) ||
	    (status = number(ask, "presence_penalty", -2, 2, &s->presence_penalty, error)) ||
	    (status = number(ask, "frequency_penalty", -2, 2, &s->frequency_penalty, error)) ||
	    (status = number(ask, "repeat_penalty", 0.01, 10, &s->repeat_penalty, error)))
		return status;
	return read_seed(ask, error);
}

static enum mote_status read_stop(struct mote_ask *ask, struct mote_error *error)
{
	const char *key = ask->dialect == MOTE_DIALECT_MESSAGES ? "stop_sequences" : "stop";
	const cJSON *list = mote_json_get(ask->json, key);
	uint32_t n = 0;

	if (!list || cJSON_IsNull(list))
		return MOTE_OK;
	ask->stop = calloc(MOTE_ASK_MAX_STOPS, sizeof *ask->stop);
	if (!ask->stop)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for stop texts");
	for (const cJSON *item = cJSON_IsArray(list) ? list->child : list; item; item = cJSON_IsArray(list) ? item->next : NULL) {
		if (!cJSON_IsString(item) || !*item->valuestring || strlen(item->valuestring) > 1000 || n == MOTE_ASK_MAX_STOPS)
			return wrong(ask, key, "a text, or a list of up to 16, of 1 to 1000 bytes each", error);
		ask->stop[n++] = item->valuestring;
	}
	ask->job.options.stop = ask->stop;
	ask->job.options.stops = n;
	return MOTE_OK;
}

static enum mote_status read_biases(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *list = mote_json_get(ask->json, "logit_bias");
	struct mote_lm_info info;
	uint32_t n = 0;

	if (!list || cJSON_IsNull(list))
		return MOTE_OK;
	mote_lm_describe(lm, &info);
	ask->bias_ids = calloc(MOTE_ASK_MAX_BIASES, sizeof *ask->bias_ids);
	ask->bias = calloc(MOTE_ASK_MAX_BIASES, sizeof *ask->bias);
	if (!ask->bias_ids || !ask->bias)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for biases");
	for (const cJSON *item = list->child; item || !cJSON_IsObject(list); item = item->next) {
		char *end = NULL;
		long id = item && item->string ? strtol(item->string, &end, 10) : -1;

		if (!cJSON_IsObject(list) || end == item->string || *end || id < 0 || (unsigned long)id >= info.vocab ||
		    !cJSON_IsNumber(item) || !(item->valuedouble >= -100 && item->valuedouble <= 100) || n == MOTE_ASK_MAX_BIASES)
			return wrong(ask, "logit_bias", "an object of up to 1024 token ids, each with a number from -100 to 100",
				     error);
		ask->bias_ids[n] = (int32_t)id;
		ask->bias[n++] = (float)item->valuedouble;
	}
	ask->job.sampling.bias_ids = ask->bias_ids;
	ask->job.sampling.bias = ask->bias;
	ask->job.sampling.biases = n;
	return MOTE_OK;
}

static enum mote_status read_most_tokens(struct mote_ask *ask, struct mote_error *error)
{
	const char *key = ask->dialect == MOTE_DIALECT_RESPONSES ? "max_output_tokens" :
			  mote_json_get(ask->json, "max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
	uint32_t min = ask->dialect == MOTE_DIALECT_COMPLETION ? 0 : 1;
	uint32_t most = UINT32_MAX;
	enum mote_status status;

	if ((status = count(ask, key, min, MOTE_ASK_MAX_TOKENS, &most, error)))
		return status;
	if (most == UINT32_MAX && ask->dialect == MOTE_DIALECT_MESSAGES)
		return wrong(ask, "max_tokens", "a number of tokens; it must be given", error);
	if (most == UINT32_MAX) /* OpenAI's default for completions is 16 */
		most = ask->dialect == MOTE_DIALECT_COMPLETION ? 16 : 0;
	else if (most == 0)
		ask->job.options.prompt_only = 1;
	ask->job.options.max_tokens = most;
	return MOTE_OK;
}

static enum mote_status read_logprobs(struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *item = mote_json_get(ask->json, "logprobs");
	enum mote_status status = MOTE_OK;

	if (ask->dialect == MOTE_DIALECT_COMPLETION && cJSON_IsNumber(item)) {
		ask->logprobs = true;
		status = count(ask, "logprobs", 0, MOTE_LM_MAX_TOP, &ask->tops, error);
	} else if (ask->dialect != MOTE_DIALECT_MESSAGES) {
		if ((status = flag(ask, ask->json, "logprobs", &ask->logprobs, error)) == MOTE_OK)
			status = count(ask, "top_logprobs", 0, MOTE_LM_MAX_TOP, &ask->tops, error);
		if (status == MOTE_OK && ask->tops && !ask->logprobs)
			return wrong(ask, "logprobs", "true where top_logprobs is given", error);
	}
	ask->job.options.logprobs = ask->logprobs;
	ask->job.options.top_logprobs = ask->tops;
	ask->job.options.prompt_logprobs = ask->logprobs && ask->echo;
	return status;
}

static enum mote_status refuse(struct mote_ask *ask, const char *key, const char *what, struct mote_error *error)
{
	ask->parameter = key;
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: %s is not supported by this server", key, what);
}

/* What is understood and cannot be done. */
static enum mote_status refuse_what_is_missing(struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *format = mote_json_get(ask->json, "response_format"), *choice = mote_json_get(ask->json, "tool_choice");
	const cJSON *text = mote_json_get(mote_json_get(ask->json, "text"), "format"), *type;

	type = mote_json_get(format ? format : text, "type");
	if (cJSON_IsString(type) && strcmp(type->valuestring, "text"))
		return refuse(ask, format ? "response_format" : "text", type->valuestring, error);
	type = cJSON_IsObject(choice) ? mote_json_get(choice, "type") : choice;
	if (cJSON_IsString(type) && strcmp(type->valuestring, "none") && strcmp(type->valuestring, "auto"))
		return refuse(ask, "tool_choice", "an enforced call", error);
	if (cJSON_IsString(mote_json_get(ask->json, "suffix")))
		return refuse(ask, "suffix", "filling in", error);
	if (ask->dialect >= MOTE_DIALECT_RESPONSES && cJSON_GetArraySize(mote_json_get(ask->json, "tools")))
		return refuse(ask, "tools", "a tool in this API", error);
	if (cJSON_IsTrue(mote_json_get(ask->json, "background")))
		return refuse(ask, "background", "true", error);
	return MOTE_OK;
}

static enum mote_status read_settings(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *stream = mote_json_get(ask->json, "stream_options");
	uint32_t copies = 1, best = 0, budget = 0;
	bool ignore_end = false;
	enum mote_status status;

	mote_lm_sampling_recommended(lm, &ask->job.sampling);
	if ((status = mote_ask_check_keys(ask, ask->json, known[ask->dialect], error)) ||
	    (status = refuse_what_is_missing(ask, error)) || (status = read_sampling(ask, error)) ||
	    (status = read_stop(ask, error)) || (status = read_biases(lm, ask, error)) ||
	    (status = flag(ask, ask->json, "stream", &ask->stream, error)) ||
	    (status = flag(ask, stream, "include_usage", &ask->usage_in_stream, error)) ||
	    (status = flag(ask, ask->json, "return_token_ids", &ask->ids_wanted, error)) ||
	    (status = flag(ask, ask->json, "ignore_eos", &ignore_end, error)) ||
	    (status = count(ask, "n", 1, MOTE_ASK_MAX_COPIES, &copies, error)) ||
	    (status = count(ask, "best_of", 1, MOTE_ASK_MAX_COPIES, &best, error)) ||
	    (status = count(ask, "think_budget", 0, MOTE_ASK_MAX_TOKENS, &budget, error)) ||
	    (status = read_most_tokens(ask, error)) ||
	    (status = ask->dialect == MOTE_DIALECT_COMPLETION ? flag(ask, ask->json, "echo", &ask->echo, error) : MOTE_OK) ||
	    (status = read_logprobs(ask, error)))
		return status;
	if (best > copies)
		return refuse(ask, "best_of", "more than n", error);
	if (ask->echo && ask->stream)
		return refuse(ask, "echo", "a stream of it", error);
	if (ask->job.options.prompt_only && !ask->echo)
		return wrong(ask, "max_tokens", "at least 1 without echo", error);
	ask->job.options.ignore_end = ignore_end;
	ask->job.options.think_budget = budget;
	ask->job.copies = copies;
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
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: %zu tokens do not fit into the context of %u", key, tokens, context);
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
			return wrong(ask, key, "token ids of the vocabulary", error);
		out->ids[out->count++] = (int32_t)id;
	}
	return MOTE_OK;
}

static enum mote_status read_prompt(const struct mote_lm *lm, struct mote_ask *ask, const cJSON *item, const char *key,
				    uint32_t context, struct mote_error *error)
{
	struct mote_job_prompt *out = &ask->prompt[ask->job.prompts++];
	struct mote_lm_error own = {0};
	enum mote_status status = MOTE_OK;

	if (cJSON_IsArray(item))
		status = ids_of_array(lm, ask, item, key, out, error);
	else if (!cJSON_IsString(item))
		status = wrong(ask, key, "a text, token ids, or a list of these", error);
	else if (mote_lm_encode(lm, item->valuestring, strlen(item->valuestring), MOTE_LM_ADD_SPECIAL, &out->ids, &out->count,
				&own))
		status = mote_ask_fail(&own, error);
	return status ? status : check_length(ask, key, out->count, context, error);
}

enum mote_status mote_ask_read_input(const struct mote_lm *lm, const cJSON *input, const char *name, uint32_t context_tokens,
				     struct mote_ask *ask, struct mote_error *error)
{
	bool many = cJSON_IsArray(input) && input->child && !cJSON_IsNumber(input->child);
	int prompts = many ? cJSON_GetArraySize(input) : 1;
	enum mote_status status = MOTE_OK;

	if (!input || prompts > MOTE_ASK_MAX_CHOICES)
		return wrong(ask, name, "a text, token ids, or a list of up to 128 of these", error);
	ask->prompt = calloc((size_t)prompts, sizeof *ask->prompt);
	if (!ask->prompt)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %d prompts", prompts);
	for (const cJSON *item = many ? input->child : input; item && status == MOTE_OK; item = many ? item->next : NULL)
		status = read_prompt(lm, ask, item, name, context_tokens, error);
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
		if (mote_lm_encode_chat(lm, &chat.chat, &ask->prompt->ids, &ask->prompt->count, &ask->prompt->reasoning_open,
					&own)) {
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
	if ((status = read_settings(lm, ask, error)))
		return status;
	if (dialect == MOTE_DIALECT_COMPLETION) {
		ask->job.options.continues_text = 1;
		status = mote_ask_read_input(lm, mote_json_get(ask->json, "prompt"), "prompt", context_tokens, ask, error);
	} else {
		status = read_chat(lm, ask, context_tokens, error);
	}
	ask->job.prompt = ask->prompt;
	if (status == MOTE_OK && ask->job.prompts * ask->job.copies > MOTE_ASK_MAX_CHOICES)
		status = wrong(ask, "n", "at most 128 choices in all", error);
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
	cJSON_Delete(ask->json);
	*ask = (struct mote_ask){0};
}
