/* The forward pass of a Llama: every thread runs forward_thread() from top to bottom, takes its share of each product
 * and of attention (share_out.c), and meets the others at barriers, where the data flow needs them: five a layer for
 * few rows.
 *
 * For few rows every thread prepares a product's input for itself, in memory of its own: that takes less time than a
 * barrier.
 */
#include <string.h>

#include "runtime/model/rope.h"
#include "runtime/model/share_out.h"

static bool quantized(const struct mote_matrix *w)
{
	return mote_type_is_quantized(w->type);
}

static void show(struct mote_pass *p, const struct mote_matrix *w, const struct mote_activations *x, uint32_t rows)
{
	if (p->thread == 0 && p->s->hook.input)
		p->s->hook.input(p->s->hook.user, w, x->x, x->stride, rows);
}

/* x = embedding[token], or what the batch gives; and the rotation of each row's position. */
static void begin(struct mote_pass *p)
{
	const struct mote_session *s = p->s;
	const struct mote_batch *b = s->batch;
	size_t half = p->config->head_dim / 2;

	for (uint32_t r = mote_share_claim(p); r < p->rows; r = mote_share_claim(p)) {
		float *x = s->x + r * s->hidden_stride;

		if (b->x)
			memcpy(x, b->x + r * b->x_stride, p->config->hidden * sizeof *x);
		else
			mote_matrix_decode_row(&s->model->embedding, (uint32_t)b->token[r], x);
		mote_rope_rotation(s->frequency, (uint32_t)half, b->position[r], s->cosine + r * half, s->sine + r * half);
	}
	mote_share_barrier(p);
}

/* RMSNorm of n rows of x, those listed or the first, quantized when a quantized matrix is to read them. */
static const struct mote_activations *normalize(struct mote_pass *p, const float *weight, const uint32_t *rows, uint32_t n,
						bool quantize)
{
	bool few = n <= MOTE_FEW_ROWS;
	struct mote_activations *y = few ? &p->own->normed : &p->s->normed;

	for (uint32_t i = few ? 0 : mote_share_claim(p); i < n; i = few ? i + 1 : mote_share_claim(p)) {
		const float *x = p->s->x + (rows ? rows[i] : i) * p->s->hidden_stride;

		p->k->norm(x, weight, p->config->hidden, p->config->norm_eps, y->x + i * y->stride);
		if (quantize)
			mote_activations_quantize(p->k, y, i, i + 1);
	}
	if (!few)
		mote_share_barrier(p);
	return y;
}

/* x is complete on all threads: `half` is done. false: the pass ends here, for all threads alike. The calling thread
 * writes its answer before the barrier, and no thread reads it later than the next barrier, before which it may change. */
static bool end_half(struct mote_pass *p, uint32_t half)
{
	struct mote_session *s = p->s;

	if (p->thread == 0 && s->batch->proceed)
		s->stopped = !s->batch->proceed(s->batch->proceed_user);
	mote_share_barrier(p);
	if (s->stopped)
		return false;
	if (p->thread == 0 && s->hook.residual)
		s->hook.residual(s->hook.user, half, s->x, s->hidden_stride, p->rows);
	return true;
}

/* x += Wo attention(rope(Wq n), rope(Wk n), Wv n), n = norm(x) */
static bool attention(struct mote_pass *p, uint32_t index)
{
	struct mote_session *s = p->s;
	const struct mote_layer *layer = &s->model->layer[index];
	const struct mote_activations *n, *a;

	n = normalize(p, layer->attention_norm, NULL, p->rows,
		      quantized(&layer->q) || quantized(&layer->k) || quantized(&layer->v));
	show(p, &layer->q, n, p->rows);
	show(p, &layer->k, n, p->rows);
	show(p, &layer->v, n, p->rows);
	mote_share_project(p, index, n);
	a = mote_share_attend(p, index, quantized(&layer->o));
	show(p, &layer->o, a, p->rows);
	mote_share_multiply(p, &(struct mote_matmul){.w = &layer->o, .x = a, .epilogue = MOTE_ADD, .y = s->x,
						     .y_stride = s->hidden_stride}, p->rows);
	return end_half(p, 2 * index);
}

