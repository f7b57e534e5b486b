/* The forward pass of a Llama: every thread runs forward_thread() from top to bottom, takes its share of each product
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
	uint32_t thread, threads, rows; /* thread 0 is the calling one */
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
	if (p->thread == 0 && p->s->tap.input)
		p->s->tap.input(p->s->tap.user, w, x->x, x->stride, rows);
}

static void tap_residual(struct pass *p, uint32_t half)
{
	if (p->thread == 0 && p->s->tap.residual)
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

/* Work on few rows is shared out beforehand, so that each thread's memory streams in one long run and no thread waits
 * for the counter; all but a rest, a `part`th of the pieces and at most four a thread, which evens out at the end.
 * Returns how many pieces a thread need not claim. */
static uint32_t sure_share(const struct pass *p, uint32_t pieces, uint32_t part)
{
	uint32_t rest = least(quotient_up(pieces, part), 4 * p->threads);

	return (pieces - rest) / p->threads;
}

/* A product of n rows, shared out in pieces of four panels, which kernels take together; many rows in tiles. */
static void multiply(struct pass *p, const struct mote_matmul *job, uint32_t n)
{
	bool few = n <= MOTE_FEW_ROWS;
	uint32_t panels = job->w->panels, piece = 4, tiles = few ? 1 : quotient_up(n, MOTE_TILE_ROWS), at = 0;

	if (few) {
		uint32_t share = sure_share(p, quotient_up(panels, piece), 16) * piece;

		mote_matmul_run(p->k, job, p->thread * share, (p->thread + 1) * share, 0, n);
		at = p->threads * share;
	}
	for (uint32_t i = claim(p), begin; (begin = at + i / tiles * piece) < panels; i = claim(p))
		mote_matmul_run(p->k, job, begin, least(begin + piece, panels), i % tiles * MOTE_TILE_ROWS,
				few ? n : least(n, (i % tiles + 1) * MOTE_TILE_ROWS));
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
			if (s->first_kv.k.type == MOTE_Q8)
				mote_activations_quantize(p->k, &s->query, at, at + 1);
		}
}

/* The cache of the keys and values that a row stores. */
static struct mote_kv kv_of_row(const struct pass *p, uint32_t row, uint32_t layer, uint32_t kv_head)
{
	const struct mote_session *s = p->s;

	return mote_session_kv(s, s->batch->sequence ? s->batch->sequence[row] : 0,
			       s->batch->position[row] / s->chunk_positions, layer, kv_head);
}

/* cache = rope(Wk x), Wv x */
static void project_keys_values(struct pass *p, const struct mote_layer *layer, uint32_t index,
				const struct mote_activations *x, uint32_t begin, uint32_t end, uint32_t row,
				uint32_t row_end)
{
	struct mote_session *s = p->s;
	uint32_t dim = p->config->head_dim;

	for (uint32_t r = row; r < row_end && p->few; r++)
		for (uint32_t head = begin; head < end; head++) {
			struct mote_kv kv = kv_of_row(p, r, index, head);

			mote_kv_fetch_for_store(&kv, s->batch->position[r] % s->chunk_positions);
		}
	project_heads(p, &layer->k, x, s->k, s->kv_stride, begin, end, row, row_end);
	project_heads(p, &layer->v, x, s->v, s->kv_stride, begin, end, row, row_end);
	for (uint32_t r = row; r < row_end; r++) {
		uint32_t position = s->batch->position[r];
		float *k = s->k + r * s->kv_stride, *v = s->v + r * s->kv_stride;
		size_t rotation = (size_t)r * (dim / 2);

		p->k->rope(k + (size_t)begin * dim, dim, s->cosine + rotation, s->sine + rotation, dim, end - begin,
			   k + (size_t)begin * dim, dim);
		for (uint32_t head = begin; head < end; head++) {
			struct mote_kv kv = kv_of_row(p, r, index, head);

			p->k->kv_store(&kv, position % s->chunk_positions, k + (size_t)head * dim, v + (size_t)head * dim);
		}
	}
}

/* A piece of attention to few rows: one segment, so that threads share out even a single row's positions. */
struct piece {
	const struct mote_block *b;
	uint32_t index, segment, kv_head; /* index: within the block */
};

static uint32_t block_pieces(const struct pass *p, const struct mote_block *b)
{
	return b->segments * p->config->kv_heads;
}

/* Pieces that a thread need not claim: those from thread * attention_share() on. */
static uint32_t attention_share(const struct pass *p)
{
	uint32_t pieces = 0;

	for (uint32_t b = 0; b < p->s->blocks; b++)
		pieces += block_pieces(p, &p->s->block[b]);
	return sure_share(p, pieces, 6);
}

