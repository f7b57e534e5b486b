/* Passes over a whole model: see passes.h. Layers are in layer_forward.c and layer_backward.c. */
#include "quant/train/passes.h"

#include <stdlib.h>
#include <string.h>

#include "quant/train/adapter.h"
#include "quant/train/train_memory.h"
#include "quant/train/random.h"
#include "runtime/model/rope.h"

enum { LOGIT_BYTES = 64 << 20 }; /* about, of the rows whose logits are held at once */

/* ---- memory ---- */

struct cut {
	float **at;
	size_t floats;
};

static size_t padded(size_t floats)
{
	return (floats + 15) / 16 * 16;
}

/* Every array and how long it is; returns how many. */
static uint32_t cuts(struct mote_passes *p, uint32_t threads, struct cut *cut)
{
	const struct mote_config *c = p->config;
	size_t rows = p->max_rows, x = rows * c->hidden, q = rows * c->heads * c->head_dim;
	size_t k = rows * c->kv_heads * c->head_dim, ffn = rows * c->ffn;
	size_t turns = (size_t)p->max_length * (c->head_dim / 2);
	bool norms = c->features & MOTE_HEAD_NORM;
	const struct cut all[] = {
		{&p->x, x * (c->layers + 1u)}, {&p->hidden, x}, {&p->d_hidden, x}, {&p->d, x}, {&p->normed, x},
		{&p->mid, x}, {&p->ffn_normed, x}, {&p->d_normed, x}, {&p->q, q}, {&p->k, k}, {&p->v, k},
		{&p->mixed, q}, {&p->q_plain, norms ? q : 0}, {&p->k_plain, norms ? k : 0}, {&p->dq, q}, {&p->dk, k},
		{&p->dv, k}, {&p->d_mixed, q}, {&p->gate, ffn}, {&p->up, ffn}, {&p->product, ffn}, {&p->d_product, ffn},
		{&p->factor, rows * c->heads}, {&p->cosine, turns}, {&p->sine, turns}, {&p->minus_sine, turns},
		{&p->logits, (size_t)p->loss_rows * c->vocab}, {&p->reference_logits, (size_t)p->loss_rows * c->vocab},
		{&p->gathered, (size_t)p->loss_rows * c->hidden}, {&p->d_gathered, (size_t)p->loss_rows * c->hidden},
		{&p->scratch, threads * p->scratch_floats}
	};

	memcpy(cut, all, sizeof all);
	return sizeof all / sizeof *all;
}

static size_t largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

static enum mote_status carve(struct mote_passes *p, struct mote_error *error)
{
	const struct mote_config *c = p->config;
	uint32_t threads = mote_pool_threads(p->pool), n;
	struct cut cut[40];
	size_t floats = 0;

	p->loss_rows = (uint32_t)(LOGIT_BYTES / sizeof(float) / c->vocab);
	p->loss_rows = p->loss_rows < 64 ? 64 : p->loss_rows > MOTE_LOSS_ROWS ? MOTE_LOSS_ROWS : p->loss_rows;
	p->loss_rows = p->loss_rows > p->max_rows ? p->max_rows : p->loss_rows;
	p->scratch_floats = padded(largest(MOTE_GEMM_SCRATCH_FLOATS + mote_passes_attend_floats(p->max_length),
					   largest(c->vocab, c->ffn)));
	n = cuts(p, threads, cut);
	for (uint32_t i = 0; i < n; i++)
		floats += padded(cut[i].floats);
	p->memory = mote_train_floats(floats, false);
	if (!p->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory: training with %u tokens at once "
				      "takes %.1f MB", p->max_rows, (double)floats * sizeof(float) * 1e-6);
	floats = 0;
	for (uint32_t i = 0; i < n; i++) {
		*cut[i].at = (float *)p->memory + floats;
		floats += padded(cut[i].floats);
	}
	if (!(c->features & MOTE_HEAD_NORM)) {
		p->q_plain = p->q;
		p->k_plain = p->k;
	}
	return MOTE_OK;
}

