/* The whole way from a container to a quantized one: see pipeline.h. Here are the attempts, the gates, and the run. */
#include "quant/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "quant/calibrate/calibrate_layers.h"
#include "quant/calibrate/sensitivity.h"
#include "quant/pipeline_state.h"
#include "quant/receipt/lineage.h"

enum { KLD_ATTEMPTS = 3 };

void mote_pipeline_result_free(struct mote_pipeline_result *r)
{
	cJSON_Delete(r->recipe);
	cJSON_Delete(r->receipts);
	*r = (struct mote_pipeline_result){0};
}

/* ---- one attempt: encode, write, measure ---- */

static enum mote_status put_metadata(struct mote_pipeline *p, struct mote_error *error)
{
	cJSON *metadata = mote_lineage_metadata(p->container, p->o->tool, p->result->recipe,
						mote_pipeline_needs_text(p) ? p->o->calibration : NULL);
	enum mote_status status = metadata ? mote_writer_put_json(p->writer, MOTE_SECTION_METADATA, metadata, error) :
					     mote_pipeline_no_memory(error);

	cJSON_Delete(metadata);
	return status;
}

/* What was learnt from goes into the recipe: with these tokens and this seed the same bytes come again. */
static enum mote_status recover(struct mote_pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	struct mote_recover_options options = {.tokens = o->recover_tokens, .seconds = o->recover_seconds,
					       .seed = o->seed, .threads = o->threads, .progress = o->progress,
					       .state = o->recover_state, .planned = o->recover_planned,
					       .planned_user = o->progress ? o->progress->user : NULL};
	enum mote_status status = mote_quantizer_encode(&p->quantizer, NULL, error);

	mote_pipeline_begin(p, MOTE_STAGE_RECOVER);
	if (status == MOTE_OK)
		status = mote_recover(&p->quantizer, p->source, o->calibration, &options, &p->result->recovered, error);
	if (status != MOTE_OK)
		return status;
	cJSON_DeleteItemFromObjectCaseSensitive(p->result->recipe, "recover_tokens");
	cJSON_DeleteItemFromObjectCaseSensitive(p->result->recipe, "recover_seed");
	if (!cJSON_AddNumberToObject(p->result->recipe, "recover_tokens", (double)p->result->recovered.tokens) ||
	    (o->seed && !cJSON_AddNumberToObject(p->result->recipe, "recover_seed", (double)o->seed)))
		return mote_pipeline_no_memory(error);
	return MOTE_OK;
}

static enum mote_status encode(struct mote_pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	enum mote_status status = MOTE_OK;

	if (p->calibration.chunks && p->recipe.encoder == MOTE_ENCODER_GPTQ) {
		mote_pipeline_begin(p, MOTE_STAGE_LAYERS);
		status = mote_calibrate_layers(&p->quantizer, p->source, &p->calibration, o->threads,
					       o->progress, error);
	}
	if (status == MOTE_OK && o->recover)
		status = recover(p, error);
	mote_pipeline_begin(p, MOTE_STAGE_WRITE);
	if (status == MOTE_OK)
		status = mote_quantizer_write(&p->quantizer, p->writer, o->progress, error);
	if (status == MOTE_OK)
		status = put_metadata(p, error);
	if (status == MOTE_OK && p->sensitivity)
		status = mote_writer_put_json(p->writer, MOTE_SECTION_SENSITIVITY, p->sensitivity, error);
	return status == MOTE_OK ? mote_writer_finish(p->writer, error) : status;
}

static enum mote_status measure(struct mote_pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	struct mote_pipeline_result *r = p->result;
	struct mote_measure_file_options options = { .plan = {.context_tokens = o->context_tokens},
						     .threads = o->threads,
					      .validation = o->validation, .recipe = r->recipe, .tool = o->tool,
					      .calibration = mote_pipeline_needs_text(p) ? o->calibration : NULL };
	enum mote_status status;

	mote_pipeline_begin(p, MOTE_STAGE_MEASURE);
	cJSON_Delete(r->receipts);
	r->receipts = NULL;
	status = mote_measure_file(mote_writer_temp_path(p->writer), p->source, &options, o->progress, &r->figures,
				   &r->receipts,
			    error);
	r->measured = status == MOTE_OK;
	if (status == MOTE_OK)
		status = mote_writer_put_json(p->writer, MOTE_SECTION_RECEIPTS, r->receipts, error);
	return status == MOTE_OK ? mote_writer_finish(p->writer, error) : status;
}

static enum mote_status attempt(struct mote_pipeline *p, struct mote_error *error)
{
	struct stat written;
	enum mote_status status;

