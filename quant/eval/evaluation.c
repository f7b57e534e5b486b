/* One model on one task: see evaluation.h. */
#include "quant/eval/evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
#include "quant/eval/evaluation_state.h"

static enum mote_status open_tokenizer(const struct mote_model *m, struct mote_tokenizer **t, struct mote_error *error)
{
	size_t bytes = 0;
	const void *section = mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &bytes);

	if (!section)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer",
				      mote_container_path(m->container));
	return mote_tokenizer_open(section, bytes, t, error);
}

static enum mote_status make_requests(struct evaluation *e, uint32_t n, struct mote_error *error)
{
	const cJSON *metadata = mote_container_metadata(e->model->container);
	struct mote_request_options options = {.chat = e->o->chat, .context_tokens = e->model->config.max_positions};
	enum mote_status status = MOTE_OK;

	if (e->task->row->kind != MOTE_TASK_CHOICE) {
		uint32_t most = e->o->most_tokens ? e->o->most_tokens : e->task->row->most_tokens;

		/* Room for the answer, but at least a quarter of the positions for the question. */
		options.context_tokens -= most < options.context_tokens - options.context_tokens / 4 ? most :
					  options.context_tokens - options.context_tokens / 4;
	}
	e->requests = calloc(n + 1u, sizeof *e->requests);
	if (!e->requests)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for requests");
	for (uint32_t i = 0; i < n && !status; i++)
		status = mote_requests_make(e->task, &e->task->item[i], metadata, e->tokenizer, &options,
					    &e->requests[i], error);
	return status;
}

/* Bytes and characters of valid UTF-8. */
static void lengths(const char *text, uint32_t *bytes, uint32_t *characters)
{
	*bytes = *characters = 0;
	for (; *text; text++) {
		++*bytes;
		*characters += ((unsigned char)*text & 0xc0) != 0x80;
	}
}

/* The choice with the largest logprob / length, the first of equals. */
static uint32_t best_choice(const struct mote_item *item, const struct mote_likelihood *l, enum mote_task_length by)
{
	uint32_t best = 0;
	double most = 0;

	for (uint32_t c = 0; c < item->choices; c++) {
		uint32_t length[3] = {1, 1, 1};
		double value;

		lengths(item->choice[c], &length[2], &length[1]);
		value = l[c].logprob / length[by];
		if (c == 0 || value > most) {
			most = value;
			best = c;
		}
	}
	return best;
}

/* ---- multiple choice ---- */

/* Of each length, and their orders with each as the main one. */
static const char *const choice_metrics[] = {"acc", "acc_norm", "acc_bytes"};
static const enum mote_task_length orders[3][3] = {
	{MOTE_LENGTH_NONE, MOTE_LENGTH_CHARACTERS, MOTE_LENGTH_BYTES},
	{MOTE_LENGTH_CHARACTERS, MOTE_LENGTH_NONE, MOTE_LENGTH_BYTES},
	{MOTE_LENGTH_BYTES, MOTE_LENGTH_NONE, MOTE_LENGTH_CHARACTERS}
};

static enum mote_status log_choice(struct evaluation *e, uint32_t i, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *line = mote_json_new_object(&b), *choices;
	const struct mote_item *item = &e->task->item[i];

	mote_evaluation_begin_line(e, i, &b, line);
	choices = mote_json_add_array(&b, line, "choices");
	for (uint32_t c = 0; c < item->choices; c++) {
		cJSON *choice = mote_json_add_object(&b, choices, NULL);

		mote_json_add_number(&b, choice, "logprob", e->likelihood[i][c].logprob);
		mote_json_add_number(&b, choice, "tokens", e->likelihood[i][c].tokens);
		mote_json_add_bool(&b, choice, "is_greedy", e->likelihood[i][c].is_greedy);
	}
	mote_json_add_number(&b, line, "choice", e->outcome->choice[i]);
	mote_json_add_number(&b, line, "choice_norm", best_choice(item, e->likelihood[i], MOTE_LENGTH_CHARACTERS));
	mote_json_add_number(&b, line, "gold", item->gold);
	return mote_evaluation_end_line(e, &b, line, error);
}

