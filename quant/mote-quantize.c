/* mote-quantize: makes a container smaller and proves what that cost. The work is in pipeline.h; here
 * are the command line and what is printed. */
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "format/output.h"
#include "quant/quantize_command.h"

enum { TEXT_BYTES_MAX = 1 << 30 };

/* The mixture when nothing is asked for: smaller than type q4 with the vocabulary in q8,
 * and better by a quarter to a third. */
#define DEFAULT_BITS 5.0

static const char about[] =
"Usage: mote-quantize [OPTION]... IN.mote -o OUT.mote [--budget 80MB | --bits 5.5 | --max-kld 0.02]\n"
"  or:  mote-quantize [OPTION]... IN.mote -o OUT.mote --type q4\n"
"  or:  mote-quantize --merge [OPTION]... IN.mote PART... -o OUT.mote --bits 5.5\n"
"\n"
"Writes IN's model with its matrices in fewer bits, measures the result against IN, and stores what\n"
"it found in the file as a receipt. The damage that each tensor does is measured and the best mixture\n"
"of q3 to q8, with scales of two bytes or one, for the goal is taken, embedding and head included;\n"
"without a goal that of 5 bits a weight. The table of these sensitivities goes into the file\n"
"(mote-inspect shows it). With --type instead, all layers get that type, and the embedding and the\n"
"output head become q8 where the layers become less (see --tensor).\n";

static const char epilog[] =
"Same input, options and seed give the same bytes, on any CPU and with any number of threads.\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 quality gate failed,\n"
"130 interrupted. docs/quantization.md explains the encoders and which level to take.\n";

static void free_command(struct quantize_command *c)
{
	for (uint32_t i = 0; i < c->options.recipe.n_rules; i++)
		free((void *)(uintptr_t)c->rules[i].pattern);
	free(c->rules);
	mote_text_free(&c->calibration);
	mote_text_free(&c->validation);
}

/* ---- command line ---- */

static enum mote_status take_rule(void *at, const char *text, struct mote_error *error)
{
	struct quantize_command *c = at;
	struct mote_rule *rules = realloc(c->rules, (c->options.recipe.n_rules + 1u) * sizeof *rules);
	enum mote_type type;
	char *pattern;
	enum mote_status status;

	if (!rules)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	c->options.recipe.rules = c->rules = rules;
	status = mote_rule_parse(text, &pattern, &type, error);
	if (status == MOTE_OK)
		rules[c->options.recipe.n_rules++] = (struct mote_rule){pattern, type};
	return status;
}

static enum mote_status take_type(void *at, const char *text, struct mote_error *error)
{
	struct quantize_command *c = at;

