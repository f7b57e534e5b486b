/* Second-order calibration: every matrix encoded to fit what the model, encoded so far, makes of a text.
 *
 * The text comes cut into chunks as a plan; the sums are taken in a fixed order whatever the number of threads, so a
 * calibrated file is as reproducible as any other.
 */
#ifndef MOTE_QUANT_CALIBRATE_LAYERS_H
#define MOTE_QUANT_CALIBRATE_LAYERS_H

#include "quant/encode/quantize.h"
#include "quant/measure/plan.h"

/* Second order: encodes every matrix that multiplies by mote_gptq_encode(), into q->encoded. Layer after layer, and
 * within a layer q k v, then o, then gate up, then down, then the head: each sees what the ones before it, encoded,
 * have made of the text, and is fitted to what the source would have put out. A tied head is fitted without
 * that correction, for it is the embedding too.
 * Matrices that the recipe leaves in a float type are packed and take part as such.
 * Memory: about tokens * 4 * (5 * hidden + ffn + heads * head_dim) bytes and 40 * ffn^2.
 * MOTE_ERROR_MEMORY, MOTE_ERROR_INTERRUPTED, and as mote_encode_matrix(). */
enum mote_status mote_calibrate_layers(struct mote_quantizer *q, const struct mote_model *source,
				       const struct mote_plan *text, uint32_t threads,
				       const struct mote_progress *progress, struct mote_error *error) MOTE_CHECKED;

#endif
