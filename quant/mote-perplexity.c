/* mote-perplexity: how well models predict a text, alone or against the model they were made from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/output.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "quant/measure/logits_file.h"
#include "quant/measure/own_text.h"
#include "quant/measure/validate.h"
#include "quant/receipt/receipt.h"
#include "quant/receipt/report.h"
#include "runtime/tokenizer/tokenizer.h"

static const char tool_name[] = "mote-perplexity";

static const char about[] =
	"Usage: mote-perplexity [OPTION]... MODEL.mote...\n"
	"Measures how well each model predicts a text: its perplexity by llama.cpp's rule, and\n"
	"with a reference the Kullback-Leibler divergence from it, the share of tokens on which\n"
	"both agree, and how far the probability of the true token moved, all with errors.\n";

static const char epilog[] =
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 a receipt does\n"
	"not hold, 130 interrupted.\n";

enum { MAX_MODELS = 64, MAX_TEXT_BYTES = 1 << 30, DEFAULT_ANSWER_TOKENS = 256 };

struct options {
	const char *file, *reference, *save_logits, *reference_logits, *prompts, *per_token, *report;
	struct mote_plan_options plan;
	struct mote_option_seed seed;
	uint32_t generate, threads, max_tokens;
	bool json, stamp, check, force;
	struct mote_option_operands models;
	char *const *paths; /* of the models */
	uint32_t n;
};

/* One run: everything that is open. */
struct run {
	const struct options *o;
	struct mote_model *model[MAX_MODELS], *reference;
	struct mote_logits *source[MAX_MODELS], *reference_source;
	struct mote_score *scores[MAX_MODELS];
	struct mote_figures figures[MAX_MODELS];
	struct mote_behaviour behaviour[MAX_MODELS], reference_behaviour;
	struct mote_answers answers, reference_answers;
	struct mote_text text;
	struct mote_plan plan;
	struct mote_tokenizer *tokenizer;
	struct mote_hash128 reference_hash;
	struct mote_output *per_token, *report, *logits; /* what is to be written; NULL when it is not, or was */
	const cJSON *receipt[MAX_MODELS];   /* --check */
	struct mote_receipt_terms terms;    /* ... what they share */
	struct mote_console_bar bar;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* ---- arguments ---- */

#define AT(field) .at = offsetof(struct options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERANDS, .argument = "MODEL.mote...", AT(models)},
	{MOTE_OPTION_HEADING, .help = "The text"},
	{MOTE_OPTION_TEXT, "f", "file", "FILE", "a file; - is standard input", AT(file)},
	{MOTE_OPTION_COUNT, NULL, "generate", "TOKENS", "none: the reference (or the model) writes about so many tokens",
	 AT(generate), 0, UINT32_MAX},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "... from this seed, up to 2^53 (default 1; -1: a random one)", AT(seed)},
	{MOTE_OPTION_FLAG, NULL, "plain", NULL, "special tokens in the text are ordinary text", AT(plan.plain)},

	{MOTE_OPTION_HEADING, .help = "The rule"},
	{MOTE_OPTION_COUNT, "c", "ctx-size", "N", "tokens in a chunk (default 512, or as many as the model takes)",
	 AT(plan.context_tokens), 0, UINT32_MAX},
	{MOTE_OPTION_COUNT, NULL, "chunks", "N", "the first N chunks only", AT(plan.max_chunks), 0, UINT32_MAX},
	{MOTE_OPTION_FLAG, NULL, "all-positions", NULL, "score every position but the first, in one context",
	 AT(plan.all_positions)},

	{MOTE_OPTION_HEADING, .help = "The reference"},
	{MOTE_OPTION_TEXT, NULL, "reference", "BASE.mote", "compare with this model", AT(reference)},
	{MOTE_OPTION_TEXT, NULL, "save-logits", "FILE", "run the one MODEL and keep what --reference-logits needs",
	 AT(save_logits)},
	{MOTE_OPTION_TEXT, NULL, "reference-logits", "FILE", "compare with a model whose logits were saved, without running it",
	 AT(reference_logits)},

	{MOTE_OPTION_HEADING, .help = "Chat models"},
	{MOTE_OPTION_TEXT, NULL, "prompts", "FILE", "also compare greedy answers to these prompts: one a line, as text or as JSON "
	 "with \"prompt\" or \"messages\"", AT(prompts)},
	{MOTE_OPTION_COUNT, NULL, "max-tokens", "N", "longest answer (default 256)", AT(max_tokens), 0, UINT32_MAX},

	{MOTE_OPTION_HEADING, .help = "Results"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print one JSON object instead of a table", AT(json)},
	{MOTE_OPTION_TEXT, NULL, "per-token", "FILE", "write a line \"id nll\" for each scored token of the one MODEL",
	 AT(per_token)},
	{MOTE_OPTION_TEXT, NULL, "report", "FILE", "write a page (HTML): size against quality, a table, the worst tokens",
	 AT(report)},
	{MOTE_OPTION_FLAG, NULL, "force", NULL, "replace the files that --per-token, --report and --save-logits write", AT(force)},
	{MOTE_OPTION_FLAG, NULL, "stamp", NULL, "store the figures in each MODEL as a receipt", AT(stamp)},
	{MOTE_OPTION_FLAG, NULL, "check", NULL, "repeat each MODEL's receipt and compare every figure bit by bit; takes the "
	 "receipt's rule, and its text where that was generated", AT(check)},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
};

