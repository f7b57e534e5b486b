/* Passes of training: forward through a model whose layers' inputs are kept, a loss at the head, and backward, where
 * each layer is computed once more before its gradient, so that what lies inside a layer is held for one layer only.
 *
 *   forward -> loss (with gradient) -> backward          or   forward -> loss (without)
 *
 * f32 throughout; every sum has one order (runtime/kernels/train.h), so losses and gradients are the same bits on every
 * machine and with any number of threads. Passes belong to one thread at a time and bring workers of their own.
 */
#ifndef MOTE_QUANT_PASSES_H
#define MOTE_QUANT_PASSES_H

#include "quant/train/parameters.h"
#include "runtime/kernels/train.h"

/* Sequences of equal length, shorter ones filled up at their end: what lies behind a sequence's last row never reaches
 * the rows before it. */
struct mote_train_batch {
	uint32_t sequences, length;
	const int32_t *ids;         /* [sequences][length], below the vocabulary */
	const struct mote_train_noise *noise; /* [sequences] added to what is embedded; NULL: none */
};

/* Uniform in [-most, most), drawn from the seed for each number of a sequence, first position first. */
struct mote_train_noise {
	uint64_t seed;
	float most;
};

/* What a pass asks of the owner of layered weights; NULL functions where all are at hand.
 *   load   makes the layer's weights current, before each use
 *   done   its gradients are complete and will be overwritten; they were cleared by whoever owns them
 *   stop   asked before each layer: true gives the pass up, and what it would leave is not there */
struct mote_train_hooks {
	void (*load)(void *user, uint32_t layer);
	void (*done)(void *user, uint32_t layer);
	bool (*stop)(void *user);
	void *user;
};

enum mote_loss_kind {
	MOTE_LOSS_KL,               /* sum p (ln p - ln q), p the reference's distribution */
	MOTE_LOSS_NLL,              /* -ln q(target) */
	MOTE_LOSS_DFT               /* -q(target) ln q(target), the factor taken as a constant (dynamic fine-tuning,
				     * Wu et al. 2025) */
};

struct mote_loss {
	enum mote_loss_kind kind;
	const float *weight;        /* [rows] the gradient is that of sum weight * row's loss; rows of 0 are left out */
	const int32_t *target;      /* [rows] NLL, DFT; looked at where the weight is not 0 */
	const float *reference;     /* KL: [rows][hidden] what the reference's forward pass left in `hidden` */
	const float *reference_head; /* KL: [vocab][hidden] */
	bool gradient;              /* into d_hidden and the head's g */
	double *value;              /* [rows] becomes each row's loss, unweighted; 0 where left out */
};

/* Rows whose logits are held at once, at most. */
#define MOTE_LOSS_ROWS 1024u

struct mote_passes {
	const struct mote_config *config;
	struct mote_kernels kernels;
	struct mote_pool *pool;     /* owned */
	uint32_t max_rows, max_length, loss_rows;
	uint32_t rows, length;      /* of the batch under way */
	const int32_t *ids;
	const struct mote_train_noise *noise;

	float *x;                   /* [layers + 1][rows][hidden]: before each layer; without `keep` two of them,
				     * in turn */
	float *hidden, *d_hidden;   /* [rows][hidden] behind the final norm, and its gradient */
	float *d;                   /* [rows][hidden] of the residual stream */

	/* One layer's. */
	float *normed, *mid, *ffn_normed, *d_normed;    /* [rows][hidden] */
	float *q, *k, *v, *mixed;                       /* [rows][heads * head_dim],
							 * k and v [rows][kv_heads * head_dim] */
	float *q_plain, *k_plain;                       /* before norm and RoPE; where heads have norms,
							 * else the same as q, k */
	float *dq, *dk, *dv, *d_mixed;
	float *gate, *up, *product, *d_product;         /* [rows][ffn] */
	float *factor;                                  /* [rows][heads] of norms */
	float *cosine, *sine, *minus_sine;              /* [length][head_dim / 2] */

	float *logits, *reference_logits;               /* [loss_rows][vocab] */
	float *gathered, *d_gathered;                   /* [loss_rows][hidden] */
	float *scratch;                                 /* [threads][scratch_floats] */
	size_t scratch_floats;
	double operations;                              /* multiplications and additions of weights' products so far */
	void *memory;
};