static enum mote_status rotations(struct mote_passes *p, struct mote_error *error)
{
	uint32_t half = mote_rope_half(p->config);
	double *frequency = malloc(half * sizeof *frequency);

	if (!frequency)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	mote_rope_frequencies(p->config, MOTE_ROTATION, p->max_length, frequency);
	for (uint32_t t = 0; t < p->max_length; t++)
		mote_rope_rotation(frequency, half, t, mote_rope_scale(p->config, MOTE_ROTATION),
				   p->cosine + (size_t)t * half, p->sine + (size_t)t * half);
	for (size_t i = 0; i < (size_t)p->max_length * half; i++)
		p->minus_sine[i] = -p->sine[i];
	free(frequency);
	return MOTE_OK;
}

enum mote_status mote_passes_open(struct mote_passes *p, const struct mote_config *config, uint32_t rows,
				  uint32_t length, uint32_t threads, const char *isa, struct mote_error *error)
{
	enum mote_status status = mote_parameters_check(config, error);

	*p = (struct mote_passes){.config = config, .max_rows = rows, .max_length = length};
	if (status == MOTE_OK)
		status = mote_kernels_select(isa, &p->kernels, error);
	if (status == MOTE_OK)
		status = mote_pool_open(threads ? threads : mote_pool_physical_cores(), &p->pool, error);
	if (status == MOTE_OK)
		status = carve(p, error);
	return status == MOTE_OK ? rotations(p, error) : status;
}

void mote_passes_close(struct mote_passes *p)
{
	mote_pool_close(p->pool);
	free(p->memory);
	*p = (struct mote_passes){0};
}

/* ---- sharing out ---- */

struct each {
	struct mote_passes *p;
	uint32_t n;
	mote_passes_fn *fn;
	const void *job;
};

static void each_thread(void *user, uint32_t thread, uint32_t threads)
{
	const struct each *e = user;
	float *scratch = e->p->scratch + thread * e->p->scratch_floats;

	(void)threads;
	for (uint32_t i; (i = mote_pool_claim(e->p->pool)) < e->n; )
		e->fn(e->p, e->job, i, scratch);
}

void mote_passes_each(struct mote_passes *p, uint32_t n, mote_passes_fn *fn, const void *job)
{
	mote_pool_run(p->pool, each_thread, &(struct each){p, n, fn, job});
}

void mote_passes_product(struct mote_passes *p, const struct mote_gemm *g)
{
	p->operations += 2.0 * g->m * g->n * g->depth;
	mote_gemm_share(&p->kernels, p->pool, g, p->scratch, p->scratch_floats);
}

/* product = scale x F', or scale x F: rows of x [cols] with a factor's;
 * the scale is a factor of A's or B's gradient as well. */
static void multiply_low(struct mote_passes *p, const struct mote_low_rank *l, const float *x, uint32_t cols,
			 const float *factor, size_t factor_row, size_t factor_col)
{
	mote_passes_product(p, &(struct mote_gemm){.a = x, .a_row = cols, .a_col = 1,
						   .b = factor, .b_row = factor_row, .b_col = factor_col,
						   .c = l->product, .c_row = l->rank,
						   .m = p->rows, .n = l->rank, .depth = cols});
	mote_vector_scale(l->product, p->rows * l->rank, l->scale);
}

void mote_passes_multiply(struct mote_passes *p, const float *x, const struct mote_parameter *w, float *y, bool add)
{
	const struct mote_low_rank *l = w->low;

	mote_passes_product(p, &(struct mote_gemm){.a = x, .a_row = w->cols, .a_col = 1,
						   .b = w->w, .b_row = 1, .b_col = w->cols,
						   .c = y, .c_row = w->rows,
						   .m = p->rows, .n = w->rows, .depth = w->cols, .add = add});
	if (!l)
		return;
	multiply_low(p, l, x, w->cols, l->a, 1, w->cols);
	mote_passes_product(p, &(struct mote_gemm){.a = l->product, .a_row = l->rank, .a_col = 1,
						   .b = l->b, .b_row = 1, .b_col = l->rank,
						   .c = y, .c_row = w->rows,
						   .m = p->rows, .n = w->rows, .depth = l->rank, .add = true});
}

