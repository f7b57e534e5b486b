/* The whole way from a container to a quantized one: see pipeline.h. */
#include "quant/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/output.h"
#include "quant/calibrate/calibrate.h"
#include "quant/calibrate/calibrate_layers.h"
#include "quant/calibrate/sensitivity.h"
#include "quant/measure/own_text.h"
#include "quant/receipt/lineage.h"
#include "quant/measure/shared_passage.h"

enum {
	VALIDATION_TOKENS = 8192,       /* of text that the source writes itself */
	CALIBRATION_TOKENS_MIN = 4096,  /* of any text */
	CALIBRATION_TOKENS_MAX = 16384,
	SENSITIVITY_TOKENS_MIN = 256,
	SENSITIVITY_TOKENS_MAX = 2048,
	KLD_ATTEMPTS = 3,
	SECOND_ORDER_BITS = 6           /* above, a search leaves nothing that is worth a calibration */
};

/* So that the two texts of one run differ. */
#define CALIBRATION_SEED_OFFSET ((uint64_t)1 << 32)
/* What a receipt with its step in the lineage, and each row of the table of sensitivities, add to a file: a budget sets
 * this aside. Compressed, so the first is the least that it can be and the second a little more than usual. */
#define RECEIPT_BYTES 1088u
#define SENSITIVITY_BYTES 9u

static const enum mote_type mixture_types[] = { MOTE_Q3, MOTE_Q4, MOTE_Q5, MOTE_Q6, MOTE_Q8 };
enum { MIXTURE_TYPES = sizeof mixture_types / sizeof *mixture_types };

struct pipeline {
	const struct mote_pipeline_options *o;
	struct mote_pipeline_result *result;
	struct mote_recipe recipe;      /* o's, with the encoder chosen and the mixture's rules before o's */
	struct mote_rule *rules;
	struct mote_model *source;
	const struct mote_container *container;
	struct mote_quantizer quantizer;
	struct mote_plan calibration;   /* chunks = 0: not needed */
	struct mote_plan sensitive;     /* part of it, on which sensitivities are measured; shares its ids */
	struct mote_allocation allocation;
	cJSON *sensitivity;
	uint64_t excess_bytes;          /* that a file turned out to take beyond what was set aside */
	struct mote_writer *writer;
	uint32_t stage, stages;         /* begun, and in all as far as is known */
};

static void stage(struct pipeline *p, const char *label, const char *unit)
{
	p->stage++;
	p->stages = p->stages < p->stage ? p->stage : p->stages;
	if (p->o->stage)
		p->o->stage(p->o->progress ? p->o->progress->user : NULL,
			    &(struct mote_stage){ label, unit, p->stage, p->stages });
}

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
}

void mote_pipeline_result_free(struct mote_pipeline_result *r)
{
	cJSON_Delete(r->recipe);
	cJSON_Delete(r->receipts);
	*r = (struct mote_pipeline_result){ 0 };
}

/* ---- what is needed ---- */

/* With quants of at most so many bits. */
static bool any_matrix_becomes(const struct pipeline *p, uint32_t bits, bool vocabulary_only)
{
	for (uint32_t i = 0; i < p->quantizer.tensors; i++) {
		const struct mote_tensor *t = mote_container_tensor(p->container, i);
		uint32_t has = t->rank == 2 ? mote_type_bits(mote_recipe_type(&p->recipe, t)) : 0;

		if (has > 0 && has <= bits && (!vocabulary_only || mote_is_vocabulary_matrix(t->name)))
			return true;
	}
	return false;
}

/* The best encoder for what there is to encode. */
static void choose_encoder(struct pipeline *p)
{
	if (p->o->best_encoder)
		p->recipe.encoder = p->o->aim.goal != MOTE_GOAL_TYPE || any_matrix_becomes(p, SECOND_ORDER_BITS, false) ?
				    MOTE_ENCODER_GPTQ : MOTE_ENCODER_SEARCH;
}

static bool needs_calibration(const struct pipeline *p)
{
	return p->o->aim.goal != MOTE_GOAL_TYPE ||
	       (p->recipe.encoder >= MOTE_ENCODER_WEIGHTED && any_matrix_becomes(p, 8, false));
}