static enum mote_status choose(struct evaluation *e, struct mote_likelihood_counts *counts, struct mote_error *error)
{
	const enum mote_task_length *order = orders[e->task->row->length];
	const char *metric[3] = {choice_metrics[order[0]], choice_metrics[order[1]], choice_metrics[order[2]]};
	uint32_t n = e->task->items;
	enum mote_status status = mote_outcome_init(e->outcome, n, metric, 3, true, error);

	e->likelihood = calloc(n + 1u, sizeof *e->likelihood);
	if (!status && !e->likelihood)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for likelihoods");
	if (!status)
		status = mote_likelihoods(e->model, e->requests, n, e->o->threads, e->o->progress, e->likelihood,
					  counts, error);
	for (uint32_t i = 0; i < n && !status; i++) {
		const struct mote_item *item = &e->task->item[i];

		e->outcome->choice[i] = (int32_t)best_choice(item, e->likelihood[i], order[0]);
		for (int k = 0; k < 3; k++)
			e->outcome->mark[k][i] = best_choice(item, e->likelihood[i], order[k]) == item->gold;
		status = log_choice(e, i, error);
	}
	return status;
}

/* ---- all of it ---- */

static void close_evaluation(struct evaluation *e, uint32_t n)
{
	for (uint32_t i = 0; e->requests && i < n; i++)
		mote_requests_free(&e->requests[i]);
	free(e->requests);
	if (e->generated)
		mote_generated_free(e->generated, n);
	free(e->generated);
	free(e->likelihood);
	mote_answer_match_close(e->match);
	mote_tokenizer_close(e->tokenizer);
}

enum mote_status mote_evaluate(const struct mote_model *m, const char *name, const struct mote_task *task,
			       const struct mote_evaluate_options *options, struct mote_outcome *outcome,
			       struct mote_likelihood_counts *counts, struct mote_error *error)
{
	struct evaluation e = {.model = m, .name = name, .task = task, .o = options, .outcome = outcome};
	enum mote_status status = open_tokenizer(m, &e.tokenizer, error);

	*outcome = (struct mote_outcome){0};
	if (!status)
		status = make_requests(&e, task->items, error);
	if (!status && task->row->kind == MOTE_TASK_CHOICE)
		status = choose(&e, counts, error);
	else if (!status)
		status = mote_evaluation_answer(&e, error);
	if (status)
		mote_error_prefix(error, "%s, task %s", name, task->row->name);
	close_evaluation(&e, task->items);
	return status;
}

static void add_ids(struct mote_json_builder *b, cJSON *parent, const char *key, const int32_t *id, uint32_t n)
{
	cJSON *array = mote_json_add_array(b, parent, key);

	for (uint32_t i = 0; i < n; i++)
		mote_json_add_number(b, array, NULL, id[i]);
}

enum mote_status mote_evaluate_requests(const struct mote_model *m, const struct mote_task *task,
					const struct mote_evaluate_options *options, uint32_t n, cJSON *array,
					struct mote_error *error)
{
	struct evaluation e = {.model = m, .task = task, .o = options};
	struct mote_json_builder b = {0};
	uint32_t items = task->items < n ? task->items : n, printed = 0; /* each item has a request */
	enum mote_status status = open_tokenizer(m, &e.tokenizer, error);

	if (!status)
		status = make_requests(&e, items, error);
	for (uint32_t i = 0; i < items && !status; i++)
		for (uint32_t c = 0; c < e.requests[i].count && printed < n; c++, printed++) {
			const struct mote_request *r = &e.requests[i].request[c];
			cJSON *o = mote_json_add_object(&b, array, NULL);

			mote_json_add_text(&b, o, "task", task->row->name);
			mote_json_add_text(&b, o, "id", task->item[i].id);
			mote_json_add_number(&b, o, "choice", c);
			mote_json_add_text(&b, o, "context", e.requests[i].context);
			mote_json_add_text(&b, o, "continuation", r->continuation ? r->continuation : "");
			add_ids(&b, o, "context_ids", r->id, r->context);
			add_ids(&b, o, "continuation_ids", r->id + r->context, r->count - r->context);
		}
	if (!status && b.failed)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for requests");
	close_evaluation(&e, items);
	return status;
}
