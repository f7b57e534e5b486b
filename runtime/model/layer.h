/* One layer's weights, each a named field with its shape: what the forward pass reads. Which tensor fills which field
 * is said in architecture.c.
 */
#ifndef MOTE_RUNTIME_LAYER_H
#define MOTE_RUNTIME_LAYER_H

#include "format/block.h"

struct mote_layer {
	const float *attention_norm, *ffn_norm;  /* [hidden] */
	struct mote_matrix q;                    /* [heads*head_dim, hidden] */
	struct mote_matrix k, v;                 /* [kv_heads*head_dim, hidden] */
	struct mote_matrix o;                    /* [hidden, heads*head_dim] */
	struct mote_matrix gate, up;             /* [ffn, hidden] */
	struct mote_matrix down;                 /* [hidden, ffn] */
};

#endif