	if (p->attempts++ > 0)
		mote_pipeline_expect_attempt(p);
	mote_writer_discard(p->writer);
	p->writer = NULL;
	status = mote_writer_open(p->o->output, p->o->force, &p->writer, error);
	if (status == MOTE_OK)
		status = encode(p, error);
	if (status == MOTE_OK && !p->o->no_validation)
		status = measure(p, error);
	if (status == MOTE_OK && stat(mote_writer_temp_path(p->writer), &written) != 0)
		status = mote_error_set(error, MOTE_ERROR_IO, "%s: %s", p->o->output, strerror(errno));
	else if (status == MOTE_OK)
		p->result->file_bytes = (uint64_t)written.st_size;
	p->result->bits_per_weight = 8.0 * (double)mote_mixture_matrix_bytes(p) /
				     (double)mote_quantizer_weights(&p->quantizer);
	return status;
}

/* Encodes what is chosen within the budget. How far the last sections compress is known when they are written: should a
 * file be some bytes too large, that much less is there to choose from. */
static enum mote_status attempt_budget(struct mote_pipeline *p, struct mote_error *error)
{
	enum mote_status status;

	do {
		status = mote_mixture_choose(p, 0, error);
		if (status == MOTE_OK)
			status = mote_mixture_adopt(p, error);
		if (status == MOTE_OK)
			status = attempt(p, error);
		if (status != MOTE_OK || p->o->aim.goal != MOTE_GOAL_BYTES)
			return status;
		if (p->result->file_bytes > p->o->aim.budget_bytes)
			p->excess_bytes += p->result->file_bytes - p->o->aim.budget_bytes;
	} while (p->result->file_bytes > p->o->aim.budget_bytes);
	return MOTE_OK;
}

/* The prediction adds up what simpler encoders cost one by one, so it is off by a factor, which the first attempt
 * shows; the next aims closer to the limit. What misses it is followed by what had met it. */
static enum mote_status attempt_kld(struct mote_pipeline *p, struct mote_error *error)
{
	double limit = p->o->aim.max_kld, target = limit, met = -1;
	enum mote_status status = MOTE_OK;

	for (int i = 0; i < KLD_ATTEMPTS && status == MOTE_OK; i++) {
		double kld;

		status = mote_mixture_choose(p, target, error);
		if (status == MOTE_OK)
			status = mote_mixture_adopt(p, error);
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
		status = mote_mixture_choose(p, met, error);
		if (status == MOTE_OK)
			status = mote_mixture_adopt(p, error);
		if (status == MOTE_OK)
			status = attempt(p, error);
	}
	return status;
}

static enum mote_status check_gates(const struct mote_pipeline *p, struct mote_error *error)
{
	const struct mote_pipeline_options *o = p->o;
	double kld = p->result->figures.kld_mean.value, ratio = p->result->figures.perplexity_ratio.value;

	if (o->aim.max_kld > 0 && !(kld <= o->aim.max_kld))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: KL divergence %.5f is more than the %g allowed; no file written",
				      o->output, kld, o->aim.max_kld);
	if (o->max_ppl_ratio > 0 && !(ratio <= o->max_ppl_ratio))
		return mote_error_set(error, MOTE_ERROR_QUALITY,
				      "%s: perplexity ratio %.5f is more than the %g allowed; no file written",
				      o->output, ratio, o->max_ppl_ratio);
	return MOTE_OK;
}

/* ---- all of it ---- */

enum mote_status mote_pipeline_run(const struct mote_pipeline_options *options, struct mote_pipeline_result *result,
				   struct mote_error *error)
{
	struct mote_pipeline p = {.o = options, .result = result, .recipe = options->recipe};
	enum mote_status status = mote_pipeline_prepare(&p, error);
	bool goes_on = status == MOTE_OK && !result->shared;

	if (goes_on && options->aim.goal == MOTE_GOAL_TYPE)
		status = attempt(&p, error);
	else if (goes_on && options->aim.goal == MOTE_GOAL_KLD)
		status = attempt_kld(&p, error);
	else if (goes_on)
		status = attempt_budget(&p, error);
	if (goes_on && status == MOTE_OK && !options->no_validation)
		status = check_gates(&p, error);
	if (goes_on && status == MOTE_OK) {
		/* What asked to stop since the last step must not find a new file: this is the last moment to look. */
		mote_pipeline_begin(&p, MOTE_STAGE_FINISH);
		if (options->progress && !options->progress->update(options->progress->user, 0, 1))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	if (goes_on && status == MOTE_OK) {
		status = mote_writer_commit(p.writer, error);
		p.writer = NULL;
	}
	mote_writer_discard(p.writer);
	cJSON_Delete(p.sensitivity);
	mote_probe_close(p.probe);
	mote_allocation_free(&p.allocation);
	mote_plan_free(&p.calibration);
	mote_quantizer_free(&p.quantizer);
	mote_model_close(p.source);
	free(p.rules);
	return status;
}
