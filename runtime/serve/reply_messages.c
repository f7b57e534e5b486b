/* Messages, as Anthropic's API gives them: the text core, with thinking as a block of its own. */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/reply.h"

enum { NONE, THINKING, TEXT };

/* The model's own stop texts, which follow the request's, are an end of its turn. */
static void add_stop(struct mote_json_builder *b, cJSON *json, const struct mote_reply *r)
{
	const struct mote_choice *c = r->choice;
	bool by_text = c->stop_text >= 0 && (uint32_t)c->stop_text < r->ask.stops;

	mote_json_add_text(b, json, "stop_reason", c->finish == MOTE_LM_FINISH_LENGTH ? "max_tokens" :
						    by_text ? "stop_sequence" : "end_turn");
	if (by_text)
		mote_json_add_text(b, json, "stop_sequence", r->ask.stop[c->stop_text]);
	else
		mote_json_add_null(b, json, "stop_sequence");
}

static cJSON *new_message(struct mote_json_builder *b, const struct mote_reply *r)
{
	cJSON *json = mote_json_new_object(b);
	char id[48];

	snprintf(id, sizeof id, "msg_%s", r->id);
	mote_json_add_text(b, json, "id", id);
	mote_json_add_text(b, json, "type", "message");
	mote_json_add_text(b, json, "role", "assistant");
	mote_json_add_text(b, json, "model", r->model);
	return json;
}

static void add_usage(struct mote_json_builder *b, cJSON *json, const struct mote_reply *r)
{
	cJSON *usage = mote_json_add_object(b, json, "usage");

	mote_json_add_number(b, usage, "input_tokens", (double)mote_reply_prompt_tokens(r));
	mote_json_add_number(b, usage, "output_tokens", (double)mote_reply_tokens(r));
}

static cJSON *add_block(struct mote_json_builder *b, cJSON *parent, const char *key, int kind, const char *text)
{
	cJSON *block = mote_json_add_object(b, parent, key);

	mote_json_add_text(b, block, "type", kind == THINKING ? "thinking" : "text");
	mote_json_add_text(b, block, kind == THINKING ? "thinking" : "text", text);
	if (kind == THINKING)
		mote_json_add_text(b, block, "signature", "");
	return block;
}

static cJSON *whole(struct mote_reply *r, struct mote_json_builder *b)
{
	cJSON *json = new_message(b, r), *content = mote_json_add_array(b, json, "content");

	for (size_t i = 0; i < r->choice->parts; i++) {
		struct mote_bytes part = {0};

		mote_choice_part(r->choice, i, &part);
		add_block(b, content, NULL, r->choice->part[i].reasoning ? THINKING : TEXT, part.text ? part.text : "");
		b->failed |= part.failed;
		mote_bytes_free(&part);
	}
	if (!r->choice->parts)
		add_block(b, content, NULL, TEXT, "");
	add_stop(b, json, r);
	add_usage(b, json, r);
	return json;
}

/* ---- streaming ---- */

static cJSON *new_event(struct mote_json_builder *b, const char *type)
{
	cJSON *json = mote_json_new_object(b);

	mote_json_add_text(b, json, "type", type);
	return json;
}

static void begin(struct mote_reply *r, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = new_event(&b, "message_start"), *message = new_message(&b, r);

	mote_json_add_array(&b, message, "content");
	mote_json_add_null(&b, message, "stop_reason");
	mote_json_add_null(&b, message, "stop_sequence");
	add_usage(&b, message, r);
	mote_json_add_item(&b, json, "message", message);
	mote_reply_event(&b, "message_start", json, out);
}

static void close_block(struct mote_reply *r, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json;

	if (r->block == NONE)
		return;
	json = new_event(&b, "content_block_stop");
	mote_json_add_number(&b, json, "index", r->blocks - 1);
	mote_reply_event(&b, "content_block_stop", json, out);
	r->block = NONE;
}

static void open_block(struct mote_reply *r, int kind, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json;

	if (r->block == kind)
		return;
	close_block(r, out);
	json = new_event(&b, "content_block_start");
	mote_json_add_number(&b, json, "index", r->blocks++);
	add_block(&b, json, "content_block", kind, "");
	mote_reply_event(&b, "content_block_start", json, out);
	r->block = kind;
}

static void text(struct mote_reply *r, uint32_t choice, bool reasoning, const char *piece, size_t bytes,
		 const struct mote_scored *scored, size_t n, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	struct mote_bytes copy = {0};
	cJSON *json, *delta;
	(void)choice, (void)scored, (void)n;

	if (!bytes)
		return;
	for (; reasoning && r->block != THINKING && strchr(" \n", *piece); bytes--) /* of the thought before */
		piece++;
	open_block(r, reasoning ? THINKING : TEXT, out);
	json = new_event(&b, "content_block_delta");
	mote_json_add_number(&b, json, "index", r->blocks - 1);
	delta = mote_json_add_object(&b, json, "delta");
	mote_json_add_text(&b, delta, "type", reasoning ? "thinking_delta" : "text_delta");
	mote_bytes_add(&copy, piece, bytes);
	mote_json_add_text(&b, delta, reasoning ? "thinking" : "text", copy.text ? copy.text : "");
	out->failed |= copy.failed;
	mote_bytes_free(&copy);
	mote_reply_event(&b, "content_block_delta", json, out);
}

static void choice_end(struct mote_reply *r, uint32_t choice, struct mote_bytes *out)
{
	(void)choice;
	if (!r->blocks)
		open_block(r, TEXT, out);
	close_block(r, out);
}

static void end(struct mote_reply *r, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = new_event(&b, "message_delta");

	add_stop(&b, mote_json_add_object(&b, json, "delta"), r);
	add_usage(&b, json, r);
	mote_reply_event(&b, "message_delta", json, out);
	mote_reply_event(&b, "message_stop", new_event(&b, "message_stop"), out);
}

static void failed(struct mote_reply *r, int status, const char *message, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = new_event(&b, "error"), *error = mote_json_add_object(&b, json, "error");
	(void)r, (void)status;

	mote_json_add_text(&b, error, "type", "api_error");
	mote_json_add_text(&b, error, "message", message);
	mote_reply_event(&b, "error", json, out);
}

const struct mote_dialect_words mote_words_messages = {whole, begin, text, choice_end, end, failed};