/* For batches of at most so many rows (sequences * length) and such sequences. threads 0: the physical cores. isa as in
 * mote_session_options. MOTE_ERROR_MEMORY and as mote_kernels_select(). Zero-initialize; close with mote_passes_close()
 * also after an error. */
enum mote_status mote_passes_open(struct mote_passes *p, const struct mote_config *config, uint32_t rows,
				  uint32_t length, uint32_t threads, const char *isa,
				  struct mote_error *error) MOTE_CHECKED;
void mote_passes_close(struct mote_passes *p);

/* Leaves the states behind the final norm in p->hidden. ids stay borrowed until the backward pass.
 * keep: one follows. */
void mote_passes_forward(struct mote_passes *p, const struct mote_parameters *w, const struct mote_train_batch *batch,
			 bool keep, const struct mote_train_hooks *hooks);
/* Fills loss->value from p->hidden; with loss->gradient also d_hidden, zero for rows that are left out, and adds to the
 * head's g. */
void mote_passes_loss(struct mote_passes *p, const struct mote_parameters *w, const struct mote_loss *loss);
/* From d_hidden to the gradients of all parameters, to which it adds.
 * Layered gradients: those of a layer are cleared before. */
void mote_passes_backward(struct mote_passes *p, struct mote_parameters *w, const struct mote_train_hooks *hooks);

/* Operations a second (a fused one counts as two) that all threads together reach with operands in their first-level
 * caches, measured for so many seconds: what `operations` compares with. Between passes. */
double mote_passes_peak(struct mote_passes *p, double seconds);

/* ---- between the files of this room ---- */

/* What goes row by row goes in pieces of so many rows: the rows from piece * MOTE_PASSES_ROWS to
 * mote_passes_rows_end(). */
#define MOTE_PASSES_ROWS 16u

static inline uint32_t mote_passes_pieces(const struct mote_passes *p)
{
	return (p->rows + MOTE_PASSES_ROWS - 1) / MOTE_PASSES_ROWS;
}

static inline uint32_t mote_passes_rows_end(const struct mote_passes *p, uint32_t piece)
{
	uint32_t end = (piece + 1) * MOTE_PASSES_ROWS;

	return end < p->rows ? end : p->rows;
}

/* Calls fn for indices 0 .. n - 1 on all threads, each once. */
typedef void mote_passes_fn(struct mote_passes *p, const void *job, uint32_t index, float *scratch);
void mote_passes_each(struct mote_passes *p, uint32_t n, mote_passes_fn *fn, const void *job);

/* On all threads; counts its operations. */
void mote_passes_product(struct mote_passes *p, const struct mote_gemm *g);
/* y = x W' (or y += x W'): rows of x [p->rows][w->cols]. */
void mote_passes_multiply(struct mote_passes *p, const float *x, const struct mote_parameter *w, float *y, bool add);
/* dx = dy W (or +=), and w->g += dy' x. */
void mote_passes_multiply_back(struct mote_passes *p, const float *dy, const float *x, const struct mote_parameter *w,
			       float *dx, bool add);

/* attend.c: mixed from q, k, v; and dq, dk, dv from d_mixed. */
void mote_passes_attend(struct mote_passes *p);
void mote_passes_attend_back(struct mote_passes *p);
/* Floats that attention needs of a thread's scratch beside a product's. */
size_t mote_passes_attend_floats(uint32_t length);

/* layer_forward.c: everything inside of a layer from x; and x_next, unless NULL. */
void mote_passes_layer(struct mote_passes *p, const struct mote_train_layer *l, const float *x, float *x_next);
/* layer_backward.c: behind mote_passes_layer() with the same x, d becomes the gradient of x from that of x_next. */
void mote_passes_layer_back(struct mote_passes *p, const struct mote_train_layer *l, const float *x);
/* y = norm(x) of all rows. */
void mote_passes_norm(struct mote_passes *p, const float *x, const struct mote_parameter *w, float *y);
/* x's gradient d += and w->g +=, from dy. */
void mote_passes_norm_back(struct mote_passes *p, const float *x, const struct mote_parameter *w, const float *dy,
			   float *d);

#endif
