/* A request's settings: what is sampled, how much, and where it stops. */
#include <stdlib.h>
#include <string.h>

#include "format/portable.h"
#include "runtime/serve/ask.h"

static const char where[] = "the request";

/* Every name that a dialect knows. Some change nothing here: they steer a service (billing, caches, storage) that
 * is not there. */
static const char *const known[] = {
	[MOTE_DIALECT_CHAT] =
		"model messages stream stream_options temperature top_p top_k min_p typical_p n seed stop max_tokens "
		"max_completion_tokens logprobs top_logprobs logit_bias presence_penalty frequency_penalty "
		"repeat_penalty repetition_penalty response_format grammar tools tool_choice chat_template_kwargs "
		"reasoning_effort return_token_ids think_budget ignore_eos add_generation_prompt "
		"continue_final_message parallel_tool_calls user metadata store service_tier prompt_cache_key "
		"prompt_cache_retention cache_prompt safety_identifier prediction verbosity modalities audio functions "
		"function_call web_search_options",
	[MOTE_DIALECT_COMPLETION] =
		"model prompt stream stream_options temperature top_p top_k min_p typical_p n best_of seed stop "
		"max_tokens logprobs logit_bias presence_penalty frequency_penalty repeat_penalty repetition_penalty "
		"echo return_token_ids ignore_eos response_format grammar suffix user cache_prompt",
	[MOTE_DIALECT_RESPONSES] =
		"model input instructions stream temperature top_p max_output_tokens tools tool_choice text reasoning "
		"top_logprobs seed truncation parallel_tool_calls user metadata store service_tier prompt_cache_key "
		"prompt_cache_retention safety_identifier include background previous_response_id conversation "
		"stream_options max_tool_calls prompt",
	[MOTE_DIALECT_MESSAGES] =
		("model messages system max_tokens stop_sequences stream temperature top_p top_k tools tool_choice "
		"thinking output_config seed metadata service_tier cache_control context_management inference_geo "
		"speed container mcp_servers")};

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

static bool is_minus_one(const struct mote_ask *ask, const char *key)
{
	const cJSON *item = mote_json_get(ask->json, key);

	return cJSON_IsNumber(item) && item->valuedouble == -1;
}

static enum mote_status count(struct mote_ask *ask, const char *key, uint32_t min, uint32_t max, uint32_t *value,
			      struct mote_error *error)
{
	enum mote_status status = mote_json_want_u32(ask->json, key, min, max, *value, where, value, error);

	if (status)
		ask->parameter = key;
	return status;
}

/* A count, where -1 is 0 and means no bound: so say clients of llama.cpp, vLLM and LM Studio. */
static enum mote_status bound(struct mote_ask *ask, const char *key, uint32_t min, uint32_t max, uint32_t *value,
			      struct mote_error *error)
{
	if (!is_minus_one(ask, key))
		return count(ask, key, min, max, value, error);
	*value = 0;
	return MOTE_OK;
}

enum mote_status mote_ask_flag(struct mote_ask *ask, const cJSON *object, const char *key, bool *value,
			       struct mote_error *error)
{
	enum mote_status status = mote_json_want_bool(object, key, *value, where, value, error);

	if (status)
		ask->parameter = key;
	return status;
}

enum mote_status mote_ask_wrong(struct mote_ask *ask, const char *key, const char *expected, struct mote_error *error)
{
	ask->parameter = key;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: expected %s", key, expected);
}

/* ---- settings ---- */

static enum mote_status read_seed(struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *item = mote_json_get(ask->json, "seed");
	int64_t seed;

	if (!item || cJSON_IsNull(item) || is_minus_one(ask, "seed")) {
		uint64_t *random = &ask->job.sampling.seed;

		if (!mote_portable_random(random, sizeof *random))
			*random = 0;
		*random >>= 12;
		return MOTE_OK;
	}
	if (!mote_json_integer(item, &seed) || seed < 0)
		return mote_ask_wrong(ask, "seed", "an integer from 0 to 2^53, or -1", error);
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
	    (status = bound(ask, "top_k", 0, UINT32_MAX - 1, &s->top_k, error)) ||
	    (status = number(ask, "presence_penalty", -2, 2, &s->presence_penalty, error)) ||
	    (status = number(ask, "frequency_penalty", -2, 2, &s->frequency_penalty, error)) ||
	    (status = number(ask, "repeat_penalty", 0.01, 10, &s->repeat_penalty, error)) ||
	    (status = number(ask, "repetition_penalty", 0.01, 10, &s->repeat_penalty, error)))
		return status;
	return read_seed(ask, error);
}

