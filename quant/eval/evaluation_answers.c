/* Items whose answers are generated: searched for the right one, or checked against instructions. */
#include <stdlib.h>
#include <string.h>

#include "quant/eval/evaluation_state.h"
#include "quant/eval/ifeval.h"
#include "quant/receipt/receipt.h"

/* ---- lines of log ---- */

void mote_evaluation_begin_line(const struct evaluation *e, uint32_t i, struct mote_json_builder *b, cJSON *line)
{
	char hex[33];

	mote_hash_to_hex(e->requests[i].hash, hex);
	mote_json_add_text(b, line, "model", e->name);
	mote_json_add_text(b, line, "task", e->task->row->name);
	mote_json_add_text(b, line, "id", e->task->item[i].id);
	if (e->task->item[i].group)
		mote_json_add_text(b, line, "group", e->task->item[i].group);
	mote_json_add_text(b, line, "context_hash", hex);
	for (uint32_t c = 0; c < e->requests[i].count; c++)
		if (e->requests[i].request[c].truncated) {
			mote_json_add_bool(b, line, "truncated", true);
			break;
		}
}

enum mote_status mote_evaluation_end_line(const struct evaluation *e, struct mote_json_builder *b, cJSON *line,
					  struct mote_error *error)
{
	enum mote_status status = mote_json_finish(b, &line, "a line of log", error);

	if (!status && e->o->log)
		status = e->o->log(e->o->user, line, error);
	cJSON_Delete(line);
	return status;
}

/* ---- the right answer ---- */

/* Marks of one item for every filter, on the raw answer and on the stripped one, and its line. */
static enum mote_status mark_answer(struct evaluation *e, uint32_t i, uint32_t filters, struct mote_error *error)
{
	const struct mote_generated *g = &e->generated[i];
	struct mote_json_builder b = {0};
	cJSON *line = mote_json_new_object(&b), *found;
	enum mote_status status = MOTE_OK;

	mote_evaluation_begin_line(e, i, &b, line);
	mote_json_add_text(&b, line, "answer", g->raw);
	mote_json_add_text(&b, line, "answer_stripped", g->stripped);
	mote_json_add_number(&b, line, "tokens", g->tokens);
	found = mote_json_add_object(&b, line, "found");
	for (uint32_t k = 0; k < 2 * filters && !status; k++) {
		const char *text = k < filters ? g->raw : g->stripped;
		char *answer = mote_answer_match_find(e->match, k % filters, text, strlen(text));
		bool equal = false;

		if (!answer)
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
		else
			status = mote_answer_match_equal(e->match, answer, e->task->item[i].answer, &equal, error);
		if (!status)
			mote_json_add_text(&b, found, e->outcome->metric[k], answer);
		e->outcome->mark[k][i] = equal;
		free(answer);
	}
	mote_json_add_text(&b, line, "gold", e->task->item[i].answer);
	if (status) {
		cJSON_Delete(line);
		return status;
	}
	return mote_evaluation_end_line(e, &b, line, error);
}

static enum mote_status match_answers(struct evaluation *e, struct mote_error *error)
{
	const struct mote_task_filter *filter = e->task->row->filter;
	const char *metric[2 * MOTE_TASK_FILTERS];
	uint32_t filters = 0;
	enum mote_status status = mote_answer_match_open(e->task->row, &e->match, error);

	while (filters < MOTE_TASK_FILTERS && filter[filters].name)
		filters++;
	for (uint32_t f = 0; f < filters; f++) {
		metric[f] = filter[f].name;
		metric[filters + f] = filter[f].stripped;
	}
	if (!status)
		status = mote_outcome_init(e->outcome, e->task->items, metric, 2 * filters, false, error);
	for (uint32_t i = 0; i < e->task->items && !status; i++)
		status = mark_answer(e, i, filters, error);
	return status;
}

/* ---- instructions ---- */

