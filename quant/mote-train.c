/* mote-train: teaches a model answers (sft), or which of two answers is the better one (dpo). */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/clock.h"
#include "format/output.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "quant/train_run.h"

static const char about[] =
	"Usage: mote-train sft|dpo [OPTION]... --data FILE.jsonl -o OUT.mote MODEL.mote\n"
	"Trains a whole model on conversations or texts. sft: to give the assistant's answers, or to go on\n"
	"with a text; dpo: to prefer the chosen answer to the rejected one. Of conversations, loss is counted\n"
	"on what the assistant wrote, as the model's own template has it. The same data, recipe and seed\n"
	"give the same bytes on every machine.\n";

static const char epilog[] =
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 the loss diverged,\n"
	"130 interrupted (with --state, the same command goes on from there).\n";

enum { MOST_DATA = INT32_MAX };

static enum mote_status take_token(void *at, const char *text, struct mote_error *error)
{
	struct train_options *o = at;

	if (o->tokens == MAX_NEW_TOKENS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "more than %d tokens", MAX_NEW_TOKENS);
	o->token[o->tokens++] = text;
	return MOTE_OK;
}

#define AT(field) .at = offsetof(struct train_options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERAND, .argument = "sft|dpo", AT(method)},
	{MOTE_OPTION_OPERAND, .argument = "[MODEL.mote]", AT(model)},
	{MOTE_OPTION_TEXT, "o", "output", "OUT.mote", "the trained model", AT(output)},
	{MOTE_OPTION_TEXT, NULL, "data", "FILE.jsonl", "an object a line: {\"messages\": [...]} or {\"text\": ...} "
	 "for sft, {\"prompt\", \"chosen\", \"rejected\"} for dpo", AT(data)},
	{MOTE_OPTION_TEXT, NULL, "eval", "FILE.jsonl", "other records of sft's kind, whose loss is measured before and "
	 "after", AT(eval)},

	{MOTE_OPTION_HEADING, .help = "The recipe"},
	{MOTE_OPTION_TEXT, NULL, "loss", "NAME", "sft: nll (default) or dft; dpo: sigmoid (default) or apo_zero",
	 AT(loss), .choices = "nll dft sigmoid apo_zero"},
	{MOTE_OPTION_DOUBLE, NULL, "beta", "B", "dpo: how far it may leave the model it began as; larger is nearer "
	 "(default 0.1)", AT(beta)},
	{MOTE_OPTION_DOUBLE, NULL, "lr", "X", "the largest step (default: sft 3e-4, dpo 1e-5)", AT(lr)},
	{MOTE_OPTION_DOUBLE, NULL, "warmup", "X", "share of the steps that lead up to it (default 0.1)",
	 AT(warm_up), 0, 1},
	{MOTE_OPTION_DOUBLE, NULL, "lr-end", "X", "what of it is left at the end of the cosine (default: sft 0, dpo "
	 "0.1)", AT(floor), 0, 1},
	{MOTE_OPTION_COUNT, NULL, "epochs", "N", "how often all records are seen (default 1)", AT(epochs), 1, 1000},
	{MOTE_OPTION_COUNT, NULL, "batch", "N", "records a step, 1 to 1024 (default 16)", AT(batch), 1,
	 MOTE_TRAIN_MOST_BATCH},
	{MOTE_OPTION_DOUBLE, NULL, "weight-decay", "X", "of matrices (default 0.01)", AT(decay), 0, 1},
	{MOTE_OPTION_DOUBLE, NULL, "clip", "X", "most norm of a batch's gradient (default: sft 1, dpo 0.2)", AT(clip)},
	{MOTE_OPTION_COUNT, NULL, "max-length", "N", "tokens of a record; longer ones are cut, texts into several "
	 "(default 2048)", AT(length), 2, 1 << 20},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "of the order of records, and of what else is random (default 0)",
	 AT(seed)},
	{MOTE_OPTION_DOUBLE, NULL, "neftune", "ALPHA", "sft: noise on what is embedded, at most ALPHA / sqrt(length * "
	 "width); 5 to 15 are usual", AT(neftune), 0, 1000},
	{MOTE_OPTION_COUNT, NULL, "lora", "R", "train only a low-rank adapter of so many columns, in little memory; it "
	 "is merged in the end", AT(lora), 1, 1024},
	{MOTE_OPTION_DOUBLE, NULL, "lora-alpha", "X", "it is multiplied by X / R (default: 2 R)", AT(lora_alpha)},

	{MOTE_OPTION_TAKE, NULL, "add-token", "TEXT", "a new special token, its row the mean of all rows; may be given "
	 "several times", .take = take_token},

	{MOTE_OPTION_HEADING, .help = "Results"},
	{MOTE_OPTION_TEXT, NULL, "dtype", "TYPE", "of the matrices: f32, bf16 or f16 (default: the model's, f32 if "
	 "they are quantized or of several types)", AT(dtype), .choices = "f32 bf16 f16"},
	{MOTE_OPTION_TEXT, NULL, "state", "FILE", "keep the training's state here now and then; if it is there, go on "
	 "from it", AT(state)},
	{MOTE_OPTION_COUNT, NULL, "state-every", "N", "steps from one state to the next (default 100)", AT(every), 1,
	 UINT32_MAX},
	{MOTE_OPTION_TEXT, NULL, "adapter", "FOLDER", "with --lora: write the adapter too, as PEFT does (mote-convert "
	 "--lora reads it)", AT(adapter)},
	{MOTE_OPTION_TEXT, NULL, "curve", "FILE.svg", "draw the loss", AT(curve)},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print a JSON object a step, and one for the whole", AT(json)},
	{MOTE_OPTION_FLAG, NULL, "force", NULL, "replace the files that -o, --adapter and --curve write", AT(force)},
	{MOTE_OPTION_COUNT, NULL, "tokens-at-once", "N", "computed together: more takes more memory (default 1024)",
	 AT(rows), 1, 1 << 20},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
};

