/* Responses, as OpenAI's later API gives them: the text core. Nothing is stored, so none can be asked for again. */
#include <stdio.h>
#include <string.h>

#include "runtime/serve/reply.h"

enum { NONE, REASONING, MESSAGE };

/* Of the output's item i. */
static void item_id(const struct mote_reply *r, int kind, size_t i, char id[48])
{
	snprintf(id, 48, "%s_%s_%zu", kind == REASONING ? "rs" : "msg", r->id, i);
}

static cJSON *new_item(struct mote_json_builder *b, const struct mote_reply *r, int kind, size_t i, const char *status,
		       const char *text)
{
	cJSON *item = mote_json_new_object(b), *list, *part;
	char id[48];

	item_id(r, kind, i, id);
	mote_json_add_text(b, item, "id", id);
	mote_json_add_text(b, item, "type", kind == REASONING ? "reasoning" : "message");
	mote_json_add_text(b, item, "status", status);
	if (kind == REASONING)
		mote_json_add_array(b, item, "summary");
	else
		mote_json_add_text(b, item, "role", "assistant");
	list = mote_json_add_array(b, item, "content");
	if (!text)
		return item;
	part = mote_json_add_object(b, list, NULL);
	mote_json_add_text(b, part, "type", kind == REASONING ? "reasoning_text" : "output_text");
	mote_json_add_text(b, part, "text", text);
	if (kind == MESSAGE)
		mote_json_add_array(b, part, "annotations");
	return item;
}

static void add_usage(struct mote_json_builder *b, cJSON *json, const struct mote_reply *r)
{
	size_t prompt = mote_reply_prompt_tokens(r), tokens = mote_reply_tokens(r);
	cJSON *usage = mote_json_add_object(b, json, "usage");

	mote_json_add_number(b, usage, "input_tokens", (double)prompt);
	mote_json_add_number(b, mote_json_add_object(b, usage, "input_tokens_details"), "cached_tokens",
			     (double)mote_reply_cached_tokens(r));
	mote_json_add_number(b, usage, "output_tokens", (double)tokens);
	mote_json_add_number(b, mote_json_add_object(b, usage, "output_tokens_details"), "reasoning_tokens",
			     (double)mote_reply_reasoning_tokens(r));
	mote_json_add_number(b, usage, "total_tokens", (double)(prompt + tokens));
}

/* How many: at the end stands a message. */
static size_t items(const struct mote_choice *c)
{
	return c->parts + (!c->parts || c->part[c->parts - 1].reasoning);
}

/* Item i as a whole; behind the parts, where none of them is the last word, an empty message. */
static void add_item(struct mote_json_builder *b, cJSON *output, const struct mote_reply *r, size_t i, const char *end)
{
	const struct mote_choice *c = r->choice;
	int kind = i < c->parts && c->part[i].reasoning ? REASONING : MESSAGE;
	struct mote_bytes text = {0};

	mote_choice_part(c, i, &text);
	mote_json_add_item(b, output, NULL, new_item(b, r, kind, i, i + 1 == items(c) ? end : "completed",
						     text.text ? text.text : ""));
	b->failed |= text.failed;
	mote_bytes_free(&text);
}

static bool is_cut(const struct mote_choice *c)
{
	return c->ended && c->finish == MOTE_LM_FINISH_LENGTH;
}

/* The response as a whole: under way (status in_progress, without output) or ended. */
static cJSON *make(struct mote_json_builder *b, const struct mote_reply *r, bool ended)
{
	const struct mote_choice *c = r->choice;
	bool cut = ended && is_cut(c);
	const char *status = r->failed ? "failed" : !ended ? "in_progress" : cut ? "incomplete" : "completed";
	cJSON *json = mote_json_new_object(b), *output;
	char id[48];

	snprintf(id, sizeof id, "resp_%s", r->id);
	mote_json_add_text(b, json, "id", id);
	mote_json_add_text(b, json, "object", "response");
	mote_json_add_number(b, json, "created_at", (double)r->created);
	mote_json_add_text(b, json, "status", status);
	mote_json_add_text(b, json, "model", r->model);
	mote_json_add_null(b, json, "error");
	if (cut)
		mote_json_add_text(b, mote_json_add_object(b, json, "incomplete_details"), "reason",
				   "max_output_tokens");
	else
		mote_json_add_null(b, json, "incomplete_details");
	output = mote_json_add_array(b, json, "output");
	for (size_t i = 0; ended && i < items(c); i++)
		add_item(b, output, r, i, cut ? "incomplete" : "completed");
	mote_json_add_bool(b, json, "parallel_tool_calls", true);
	mote_json_add_text(b, json, "tool_choice", "auto");
	mote_json_add_array(b, json, "tools");
	mote_json_add_bool(b, json, "store", false);
	if (ended)
		add_usage(b, json, r);
	return json;
}

static cJSON *whole(struct mote_reply *r, struct mote_json_builder *b)
{
	return make(b, r, true);
}

/* ---- streaming ---- */

