/* Attention and its gradient: see passes.h. A head's rows go in blocks of 64, each with all positions that its last row
 * sees; what lies above the diagonal has the weight of zero. A sequence's KV head is one thread's, with all heads that
 * share it one after the other, so that the sums of dk and dv have one order.
 */
#include <string.h>

#include "quant/train/passes.h"
#include "runtime/kernels/exact.h"

enum { BLOCK = 64 };

size_t mote_passes_attend_floats(uint32_t length)
{
	return 2 * (size_t)BLOCK * length;
}

/* One head of one sequence, and a block of its rows. */
struct head {
	size_t q, k;               /* where the head's first row begins in q and in k and v */
	uint32_t q_row, kv_row;    /* floats from row to row */
	uint32_t begin, end;       /* of the block, within the sequence */
	float *p, *dp;             /* [BLOCK][end], of scratch */
	float *product;            /* scratch of a product */
};

static struct head find(const struct mote_passes *p, uint32_t sequence, uint32_t index, float *scratch)
{
	const struct mote_config *c = p->config;
	struct head h = {.q_row = c->heads * c->head_dim, .kv_row = c->kv_heads * c->head_dim, .product = scratch};

	h.q = (size_t)sequence * p->length * h.q_row + (size_t)index * c->head_dim;
	h.k = (size_t)sequence * p->length * h.kv_row + (size_t)(index / (c->heads / c->kv_heads)) * c->head_dim;
	h.p = scratch + MOTE_GEMM_SCRATCH_FLOATS;
	h.dp = h.p + (size_t)BLOCK * p->length;
	return h;
}

static void set_block(struct head *h, uint32_t begin, uint32_t length)
{
	h->begin = begin;
	h->end = begin + BLOCK < length ? begin + BLOCK : length;
}

/* p = softmax(q k' / sqrt(dim)) of the block. */
static void weigh(const struct mote_passes *p, const struct head *h)
{
	uint32_t dim = p->config->head_dim;
	const float scale = 1.0f / mote_exact_sqrtf((float)dim);

	mote_gemm_run(&p->kernels, &(struct mote_gemm){.a = p->q + h->q + (size_t)h->begin * h->q_row,
						       .a_row = h->q_row, .a_col = 1, .b = p->k + h->k, .b_row = 1,
						       .b_col = h->kv_row, .c = h->p, .c_row = h->end,
						       .m = h->end - h->begin, .n = h->end, .depth = dim}, h->product);
	for (uint32_t i = h->begin; i < h->end; i++) {
		float *row = h->p + (size_t)(i - h->begin) * h->end, most;
		float sum = p->kernels.softmax(row, i + 1, scale, &most);

		mote_vector_scale(row, i + 1, 1 / sum);
		memset(row + i + 1, 0, (h->end - i - 1) * sizeof *row);
	}
}

static void attend_head(struct mote_passes *p, const void *job, uint32_t index, float *scratch)
{
	struct head h = find(p, index / p->config->heads, index % p->config->heads, scratch);

	(void)job;
	for (uint32_t begin = 0; begin < p->length; begin += BLOCK) {
		set_block(&h, begin, p->length);
		weigh(p, &h);
		mote_gemm_run(&p->kernels, &(struct mote_gemm){.a = h.p, .a_row = h.end, .a_col = 1, .b = p->v + h.k,
							       .b_row = h.kv_row, .b_col = 1,
							       .c = p->mixed + h.q + (size_t)begin * h.q_row,
							       .c_row = h.q_row, .m = h.end - begin,
							       .n = p->config->head_dim, .depth = h.end}, h.product);
	}
}

void mote_passes_attend(struct mote_passes *p)
{
	mote_passes_each(p, p->rows / p->length * p->config->heads, attend_head, NULL);
}

/* dk += dp' q and dv += p' d_mixed of the block; dq = dp k. */
static void add_block(struct mote_passes *p, const struct head *h)
{
	uint32_t m = h->end - h->begin, dim = p->config->head_dim;
	size_t rows = h->q + (size_t)h->begin * h->q_row;
	struct mote_gemm g = {.a_row = h->end, .a_col = 1, .b_col = 1, .n = dim};

	g.a = h->dp;
	g.b = p->k + h->k;
	g.b_row = h->kv_row;
	g.c = p->dq + rows;
	g.c_row = h->q_row;
	g.m = m;
	g.depth = h->end;
	mote_gemm_run(&p->kernels, &g, h->product);
	g = (struct mote_gemm){.a = h->dp, .a_row = 1, .a_col = h->end, .b = p->q + rows, .b_row = h->q_row, .b_col = 1,
			       .c = p->dk + h->k, .c_row = h->kv_row, .m = h->end, .n = dim, .depth = m, .add = true};
	mote_gemm_run(&p->kernels, &g, h->product);
	g.a = h->p;
	g.b = p->d_mixed + rows;
	g.c = p->dv + h->k;
	mote_gemm_run(&p->kernels, &g, h->product);
}

static void attend_head_back(struct mote_passes *p, struct head *h)
{
	uint32_t dim = p->config->head_dim;
	const float scale = 1.0f / mote_exact_sqrtf((float)dim);

	for (uint32_t begin = 0; begin < p->length; begin += BLOCK) {
		set_block(h, begin, p->length);
		weigh(p, h);
		mote_gemm_run(&p->kernels, &(struct mote_gemm){.a = p->d_mixed + h->q + (size_t)begin * h->q_row,
							       .a_row = h->q_row, .a_col = 1, .b = p->v + h->k,
							       .b_row = 1, .b_col = h->kv_row, .c = h->dp,
							       .c_row = h->end, .m = h->end - begin, .n = h->end,
							       .depth = dim}, h->product);
		for (uint32_t i = begin; i < h->end; i++) {
			size_t at = (size_t)(i - begin) * h->end;

			mote_softmax_back(h->p + at, mote_vector_dot(h->p + at, h->dp + at, i + 1), scale, i + 1,
					  h->dp + at);
			memset(h->dp + at + i + 1, 0, (h->end - i - 1) * sizeof *h->dp);
		}
		add_block(p, h);
	}
}

static void attend_group_back(struct mote_passes *p, const void *job, uint32_t index, float *scratch)
{
	const struct mote_config *c = p->config;
	uint32_t group = c->heads / c->kv_heads, sequence = index / c->kv_heads, first = index % c->kv_heads * group;
	struct head h = find(p, sequence, first, scratch);

	(void)job;
	for (uint32_t t = 0; t < p->length; t++) {
		memset(p->dk + h.k + (size_t)t * h.kv_row, 0, c->head_dim * sizeof *p->dk);
		memset(p->dv + h.k + (size_t)t * h.kv_row, 0, c->head_dim * sizeof *p->dv);
	}
	for (uint32_t i = 0; i < group; i++) {
		h = find(p, sequence, first + i, scratch);
		attend_head_back(p, &h);
	}
}

void mote_passes_attend_back(struct mote_passes *p)
{
	mote_passes_each(p, p->rows / p->length * p->config->kv_heads, attend_group_back, NULL);
}