/* Second order does without, but for an embedding that it has not seen; see mote_quantizer_importance(). */
static bool needs_importance(const struct pipeline *p)
{
	return p->o->aim.goal != MOTE_GOAL_TYPE || p->recipe.encoder != MOTE_ENCODER_GPTQ ||
	       any_matrix_becomes(p, SECOND_ORDER_BITS, true);
}

/* Fewer tokens for larger models: each costs more, and more weights share what they say. */
static uint32_t tokens_for(const struct pipeline *p, uint64_t work, uint32_t min, uint32_t max)
{
	uint64_t tokens = work / mote_quantizer_weights(&p->quantizer);

	return tokens < min ? min : tokens > max ? max : (uint32_t)tokens;
}

static uint32_t calibration_tokens(const struct pipeline *p)
{
	return tokens_for(p, (uint64_t)1 << 40, CALIBRATION_TOKENS_MIN, CALIBRATION_TOKENS_MAX);
}

/* Stages of one attempt, and of what comes before the first. */
static uint32_t attempt_stages(const struct pipeline *p)
{
	return (needs_calibration(p) && p->recipe.encoder == MOTE_ENCODER_GPTQ) + 1u + !p->o->no_validation;
}

static uint32_t first_stages(const struct pipeline *p)
{
	return 0u + (!p->o->no_validation && !p->o->validation->data) + (needs_calibration(p) && !p->o->calibration->data) +
	       (needs_calibration(p) && needs_importance(p)) + (p->o->aim.goal != MOTE_GOAL_TYPE);
}

/* ---- texts ---- */

static enum mote_status write_texts(struct pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	enum mote_status status = MOTE_OK;

	p->stages = first_stages(p) + attempt_stages(p);
	if (!o->no_validation && !o->validation->data) {
		stage(p, "writing text to measure on", "tokens");
		status = mote_text_generate(p->source, o->seed, VALIDATION_TOKENS, o->threads, o->progress, o->validation,
					    error);
	}
	if (status == MOTE_OK && needs_calibration(p) && !o->calibration->data) {
		stage(p, "writing text to calibrate on", "tokens");
		status = mote_text_generate(p->source, o->seed + CALIBRATION_SEED_OFFSET, calibration_tokens(p), o->threads,
					    o->progress, o->calibration, error);
	}
	return status;
}

/* Files only: what the model writes from two seeds shares forms (a chat template's text), not passages. */
static enum mote_status refuse_shared_passage(const struct mote_text *calibration, const struct mote_text *validation,
				       struct mote_error *error)
{
	size_t place;
	enum mote_status status;

	if (!calibration->data || !validation->data || calibration->generated || validation->generated)
		return MOTE_OK;
	status = mote_shared_passage_find(calibration->data, calibration->bytes, validation->data, validation->bytes, &place,
				   error);
	if (status == MOTE_OK && place != SIZE_MAX)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "calibration text '%s' from byte %zu on is also in validation text '%s': a model must not "
				      "be measured on what it was fitted to", calibration->name, place, validation->name);
	return status;
}

static enum mote_status plan_calibration(struct pipeline *p, struct mote_error *error)
{
	uint32_t positions = p->source->config.max_positions;
	uint32_t context = positions < MOTE_VALIDATE_CONTEXT ? positions : MOTE_VALIDATE_CONTEXT;
	struct mote_plan_options options = { .context_tokens = context,
					     .max_chunks = (calibration_tokens(p) + context - 1) / context };
	enum mote_status status = mote_plan_init(p->source, p->o->calibration, &options, &p->calibration, error);

	if (status != MOTE_OK)
		mote_error_prefix(error, "calibration text");
	else if (needs_importance(p)) {
		stage(p, "calibrating", "chunks");
		status = mote_calibrate_importance(&p->quantizer, p->source, &p->calibration, p->o->threads, p->o->progress,
						   error);
	}
	return status;
}

/* ---- the mixture ---- */

/* The calibration text again, so that nothing is chosen by what it will be measured on; the first chunks will do. */
static enum mote_status measure_sensitivities(struct pipeline *p, struct mote_error *error)
{
	uint32_t tokens = tokens_for(p, (uint64_t)1 << 35, SENSITIVITY_TOKENS_MIN, SENSITIVITY_TOKENS_MAX);
	struct mote_plan plan = p->calibration;

