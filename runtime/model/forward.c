/* The forward pass of a Llama, and of what differs from it by a weight or a number (config.h): every thread runs
 * forward_thread() from top to bottom, takes its share of each product and of attention (share_out.c), and meets the
 * others at barriers, where the data flow needs them: five a layer for few rows.
 *
 * For few rows every thread prepares a product's input for itself, in memory of its own: that takes less time than a
 * barrier.
 */
#include <string.h>

#include "runtime/model/architecture.h"
#include "runtime/model/rope.h"
#include "runtime/model/share_out.h"

static bool quantized(const struct mote_matrix *w)
{
	return mote_type_is_quantized(w->type);
}

static void show(struct mote_pass *p, const struct mote_matrix *w, const struct mote_activations *x, uint32_t rows)
{
	if (p->at.thread == 0 && p->s->hook.input)
		p->s->hook.input(p->s->hook.user, w, x->x, x->stride, rows);
}

/* x = embedding[token], or what the batch gives; and the rotation of each row's position. */
static void begin(struct mote_pass *p)
{
	const struct mote_session *s = p->s;
	const struct mote_batch *b = s->batch;
	const float embedding_scale = (float)p->config->embedding_scale;
	struct mote_turns rows = mote_share_rows(p, p->rows);
	struct mote_turn t;

	while (mote_share_turn(p, &rows, &t)) {
		const uint32_t r = t.row;
		float *x = s->x + r * s->hidden_stride;

		if (b->x)
			memcpy(x, b->x + r * b->x_stride, p->config->hidden * sizeof *x);
		else
			mote_matrix_decode_row(&s->model->embedding, (uint32_t)b->token[r], x);
		if (!b->x && embedding_scale > 0)
			mote_vector_scale(x, p->config->hidden, embedding_scale);
		for (enum mote_rotation i = MOTE_ROTATION; i < s->rotations; i++) {
			size_t at = mote_session_rotation(s, i, r);

			mote_rope_rotation(s->frequency + i * s->half, s->half, b->position[r],
					   mote_rope_scale(p->config, i), s->cosine + at, s->sine + at);
		}
	}
	mote_share_barrier(p);
}

/* RMSNorm, or LayerNorm when there is a bias; without a weight nothing. */
static void norm(const struct mote_pass *p, const float *x, const float *weight, const float *bias, float *y)
{
	const float eps = (float)p->config->norm_eps;

	if (!weight)
		memcpy(y, x, p->config->hidden * sizeof *y);
	else if (bias)
		mote_layer_norm(x, weight, bias, p->config->hidden, eps, y);
	else
		p->k->norm(x, weight, p->config->hidden, eps, y);
}

/* The norm of n rows of x, those listed or the first, quantized when a quantized matrix is to read them. */
static const struct mote_activations *normalize(struct mote_pass *p, const float *weight, const float *bias,
						const uint32_t *rows, uint32_t n, bool quantize)
{
	bool few = n <= MOTE_FEW_ROWS;
	struct mote_activations *y = few ? &p->own->normed : &p->s->normed;
	struct mote_turns turns = mote_share_rows(p, n);
	struct mote_turn t = {0};

	for (; few ? t.row < n : mote_share_turn(p, &turns, &t); t.row += few) {
		const uint32_t i = t.row;
		const float *x = p->s->x + (rows ? rows[i] : i) * p->s->hidden_stride;

		norm(p, x, weight, bias, y->x + i * y->stride);
		if (quantize)
			mote_activations_quantize(p->k, y, i, i + 1);
	}
	if (!few)
		mote_share_barrier(p);
	return y;
}

/* x += W h, or x += norm(W h) where the model has such a norm */
static void add_product(struct mote_pass *p, const struct mote_matrix *w, const float *bias,
			const struct mote_activations *h, const float *post_norm)
{
	struct mote_session *s = p->s;
	struct mote_turns rows = mote_share_rows(p, p->rows);
	struct mote_turn t;

	mote_share_multiply(p, &(struct mote_matmul){.w = w, .bias = bias, .x = h,
						     .epilogue = post_norm ? MOTE_STORE : MOTE_ADD,
						     .scale = (float)p->config->residual_scale,
						     .y = post_norm ? s->branch : s->x, .y_stride = s->hidden_stride},
			    p->rows);
	if (!post_norm)
		return;
	mote_share_barrier(p);
	while (mote_share_turn(p, &rows, &t)) {
		const uint32_t r = t.row;
		float *y = s->branch + r * s->hidden_stride;

		norm(p, y, post_norm, NULL, y);
		p->k->add(s->x + r * s->hidden_stride, y, p->config->hidden);
	}
}

/* The calling thread has something to do that no other may. */
static bool needed(const struct mote_pass *p)
{
	const struct mote_session *s = p->s;

	return p->at.thread == 0 && (s->batch->proceed || s->hook.input || s->hook.residual);
}

/* x is complete on all threads: `half` is done. false: the pass ends here, for all threads alike or for this one, which
 * has left it. The calling thread writes its answer before the checkpoint, and no thread reads it later than the next
 * barrier, before which it may change. */
static bool end_half(struct mote_pass *p, uint32_t half)
{
	struct mote_session *s = p->s;

	if (p->at.thread == 0 && s->batch->proceed)
		s->stopped = !s->batch->proceed(s->batch->proceed_user);
	p->left = !mote_pool_checkpoint(s->pool, &p->at, !needed(p));
	if (p->left || s->stopped)
		return false;
	if (p->at.thread == 0 && s->hook.residual)
		s->hook.residual(s->hook.user, half, s->x, s->hidden_stride, p->rows);
	return true;
}