static const struct mote_tool tool = {tool_name, about, epilog, options, sizeof options / sizeof *options};

/* Negative: go on; else the exit code. */
static int check_options(const struct options *o)
{
	if (o->n == 0)
		return mote_options_refuse(&tool, "no model given");
	if (o->n > MAX_MODELS)
		return mote_options_refuse(&tool, "%u models; at most %d at once", o->n, MAX_MODELS);
	if (!o->file == !o->generate && !o->check)
		return mote_options_refuse(&tool, "give a text with -f FILE or --generate=TOKENS");
	if (o->check && (o->generate || o->stamp || o->save_logits))
		return mote_options_refuse(&tool, "--check goes with neither --generate, --stamp nor --save-logits");
	if (o->reference && o->reference_logits)
		return mote_options_refuse(&tool, "--reference and --reference-logits exclude each other");
	if (o->save_logits && (o->n != 1 || o->reference || o->reference_logits))
		return mote_options_refuse(&tool, "--save-logits takes one model, and no reference");
	if (o->plan.all_positions && o->plan.max_chunks)
		return mote_options_refuse(&tool, "--all-positions has no chunks that --chunks could limit; -c limits its context");
	if (o->per_token && o->n != 1)
		return mote_options_refuse(&tool, "--per-token takes one model");
	return -1;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	int code;

	*o = (struct options){.seed = {.value = 1}};
	code = mote_options_parse(&tool, argc, argv, o);
	o->paths = o->models.value;
	o->n = o->models.count;
	if (o->max_tokens == 0)
		o->max_tokens = DEFAULT_ANSWER_TOKENS;
	return code >= 0 ? code : check_options(o);
}

/* ---- opening ---- */

/* One of the outputs, before anything is computed: it replaces nothing that is read, nor one of the others. */
static enum mote_status open_output(const struct options *o, const char *path, struct mote_output **out,
				    struct mote_error *error)
{
	const char *const inputs[] = {o->file, o->reference, o->reference_logits, o->prompts};
	const char *const outputs[] = {o->per_token, o->report, o->save_logits};
	enum mote_status status = MOTE_OK;
	unsigned same = 0;

	if (!path)
		return MOTE_OK;
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs && status == MOTE_OK; i++)
		status = mote_output_refuse_input(path, inputs[i], error);
	for (uint32_t i = 0; i < o->n && status == MOTE_OK; i++)
		status = mote_output_refuse_input(path, o->paths[i], error);
	for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
		same += outputs[i] && !strcmp(outputs[i], path);
	if (status == MOTE_OK && same > 1)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: is to be two files at once", path);
	if (status == MOTE_OK)
		status = mote_output_open(path, o->force, out, error);
	if (status != MOTE_OK)
		mote_console_hint_force(o->force, error);
	return status;
}

static enum mote_status open_outputs(struct run *r, struct mote_error *error)
{
	enum mote_status status = open_output(r->o, r->o->per_token, &r->per_token, error);