	stage(p, "measuring sensitivities", NULL);
	if (tokens < plan.context)
		plan.context = tokens; /* of the one chunk that is left then */
	if (plan.vocab < plan.context)
		plan.context = plan.vocab; /* see mote_allocation_measure() */
	plan.first = plan.context / 8; /* more of what is computed is scored than when measuring for others to repeat */
	plan.chunk_rows = plan.context - plan.first - 1;
	plan.chunks = tokens / plan.context < plan.chunks ? tokens / plan.context : plan.chunks;
	plan.chunks = plan.chunks ? plan.chunks : 1;
	p->sensitive = plan;
	return mote_allocation_measure(&p->allocation, &p->quantizer, p->source, &plan, p->o->threads,
				       p->o->progress, error);
}

/* What a uniform file has that is not tensors: the source's metadata, tokenizer, directory, padding; a receipt. */
static uint64_t overhead_bytes(const struct pipeline *p)
{
	uint64_t bytes = mote_container_file_bytes(p->container);

	for (uint32_t i = 0; i < p->quantizer.tensors; i++)
		bytes -= mote_container_tensor(p->container, i)->bytes;
	return bytes + RECEIPT_BYTES + p->excess_bytes;
}

/* And what a mixture's table of sensitivities takes. */
static uint64_t table_bytes(const struct pipeline *p)
{
	return (uint64_t)p->allocation.tensors * MIXTURE_TYPES * SENSITIVITY_BYTES;
}

static uint64_t less(uint64_t bytes, uint64_t by)
{
	return bytes > by ? bytes - by : 0;
}

/* Makes the chosen mixture the recipe: a rule for each matrix, the user's own behind them. */
static enum mote_status adopt_mixture(struct pipeline *p, struct mote_error *error)
{
	uint32_t n = p->allocation.tensors;
	struct mote_rule *rules = realloc(p->rules, (n + p->o->recipe.n_rules + 1u) * sizeof *rules);

	if (!rules)
		return no_memory(error);
	p->rules = rules;
	for (uint32_t i = 0; i < n; i++) {
		const struct mote_sensitivity *s = &p->allocation.tensor[i];

		rules[i] = (struct mote_rule){ s->name, s->choice[s->chosen].type };
	}
	if (p->o->recipe.n_rules)
		memcpy(rules + n, p->o->recipe.rules, p->o->recipe.n_rules * sizeof *rules);
	p->recipe.rules = rules;
	p->recipe.n_rules = n + p->o->recipe.n_rules;
	p->result->predicted_kld = mote_allocation_kld(&p->allocation);
	cJSON_Delete(p->sensitivity);
	p->sensitivity = NULL;
	if (p->allocation.uniform && p->o->aim.goal == MOTE_GOAL_BYTES &&
	    mote_allocation_bytes(&p->allocation) + overhead_bytes(p) + table_bytes(p) > p->o->aim.budget_bytes)
		return MOTE_OK; /* one type for all needs no table, and the budget has no room for it */
	p->sensitivity = mote_allocation_to_json(&p->allocation, p->o->calibration, &p->sensitive);
	return p->sensitivity ? MOTE_OK : no_memory(error);
}

static uint64_t matrix_bytes(const struct pipeline *p)
{
	uint64_t bytes = mote_quantizer_bytes(&p->quantizer);

	for (uint32_t i = 0; i < p->quantizer.tensors; i++)
		if (mote_container_tensor(p->container, i)->rank == 1)
			bytes -= mote_container_tensor(p->container, i)->bytes;
	return bytes;
}

/* target: of the predicted divergence, for MOTE_GOAL_KLD. */
static enum mote_status choose_mixture(struct pipeline *p, double target, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	uint64_t tensors;

	switch (o->aim.goal) {
	case MOTE_GOAL_KLD:
		mote_allocation_within_kld(&p->allocation, target);
		return MOTE_OK;
	case MOTE_GOAL_BITS:
		tensors = (uint64_t)(o->aim.bits / 8 * (double)mote_quantizer_weights(&p->quantizer)) + p->allocation.other_bytes;
		return mote_allocation_within_bytes(&p->allocation, tensors, tensors, error);
	default:
		tensors = less(o->aim.budget_bytes, overhead_bytes(p));
		return mote_allocation_within_bytes(&p->allocation, less(tensors, table_bytes(p)), tensors, error);
	}
}