static enum mote_status read_stop(struct mote_ask *ask, struct mote_error *error)
{
	const char *key = ask->dialect == MOTE_DIALECT_MESSAGES ? "stop_sequences" : "stop";
	const cJSON *list = mote_json_get(ask->json, key);
	bool many = cJSON_IsArray(list);
	uint32_t own = ask->job.options.stops;

	if (!list || cJSON_IsNull(list))
		return MOTE_OK;
	ask->stop = calloc(MOTE_ASK_MAX_STOPS + (size_t)own, sizeof *ask->stop);
	if (!ask->stop)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for stop texts");
	for (const cJSON *item = many ? list->child : list; item; item = many ? item->next : NULL) {
		if (!cJSON_IsString(item) || !*item->valuestring || strlen(item->valuestring) > 1000 ||
		    ask->stops == MOTE_ASK_MAX_STOPS)
			return mote_ask_wrong(ask, key, "a text, or a list of up to 128, of 1 to 1000 bytes each",
					      error);
		ask->stop[ask->stops++] = item->valuestring;
	}
	for (uint32_t i = 0; i < own; i++)
		ask->stop[ask->stops + i] = ask->job.options.stop[i];
	ask->job.options.stop = ask->stop;
	ask->job.options.stops = ask->stops + own;
	return MOTE_OK;
}

