/* mote-perplexity: how well models predict a text, alone or against the model they were made from. Here are the command
 * line and the order of things; see perplexity.h. */
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "quant/perplexity.h"

enum { DEFAULT_ANSWER_TOKENS = 256 };

static const char about[] =
	"Usage: mote-perplexity [OPTION]... -f TEXT MODEL.mote...\n"
	"       mote-perplexity --merge [OPTION]... PART...\n"
	"Measures how well each model predicts a text: its perplexity by llama.cpp's rule, and\n"
	"with a reference the Kullback-Leibler divergence from it, the share of tokens on which\n"
	"both agree, and how far the probability of the true token moved, all with errors.\n";

static const char epilog[] =
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input, 4 a receipt does\n"
	"not hold, 130 interrupted.\n";

/* ---- arguments ---- */

static enum mote_status take_file(void *at, const char *text, struct mote_error *error)
{
	struct perplexity_files *files = at;

	if (files->count == PERPLEXITY_TEXTS)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "more than %d texts", PERPLEXITY_TEXTS);
	files->path[files->count++] = text;
	return MOTE_OK;
}

static enum mote_status take_shard(void *at, const char *text, struct mote_error *error)
{
	return mote_shard_parse(text, at, error);
}

#define AT(field) .at = offsetof(struct perplexity_options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_OPERANDS, .argument = "MODEL.mote...", AT(models)},
	{MOTE_OPTION_HEADING, .help = "The text"},
	{MOTE_OPTION_TAKE, "f", "file", "FILE", "a file; - is standard input. May be repeated: each text's figures, "
	 "and their macro average", AT(files), .take = take_file},
	{MOTE_OPTION_COUNT, NULL, "generate", "TOKENS", "none: the reference (or the model) writes about so "
	 "many tokens", AT(generate), 0, UINT32_MAX},
	{MOTE_OPTION_SEED, NULL, "seed", "N", "... from this seed, up to 2^53 (default 1; -1: a random one)", AT(seed)},
	{MOTE_OPTION_FLAG, NULL, "plain", NULL, "special tokens in the text are ordinary text", AT(plan.plain)},

	{MOTE_OPTION_HEADING, .help = "The rule"},
	{MOTE_OPTION_COUNT, "c", "ctx-size", "N", "tokens in a chunk (default 512, or as many as the model takes)",
	 AT(plan.context_tokens), 0, UINT32_MAX},
	{MOTE_OPTION_COUNT, NULL, "chunks", "N", "the first N chunks only", AT(plan.max_chunks), 1, UINT32_MAX},
	{MOTE_OPTION_FLAG, NULL, "all-positions", NULL, "score every position but the first, in one context",
	 AT(plan.all_positions)},

	{MOTE_OPTION_HEADING, .help = "The reference"},
	{MOTE_OPTION_TEXT, NULL, "reference", "BASE.mote", "compare with this model", AT(reference)},
	{MOTE_OPTION_TEXT, NULL, "save-logits", "FILE", "run the one MODEL and keep what --reference-logits needs",
	 AT(save_logits)},
	{MOTE_OPTION_TEXT, NULL, "reference-logits", "FILE", "compare with a model whose logits were saved, without "
	 "running it", AT(reference_logits)},

	{MOTE_OPTION_HEADING, .help = "Chat models"},
	{MOTE_OPTION_TEXT, NULL, "prompts", "FILE", "also compare greedy answers to these prompts: one a line, as text "
	 "or as JSON with \"prompt\" or \"messages\"", AT(prompts)},
	{MOTE_OPTION_COUNT, NULL, "max-tokens", "N", "longest answer (default 256)", AT(max_tokens), 1, UINT32_MAX},

	{MOTE_OPTION_HEADING, .help = "On many machines"},
	{MOTE_OPTION_TAKE, NULL, "shard", "I/N", "measure only the I-th of N shards of the chunks, and write a part; "
	 "one that is there already is left alone", AT(shard), .take = take_shard},
	{MOTE_OPTION_TEXT, "o", "output", "PART", "the part that --shard writes", AT(part)},
	{MOTE_OPTION_FLAG, NULL, "merge", NULL, "the operands are all parts of a whole: print what one process would "
	 "have printed", AT(merge)},
	{MOTE_OPTION_TEXT, NULL, "parts", "FOLDER", "keep finished parts there, and go on from those that an earlier "
	 "run left", AT(parts)},

	{MOTE_OPTION_HEADING, .help = "Results"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print one JSON object instead of a table", AT(json)},
	{MOTE_OPTION_TEXT, NULL, "per-token", "FILE", "write a line \"id nll\" for each scored token of the one MODEL",
	 AT(per_token)},
	{MOTE_OPTION_TEXT, NULL, "report", "FILE", "write a page (HTML): size against quality, a table, the "
	 "worst tokens", AT(report)},
	{MOTE_OPTION_FLAG, NULL, "force", NULL, "replace the files that --per-token, --report, --save-logits and -o "
	 "write", AT(force)},
	{MOTE_OPTION_FLAG, NULL, "stamp", NULL, "store the figures in each MODEL as a receipt", AT(stamp)},
	{MOTE_OPTION_FLAG, NULL, "check", NULL, "repeat each MODEL's receipt and compare every figure bit by bit; "
	 "takes the receipt's rule, and its text where that was generated", AT(check)},
	{MOTE_OPTION_COUNT, "t", "threads", "N", "1 to 256 (default: the physical cores)", AT(threads), 1,
	 MOTE_OPTION_MAX_THREADS},
};

