/* What second-order encoding (gptq.h) needs to know about the inputs of a matrix: H, their second moments, and its
 * factors.
 */
#ifndef MOTE_QUANT_SECOND_ORDER_H
#define MOTE_QUANT_SECOND_ORDER_H

#include "format/block.h"

/* Added to H's diagonal, as shares of its mean. The target's is the larger: what a matrix makes good for those before
 * it must hold for inputs too that the calibration text does not have. */
#define MOTE_GPTQ_DAMPING 0.05
#define MOTE_GPTQ_TARGET_DAMPING 0.3

/* What the encoder needs to know about one input: n = columns rounded up to 32.
 * Zero-initialize; free with mote_second_order_free(). */
struct mote_second_order {
	uint32_t n;
	float *h;      /* [n][n] H with damping; padding columns have a unit of their own */
	float *u;      /* [n][n] U, rows beyond the diagonal */
	double *d;     /* [n] D, positive */
	float *target_u;  /* the same of H with the target's damping */
	double *target_d;
	float *cross;  /* [n][n] C transposed: row j holds C's column j; or NULL: t = w */
};

/* Takes n x n sums over `tokens` inputs, [cols][cols] row-major, lower triangle of h_sum at least; cross_sum, or NULL,
 * is sum (x - x^) x^^T. MOTE_ERROR_MEMORY. */
enum mote_status mote_second_order_init(struct mote_second_order *s, uint32_t cols, const double *h_sum,
					const double *cross_sum, uint64_t tokens, double damping,
					double target_damping, struct mote_error *error) MOTE_CHECKED;
void mote_second_order_free(struct mote_second_order *s);

#endif