	(void)error;
	c->have_type = true;
	return mote_type_from_name(text, &c->options.recipe.type) ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_encoder(void *at, const char *text, struct mote_error *error)
{
	struct quantize_command *c = at;

	(void)error;
	c->have_encoder = true;
	return mote_encoder_from_name(text, &c->options.recipe.encoder) ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_for(void *at, const char *text, struct mote_error *error)
{
	(void)error;
	*(bool *)at = strcmp(text, "gguf") == 0;
	return *(bool *)at ? MOTE_OK : MOTE_ERROR_ARGUMENT;
}

static enum mote_status take_shard(void *at, const char *text, struct mote_error *error)
{
	return mote_shard_parse(text, at, error);
}

/* "200k" and "2M" are tokens, as a number is; "90s", "5m" and "1h" are time. */
static enum mote_status take_recover(void *at, const char *text, struct mote_error *error)
{
	struct mote_pipeline_options *o = &((struct quantize_command *)at)->options;
	static const struct {
		char unit;
		double tokens, seconds;
	} units[] = {{0, 1, 0}, {'k', 1e3, 0}, {'M', 1e6, 0}, {'s', 0, 1}, {'m', 0, 60}, {'h', 0, 3600}};
	char *end;
	double n = strtod(text, &end);

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (*text >= '0' && *text <= '9' && *end == units[i].unit && (!*end || !end[1]) && n > 0 && n <= 1e9) {
			o->recover = true;
			o->recover_tokens = (uint64_t)(n * units[i].tokens);
			o->recover_seconds = n * units[i].seconds;
			if (o->recover_tokens || o->recover_seconds > 0)
				return MOTE_OK;
		}
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected tokens (200k, 2M) or a time (90s, 5m, 1h)");
}

#define AT(field) .at = offsetof(struct quantize_command, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERAND, .argument = "IN.mote", AT(options.input)},
	{MOTE_OPTION_OPERANDS, .argument = "PART...", AT(parts)},
	{MOTE_OPTION_HEADING, .help = "What it becomes"},
	{MOTE_OPTION_TAKE, NULL, "type", "TYPE", "q3 (3.5 bits a weight), q4 (4.5), q5 (5.5), q6 (6.5), q8 (8.5); "
	 "with scales of a byte q3b (3.25), q4b (4.25), q5b (5.25), q6b (6.25), q8b (8.25); f16, bf16 or f32",
	 .choices = "q3 q4 q5 q6 q8 q3b q4b q5b q6b q8b f16 bf16 f32", .take = take_type},
	{MOTE_OPTION_SIZE, NULL, "budget", "SIZE", "the best mixture in a file of at most SIZE (k, M, G: thousands; "
	 "Ki, Mi, Gi: 1024; a B may follow)", AT(options.aim.budget_bytes)},
	{MOTE_OPTION_DOUBLE, NULL, "bits", "X", "the best mixture of at most X bits a weight, 1 to 32, the embedding's "
	 "included (default 5)",
	 AT(options.aim.bits), 1, 32},
	{MOTE_OPTION_TAKE, NULL, "tensor", "PATTERN=TYPE", "an exception: tensors whose name matches; * ? [] as in a "
	 "shell; later ones win. '*=q4' is every matrix, the embedding too. May be repeated", .take = take_rule},
	{MOTE_OPTION_TAKE, NULL, "encoder", "NAME", "round, search, weighted, learned or gptq, from fast to good; the "
	 "default is gptq for mixtures and where anything becomes q6 or less, else search",
	 .choices = "round search weighted learned gptq", .take = take_encoder},
	{MOTE_OPTION_TAKE, NULL, "for", "FORMAT", "gguf: blocks that a GGUF file holds as they are; with --type q8 or "
	 "q4 (or a float type). What mote-convert then writes is Q8_0 and Q4_0; with --encoder round llama.cpp's own, "
	 "byte for byte", AT(options.recipe.linear), .choices = "gguf", .take = take_for},
	{MOTE_OPTION_TAKE, NULL, "recover", "AMOUNT", "train the quantized model towards IN for so many tokens (200k, "
	 "2M) or so long (90s, 5m, 1h); what a part of the text that is held out does not gain from is not kept",
	 .take = take_recover},
	{MOTE_OPTION_TEXT, NULL, "state", "FILE", "with --recover and --type or --bits: keep what is learnt here when "
	 "interrupted, and every ten minutes; if it is there, go on from it", AT(options.recover_state)},
	{MOTE_OPTION_FLAG, NULL, "requantize", NULL, "accept an IN that is quantized already (its errors add up)",
	 AT(options.recipe.requantize)},

	{MOTE_OPTION_HEADING, .help = "Texts"},
	{MOTE_OPTION_TEXT, NULL, "calibrate", "FILE", "text for the encoder to see; else the model writes some itself",
	 AT(calibrate_path)},
	{MOTE_OPTION_TEXT, NULL, "validate", "FILE", "text to measure on; else the model writes some itself",
	 AT(validate_path)},
	{MOTE_OPTION_FLAG, NULL, "no-validate", NULL, "do not measure, and write no receipt",
	 AT(options.no_validation)},
	{MOTE_OPTION_COUNT, "c", "ctx-size", "N", "tokens a chunk when measuring (default 512, or what the model "
	 "can hold)", AT(options.context_tokens), 4, UINT32_MAX},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "of the texts that the model writes, up to 2^53 (default 0; -1: a "
	 "random one)", AT(seed)},

