/* What a forward pass costs at least, so that a measured speed can be held against the machine's limits.
 * A multiply and an add count two operations.
 */
#ifndef MOTE_RUNTIME_COST_H
#define MOTE_RUNTIME_COST_H

#include "runtime/model/session.h"

struct mote_cost {
	double bytes;      /* read from memory: each matrix once, and the KV cache */
	double int8_ops;   /* products with quantized matrices */
	double float_ops;  /* products with float matrices, and attention */
};

/* Of one token at this depth (the positions before it), logits included. */
struct mote_cost mote_cost_decode(const struct mote_model *m, enum mote_kv_type k, enum mote_kv_type v, double depth);

/* Of so many tokens in one pass from this depth on, with the logits of the last. */
struct mote_cost mote_cost_prefill(const struct mote_model *m, enum mote_kv_type k, enum mote_kv_type v, double depth,
				   double tokens);

#endif
