/* mote-quantize: makes a container smaller and proves what that cost. The work is in pipeline.h; here
 * are the command line and what is printed. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"
#include "quant/pipeline.h"

#define TOOL "mote-quantize"

enum { TEXT_BYTES_MAX = 1 << 30 };

static const char usage[] =
"Usage: mote-quantize [OPTION]... IN.mote -o OUT.mote --type q4\n"
"  or:  mote-quantize [OPTION]... IN.mote -o OUT.mote --budget 80MB | --bits 5.5 | --max-kld 0.02\n"
"\n"
"Writes IN's model with its matrices in fewer bits, measures the result against IN, and stores what\n"
"it found in the file as a receipt. With --type, the embedding and the output head become q8 where the\n"
"layers become less (see --tensor). With a goal instead of a type, the damage that each tensor does is\n"
"measured and the best mixture of q3, q4, q5, q6 and q8 is taken, embedding and head included; the\n"
"table of these sensitivities goes into the file (mote-inspect shows it).\n"
"\n"
"What it becomes\n"
"      --type TYPE          q3 (3.5 bits a weight), q4 (4.5), q5 (5.5), q6 (6.5), q8 (8.5), f16, bf16\n"
"                           or f32\n"
"      --budget SIZE        the best mixture in a file of at most SIZE (k, M, G: thousands; Ki, Mi, Gi:\n"
"                           1024; a B may follow)\n"
"      --bits X             the best mixture of at most X bits a weight, the embedding's included\n"
"      --max-kld X          without --type: the smallest mixture whose KL divergence is at most X\n"
"      --tensor PATTERN=TYPE  an exception: tensors whose name matches; * ? [] as in a shell; later ones\n"
"                           win. '*=q4' is every matrix, the embedding too. May be repeated\n"
"      --encoder NAME       round, search, weighted, learned or gptq, from fast to good; the default is\n"
"                           gptq for mixtures and where anything becomes q6 or less, else search\n"
"      --requantize         accept an IN that is quantized already (its errors add up)\n"
"\n"
"Texts\n"
"      --calibrate FILE     text for the encoder to see; else the model writes some itself\n"
"      --validate FILE      text to measure on; else the model writes some itself\n"
"      --no-validate        do not measure, and write no receipt\n"
"  -c, --ctx-size N         tokens a chunk when measuring (default 512, or what the model can hold)\n"
"      --seed N             of the texts that the model writes (default 0)\n"
"\n"
"Quality gate: when the result is worse, exit 4 and leave no file\n"
"      --max-kld X          largest mean KL divergence from IN\n"
"      --max-ppl-ratio X    largest ratio of perplexities\n"
"\n"
"  -o, --output FILE        where to write (required)\n"
"  -f, --force              replace FILE if it exists\n"
"  -t, --threads N          default: this machine's physical cores\n"
"      --json               print the result as one JSON object\n"
"  -q, --quiet              print nothing but errors\n"
"  -h, --help, --version\n"
"\n"
"Same input, options and seed give the same bytes, on any CPU and with any number of threads.\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 quality gate failed,\n"
"130 interrupted. docs/quantization.md explains the encoders and which level to take.\n";

struct command {
	struct mote_pipeline_options options;
	struct mote_text calibration, validation;
	const char *calibrate_path, *validate_path;
	struct mote_rule *rules;
	bool have_type, have_encoder, json, quiet;
};

static void free_command(struct command *c)
{
	for (uint32_t i = 0; i < c->options.recipe.n_rules; i++)
		free((void *)(uintptr_t)c->rules[i].pattern);
	free(c->rules);
	mote_text_free(&c->calibration);
	mote_text_free(&c->validation);
}

/* ---- command line ---- */

static enum mote_status parse_u64(const char *text, const char *option, uint64_t min, uint64_t max, uint64_t *value,
				  struct mote_error *error)
{
	char *end;
	unsigned long long x;

	errno = 0;
	x = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || x < min || x > max)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected a whole number from %llu to %llu", option,
				      text, (unsigned long long)min, (unsigned long long)max);
	*value = x;
	return MOTE_OK;
}

