/* Scoring: what one row of logits says about the token that followed, alone or against a reference row. */
#ifndef MOTE_QUANT_SCORE_H
#define MOTE_QUANT_SCORE_H

#include "quant/measure/figures.h"

/* Fills *out from
 *   model      [vocab] logits     reference  [vocab] logits, or NULL     target  below vocab
 * False when a logit is NaN or infinite. In double; every sum in eight lanes and then a fixed tree, so
 * the same logits give the same bits on any machine. */
bool mote_score_row(const float *model, const float *reference, uint32_t vocab, int32_t target,
		    struct mote_score *out);

#endif