	if (status == MOTE_OK)
		status = open_output(r->o, r->o->report, &r->report, error);
	return status == MOTE_OK ? open_output(r->o, r->o->save_logits, &r->logits, error) : status;
}

static enum mote_status open_models(struct run *r, struct mote_error *error)
{
	const struct options *o = r->o;
	size_t bytes = 0;
	const void *section;
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < o->n && status == MOTE_OK; i++)
		if ((status = mote_model_open(o->paths[i], MOTE_WEIGHTS_DEFAULT, &r->model[i], error)))
			mote_console_hint_model(o->paths[i], error);
	if (status == MOTE_OK && o->reference)
		status = mote_model_open(o->reference, MOTE_WEIGHTS_DEFAULT, &r->reference, error);
	if (status != MOTE_OK)
		return status;
	/* Token by token makes sense only where the tokens are the same. */
	section = mote_container_section(r->model[0]->container, MOTE_SECTION_TOKENIZER, &bytes);
	for (uint32_t i = 0; i <= o->n && section; i++) {
		const struct mote_model *m = i < o->n ? r->model[i] : r->reference;
		size_t other_bytes = 0;
		const void *other = m ? mote_container_section(m->container, MOTE_SECTION_TOKENIZER, &other_bytes) : NULL;

		if (m && (!other || other_bytes != bytes || memcmp(section, other, bytes) != 0))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s has another tokenizer than %s",
					      mote_container_path(m->container), o->paths[0]);
	}
	return section ? mote_tokenizer_open(section, bytes, &r->tokenizer, error) : MOTE_OK;
}

/* With --check: the receipt of one model for the text, if there is one already, and its terms; the reference that it
 * speaks of must be at hand. */
static enum mote_status read_receipt(struct run *r, uint32_t i, struct mote_receipt_terms *terms, struct mote_error *error)
{
	const char *path = r->o->paths[i];
	bool compared = r->reference || r->o->reference_logits;
	char text[33], tensors[33];
	enum mote_status status;

	mote_hash_to_hex(mote_text_hash(&r->text), text);
	r->receipt[i] = mote_receipt_find(r->model[i]->container, r->text.data ? text : NULL);
	if (!r->receipt[i])
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: holds no receipt for its tensors%s", path,
				      r->text.data ? " and this text" : "");
	status = mote_receipt_read(r->receipt[i], terms, error);
	if (status != MOTE_OK)
		return status;
	if (!terms->reference_hash != !compared)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, compared ? "%s: was measured without a reference"
				      : "%s: was measured against a reference; give it with --reference", path);
	if (r->reference) {
		mote_hash_to_hex(mote_container_tensors_hash(r->reference->container), tensors);
		if (strcmp(tensors, terms->reference_hash) != 0)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: was measured against other tensors than those of %s",
					      path, r->o->reference);
	}
	return MOTE_OK;
}

static enum mote_status generate(struct run *r, uint64_t seed, uint32_t tokens, struct mote_error *error)
{
	struct mote_progress progress = mote_console_progress(&r->bar, "generate", "tokens");
	enum mote_status status = mote_text_generate(r->reference ? r->reference : r->model[0], seed, tokens, r->o->threads,
						     &progress, &r->text, error);

	mote_console_progress_end(&r->bar);
	return status;
}

/* With --check: all models' receipts, which must share the rule and the text; the rule comes from them, and the text
 * too where it was generated. */
static enum mote_status read_receipts(struct run *r, struct mote_plan_options *plan, struct mote_error *error)
{
	struct mote_receipt_terms *first = &r->terms, terms;
	enum mote_status status = read_receipt(r, 0, first, error);

	for (uint32_t i = 1; i < r->o->n && status == MOTE_OK; i++) {
		status = read_receipt(r, i, &terms, error);
		if (status == MOTE_OK && strcmp(first->ids_hash, terms.ids_hash) != 0)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s and %s were measured on other tokens: check them one "
						"by one", r->o->paths[0], r->o->paths[i]);
	}
	if (status != MOTE_OK)
		return status;
	*plan = first->options;
	if (r->text.data)
		return MOTE_OK;
	if (!first->generated)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "the receipt speaks of the text %s; give it with -f", first->text_name);
	return generate(r, first->seed, first->generated_tokens, error);
}

