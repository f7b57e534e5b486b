/* The proof of a quantized file: it is opened as a user would, measured against its source, and gets a receipt. */
#ifndef MOTE_QUANT_MEASURE_FILE_H
#define MOTE_QUANT_MEASURE_FILE_H

#include "quant/measure/validate.h"
#include "quant/receipt/receipt.h"

struct mote_measure_file_options {
	struct mote_plan_options plan;
	uint32_t threads;
	const struct mote_text *validation;
	const struct mote_text *calibration; /* for the receipt; NULL: none */
	const cJSON *recipe;                 /* for the receipt; NULL: none */
	const char *tool;                    /* "mote-quantize 0.1.0" */
};

/* Measures the container at path against source. *receipts gets the array for MOTE_SECTION_RECEIPTS, owned by the
 * caller. Statuses as mote_model_open(), mote_plan_init(), mote_validate(). */
enum mote_status mote_measure_file(const char *path, const struct mote_model *source,
				   const struct mote_measure_file_options *options,
			    const struct mote_progress *progress, struct mote_figures *figures, cJSON **receipts,
			    struct mote_error *error) MOTE_CHECKED;

/* Measures model against reference, whose weights may be elsewhere: what mote_measure_file() does between files. */
enum mote_status mote_measure(const struct mote_plan *plan, const struct mote_model *model,
			      struct mote_logits *reference, uint32_t threads, const struct mote_progress *progress,
			      struct mote_figures *figures, struct mote_error *error) MOTE_CHECKED;

#endif