/* x += Wdown (silu(Wgate n) * Wup n), n = norm(x) */
static bool feed_forward(struct mote_pass *p, uint32_t index)
{
	struct mote_session *s = p->s;
	const struct mote_layer *layer = &s->model->layer[index];
	struct mote_activations hidden = s->ffn; /* in the form that Wdown reads */
	const struct mote_activations *n;

	if (!quantized(&layer->down))
		hidden.q = NULL;
	else if (!s->hook.input)
		hidden.x = NULL;
	n = normalize(p, layer->ffn_norm, NULL, p->rows, quantized(&layer->gate) || quantized(&layer->up));
	show(p, &layer->gate, n, p->rows);
	show(p, &layer->up, n, p->rows);
	mote_share_multiply(p, &(struct mote_matmul){.w = &layer->gate, .up = &layer->up, .x = n,
						     .epilogue = MOTE_SWIGLU, .out = &hidden}, p->rows);
	mote_share_barrier(p);
	show(p, &layer->down, &hidden, p->rows);
	mote_share_multiply(p, &(struct mote_matmul){.w = &layer->down, .x = &hidden, .epilogue = MOTE_ADD, .y = s->x,
						     .y_stride = s->hidden_stride}, p->rows);
	return end_half(p, 2 * index + 1);
}

/* hidden = norm(x), when the batch wants it; logits = Whead norm(x), for the rows that want them */
static void output(struct mote_pass *p)
{
	struct mote_session *s = p->s;
	const struct mote_model *m = s->model;
	const struct mote_activations *n;

	if (s->batch->hidden) {
		for (uint32_t r = mote_share_claim(p); r < p->rows; r = mote_share_claim(p))
			p->k->norm(s->x + r * s->hidden_stride, m->final_norm, p->config->hidden, p->config->norm_eps,
				   s->batch->hidden + (size_t)r * p->config->hidden);
		mote_share_barrier(p);
	}
	if (!s->n_wanted)
		return;
	n = normalize(p, m->final_norm, s->wanted, s->n_wanted, quantized(&m->head));
	show(p, &m->head, n, s->n_wanted);
	mote_share_multiply(p, &(struct mote_matmul){.w = &m->head, .x = n, .epilogue = MOTE_STORE, .y = s->logits,
						     .y_stride = m->config.vocab}, s->n_wanted);
}

static void forward_thread(void *user, uint32_t thread, uint32_t threads)
{
	struct mote_session *s = user;
	struct mote_pass p = {.s = s, .config = &s->model->config, .k = &s->kernels, .own = &s->scratch[thread],
			      .thread = thread, .threads = threads, .rows = s->batch->rows,
			      .few = s->batch->rows <= MOTE_FEW_ROWS};

	begin(&p);
	for (uint32_t i = s->first_layer; i < s->end_layer; i++)
		if (!attention(&p, i) || !feed_forward(&p, i))
			return;
	if (s->end_layer == s->model->config.layers)
		output(&p);
}

/* About how many multiplications the batch takes. */
static uint64_t work(const struct mote_session *s)
{
	const struct mote_config *c = &s->model->config;
	uint64_t dims = (uint64_t)c->heads * c->head_dim, kv_dims = (uint64_t)c->kv_heads * c->head_dim, positions = 0;
	uint64_t weights = c->hidden * (2 * dims + 2 * kv_dims + 3 * (uint64_t)c->ffn);

	for (uint32_t i = 0; i < s->n_present; i++) {
		const struct mote_reach *reach = &s->reach[s->present[i]];

		positions += (uint64_t)(reach->end - reach->begin) * (reach->begin + (reach->end - reach->begin) / 2);
	}
	return (s->end_layer - s->first_layer) * (weights * s->batch->rows + 2 * dims * positions) +
	       (uint64_t)s->n_wanted * c->hidden * c->vocab;
}

void mote_forward(struct mote_session *s)
{
	mote_pool_run_adaptive(s->pool, work(s), forward_thread, s);
}
