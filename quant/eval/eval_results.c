/* Results: see eval_results.h. */
#include "quant/eval/eval_results.h"

#include <string.h>

#include "format/json_build.h"
#include "quant/receipt/receipt.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- JSON ---- */

static void fill_rate(struct mote_json_builder *b, cJSON *pair, struct mote_rate rate)
{
	mote_json_add_number(b, pair, "value", rate.value);
	mote_json_add_number(b, pair, "stderr", rate.error);
}

static void add_rate(struct mote_json_builder *b, cJSON *o, const char *key, struct mote_rate rate)
{
	fill_rate(b, mote_json_add_object(b, o, key), rate);
}

/* The first item behind i that is of another group. */
static uint32_t group_end(const struct mote_task *task, uint32_t i)
{
	const char *group = task->item[i].group;

	while (i < task->items && strcmp(task->item[i].group, group) == 0)
		i++;
	return i;
}

/* Main metric of each group, in order, and their plain mean, in which a small group weighs as much as a large one. */
static void add_groups(struct mote_json_builder *b, cJSON *result, const struct mote_task *task,
		       const struct mote_outcome *o)
{
	cJSON *groups = mote_json_add_array(b, result, "groups");
	struct mote_rate rate[MOTE_TASK_GROUPS];
	uint32_t n = 0;

	for (uint32_t i = 0, end; i < task->items && n < MOTE_TASK_GROUPS; i = end, n++) {
		cJSON *group = mote_json_add_object(b, groups, NULL);
		struct mote_rate of;

		end = group_end(task, i);
		of = mote_outcome_rate(o, 0, i, end - i);
		mote_json_add_text(b, group, "group", task->item[i].group);
		mote_json_add_number(b, group, "items", end - i);
		add_rate(b, group, o->metric[0], of);
		rate[n] = of;
	}
	if (n > 0)
		add_rate(b, result, "macro", mote_rate_mean(rate, n));
}

static void add_pairing(struct mote_json_builder *b, cJSON *result, struct mote_pairing p)
{
	cJSON *part = mote_json_add_object(b, result, "paired");

	mote_json_add_number(b, part, "to_wrong", p.to_wrong);
	mote_json_add_number(b, part, "to_right", p.to_right);
	mote_json_add_number(b, part, "p", p.p);
	mote_json_add_number(b, part, "flips", p.flips);
	mote_json_add_number(b, part, "agreement", p.agreement);
}

static void add_result(const struct mote_eval_table *t, uint32_t model, uint32_t i, struct mote_json_builder *b,
		       cJSON *results)
{
	const struct mote_task *task = &t->task[i];
	const struct mote_outcome *o = &t->cell[model][i].outcome;
	cJSON *result = mote_json_add_object(b, results, NULL), *part;
	const char *answer;
	char hash[33];

	mote_hash_to_hex(task->hash, hash);
	mote_json_add_text(b, result, "model", t->path[model]);
	mote_json_add_text(b, result, "task", task->row->name);
	mote_json_add_number(b, result, "items", task->items);
	mote_json_add_number(b, result, "few_shot", task->few);
	if (task->drawn)
		mote_json_add_number(b, result, "seed", (double)task->seed);
	mote_json_add_bool(b, result, "chat", t->chat);
	mote_json_add_text(b, result, "files_xxh3", hash);
	part = mote_json_add_object(b, result, "metrics");
	for (uint32_t k = 0; k < o->metrics; k++)
		add_rate(b, part, o->metric[k], mote_outcome_rate(o, k, 0, task->items));
	mote_json_add_number(b, result, "chance", mote_task_chance(task));
	part = mote_json_add_object(b, result, "best_constant");
	mote_json_add_number(b, part, "value", mote_task_best_constant(task, &answer));
	mote_json_add_text(b, part, "answer", answer);
	if (task->row->group)
		add_groups(b, result, task, o);
	if (t->reference && model > 0)
		add_pairing(b, result, mote_outcome_pair(o, &t->cell[0][i].outcome));
}

/* The plain mean of a model's main metrics over all tasks. */
static struct mote_rate average(const struct mote_eval_table *t, uint32_t model)
{
	struct mote_rate rate[MOTE_EVAL_TASKS];

	for (uint32_t i = 0; i < t->tasks; i++)
		rate[i] = mote_outcome_rate(&t->cell[model][i].outcome, 0, 0, t->task[i].items);
	return mote_rate_mean(rate, t->tasks);
}

