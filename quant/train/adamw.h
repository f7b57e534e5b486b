/* AdamW (Loshchilov and Hutter 2019), schedules of its step, and clipping. Single precision, * and + rounded one by
 * one, so that the same gradients give the same weights on any machine.
 */
#ifndef MOTE_QUANT_ADAMW_H
#define MOTE_QUANT_ADAMW_H

#include <stddef.h>
#include <stdint.h>

struct mote_adamw {
	double beta1, beta2, epsilon, weight_decay;
};

/* The numbers of one step, which all weights share. */
struct mote_adamw_step {
	float rate, decay;          /* lr / (1 - beta1^t); 1 - lr * weight_decay */
	float beta1, beta2, rest1, rest2; /* rest = 1 - beta */
	float root;                 /* sqrt(1 - beta2^t) */
	float epsilon;
	float scale;                /* multiplies gradients first */
};

/* step: from 1 on. scale: of gradients, as clipping wants it; else 1. */
struct mote_adamw_step mote_adamw_begin(const struct mote_adamw *a, double lr, uint64_t step, double scale);

/* w *= decay; m = beta1 m + rest1 g; v = beta2 v + rest2 g^2; w -= rate * m / (sqrt(v) / root + epsilon). */
void mote_adamw_update(const struct mote_adamw_step *s, float *w, float *m, float *v, const float *g, size_t n);
/* What a learning rate is multiplied by at a step from 0 on: from 0 to 1 in `warm_up` steps, then along half a cosine
 * from 1 to `floor` at `steps`. */
double mote_schedule_cosine(uint64_t step, uint64_t steps, uint64_t warm_up, double floor);

/* Adds the squares of g to *sum, in eight lanes of double and one tree. */
void mote_clip_add(const float *g, size_t n, double *sum);
/* What gradients of this squared norm are multiplied by so that their norm is at most `most`: most / (norm + 1e-6) as
 * PyTorch has it, at most 1. */
double mote_clip_scale(double squared_norm, double most);

#endif
