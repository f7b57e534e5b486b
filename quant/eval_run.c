/* Running models: over all items, over a shard's, or over pieces that several processes share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "quant/eval.h"
#include "quant/eval/evaluation.h"

const char *eval_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

enum mote_status eval_write_log(struct eval_run *r, const cJSON *line, struct mote_error *error)
{
	size_t bytes = 0;
	char *text;
	bool ok;

	if (!r->lines)
		return MOTE_OK;
	text = mote_json_print(line, &bytes);
	if (!text)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a line of log");
	ok = fwrite(text, 1, bytes, r->lines) == bytes && fputc('\n', r->lines) != EOF;
	free(text);
	return ok ? MOTE_OK : mote_error_set(error, MOTE_ERROR_IO, "%s: %s", r->a->log, strerror(errno));
}

/* A shard keeps its lines for the part. */
static enum mote_status take_line(void *user, const cJSON *line, struct mote_error *error)
{
	struct eval_run *r = user;
	cJSON *copy;

	if (!r->shard.count)
		return eval_write_log(r, line, error);
	copy = cJSON_Duplicate(line, true);
	if (r->at->lines && copy && cJSON_AddItemToArray(r->at->lines, copy))
		return MOTE_OK;
	cJSON_Delete(copy);
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for lines of a part");
}

static enum mote_status open_model(struct eval_run *r, uint32_t model, struct mote_model **m, struct mote_error *error)
{
	enum mote_status status = mote_model_open(r->t.path[model], MOTE_WEIGHTS_DEFAULT, m, error);

	if (status)
		mote_console_hint_model(r->t.path[model], error);
	else
		r->tensors[model] = mote_container_tensors_hash((*m)->container);
	return status;
}

enum mote_status eval_make_requests(struct eval_run *r, uint32_t model, uint32_t n, cJSON *array,
				    struct mote_error *error)
{
	struct mote_evaluate_options o = {.chat = r->a->chat, .most_tokens = r->a->max_tokens};
	struct mote_model *m = NULL;
	enum mote_status status = mote_model_open(r->t.path[model], MOTE_WEIGHTS_MAPPED, &m, error);

	if (status)
		mote_console_hint_model(r->t.path[model], error);
	for (uint32_t t = 0; t < r->t.tasks && !status; t++) {
		status = mote_evaluate_requests(m, &r->t.task[t], &o, n, array, error);
		if (status)
			mote_error_prefix(error, "%s, task %s", eval_base_name(r->t.path[model]),
					  r->t.task[t].row->name);
	}
	mote_model_close(m);
	return status;
}

enum mote_status eval_check_models(struct eval_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t m = 0; m < r->t.models && !status; m++) {
		struct mote_json_builder b = {0};
		cJSON *ignored = mote_json_new_array(&b);

		status = eval_make_requests(r, m, 1, ignored, error);
		cJSON_Delete(ignored);
	}
	return status;
}

/* Where pieces are counted, what is done of one is not. */
static bool look(void *user, uint64_t done, uint64_t total)
{
	(void)user;
	(void)done;
	(void)total;
	return !mote_console_interrupted();
}

static enum mote_status run_tasks(struct eval_run *r, uint32_t model, const struct mote_model *m,
				  struct mote_error *error)
{
	struct mote_evaluate_options o = {.chat = r->a->chat, .threads = r->a->threads, .most_tokens = r->a->max_tokens,
					  .log = take_line, .user = r};
	enum mote_status status = MOTE_OK;

	for (uint32_t t = 0; t < r->t.tasks && !status; t++) {
		struct mote_eval_cell *c = &r->t.cell[model][t];
		struct mote_task slice = mote_eval_slice(&r->t.task[t], r->shard);
		struct mote_progress progress = {.update = look};
		double started = mote_clock_seconds();

		if (slice.items == 0)
			continue; /* more shards than items */
		if (!r->sharing)
			progress = mote_console_progress(&r->bar, slice.row->name, "items");
		r->at = c;
		c->lines = r->shard.count ? cJSON_CreateArray() : NULL;
		o.progress = &progress;
		status = mote_evaluate(m, eval_base_name(r->t.path[model]), &slice, &o, &c->outcome, &c->counts, error);
		if (!r->sharing)
			mote_console_progress_end(&r->bar);
		c->seconds = mote_clock_seconds() - started;
	}
	return status;
}

enum mote_status eval_run_model(struct eval_run *r, uint32_t model, struct mote_error *error)
{
	struct mote_model *m = NULL;
	enum mote_status status = open_model(r, model, &m, error);