/* With u = scale dy B: dx += u A, dA += u' x; with t = scale x A': dB += dy' t. */
static void multiply_low_back(struct mote_passes *p, const float *dy, const float *x, const struct mote_parameter *w,
			      float *dx)
{
	const struct mote_low_rank *l = w->low;

	multiply_low(p, l, dy, w->rows, l->b, l->rank, 1);
	mote_passes_product(p, &(struct mote_gemm){.a = l->product, .a_row = l->rank, .a_col = 1,
						   .b = l->a, .b_row = w->cols, .b_col = 1,
						   .c = dx, .c_row = w->cols,
						   .m = p->rows, .n = w->cols, .depth = l->rank, .add = true});
	mote_passes_product(p, &(struct mote_gemm){.a = l->product, .a_row = 1, .a_col = l->rank,
						   .b = x, .b_row = w->cols, .b_col = 1,
						   .c = l->a_gradient, .c_row = w->cols,
						   .m = l->rank, .n = w->cols, .depth = p->rows, .add = true});
	multiply_low(p, l, x, w->cols, l->a, 1, w->cols);
	mote_passes_product(p, &(struct mote_gemm){.a = dy, .a_row = 1, .a_col = w->rows,
						   .b = l->product, .b_row = l->rank, .b_col = 1,
						   .c = l->b_gradient, .c_row = l->rank,
						   .m = w->rows, .n = l->rank, .depth = p->rows, .add = true});
}

void mote_passes_multiply_back(struct mote_passes *p, const float *dy, const float *x, const struct mote_parameter *w,
			       float *dx, bool add)
{
	mote_passes_product(p, &(struct mote_gemm){.a = dy, .a_row = w->rows, .a_col = 1,
						   .b = w->w, .b_row = w->cols, .b_col = 1,
						   .c = dx, .c_row = w->cols,
						   .m = p->rows, .n = w->cols, .depth = w->rows, .add = add});
	if (w->g)
		mote_passes_product(p, &(struct mote_gemm){.a = dy, .a_row = 1, .a_col = w->rows,
							   .b = x, .b_row = w->cols, .b_col = 1,
							   .c = w->g, .c_row = w->cols,
							   .m = w->rows, .n = w->cols, .depth = p->rows, .add = true});
	if (w->low)
		multiply_low_back(p, dy, x, w, dx);
}

/* ---- norms ---- */

struct norm_job {
	const float *x, *dy, *weight;
	float *y, *dweight;
};

static void norm_rows(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct norm_job *j = job;

	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		size_t at = (size_t)r * p->config->hidden;

		p->kernels.norm(j->x + at, j->weight, p->config->hidden, (float)p->config->norm_eps, j->y + at);
	}
}

void mote_passes_norm(struct mote_passes *p, const float *x, const struct mote_parameter *w, float *y)
{
	mote_passes_each(p, mote_passes_pieces(p), norm_rows, &(struct norm_job){.x = x, .weight = w->w, .y = y});
}

static void norm_rows_back(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct norm_job *j = job;

	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		size_t at = (size_t)r * p->config->hidden;

		mote_norm_back(j->x + at, j->weight, j->dy + at, p->config->hidden, (float)p->config->norm_eps,
			       j->y + at, &p->factor[r]);
	}
}

/* Columns [64 piece, 64 piece + 64) of a norm's weight, rows ascending. */
static void norm_weight_back(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct norm_job *j = job;
	uint32_t begin = piece * 64, n = p->config->hidden - begin < 64 ? p->config->hidden - begin : 64;

	(void)scratch;
	for (uint32_t r = 0; r < p->rows; r++) {
		size_t at = (size_t)r * p->config->hidden + begin;

		mote_norm_weight_back(j->x + at, j->dy + at, p->factor[r], n, j->dweight + begin);
	}
}

