/* mote-quantize: makes a container smaller and proves what that cost. The work is in quantize.h (encoding),
 * calibrate.h, allocate.h and prove.h; here are the command line and the order of the steps. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "format/console.h"
#include "quant/calibrate.h"
#include "quant/overlap.h"
#include "quant/prove.h"
#include "quant/quantize.h"

#define TOOL "mote-quantize"

enum {
	VALIDATION_TOKENS = 8192,      /* of text that the source model writes itself */
	CALIBRATION_TOKENS_MIN = 4096, /* of any text */
	CALIBRATION_TOKENS_MAX = 16384,
	TEXT_BYTES_MAX = 1 << 30
};
/* So that two texts of one run differ. */
#define CALIBRATION_SEED_OFFSET ((uint64_t)1 << 32)

static const char usage[] =
"Usage: mote-quantize [OPTION]... IN.mote -o OUT.mote --type q8|q4|f16\n"
"\n"
"Writes IN's model with its matrices in fewer bits, measures the result against IN, and stores what\n"
"it found in the file as a receipt. Under q4 the embedding and the output head stay q8.\n"
"\n"
"What it becomes\n"
"      --type TYPE          q4 (4.5 bits a weight), q8 (8.5), f16, bf16 or f32\n"
"      --tensor PATTERN=TYPE  an exception: tensors whose name matches; * ? [] as in a shell; later ones\n"
"                           win. '*=q4' is every matrix, the embedding too. May be repeated\n"
"      --encoder NAME       round, search, weighted, learned or gptq, from fast to good; the default is\n"
"                           the best for the type\n"
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
"      --help, --version\n"
"\n"
"Same input, options and seed give the same bytes, on any CPU and with any number of threads.\n"
"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 quality gate failed,\n"
"130 interrupted. docs/quantization.md explains the encoders and which level to take.\n";

struct command {
	const char *input, *output;
	const char *calibrate_path, *validate_path;
	struct mote_recipe recipe;
	struct mote_rule *rules;
	bool have_type, have_encoder;
	bool force, json, quiet, no_validate;
	uint64_t seed;
	uint32_t threads, context;
	double max_kld, max_ppl_ratio;       /* negative: no gate */
};

/* What a run holds. */
struct work {
	struct mote_model *source;
	const struct mote_container *container; /* source's */
	struct mote_quantizer quantizer;
	struct mote_writer *writer;
	struct mote_text calibration, validation;
	bool calibrated;
	cJSON *recipe, *receipts;
	struct mote_figures figures;
	bool measured;
	uint64_t tensor_bytes;
	double seconds;
};

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

static enum mote_status add_rule(struct command *c, const char *text, struct mote_error *error)
{
	struct mote_rule *rules = realloc(c->rules, (c->recipe.n_rules + 1u) * sizeof *rules);
	enum mote_type type;
	char *pattern;
	enum mote_status status;

	if (!rules)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	c->recipe.rules = c->rules = rules;
	status = mote_rule_parse(text, &pattern, &type, error);
	if (status == MOTE_OK)
		rules[c->recipe.n_rules++] = (struct mote_rule){ pattern, type };
	return status;
}

enum { OPT_TYPE = 256, OPT_TENSOR, OPT_ENCODER, OPT_REQUANTIZE, OPT_CALIBRATE, OPT_VALIDATE, OPT_NO_VALIDATE, OPT_SEED,
       OPT_MAX_KLD, OPT_MAX_PPL, OPT_JSON, OPT_HELP, OPT_VERSION };

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
		if (!mote_type_from_name(optarg, &c->recipe.type))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"--type %s: expected q4, q8, f16, bf16 or f32", optarg);
		break;
	case OPT_TENSOR:
		status = add_rule(c, optarg, error);
		break;
	case OPT_ENCODER:
		c->have_encoder = true;
		if (!mote_encoder_from_name(optarg, &c->recipe.encoder))
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT,
						"--encoder %s: expected round, search, weighted, learned or gptq", optarg);
		break;
	case OPT_REQUANTIZE: c->recipe.requantize = true; break;
	case OPT_CALIBRATE: c->calibrate_path = optarg; break;
	case OPT_VALIDATE: c->validate_path = optarg; break;
	case OPT_NO_VALIDATE: c->no_validate = true; break;
	case OPT_SEED:
		status = parse_u64(optarg, "--seed", 0, UINT32_MAX, &c->seed, error);
		break;
	case OPT_MAX_KLD:
		status = parse_positive(optarg, "--max-kld", &c->max_kld, error);
		break;
	case OPT_MAX_PPL:
		status = parse_positive(optarg, "--max-ppl-ratio", &c->max_ppl_ratio, error);
		break;
	case OPT_JSON: c->json = true; break;
	case 'c':
		status = parse_u64(optarg, "--ctx-size", 4, UINT32_MAX, &number, error);
		c->context = (uint32_t)number;
		break;
	case 'f': c->force = true; break;
	case 'o': c->output = optarg; break;
	case 'q': c->quiet = true; break;
	case 't':
		status = parse_u64(optarg, "--threads", 1, MOTE_MAX_THREADS, &number, error);
		c->threads = (uint32_t)number;
		break;
	default: /* getopt has said what is wrong */
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "try '" TOOL " --help'");
	}
	return status;
}

