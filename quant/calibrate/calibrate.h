/* First-order calibration: what the matrices of a model see on a text.
 *
 * The text comes cut into chunks as a plan; the sums are taken in a fixed order whatever the number of
 * threads, so a calibrated file is as reproducible as any other.
 */
#ifndef MOTE_QUANT_CALIBRATE_H
#define MOTE_QUANT_CALIBRATE_H

#include "quant/encode/quantize.h"
#include "quant/measure/plan.h"

/* First order: fills q->importance of every matrix that multiplies, with the mean square of each of its inputs in one
 * forward pass of the source over the plan. A tied embedding gets the head's.
 * MOTE_ERROR_MEMORY, MOTE_ERROR_INTERRUPTED. */
enum mote_status mote_calibrate_importance(struct mote_quantizer *q, const struct mote_model *source,
					   const struct mote_plan *text, uint32_t threads,
					   const struct mote_progress *progress, struct mote_error *error) MOTE_CHECKED;

#endif