	{MOTE_OPTION_HEADING, .help = "Quality gate: when the result is worse, exit 4 and leave no file"},
	{MOTE_OPTION_DOUBLE, NULL, "max-kld", "X", "largest mean KL divergence from IN; without --type, --budget and "
	 "--bits: the smallest mixture that has at most this", AT(options.aim.max_kld)},
	{MOTE_OPTION_DOUBLE, NULL, "max-ppl-ratio", "X", "largest ratio of perplexities", AT(options.max_ppl_ratio)},

	{MOTE_OPTION_HEADING, .help = "Sensitivities on many machines"},
	{MOTE_OPTION_TAKE, NULL, "shard", "I/N", "measure only the I-th of N shards of the matrices, and write a part "
	 "instead of a model; one that is there already is left alone", AT(shard), .take = take_shard},
	{MOTE_OPTION_FLAG, NULL, "merge", NULL, "take the sensitivities from parts, all of a whole; they serve any "
	 "--budget, --bits or --max-kld", AT(merge)},
	{MOTE_OPTION_TEXT, NULL, "parts", "FOLDER", "keep finished parts there, and go on from those that an earlier "
	 "run left", AT(parts_folder)},

	{MOTE_OPTION_HEADING, .help = "Output"},
	{MOTE_OPTION_TEXT, "o", "output", "FILE", "where to write (required)", AT(output)},
	{MOTE_OPTION_FLAG, "f", "force", NULL, "replace FILE if it exists", AT(options.force)},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1 to 256 (default: the physical cores)", AT(options.threads), 1,
	 MOTE_OPTION_MAX_THREADS},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print the result as one JSON object", AT(json)},
	{MOTE_OPTION_FLAG, "q", "quiet", NULL, "print nothing but errors", AT(quiet)},
};

static const struct mote_tool tool = {QUANTIZE, about, epilog, options, sizeof options / sizeof *options};

static bool has_gguf(enum mote_type type)
{
	return type == MOTE_Q8 || type == MOTE_Q4 || !mote_type_is_quantized(type);
}

/* Negative: go on; else the exit code. */
static int check_format(const struct quantize_command *c)
{
	const struct mote_recipe *r = &c->options.recipe;

	if (!r->linear)
		return -1;
	if (!c->have_type)
		return mote_options_refuse(&tool, "--for gguf goes with --type");
	if (!has_gguf(r->type))
		return mote_options_refuse(&tool, "--for gguf: GGUF has no %s; q8 and q4 it has",
					   mote_type_name(r->type));
	for (uint32_t i = 0; i < r->n_rules; i++)
		if (!has_gguf(r->rules[i].type))
			return mote_options_refuse(&tool, "--for gguf: GGUF has no %s; q8 and q4 it has",
						   mote_type_name(r->rules[i].type));
	return -1;
}

/* Negative: go on; else the exit code. */
static int check_parts(const struct quantize_command *c)
{
	const struct mote_pipeline_options *o = &c->options;

	if (c->parts_folder && (c->shard.count || c->merge || o->aim.goal == MOTE_GOAL_TYPE))
		return mote_options_refuse(&tool, "--parts is for mixtures, without --shard and --merge");
	if (!c->shard.count && !c->merge)
		return c->parts.count ? mote_options_refuse(&tool, "unexpected argument: %s", c->parts.value[0]) : -1;
	if (o->aim.goal == MOTE_GOAL_TYPE)
		return mote_options_refuse(&tool, "--shard and --merge are for mixtures: --budget, --bits or "
					   "--max-kld");
	if (c->shard.count && c->merge)
		return mote_options_refuse(&tool, "--shard and --merge contradict each other");
	if (!c->merge != !c->parts.count)
		return mote_options_refuse(&tool, c->merge ? "give the parts" : "--shard takes no parts");
	if (c->shard.count && (c->validate_path || c->json))
		return mote_options_refuse(&tool, "--shard goes with neither --validate nor --json; give them to "
					   "--merge");
	return -1;
}