static enum mote_status check_command(struct command *c, struct mote_error *error)
{
	if (!c->output)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "-o OUT.mote is missing");
	if (!c->have_type)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--type is missing: q4, q8 or f16");
	if (c->no_validate && (c->validate_path || c->max_kld > 0 || c->max_ppl_ratio > 0))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "--no-validate contradicts --validate, --max-kld and --max-ppl-ratio");
	return MOTE_OK;
}

/* ---- texts ---- */

static enum mote_status read_text(const char *path, struct mote_text *out, struct mote_error *error)
{
	const char *slash = strrchr(path, '/');

	snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : path);
	return mote_console_read_file(path, TEXT_BYTES_MAX, &out->data, &out->bytes, error);
}

/* The text at path, or one that the source model writes. */
static enum mote_status get_text(const struct command *c, const struct mote_model *source, const char *path,
				 uint64_t seed, uint32_t tokens, const char *label, struct mote_text *out,
				 struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress;
	enum mote_status status;

	if (path)
		return read_text(path, out, error);
	progress = mote_console_progress(&bar, label);
	bar.terminal &= !c->quiet;
	status = mote_text_generate(source, seed, tokens, c->threads, &progress, out, error);
	mote_console_progress_end(&bar);
	return status;
}

/* Files only: what the model writes from two seeds shares forms (a chat template's text), not passages. */
static enum mote_status refuse_overlap(const struct work *w, struct mote_error *error)
{
	size_t place;
	enum mote_status status;

	if (!w->calibration.data || !w->validation.data || w->calibration.generated || w->validation.generated)
		return MOTE_OK;
	status = mote_text_overlap(w->calibration.data, w->calibration.bytes, w->validation.data, w->validation.bytes,
				   &place, error);
	if (status == MOTE_OK && place != SIZE_MAX)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "calibration text '%s' from byte %zu on is also in validation text '%s': a model must not "
				      "be measured on what it was fitted to", w->calibration.name, place, w->validation.name);
	return status;
}

/* The best encoder for what there is to encode: at 8 bits a search leaves nothing worth a calibration. */
static void choose_encoder(struct command *c, const struct mote_container *container)
{
	if (c->have_encoder)
		return;
	c->recipe.encoder = MOTE_ENCODER_SEARCH;
	for (uint32_t i = 0; i < mote_container_tensor_count(container); i++)
		if (mote_recipe_type(&c->recipe, mote_container_tensor(container, i)) == MOTE_Q4)
			c->recipe.encoder = MOTE_ENCODER_GPTQ;
}

static bool needs_calibration(const struct command *c, const struct mote_container *container)
{
	for (uint32_t i = 0; i < mote_container_tensor_count(container); i++)
		if (mote_type_is_quantized(mote_recipe_type(&c->recipe, mote_container_tensor(container, i))))
			return c->recipe.encoder >= MOTE_ENCODER_WEIGHTED;
	return false;
}

/* Fewer tokens for larger models: they need fewer, and each costs more. 8,000 at TRLM's size. */
static uint32_t calibration_tokens(const struct work *w)
{
	uint64_t tokens = ((uint64_t)1 << 40) / mote_quantizer_weights(&w->quantizer);

	return tokens < CALIBRATION_TOKENS_MIN ? CALIBRATION_TOKENS_MIN :
	       tokens > CALIBRATION_TOKENS_MAX ? CALIBRATION_TOKENS_MAX : (uint32_t)tokens;
}

/* Second order does without the first, but for a vocabulary matrix of 4 bits. */
static bool needs_importance(const struct command *c, const struct mote_container *container)
{
	if (c->recipe.encoder != MOTE_ENCODER_GPTQ)
		return true;
	for (uint32_t i = 0; i < mote_container_tensor_count(container); i++) {
		const struct mote_tensor *t = mote_container_tensor(container, i);

		if (mote_is_vocabulary_matrix(t->name) && mote_recipe_type(&c->recipe, t) == MOTE_Q4)
			return true;
	}
	return false;
}

