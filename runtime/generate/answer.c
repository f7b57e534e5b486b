#include "runtime/generate/answer.h"

#include <stdlib.h>
#include <string.h>

struct progress {
	const struct mote_answer_job *job;
	struct mote_answer *answer;
	struct mote_reasoning reasoning;
	struct mote_detokenizer detokenizer;
	enum mote_reasoning_part part;
	bool after_marker; /* and no text since */
	bool no_memory;
};

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

static void take_text(struct progress *p, const char *piece, size_t n)
{
	struct mote_answer *a = p->answer;
	bool kept;

	while (p->after_marker && n && (*piece == ' ' || *piece == '\n')) {
		piece++;
		n--;
	}
	if (!n)
		return;
	p->after_marker = false;
	if (p->job->show)
		p->job->show(p->job->user, p->part, piece, n);
	kept = p->part == MOTE_PART_REASONING
		? append(&a->reasoning, &a->reasoning_bytes, &a->reasoning_room, piece, n)
		: append(&a->text, &a->text_bytes, &a->text_room, piece, n);
	p->no_memory |= !kept;
}

static void flush(struct progress *p)
{
	size_t n;
	const char *piece = mote_detokenizer_flush(&p->detokenizer, &n);

	take_text(p, piece, n);
}

static void enter_part(struct progress *p)
{
	p->part = p->reasoning.inside ? MOTE_PART_REASONING : MOTE_PART_ANSWER;
	p->after_marker = true;
}

static void take_id(struct progress *p, int32_t id)
{
	struct mote_ids *ids = &p->answer->ids;
	const char *piece;
	size_t n;

	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? ids->capacity * 2 : 256;
		int32_t *grown = realloc(ids->id, capacity * sizeof *grown);

		p->no_memory |= !grown;
		if (!grown)
			return;
		ids->id = grown;
		ids->capacity = capacity;
	}
	ids->id[ids->count++] = id;
	if (mote_reasoning_next(&p->reasoning, id) == MOTE_PART_MARKER) {
		flush(p);
		enter_part(p);
	} else {
		piece = mote_detokenizer_next(&p->detokenizer, p->job->tokenizer, id, true, &n);
		take_text(p, piece, n);
	}
}

static bool is_end(const struct mote_config *c, int32_t id)
{
	for (uint32_t i = 0; i < c->n_eos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}

enum mote_status mote_answer_generate(const struct mote_answer_job *job, struct mote_answer *answer,
				      struct mote_error *error)
{
	int32_t open = mote_tokenizer_find(job->tokenizer, "<think>", 7);
	int32_t close = mote_tokenizer_find(job->tokenizer, "</think>", 8);
	struct progress p = {.job = job, .answer = answer, .part = MOTE_PART_ANSWER};
	const float *logits = job->logits;
	enum mote_status status = MOTE_OK;

	if (open >= 0 && close >= 0)
		p.reasoning = mote_reasoning_start(open, close, job->prompt->id, job->prompt->count);
	else
		p.reasoning = mote_reasoning_start(-1, -1, NULL, 0);
	if (p.reasoning.inside)
		enter_part(&p);
	p.detokenizer.started = job->continues_text; /* then the first token's leading space is one */
	while (!p.no_memory && status == MOTE_OK) {
		int32_t id = mote_sampler_next(job->sampler, logits);

		take_id(&p, id);
		if (is_end(job->config, id)) {
			answer->finish = MOTE_FINISH_STOP;
			break;
		}
		answer->finish = MOTE_FINISH_LENGTH;
		if (answer->ids.count == job->most_tokens || mote_context_full(job->context))
			break;
		answer->finish = MOTE_FINISH_INTERRUPTED;
		if (job->proceed && !job->proceed())
			break;
		status = mote_context_append(job->context, id, &logits, error);
	}
	flush(&p);
	if (p.no_memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the answer");
	return status;
}

void mote_answer_free(struct mote_answer *answer)
{
	mote_ids_free(&answer->ids);
	free(answer->text);
	free(answer->reasoning);
	*answer = (struct mote_answer){0};
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
