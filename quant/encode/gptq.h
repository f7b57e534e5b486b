/* Second-order encoding: the quants of a row are chosen together, so that what one weight's rounding does to the
 * output is undone by the others.
 *
 * For inputs x the output of row w is w.x, and encoding it as q changes the mean squared output by
 * (w - q) H (w - q)^T, H = E[x x^T]. Three steps lower it:
 *
 *  1. The target. The inputs that the quantized model really sees, x^, differ from the float model's x: layers
 *     before are quantized, activations are rounded. Not w but t = argmin E[(w.x + r - t.x^)^2] is to be encoded,
 *     t = w + (w C + R) H^-1 with C = E[(x - x^) x^^T], where r is what the residual stream has lost so far
 *     (R = E[r x^^T], only for matrices that add to it). GPTAQ (Li et al. 2025) has the first half of this.
 *  2. Error feedback (GPTQ, Frantar et al. 2022; the form here is Babai's nearest plane, to which GPTQ is
 *     equivalent, Chen et al. 2025). With H = U^T D U, U unit upper triangular, the error is
 *     sum D_j (t_j - q_j + sum over k > j of U_jk (t_k - q_k))^2: from the last column to the first, each
 *     column takes the quant nearest to t_j plus what the later ones left. A block's scale is searched when its
 *     columns' compensated targets are known, weighted by D. No inverse of H is needed.
 *  3. Descent. Cyclic passes over blocks: the scale's closed-form optimum, then each quant's, given everything
 *     else. The error never rises; it ends in a point where no single change helps (CDQuant, Nair and
 *     Suggala 2024, without the scales).
 *
 * Rows are independent of each other; arithmetic is IEEE single and double in a fixed order.
 */
#ifndef MOTE_QUANT_GPTQ_H
#define MOTE_QUANT_GPTQ_H

#include "quant/encode/encode.h"
#include "quant/encode/row_lanes.h"
#include "quant/encode/second_order.h"

#define MOTE_GPTQ_SWEEPS 8u        /* most passes of step 3 */

/* Floats of scratch for one call of mote_gptq_encode(). */
size_t mote_gptq_scratch_bytes(uint32_t n);

/* Encodes up to 16 rows.
 *   rows     [n_rows][n] f32, zero beyond the columns
 *   lost     [n_rows][n] the rows of R, or NULL
 *   quants   [n_rows][n]   scales [n_rows][n/32]
 *   scratch  64-byte aligned
 * Returns the sum over rows of (t - q) H (t - q)^T. Cannot fail. */
double mote_gptq_encode(const struct mote_second_order *s, const struct mote_grid *g, const float *rows,
			const float *lost, uint32_t n_rows, uint8_t *quants, uint16_t *scales, void *scratch);

#endif
