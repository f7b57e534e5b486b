/* What training adds to the kernels: float products of any orientation, and the gradients of what the forward pass does
 * to vectors. Sums have one order, as everywhere (kernels.h): so a training is the same bits on every machine and with
 * any number of threads.
 *
 * No function here can fail or allocates; all are thread-safe on disjoint outputs.
 */
#ifndef MOTE_RUNTIME_TRAIN_H
#define MOTE_RUNTIME_TRAIN_H

#include "runtime/kernels/kernels.h"
#include "runtime/kernels/pool.h"

/* ---- gemm.c ---- */

/* C = A B, or C += A B: c[i][j] = fma(a[i][d], b[d][j], c[i][j]), d ascending, from +0 or from what C holds. How the
 * work is cut, and whether the sum was begun by an earlier product, makes no difference.
 *   a  element (i, d) is a[i * a_row + d * a_col]      b  element (d, j) is b[d * b_row + j * b_col]
 *   c  [m][c_row], n of each row are written; must not overlap a or b
 * A matrix and its transpose differ in which stride is 1: a forward product Y = X W', its dX = dY W and dW = dY' X are
 * all of this form over the same row-major matrices. */
struct mote_gemm {
	const float *a, *b;
	float *c;
	size_t a_row, a_col, b_row, b_col, c_row;
	uint32_t m, n, depth;
	bool add;
};

/* Floats (64-byte aligned) of working memory that a thread needs. */
#define MOTE_GEMM_SCRATCH_FLOATS (256u * 128u + MOTE_GEMM_ROWS * MOTE_GEMM_COLS)

/* The whole product on the calling thread. */
void mote_gemm_run(const struct mote_kernels *k, const struct mote_gemm *g, float *scratch);
/* The whole product on all of the pool's threads: not to be called inside a run.
 *   scratch  thread t's is scratch + t * scratch_stride */
void mote_gemm_share(const struct mote_kernels *k, struct mote_pool *pool, const struct mote_gemm *g, float *scratch,
		     size_t scratch_stride);

/* ---- gradients.c: the same code for every table, in 16 lanes; * and + round one by one ---- */

/* Sum of x[i] * y[i]: lane sums. */
float mote_vector_dot(const float *x, const float *y, uint32_t n);
/* Of y = norm(x) (kernels.h): dx[i] += r * (u[i] - (x[i] * r) * mean), u = dy * weight, mean = r * sum(u * x) / n. The
 * factor r goes to *r: the weight's gradient is the sum of dy[i] * (x[i] * r) over rows, which mote_norm_weight_back()
 * adds row by row. dx must not be x or dy. */
void mote_norm_back(const float *x, const float *weight, const float *dy, uint32_t n, float eps, float *dx, float *r);
void mote_norm_weight_back(const float *x, const float *dy, float r, uint32_t n, float *dweight);
/* Of h = silu(gate) * up: sigma = sigmoid(gate), silu = gate * sigma;
 *   gate becomes (dh * up) * (sigma + silu * (1 - sigma)), up becomes dh * silu; sigma [n] is given. */
void mote_swiglu_back(const float *sigma, const float *dh, uint32_t n, float *gate, float *up);
/* Of p = softmax(scale * s): dp[i] becomes p[i] * (dp[i] - dot) * scale, dot = sum p * dp. */
void mote_softmax_back(const float *p, float dot, float scale, uint32_t n, float *dp);

#endif