static enum mote_status parse_positive(const char *text, const char *option, double *value, struct mote_error *error)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || *end || !(x > 0) || x > 1e300)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected a positive number", option, text);
	*value = x;
	return MOTE_OK;
}

/* "80MB", "1.5GiB", "500000". */
static enum mote_status parse_size(const char *text, const char *option, uint64_t *bytes, struct mote_error *error)
{
	static const char letters[] = "kMGT";
	const char *letter;
	char *end;
	double x = strtod(text, &end), unit = 1;

	if (end != text && *end && (letter = strchr(letters, *end == 'K' ? 'k' : *end)) != NULL) {
		double step = end[1] == 'i' ? 1024 : 1000;

		for (long i = letter - letters; i >= 0; i--)
			unit *= step;
		end += end[1] == 'i' ? 2 : 1;
	}
	end += end != text && *end == 'B';
	if (end == text || *end || !(x > 0) || x * unit > 1e15)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s %s: expected a size such as 80MB or 76MiB", option, text);
	*bytes = (uint64_t)(x * unit);
	return MOTE_OK;
}

static enum mote_status set_goal(struct command *c, enum mote_goal goal, struct mote_error *error)
{
	if (c->options.aim.goal != MOTE_GOAL_TYPE && c->options.aim.goal != goal)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--budget and --bits contradict each other");
	c->options.aim.goal = goal;
	return MOTE_OK;
}

static enum mote_status add_rule(struct command *c, const char *text, struct mote_error *error)
{
	struct mote_rule *rules = realloc(c->rules, (c->options.recipe.n_rules + 1u) * sizeof *rules);
	enum mote_type type;
	char *pattern;
	enum mote_status status;

	if (!rules)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	c->options.recipe.rules = c->rules = rules;
	status = mote_rule_parse(text, &pattern, &type, error);
	if (status == MOTE_OK)
		rules[c->options.recipe.n_rules++] = (struct mote_rule){ pattern, type };
	return status;
}

enum { OPT_TYPE = 256, OPT_TENSOR, OPT_ENCODER, OPT_REQUANTIZE, OPT_CALIBRATE, OPT_VALIDATE, OPT_NO_VALIDATE, OPT_SEED,
       OPT_BUDGET, OPT_BITS, OPT_MAX_KLD, OPT_MAX_PPL, OPT_JSON, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "tensor", required_argument, NULL, OPT_TENSOR },
	{ "encoder", required_argument, NULL, OPT_ENCODER },
	{ "requantize", no_argument, NULL, OPT_REQUANTIZE },
	{ "calibrate", required_argument, NULL, OPT_CALIBRATE },
	{ "validate", required_argument, NULL, OPT_VALIDATE },
	{ "no-validate", no_argument, NULL, OPT_NO_VALIDATE },
	{ "ctx-size", required_argument, NULL, 'c' },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "bits", required_argument, NULL, OPT_BITS },
	{ "max-kld", required_argument, NULL, OPT_MAX_KLD },
	{ "max-ppl-ratio", required_argument, NULL, OPT_MAX_PPL },
	{ "output", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, 'f' },
	{ "threads", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static enum mote_status take_option(struct command *c, int option, struct mote_error *error)
{
	uint64_t number;
	enum mote_status status = MOTE_OK;

	switch (option) {
	case OPT_TYPE:
		c->have_type = true;
		if (!mote_type_from_name(optarg, &c->options.recipe.type))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"--type %s: expected q3, q4, q5, q6, q8, f16, bf16 or f32", optarg);
		break;
	case OPT_TENSOR:
		status = add_rule(c, optarg, error);
		break;
	case OPT_ENCODER:
		c->have_encoder = true;
		if (!mote_encoder_from_name(optarg, &c->options.recipe.encoder))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"--encoder %s: expected round, search, weighted, learned or gptq", optarg);
		break;
	case OPT_REQUANTIZE: c->options.recipe.requantize = true; break;
	case OPT_CALIBRATE: c->calibrate_path = optarg; break;
	case OPT_VALIDATE: c->validate_path = optarg; break;
	case OPT_NO_VALIDATE: c->options.no_validation = true; break;
	case OPT_SEED:
		status = parse_u64(optarg, "--seed", 0, UINT32_MAX, &c->options.seed, error);
		break;
	case OPT_BUDGET:
		status = set_goal(c, MOTE_GOAL_BYTES, error);
		if (status == MOTE_OK)
			status = parse_size(optarg, "--budget", &c->options.aim.budget_bytes, error);
		break;
	case OPT_BITS:
		status = set_goal(c, MOTE_GOAL_BITS, error);
		if (status == MOTE_OK)
			status = parse_positive(optarg, "--bits", &c->options.aim.bits, error);
		break;
	case OPT_MAX_KLD:
		status = parse_positive(optarg, "--max-kld", &c->options.aim.max_kld, error);
		break;
	case OPT_MAX_PPL:
		status = parse_positive(optarg, "--max-ppl-ratio", &c->options.max_ppl_ratio, error);
		break;
	case OPT_JSON: c->json = true; break;
	case 'c':
		status = parse_u64(optarg, "--ctx-size", 4, UINT32_MAX, &number, error);
		c->options.context_tokens = (uint32_t)number;
		break;
	case 'f': c->options.force = true; break;
	case 'o': c->options.output = optarg; break;
	case 'q': c->quiet = true; break;
	case 't':
		status = parse_u64(optarg, "--threads", 1, MOTE_MAX_THREADS, &number, error);
		c->options.threads = (uint32_t)number;
		break;
	default: /* getopt has said what is wrong */
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "try '" TOOL " --help'");
	}
	return status;
}