static enum mote_status read_biases(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *list = mote_json_get(ask->json, "logit_bias");
	struct mote_lm_info info = {.vocab = UINT32_MAX};
	uint32_t n = 0;

	if (!list || cJSON_IsNull(list))
		return MOTE_OK;
	if (lm)
		mote_lm_describe(lm, &info);
	ask->bias_ids = calloc(MOTE_ASK_MAX_BIASES, sizeof *ask->bias_ids);
	ask->bias = calloc(MOTE_ASK_MAX_BIASES, sizeof *ask->bias);
	if (!ask->bias_ids || !ask->bias)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for biases");
	for (const cJSON *item = list->child; item || !cJSON_IsObject(list); item = item->next) {
		char *end = NULL;
		long id = item && item->string ? strtol(item->string, &end, 10) : -1;

		if (!cJSON_IsObject(list) || end == item->string || *end || id < 0 || (unsigned long)id >= info.vocab ||
		    !cJSON_IsNumber(item) || !(item->valuedouble >= -100 && item->valuedouble <= 100) ||
		    n == MOTE_ASK_MAX_BIASES)
			return mote_ask_wrong(ask, "logit_bias",
				     "an object of up to 1024 token ids, each with a number from -100 to 100",
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
	const cJSON *newer = mote_json_get(ask->json, "max_completion_tokens");
	const char *key = ask->dialect == MOTE_DIALECT_RESPONSES ? "max_output_tokens" :
			  newer && !cJSON_IsNull(newer) ? "max_completion_tokens" : "max_tokens";
	uint32_t min = ask->dialect == MOTE_DIALECT_COMPLETION ? 0 : 1;
	uint32_t most = UINT32_MAX;
	enum mote_status status;

	if (is_minus_one(ask, key)) {
		ask->job.options.max_tokens = 0;
		return MOTE_OK;
	}
	if ((status = count(ask, key, min, MOTE_ASK_MAX_TOKENS, &most, error)))
		return status;
	if (most == UINT32_MAX && ask->dialect == MOTE_DIALECT_MESSAGES)
		return mote_ask_wrong(ask, "max_tokens", "a number of tokens; it must be given", error);
	if (most == UINT32_MAX) /* OpenAI's default for completions is 16; else the model's own */
		most = ask->dialect == MOTE_DIALECT_COMPLETION ? 16 : ask->job.options.max_tokens;
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
		if ((status = mote_ask_flag(ask, ask->json, "logprobs", &ask->logprobs, error)) == MOTE_OK)
			status = count(ask, "top_logprobs", 0, MOTE_LM_MAX_TOP, &ask->tops, error);
		if (status == MOTE_OK && ask->tops && !ask->logprobs)
			return mote_ask_wrong(ask, "logprobs", "true where top_logprobs is given", error);
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

enum mote_status mote_ask_missing(struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *tops = mote_json_get(ask->json, "top_logprobs"), *suffix = mote_json_get(ask->json, "suffix");
	const cJSON *include = mote_json_get(ask->json, "include");
	const cJSON *modes = mote_json_get(ask->json, "modalities");
	static const struct {
		const char *key, *what;
	} refused[] = {{"functions", "this older form of tools"}, {"function_call", "this older form of tool_choice"},
		       {"audio", "sound"}, {"web_search_options", "a search"}, {"prompt", "a stored prompt"},
		       {"conversation", "a stored conversation"}, {"container", "a container"}};

	if (cJSON_IsString(suffix) && *suffix->valuestring)
		return refuse(ask, "suffix", "filling in", error);
	if (ask->dialect >= MOTE_DIALECT_RESPONSES && cJSON_GetArraySize(mote_json_get(ask->json, "tools")))
		return refuse(ask, "tools", "a tool in this API", error);
	if (ask->dialect == MOTE_DIALECT_RESPONSES && cJSON_IsNumber(tops) && tops->valuedouble > 0)
		return refuse(ask, "top_logprobs", "a log-probability in this API", error);
	if (cJSON_IsString(mote_json_get(ask->json, "previous_response_id")))
		return refuse(ask, "previous_response_id", "a stored response", error);
	if (cJSON_GetArraySize(mote_json_get(ask->json, "mcp_servers")))
		return refuse(ask, "mcp_servers", "a tool in this API", error);
	for (const cJSON *item = modes ? modes->child : NULL; item; item = item->next)
		if (!cJSON_IsString(item) || strcmp(item->valuestring, "text"))
			return refuse(ask, "modalities", "anything but text", error);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		const cJSON *item = mote_json_get(ask->json, refused[i].key);

		if (item && !cJSON_IsNull(item) && ask->dialect != MOTE_DIALECT_COMPLETION)
			return refuse(ask, refused[i].key, refused[i].what, error);
	}
	for (const cJSON *item = include ? include->child : NULL; item; item = item->next)
		if (cJSON_IsString(item) && !strcmp(item->valuestring, "message.output_text.logprobs"))
			return refuse(ask, "include", "a log-probability in this API", error);
	if (cJSON_IsTrue(mote_json_get(ask->json, "background")))
		return refuse(ask, "background", "true", error);
	return MOTE_OK;
}

enum mote_status mote_ask_settings(const struct mote_lm *lm, struct mote_ask *ask, struct mote_error *error)
{
	const cJSON *stream = mote_json_get(ask->json, "stream_options");
	uint32_t copies = 1, best = 0, budget = 0;
	bool ignore_end = false;
	enum mote_status status;

	if (lm) {
		mote_lm_sampling_recommended(lm, &ask->job.sampling);
		mote_lm_answer_recommended(lm, &ask->job.options);
	}
	if ((status = mote_ask_check_keys(ask, ask->json, known[ask->dialect], error)) ||
	    (status = mote_ask_missing(ask, error)) || (status = read_sampling(ask, error)) ||
	    (status = read_stop(ask, error)) || (status = read_biases(lm, ask, error)) ||
	    (status = mote_ask_flag(ask, ask->json, "stream", &ask->stream, error)) ||
	    (status = mote_ask_flag(ask, stream, "include_usage", &ask->usage_in_stream, error)) ||
	    (status = mote_ask_flag(ask, ask->json, "return_token_ids", &ask->ids_wanted, error)) ||
	    (status = mote_ask_flag(ask, ask->json, "ignore_eos", &ignore_end, error)) ||
	    (status = count(ask, "n", 1, MOTE_ASK_MAX_COPIES, &copies, error)) ||
	    (status = count(ask, "best_of", 1, MOTE_ASK_MAX_COPIES, &best, error)) ||
	    (status = bound(ask, "think_budget", 1, MOTE_ASK_MAX_TOKENS, &budget, error)) ||
	    (status = read_most_tokens(ask, error)))
		return status;
	if ((ask->dialect == MOTE_DIALECT_COMPLETION &&
	     (status = mote_ask_flag(ask, ask->json, "echo", &ask->echo, error))) ||
	    (status = read_logprobs(ask, error)))
		return status;
	if (best > copies)
		return refuse(ask, "best_of", "more than n", error);
	if (ask->echo && ask->stream)
		return refuse(ask, "echo", "a stream of it", error);
	if (ask->job.options.prompt_only && !ask->echo)
		return mote_ask_wrong(ask, "max_tokens", "at least 1 without echo", error);
	ask->job.options.ignore_end = ignore_end;
	ask->job.options.think_budget = budget;
	ask->job.copies = copies;
	return MOTE_OK;
}