/* The last two things in which a repetition may differ, known once tokens and saved logits are there. */
static enum mote_status check_terms(const struct run *r, struct mote_error *error)
{
	char hex[33];

	mote_hash_to_hex(r->plan.ids_hash, hex);
	if (strcmp(hex, r->terms.ids_hash) != 0)
		return mote_error_set(error, MOTE_ERROR_QUALITY, "%s: its text is now read as other tokens than when the receipt was made",
				      r->o->paths[0]);
	mote_hash_to_hex(r->reference_hash, hex);
	if (r->terms.reference_hash && strcmp(hex, r->terms.reference_hash) != 0)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: was measured against other tensors than those of %s",
				      r->o->paths[0], r->o->reference_logits);
	return MOTE_OK;
}

static enum mote_status read_text(struct run *r, struct mote_error *error)
{
	const struct options *o = r->o;
	struct mote_error what = {0};
	enum mote_status status;

	if (o->file) {
		status = mote_console_read_file(o->file, MAX_TEXT_BYTES, &r->text.data, &r->text.bytes, error);
		snprintf(r->text.name, sizeof r->text.name, "%s", strcmp(o->file, "-") ? base_name(o->file) : "standard input");
		if (status == MOTE_OK && mote_text_check(&r->text, &what) != MOTE_OK)
			mote_console_warn(tool_name, "%s; it is measured as it is", what.message);
		return status;
	}
	if (o->generate)
		return generate(r, o->seed.value, o->generate, error);
	return MOTE_OK; /* --check writes its own */
}

static enum mote_status open_sources(struct run *r, struct mote_error *error)
{
	const struct options *o = r->o;
	enum mote_status status = MOTE_OK;

	if (o->save_logits) {
		struct mote_progress progress = mote_console_progress(&r->bar, "logits", "tokens");

		status = mote_logits_save(r->model[0], &r->plan, o->threads, NULL, &progress, r->logits, error);
		r->logits = NULL;
		mote_console_progress_end(&r->bar);
		if (status == MOTE_OK) /* what was just computed need not be computed again */
			return mote_logits_from_file(o->save_logits, &r->plan, o->threads, NULL, &r->source[0],
						     &r->reference_hash, error);
	}
	for (uint32_t i = 0; i < o->n && status == MOTE_OK; i++)
		status = mote_logits_from_model(r->model[i], &r->plan, o->threads, NULL, &r->source[i], error);
	if (status == MOTE_OK && r->reference) {
		r->reference_hash = mote_container_tensors_hash(r->reference->container);
		status = mote_logits_from_model(r->reference, &r->plan, o->threads, NULL, &r->reference_source, error);
	}
	if (status == MOTE_OK && o->reference_logits)
		status = mote_logits_from_file(o->reference_logits, &r->plan, o->threads, NULL, &r->reference_source,
					       &r->reference_hash, error);
	return status;
}

/* ---- measuring ---- */

static enum mote_status measure(struct run *r, struct mote_error *error)
{
	struct mote_progress progress;
	enum mote_status status;

	for (uint32_t i = 0; i < r->o->n; i++) {
		r->scores[i] = malloc(mote_plan_rows(&r->plan) * sizeof *r->scores[i]);
		if (!r->scores[i])
			return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for scores");
	}
	progress = mote_console_progress(&r->bar, "measure", "tokens");
	status = mote_validate_many(&r->plan, r->source, r->o->n, r->reference_source, r->o->threads, &progress, r->scores,
				    r->figures, error);
	mote_console_progress_end(&r->bar);
	return status;
}

static enum mote_status answer(struct run *r, struct mote_model *m, struct mote_answers *answers,
			       struct mote_error *error)
{
	struct mote_progress progress = mote_console_progress(&r->bar, "answer", "answers");
	char *text;
	size_t bytes;
	enum mote_status status = mote_console_read_file(r->o->prompts, MAX_TEXT_BYTES, &text, &bytes, error);

	if (status == MOTE_OK)
		status = mote_answers_read(m, text, bytes, base_name(r->o->prompts), answers, error);
	if (status == MOTE_OK)
		status = mote_answers_fill(answers, m, r->o->max_tokens, r->o->threads, &progress, error);
	mote_console_progress_end(&r->bar);
	free(text);
	return status;
}

