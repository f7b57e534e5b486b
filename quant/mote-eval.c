/* mote-eval: what models can do, on the field's benchmarks, each beside chance, a constant answer and its source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_build.h"
#include "quant/eval.h"
#include "format/version.h"
#include "quant/eval/eval_report.h"
#include "quant/eval/eval_results.h"
#include "quant/eval/evaluation.h"
#include "quant/eval/task_json.h"
#include "quant/receipt/receipt.h"

static const char about[] =
	"Usage: mote-eval [OPTION]... --task NAME=PATH... MODEL.mote...\n"
	"       mote-eval --merge [OPTION]... PART...\n"
	"Evaluates models on benchmarks, read from the files in which they are distributed, and scores\n"
	"them as the field does: arc_challenge, piqa, boolq, mmlu, mmlu_continuation, gsm8k, bbh and\n"
	"ifeval. Beside every score stand its error, what guessing scores, and what the best constant\n"
	"answer scores. With a reference, models are compared with it item by item.\n";

static const char epilog[] =
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 130 interrupted.\n";

static enum mote_status take_named(void *at, const char *text, struct mote_error *error)
{
	struct named_paths *list = at;
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1])
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected NAME=PATH");
	if (list->count == EVAL_MAX_TASKS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "more than %d", EVAL_MAX_TASKS);
	list->text[list->count++] = text;
	return MOTE_OK;
}

static enum mote_status take_shard(void *at, const char *text, struct mote_error *error)
{
	return mote_shard_parse(text, at, error);
}

#define AT(field) .at = offsetof(struct eval_arguments, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERANDS, .argument = "MODEL.mote...", AT(models)},
	{MOTE_OPTION_HEADING, .help = "What is asked"},
	{MOTE_OPTION_TAKE, NULL, "task", "NAME=PATH", "a benchmark and its file (mmlu, bbh: its folder), or "
	 "FILE.json=DATA, a task of your own; may be repeated", AT(tasks), .take = take_named},
	{MOTE_OPTION_TAKE, NULL, "shots", "NAME=PATH", "where a task's examples are read: gsm8k's train.jsonl (mmlu "
	 "has its own)", AT(shots), .take = take_named},
	{MOTE_OPTION_COUNT, NULL, "few-shot", "N", "examples before each question (default: gsm8k 5 where --shots "
	 "names its file; else 0)", AT(few), 1, 64},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "draw the examples of each question at random instead of taking the "
	 "first; -1: a random seed", AT(seed)},
	{MOTE_OPTION_FLAG, NULL, "zero-shot", NULL, "no examples, whatever a task's habit", AT(zero_shot)},
	{MOTE_OPTION_COUNT, NULL, "limit", "N", "the first N items only (of mmlu and bbh: of each subject)", AT(limit),
	 1, UINT32_MAX},
	{MOTE_OPTION_FLAG, NULL, "chat", NULL, "put each question as the user's turn of the model's template",
	 AT(chat)},
	{MOTE_OPTION_COUNT, NULL, "max-tokens", "N", "longest answer (default: the task's)", AT(max_tokens), 1,
	 UINT32_MAX},

	{MOTE_OPTION_HEADING, .help = "The comparison"},
	{MOTE_OPTION_TEXT, NULL, "reference", "BASE.mote", "also evaluate this model, and pair each item of the "
	 "others with it", AT(reference)},

	{MOTE_OPTION_HEADING, .help = "On many machines"},
	{MOTE_OPTION_TAKE, NULL, "shard", "I/N", "evaluate only the I-th of N shards of each task's items, and write a "
	 "part; one that is there already is left alone", AT(shard), .take = take_shard},
	{MOTE_OPTION_TEXT, "o", "output", "PART", "the part that --shard writes", AT(part)},
	{MOTE_OPTION_FLAG, NULL, "merge", NULL, "the operands are all parts of a whole: print what one process would "
	 "have printed", AT(merge)},
	{MOTE_OPTION_TEXT, NULL, "parts", "FOLDER", "keep finished parts there, and go on from those that an earlier "
	 "run left", AT(parts)},

	{MOTE_OPTION_HEADING, .help = "Results"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print one JSON object instead of a table", AT(json)},
	{MOTE_OPTION_TEXT, NULL, "log", "FILE.jsonl", "write a line for each item of each model", AT(log)},
	{MOTE_OPTION_TEXT, NULL, "report", "FILE.html", "write a page: scores with their errors, paired flips, groups",
	 AT(report)},
	{MOTE_OPTION_FLAG, NULL, "stamp", NULL, "store each result in its model's file as a receipt", AT(stamp)},
	{MOTE_OPTION_FLAG, NULL, "force", NULL, "replace the file that --log, --report or -o writes", AT(force)},
	{MOTE_OPTION_COUNT, NULL, "print-requests", "N", "print the first N requests of each task as a JSON array, and "
	 "run nothing", AT(print_requests), 1, UINT32_MAX},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
};

static const struct mote_tool tool = {MOTE_EVAL, about, epilog, options, sizeof options / sizeof *options};

/* ---- tasks ---- */

