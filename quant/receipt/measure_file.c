/* The proof of a quantized file: see measure_file.h. */
#include "quant/receipt/measure_file.h"

enum mote_status mote_measure(const struct mote_plan *plan, const struct mote_model *model,
			      struct mote_logits *reference, uint32_t threads, const struct mote_progress *progress,
			      struct mote_figures *figures, struct mote_error *error)
{
	struct mote_logits *measured = NULL;
	enum mote_status status = mote_logits_from_model(model, plan, threads, NULL, &measured, error);

	if (status == MOTE_OK)
		status = mote_validate(plan, measured, reference, threads, progress, NULL, figures, error);
	mote_logits_close(measured);
	return status;
}

static enum mote_status make_receipts(const struct mote_measure_file_options *o, const struct mote_plan *plan,
				      const struct mote_model *model, const struct mote_model *source,
				      const struct mote_figures *figures, cJSON **receipts, struct mote_error *error)
{
	struct mote_receipt_facts facts = { .tool = o->tool, .recipe = o->recipe, .calibration = o->calibration,
					    .validation = o->validation, .plan = plan, .tensors = model->container,
					    .reference = source->container, .figures = figures };
	cJSON *receipt = NULL;
	enum mote_status status = mote_receipt_new(&facts, &receipt, error);

	if (status == MOTE_OK)
		status = mote_receipts_append(NULL, mote_container_tensors_hash(model->container), receipt, receipts,
					      error);
	return status;
}

enum mote_status mote_measure_file(const char *path, const struct mote_model *source,
				   const struct mote_measure_file_options *options,
			    const struct mote_progress *progress, struct mote_figures *figures, cJSON **receipts,
			    struct mote_error *error)
{
	struct mote_plan plan = {0};
	struct mote_model *model = NULL;
	struct mote_logits *reference = NULL;
	enum mote_status status;

	*receipts = NULL;
	status = mote_model_open(path, MOTE_WEIGHTS_MAPPED, &model, error);
	if (status == MOTE_OK)
		status = mote_plan_init(source, options->validation, &options->plan, &plan, error);
	if (status == MOTE_OK)
		status = mote_logits_from_model(source, &plan, options->threads, NULL, &reference, error);
	if (status == MOTE_OK)
		status = mote_measure(&plan, model, reference, options->threads, progress, figures, error);
	if (status == MOTE_OK)
		status = make_receipts(options, &plan, model, source, figures, receipts, error);
	mote_logits_close(reference);
	mote_plan_free(&plan);
	mote_model_close(model);
	return status;
}