static cJSON *new_event(struct mote_json_builder *b, struct mote_reply *r, const char *type)
{
	cJSON *json = mote_json_new_object(b);

	mote_json_add_text(b, json, "type", type);
	mote_json_add_number(b, json, "sequence_number", (double)r->events++);
	return json;
}

static void whole_event(struct mote_reply *r, const char *type, bool ended, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = new_event(&b, r, type);

	mote_json_add_item(&b, json, "response", make(&b, r, ended));
	mote_reply_event(&b, type, json, out);
}

static void begin(struct mote_reply *r, struct mote_bytes *out)
{
	whole_event(r, "response.created", false, out);
	whole_event(r, "response.in_progress", false, out);
}

/* An event about the open item, and about its one part. */
static cJSON *item_event(struct mote_json_builder *b, struct mote_reply *r, const char *type, bool part)
{
	cJSON *json = new_event(b, r, type);
	char id[48];

	item_id(r, r->block, (size_t)r->blocks - 1, id);
	if (part)
		mote_json_add_text(b, json, "item_id", id);
	mote_json_add_number(b, json, "output_index", r->blocks - 1);
	if (part)
		mote_json_add_number(b, json, "content_index", 0);
	return json;
}

static void part_event(struct mote_reply *r, const char *type, const char *text, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = item_event(&b, r, type, true), *part = mote_json_add_object(&b, json, "part");

	mote_json_add_text(&b, part, "type", r->block == REASONING ? "reasoning_text" : "output_text");
	mote_json_add_text(&b, part, "text", text);
	if (r->block == MESSAGE)
		mote_json_add_array(&b, part, "annotations");
	mote_reply_event(&b, type, json, out);
}

static void item_as_whole(struct mote_reply *r, const char *type, const char *status, const char *text,
			  struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = item_event(&b, r, type, false);

	mote_json_add_item(&b, json, "item", new_item(&b, r, r->block, (size_t)r->blocks - 1, status, text));
	mote_reply_event(&b, type, json, out);
}

static void text_event(struct mote_reply *r, const char *type, const char *key, const char *text, size_t bytes,
		       struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	struct mote_bytes copy = {0};
	cJSON *json = item_event(&b, r, type, true);

	mote_bytes_add(&copy, text, bytes);
	mote_json_add_text(&b, json, key, copy.text ? copy.text : "");
	if (r->block == MESSAGE)
		mote_json_add_array(&b, json, "logprobs");
	out->failed |= copy.failed;
	mote_bytes_free(&copy);
	mote_reply_event(&b, type, json, out);
}

static void close_item(struct mote_reply *r, struct mote_bytes *out)
{
	bool cut = (size_t)r->blocks == items(r->choice) && is_cut(r->choice);
	struct mote_bytes copy = {0};
	const char *text;

	if (r->block == NONE)
		return;
	mote_choice_part(r->choice, (size_t)r->blocks - 1, &copy);
	text = copy.text ? copy.text : "";
	text_event(r, r->block == REASONING ? "response.reasoning_text.done" : "response.output_text.done", "text",
		   text, strlen(text), out);
	part_event(r, "response.content_part.done", text, out);
	item_as_whole(r, "response.output_item.done", cut ? "incomplete" : "completed", text, out);
	out->failed |= copy.failed;
	mote_bytes_free(&copy);
	r->block = NONE;
}

static void open_item(struct mote_reply *r, int kind, struct mote_bytes *out)
{
	if (r->block == kind)
		return;
	close_item(r, out);
	r->block = kind;
	r->blocks++;
	item_as_whole(r, "response.output_item.added", "in_progress", NULL, out);
	part_event(r, "response.content_part.added", "", out);
}

static void text(struct mote_reply *r, uint32_t choice, bool reasoning, const char *piece, size_t bytes,
		 const struct mote_scored *scored, size_t n, struct mote_bytes *out)
{
	(void)choice, (void)scored, (void)n;
	if (!bytes)
		return;
	for (; reasoning && r->block != REASONING && strchr(" \n", *piece); bytes--) /* of the thought before */
		piece++;
	open_item(r, reasoning ? REASONING : MESSAGE, out);
	text_event(r, reasoning ? "response.reasoning_text.delta" : "response.output_text.delta", "delta", piece, bytes,
		   out);
}

static void choice_end(struct mote_reply *r, uint32_t choice, struct mote_bytes *out)
{
	(void)choice;
	open_item(r, MESSAGE, out);
	close_item(r, out);
}

static void end(struct mote_reply *r, struct mote_bytes *out)
{
	whole_event(r, is_cut(r->choice) ? "response.incomplete" : "response.completed", true, out);
}

static void failed(struct mote_reply *r, int status, const char *message, struct mote_bytes *out)
{
	struct mote_json_builder b = {0};
	cJSON *json = new_event(&b, r, "error");

	mote_json_add_text(&b, json, "code", status == MOTE_LM_LIMIT ? "timeout" : "failed");
	mote_json_add_text(&b, json, "message", message);
	mote_json_add_null(&b, json, "param");
	mote_reply_event(&b, "error", json, out);
}

const struct mote_dialect_words mote_words_responses = {whole, begin, text, choice_end, end, failed};