static enum mote_status calibrate(const struct command *c, struct work *w, struct mote_error *error)
{
	uint32_t positions = w->source->config.max_positions;
	uint32_t context = positions < MOTE_VALIDATE_CONTEXT ? positions : MOTE_VALIDATE_CONTEXT;
	struct mote_plan_options options = { .context_tokens = context,
					     .max_chunks = (calibration_tokens(w) + context - 1) / context };
	struct mote_plan plan = { 0 };
	struct mote_console_bar bar;
	struct mote_progress progress;
	enum mote_status status = mote_plan_init(w->source, &w->calibration, &options, &plan, error);

	if (status != MOTE_OK)
		mote_error_prefix(error, "calibration text");
	progress = mote_console_progress(&bar, "calibrating");
	bar.terminal &= !c->quiet;
	if (status == MOTE_OK && needs_importance(c, w->container))
		status = mote_calibrate_importance(&w->quantizer, w->source, &plan, c->threads, &progress, error);
	mote_console_progress_end(&bar);
	if (status == MOTE_OK && c->recipe.encoder == MOTE_ENCODER_GPTQ) {
		progress = mote_console_progress(&bar, "quantizing layers");
		bar.terminal &= !c->quiet;
		status = mote_calibrate_layers(&w->quantizer, w->source, &plan, c->threads, &progress, error);
		mote_console_progress_end(&bar);
	}
	mote_plan_free(&plan);
	return status;
}

/* ---- steps ---- */

/* How the tensors were made: for the lineage and the receipt. */
static cJSON *recipe_to_json(const struct command *c)
{
	cJSON *o = cJSON_CreateObject(), *rules = NULL, *rule;
	bool ok = o && cJSON_AddStringToObject(o, "type", mote_type_name(c->recipe.type)) &&
		  (!mote_type_is_quantized(c->recipe.type) ||
		   cJSON_AddStringToObject(o, "encoder", mote_encoder_name(c->recipe.encoder)));

	if (ok && c->recipe.n_rules)
		ok = (rules = cJSON_AddArrayToObject(o, "rules")) != NULL;
	for (uint32_t i = 0; ok && i < c->recipe.n_rules; i++) {
		rule = cJSON_CreateObject();
		ok = rule && cJSON_AddItemToArray(rules, rule) &&
		     cJSON_AddStringToObject(rule, "pattern", c->rules[i].pattern) &&
		     cJSON_AddStringToObject(rule, "type", mote_type_name(c->rules[i].type));
	}
	if (!ok) {
		cJSON_Delete(o);
		return NULL;
	}
	return o;
}

/* The source's metadata with this step appended to its lineage. */
static enum mote_status put_metadata(const struct work *w, struct mote_error *error)
{
	cJSON *metadata = cJSON_Duplicate(mote_container_metadata(w->container), true);
	cJSON *lineage = metadata ? cJSON_GetObjectItemCaseSensitive(metadata, "lineage") : NULL;
	cJSON *step = cJSON_CreateObject(), *recipe = cJSON_Duplicate(w->recipe, true);
	char hex[33];
	bool ok;
	enum mote_status status;

	if (metadata && !cJSON_IsArray(lineage))
		lineage = cJSON_AddArrayToObject(metadata, "lineage");
	ok = lineage && step && cJSON_AddItemToArray(lineage, step);
	mote_hash_to_hex(mote_container_tensors_hash(w->container), hex);
	ok = ok && cJSON_AddStringToObject(step, "step", "quantize") &&
	     cJSON_AddStringToObject(step, "tool", TOOL " " MOTE_VERSION) &&
	     cJSON_AddStringToObject(step, "source_tensors", hex) && recipe &&
	     cJSON_AddItemToObject(step, "recipe", recipe);
	if (ok && w->calibrated) {
		mote_hash_to_hex(mote_text_hash(&w->calibration), hex);
		ok = cJSON_AddStringToObject(step, "calibration", hex) != NULL;
	}
	status = ok ? mote_writer_put_json(w->writer, MOTE_SECTION_METADATA, metadata, error) :
		      mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for metadata");
	cJSON_Delete(metadata);
	return status;
}