/* Negative: go on; else the exit code. */
static int check_command(struct quantize_command *c)
{
	struct mote_pipeline_options *o = &c->options;
	int code;

	if (!c->output)
		return mote_options_refuse(&tool, "-o OUT.mote is missing");
	if (o->aim.budget_bytes > 0 && o->aim.bits > 0)
		return mote_options_refuse(&tool, "--budget and --bits contradict each other");
	if (c->have_type && (o->aim.budget_bytes > 0 || o->aim.bits > 0))
		return mote_options_refuse(&tool, "--type contradicts --budget and --bits");
	if (!c->have_type)
		o->aim.goal = o->aim.budget_bytes > 0 ? MOTE_GOAL_BYTES : o->aim.bits > 0 ? MOTE_GOAL_BITS :
			      o->aim.max_kld > 0 ? MOTE_GOAL_KLD : MOTE_GOAL_TYPE;
	if (!c->have_type && !o->recipe.linear && o->aim.goal == MOTE_GOAL_TYPE) {
		o->aim.goal = MOTE_GOAL_BITS;
		o->aim.bits = DEFAULT_BITS;
	}
	if (o->no_validation && (c->validate_path || o->aim.max_kld > 0 || o->max_ppl_ratio > 0))
		return mote_options_refuse(&tool, "--no-validate contradicts --validate, --max-kld and "
					   "--max-ppl-ratio");
	if (o->recover_state &&
	    (!o->recover || c->shard.count || (o->aim.goal != MOTE_GOAL_TYPE && o->aim.goal != MOTE_GOAL_BITS)))
		return mote_options_refuse(&tool, "--state goes with --recover and --type or --bits");
	o->best_encoder = !c->have_encoder;
	o->seed = c->seed.value;
	code = check_parts(c);
	return code < 0 ? check_format(c) : code;
}

static enum mote_status read_text(const char *path, struct mote_text *out, struct mote_error *error)
{
	const char *slash;

	if (!path)
		return MOTE_OK;
	slash = strrchr(path, '/');
	snprintf(out->name, sizeof out->name, "%s", !strcmp(path, "-") ? "standard input" : slash ? slash + 1 : path);
	return mote_console_read_file(path, TEXT_BYTES_MAX, &out->data, &out->bytes, error);
}

/* A text to measure on may be anything, but whoever gives something else than text is told. */
static void warn_of_text(const struct mote_text *t)
{
	struct mote_error what = {0};

	if (t->data && mote_text_check(t, &what) != MOTE_OK)
		mote_console_warn(QUANTIZE, "validation text %s; it is measured on as it is", what.message);
}

/* ---- all of it ---- */

/* The bar that progress is shown on; a new one for each stage. */
struct display {
	struct mote_console_bar bar;
	struct mote_progress bar_progress, progress;
	double started;
	bool quiet;
	const bool *sharing; /* pieces are counted, and what is done of one is not */
};

static void begin_stage(void *user, const struct mote_stage *stage)
{
	struct display *d = user;

	mote_console_progress_end(&d->bar);
	d->bar_progress = mote_console_progress(&d->bar, stage->label, stage->unit);
	d->bar.stage = stage->number;
	d->bar.stages = stage->of;
	d->bar.whole_started = d->started;
	d->bar.before = stage->before;
	d->bar.share = stage->share;
	d->bar.terminal &= !d->quiet;
}

static bool update_pieces(void *user, uint64_t done, uint64_t total)
{
	struct display *d = user;

	return d->bar_progress.update(d->bar_progress.user, done, total);
}

