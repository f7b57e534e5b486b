/* Chat completions and completions, as OpenAI's first two APIs give them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/scores.h"

static const char *finish_reason(const struct mote_choice *c)
{
	return c->finish == MOTE_LM_FINISH_LENGTH ? "length" : c->calls ? "tool_calls" : "stop";
}

static void add_usage(struct mote_json_builder *b, cJSON *json, const struct mote_reply *r)
{
	size_t prompt = mote_reply_prompt_tokens(r), tokens = mote_reply_tokens(r);
	cJSON *usage = mote_json_add_object(b, json, "usage");

	mote_json_add_number(b, usage, "prompt_tokens", (double)prompt);
	mote_json_add_number(b, usage, "completion_tokens", (double)tokens);
	mote_json_add_number(b, usage, "total_tokens", (double)(prompt + tokens));
	mote_json_add_number(b, mote_json_add_object(b, usage, "prompt_tokens_details"), "cached_tokens",
			     (double)mote_reply_cached_tokens(r));
	if (r->ask.dialect == MOTE_DIALECT_CHAT)
		mote_json_add_number(b, mote_json_add_object(b, usage, "completion_tokens_details"), "reasoning_tokens",
				     (double)mote_reply_reasoning_tokens(r));
}

/* How long the first choice took, in llama.cpp's words. */
static void add_timings(struct mote_json_builder *b, cJSON *json, const struct mote_reply *r)
{
	const struct mote_choice *c = r->choice;
	cJSON *timings = mote_json_add_object(b, json, "timings");
	double more = c->tokens > 1 ? (double)(c->tokens - 1) : 0;

	mote_json_add_number(b, timings, "prompt_ms", 1000 * c->prompt_seconds);
	mote_json_add_number(b, timings, "guessed_tokens", (double)c->guessed);
	mote_json_add_number(b, timings, "guessed_right", (double)c->guessed_right);
	mote_json_add_number(b, timings, "predicted_ms", 1000 * c->predict_seconds);
	mote_json_add_number(b, timings, "predicted_per_second",
			     c->predict_seconds > 0 ? more / c->predict_seconds : 0);
}

static cJSON *new_reply(struct mote_json_builder *b, const struct mote_reply *r, bool chunk)
{
	bool chat = r->ask.dialect == MOTE_DIALECT_CHAT;
	cJSON *json = mote_json_new_object(b);
	char id[48];

	snprintf(id, sizeof id, "%s-%s", chat ? "chatcmpl" : "cmpl", r->id);
	mote_json_add_text(b, json, "id", id);
	mote_json_add_text(b, json, "object",
			   !chat ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion");
	mote_json_add_number(b, json, "created", (double)r->created);
	mote_json_add_text(b, json, "model", r->model);
	return json;
}

static void add_ids(struct mote_json_builder *b, cJSON *json, const char *key, const int32_t *ids, size_t n)
{
	cJSON *array = mote_json_add_array(b, json, key);

	for (size_t i = 0; i < n; i++)
		mote_json_add_number(b, array, NULL, ids[i]);
}

static void add_choice_ids(struct mote_json_builder *b, cJSON *item, const struct mote_reply *r, uint32_t choice)
{
	const struct mote_job_prompt *prompt = &r->ask.prompt[choice / r->ask.job.copies];

	if (!r->ask.ids_wanted)
		return;
	add_ids(b, item, "token_ids", r->choice[choice].ids, r->choice[choice].tokens);
	add_ids(b, item, "prompt_token_ids", prompt->ids, prompt->count);
}

/* Letters and digits, nine of them: Mistral's templates take no other back. */
static void call_id(const struct mote_reply *r, uint32_t choice, size_t i, char id[10])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	char random[13] = {0};
	uint64_t number;

	memcpy(random, r->id, sizeof random - 1);
	number = strtoull(random, NULL, 16) + (uint64_t)choice * MOTE_TOOL_CALLS_MAX + i;
	for (int k = 9; k--; number /= 62)
		id[k] = digits[number % 62];
	id[9] = 0;
}

