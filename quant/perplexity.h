/* What mote-perplexity's files share. mote-perplexity.c has the command line and the order of things; perplexity_open.c
 * opens and reads, perplexity_receipt.c repeats receipts, perplexity_measure.c runs models, perplexity_part.c writes
 * and joins parts, perplexity_result.c gives results, perplexity_progress.c says how far it is.
 */
#ifndef MOTE_QUANT_PERPLEXITY_H
#define MOTE_QUANT_PERPLEXITY_H

#include "format/json_build.h"
#include "format/output.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "quant/measure/answers.h"
#include "quant/measure/figures.h"
#include "quant/measure/logits.h"
#include "quant/measure/part.h"
#include "quant/receipt/receipt.h"
#include "quant/team/share.h"
#include "runtime/tokenizer/tokenizer.h"

#define PERPLEXITY "mote-perplexity"

enum { PERPLEXITY_MODELS = 64, PERPLEXITY_TEXTS = 16, PERPLEXITY_TEXT_BYTES = 1 << 30 };

struct perplexity_files {
	const char *path[PERPLEXITY_TEXTS];
	uint32_t count;
};

struct perplexity_options {
	const char *reference, *save_logits, *reference_logits, *prompts, *per_token, *report, *part, *parts;
	struct perplexity_files files;
	struct mote_plan_options plan;
	struct mote_option_seed seed;
	struct mote_shard shard;
	uint32_t generate, threads, max_tokens;
	bool json, stamp, check, force, merge;
	struct mote_option_operands models; /* or parts */
};

struct perplexity_model {
	const char *path;               /* borrowed */
	uint64_t file_bytes;            /* 0: unknown */
	double bits_per_weight;         /* 0: unknown */
	struct mote_model *model;       /* NULL: known from a part, or by its saved logits */
};

/* A text and what models gave on it. */
struct perplexity_text {
	struct mote_text text;
	struct mote_plan plan;
	struct mote_score *scores[PERPLEXITY_MODELS]; /* [mote_plan_rows(plan)] */
	struct mote_figures figures[PERPLEXITY_MODELS];
};

/* One run: everything that is open. */
struct perplexity_run {
	const struct perplexity_options *o;
	struct perplexity_model model[PERPLEXITY_MODELS], reference; /* reference.path NULL: there is none */
	struct perplexity_text text[PERPLEXITY_TEXTS];
	uint32_t models, texts;
	struct mote_behaviour behaviour[PERPLEXITY_MODELS], reference_behaviour;
	struct mote_answers answers, reference_answers;
	struct mote_tokenizer *tokenizer;
	struct mote_hash128 reference_hash;
	struct mote_output *per_token, *report, *logits; /* what is to be written; NULL when it is not, or was */
	const cJSON *receipt[PERPLEXITY_MODELS];  /* --check */
	struct mote_receipt_terms terms;          /* ... what they share */
	struct mote_team *team;
	bool sharing;                             /* progress is counted in pieces */
	cJSON **part;                             /* [parts], of which names are borrowed after a join */
	uint32_t parts;

	struct mote_console_bar bar;
	uint32_t stage, stages, generated_tokens;
	char *prompts;                            /* [prompt_bytes] */
	size_t prompt_bytes;
	double started, cost_total, cost_done, cost_now;
};

const char *perplexity_base_name(const char *path);

enum mote_status perplexity_open_outputs(struct perplexity_run *r, struct mote_error *error);
enum mote_status perplexity_open_models(struct perplexity_run *r, struct mote_error *error);
/* The files, or what is generated; none with --check. */
enum mote_status perplexity_read_texts(struct perplexity_run *r, struct mote_error *error);
/* Token by token makes sense only where the tokens are the same: that every model reads the laid out text as the first
 * one does. MOTE_ERROR_ARGUMENT if not; else statuses as mote_plan_init(). */
enum mote_status perplexity_check_tokens(const struct perplexity_run *r, const struct perplexity_text *t,
					 const struct mote_plan_options *options, struct mote_error *error);
enum mote_status perplexity_generate(struct perplexity_run *r, uint64_t seed, uint32_t tokens,
				     struct mote_error *error);

/* With --check: all models' receipts, which must share the rule and the text; the rule comes from them, and the text
 * too where it was generated. */
enum mote_status perplexity_read_receipts(struct perplexity_run *r, struct mote_plan_options *plan,
					  struct mote_error *error);
/* The last two things in which a repetition may differ, known once tokens and saved logits are there. */
enum mote_status perplexity_check_terms(const struct perplexity_run *r, struct mote_error *error);
enum mote_status perplexity_compare_receipts(struct perplexity_run *r, struct mote_error *error);
enum mote_status perplexity_stamp(struct perplexity_run *r, struct mote_error *error);

/* Room for the scores of every text. */
enum mote_status perplexity_take_memory(struct perplexity_run *r, struct mote_error *error);
/* Scores and figures of every text. */
enum mote_status perplexity_measure(struct perplexity_run *r, struct mote_error *error);
enum mote_status perplexity_compare_behaviour(struct perplexity_run *r, struct mote_error *error);
/* A shard's scores alone, each text's at their places. */
enum mote_status perplexity_measure_shard(struct perplexity_run *r, struct mote_shard shard, struct mote_error *error);
enum mote_status perplexity_figures(struct perplexity_run *r, struct mote_error *error);

/* Whether the measurement is cut in pieces: others are there to share it, or finished ones are to be kept. */
bool perplexity_shares(const struct perplexity_run *r);
/* Measures with all who share, and fills r where there is somebody to go on: *goes_on. */
enum mote_status perplexity_share(struct perplexity_run *r, struct mote_share *s, bool *goes_on,
				  struct mote_error *error);
/* --shard: writes a part, unless it is there. --merge: fills r from all parts. */
enum mote_status perplexity_make_part(struct perplexity_run *r, struct mote_error *error);
enum mote_status perplexity_merge(struct perplexity_run *r, struct mote_error *error);

enum mote_status perplexity_give_results(struct perplexity_run *r, struct mote_error *error);

enum perplexity_stage { PERPLEXITY_GENERATE, PERPLEXITY_LOGITS, PERPLEXITY_MEASURE, PERPLEXITY_ANSWER };

/* Estimates the stages to come; tokens of generated text are to be written. */
void perplexity_expect(struct perplexity_run *r, uint32_t generated_tokens);
/* A stage begins: about text number i, or model number i (r->models: the reference). */
struct mote_progress perplexity_begin(struct perplexity_run *r, enum perplexity_stage stage, uint32_t i);

#endif