static const struct mote_tool tool = {"mote-train", about, epilog, options, sizeof options / sizeof *options};

/* ---- reading ---- */

static enum mote_status read_examples(struct train_run *r, const char *path, bool preferences, uint32_t length,
				      struct mote_examples *e, struct mote_hash128 *hash, struct mote_error *error)
{
	struct mote_examples_options o = {.path = path, .preferences = preferences, .max_length = length,
					  .metadata = r->vocabulary.metadata, .tokenizer = r->vocabulary.tokenizer,
					  .vocab = r->vocabulary.rows};
	char *text = NULL;
	size_t bytes;
	enum mote_status status = mote_console_read_file(path, MOST_DATA, &text, &bytes, error);
	XXH128_hash_t h;

	if (status == MOTE_OK)
		status = mote_examples_read(e, text, bytes, &o, error);
	if (status == MOTE_OK) {
		h = XXH3_128bits(text, bytes);
		*hash = (struct mote_hash128){h.low64, h.high64};
		if (e->cut || e->dropped)
			mote_console_warn(tool.name, "%s: %u of %u records were cut to %u tokens, %u left out since "
					  "nothing in them is learnt", path, e->cut, e->records, length, e->dropped);
	}
	free(text);
	return status;
}

/* The one that all matrices have; of several, or where one is quantized, f32, which holds what each stands for. */
static enum mote_type type_of(const struct mote_container *c)
{
	uint32_t n = mote_container_tensor_count(c);
	enum mote_type type = MOTE_F32;
	bool any = false;

	for (uint32_t i = 0; i < n; i++) {
		const struct mote_tensor *t = mote_container_tensor(c, i);

		if (t->rank != 2)
			continue;
		if (mote_type_is_quantized(t->matrix.type) || (any && t->matrix.type != type))
			return MOTE_F32;
		type = t->matrix.type;
		any = true;
	}
	return type;
}

static enum mote_status open_model(struct train_run *r, struct mote_error *error)
{
	enum mote_status status = mote_model_open(r->o.model, MOTE_WEIGHTS_MAPPED, &r->model, error);

	if (status) {
		mote_console_hint_model(r->o.model, error);
		return status;
	}
	r->type = type_of(r->model->container);
	for (enum mote_type t = MOTE_F32; r->o.dtype && t <= MOTE_BF16; t++)
		if (!strcmp(mote_type_name(t), r->o.dtype))
			r->type = t;
	status = mote_container_verify(r->model->container, NULL, error);
	if (status == MOTE_OK)
		status = mote_vocabulary_open(&r->vocabulary, r->model, r->o.token, r->o.tokens, error);
	r->settings.vocab = r->vocabulary.rows;
	r->settings.first_new = r->vocabulary.first;
	r->settings.new_rows = r->vocabulary.added;
	return status;
}

