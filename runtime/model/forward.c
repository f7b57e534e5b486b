/* The forward pass of a Llama: every thread runs forward_thread() from top to bottom, claims pieces of each product
 * and of attention, and meets the others at barriers, where the data flow needs them: five a layer for few rows.
 *
 * No sum in here depends on how the work is cut (kernels.h), so neither do the logits. For few rows every thread
 * prepares a product's input for itself, in memory of its own: that takes less time than a barrier.
 */
#include "runtime/model/rope.h"
#include "runtime/model/workspace.h"

struct pass {
	struct mote_session *s;
	const struct mote_config *config;
	const struct mote_kernels *k;
	struct mote_scratch *own;
	uint32_t threads, rows;
	bool leader; /* the calling thread */
	bool few;
};

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t quotient_up(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

static uint32_t claim(struct pass *p)
{
	return mote_pool_claim(p->s->pool);
}

static void barrier(struct pass *p)
{
	mote_pool_barrier(p->s->pool);
}

static void tap(struct pass *p, const struct mote_matrix *w, const struct mote_activations *x, uint32_t rows)
{
	if (p->leader && p->s->tap.input)
		p->s->tap.input(p->s->tap.user, w, x->x, x->stride, rows);
}

static void tap_residual(struct pass *p, uint32_t half)
{
	if (p->leader && p->s->tap.residual)
		p->s->tap.residual(p->s->tap.user, half, p->s->x, p->s->hidden_stride, p->rows);
}

/* x = embedding[token]; and the rotation of each row's position. */
static void embed(struct pass *p)
{
	const struct mote_session *s = p->s;
	size_t half = p->config->head_dim / 2;

	for (uint32_t r = claim(p); r < p->rows; r = claim(p)) {
		mote_matrix_decode_row(&s->model->embedding, (uint32_t)s->batch->token[r], s->x + r * s->hidden_stride);
		mote_rope_rotation(s->frequency, (uint32_t)half, s->batch->position[r], s->cosine + r * half,
				   s->sine + r * half);
	}
	barrier(p);
}

/* RMSNorm of n rows of x, those listed or the first, quantized when a quantized matrix is to read them. */
static const struct mote_activations *normalize(struct pass *p, const float *weight, const uint32_t *rows, uint32_t n,
						bool quantized)
{
	bool few = n <= MOTE_FEW_ROWS;
	struct mote_activations *y = few ? &p->own->normed : &p->s->normed;

	for (uint32_t i = few ? 0 : claim(p); i < n; i = few ? i + 1 : claim(p)) {
		const float *x = p->s->x + (rows ? rows[i] : i) * p->s->hidden_stride;

		p->k->norm(x, weight, p->config->hidden, p->config->norm_eps, y->x + i * y->stride);
		if (quantized)
			mote_activations_quantize(p->k, y, i, i + 1);
	}
	if (!few)
		barrier(p);
	return y;
}

/* A product of n rows, shared out. Few rows: each thread's first piece is nearly its share, so that weights stream in
 * one long run, and the small rest evens out when the threads end. Many rows: pieces of four panels, which kernels
 * take together, and a tile. */
static void multiply(struct pass *p, const struct mote_matmul *job, uint32_t n)
{
	uint32_t fours = quotient_up(job->w->panels, 4), tiles = quotient_up(n, MOTE_TILE_ROWS);
	uint32_t tail = least(fours / 16, 4 * p->threads);
	uint32_t large = n <= MOTE_FEW_ROWS ? (fours - tail) / p->threads : 0, small = fours - large * p->threads;

	for (uint32_t i = claim(p); i < p->threads + small * tiles; i = claim(p)) {
		bool first = i < p->threads;
		uint32_t rest = first ? 0 : i - p->threads, tile = rest % tiles;
		uint32_t four = first ? i * large : p->threads * large + rest / tiles;
		uint32_t end = first ? four + large : four + 1;

		mote_matmul_run(p->k, job, four * 4, least(end * 4, job->w->panels), tile * MOTE_TILE_ROWS,
				first ? n : least(n, (tile + 1) * MOTE_TILE_ROWS));
	}
}

/* A piece of q, k or v: heads [begin, end) of rows [row, row_end), which fill whole panels. */
static void project_heads(struct pass *p, const struct mote_matrix *w, const struct mote_activations *x, float *y,
			  size_t y_stride, uint32_t begin, uint32_t end, uint32_t row, uint32_t row_end)
{
	struct mote_matmul job = {.w = w, .x = x, .epilogue = MOTE_STORE, .y = y, .y_stride = y_stride};
	uint32_t dim = p->config->head_dim;

	mote_matmul_run(p->k, &job, begin * dim / MOTE_PANEL_ROWS, quotient_up(end * dim, MOTE_PANEL_ROWS), row, row_end);
}

/* query = rope(Wq x), ordered so that the query heads which share a KV head lie together. */
static void project_queries(struct pass *p, const struct mote_layer *layer, const struct mote_activations *x,
			    uint32_t begin, uint32_t end, uint32_t row, uint32_t row_end)
{
	struct mote_session *s = p->s;
	uint32_t dim = p->config->head_dim;

	project_heads(p, &layer->q, x, s->q, s->q_stride, begin, end, row, row_end);
	for (uint32_t r = row; r < row_end; r++)
		for (uint32_t head = begin; head < end; head++) {
			uint32_t at = (head / s->group * p->rows + r) * s->group + head % s->group;
			size_t rotation = (size_t)r * (dim / 2);

			p->k->rope(s->q + r * s->q_stride + (size_t)head * dim, dim, s->cosine + rotation,
				   s->sine + rotation, dim, 1, s->query.x + at * s->query.stride, s->query.stride);
			if (s->k_type == MOTE_Q8)
				mote_activations_quantize(p->k, &s->query, at, at + 1);
		}
}

/* cache = rope(Wk x), Wv x */
static void project_keys_values(struct pass *p, const struct mote_layer *layer, uint32_t index,
				const struct mote_activations *x, uint32_t begin, uint32_t end, uint32_t row,
				uint32_t row_end)
{
	struct mote_session *s = p->s;
	uint32_t dim = p->config->head_dim;

	project_heads(p, &layer->k, x, s->k, s->kv_stride, begin, end, row, row_end);
	project_heads(p, &layer->v, x, s->v, s->kv_stride, begin, end, row, row_end);
	for (uint32_t r = row; r < row_end; r++) {
		uint32_t position = s->batch->position[r], sequence = s->batch->sequence ? s->batch->sequence[r] : 0;
		float *k = s->k + r * s->kv_stride, *v = s->v + r * s->kv_stride;
		size_t rotation = (size_t)r * (dim / 2);

		p->k->rope(k + (size_t)begin * dim, dim, s->cosine + rotation, s->sine + rotation, dim, end - begin,
			   k + (size_t)begin * dim, dim);
		for (uint32_t head = begin; head < end; head++) {
			struct mote_kv kv = mote_session_kv(s, sequence, position / s->chunk_positions, index, head);

			p->k->kv_store(&kv, position % s->chunk_positions, k + (size_t)head * dim, v + (size_t)head * dim);
		}
	}
}

/* q, k and v are one job. Keys and values, the longer pieces, are claimed first. */
static void project(struct pass *p, const struct mote_layer *layer, uint32_t index, const struct mote_activations *x)
{
	uint32_t span = p->s->span, tiles = quotient_up(p->rows, MOTE_TILE_ROWS);
	uint32_t kv_pieces = quotient_up(p->config->kv_heads, span), q_pieces = quotient_up(p->config->heads, span);

	for (uint32_t i = claim(p); i < (kv_pieces + q_pieces) * tiles; i = claim(p)) {
		uint32_t piece = i / tiles, row = i % tiles * MOTE_TILE_ROWS, row_end = least(row + MOTE_TILE_ROWS, p->rows);

		if (piece < kv_pieces)
			project_keys_values(p, layer, index, x, piece * span,
					    least((piece + 1) * span, p->config->kv_heads), row, row_end);
		else
			project_queries(p, layer, x, (piece - kv_pieces) * span,
					least((piece - kv_pieces + 1) * span, p->config->heads), row, row_end);
	}
	barrier(p);
}

/* softmax(q K^T / sqrt(head_dim)) V over one segment of positions, for the query heads of one KV head.
 * next: NULL, or the part of the cache that this thread will read after this one. */
static void attend_segment(struct pass *p, const struct mote_block *b, uint32_t layer, uint32_t kv_head,
			   uint32_t segment, const uint8_t *next, float *part)
{
	struct mote_session *s = p->s;
	struct mote_kv kv = mote_session_kv(s, b->sequence, segment, layer, kv_head);
	struct mote_attention a = {.kv = &kv, .q = &s->query, .row = (kv_head * p->rows + b->row) * s->group,
				   .rows = b->rows, .group = s->group,
				   .position = b->position - segment * MOTE_SEGMENT_POSITIONS, .scale = s->score_scale};

	kv.next = next;
	kv.next_bytes = s->head_bytes;
	mote_attention_segment(p->k, &a, 0, part);
}

/* The merged state of a block's query heads of one KV head, to their columns of y. */
static void finish_attention(struct pass *p, const struct mote_block *b, uint32_t kv_head, const float *state,
			     struct mote_activations *y)
{
	uint32_t group = p->s->group, dim = p->config->head_dim;

	for (uint32_t r = 0; r < b->rows; r++)
		for (uint32_t i = 0; i < group; i++)
			mote_attention_finish(state + (r * group + i) * p->s->part_floats, dim,
					      y->x + (b->row + r) * y->stride + (size_t)(kv_head * group + i) * dim);
}

/* Few rows: a piece is one segment, so that threads share out even a single row's positions; after the barrier
 * every thread merges the parts for itself. */
static const struct mote_activations *attend_few(struct pass *p, uint32_t layer, bool quantized)
{
	struct mote_session *s = p->s;
	struct mote_activations *y = &p->own->attended;
	uint32_t kv_heads = p->config->kv_heads, i = claim(p), before = 0;

	for (const struct mote_block *b = s->block; b < s->block + s->blocks; b++) {
		uint32_t pieces = b->segments * kv_heads, n = b->rows * s->group;

		for (; i < before + pieces; i = claim(p)) { /* piece: segment * kv_heads + kv_head */
			uint32_t piece = i - before, next = piece + p->threads; /* most likely */
			const uint8_t *keys_values = next >= pieces ? NULL :
				mote_session_kv(s, b->sequence, next / kv_heads, layer, next % kv_heads).k_data;

			attend_segment(p, b, layer, piece % kv_heads, piece / kv_heads, keys_values,
				       s->parts + (b->first_part + (size_t)piece * n) * s->part_floats);
		}
		before += pieces;
	}
	barrier(p);
	for (const struct mote_block *b = s->block; b < s->block + s->blocks; b++)
		for (uint32_t kv_head = 0; kv_head < kv_heads; kv_head++) {
			uint32_t n = b->rows * s->group;

			mote_attention_clear(p->own->state, n, p->config->head_dim);
			for (uint32_t segment = 0; segment < b->segments; segment++) {
				size_t piece = (size_t)segment * kv_heads + kv_head;
				mote_attention_merge(p->k, p->own->state, s->parts + (b->first_part + piece * n) * s->part_floats,
						     n, p->config->head_dim);
			}
			finish_attention(p, b, kv_head, p->own->state, y);
		}
	if (quantized)
		mote_activations_quantize(p->k, y, 0, p->rows);
	return y;
}

/* Many rows: a piece is one block and KV head with all its segments; the last blocks, the longest, come first. */
static const struct mote_activations *attend_many(struct pass *p, uint32_t layer, bool quantized)
{
	struct mote_session *s = p->s;
	uint32_t kv_heads = p->config->kv_heads;

	for (uint32_t i = claim(p); i < s->blocks * kv_heads; i = claim(p)) {
		const struct mote_block *b = &s->block[s->blocks - 1 - i / kv_heads];
		uint32_t kv_head = i % kv_heads, n = b->rows * s->group;

		mote_attention_clear(p->own->state, n, p->config->head_dim);
		for (uint32_t segment = 0; segment < b->segments; segment++) {
			attend_segment(p, b, layer, kv_head, segment, NULL, p->own->part);
			mote_attention_merge(p->k, p->own->state, p->own->part, n, p->config->head_dim);
		}
		finish_attention(p, b, kv_head, p->own->state, &s->attended);
	}
	barrier(p);
	if (quantized) {
		for (uint32_t r = claim(p); r < p->rows; r = claim(p))
			mote_activations_quantize(p->k, &s->attended, r, r + 1);
		barrier(p);
	}
	return &s->attended;
}

static bool quantized(const struct mote_matrix *w)
{
	return mote_type_is_quantized(w->type);
}

/* x += Wo attention(rope(Wq n), rope(Wk n), Wv n), n = norm(x) */
static void attention(struct pass *p, const struct mote_layer *layer, uint32_t index)
{
	struct mote_session *s = p->s;
	const struct mote_activations *n, *a;

	n = normalize(p, layer->attention_norm, NULL, p->rows,
		      quantized(&layer->q) || quantized(&layer->k) || quantized(&layer->v));
	tap(p, &layer->q, n, p->rows);
	tap(p, &layer->k, n, p->rows);
	tap(p, &layer->v, n, p->rows);
	project(p, layer, index, n);
	a = p->few ? attend_few(p, index, quantized(&layer->o)) : attend_many(p, index, quantized(&layer->o));
	tap(p, &layer->o, a, p->rows);
	multiply(p, &(struct mote_matmul){.w = &layer->o, .x = a, .epilogue = MOTE_ADD, .y = s->x,
					  .y_stride = s->hidden_stride}, p->rows);
	barrier(p);
}

/* x += Wdown (silu(Wgate n) * Wup n), n = norm(x) */
static void feed_forward(struct pass *p, const struct mote_layer *layer)
{
	struct mote_session *s = p->s;
	struct mote_activations hidden = s->ffn; /* in the form that Wdown reads */
	const struct mote_activations *n;

	if (!quantized(&layer->down))
		hidden.q = NULL;
	else if (!s->tap.input)
		hidden.x = NULL;
	n = normalize(p, layer->ffn_norm, NULL, p->rows, quantized(&layer->gate) || quantized(&layer->up));
	tap(p, &layer->gate, n, p->rows);
	tap(p, &layer->up, n, p->rows);
	multiply(p, &(struct mote_matmul){.w = &layer->gate, .up = &layer->up, .x = n, .epilogue = MOTE_SWIGLU,
					  .out = &hidden}, p->rows);
	barrier(p);
	tap(p, &layer->down, &hidden, p->rows);
	multiply(p, &(struct mote_matmul){.w = &layer->down, .x = &hidden, .epilogue = MOTE_ADD, .y = s->x,
					  .y_stride = s->hidden_stride}, p->rows);
	barrier(p);
}

/* logits = Whead norm(x), for the rows that want them */
static void output(struct pass *p)
{
	struct mote_session *s = p->s;
	const struct mote_model *m = s->model;
	const struct mote_activations *n = normalize(p, m->final_norm, s->wanted, s->n_wanted, quantized(&m->head));

	tap(p, &m->head, n, s->n_wanted);
	multiply(p, &(struct mote_matmul){.w = &m->head, .x = n, .epilogue = MOTE_STORE, .y = s->logits,
					  .y_stride = m->config.vocab}, s->n_wanted);
}

static void forward_thread(void *user, uint32_t thread, uint32_t threads)
{
	struct mote_session *s = user;
	struct pass p = {.s = s, .config = &s->model->config, .k = &s->kernels, .own = &s->scratch[thread],
			 .threads = threads, .rows = s->batch->rows, .leader = thread == 0,
			 .few = s->batch->rows <= MOTE_FEW_ROWS};

	embed(&p);
	for (uint32_t i = 0; i < s->model->config.layers; i++) {
		attention(&p, &s->model->layer[i], i);
		tap_residual(&p, 2 * i);
		feed_forward(&p, &s->model->layer[i]);
		tap_residual(&p, 2 * i + 1);
	}
	if (s->n_wanted)
		output(&p);
}

void mote_forward(struct mote_session *s)
{
	mote_pool_run(s->pool, forward_thread, s);
}