void mote_passes_norm_back(struct mote_passes *p, const float *x, const struct mote_parameter *w, const float *dy,
			   float *d)
{
	struct norm_job job = {.x = x, .dy = dy, .weight = w->w, .y = d, .dweight = w->g};

	mote_passes_each(p, mote_passes_pieces(p), norm_rows_back, &job);
	if (w->g)
		mote_passes_each(p, (p->config->hidden + 63) / 64, norm_weight_back, &job);
}

/* ---- the whole ---- */

static void add_noise(const struct mote_passes *p, uint32_t row, float *x)
{
	const struct mote_train_noise *noise = &p->noise[row / p->length];
	uint32_t hidden = p->config->hidden;
	uint64_t state = mote_random_skip(noise->seed, (uint64_t)(row % p->length) * hidden);

	for (uint32_t i = 0; i < hidden; i++)
		x[i] += noise->most * mote_random_uniform(&state);
}

static void embed(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct mote_parameters *w = job;
	size_t hidden = p->config->hidden;

	(void)scratch;
	for (uint32_t r = piece * MOTE_PASSES_ROWS; r < mote_passes_rows_end(p, piece); r++) {
		memcpy(p->x + r * hidden, w->embedding->w + (size_t)p->ids[r] * hidden, hidden * sizeof(float));
		if (p->noise)
			add_noise(p, r, p->x + r * hidden);
	}
}

/* Columns [64 piece, 64 piece + 64) of the embedding's gradient, rows ascending. */
static void embed_back(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct mote_parameters *w = job;
	size_t hidden = p->config->hidden;
	uint32_t begin = piece * 64, end = begin + 64 < hidden ? begin + 64 : (uint32_t)hidden;

	(void)scratch;
	for (uint32_t r = 0; r < p->rows; r++) {
		float *g = w->embedding->g + (size_t)p->ids[r] * hidden;

		for (uint32_t i = begin; i < end; i++)
			g[i] += p->d[r * hidden + i];
	}
}

/* Where the residual stream before this layer lies. */
static float *stream(struct mote_passes *p, uint32_t layer, bool keep)
{
	return p->x + (size_t)(keep ? layer : layer % 2) * p->max_rows * p->config->hidden;
}

void mote_passes_forward(struct mote_passes *p, const struct mote_parameters *w, const struct mote_train_batch *batch,
			 bool keep, const struct mote_train_hooks *hooks)
{
	uint32_t layers = p->config->layers;

	p->rows = batch->sequences * batch->length;
	p->length = batch->length;
	p->ids = batch->ids;
	p->noise = batch->noise;
	mote_passes_each(p, mote_passes_pieces(p), embed, w);
	for (uint32_t i = 0; i < layers; i++) {
		if (hooks && hooks->stop && hooks->stop(hooks->user))
			return;
		if (hooks && hooks->load)
			hooks->load(hooks->user, i);
		mote_passes_layer(p, &w->layer[i], stream(p, i, keep), stream(p, i + 1, keep));
	}
	mote_passes_norm(p, stream(p, layers, keep), w->final_norm, p->hidden);
}

void mote_passes_backward(struct mote_passes *p, struct mote_parameters *w, const struct mote_train_hooks *hooks)
{
	uint32_t layers = p->config->layers;

	memset(p->d, 0, (size_t)p->rows * p->config->hidden * sizeof *p->d);
	mote_passes_norm_back(p, stream(p, layers, true), w->final_norm, p->d_hidden, p->d);
	for (uint32_t i = layers; i-- > 0; ) {
		if (hooks && hooks->stop && hooks->stop(hooks->user))
			return;
		if (hooks && hooks->load)
			hooks->load(hooks->user, i);
		mote_passes_layer(p, &w->layer[i], stream(p, i, true), NULL);
		mote_passes_layer_back(p, &w->layer[i], stream(p, i, true));
		if (hooks && hooks->done)
			hooks->done(hooks->user, i);
	}
	if (w->embedding->g)
		mote_passes_each(p, (p->config->hidden + 63) / 64, embed_back, w);
}