/* ---- running ---- */

static enum mote_status keep_state(const struct train_run *r, struct mote_error *error)
{
	return r->o.state ? mote_trainer_save(&r->trainer, r->o.state, r->identity, error) : MOTE_OK;
}

/* The loss on what is evaluated, if anything is. */
static enum mote_status evaluate(struct train_run *r, double *loss, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "measuring the loss on --eval", "records");
	enum mote_status status = MOTE_OK;

	if (r->eval.n)
		status = mote_trainer_measure(&r->trainer, &r->eval, &progress, loss, error);
	mote_console_progress_end(&bar);
	return status;
}

static enum mote_status begin(struct train_run *r, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "measuring the answers as they are", "records");
	enum mote_status status = mote_trainer_open(&r->trainer, r->model, &r->examples, &r->settings, error);
	bool there = false;

	if (status == MOTE_OK && r->o.state)
		status = mote_output_exists(r->o.state, &there, error);
	if (status == MOTE_OK)
		status = evaluate(r, &r->before, error);
	if (status == MOTE_OK && there)
		return mote_trainer_load(&r->trainer, r->o.state, r->identity, error);
	if (status == MOTE_OK)
		status = mote_trainer_refer(&r->trainer, &progress, error);
	mote_console_progress_end(&bar);
	return status;
}

static enum mote_status interrupted(const struct train_run *r, struct mote_error *error)
{
	enum mote_status status = keep_state(r, error);

	return status ? status : mote_error_set(error, MOTE_ERROR_INTERRUPTED, r->o.state
						? "interrupted at step %u of %u; the same command goes on from there"
						: "interrupted at step %u of %u", r->trainer.step, r->trainer.steps);
}

static enum mote_status train(struct train_run *r, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "training", "steps");
	enum mote_status status = MOTE_OK;
	bool go_on = true;

	while (r->trainer.step < r->trainer.steps && !status && go_on) {
		double began = mote_clock_seconds(), operations = r->trainer.passes.operations;
		uint64_t tokens = r->trainer.tokens;
		struct mote_train_point point;

		status = mote_trainer_step(&r->trainer, &point, error);
		r->step_seconds += mote_clock_seconds() - began;
		r->step_operations += r->trainer.passes.operations - operations;
		r->step_tokens += r->trainer.tokens - tokens;
		if (status == MOTE_OK && r->o.json)
			status = train_print_step(r, &point, error);
		if (status == MOTE_OK && r->trainer.step % r->o.every == 0)
			status = keep_state(r, error);
		go_on = progress.update(progress.user, r->trainer.step, r->trainer.steps);
	}
	mote_console_progress_end(&bar);
	return status == MOTE_OK && !go_on && r->trainer.step < r->trainer.steps ? interrupted(r, error) : status;
}

/* Behind the last step. */
static enum mote_status finish(struct train_run *r, struct mote_error *error)
{
	enum mote_status status;

	mote_trainer_merge(&r->trainer);
	status = evaluate(r, &r->after, NULL);
	return status == MOTE_ERROR_INTERRUPTED ? interrupted(r, error) : status;
}

/* An output that exists is refused before hours are spent on it. */
static enum mote_status check_outputs(const struct train_run *r, struct mote_error *error)
{
	const char *const outputs[] = {r->o.output, r->o.curve, r->o.state};
	const char *const inputs[] = {r->o.model, r->o.data, r->o.eval};
	enum mote_status status = MOTE_OK;

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3 && !status; k++)
			status = mote_output_refuse_input(outputs[i], inputs[k], error);
	for (int i = 0; i < 3 && !status; i++)
		status = mote_output_refuse_same(outputs[i], outputs[(i + 1) % 3], error);
	for (int i = 0; i < 3 && !status; i++) { /* a state may be there */
		struct mote_output *probe;

		if (!outputs[i])
			continue;
		status = mote_output_open(outputs[i], r->o.force || i == 2, &probe, error);
		if (status == MOTE_OK)
			mote_output_discard(probe);
		else
			mote_console_hint_force(r->o.force, error);
	}
	return status || !r->o.adapter ? status : mote_adapter_check(r->o.adapter, r->o.force, error);
}

static enum mote_status work(struct train_run *r, struct mote_error *error)
{
	enum mote_status status = check_outputs(r, error);
	struct mote_hash128 ignored;
	uint32_t length;

