#include "runtime/generate/answer.h"

#include <stdlib.h>
#include <string.h>

struct text_room {
	size_t text, reasoning;
};

struct mote_answer_state {
	struct mote_answer_options options;
	struct mote_reasoning reasoning;
	struct mote_detokenizer detokenizer;
	struct text_room room;
	enum mote_reasoning_part part;
	size_t most;       /* tokens */
	bool after_marker; /* and no text since */
	bool ended;
};

static void fail(struct mote_answer *a, enum mote_status status)
{
	if (status == MOTE_ERROR_MEMORY)
		mote_error_set(&a->error, status, "no memory for the answer");
}

static bool append(char **text, size_t *count, size_t *room, const char *bytes, size_t n)
{
	if (*room - *count <= n) { /* a NUL always follows */
		size_t more = (*count + n + 1) * 2;
		char *grown = realloc(*text, more);

		if (!grown)
			return false;
		*text = grown;
		*room = more;
	}
	memcpy(*text + *count, bytes, n);
	*count += n;
	(*text)[*count] = 0;
	return true;
}

static void take_text(struct mote_answer *a, const char *piece, size_t n)
{
	struct mote_answer_state *s = a->state;
	bool kept;

	while (s->after_marker && n && (*piece == ' ' || *piece == '\n')) {
		piece++;
		n--;
	}
	if (!n)
		return;
	s->after_marker = false;
	if (s->options.show)
		s->options.show(s->options.user, s->part, piece, n);
	kept = s->part == MOTE_PART_REASONING
		? append(&a->reasoning, &a->reasoning_bytes, &s->room.reasoning, piece, n)
		: append(&a->text, &a->text_bytes, &s->room.text, piece, n);
	if (!kept)
		fail(a, MOTE_ERROR_MEMORY);
}

static void flush(struct mote_answer *a)
{
	size_t n;
	const char *piece = mote_detokenizer_flush(&a->state->detokenizer, &n);

	take_text(a, piece, n);
}

static void enter_part(struct mote_answer_state *s)
{
	s->part = s->reasoning.inside ? MOTE_PART_REASONING : MOTE_PART_ANSWER;
	s->after_marker = true;
}

static void take_id(struct mote_answer *a, int32_t id)
{
	struct mote_answer_state *s = a->state;
	struct mote_ids *ids = &a->ids;
	const char *piece;
	size_t n;

	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? ids->capacity * 2 : 256;
		int32_t *grown = realloc(ids->id, capacity * sizeof *grown);

		if (!grown) {
			fail(a, MOTE_ERROR_MEMORY);
			return;
		}
		ids->id = grown;
		ids->capacity = capacity;
	}
	ids->id[ids->count++] = id;
	if (mote_reasoning_next(&s->reasoning, id) == MOTE_PART_MARKER) {
		flush(a);
		enter_part(s);
	} else {
		piece = mote_detokenizer_next(&s->detokenizer, s->options.tokenizer, id, true, &n);
		take_text(a, piece, n);
	}
}

