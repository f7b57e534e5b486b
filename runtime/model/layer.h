/* One layer's weights, each a named field with its shape: what the forward pass reads. Which tensor fills which field
 * is said in architecture.c. A vector that a model lacks is NULL.
 */
#ifndef MOTE_RUNTIME_LAYER_H
#define MOTE_RUNTIME_LAYER_H

#include "format/block.h"

/* Which positions' rotation a layer takes. */
enum mote_rotation { MOTE_ROTATION, MOTE_ROTATION_LOCAL, MOTE_ROTATION_NONE, MOTE_ROTATIONS };

struct mote_layer {
	const float *attention_norm, *ffn_norm;  /* [hidden], of what each half reads; NULL: it reads x as it is */
	const float *attention_norm_bias, *ffn_norm_bias;           /* [hidden]: then it is a LayerNorm */
	const float *attention_post_norm, *ffn_post_norm;           /* [hidden], of what each half adds */
	const float *q_norm, *k_norm;            /* [head_dim], or [heads*head_dim] and [kv_heads*head_dim] */
	const float *q_bias, *k_bias, *v_bias, *o_bias, *gate_bias, *up_bias, *down_bias; /* [rows of the matrix] */
	struct mote_matrix q;                    /* [heads*head_dim, hidden] */
	struct mote_matrix k, v;                 /* [kv_heads*head_dim, hidden] */
	struct mote_matrix o;                    /* [hidden, heads*head_dim] */
	struct mote_matrix gate, up;             /* [ffn, hidden] */
	struct mote_matrix down;                 /* [hidden, ffn] */
	uint32_t window;                         /* positions that a row attends to, its own included; 0: all */
	enum mote_rotation rotation;
};

#endif