/* The path of the list's entry for this name, or NULL. */
static const char *path_for(const struct named_paths *list, const char *name)
{
	size_t length = strlen(name);

	for (uint32_t i = 0; i < list->count; i++)
		if (strncmp(list->text[i], name, length) == 0 && list->text[i][length] == '=')
			return list->text[i] + length + 1;
	return NULL;
}

/* A user's own task, whose definition is at path. */
static enum mote_status open_definition(const char *path, struct mote_task_file **file, struct mote_error *error)
{
	char *text = NULL;
	size_t bytes = 0;
	enum mote_status status = mote_console_read_file(path, EVAL_MAX_DEFINITION_BYTES, &text, &bytes, error);

	if (!status)
		status = mote_task_file_parse(text, bytes, path, file, error);
	free(text);
	return status;
}

static enum mote_status read_task(struct eval_run *r, uint32_t i, struct mote_error *error)
{
	const struct eval_arguments *a = r->a;
	const char *text = a->tasks.text[i], *equals = strchr(text, '=');
	struct mote_task_options o = {.limit = a->limit, .few = a->zero_shot ? 0 : a->few ? (int)a->few : -1,
					.draw = a->seed.given, .seed = a->seed.value};
	const struct mote_task_row *row;
	struct mote_task_file *file = NULL;
	char name[4096];
	int length = snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
	enum mote_status status = MOTE_OK;

	if (length > 5 && strcmp(name + strlen(name) - 5, ".json") == 0)
		status = open_definition(name, &file, error);
	row = file ? mote_task_file_row(file) : mote_task_row_find(name);
	if (!row && !status)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
					"no task is called \"%s\"; there are arc_challenge, piqa, boolq, mmlu, "
					"mmlu_continuation, gsm8k, bbh and ifeval, and your own (FILE.json=DATA)",
					name);
	if (!status) {
		o.shots_path = path_for(&a->shots, row->name);
		status = mote_task_read(row, equals + 1, &o, &r->t.task[i], error);
	}
	if (status) {
		mote_task_file_close(file);
		return status;
	}
	r->t.task[i].file = file;
	if (row->few > r->t.task[i].few && !a->zero_shot && !a->few && mote_team_rank(r->team) == 0)
		fprintf(stderr, MOTE_EVAL ": %s without examples, where %u are usual: name their file with --shots "
			"%s=FILE\n", row->name, row->few, row->name);
	return MOTE_OK;
}

/* Examples that no task takes: a name that is spelled otherwise than the task's. */
static enum mote_status check_shots(const struct eval_run *r, struct mote_error *error)
{
	for (uint32_t i = 0; i < r->a->shots.count; i++) {
		const char *text = r->a->shots.text[i];
		bool taken = false;

		for (uint32_t t = 0; t < r->t.tasks; t++)
			taken |= path_for(&r->a->shots, r->t.task[t].row->name) == strchr(text, '=') + 1;
		if (!taken)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--shots %s: expected a task's name, once",
					      text);
	}
	return MOTE_OK;
}

/* ---- running ---- */