/* ---- one attempt: encode, write, measure ---- */

static enum mote_status put_metadata(struct pipeline *p, struct mote_error *error)
{
	cJSON *metadata = mote_lineage_metadata(p->container, p->o->tool, p->result->recipe,
						p->calibration.chunks ? p->o->calibration : NULL);
	enum mote_status status = metadata ? mote_writer_put_json(p->writer, MOTE_SECTION_METADATA, metadata, error) :
					     no_memory(error);

	cJSON_Delete(metadata);
	return status;
}

static enum mote_status encode(struct pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	enum mote_status status = MOTE_OK;

	if (p->calibration.chunks && p->recipe.encoder == MOTE_ENCODER_GPTQ) {
		stage(p, "quantizing layers", NULL);
		status = mote_calibrate_layers(&p->quantizer, p->source, &p->calibration, o->threads, o->progress, error);
	}
	stage(p, "writing", "weights");
	if (status == MOTE_OK)
		status = mote_quantizer_write(&p->quantizer, p->writer, o->progress, error);
	if (status == MOTE_OK)
		status = put_metadata(p, error);
	if (status == MOTE_OK && p->sensitivity)
		status = mote_writer_put_json(p->writer, MOTE_SECTION_SENSITIVITY, p->sensitivity, error);
	return status == MOTE_OK ? mote_writer_finish(p->writer, error) : status;
}

static enum mote_status measure(struct pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	struct mote_pipeline_result *r = p->result;
	struct mote_measure_file_options options = { .plan = { .context_tokens = o->context_tokens }, .threads = o->threads,
					      .validation = o->validation, .recipe = r->recipe, .tool = o->tool,
					      .calibration = p->calibration.chunks ? o->calibration : NULL };
	enum mote_status status;

	stage(p, "measuring", "tokens");
	cJSON_Delete(r->receipts);
	r->receipts = NULL;
	status = mote_measure_file(mote_writer_temp_path(p->writer), p->source, &options, o->progress, &r->figures, &r->receipts,
			    error);
	r->measured = status == MOTE_OK;
	if (status == MOTE_OK)
		status = mote_writer_put_json(p->writer, MOTE_SECTION_RECEIPTS, r->receipts, error);
	return status == MOTE_OK ? mote_writer_finish(p->writer, error) : status;
}

static enum mote_status attempt(struct pipeline *p, struct mote_error *error)
{
	struct stat written;
	enum mote_status status;

	if (p->stages < p->stage + attempt_stages(p))
		p->stages = p->stage + attempt_stages(p);
	mote_writer_discard(p->writer);
	p->writer = NULL;
	status = mote_writer_open(p->o->output, p->o->force, &p->writer, error);
	if (status == MOTE_OK)
		status = encode(p, error);
	if (status == MOTE_OK && !p->o->no_validation)
		status = measure(p, error);
	if (status == MOTE_OK && stat(mote_writer_temp_path(p->writer), &written) == 0)
		p->result->file_bytes = (uint64_t)written.st_size;
	p->result->bits_per_weight = 8.0 * (double)matrix_bytes(p) / (double)mote_quantizer_weights(&p->quantizer);
	return status;
}

/* Encodes what is chosen within the budget. How far the last sections compress is known when they are written: should a
 * file be some bytes too large, that much less is there to choose from. */
static enum mote_status attempt_budget(struct pipeline *p, struct mote_error *error)
{
	enum mote_status status;

	do {
		status = choose_mixture(p, 0, error);
		if (status == MOTE_OK)
			status = adopt_mixture(p, error);
		if (status == MOTE_OK)
			status = attempt(p, error);
		if (status != MOTE_OK || p->o->aim.goal != MOTE_GOAL_BYTES)
			return status;
		p->excess_bytes += less(p->result->file_bytes, p->o->aim.budget_bytes);
	} while (p->result->file_bytes > p->o->aim.budget_bytes);
	return MOTE_OK;
}

/* The prediction adds up what simpler encoders cost one by one, so it is off by a factor, which the first attempt
 * shows; the next aims closer to the limit. What misses it is followed by what had met it. */
static enum mote_status attempt_kld(struct pipeline *p, struct mote_error *error)
{
	double limit = p->o->aim.max_kld, target = limit, met = -1;
	enum mote_status status = MOTE_OK;

