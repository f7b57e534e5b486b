/* A quantized model that learns: each weight of a quantized matrix is a place on its block's grid that moves in steps
 * far smaller than the grid's, and what the passes see is the grid's nearest value times the block's scale
 * (straight-through: the gradient with respect to the rounded place is taken for that of the place itself; Bengio et
 * al. 2013). Scales move by a factor, vectors (gains of norms, biases) by themselves.
 *
 * A tied embedding is one matrix. Matrices of a float type stay as they are.
 */
#ifndef MOTE_QUANT_STUDENT_H
#define MOTE_QUANT_STUDENT_H

#include "quant/encode/quantize.h"
#include "quant/train/adamw.h"
#include "quant/train/passes.h"

/* Steps of AdamW at the schedule's top. */
struct mote_student_rates {
	double code;                /* in steps of the grid: (high - low) / (levels - 1) */
	double scale;               /* of a factor that begins at 1 */
	double vector;
};

struct mote_student {
	struct mote_quantizer *q;   /* borrowed: what is encoded in it is where learning begins,
				     * and receives what was learnt */
	struct mote_passes *passes; /* borrowed: its threads are used */
	struct mote_parameters w;   /* owned; layered */
	struct mote_student_tensor *tensor; /* [w.n] owned */
	float *memory;              /* all that is learnt, with its moments: the whole state */
	size_t memory_floats;
	struct mote_adamw_step code, scale, vector; /* of the step under way; code.rate in steps of the grid */
	bool frozen;
};

/* Every matrix must be encoded in q (mote_quantizer_encode()) or kept, which then stays as it is. MOTE_ERROR_MEMORY.
 * Zero-initialize; free with mote_student_free(). */
enum mote_status mote_student_init(struct mote_student *s, struct mote_quantizer *q, struct mote_passes *passes,
				   const struct mote_config *config, struct mote_error *error) MOTE_CHECKED;
void mote_student_free(struct mote_student *s);

/* Step `step` (from 1) begins: `factor` is the schedule's. The model's own weights are made current. */
void mote_student_begin(struct mote_student *s, const struct mote_student_rates *rates, uint64_t step, double factor);
/* Hooks for the passes: they make a layer's weights, and move them once its gradient is there. */
struct mote_train_hooks mote_student_hooks(struct mote_student *s);
/* Behind the backward pass: moves the model's own weights. */
void mote_student_end(struct mote_student *s);

/* Frozen, everything is computed and nothing moves, for timing; thawed,
 * the student is as it was before its first step. */
void mote_student_freeze(struct mote_student *s, bool frozen);

/* Scales become what their type stores: what the passes see from here on is what put() writes. */
void mote_student_settle(struct mote_student *s);
/* Packs everything into q->encoded, vectors too. MOTE_ERROR_MEMORY: q may then be changed in part. */
enum mote_status mote_student_put(struct mote_student *s, struct mote_error *error) MOTE_CHECKED;

#endif