/* The hook has seen this input of layer `index`, and the pass ends with it; so all threads see it alike. */
static bool ends_at(const struct mote_pass *p, uint32_t index, enum mote_input input)
{
	return p->s->batch->until == input + 1u && index + 1 == p->s->end_layer;
}

/* x += Wo attention(rope(Wq n), rope(Wk n), Wv n), n = norm(x) */
static bool attention(struct mote_pass *p, uint32_t index)
{
	const struct mote_layer *layer = &p->s->model->layer[index];
	const struct mote_activations *n, *a;

	n = normalize(p, layer->attention_norm, layer->attention_norm_bias, NULL, p->rows,
		      quantized(&layer->q) || quantized(&layer->k) || quantized(&layer->v));
	show(p, &layer->q, n, p->rows);
	show(p, &layer->k, n, p->rows);
	show(p, &layer->v, n, p->rows);
	if (ends_at(p, index, MOTE_IN_QKV))
		return false;
	mote_share_project(p, index, n);
	a = mote_share_attend(p, index, quantized(&layer->o));
	show(p, &layer->o, a, p->rows);
	if (ends_at(p, index, MOTE_IN_OUT))
		return false;
	add_product(p, &layer->o, layer->o_bias, a, layer->attention_post_norm);
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
	n = normalize(p, layer->ffn_norm, layer->ffn_norm_bias, NULL, p->rows,
		      quantized(&layer->gate) || quantized(&layer->up));
	show(p, &layer->gate, n, p->rows);
	show(p, &layer->up, n, p->rows);
	if (ends_at(p, index, MOTE_IN_FFN))
		return false;
	mote_share_multiply(p, &(struct mote_matmul){.w = &layer->gate, .up = &layer->up, .bias = layer->gate_bias,
						     .up_bias = layer->up_bias, .x = n,
						     .epilogue = p->config->features & MOTE_GELU ? MOTE_GEGLU
												 : MOTE_SWIGLU,
						     .out = &hidden}, p->rows);
	mote_share_barrier(p);
	show(p, &layer->down, &hidden, p->rows);
	if (ends_at(p, index, MOTE_IN_DOWN))
		return false;
	add_product(p, &layer->down, layer->down_bias, &hidden, layer->ffn_post_norm);
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
			norm(p, s->x + r * s->hidden_stride, m->final_norm, m->final_norm_bias,
			     s->batch->hidden + (size_t)r * p->config->hidden);
		mote_share_barrier(p);
	}
	if (!s->n_wanted)
		return;
	n = normalize(p, m->final_norm, m->final_norm_bias, s->wanted, s->n_wanted, quantized(&m->head));
	show(p, &m->head, n, s->n_wanted);
	mote_share_multiply(p, &(struct mote_matmul){.w = &m->head, .x = n, .epilogue = MOTE_STORE, .y = s->logits,
						     .y_stride = m->config.vocab,
						     .scale = (float)m->config.logits_scale,
						     .cap = (float)m->config.logits_cap}, s->n_wanted);
}

/* From the half of a layer on that is next when this thread joins. */
static bool forward_thread(void *user, struct mote_pool_member *m)
{
	struct mote_session *s = user;
	struct mote_pass p = {.s = s, .config = &s->model->config, .k = &s->kernels, .own = &s->scratch[m->thread],
			      .at = *m, .rows = s->batch->rows, .few = s->batch->rows <= MOTE_FEW_ROWS};
	uint32_t half;

	if (m->passed == 0)
		begin(&p);
	else if (s->stopped)
		return true;
	half = 2 * s->first_layer + s->batch->after_attention + m->passed;
	for (; half < 2 * s->end_layer; half++)
		if (!(half % 2 ? feed_forward(&p, half / 2) : attention(&p, half / 2)))
			return !p.left;
	if (s->to_the_end)
		output(&p);
	return true;
}

/* About how many multiplications the batch takes. */
static uint64_t work(const struct mote_session *s)
{
	const struct mote_config *c = &s->model->config;
	const struct mote_batch *b = s->batch;
	uint64_t dims = (uint64_t)c->heads * c->head_dim, kv_dims = (uint64_t)c->kv_heads * c->head_dim, positions = 0;
	uint64_t layers = s->end_layer - s->first_layer;
	uint64_t attentions = layers - b->after_attention - (b->until == MOTE_IN_QKV + 1u);
	uint64_t feed_forwards = layers - (b->until && b->until < MOTE_IN_DOWN + 1u);

	for (uint32_t i = 0; i < s->n_present; i++) {
		const struct mote_reach *reach = &s->reach[s->present[i]];

		positions += (uint64_t)(reach->end - reach->begin) * (reach->begin + (reach->end - reach->begin) / 2);
	}
	return attentions * (c->hidden * (2 * dims + 2 * kv_dims) * b->rows + 2 * dims * positions) +
	       feed_forwards * 3 * c->hidden * c->ffn * b->rows + (uint64_t)s->n_wanted * c->hidden * c->vocab;
}

void mote_forward(struct mote_session *s)
{
	mote_pool_run_adaptive(s->pool, work(s), forward_thread, s);
}