static bool is_end(const struct mote_config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->n_eos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

/* How many tokens fit: the last one is not computed, so it may lie beyond the context. */
static size_t most_tokens(const struct mote_answer_options *o)
{
	size_t most = o->most_tokens ? o->most_tokens : SIZE_MAX, room;

	if (o->context_tokens) {
		room = o->context_tokens - (o->prompt->count < o->context_tokens ? o->prompt->count : o->context_tokens) + 1;
		most = room < most ? room : most;
	}
	return most;
}

enum mote_status mote_answer_open(const struct mote_answer_options *options, struct mote_answer *answer,
				  struct mote_error *error)
{
	int32_t open = mote_tokenizer_find(options->tokenizer, "<think>", 7);
	int32_t close = mote_tokenizer_find(options->tokenizer, "</think>", 8);
	struct mote_answer_state *s = calloc(1, sizeof *s);

	*answer = (struct mote_answer){.state = s};
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for an answer");
	s->options = *options;
	s->most = most_tokens(options);
	if (open >= 0 && close >= 0)
		s->reasoning = mote_reasoning_start(open, close, options->prompt->id, options->prompt->count);
	else
		s->reasoning = mote_reasoning_start(-1, -1, NULL, 0);
	s->part = MOTE_PART_ANSWER;
	if (s->reasoning.inside)
		enter_part(s);
	s->detokenizer.started = options->continues_text; /* then the first token's leading space is one */
	return MOTE_OK;
}

int32_t mote_answer_take(struct mote_answer *answer, const float *logits)
{
	struct mote_answer_state *s = answer->state;
	int32_t id;

	if (s->ended)
		return MOTE_ENDED;
	id = mote_sampler_next(s->options.sampler, logits);
	take_id(answer, id);
	if (is_end(s->options.config, id))
		answer->finish = MOTE_FINISH_STOP;
	else if (answer->ids.count >= s->most)
		answer->finish = MOTE_FINISH_LENGTH;
	else if (answer->error.code == MOTE_OK)
		return id;
	mote_answer_end(answer);
	return MOTE_ENDED;
}

static int32_t take(void *user, const float *logits)
{
	return mote_answer_take(user, logits);
}

struct mote_taker mote_answer_taker(struct mote_answer *answer)
{
	return (struct mote_taker){take, answer};
}

void mote_answer_end(struct mote_answer *answer)
{
	if (!answer->state || answer->state->ended)
		return;
	flush(answer);
	answer->state->ended = true;
}

void mote_answer_free(struct mote_answer *answer)
{
	mote_ids_free(&answer->ids);
	free(answer->text);
	free(answer->reasoning);
	free(answer->state);
	*answer = (struct mote_answer){0};
}

enum mote_status mote_answer_generate(struct mote_scheduler *scheduler, const struct mote_answer_options *options,
				      struct mote_answer *answer, struct mote_error *error)
{
	uint64_t ticket = 0;
	enum mote_status status = mote_answer_open(options, answer, error);

	if (status == MOTE_OK)
		status = mote_scheduler_add(scheduler, options->prompt->id, options->prompt->count, mote_answer_taker(answer),
					    &ticket, error);
	while (status == MOTE_OK && !answer->state->ended) {
		if (options->proceed && !options->proceed(options->user))
			break;
		status = mote_scheduler_step(scheduler, error);
	}
	mote_scheduler_cancel(scheduler, ticket);
	mote_answer_end(answer);
	if (status == MOTE_OK && answer->error.code)
		status = mote_error_set(error, answer->error.code, "%s", answer->error.message);
	return status;
}

static void add_ids(cJSON *json, const char *key, const struct mote_ids *ids)
{
	cJSON *array = cJSON_AddArrayToObject(json, key);

	for (size_t i = 0; i < ids->count; i++)
		cJSON_AddItemToArray(array, cJSON_CreateNumber(ids->id[i]));
}

cJSON *mote_answer_json(struct mote_answer *answer, const struct mote_ids *prompt)
{
	cJSON *json = cJSON_CreateObject();
	char *reasoning = answer->reasoning;

	for (size_t n = answer->reasoning_bytes; n && (reasoning[n - 1] == '\n' || reasoning[n - 1] == ' '); n--)
		reasoning[n - 1] = 0;
	cJSON_AddStringToObject(json, "text", answer->text ? answer->text : "");
	cJSON_AddStringToObject(json, "reasoning", reasoning ? reasoning : "");
	add_ids(json, "ids", &answer->ids);
	add_ids(json, "prompt_ids", prompt);
	cJSON_AddStringToObject(json, "finish_reason", mote_finish_name(answer->finish));
	return json;
}

const char *mote_finish_name(enum mote_finish finish)
{
	return finish == MOTE_FINISH_STOP ? "stop" : finish == MOTE_FINISH_LENGTH ? "length" : "interrupted";
}
