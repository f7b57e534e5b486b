/* One layer forward, row-major and in f32, with everything kept that its gradient needs: see passes.h. */
#include <string.h>

#include "quant/train/passes.h"

struct rows_job {
	const struct mote_train_layer *layer;
	const float *x;
	float *y;
	const float *bias;
	uint32_t cols;
};

static void add_bias(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct rows_job *j = job;

	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++)
		p->kernels.add(j->y + (size_t)r * j->cols, j->bias, j->cols);
}

/* y = W x + bias */
static void project(struct mote_passes *p, const struct mote_parameter *w, const struct mote_parameter *bias, float *y)
{
	mote_passes_multiply(p, p->normed, w, y, false);
	if (bias)
		mote_passes_each(p, mote_passes_pieces(p), add_bias,
				 &(struct rows_job){.y = y, .bias = bias->w, .cols = w->rows});
}

/* A row's heads: normed where the model has norms of heads, then rotated by their position. */
static void turn(const struct mote_passes *p, const float *plain, const struct mote_parameter *norm, uint32_t row,
		 uint32_t heads, float *y)
{
	uint32_t dim = p->config->head_dim, half = dim / 2, position = row % p->length;
	size_t at = (size_t)row * heads * dim;

	for (uint32_t h = 0; h < heads && norm; h++)
		p->kernels.norm(plain + at + h * dim, norm->w, dim, (float)p->config->norm_eps, y + at + h * dim);
	p->kernels.rope((norm ? y : plain) + at, dim, p->cosine + (size_t)position * half,
			p->sine + (size_t)position * half, dim, heads, y + at, dim);
}

static void turn_rows(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct rows_job *j = job;

	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		turn(p, p->q_plain, j->layer->q_norm, r, p->config->heads, p->q);
		turn(p, p->k_plain, j->layer->k_norm, r, p->config->kv_heads, p->k);
	}
}

static void activate(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	size_t ffn = p->config->ffn;

	(void)job;
	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++)
		p->kernels.swiglu(p->gate + r * ffn, p->up + r * ffn, p->config->ffn, p->product + r * ffn);
}

void mote_passes_layer(struct mote_passes *p, const struct mote_train_layer *l, const float *x, float *x_next)
{
	size_t bytes = (size_t)p->rows * p->config->hidden * sizeof *x;

	mote_passes_norm(p, x, l->attention_norm, p->normed);
	project(p, l->q, l->q_bias, p->q_plain);
	project(p, l->k, l->k_bias, p->k_plain);
	project(p, l->v, l->v_bias, p->v);
	mote_passes_each(p, mote_passes_pieces(p), turn_rows, &(struct rows_job){.layer = l});
	mote_passes_attend(p);
	memcpy(p->mid, x, bytes);
	mote_passes_multiply(p, p->mixed, l->o, p->mid, true);

	mote_passes_norm(p, p->mid, l->ffn_norm, p->ffn_normed);
	mote_passes_multiply(p, p->ffn_normed, l->gate, p->gate, false);
	mote_passes_multiply(p, p->ffn_normed, l->up, p->up, false);
	mote_passes_each(p, mote_passes_pieces(p), activate, NULL);
	if (!x_next)
		return;
	memcpy(x_next, p->mid, bytes);
	mote_passes_multiply(p, p->product, l->down, x_next, true);
}