enum mote_status mote_eval_results(const struct mote_eval_table *t, cJSON **out, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b), *results = mote_json_add_array(&b, o, "results"), *averages;
	enum mote_status status;

	for (uint32_t m = 0; m < t->models; m++)
		for (uint32_t i = 0; i < t->tasks; i++)
			add_result(t, m, i, &b, results);
	averages = t->tasks > 1 ? mote_json_add_array(&b, o, "averages") : NULL;
	for (uint32_t m = 0; averages && m < t->models; m++) {
		cJSON *of = mote_json_add_object(&b, averages, NULL);

		mote_json_add_text(&b, of, "model", t->path[m]);
		mote_json_add_number(&b, of, "tasks", t->tasks);
		fill_rate(&b, of, average(t, m));
	}
	status = mote_json_finish(&b, &o, "results", error);
	*out = status ? NULL : o;
	return status;
}

enum mote_status mote_eval_receipt(const cJSON *result, uint32_t limit, uint32_t most_tokens, cJSON **out,
				   struct mote_error *error)
{
	static const char *const keys[] = {"task", "files_xxh3", "items", "few_shot", "seed", "chat", "metrics",
					   "chance", "best_constant", "macro", "paired"};
	struct mote_json_builder b = {0};
	cJSON *o = mote_json_new_object(&b);
	enum mote_status status;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const cJSON *value = mote_json_get(result, keys[i]);

		if (value)
			mote_json_add_item(&b, o, keys[i], cJSON_Duplicate(value, true));
	}
	mote_json_add_number(&b, o, "limit", limit);
	mote_json_add_number(&b, o, "max_tokens", most_tokens);
	status = mote_json_finish(&b, &o, "a receipt", error);
	*out = status ? NULL : o;
	return status;
}

/* ---- the table ---- */

static void print_rate(FILE *out, struct mote_rate rate)
{
	fprintf(out, " %.2f", 100 * rate.value);
	if (rate.error == rate.error)
		fprintf(out, " ± %.2f", 100 * rate.error);
}

static void print_groups(FILE *out, const struct mote_task *task, const struct mote_outcome *o)
{
	struct mote_rate rate[MOTE_TASK_GROUPS];
	uint32_t n = 0;

	for (uint32_t i = 0, end; i < task->items && n < MOTE_TASK_GROUPS; i = end, n++) {
		end = group_end(task, i);
		rate[n] = mote_outcome_rate(o, 0, i, end - i);
	}
	if (n == 0)
		return;
	fprintf(out, "; mean of %u groups", n);
	print_rate(out, mote_rate_mean(rate, n));
}

static void print_cell(FILE *out, const struct mote_eval_table *t, uint32_t model, uint32_t i)
{
	const struct mote_eval_cell *c = &t->cell[model][i];

	fprintf(out, "  %s:", base_name(t->path[model]));
	for (uint32_t k = 0; k < c->outcome.metrics; k++) {
		fprintf(out, "%s %s", k ? "," : "", c->outcome.metric[k]);
		print_rate(out, mote_outcome_rate(&c->outcome, k, 0, c->outcome.items));
	}
	if (t->task[i].row->group)
		print_groups(out, &t->task[i], &c->outcome);
	if (t->reference && model > 0) {
		struct mote_pairing p = mote_outcome_pair(&c->outcome, &t->cell[0][i].outcome);

		fprintf(out, "; against %s %u to wrong, %u to right (p = %.3g), %s %.2f %%", base_name(t->path[0]),
			p.to_wrong, p.to_right, p.p, c->outcome.choice ? "the same answer to" : "as right as it in",
			100 * p.agreement);
	}
	if (c->counts.rows && c->seconds > 0)
		fprintf(out, "; %.0f tokens/s", (double)c->counts.rows / c->seconds);
	fputc('\n', out);
}

void mote_eval_results_print(FILE *out, const struct mote_eval_table *t)
{
	for (uint32_t i = 0; i < t->tasks; i++) {
		const struct mote_task *task = &t->task[i];
		const char *answer;
		double constant = mote_task_best_constant(task, &answer), chance = mote_task_chance(task);

		fprintf(out, "%s: %u items, %u-shot", task->row->name, task->items, task->few);
		if (chance > 0)
			fprintf(out, "; chance %.2f", 100 * chance);
		fprintf(out, "; always \"%s\" %.2f\n", answer, 100 * constant);
		for (uint32_t m = 0; m < t->models; m++)
			print_cell(out, t, m, i);
	}
	if (t->tasks < 2)
		return;
	fprintf(out, "mean of %u tasks\n", t->tasks);
	for (uint32_t m = 0; m < t->models; m++) {
		fprintf(out, "  %s:", base_name(t->path[m]));
		print_rate(out, average(t, m));
		fputc('\n', out);
	}
}
