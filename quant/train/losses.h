/* Losses of one row of logits, and their gradients. In double where values are summed, in eight lanes and one tree, so
 * that the same logits give the same bits on any machine.
 */
#ifndef MOTE_QUANT_LOSSES_H
#define MOTE_QUANT_LOSSES_H

#include "quant/train/passes.h"

/* D(p || q) of p = softmax(reference), q = softmax(logits). logits become the gradient, (q - p) * weight; reference
 * becomes p's exponentials.
 *   difference  [vocab] working memory */
double mote_loss_kl_row(const struct mote_kernels *k, float *logits, float *reference, float *difference,
			uint32_t vocab, float weight);

/* -ln q(target), or with MOTE_LOSS_DFT -q(target) ln q(target). logits become the gradient: (q - [target]) * weight,
 * with MOTE_LOSS_DFT times q(target). */
double mote_loss_target_row(const struct mote_kernels *k, enum mote_loss_kind kind, float *logits, uint32_t vocab,
			    int32_t target, float weight);

#endif