/* Piece i of all blocks; false: there is none. */
static bool find_piece(const struct pass *p, uint32_t i, struct piece *piece)
{
	for (const struct mote_block *b = p->s->block; b < p->s->block + p->s->blocks; b++) {
		if (i < block_pieces(p, b)) {
			*piece = (struct piece){.b = b, .index = i, .segment = i / p->config->kv_heads,
						.kv_head = i % p->config->kv_heads};
			return true;
		}
		i -= block_pieces(p, b);
	}
	return false;
}

/* What this thread will attend to first. */
static void fetch_first_piece(struct pass *p, uint32_t layer)
{
	const uint32_t share = attention_share(p);
	struct piece first;
	struct mote_kv kv;

	if (!find_piece(p, share ? p->thread * share : p->thread, &first))
		return;
	kv = mote_session_kv(p->s, first.b->sequence, first.segment, layer, first.kv_head);
	mote_kv_fetch(&kv, least(first.b->position - first.segment * MOTE_SEGMENT_POSITIONS, MOTE_SEGMENT_POSITIONS));
}

/* The first piece that begins at this weight or later. */
static uint32_t piece_at(uint32_t weight, uint32_t kv_pieces)
{
	return weight < 2 * kv_pieces ? quotient_up(weight, 2) : weight - kv_pieces;
}

/* q, k and v are one job: pieces [begin, end), each of as many heads as fill whole panels, those of keys and values
 * before those of queries. */
static void project_pieces(struct pass *p, const struct mote_layer *layer, uint32_t index,
			   const struct mote_activations *x, uint32_t begin, uint32_t end, uint32_t row, uint32_t row_end)
{
	uint32_t span = p->s->span, heads = p->config->heads, kv_heads = p->config->kv_heads;
	uint32_t kv_pieces = quotient_up(kv_heads, span);

	if (begin < kv_pieces && begin < end)
		project_keys_values(p, layer, index, x, begin * span, least(end * span, kv_heads), row, row_end);
	begin = begin < kv_pieces ? kv_pieces : begin;
	if (begin < end)
		project_queries(p, layer, x, (begin - kv_pieces) * span, least((end - kv_pieces) * span, heads), row, row_end);
}

/* Shared out like any product. Few rows: a piece of keys and values, which is twice as long, counts as two. */
static void project(struct pass *p, const struct mote_layer *layer, uint32_t index, const struct mote_activations *x)
{
	uint32_t span = p->s->span, tiles = p->few ? 1 : quotient_up(p->rows, MOTE_TILE_ROWS), at = 0;
	uint32_t kv_pieces = quotient_up(p->config->kv_heads, span), q_pieces = quotient_up(p->config->heads, span);
	uint32_t pieces = kv_pieces + q_pieces;

	if (p->few) {
		uint32_t share = sure_share(p, pieces + kv_pieces, 6);

		project_pieces(p, layer, index, x, piece_at(p->thread * share, kv_pieces),
			       piece_at((p->thread + 1) * share, kv_pieces), 0, p->rows);
		at = piece_at(p->threads * share, kv_pieces);
	}
	for (uint32_t i = claim(p), piece; (piece = at + i / tiles) < pieces; i = claim(p))
		project_pieces(p, layer, index, x, piece, piece + 1, i % tiles * MOTE_TILE_ROWS,
			       p->few ? p->rows : least((i % tiles + 1) * MOTE_TILE_ROWS, p->rows));
	if (p->few)
		fetch_first_piece(p, index);
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

/* Few rows: after the barrier every thread merges the parts of all pieces for itself. */
static const struct mote_activations *attend_few(struct pass *p, uint32_t layer, bool quantized)
{
	struct mote_session *s = p->s;
	struct mote_activations *y = &p->own->attended;
	const uint32_t kv_heads = p->config->kv_heads, share = attention_share(p);
	struct piece now, next;

	for (uint32_t n = 0;; n++) {
		uint32_t i = n < share ? p->thread * share + n : p->threads * share + claim(p);
		uint32_t then = n + 1 < share ? i + 1 : n + 1 == share ? p->threads * share + p->thread : i + p->threads;

		if (!find_piece(p, i, &now))
			break;
		attend_segment(p, now.b, layer, now.kv_head, now.segment, !find_piece(p, then, &next) ? NULL :
			       mote_session_kv(s, next.b->sequence, next.segment, layer, next.kv_head).k_data,
			       s->parts + (now.b->first_part + (size_t)now.index * now.b->rows * s->group) * s->part_floats);
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
			 .thread = thread, .threads = threads, .rows = s->batch->rows,
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