static enum mote_status compare_behaviour(struct run *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if (r->reference) {
		status = answer(r, r->reference, &r->reference_answers, error);
		if (status == MOTE_OK)
			mote_behaviour_compare(r->reference, &r->reference_answers, &r->reference_answers, &r->reference_behaviour);
	}
	for (uint32_t i = 0; i < r->o->n && status == MOTE_OK; i++) {
		mote_answers_free(&r->answers);
		status = answer(r, r->model[i], &r->answers, error);
		if (status == MOTE_OK)
			mote_behaviour_compare(r->model[i], &r->answers, r->reference ? &r->reference_answers : &r->answers,
					       &r->behaviour[i]);
	}
	return status;
}

/* ---- results ---- */

static enum mote_status write_per_token(struct run *r, struct mote_error *error)
{
	struct mote_output *output = r->per_token;
	FILE *file = mote_output_stream(output);

	if (!file)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint64_t i = 0; i < mote_plan_rows(&r->plan); i++)
		fprintf(file, "%d %.17g\n", r->scores[0][i].target, r->scores[0][i].nll);
	r->per_token = NULL;
	return mote_output_commit(output, error);
}

static enum mote_status stamp(struct run *r, uint32_t i, struct mote_error *error)
{
	const struct mote_receipt_facts facts = {
		.tool = "mote-perplexity " MOTE_VERSION, .validation = &r->text, .plan = &r->plan,
		.tensors = r->model[i]->container, .figures = &r->figures[i],
		.reference_hash = r->reference_source ? &r->reference_hash : NULL
	};

	return mote_receipt_stamp(r->o->paths[i], &facts, error);
}

static enum mote_status write_report(struct run *r, const struct mote_report *report, struct mote_error *error)
{
	struct mote_output *output = r->report;
	FILE *file = mote_output_stream(output);
	enum mote_status status;

	if (!file)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = mote_report_html(file, report, error);
	if (status)
		return status;
	r->report = NULL;
	return mote_output_commit(output, error);
}

