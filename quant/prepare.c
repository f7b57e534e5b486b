/* What comes before the first attempt: the source opened and checked, texts, calibration, sensitivities.
 * See pipeline.h. */
#include "format/output.h"
#include "quant/calibrate/calibrate.h"
#include "quant/measure/own_text.h"
#include "quant/measure/shared_passage.h"
#include "quant/pipeline_state.h"
#include "quant/receipt/lineage.h"

enum {
	CALIBRATION_TOKENS_MIN = 4096,  /* of any text */
	CALIBRATION_TOKENS_MAX = 16384,
	SENSITIVITY_TOKENS_MIN = 256,
	SENSITIVITY_TOKENS_MAX = 2048,
	RECOVERY_TOKENS_MIN = 8192,     /* of the text that a model writes to learn from */
	RECOVERY_TOKENS_MAX = 65536,
	SECOND_ORDER_BITS = 6           /* above, a search leaves nothing that is worth a calibration */
};

/* So that the two texts of one run differ. */
#define CALIBRATION_SEED_OFFSET ((uint64_t)1 << 32)

/* ---- what is needed ---- */

/* With quants of at most so many bits. */
static bool any_matrix_becomes(const struct mote_pipeline *p, uint32_t bits, bool vocabulary_only)
{
	for (uint32_t i = 0; i < p->quantizer.tensors; i++) {
		const struct mote_tensor *t = p->quantizer.target[i].tensor;
		uint32_t has = t->rank == 2 ? mote_type_bits(p->quantizer.target[i].type) : 0;

		if (has > 0 && has <= bits && (!vocabulary_only || mote_is_vocabulary_matrix(t->name)))
			return true;
	}
	return false;
}

/* The best encoder for what there is to encode. */
static void choose_encoder(struct mote_pipeline *p)
{
	if (p->o->best_encoder)
		p->recipe.encoder = p->o->aim.goal != MOTE_GOAL_TYPE ||
				    any_matrix_becomes(p, SECOND_ORDER_BITS, false) ?
				    MOTE_ENCODER_GPTQ : MOTE_ENCODER_SEARCH;
	mote_quantizer_decide(&p->quantizer);
}

bool mote_pipeline_needs_calibration(const struct mote_pipeline *p)
{
	return p->o->aim.goal != MOTE_GOAL_TYPE ||
	       (p->recipe.encoder >= MOTE_ENCODER_WEIGHTED && any_matrix_becomes(p, 8, false));
}

/* Second order does without, but for an embedding that it has not seen; see mote_quantizer_importance(). */
bool mote_pipeline_needs_importance(const struct mote_pipeline *p)
{
	return p->o->aim.goal != MOTE_GOAL_TYPE || p->recipe.encoder != MOTE_ENCODER_GPTQ ||
	       any_matrix_becomes(p, SECOND_ORDER_BITS, true);
}

/* Fewer tokens for larger models: each costs more, and more weights share what they say. */
static uint32_t tokens_for(const struct mote_pipeline *p, uint64_t work, uint32_t min, uint32_t max)
{
	uint64_t tokens = work / mote_quantizer_weights(&p->quantizer);

	return tokens < min ? min : tokens > max ? max : (uint32_t)tokens;
}

uint32_t mote_pipeline_calibration_tokens(const struct mote_pipeline *p)
{
	return tokens_for(p, (uint64_t)1 << 40, CALIBRATION_TOKENS_MIN, CALIBRATION_TOKENS_MAX);
}

/* Not by how much is learnt: the same number of tokens must give the same bytes,
 * whether it was asked for or found by time. */
uint32_t mote_pipeline_text_tokens(const struct mote_pipeline *p)
{
	return p->o->recover ? tokens_for(p, (uint64_t)1 << 41, RECOVERY_TOKENS_MIN, RECOVERY_TOKENS_MAX) :
	       mote_pipeline_calibration_tokens(p);
}

bool mote_pipeline_needs_text(const struct mote_pipeline *p)
{
	return p->o->recover || mote_pipeline_needs_calibration(p);
}

uint32_t mote_pipeline_sensitivity_tokens(const struct mote_pipeline *p)
{
	return tokens_for(p, (uint64_t)1 << 35, SENSITIVITY_TOKENS_MIN, SENSITIVITY_TOKENS_MAX);
}

/* ---- texts ---- */

/* What is measured on stays what it was, so that receipts can be checked; what is fitted to is varied. */
static enum mote_status generate(const struct mote_pipeline *p, uint64_t seed, uint32_t tokens, bool varied,
				 struct mote_text *out, struct mote_error *error)
{
	struct mote_own_text_options options = {.seed = seed, .min_tokens = tokens, .varied = varied,
						.threads = p->o->threads, .progress = p->o->progress};

	return mote_text_generate(p->source, &options, out, error);
}

/* What cannot be measured on is refused before anything is measured on it. */
static enum mote_status check_validation(const struct mote_pipeline *p, struct mote_error *error)
{
	struct mote_plan_options options = {.context_tokens = p->o->context_tokens};
	struct mote_plan plan = {0};
	enum mote_status status = MOTE_OK;