static const struct mote_tool tool = {PERPLEXITY, about, epilog, options, sizeof options / sizeof *options};

/* Negative: go on; else the exit code. */
static int check_parts(const struct perplexity_options *o)
{
	bool results = o->json || o->per_token || o->report || o->stamp || o->check || o->prompts || o->save_logits;

	if (o->parts && (o->merge || o->shard.count || o->save_logits || o->plan.all_positions))
		return mote_options_refuse(&tool, "--parts goes with none of --shard, --merge, --save-logits and "
					   "--all-positions");
	if (o->merge && (o->files.count || o->generate || o->shard.count || o->part || o->reference ||
			 o->reference_logits || o->report || o->stamp || o->check || o->prompts || o->save_logits))
		return mote_options_refuse(&tool, "--merge takes parts alone, with --json, --per-token and --force");
	if (o->merge)
		return o->models.count ? -1 : mote_options_refuse(&tool, "give the parts");
	if (!o->shard.count != !o->part)
		return mote_options_refuse(&tool, "--shard and -o PART go together");
	if (o->shard.count && results)
		return mote_options_refuse(&tool, "--shard goes with no result but its part; --json and --per-token "
					   "are for --merge");
	return -1;
}

/* Negative: go on; else the exit code. */
static int check_options(const struct perplexity_options *o)
{
	int code = check_parts(o);

	if (code >= 0 || o->merge)
		return code;
	if (o->models.count == 0)
		return mote_options_refuse(&tool, "no model given");
	if (o->models.count > PERPLEXITY_MODELS)
		return mote_options_refuse(&tool, "%u models; at most %d at once", o->models.count, PERPLEXITY_MODELS);
	if (!o->files.count && !o->generate && !o->check)
		return mote_options_refuse(&tool, "give a text with -f FILE or --generate=TOKENS");
	if (o->files.count && o->generate)
		return mote_options_refuse(&tool, "-f and --generate exclude each other");
	if ((o->seed.given && !o->generate) || (o->max_tokens && !o->prompts))
		return mote_options_refuse(&tool, "--seed goes with --generate, and --max-tokens with --prompts");
	if (o->files.count > 1 &&
	    (o->per_token || o->report || o->stamp || o->check || o->save_logits || o->reference_logits))
		return mote_options_refuse(&tool, "several texts go with none of --per-token, --report, --stamp, "
					   "--check, --save-logits and --reference-logits");
	if (o->check && (o->generate || o->stamp || o->save_logits))
		return mote_options_refuse(&tool, "--check goes with neither --generate, --stamp nor --save-logits");
	if (o->check && (o->plan.context_tokens || o->plan.max_chunks || o->plan.all_positions || o->plan.plain))
		return mote_options_refuse(&tool, "--check takes the receipt's rule: no -c, --chunks, --all-positions "
					   "or --plain beside it");
	if (o->reference && o->reference_logits)
		return mote_options_refuse(&tool, "--reference and --reference-logits exclude each other");
	if (o->save_logits && (o->models.count != 1 || o->reference || o->reference_logits))
		return mote_options_refuse(&tool, "--save-logits takes one model, and no reference");
	if (o->plan.all_positions && o->plan.max_chunks)
		return mote_options_refuse(&tool, "--all-positions has no chunks that --chunks could limit; -c limits "
					   "its context");
	if (o->per_token && o->models.count != 1)
		return mote_options_refuse(&tool, "--per-token takes one model");
	return -1;
}

static int parse_options(int argc, char **argv, struct perplexity_options *o)
{
	int code;

	*o = (struct perplexity_options){.seed = {.value = 1}};
	code = mote_options_parse(&tool, argc, argv, o);
	code = code >= 0 ? code : check_options(o);
	if (o->max_tokens == 0)
		o->max_tokens = DEFAULT_ANSWER_TOKENS;
	return code;
}

/* ---- all of it ---- */