static enum mote_status print_requests(struct eval_run *r, struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *array = mote_json_new_array(&b);
	enum mote_status status = eval_make_requests(r, r->t.models - 1, r->a->print_requests, array, error);

	if (!status)
		status = mote_json_finish(&b, &array, "requests", error);
	if (!status)
		status = mote_console_print_json(array, error);
	cJSON_Delete(array);
	return status;
}

/* ---- results ---- */

/* What "NAME=PATH" reads, where NAME can be a definition's path. */
static enum mote_status refuse_named(const char *output, const char *text, struct mote_error *error)
{
	const char *equals = strchr(text, '=');
	char name[4096];
	enum mote_status status = mote_output_refuse_input(output, equals + 1, error);

	snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
	return status ? status : mote_output_refuse_input(output, name, error);
}

/* An output replaces nothing that is read, nor another output. */
static enum mote_status check_outputs(const struct eval_arguments *a, struct mote_error *error)
{
	const char *const outputs[] = {a->log, a->report, a->part};
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
		status = status ? status : mote_output_refuse_input(outputs[i], a->reference, error);
		for (uint32_t k = 0; k < a->models.count && !status; k++)
			status = mote_output_refuse_input(outputs[i], a->models.value[k], error);
		for (uint32_t k = 0; k < a->tasks.count && !status; k++)
			status = refuse_named(outputs[i], a->tasks.text[k], error);
		for (uint32_t k = 0; k < a->shots.count && !status; k++)
			status = refuse_named(outputs[i], a->shots.text[k], error);
	}
	return status ? status : mote_output_refuse_same(a->log, a->report, error);
}

/* Whatever has to be open before hours of work: nothing is found out at their end. */
static enum mote_status open_file(const char *path, bool force, struct mote_output **out, FILE **stream,
				  struct mote_error *error)
{
	enum mote_status status = path ? mote_output_open(path, force, out, error) : MOTE_OK;

	if (status)
		mote_console_hint_force(force, error);
	if (status || !path)
		return status;
	*stream = mote_output_stream(*out);
	return *stream ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", path);
}

static enum mote_status open_files(struct eval_run *r, struct mote_error *error)
{
	enum mote_status status = open_file(r->a->log, r->a->force, &r->log, &r->lines, error);

	return status ? status : open_file(r->a->report, r->a->force, &r->report, &r->page, error);
}

static enum mote_status commit(struct mote_output **out, struct mote_error *error)
{
	enum mote_status status = *out ? mote_output_commit(*out, error) : MOTE_OK;

	*out = NULL;
	return status;
}

/* A receipt for each result in its model's file, the reference's too. */
static enum mote_status stamp(struct eval_run *r, const cJSON *json, struct mote_error *error)
{
	const cJSON *result = mote_json_get(json, "results")->child;
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; result && !status; i++, result = result->next) {
		uint32_t model = i / r->t.tasks;
		cJSON *evaluation = NULL;

		status = mote_eval_receipt(result, r->a->limit, r->a->max_tokens, &evaluation, error);
		if (!status)
			status = mote_receipt_stamp_evaluation(r->t.path[model], MOTE_EVAL " " MOTE_VERSION,
							       r->tensors[model], r->t.reference && model > 0
							       ? &r->tensors[0] : NULL, evaluation, error);
	}
	return status;
}

static enum mote_status give_results(struct eval_run *r, struct mote_error *error)
{
	cJSON *json = NULL;
	enum mote_status status = commit(&r->log, error);

	if (!status)
		status = mote_eval_results(&r->t, &json, error);
	if (!status && r->report) {
		mote_eval_report_html(r->page, json, (int)r->t.tasks);
		status = commit(&r->report, error);
	}
	if (!status && r->a->json)
		status = mote_console_print_json(json, error);
	else if (!status)
		mote_eval_results_print(stdout, &r->t);
	if (!status)
		status = mote_console_flush(error);
	if (!status && r->a->stamp) /* last: what was measured is seen even where no file can be stamped */
		status = stamp(r, json, error);
	cJSON_Delete(json);
	return status;
}

/* ---- all of it ---- */

static enum mote_status merge(struct eval_run *r, struct mote_error *error)
{
	enum mote_status status = mote_eval_join(r->a->models.value, r->a->models.count, &r->t, error);