static enum mote_status check_command(struct command *c, struct mote_error *error)
{
	struct mote_pipeline_options *o = &c->options;

	if (!o->output)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "-o OUT.mote is missing");
	if (c->have_type && o->aim.goal != MOTE_GOAL_TYPE)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--type contradicts --budget and --bits");
	if (!c->have_type && o->aim.goal == MOTE_GOAL_TYPE && o->aim.max_kld > 0)
		o->aim.goal = MOTE_GOAL_KLD;
	if (!c->have_type && o->aim.goal == MOTE_GOAL_TYPE)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "what shall it become? --type q4, or --budget, --bits, --max-kld");
	if (o->no_validation && (c->validate_path || o->aim.max_kld > 0 || o->max_ppl_ratio > 0))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "--no-validate contradicts --validate, --max-kld and --max-ppl-ratio");
	o->best_encoder = !c->have_encoder;
	return MOTE_OK;
}

static enum mote_status read_text(const char *path, struct mote_text *out, struct mote_error *error)
{
	const char *slash;

	if (!path)
		return MOTE_OK;
	slash = strrchr(path, '/');
	snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : path);
	return mote_console_read_file(path, TEXT_BYTES_MAX, &out->data, &out->bytes, error);
}

/* ---- results ---- */

static enum mote_status print_json(const struct command *c, const struct mote_pipeline_result *r, double seconds,
				   bool passed, struct mote_error *error)
{
	const cJSON *receipts = r->receipts;
	cJSON *o = cJSON_CreateObject(), *receipt;
	bool ok = o && cJSON_AddStringToObject(o, "output", c->options.output) &&
		  cJSON_AddBoolToObject(o, "passed", passed) &&
		  cJSON_AddNumberToObject(o, "source_bytes", (double)r->source_bytes) &&
		  cJSON_AddNumberToObject(o, "file_bytes", (double)r->file_bytes) &&
		  cJSON_AddNumberToObject(o, "bits_per_weight", r->bits_per_weight) &&
		  cJSON_AddNumberToObject(o, "seconds", seconds) &&
		  cJSON_AddItemToObject(o, "recipe", cJSON_Duplicate(r->recipe, true));
	enum mote_status status;

	if (ok && c->options.aim.goal != MOTE_GOAL_TYPE)
		ok = cJSON_AddNumberToObject(o, "predicted_kld", r->predicted_kld) != NULL;
	receipt = receipts && receipts->child ? cJSON_Duplicate(receipts->child->prev, true) : /* the last */
						cJSON_CreateNull();
	ok = ok && cJSON_AddItemToObject(o, "receipt", receipt);
	status = ok ? mote_console_print_json(o, error) :
		      mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the result");
	cJSON_Delete(o);
	return status;
}