	if (!p->o->no_validation && p->o->validation->data)
		status = mote_plan_init(p->source, p->o->validation, &options, &plan, error);
	if (status != MOTE_OK)
		mote_error_prefix(error, "validation text");
	mote_plan_free(&plan);
	return status;
}

static enum mote_status write_texts(struct mote_pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	enum mote_status status = MOTE_OK;

	if (!o->no_validation && !o->validation->data) {
		mote_pipeline_begin(p, MOTE_STAGE_VALIDATION_TEXT);
		status = generate(p, o->seed, MOTE_SELF_VALIDATION_TOKENS, false, o->validation, error);
		if (status == MOTE_OK)
			status = check_validation(p, error);
	}
	if (status == MOTE_OK && mote_pipeline_needs_text(p) && !o->calibration->data) {
		mote_pipeline_begin(p, MOTE_STAGE_CALIBRATION_TEXT);
		status = generate(p, o->seed + CALIBRATION_SEED_OFFSET, mote_pipeline_text_tokens(p), true,
				  o->calibration, error);
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
	status = mote_shared_passage_find(calibration->data, calibration->bytes, validation->data, validation->bytes,
					  &place, error);
	if (status == MOTE_OK && place != SIZE_MAX)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "calibration text '%s' from byte %zu on is also in validation text '%s': a model "
				      "must not be measured on what it was fitted to", calibration->name, place,
				      validation->name);
	return status;
}

/* What is given to calibrate on must be text: what is made of it stays in the model. */
static enum mote_status check_calibration(const struct mote_pipeline *p, struct mote_error *error)
{
	enum mote_status status = p->o->calibration->data ? mote_text_check(p->o->calibration, error) : MOTE_OK;

	if (status != MOTE_OK)
		mote_error_prefix(error, "calibration text");
	return status;
}

static enum mote_status plan_calibration(struct mote_pipeline *p, struct mote_error *error)
{
	uint32_t positions = p->source->config.max_positions;
	uint32_t context = positions < MOTE_VALIDATE_CONTEXT ? positions : MOTE_VALIDATE_CONTEXT;
	struct mote_plan_options options = { .context_tokens = context,
					     .max_chunks = (mote_pipeline_calibration_tokens(p) + context - 1) /
					     context };
	enum mote_status status = mote_plan_init(p->source, p->o->calibration, &options, &p->calibration, error);

	if (status != MOTE_OK)
		mote_error_prefix(error, "calibration text");
	else if (mote_pipeline_needs_importance(p)) {
		mote_pipeline_begin(p, MOTE_STAGE_CALIBRATE);
		status = mote_calibrate_importance(&p->quantizer, p->source, &p->calibration, p->o->threads,
						   p->o->progress, error);
	}
	return status;
}

/* A place that no state can be written to is refused before hours are spent on what it should hold. */
static enum mote_status check_state(const struct mote_pipeline *p, struct mote_error *error)
{
	const char *state = p->o->recover_state;
	struct mote_output *probe;
	enum mote_status status = mote_output_refuse_input(state, p->o->input, error);

	if (status != MOTE_OK || !state)
		return status;
	status = mote_output_refuse_same(state, p->o->output, error);
	if (status == MOTE_OK)
		status = mote_output_open(state, true, &probe, error);
	if (status == MOTE_OK)
		mote_output_discard(probe);
	return status;
}

/* ---- all of it ---- */

enum mote_status mote_pipeline_prepare(struct mote_pipeline *p, struct mote_error *error)
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
	if (o->recover)
		status = mote_parameters_check(&p->source->config, error);
	if (status != MOTE_OK)
		return status;
	/* Before anything that takes time: the name to write to must be free, and a budget must be one. */
	status = mote_output_refuse_input(o->output, o->input, error);
	if (status == MOTE_OK)
		status = check_state(p, error);
	if (status == MOTE_OK && o->output)
		status = mote_writer_open(o->output, o->force, &p->writer, error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = mote_allocation_init(&p->allocation, &p->quantizer, mote_mixture_types, MOTE_MIXTURE_TYPES,
					      error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = mote_mixture_choose(p, 0, error);
	if (status == MOTE_OK) {
		p->result->recipe = mote_lineage_recipe(&o->aim, &o->recipe, p->recipe.encoder);
		status = p->result->recipe ? MOTE_OK : mote_pipeline_no_memory(error);
	}
	if (status == MOTE_OK)
		status = check_calibration(p, error);
	if (status == MOTE_OK)
		status = check_validation(p, error);
	if (status == MOTE_OK) {
		mote_pipeline_expect(p);
		mote_pipeline_begin(p, MOTE_STAGE_CHECK);
		status = mote_quantizer_check_source(&p->quantizer, o->progress, error);
	}
	if (status == MOTE_OK)
		status = write_texts(p, error);
	if (status == MOTE_OK)
		status = refuse_shared_passage(o->calibration, o->validation, error);
	if (status == MOTE_OK && mote_pipeline_needs_calibration(p))
		status = plan_calibration(p, error);
	if (status == MOTE_OK && o->aim.goal != MOTE_GOAL_TYPE)
		status = mote_pipeline_measure_sensitivities(p, error);
	return status;
}