static bool update(void *user, uint64_t done, uint64_t total)
{
	struct display *d = user;

	return *d->sharing ? !mote_console_interrupted() : d->bar_progress.update(d->bar_progress.user, done, total);
}

/* What a run will learn from, as soon as that is known. */
static void tell_plan(void *user, uint64_t tokens, double tokens_a_second)
{
	struct display *d = user;

	mote_console_progress_end(&d->bar);
	if (d->quiet)
		return;
	fprintf(stderr, "recovering from %llu tokens", (unsigned long long)tokens);
	if (tokens_a_second > 0)
		fprintf(stderr, ", in about %.0f s at %.0f a second", (double)tokens / tokens_a_second,
			tokens_a_second);
	fputc('\n', stderr);
}

static enum mote_status run(struct quantize_command *c, struct mote_error *error)
{
	struct display d = {.quiet = c->quiet, .started = mote_clock_seconds(), .sharing = &c->sharing};
	struct mote_pipeline_result result = {0};
	bool goes_on = quantize_share(c);
	double seconds;
	enum mote_status status = goes_on ? read_text(c->calibrate_path, &c->calibration, error) : MOTE_OK;

	if (!goes_on)
		return MOTE_OK;
	d.bar_progress = mote_console_progress(&d.bar, "", NULL);
	d.progress = (struct mote_progress){.update = update, .user = &d};
	c->piece_progress = (struct mote_progress){.update = update_pieces, .user = &d};
	c->options.progress = &d.progress;
	c->options.stage = begin_stage;
	c->options.recover_planned = tell_plan;
	if (status == MOTE_OK)
		status = read_text(c->validate_path, &c->validation, error);
	for (int i = 0; i < 2 && status == MOTE_OK; i++) {
		const char *output = i ? c->options.recover_state : c->output;

		status = mote_output_refuse_input(output, c->calibrate_path, error);
		if (status == MOTE_OK)
			status = mote_output_refuse_input(output, c->validate_path, error);
	}
	if (status == MOTE_OK && c->shard.count) /* a part's name must be free, or a part's; which one is known later */
		status = quantize_check_part(c, error);
	if (status == MOTE_OK && c->options.output)
		warn_of_text(&c->validation);
	if (status == MOTE_OK)
		status = mote_pipeline_run(&c->options, &result, error);
	if (status != MOTE_OK && status != MOTE_ERROR_QUALITY)
		mote_console_hint_model(c->options.input, error);
	mote_console_progress_end(&d.bar);
	seconds = mote_clock_seconds() - d.started;
	if (c->json && !result.shared && (status == MOTE_OK || status == MOTE_ERROR_QUALITY)) {
		enum mote_status printed = quantize_print_json(c, &result, seconds, status == MOTE_OK, error);

		status = status == MOTE_OK ? printed : status;
	} else if (!c->quiet && status == MOTE_OK && !result.shared) {
		quantize_print_text(c, &result, seconds);
	}
	if (status == MOTE_OK)
		mote_share_forget(&c->share, QUANTIZE);
	mote_pipeline_result_free(&result);
	return status;
}

int main(int argc, char **argv)
{
	struct quantize_command c = { .options = { .tool = QUANTIZE " " MOTE_VERSION, .calibration = &c.calibration,
					  .validation = &c.validation } };
	struct mote_error error = {0};
	enum mote_status status;
	int code = mote_options_parse(&tool, argc, argv, &c);

	if (code < 0)
		code = check_command(&c);
	if (code < 0) {
		mote_console_catch_signals();
		status = mote_team_open(&c.team, &error);
		if (status == MOTE_OK)
			status = run(&c, &error);
		mote_console_hint_force(c.options.force, &error);
		status = mote_team_close(c.team, status, &error);
		code = status == MOTE_OK ? 0 : mote_console_fail(QUANTIZE, &error);
	}
	free_command(&c);
	return code;
}
