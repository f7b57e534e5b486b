/* What a session holds: shared by session.c, which makes it and checks batches, and forward.c, which computes.
 * Internal to runtime/model.
 */
#ifndef MOTE_RUNTIME_WORKSPACE_H
#define MOTE_RUNTIME_WORKSPACE_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"
#include "runtime/model/session.h"

/* Up to this many rows every thread prepares a product's input (norm, quantization) for itself, which is faster
 * than sharing the work and meeting at a barrier. */
#define MOTE_FEW_ROWS 4u

/* Rows of attention that are computed together share the loads of keys and values. */
#define MOTE_BLOCK_ROWS 16u

/* Most rows that one piece of a large product covers. */
#define MOTE_TILE_ROWS 128u

/* Consecutive rows of one sequence, at most MOTE_BLOCK_ROWS, all in one segment of positions. */
struct mote_block {
	uint32_t row, rows;
	uint32_t sequence, position;  /* of the first row */
	uint32_t segments;            /* that these rows attend to */
	uint32_t first_part;          /* few rows: the block's first part in mote_session.parts */
};

/* One thread's own memory. */
struct mote_scratch {
	struct mote_activations normed;    /* [MOTE_FEW_ROWS][hidden] */
	struct mote_activations attended;  /* [MOTE_FEW_ROWS][heads * head_dim] */
	float *state, *part;               /* [max(MOTE_BLOCK_ROWS * group, MOTE_FEW_ROWS * heads)][part_floats] */
};

struct mote_session {
	const struct mote_model *model;
	struct mote_kernels kernels;
	struct mote_pool *pool;
	struct mote_session_options options; /* zeros replaced by what they stand for */
	struct mote_tap tap;

	/* KV cache: [sequences][chunks][layers][kv_heads] heads of chunk_positions positions. A chunk is a segment of
	 * attention; memory is touched, and so taken, chunk by chunk as a text grows. */
	void *cache;
	size_t cache_bytes, head_bytes;
	struct mote_kv first_kv;           /* of the first head of the first chunk */
	uint32_t chunk_positions, chunks;
	uint32_t *filled;                  /* [sequences] positions that the cache holds */

	/* Workspace. Shapes are capacities; rows = options.batch_rows. */
	void *memory;
	size_t memory_bytes;
	uint32_t group;                    /* query heads a KV head */
	uint32_t span;                     /* heads a piece of q, k or v: the least that fills whole panels */
	float score_scale;                 /* 1 / sqrt(head_dim) */
	size_t hidden_stride, q_stride, kv_stride, part_floats;
	double *frequency;                 /* [head_dim / 2] */
	float *cosine, *sine;              /* [rows][head_dim / 2] */
	float *x;                          /* [rows][hidden_stride] the residual stream */
	struct mote_activations normed;    /* [rows][hidden] */
	float *q, *k, *v;                  /* [rows][q_stride], [rows][kv_stride] twice, before RoPE */
	struct mote_activations query;     /* [kv_heads * rows * group][head_dim] after RoPE */
	struct mote_activations attended;  /* [rows][heads * head_dim] */
	struct mote_activations ffn;       /* [rows][ffn] */
	float *parts;                      /* [MOTE_FEW_ROWS * heads * chunks][part_floats] */
	float *logits;                     /* [logit_rows][vocab] */
	struct mote_scratch *scratch;      /* [threads] */

	/* The batch under way. */
	const struct mote_batch *batch;
	struct mote_block *block;          /* [rows] */
	uint32_t blocks;
	uint32_t *wanted;                  /* [logit_rows] rows whose logits are wanted */
	uint32_t n_wanted;
};

/* The cache of one head of one chunk. */
struct mote_kv mote_session_kv(const struct mote_session *s, uint32_t sequence, uint32_t chunk, uint32_t layer,
			       uint32_t kv_head);

/* Computes s->batch, which has been checked and cut into blocks. */
void mote_forward(struct mote_session *s);

#endif
