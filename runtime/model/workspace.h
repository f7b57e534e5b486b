/* What a session holds: shared by session.c, which opens it, batch.c, which checks batches, and forward.c and
 * share_out.c, which compute. Internal to runtime/model.
 */
#ifndef MOTE_RUNTIME_WORKSPACE_H
#define MOTE_RUNTIME_WORKSPACE_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"
#include "runtime/model/finite_check.h"
#include "runtime/model/kv_cache.h"
#include "runtime/model/session.h"

/* Up to this many rows every thread prepares a product's input (norm, quantization) for itself, which is faster
 * than sharing the work and meeting at a barrier, and knows most of its share beforehand (share_out.h). */
#define MOTE_FEW_ROWS 32u
/* The parts of attention to few rows that there is room for: those of this many rows at the end of the context, or of
 * MOTE_FEW_ROWS in a first segment. Where there would be more, attention is shared out as for many rows. */
#define MOTE_DEEP_ROWS 8u

/* Rows of attention that are computed together share the loads of keys and values. */
#define MOTE_BLOCK_ROWS 16u

/* Most rows that one piece of a large product covers. */
#define MOTE_TILE_ROWS 128u
/* Rows from which a thread has some of its own (share_out.h). */
#define MOTE_GROUP_ROWS 32u

/* Consecutive rows of one sequence, at most MOTE_BLOCK_ROWS, all in one segment of positions. */
struct mote_block {
	uint32_t row, rows;
	uint32_t sequence, position;  /* of the first row */
	uint32_t segments;            /* that these rows attend to */
	size_t first_part;            /* few rows: the block's first part in mote_session.parts */
};

/* The positions [begin, end) of a sequence that a batch computes; end 0: none. */
struct mote_reach {
	uint32_t begin, end;
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
	struct mote_activation_hook hook;
	struct mote_kv_cache cache;

	/* Workspace. Shapes are capacities; rows = options.batch_rows. */
	void *memory;
	size_t memory_bytes;
	uint32_t group;                    /* query heads a KV head */
	uint32_t span;                     /* heads a piece of q, k or v: the least that fills whole panels */
	float score_scale;                 /* of q k: 1 / sqrt(head_dim), or what the model has instead */
	size_t hidden_stride, q_stride, kv_stride, part_floats;
	uint32_t half;                     /* of the rotated dimensions of a head */
	enum mote_rotation rotations;      /* how many this model's layers take: the first ones of the enum */
	double *frequency;                 /* [rotations][half] */
	float *cosine, *sine;              /* [rotations][rows][half] */
	float *x;                          /* [rows][hidden_stride] the residual stream */
	float *branch;                     /* [rows][hidden_stride] what a norm reads before it is added to x;
					    * or NULL */
	struct mote_activations normed;    /* [rows][hidden] */
	float *q, *k, *v;                  /* [rows][q_stride], [rows][kv_stride] twice, before RoPE */
	struct mote_activations query;     /* [kv_heads * rows * group][head_dim] after RoPE */
	struct mote_activations attended;  /* [rows][heads * head_dim] */
	struct mote_activations ffn;       /* [rows][ffn] */
	float *parts;                      /* [max_parts][part_floats] */
	size_t max_parts;                  /* max(MOTE_DEEP_ROWS * chunks, MOTE_FEW_ROWS) * heads */
	float *logits;                     /* [logit_rows][vocab] */
	struct mote_scratch *scratch;      /* [threads] */

	/* The batch under way. */
	const struct mote_batch *batch;
	uint32_t first_layer, end_layer;   /* layers [first, end) are run */
	bool to_the_end;                   /* of the model: hidden states and logits can be had */
	struct mote_block *block;          /* [rows] */
	uint32_t blocks;
	size_t n_parts;                    /* of all blocks */
	uint32_t *wanted;                  /* [logit_rows] rows whose logits are wanted */
	uint32_t n_wanted;
	struct mote_reach *reach;          /* [sequences] */
	uint32_t *present;                 /* [rows] sequences that have rows in the batch, each once */
	uint32_t n_present;
	bool stopped;                      /* proceed() said no; written before a barrier, read after it */
	struct mote_finite_check check;    /* options.check */
};

/* workspace.c: sizes, memory and its pieces, once options and cache are there. MOTE_ERROR_MEMORY. */
enum mote_status mote_workspace_open(struct mote_session *s, struct mote_error *error);
void mote_workspace_close(struct mote_session *s);

/* Where the cosines and sines of a row begin. */
static inline size_t mote_session_rotation(const struct mote_session *s, enum mote_rotation rotation, uint32_t row)
{
	return ((size_t)rotation * s->options.batch_rows + row) * s->half;
}

/* batch.c: fills in what a session knows of the batch under way, down to its blocks.
 * MOTE_ERROR_ARGUMENT: anything out of range. */
enum mote_status mote_batch_begin(struct mote_session *s, const struct mote_batch *batch, struct mote_error *error);
uint32_t mote_batch_sequence(const struct mote_batch *batch, uint32_t row);

/* forward.c: computes s->batch. */
void mote_forward(struct mote_session *s);

#endif