/* By rule, of prompts and of instructions: first the raw answer's four, then the stripped one's. */
static const char *const instruction_metrics[] = {
	"prompt_strict", "instruction_strict", "prompt_loose", "instruction_loose", "prompt_strict_stripped",
	"instruction_strict_stripped", "prompt_loose_stripped", "instruction_loose_stripped"
};

static uint32_t count_true(const bool *mark, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += mark[i];
	return count;
}

static void log_instructions(const cJSON *record, const struct mote_ifeval_marks marks[2], struct mote_json_builder *b,
			     cJSON *line)
{
	cJSON *list = mote_json_add_array(b, line, "instructions");

	for (uint32_t k = 0; k < marks[0].count; k++) {
		cJSON *instruction = mote_json_add_object(b, list, NULL);

		mote_json_add_text(b, instruction, "kind", mote_ifeval_kind(record, k));
		if (mote_ifeval_approximate(mote_ifeval_kind(record, k)))
			mote_json_add_bool(b, instruction, "approximate", true);
		mote_json_add_bool(b, instruction, "strict", marks[0].strict[k]);
		mote_json_add_bool(b, instruction, "loose", marks[0].loose[k]);
		mote_json_add_bool(b, instruction, "strict_stripped", marks[1].strict[k]);
		mote_json_add_bool(b, instruction, "loose_stripped", marks[1].loose[k]);
	}
}

static enum mote_status mark_instructions(struct evaluation *e, uint32_t i, struct mote_error *error)
{
	const struct mote_generated *g = &e->generated[i];
	const cJSON *record = e->task->item[i].record;
	struct mote_outcome *o = e->outcome;
	struct mote_ifeval_marks marks[2];
	struct mote_json_builder b = {0};
	cJSON *line;
	enum mote_status status = mote_ifeval_check(record, g->raw, &marks[0], error);

	if (!status)
		status = mote_ifeval_check(record, g->stripped, &marks[1], error);
	if (status)
		return status;
	for (uint32_t k = 0; k < 4; k++) {
		const struct mote_ifeval_marks *m = &marks[k / 2];
		uint32_t followed = count_true(k % 2 ? m->loose : m->strict, m->count);

		o->mark[2 * k][i] = followed == m->count;
		o->mark[2 * k + 1][i] = (uint8_t)followed;
		o->weight[2 * k + 1][i] = (uint8_t)m->count;
	}
	line = mote_json_new_object(&b);
	mote_evaluation_begin_line(e, i, &b, line);
	mote_json_add_text(&b, line, "answer", g->raw);
	mote_json_add_text(&b, line, "answer_stripped", g->stripped);
	mote_json_add_number(&b, line, "tokens", g->tokens);
	log_instructions(record, marks, &b, line);
	return mote_evaluation_end_line(e, &b, line, error);
}

static enum mote_status check_instructions(struct evaluation *e, struct mote_error *error)
{
	enum mote_status status = mote_outcome_init(e->outcome, e->task->items, instruction_metrics, 8, false, error);

	for (uint32_t k = 1; k < 8 && !status; k += 2)
		status = mote_outcome_weigh(e->outcome, k, error);
	for (uint32_t i = 0; i < e->task->items && !status; i++)
		status = mark_instructions(e, i, error);
	return status;
}

/* ---- all of them ---- */

enum mote_status mote_evaluation_answer(struct evaluation *e, struct mote_error *error)
{
	struct mote_generate_options options = {.tokenizer = e->tokenizer, .chat = e->o->chat,
						.most_tokens = e->o->most_tokens, .threads = e->o->threads};
	uint32_t n = e->task->items;
	enum mote_status status = MOTE_OK;

	e->generated = calloc(n + 1u, sizeof *e->generated);
	if (!e->generated)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for answers");
	status = mote_generate_answers(e->model, e->task, e->requests, n, &options, e->o->progress, e->generated,
				       error);
	if (!status)
		status = e->task->row->kind == MOTE_TASK_INSTRUCTIONS ? check_instructions(e, error)
								      : match_answers(e, error);
	return status;
}