	r->started = mote_clock_seconds();
	if (status == MOTE_OK)
		status = open_model(r, error);
	if (status)
		return status;
	length = r->o.length < r->model->config.max_positions ? r->o.length : r->model->config.max_positions;
	status = read_examples(r, r->o.data, train_prefers(r), length, &r->examples, &r->data, error);
	if (status == MOTE_OK && r->o.eval)
		status = read_examples(r, r->o.eval, false, length, &r->eval, &ignored, error);
	r->settings.measured = r->eval.longest;
	if (status == MOTE_OK)
		status = train_make_recipe(r, error);
	if (status == MOTE_OK)
		status = begin(r, error);
	if (status == MOTE_OK)
		status = train(r, error);
	if (status == MOTE_OK)
		status = finish(r, error);
	return status ? status : train_give_results(r, error);
}

/* ---- command line ---- */

/* Negative: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct train_run *r)
{
	struct train_options *o = &r->o;
	struct mote_train_settings *s = &r->settings;
	bool dpo;
	int code;

	*o = (struct train_options){.lr = -1, .floor = -1, .warm_up = 0.1, .decay = 0.01, .clip = -1, .beta = -1,
				    .epochs = 1, .batch = 16,
			      .length = 2048, .rows = 1024};
	code = mote_options_parse(&tool, argc, argv, o);
	if (code >= 0)
		return code;
	dpo = !strcmp(o->method, "dpo");
	if (!dpo && strcmp(o->method, "sft"))
		return mote_options_refuse(&tool, "expected sft or dpo, found %s", o->method);
	if (!o->model)
		return mote_options_refuse(&tool, "MODEL.mote is missing");
	if (!o->data || !o->output)
		return mote_options_refuse(&tool, "--data and -o are needed");
	if (!o->loss)
		o->loss = dpo ? "sigmoid" : "nll";
	s->objective = !strcmp(o->loss, "nll") ? MOTE_OBJECTIVE_NLL : !strcmp(o->loss, "dft") ? MOTE_OBJECTIVE_DFT :
		       !strcmp(o->loss, "sigmoid") ? MOTE_OBJECTIVE_SIGMOID : MOTE_OBJECTIVE_APO_ZERO;
	if (dpo != train_prefers(r))
		return mote_options_refuse(&tool, "--loss %s does not belong to %s", o->loss, o->method);
	if (o->lora && o->tokens)
		return mote_options_refuse(&tool, "--lora leaves the embedding as it is: --add-token goes without it");
	if (!o->lora && (o->adapter || o->lora_alpha > 0))
		return mote_options_refuse(&tool, "--adapter and --lora-alpha go with --lora");
	if (o->every && !o->state)
		return mote_options_refuse(&tool, "--state-every goes with --state");
	if (dpo && o->neftune > 0)
		return mote_options_refuse(&tool, "--neftune goes with sft");
	if (!dpo && o->beta > 0)
		return mote_options_refuse(&tool, "--beta goes with dpo");
	o->every = o->every ? o->every : 100;
	s->neftune = o->neftune;
	s->lora_rank = o->lora;
	s->lora_alpha = o->lora_alpha > 0 ? o->lora_alpha : 2.0 * o->lora;
	s->beta = o->beta > 0 ? o->beta : 0.1;
	s->lr = o->lr > 0 ? o->lr : dpo ? 1e-5 : 3e-4;
	s->floor = o->floor >= 0 ? o->floor : dpo ? 0.1 : 0;
	s->warm_up = o->warm_up;
	s->weight_decay = o->decay;
	s->clip = o->clip > 0 ? o->clip : dpo ? 0.2 : 1;
	s->epochs = o->epochs;
	s->batch = o->batch;
	s->rows = o->rows;
	s->seed = o->seed.value;
	s->threads = o->threads;
	return -1;
}

int main(int argc, char **argv)
{
	struct train_run r = {0};
	struct mote_error error = {0};
	int code = parse_options(argc, argv, &r);

	if (code >= 0)
		return code;
	mote_console_catch_signals();
	code = work(&r, &error) ? mote_console_fail(tool.name, &error) : 0;
	mote_trainer_close(&r.trainer);
	mote_examples_free(&r.examples);
	mote_examples_free(&r.eval);
	mote_vocabulary_free(&r.vocabulary);
	mote_model_close(r.model);
	cJSON_Delete(r.recipe);
	return code;
}
