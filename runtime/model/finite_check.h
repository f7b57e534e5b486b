/* Where a pass stops being finite: the first value that is not, or that is too large for the norm which reads it, and
 * the weight that it came from. Large weights make such values, as damaged or hostile files have them. An activation
 * hook looks on, which costs about as much as a few rows of a product, so it is for who asks.
 */
#ifndef MOTE_RUNTIME_FINITE_CHECK_H
#define MOTE_RUNTIME_FINITE_CHECK_H

#include "runtime/model/session.h"

/* What a pass computes, in forward order: a norm's output, and a product's with what lies behind it up to the next norm
 * or product (biases, attention, activation functions, norms of what is added). */
enum mote_pass_part {
	MOTE_PART_ATTENTION_NORM, /* layer 0: the embedding too */
	MOTE_PART_QKV, MOTE_PART_OUT, MOTE_PART_FFN_NORM, MOTE_PART_FFN, MOTE_PART_DOWN, MOTE_PART_FINAL_NORM,
	MOTE_PART_HEAD
};

struct mote_finite_check {
	bool found;               /* the rest is about the first */
	enum mote_pass_part part;
	uint32_t layer;           /* MOTE_NO_LAYER: behind the last */
	uint32_t position;
	float value;
};

/* Hangs itself into the session as its activation hook. */
void mote_finite_check_open(struct mote_session *s);

/* After a pass: looks at its logits, and forgets. MOTE_ERROR_CORRUPT names layer, tensor, position and value: of the
 * weights that the value can have come from, the one that has the largest or is not finite itself.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_finite_check_pass(struct mote_session *s, struct mote_error *error);

#endif
