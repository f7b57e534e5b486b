/* One layer backward, from what layer_forward.c has left: see passes.h. Each step undoes one of the forward pass, the
 * last first; d is the gradient of the residual stream throughout.
 */
#include <string.h>

#include "quant/train/passes.h"

enum { COLS_A_PIECE = 64 };

struct back_job {
	const struct mote_parameter *norm;
	const float *plain;
	float *d;                   /* [rows][heads * head_dim] */
	uint32_t heads;
	float *sum;                 /* [cols] of a bias */
	uint32_t cols;
};

/* gate and up become their gradients. */
static void activate_back(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	uint32_t n = p->config->ffn;

	(void)job;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		size_t at = (size_t)r * n;

		p->kernels.sigmoid(p->gate + at, n, scratch);
		mote_swiglu_back(scratch, p->d_product + at, n, p->gate + at, p->up + at);
	}
}

/* d of one head, from that of the normed to that of the plain one; the weight's gradient is added to dweight. */
static void head_norm_back(const struct mote_passes *p, const float *plain, const struct mote_parameter *norm, float *d,
			   float *dweight, float *scratch)
{
	uint32_t dim = p->config->head_dim;
	float r;

	memset(scratch, 0, dim * sizeof *scratch);
	mote_norm_back(plain, norm->w, d, dim, (float)p->config->norm_eps, scratch, &r);
	mote_norm_weight_back(plain, d, r, dim, dweight);
	memcpy(d, scratch, dim * sizeof *d);
}

/* Back through RoPE, which is a rotation by the negative angle, and through the norms of heads. Each piece sums up the
 * gradient of the norm's weight for itself, where d_mixed was. */
static void turn_back(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct back_job *j = job;
	uint32_t dim = p->config->head_dim, half = dim / 2;
	float *sum = p->d_mixed + (size_t)piece * dim;

	if (j->norm)
		memset(sum, 0, dim * sizeof *sum);
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		size_t at = (size_t)r * j->heads * dim, angle = (size_t)(r % p->length) * half;

		p->kernels.rope(j->d + at, dim, p->cosine + angle, p->minus_sine + angle, dim, j->heads,
				j->d + at, dim);
		for (uint32_t h = 0; h < j->heads && j->norm; h++, at += dim)
			head_norm_back(p, j->plain + at, j->norm, j->d + at, sum, scratch);
	}
}

static void heads_back(struct mote_passes *p, const struct mote_parameter *norm, const float *plain, float *d,
		       uint32_t heads)
{
	uint32_t dim = p->config->head_dim;

	mote_passes_each(p, mote_passes_pieces(p), turn_back,
			 &(struct back_job){.norm = norm, .plain = plain, .d = d, .heads = heads});
	for (uint32_t i = 0; norm && norm->g && i < mote_passes_pieces(p); i++)
		p->kernels.add(norm->g, p->d_mixed + (size_t)i * dim, dim);
}

static void sum_rows(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct back_job *j = job;
	uint32_t begin = piece * COLS_A_PIECE, n = j->cols - begin < COLS_A_PIECE ? j->cols - begin : COLS_A_PIECE;

	(void)scratch;
	for (uint32_t r = 0; r < p->rows; r++)
		p->kernels.add(j->sum + begin, j->d + (size_t)r * j->cols + begin, n);
}

static void bias_back(struct mote_passes *p, const struct mote_parameter *bias, float *d)
{
	if (bias && bias->g)
		mote_passes_each(p, (bias->rows + COLS_A_PIECE - 1) / COLS_A_PIECE, sum_rows,
				 &(struct back_job){.d = d, .sum = bias->g, .cols = bias->rows});
}

void mote_passes_layer_back(struct mote_passes *p, const struct mote_train_layer *l, const float *x)
{
	mote_passes_multiply_back(p, p->d, p->product, l->down, p->d_product, false);
	mote_passes_each(p, mote_passes_pieces(p), activate_back, NULL);
	mote_passes_multiply_back(p, p->gate, p->ffn_normed, l->gate, p->d_normed, false);
	mote_passes_multiply_back(p, p->up, p->ffn_normed, l->up, p->d_normed, true);
	mote_passes_norm_back(p, p->mid, l->ffn_norm, p->d_normed, p->d);

	mote_passes_multiply_back(p, p->d, p->mixed, l->o, p->d_mixed, false);
	mote_passes_attend_back(p);
	heads_back(p, l->q_norm, p->q_plain, p->dq, p->config->heads);
	heads_back(p, l->k_norm, p->k_plain, p->dk, p->config->kv_heads);
	bias_back(p, l->q_bias, p->dq);
	bias_back(p, l->k_bias, p->dk);
	bias_back(p, l->v_bias, p->dv);
	mote_passes_multiply_back(p, p->dq, p->normed, l->q, p->d_normed, false);
	mote_passes_multiply_back(p, p->dk, p->normed, l->k, p->d_normed, true);
	mote_passes_multiply_back(p, p->dv, p->normed, l->v, p->d_normed, true);
	mote_passes_norm_back(p, x, l->attention_norm, p->d_normed, p->d);
}