	for (int i = 0; i < KLD_ATTEMPTS && status == MOTE_OK; i++) {
		double kld;

		status = choose_mixture(p, target, error);
		if (status == MOTE_OK)
			status = adopt_mixture(p, error);
		if (status == MOTE_OK)
			status = attempt(p, error);
		if (status != MOTE_OK)
			break;
		kld = p->result->figures.kld_mean.value;
		if (kld <= limit && (kld > 0.85 * limit || target <= met))
			return status;
		met = kld <= limit && target > met ? target : met;
		target *= kld > 0 ? 0.95 * limit / kld : 2;
	}
	if (status == MOTE_OK && met > 0 && p->result->figures.kld_mean.value > limit) {
		status = choose_mixture(p, met, error);
		if (status == MOTE_OK)
			status = adopt_mixture(p, error);
		if (status == MOTE_OK)
			status = attempt(p, error);
	}
	return status;
}

static enum mote_status check_gates(const struct pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	double kld = p->result->figures.kld_mean.value, ratio = p->result->figures.perplexity_ratio.value;

	if (o->aim.max_kld > 0 && !(kld <= o->aim.max_kld))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: KL divergence %.5f is more than the %g allowed; no file written", o->output, kld,
				      o->aim.max_kld);
	if (o->max_ppl_ratio > 0 && !(ratio <= o->max_ppl_ratio))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: perplexity ratio %.5f is more than the %g allowed; no file written", o->output, ratio,
				      o->max_ppl_ratio);
	return MOTE_OK;
}

/* ---- all of it ---- */

static enum mote_status prepare(struct pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	enum mote_status status = mote_model_open(o->input, MOTE_WEIGHTS_MAPPED, &p->source, error);

	if (status != MOTE_OK)
		return status;
	p->container = p->source->container;
	p->result->source_bytes = mote_container_file_bytes(p->container);
	status = mote_recipe_check(&p->recipe, p->container, error);
	if (status == MOTE_OK)
		status = mote_quantizer_init(&p->quantizer, p->container, &p->recipe, o->threads, error);
	if (status != MOTE_OK)
		return status;
	choose_encoder(p);
	/* Before anything that takes time: the name to write to must be free, and a budget must be one. */
	status = mote_output_refuse_input(o->output, o->input, error);
	if (status == MOTE_OK)
		status = mote_writer_open(o->output, o->force, &p->writer, error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = mote_allocation_init(&p->allocation, &p->quantizer, mixture_types, MIXTURE_TYPES, error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = choose_mixture(p, 0, error);
	if (status == MOTE_OK) {
		p->result->recipe = mote_lineage_recipe(&o->aim, &o->recipe, p->recipe.encoder);
		status = p->result->recipe ? MOTE_OK : no_memory(error);
	}
	if (status == MOTE_OK)
		status = write_texts(p, error);
	if (status == MOTE_OK)
		status = refuse_shared_passage(o->calibration, o->validation, error);
	if (status == MOTE_OK && needs_calibration(p))
		status = plan_calibration(p, error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = measure_sensitivities(p, error);
	return status;
}

enum mote_status mote_pipeline_run(const struct mote_pipeline_options *options, struct mote_pipeline_result *result,
				   struct mote_error *error)
{
	struct pipeline p = { .o = options, .result = result, .recipe = options->recipe };
	enum mote_status status = prepare(&p, error);

	if (status == MOTE_OK && options->aim.goal == MOTE_GOAL_TYPE)
		status = attempt(&p, error);
	else if (status == MOTE_OK && options->aim.goal == MOTE_GOAL_KLD)
		status = attempt_kld(&p, error);
	else if (status == MOTE_OK)
		status = attempt_budget(&p, error);
	if (status == MOTE_OK && !options->no_validation)
		status = check_gates(&p, error);
	if (status == MOTE_OK) {
		status = mote_writer_commit(p.writer, error);
		p.writer = NULL;
	}
	mote_writer_discard(p.writer);
	cJSON_Delete(p.sensitivity);
	mote_allocation_free(&p.allocation);
	mote_plan_free(&p.calibration);
	mote_quantizer_free(&p.quantizer);
	mote_model_close(p.source);
	free(p.rules);
	return status;
}