static void add_calls(struct mote_json_builder *b, cJSON *message, const struct mote_reply *r, uint32_t choice,
		      bool chunk)
{
	const struct mote_choice *c = &r->choice[choice];
	cJSON *list = mote_json_add_array(b, message, "tool_calls");

	for (size_t i = 0; i < c->calls; i++) {
		cJSON *call = mote_json_add_object(b, list, NULL), *function;
		char id[10];

		call_id(r, choice, i, id);
		if (chunk)
			mote_json_add_number(b, call, "index", (double)i);
		mote_json_add_text(b, call, "id", id);
		mote_json_add_text(b, call, "type", "function");
		function = mote_json_add_object(b, call, "function");
		mote_json_add_text(b, function, "name", c->call[i].name);
		mote_json_add_text(b, function, "arguments", c->call[i].arguments);
	}
}

/* ---- chat completions ---- */

static cJSON *chat_whole(struct mote_reply *r, struct mote_json_builder *b)
{
	cJSON *json = new_reply(b, r, false), *choices = mote_json_add_array(b, json, "choices");

	for (uint32_t i = 0; i < r->choices; i++) {
		const struct mote_choice *c = &r->choice[i];
		cJSON *item = mote_json_add_object(b, choices, NULL), *message;

		mote_json_add_number(b, item, "index", i);
		message = mote_json_add_object(b, item, "message");
		mote_json_add_text(b, message, "role", "assistant");
		if (c->calls && !*mote_choice_text(c))
			mote_json_add_null(b, message, "content");
		else
			mote_json_add_text(b, message, "content", mote_choice_text(c));
		mote_json_add_null(b, message, "refusal");
		if (*mote_choice_reasoning(c))
			mote_json_add_text(b, message, "reasoning_content", mote_choice_reasoning(c));
		if (c->calls)
			add_calls(b, message, r, i, false);
		mote_scores_add_chat(b, item, r, c->scored, c->n_scored);
		mote_json_add_text(b, item, "finish_reason", finish_reason(c));
		add_choice_ids(b, item, r, i);
	}
	add_usage(b, json, r);
	add_timings(b, json, r);
	return json;
}

static cJSON *new_chunk(struct mote_json_builder *b, const struct mote_reply *r, uint32_t choice, cJSON **item)
{
	cJSON *json = new_reply(b, r, true);

	*item = mote_json_add_object(b, mote_json_add_array(b, json, "choices"), NULL);
	mote_json_add_number(b, *item, "index", choice);
	if (r->ask.usage_in_stream)
		mote_json_add_null(b, json, "usage");
	return json;
}

static void chat_begin(struct mote_reply *r, struct mote_bytes *out)
{
	for (uint32_t i = 0; i < r->choices; i++) {
		struct mote_json_builder b = {0};
		cJSON *item, *json = new_chunk(&b, r, i, &item), *delta = mote_json_add_object(&b, item, "delta");

		mote_json_add_text(&b, delta, "role", "assistant");
		mote_json_add_text(&b, delta, "content", "");
		mote_json_add_null(&b, item, "logprobs");
		mote_json_add_null(&b, item, "finish_reason");
		mote_reply_event(&b, NULL, json, out);
	}
}

static void add_part(struct mote_json_builder *b, cJSON *parent, const char *key, const char *text, size_t bytes)
{
	struct mote_bytes copy = {0};

	mote_bytes_add(&copy, text, bytes);
	mote_json_add_text(b, parent, key, copy.text ? copy.text : "");
	b->failed |= copy.failed;
	mote_bytes_free(&copy);
}

static void chat_text(struct mote_reply *r, uint32_t choice, bool reasoning, const char *text, size_t bytes,
		      const struct mote_scored *scored, size_t n, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *item, *json = new_chunk(&b, r, choice, &item);

	add_part(&b, mote_json_add_object(&b, item, "delta"), reasoning ? "reasoning_content" : "content", text, bytes);
	mote_scores_add_chat(&b, item, r, scored, n);
	mote_json_add_null(&b, item, "finish_reason");
	mote_reply_event(&b, NULL, json, out);
}

static void chat_choice_end(struct mote_reply *r, uint32_t choice, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *item, *json = new_chunk(&b, r, choice, &item), *delta = mote_json_add_object(&b, item, "delta");

	if (r->choice[choice].calls)
		add_calls(&b, delta, r, choice, true);
	mote_json_add_null(&b, item, "logprobs");
	mote_json_add_text(&b, item, "finish_reason", finish_reason(&r->choice[choice]));
	add_choice_ids(&b, item, r, choice);
	mote_reply_event(&b, NULL, json, out);
}

