/* Sensitivities: what each matrix of a model costs in quality at each type that it may become. */
#ifndef MOTE_QUANT_SENSITIVITY_H
#define MOTE_QUANT_SENSITIVITY_H

#include "quant/calibrate/allocate.h"

/* Measures each matrix at MOTE_ALLOCATE_MEASURED, encoded by MOTE_ENCODER_WEIGHTED with q's importance, and predicts
 * the other types from their squared errors. Where the recipe's encoder is second order, each is multiplied by the
 * share of such damage that it is known to leave. No matrix's figures depend on what else is measured. */
struct mote_probe;

/* Runs the source over plan, which like q and source must outlive the probe: text to measure on, never the validation
 * text, in chunks of at most as many tokens as the vocabulary has. MOTE_ERROR_MEMORY, MOTE_ERROR_CORRUPT.
 * *out is NULL on error. */
enum mote_status mote_probe_open(const struct mote_quantizer *q, const struct mote_model *source,
				 const struct mote_plan *plan, uint32_t threads, struct mote_probe **out,
				 struct mote_error *error) MOTE_CHECKED;
void mote_probe_close(struct mote_probe *p); /* NULL is fine */

/* Sets the divergences of a's matrices from the begin-th to before the end-th. MOTE_ERROR_INTERRUPTED;
 * MOTE_ERROR_CORRUPT: a logit is not a number; and encoding's. */
enum mote_status mote_probe_measure(struct mote_probe *p, struct mote_allocation *a, uint32_t begin, uint32_t end,
				    const struct mote_progress *progress, struct mote_error *error) MOTE_CHECKED;

#endif