	if (!status)
		status = open_files(r, error);
	if (!status)
		status = eval_write_lines(r, error);
	return status ? status : give_results(r, error);
}

static enum mote_status perform(struct eval_run *r, struct mote_error *error)
{
	const struct eval_arguments *a = r->a;
	struct mote_share share = {0};
	bool first = mote_team_rank(r->team) == 0, goes_on = true;
	enum mote_status status = MOTE_OK;

	if (!first && (a->merge || a->shard.count || a->print_requests))
		return MOTE_OK; /* nothing that several could do */
	status = check_outputs(a, error);
	if (status || a->merge)
		return status ? status : merge(r, error);
	if (a->reference)
		r->t.path[r->t.models++] = a->reference;
	for (uint32_t i = 0; i < a->models.count; i++)
		r->t.path[r->t.models++] = a->models.value[i];
	r->t.reference = a->reference;
	r->t.chat = a->chat;
	for (; r->t.tasks < a->tasks.count && !status; r->t.tasks++)
		status = read_task(r, r->t.tasks, error);
	if (!status)
		status = check_shots(r, error);
	if (status || a->print_requests)
		return status ? status : print_requests(r, error);
	status = eval_check_models(r, error);
	if (status || a->shard.count)
		return status ? status : eval_run_shard(r, error);
	if (first) /* what is written is written by one */
		status = open_files(r, error);
	if (!status && eval_shares(r)) {
		status = eval_share(r, &share, &goes_on, error);
		if (!status && goes_on)
			status = eval_write_lines(r, error);
	} else {
		for (uint32_t m = 0; m < r->t.models && !status; m++)
			status = eval_run_model(r, m, error);
	}
	if (!status && goes_on)
		status = give_results(r, error);
	if (!status)
		mote_share_forget(&share, MOTE_EVAL);
	return status;
}

/* Negative: go on; else the exit code. */
static int check_arguments(const struct eval_arguments *a)
{
	if (a->merge && (a->tasks.count || a->shard.count || a->reference || a->part || a->print_requests || a->stamp))
		return mote_options_refuse(&tool, "--merge takes parts alone, with --json, --log, --report and "
					   "--force");
	if (a->parts && (a->merge || a->shard.count || a->print_requests))
		return mote_options_refuse(&tool, "--parts goes with none of --shard, --merge and --print-requests");
	if (a->merge)
		return a->models.count ? -1 : mote_options_refuse(&tool, "give the parts");
	if (a->tasks.count == 0)
		return mote_options_refuse(&tool, "give a task with --task NAME=PATH");
	if (a->models.count == 0 || a->models.count > EVAL_MAX_MODELS)
		return mote_options_refuse(&tool, "%u models; 1 to %d at once", a->models.count, EVAL_MAX_MODELS);
	if (a->few && a->zero_shot)
		return mote_options_refuse(&tool, "--few-shot and --zero-shot exclude each other");
	if (!a->shard.count != !a->part)
		return mote_options_refuse(&tool, "--shard and -o PART go together");
	if (a->shard.count && (a->log || a->json || a->report || a->stamp || a->print_requests))
		return mote_options_refuse(&tool, "--shard writes a part and nothing else; give --log, --json and "
					   "--report to --merge");
	return -1;
}

int main(int argc, char **argv)
{
	struct eval_arguments a = {0};
	struct mote_error error = {0};
	int code = mote_options_parse(&tool, argc, argv, &a);
	struct eval_run *r;
	enum mote_status status;

	if (code >= 0)
		return code;
	code = check_arguments(&a);
	if (code >= 0)
		return code;
	mote_console_catch_signals();
	r = calloc(1, sizeof *r);
	if (!r) {
		status = mote_error_set(&error, MOTE_ERROR_MEMORY, "out of memory");
		return mote_console_fail(MOTE_EVAL, &error);
	}
	r->a = &a;
	status = mote_team_open(&r->team, &error);
	if (!status)
		status = perform(r, &error);
	status = mote_team_close(r->team, status, &error);
	mote_output_discard(r->log);
	mote_output_discard(r->report);
	mote_eval_table_free(&r->t);
	free(r);
	return status ? mote_console_fail(MOTE_EVAL, &error) : 0;
}