static void print_text(const struct command *c, const struct mote_pipeline_result *r, double seconds)
{
	const struct mote_figures *f = &r->figures;

	fprintf(stderr, "%s: %.1f MB, %.3f bits a weight (from %.1f MB), %.1f s\n", c->options.output,
		(double)r->file_bytes * 1e-6, r->bits_per_weight, (double)r->source_bytes * 1e-6, seconds);
	if (r->measured)
		fprintf(stderr, "  on %s, %llu tokens: KL divergence %.5f ± %.5f, same top-1 %.2f %%, perplexity %.4f "
			"(source %.4f, x %.4f ± %.4f)\n", c->validation.generated ? "text of its own" : c->validation.name,
			(unsigned long long)f->tokens_scored, f->kld_mean.value, f->kld_mean.independent,
			100 * f->top1_agreement.value, f->perplexity.value, f->reference_perplexity.value,
			f->perplexity_ratio.value, f->perplexity_ratio.independent);
}

/* ---- all of it ---- */

/* The bar that progress is shown on; a new one for each phase. */
struct display {
	struct mote_console_bar bar;
	struct mote_progress bar_progress, progress;
	bool quiet;
};

static void begin_phase(void *user, const char *label)
{
	struct display *d = user;

	mote_console_progress_end(&d->bar);
	d->bar_progress = mote_console_progress(&d->bar, label);
	d->bar.terminal &= !d->quiet;
}

static bool update(void *user, uint64_t done, uint64_t total)
{
	struct display *d = user;

	return d->bar_progress.update(d->bar_progress.user, done, total);
}

static enum mote_status run(struct command *c, struct mote_error *error)
{
	struct display d = { .quiet = c->quiet };
	struct mote_pipeline_result result = { 0 };
	double started = mote_console_seconds(), seconds;
	enum mote_status status = read_text(c->calibrate_path, &c->calibration, error);

	begin_phase(&d, "");
	d.progress = (struct mote_progress){ .update = update, .user = &d };
	c->options.progress = &d.progress;
	c->options.phase = begin_phase;
	if (status == MOTE_OK)
		status = read_text(c->validate_path, &c->validation, error);
	if (status == MOTE_OK)
		status = mote_pipeline_run(&c->options, &result, error);
	mote_console_progress_end(&d.bar);
	seconds = mote_console_seconds() - started;
	if (c->json && (status == MOTE_OK || status == MOTE_ERROR_QUALITY)) {
		enum mote_status printed = print_json(c, &result, seconds, status == MOTE_OK, error);

		status = status == MOTE_OK ? printed : status;
	} else if (!c->quiet && status == MOTE_OK) {
		print_text(c, &result, seconds);
	}
	mote_pipeline_result_free(&result);
	return status;
}

int main(int argc, char **argv)
{
	struct command c = { .options = { .tool = TOOL " " MOTE_VERSION, .calibration = &c.calibration,
					  .validation = &c.validation } };
	struct mote_error error = { 0 };
	enum mote_status status = MOTE_OK;
	int option, exit_code;

	while (status == MOTE_OK && (option = getopt_long(argc, argv, "c:fho:qt:", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == 'h' || option == OPT_VERSION) {
			free_command(&c);
			return mote_console_print(TOOL, option == OPT_VERSION ? TOOL " " MOTE_VERSION "\n" : usage);
		}
		status = take_option(&c, option, &error);
	}
	if (status == MOTE_OK && optind + 1 != argc)
		status = mote_error_set(&error, MOTE_ERROR_ARGUMENT, "expected one input file; try '" TOOL " --help'");
	if (status == MOTE_OK) {
		c.options.input = argv[optind];
		status = check_command(&c, &error);
	}
	if (status == MOTE_OK) {
		mote_console_catch_signals();
		status = run(&c, &error);
	}
	exit_code = status == MOTE_OK ? 0 : mote_console_fail(TOOL, &error);
	free_command(&c);
	return exit_code;
}