	if (!status)
		status = run_tasks(r, model, m, error);
	mote_model_close(m);
	return status;
}

enum mote_status eval_write_lines(struct eval_run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t m = 0; m < r->t.models && !status; m++)
		for (uint32_t t = 0; t < r->t.tasks && !status; t++) {
			const cJSON *lines = r->t.cell[m][t].lines;

			for (const cJSON *line = lines ? lines->child : NULL; line && !status; line = line->next)
				status = eval_write_log(r, line, error);
		}
	return status;
}

/* ---- parts ---- */

static void clear_cells(struct mote_eval_table *t)
{
	for (uint32_t m = 0; m < t->models; m++)
		for (uint32_t i = 0; i < t->tasks; i++) {
			mote_outcome_free(&t->cell[m][i].outcome);
			cJSON_Delete(t->cell[m][i].lines);
			t->cell[m][i] = (struct mote_eval_cell){0};
		}
}

/* Of many pieces each finds the models open; of one shard one after the other is. */
static enum mote_status compute_part(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
				     struct mote_error *error)
{
	struct eval_run *r = user;
	enum mote_status status = MOTE_OK;

	clear_cells(&r->t);
	r->shard = shard;
	for (uint32_t m = 0; m < r->t.models && !status; m++)
		status = r->open[m] ? run_tasks(r, m, r->open[m], error) : eval_run_model(r, m, error);
	if (!status)
		mote_eval_part_add(&r->t, shard, b, part);
	return status;
}

enum mote_status eval_run_shard(struct eval_run *r, struct mote_error *error)
{
	const struct eval_arguments *a = r->a;
	struct mote_whole whole = {.tool = MOTE_EVAL, .compute = compute_part, .user = r};
	cJSON *inputs = NULL;
	bool there = false;
	enum mote_status status = mote_eval_inputs(&r->t, a->limit, a->max_tokens, &inputs, error);

	whole.inputs = inputs;
	if (!status)
		status = mote_part_make(&whole, a->shard, a->part, a->force, &there, error);
	if (!status && there)
		fprintf(stderr, "%s: %s is there already, from the same inputs\n", MOTE_EVAL, a->part);
	cJSON_Delete(inputs);
	return status;
}

bool eval_shares(const struct eval_run *r)
{
	return mote_team_size(r->team) > 1 || r->a->parts;
}

/* The table as the parts have it, but for paths, which are those of this run. */
static enum mote_status join(struct eval_run *r, cJSON **parts, uint32_t n, struct mote_error *error)
{
	const char *path[EVAL_MAX_MODELS + 1];
	enum mote_status status;

	memcpy(path, r->t.path, sizeof path);
	mote_eval_table_free(&r->t);
	status = mote_eval_join_parts(parts, n, &r->t, error);
	memcpy(r->t.path, path, sizeof path);
	return status;
}

enum mote_status eval_share(struct eval_run *r, struct mote_share *s, bool *goes_on, struct mote_error *error)
{
	struct mote_whole whole = {.tool = MOTE_EVAL, .compute = compute_part, .user = r};
	struct mote_progress progress = mote_console_progress(&r->bar, "evaluate", "parts");
	cJSON *inputs = NULL, **parts = NULL;
	uint32_t items = 0;
	enum mote_status status = mote_eval_inputs(&r->t, r->a->limit, r->a->max_tokens, &inputs, error);

	for (uint32_t m = 0; m < r->t.models && !status; m++)
		status = open_model(r, m, &r->open[m], error);
	for (uint32_t t = 0; t < r->t.tasks; t++)
		items = r->t.task[t].items > items ? r->t.task[t].items : items;
	r->sharing = true;
	whole.inputs = inputs;
	*s = (struct mote_share){.team = r->team, .folder = r->a->parts,
				 .pieces = mote_share_pieces(items, EVAL_ITEMS_A_PIECE), .progress = &progress};
	if (!status)
		status = mote_share_compute(s, &whole, &parts, error);
	mote_console_progress_end(&r->bar);
	for (uint32_t m = 0; m < r->t.models; m++)
		mote_model_close(r->open[m]);
	cJSON_Delete(inputs);
	*goes_on = !status && parts;
	if (parts && !status)
		return join(r, parts, s->pieces, error);
	for (uint32_t i = 0; parts && i < s->pieces; i++)
		cJSON_Delete(parts[i]);
	free(parts);
	return status;
}