static bool put(cJSON *o, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(o, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static cJSON *model_to_json(const struct run *r, uint32_t i)
{
	cJSON *o = mote_figures_to_json(&r->figures[i]);

	if (o && put(o, "model", cJSON_CreateString(r->o->paths[i])) &&
	    put(o, "file_bytes", cJSON_CreateNumber((double)mote_container_file_bytes(r->model[i]->container))) &&
	    put(o, "bits_per_weight", cJSON_CreateNumber(mote_report_bits_per_weight(r->model[i]->container))) &&
	    put(o, "context", cJSON_CreateNumber(r->plan.context)) &&
	    put(o, "chunks", cJSON_CreateNumber(r->plan.chunks)) &&
	    (!r->o->prompts || put(o, "behaviour", mote_behaviour_to_json(&r->behaviour[i]))) &&
	    (!r->o->prompts || !r->reference ||
	     put(o, "reference_behaviour", mote_behaviour_to_json(&r->reference_behaviour))) &&
	    (!r->o->check || put(o, "receipt_holds", cJSON_CreateTrue())))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* One model's figures, or an object with the list of them. */
static enum mote_status print_json(const struct run *r, struct mote_error *error)
{
	cJSON *o = r->o->n == 1 ? model_to_json(r, 0) : cJSON_CreateObject();
	bool ok = o != NULL;
	enum mote_status status;

	if (ok && r->o->n > 1) {
		cJSON *list = cJSON_AddArrayToObject(o, "models");

		ok = list != NULL;
		for (uint32_t i = 0; ok && i < r->o->n; i++) {
			cJSON *item = model_to_json(r, i);
			ok = item && cJSON_AddItemToArray(list, item);
		}
	}
	status = ok ? mote_console_print_json(o, error) : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for JSON");
	cJSON_Delete(o);
	return status;
}

static enum mote_status give_results(struct run *r, struct mote_error *error)
{
	const struct options *o = r->o;
	struct mote_report_model models[MAX_MODELS];
	struct mote_report report = {.text = &r->text, .plan = &r->plan, .tokenizer = r->tokenizer, .model = models, .n = o->n};
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < o->n; i++)
		models[i] = (struct mote_report_model){ base_name(o->paths[i]), mote_container_file_bytes(r->model[i]->container),
							mote_report_bits_per_weight(r->model[i]->container), &r->figures[i],
							r->scores[i], o->prompts ? &r->behaviour[i] : NULL };
	if (r->reference) {
		report.reference = base_name(o->reference);
		report.reference_bytes = mote_container_file_bytes(r->reference->container);
		report.reference_bits_per_weight = mote_report_bits_per_weight(r->reference->container);
		report.reference_behaviour = o->prompts ? &r->reference_behaviour : NULL;
	} else if (o->reference_logits) {
		report.reference = base_name(o->reference_logits);
	}
	for (uint32_t i = 0; i < o->n && o->check && status == MOTE_OK; i++) {
		status = mote_receipt_compare(r->receipt[i], &r->figures[i], error);
		mote_error_prefix(error, "%s", o->paths[i]);
	}
	for (uint32_t i = 0; i < o->n && o->stamp && status == MOTE_OK; i++)
		status = stamp(r, i, error);
	if (status == MOTE_OK && o->per_token)
		status = write_per_token(r, error);
	if (status == MOTE_OK && o->report)
		status = write_report(r, &report, error);
	if (status == MOTE_OK && o->json)
		return print_json(r, error);
	if (status == MOTE_OK) {
		mote_report_print(stdout, &report);
		for (uint32_t i = 0; i < o->n && o->check; i++)
			printf("%s: its receipt holds, every figure bit by bit\n", base_name(o->paths[i]));
		if (fflush(stdout) != 0)
			status = mote_error_set(error, MOTE_ERROR_IO, "standard output: %s", strerror(errno));
	}
	return status;
}

static enum mote_status perform(struct run *r, struct mote_error *error)
{
	struct mote_plan_options plan = r->o->plan;
	enum mote_status status = open_outputs(r, error);

	if (status == MOTE_OK)
		status = open_models(r, error);
	if (status == MOTE_OK)
		status = read_text(r, error);
	if (status == MOTE_OK && r->o->check)
		status = read_receipts(r, &plan, error);
	if (status == MOTE_OK)
		status = mote_plan_init(r->model[0], &r->text, &plan, &r->plan, error);
	if (status == MOTE_OK && r->plan.all_positions && r->plan.context < r->plan.text_tokens)
		fprintf(stderr, "%s: the text has %llu tokens; the first %u are read\n", tool_name,
			(unsigned long long)r->plan.text_tokens, r->plan.context);
	if (status == MOTE_OK)
		status = open_sources(r, error);
	if (status == MOTE_OK && r->o->check)
		status = check_terms(r, error);
	if (status == MOTE_OK)
		status = measure(r, error);
	if (status == MOTE_OK && r->o->prompts)
		status = compare_behaviour(r, error);
	return status == MOTE_OK ? give_results(r, error) : status;
}

static void close_run(struct run *r)
{
	for (uint32_t i = 0; i < r->o->n && i < MAX_MODELS; i++) {
		mote_logits_close(r->source[i]);
		mote_model_close(r->model[i]);
		free(r->scores[i]);
	}
	mote_output_discard(r->per_token);
	mote_output_discard(r->report);
	mote_output_discard(r->logits);
	mote_logits_close(r->reference_source);
	mote_model_close(r->reference);
	mote_answers_free(&r->answers);
	mote_answers_free(&r->reference_answers);
	mote_plan_free(&r->plan);
	mote_text_free(&r->text);
	mote_tokenizer_close(r->tokenizer);
	free(r);
}

int main(int argc, char **argv)
{
	struct options given;
	struct mote_error error = {0};
	struct run *r;
	int code = parse_options(argc, argv, &given);
	enum mote_status status;

	if (code >= 0)
		return code;
	mote_console_catch_signals();
	r = calloc(1, sizeof *r);
	if (!r) {
		(void)mote_error_set(&error, MOTE_ERROR_MEMORY, "out of memory");
		return mote_console_fail(tool_name, &error);
	}
	r->o = &given;
	status = perform(r, &error);
	close_run(r);
	return status == MOTE_OK ? 0 : mote_console_fail(tool_name, &error);
}