static enum mote_status encode(const struct command *c, struct work *w, struct mote_error *error)
{
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "quantizing");
	enum mote_status status;

	bar.terminal &= !c->quiet;
	status = mote_quantizer_write(&w->quantizer, w->writer, &progress, error);
	mote_console_progress_end(&bar);
	if (status == MOTE_OK)
		status = put_metadata(w, error);
	return status == MOTE_OK ? mote_writer_finish(w->writer, error) : status;
}

static enum mote_status prove(const struct command *c, struct work *w, struct mote_error *error)
{
	struct mote_prove_options options = { .plan = { .context_tokens = c->context }, .threads = c->threads,
					      .validation = &w->validation, .recipe = w->recipe,
					      .calibration = w->calibrated ? &w->calibration : NULL,
					      .tool = TOOL " " MOTE_VERSION };
	struct mote_console_bar bar;
	struct mote_progress progress = mote_console_progress(&bar, "measuring");
	enum mote_status status;

	bar.terminal &= !c->quiet;
	status = mote_prove(mote_writer_temp_path(w->writer), w->source, &options, &progress, &w->figures, &w->receipts,
			    error);
	mote_console_progress_end(&bar);
	w->measured = status == MOTE_OK;
	if (status == MOTE_OK)
		status = mote_writer_put_json(w->writer, MOTE_SECTION_RECEIPTS, w->receipts, error);
	return status == MOTE_OK ? mote_writer_finish(w->writer, error) : status;
}

static enum mote_status check_gates(const struct command *c, const struct work *w, struct mote_error *error)
{
	double kld = w->figures.kld_mean.value, ratio = w->figures.perplexity_ratio.value;

	if (c->max_kld > 0 && !(kld <= c->max_kld))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: KL divergence %.5f is more than the %g allowed; no file written", c->output, kld,
				      c->max_kld);
	if (c->max_ppl_ratio > 0 && !(ratio <= c->max_ppl_ratio))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: perplexity ratio %.5f is more than the %g allowed; no file written", c->output, ratio,
				      c->max_ppl_ratio);
	return MOTE_OK;
}

/* ---- results ---- */

static double bits_per_weight(const struct work *w)
{
	const struct mote_container *c = w->container;
	uint64_t vectors = 0;

	for (uint32_t i = 0; i < mote_container_tensor_count(c); i++)
		if (mote_container_tensor(c, i)->rank == 1)
			vectors += mote_container_tensor(c, i)->bytes;
	return 8.0 * (double)(w->tensor_bytes - vectors) / (double)mote_quantizer_weights(&w->quantizer);
}

static enum mote_status print_json(const struct command *c, const struct work *w, bool passed,
				   struct mote_error *error)
{
	cJSON *o = cJSON_CreateObject(), *receipt = w->receipts ? cJSON_GetArrayItem(w->receipts, -1) : NULL;
	bool ok = o && cJSON_AddStringToObject(o, "output", c->output) && cJSON_AddBoolToObject(o, "passed", passed) &&
		  cJSON_AddNumberToObject(o, "tensor_bytes", (double)w->tensor_bytes) &&
		  cJSON_AddNumberToObject(o, "source_bytes", (double)mote_container_file_bytes(w->container)) &&
		  cJSON_AddNumberToObject(o, "bits_per_weight", bits_per_weight(w)) &&
		  cJSON_AddNumberToObject(o, "seconds", w->seconds) &&
		  cJSON_AddItemToObject(o, "recipe", cJSON_Duplicate(w->recipe, true));
	enum mote_status status;

	for (cJSON *item = w->receipts ? w->receipts->child : NULL; item; item = item->next)
		receipt = item;
	ok = ok && cJSON_AddItemToObject(o, "receipt", receipt ? cJSON_Duplicate(receipt, true) : cJSON_CreateNull());
	status = ok ? mote_console_print_json(o, error) :
		      mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the result");
	cJSON_Delete(o);
	return status;
}

static void print_text(const struct command *c, const struct work *w)
{
	const struct mote_figures *f = &w->figures;

	fprintf(stderr, "%s: %.1f MB in tensors, %.3f bits a weight (from %.1f MB), %.1f s\n", c->output,
		(double)w->tensor_bytes * 1e-6, bits_per_weight(w), (double)mote_container_file_bytes(w->container) * 1e-6,
		w->seconds);
	if (w->measured)
		fprintf(stderr, "  on %s, %llu tokens: KL divergence %.5f ± %.5f, same top-1 %.2f %%, perplexity %.4f "
			"(source %.4f, x %.4f ± %.4f)\n", w->validation.generated ? "text of its own" : w->validation.name,
			(unsigned long long)f->tokens_scored, f->kld_mean.value, f->kld_mean.independent,
			100 * f->top1_agreement.value, f->perplexity.value, f->reference_perplexity.value,
			f->perplexity_ratio.value, f->perplexity_ratio.independent);
}