static enum mote_status lay_out(struct perplexity_run *r, const struct mote_plan_options *plan,
				struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < r->texts && status == MOTE_OK; i++) {
		struct mote_plan *p = &r->text[i].plan;

		status = mote_plan_init(r->model[0].model, &r->text[i].text, plan, p, error);
		if (status == MOTE_OK)
			status = perplexity_check_tokens(r, &r->text[i], plan, error);
		if (status != MOTE_OK && r->texts > 1)
			mote_error_prefix(error, "%s", r->text[i].text.name);
		if (status == MOTE_OK && p->all_positions && p->context < p->text_tokens)
			fprintf(stderr, "%s: the text has %llu tokens; the first %u are read\n", PERPLEXITY,
				(unsigned long long)p->text_tokens, p->context);
	}
	if (status == MOTE_OK)
		perplexity_expect(r, r->generated_tokens); /* what was guessed of the texts is known now */
	return status == MOTE_OK ? perplexity_take_memory(r, error) : status;
}

static enum mote_status merge(struct perplexity_run *r, struct mote_error *error)
{
	enum mote_status status = perplexity_open_outputs(r, error);

	if (status == MOTE_OK)
		status = perplexity_merge(r, error);
	if (status == MOTE_OK && r->o->per_token && (r->models != 1 || r->texts != 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "--per-token takes one model and one text; these "
				      "parts have %u and %u", r->models, r->texts);
	return status == MOTE_OK ? perplexity_give_results(r, error) : status;
}

static enum mote_status perform(struct perplexity_run *r, struct mote_error *error)
{
	struct mote_plan_options plan = r->o->plan;
	struct mote_share s = {0};
	bool first = mote_team_rank(r->team) == 0, goes_on = true;
	enum mote_status status = MOTE_OK;

	if (!first && (r->o->merge || r->o->shard.count || !perplexity_shares(r)))
		return MOTE_OK; /* nothing that several could do */
	if (r->o->merge)
		return merge(r, error);
	if (first) /* what is written is written by one */
		status = perplexity_open_outputs(r, error);
	if (status == MOTE_OK)
		status = perplexity_open_models(r, error);
	if (status == MOTE_OK)
		status = perplexity_read_texts(r, error);
	if (status == MOTE_OK && r->o->check)
		status = perplexity_read_receipts(r, &plan, error);
	if (status == MOTE_OK)
		status = lay_out(r, &plan, error);
	if (status == MOTE_OK && r->o->shard.count)
		return perplexity_make_part(r, error);
	if (status == MOTE_OK && perplexity_shares(r))
		status = perplexity_share(r, &s, &goes_on, error);
	else if (status == MOTE_OK)
		status = perplexity_measure(r, error);
	if (status != MOTE_OK || !goes_on)
		return status;
	if (r->o->prompts)
		status = perplexity_compare_behaviour(r, error);
	if (status == MOTE_OK)
		status = perplexity_give_results(r, error);
	if (status == MOTE_OK)
		mote_share_forget(&s, PERPLEXITY);
	return status;
}

static void close_run(struct perplexity_run *r)
{
	for (uint32_t i = 0; i < PERPLEXITY_MODELS; i++)
		mote_model_close(r->model[i].model);
	for (uint32_t i = 0; i < PERPLEXITY_TEXTS; i++) {
		for (uint32_t m = 0; m < PERPLEXITY_MODELS; m++)
			free(r->text[i].scores[m]);
		mote_plan_free(&r->text[i].plan);
		mote_text_free(&r->text[i].text);
	}
	for (uint32_t i = 0; r->part && i < r->parts; i++)
		cJSON_Delete(r->part[i]);
	free(r->part);
	free(r->prompts);
	mote_output_discard(r->per_token);
	mote_output_discard(r->report);
	mote_output_discard(r->logits);
	mote_model_close(r->reference.model);
	mote_answers_free(&r->answers);
	mote_answers_free(&r->reference_answers);
	mote_tokenizer_close(r->tokenizer);
	free(r);
}

int main(int argc, char **argv)
{
	struct perplexity_options given;
	struct mote_error error = {0};
	struct perplexity_run *r;
	int code = parse_options(argc, argv, &given);
	enum mote_status status;

	if (code >= 0)
		return code;
	mote_console_catch_signals();
	r = calloc(1, sizeof *r);
	if (!r) {
		(void)mote_error_set(&error, MOTE_ERROR_MEMORY, "out of memory");
		return mote_console_fail(PERPLEXITY, &error);
	}
	r->o = &given;
	r->started = mote_clock_seconds();
	status = mote_team_open(&r->team, &error);
	if (status == MOTE_OK)
		status = perform(r, &error);
	status = mote_team_close(r->team, status, &error);
	close_run(r);
	return status == MOTE_OK ? 0 : mote_console_fail(PERPLEXITY, &error);
}