static void openai_end(struct mote_reply *r, struct mote_bytes *out)
{
	if (r->ask.usage_in_stream) {
		struct mote_json_builder b = {0};
		cJSON *json = new_reply(&b, r, true);

		mote_json_add_array(&b, json, "choices");
		add_usage(&b, json, r);
		add_timings(&b, json, r);
		mote_reply_event(&b, NULL, json, out);
	}
	mote_bytes_print(out, "data: [DONE]\n\n");
}

static void openai_failed(struct mote_reply *r, int status, const char *message, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = mote_json_new_object(&b), *error = mote_json_add_object(&b, json, "error");
	(void)r;

	mote_json_add_text(&b, error, "message", message);
	mote_json_add_text(&b, error, "type", "server_error");
	mote_json_add_null(&b, error, "param");
	mote_json_add_text(&b, error, "code", status == MOTE_LM_LIMIT ? "timeout" : "failed");
	mote_reply_event(&b, NULL, json, out);
}

/* ---- completions ---- */

/* The prompt as text, for echo. */
static void add_echo(struct mote_json_builder *b, cJSON *item, const struct mote_reply *r, uint32_t choice,
		     size_t *characters)
{
	const struct mote_job_prompt *prompt = &r->ask.prompt[choice / r->ask.job.copies];
	struct mote_bytes whole = {0};
	char *text = NULL;
	size_t bytes;

	*characters = 0;
	if (r->ask.echo && mote_lm_decode(r->lm, prompt->ids, prompt->count, 1, &text, &bytes, NULL) == MOTE_LM_OK)
		mote_bytes_add_text(&whole, text, bytes);
	else
		b->failed |= r->ask.echo;
	mote_bytes_add(&whole, mote_choice_text(&r->choice[choice]), strlen(mote_choice_text(&r->choice[choice])));
	mote_json_add_text(b, item, "text", whole.text ? whole.text : "");
	b->failed |= whole.failed;
	mote_lm_free(text);
	mote_bytes_free(&whole);
}

/* The end of a turn has neither text nor score. */
static size_t without_end(const struct mote_reply *r, const struct mote_scored *scored, size_t n)
{
	return n && mote_choice_is_end(r, &scored[n - 1]) ? n - 1 : n;
}

static cJSON *completion_whole(struct mote_reply *r, struct mote_json_builder *b)
{
	cJSON *json = new_reply(b, r, false), *choices = mote_json_add_array(b, json, "choices");

	for (uint32_t i = 0; i < r->choices; i++) {
		const struct mote_choice *c = &r->choice[i];
		cJSON *item = mote_json_add_object(b, choices, NULL);
		size_t offset;

		mote_json_add_number(b, item, "index", i);
		add_echo(b, item, r, i, &offset);
		if (r->ask.echo)
			mote_scores_add_completion(b, item, r, c->prompt, c->n_prompt, &offset);
		if (!r->ask.echo || r->ask.logprobs)
			mote_scores_add_completion(b, item, r, c->scored, without_end(r, c->scored, c->n_scored),
						   &offset);
		mote_json_add_text(b, item, "finish_reason", finish_reason(c));
		add_choice_ids(b, item, r, i);
	}
	add_usage(b, json, r);
	add_timings(b, json, r);
	return json;
}

static void completion_begin(struct mote_reply *r, struct mote_bytes *out)
{
	(void)r, (void)out;
}

static void completion_text(struct mote_reply *r, uint32_t choice, bool reasoning, const char *text, size_t bytes,
			    const struct mote_scored *scored, size_t n, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *item, *json = new_chunk(&b, r, choice, &item);
	(void)reasoning;

	add_part(&b, item, "text", text, bytes);
	mote_scores_add_completion(&b, item, r, scored, without_end(r, scored, n), &r->choice[choice].offset);
	mote_json_add_null(&b, item, "finish_reason");
	mote_reply_event(&b, NULL, json, out);
}

static void completion_choice_end(struct mote_reply *r, uint32_t choice, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *item, *json = new_chunk(&b, r, choice, &item);

	mote_json_add_text(&b, item, "text", "");
	mote_json_add_null(&b, item, "logprobs");
	mote_json_add_text(&b, item, "finish_reason", finish_reason(&r->choice[choice]));
	add_choice_ids(&b, item, r, choice);
	mote_reply_event(&b, NULL, json, out);
}

const struct mote_dialect_words mote_words_chat = {chat_whole, chat_begin, chat_text, chat_choice_end, openai_end,
						    openai_failed};
const struct mote_dialect_words mote_words_completion = {completion_whole, completion_begin, completion_text,
							  completion_choice_end, openai_end, openai_failed};