/* ---- all of it ---- */

static enum mote_status open_source(struct command *c, struct work *w, struct mote_error *error)
{
	enum mote_status status = mote_model_open(c->input, MOTE_WEIGHTS_MAPPED, &w->source, error);

	if (status != MOTE_OK)
		return status;
	w->container = w->source->container;
	choose_encoder(c, w->container);
	w->calibrated = needs_calibration(c, w->container);
	return mote_recipe_check(&c->recipe, w->container, error);
}

static enum mote_status run(struct command *c, struct work *w, struct mote_error *error)
{
	double started = mote_console_seconds();
	enum mote_status status = open_source(c, w, error);

	if (status == MOTE_OK && !(w->recipe = recipe_to_json(c)))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	if (status == MOTE_OK)
		status = mote_quantizer_init(&w->quantizer, w->container, &c->recipe, c->threads, error);
	/* Before anything that takes time: the name to write to must be free. */
	if (status == MOTE_OK)
		status = mote_writer_open(c->output, c->force, &w->writer, error);
	if (status == MOTE_OK && !c->no_validate)
		status = get_text(c, w->source, c->validate_path, c->seed, VALIDATION_TOKENS, "writing text to measure on",
				  &w->validation, error);
	if (status == MOTE_OK && w->calibrated)
		status = get_text(c, w->source, c->calibrate_path, c->seed + CALIBRATION_SEED_OFFSET, calibration_tokens(w),
				  "writing text to calibrate on", &w->calibration, error);
	if (status == MOTE_OK)
		status = refuse_overlap(w, error);
	if (status == MOTE_OK && w->calibrated)
		status = calibrate(c, w, error);
	if (status == MOTE_OK)
		status = encode(c, w, error);
	if (status == MOTE_OK)
		w->tensor_bytes = mote_quantizer_bytes(&w->quantizer);
	if (status == MOTE_OK && !c->no_validate)
		status = prove(c, w, error);
	if (status == MOTE_OK && !c->no_validate)
		status = check_gates(c, w, error);
	if (status == MOTE_OK) {
		status = mote_writer_commit(w->writer, error);
		w->writer = NULL;
	}
	w->seconds = mote_console_seconds() - started;
	return status;
}

static void free_work(struct work *w)
{
	mote_writer_discard(w->writer);
	mote_quantizer_free(&w->quantizer);
	mote_model_close(w->source);
	mote_text_free(&w->calibration);
	mote_text_free(&w->validation);
	cJSON_Delete(w->recipe);
	cJSON_Delete(w->receipts);
}

static void free_command(struct command *c)
{
	for (uint32_t i = 0; i < c->recipe.n_rules; i++)
		free((void *)(uintptr_t)c->rules[i].pattern);
	free(c->rules);
}

int main(int argc, char **argv)
{
	struct command c = { .max_kld = -1, .max_ppl_ratio = -1 };
	struct work w = { 0 };
	struct mote_error error = { 0 };
	enum mote_status status = MOTE_OK;
	int option, exit_code;

	while (status == MOTE_OK && (option = getopt_long(argc, argv, "c:fo:qt:", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == OPT_VERSION) {
			fputs(option == OPT_HELP ? usage : TOOL " " MOTE_VERSION "\n", stdout);
			free_command(&c);
			return 0;
		}
		status = take_option(&c, option, &error);
	}
	if (status == MOTE_OK && optind + 1 != argc)
		status = mote_error_set(&error, MOTE_ERROR_ARGUMENT, "expected one input file; try '" TOOL " --help'");
	if (status == MOTE_OK) {
		c.input = argv[optind];
		status = check_command(&c, &error);
	}
	if (status == MOTE_OK) {
		mote_console_catch_signals();
		status = run(&c, &w, &error);
		if (c.json && (status == MOTE_OK || status == MOTE_ERROR_QUALITY)) {
			enum mote_status printed = print_json(&c, &w, status == MOTE_OK, &error);

			status = status == MOTE_OK ? printed : status;
		} else if (!c.quiet && status == MOTE_OK) {
			print_text(&c, &w);
		}
	}
	exit_code = status == MOTE_OK ? 0 : mote_console_fail(TOOL, &error);
	free_work(&w);
	free_command(&c);
	return exit_code;
}
