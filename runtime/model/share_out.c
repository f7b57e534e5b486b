/* See share_out.h. */
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/model/share_out.h"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t quotient_up(uint32_t a, uint32_t b)
{
	return a / b + (a % b != 0);
}

/* Work on few rows is shared out beforehand, so that each thread's memory streams in one long run and no thread waits
 * for the counter; all but a rest, a `part`th of the pieces and at most four a thread, which evens out at the end.
 * Returns how many pieces a thread need not claim. */
static uint32_t sure_share(const struct mote_pass *p, uint32_t pieces, uint32_t part)
{
	uint32_t rest = least(quotient_up(pieces, part), 4 * p->at.members);

	return (pieces - rest) / p->at.members;
}

/* Few rows are one tile; how many items there are is the caller's. */
static struct mote_turns turns_of_tiles(const struct mote_pass *p, uint32_t rows)
{
	uint32_t step = rows <= MOTE_FEW_ROWS ? rows : MOTE_TILE_ROWS;

	return (struct mote_turns){.rows = rows, .groups = mote_share_groups(p, rows), .step = step};
}

/* In pieces of four panels, which kernels take together; many rows in tiles. */
void mote_share_multiply(struct mote_pass *p, const struct mote_matmul *job, uint32_t n)
{
	bool few = n <= MOTE_FEW_ROWS;
	uint32_t panels = job->w->panels, piece = 4, at = 0;
	struct mote_turns turns = turns_of_tiles(p, n);
	struct mote_turn t;

	if (few) {
		uint32_t share = sure_share(p, quotient_up(panels, piece), 16) * piece;

		mote_matmul_run(p->k, job, p->at.rank * share, (p->at.rank + 1) * share, 0, n);
		at = p->at.members * share;
	}
	turns.items = quotient_up(panels - at, piece);
	while (mote_share_turn(p, &turns, &t)) {
		uint32_t begin = at + t.item * piece;

		mote_matmul_run(p->k, job, begin, least(begin + piece, panels), t.row, t.row_end);
	}
}

/* ---- queries, keys and values ---- */

/* A piece of them: heads [begin, end), which fill whole panels, of rows [row, row_end). */
struct piece {
	uint32_t begin, end, row, row_end;
};

/* job: the product without its epilogue. */
static void project_heads(struct mote_pass *p, const struct mote_matmul *job, struct piece at)
{
	uint32_t dim = p->config->head_dim;

	mote_matmul_run(p->k, job, at.begin * dim / MOTE_PANEL_ROWS, quotient_up(at.end * dim, MOTE_PANEL_ROWS), at.row,
			at.row_end);
}

static struct mote_matmul query_job(const struct mote_pass *p, uint32_t layer, const struct mote_activations *x)
{
	const struct mote_layer *w = &p->s->model->layer[layer];

	return (struct mote_matmul){.w = &w->q, .bias = w->q_bias, .x = x, .epilogue = MOTE_STORE, .y = p->s->q,
				    .y_stride = p->s->q_stride};
}

static struct mote_matmul key_job(const struct mote_pass *p, uint32_t layer, const struct mote_activations *x)
{
	const struct mote_layer *w = &p->s->model->layer[layer];

	return (struct mote_matmul){.w = &w->k, .bias = w->k_bias, .x = x, .epilogue = MOTE_STORE, .y = p->s->k,
				    .y_stride = p->s->kv_stride};
}

static struct mote_matmul value_job(const struct mote_pass *p, uint32_t layer, const struct mote_activations *x)
{
	const struct mote_layer *w = &p->s->model->layer[layer];

	return (struct mote_matmul){.w = &w->v, .bias = w->v_bias, .x = x, .epilogue = MOTE_STORE, .y = p->s->v,
				    .y_stride = p->s->kv_stride};
}

/* RMSNorm of each of n heads, in place, if the model has it here, before or after RoPE. */
static void norm_heads(const struct mote_pass *p, bool after_rope, float *x, uint32_t n, const float *weight)
{
	const unsigned both = MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE;
	uint32_t dim = p->config->head_dim;

	if ((p->config->features & both) != (after_rope ? both : (unsigned)MOTE_HEAD_NORM))
		return;
	for (uint32_t i = 0; i < n; i++, x += dim)
		p->k->norm(x, weight, dim, (float)p->config->norm_eps, x);
}

static float query_growth(const struct mote_config *c, uint32_t position)
{
	uint32_t turns;

	if (!(c->attention_growth > 0))
		return 1;
	turns = position / c->rope_original_positions;
	return (float)(1 + c->attention_growth * mote_exact_log(1.0 + turns));
}

/* Queries before RoPE to query, ordered so that the query heads which share a KV head lie together. */
static void finish_queries(struct mote_pass *p, uint32_t layer, struct piece at)
{
	struct mote_session *s = p->s;
	const struct mote_layer *w = &s->model->layer[layer];
	uint32_t dim = p->config->head_dim, turned = 2 * s->half;

	for (uint32_t r = at.row; r < at.row_end; r++) {
		const float growth = query_growth(p->config, s->batch->position[r]);

		for (uint32_t head = at.begin; head < at.end; head++) {
			uint32_t to = (head / s->group * p->rows + r) * s->group + head % s->group;
			float *x = s->q + r * s->q_stride + (size_t)head * dim, *y = s->query.x + to * s->query.stride;
			size_t rotation = mote_session_rotation(s, w->rotation, r);

			norm_heads(p, false, x, 1, w->q_norm);
			p->k->rope(x, dim, s->cosine + rotation, s->sine + rotation, turned, 1, y, s->query.stride);
			memcpy(y + turned, x + turned, (dim - turned) * sizeof *y);
			norm_heads(p, true, y, 1, w->q_norm);
			if (growth != 1)
				mote_vector_scale(y, dim, growth);
			if (s->cache.first.k.type == MOTE_Q8)
				mote_activations_quantize(p->k, &s->query, to, to + 1);
		}
	}
}

/* query = rope(Wq x) */
static void project_queries(struct mote_pass *p, uint32_t layer, const struct mote_activations *x, struct piece at)
{
	struct mote_matmul job = query_job(p, layer, x);

	project_heads(p, &job, at);
	finish_queries(p, layer, at);
}

/* The cache of the keys and values that a row stores. */
static struct mote_kv kv_of_row(const struct mote_pass *p, uint32_t row, uint32_t layer, uint32_t kv_head)
{
	const struct mote_session *s = p->s;

	return mote_kv_cache_head(&s->cache, mote_batch_sequence(s->batch, row),
				  s->batch->position[row] / s->cache.page_positions, layer, kv_head);
}

/* Keys before RoPE, and values, to the cache. */
static void finish_keys_values(struct mote_pass *p, uint32_t layer, struct piece at)
{
	struct mote_session *s = p->s;
	const struct mote_layer *w = &s->model->layer[layer];
	uint32_t dim = p->config->head_dim, page = s->cache.page_positions;

	for (uint32_t r = at.row; r < at.row_end; r++) {
		float *k = s->k + r * s->kv_stride, *v = s->v + r * s->kv_stride, *first = k + (size_t)at.begin * dim;
		size_t rotation = mote_session_rotation(s, w->rotation, r);

		norm_heads(p, false, first, at.end - at.begin, w->k_norm);
		p->k->rope(first, dim, s->cosine + rotation, s->sine + rotation, 2 * s->half, at.end - at.begin,
			   first, dim);
		norm_heads(p, true, first, at.end - at.begin, w->k_norm);
		for (uint32_t head = at.begin; head < at.end; head++) {
			struct mote_kv kv = kv_of_row(p, r, layer, head);

			p->k->kv_store(&kv, s->batch->position[r] % page, k + (size_t)head * dim,
				       v + (size_t)head * dim);
		}
	}
}

/* cache = rope(Wk x), Wv x */
static void project_keys_values(struct mote_pass *p, uint32_t layer, const struct mote_activations *x, struct piece at)
{
	struct mote_session *s = p->s;
	struct mote_matmul keys = key_job(p, layer, x), values = value_job(p, layer, x);

	for (uint32_t r = at.row; r < at.row_end && p->few; r++)
		for (uint32_t head = at.begin; head < at.end; head++) {
			struct mote_kv kv = kv_of_row(p, r, layer, head);

			mote_kv_fetch_for_store(&kv, s->batch->position[r] % s->cache.page_positions);
		}
	project_heads(p, &keys, at);
	project_heads(p, &values, at);
	finish_keys_values(p, layer, at);
}

/* A norm over all heads needs them all: then each product ends at a barrier, and rows are what is shared out. */
static void project_wide(struct mote_pass *p, uint32_t layer, const struct mote_activations *x)
{
	struct mote_session *s = p->s;
	const struct mote_layer *w = &s->model->layer[layer];
	struct mote_matmul job[3] = {key_job(p, layer, x), value_job(p, layer, x), query_job(p, layer, x)};
	const float eps = (float)p->config->norm_eps;
	struct mote_turns rows = mote_share_rows(p, p->rows);

	for (int i = 0; i < 3; i++) {
		mote_share_multiply(p, &job[i], p->rows);
		mote_share_barrier(p);
	}
	for (struct mote_turn t; mote_share_turn(p, &rows, &t);) {
		const uint32_t r = t.row;
		float *q = s->q + r * s->q_stride, *k = s->k + r * s->kv_stride;

		p->k->norm(q, w->q_norm, w->q.rows, eps, q);
		p->k->norm(k, w->k_norm, w->k.rows, eps, k);
		finish_keys_values(p, layer, (struct piece){0, p->config->kv_heads, r, r + 1});
		finish_queries(p, layer, (struct piece){0, p->config->heads, r, r + 1});
	}
	mote_share_barrier(p);
}

/* q, k and v are one job: pieces [at.begin, at.end), each of as many heads as fill whole panels, those of keys and
 * values before those of queries. */
static void project_pieces(struct mote_pass *p, uint32_t layer, const struct mote_activations *x, struct piece at)
{
	uint32_t span = p->s->span, heads = p->config->heads, kv_heads = p->config->kv_heads;
	uint32_t kv_pieces = quotient_up(kv_heads, span), begin = at.begin;

	if (begin < kv_pieces && begin < at.end)
		project_keys_values(p, layer, x,
				    (struct piece){begin * span, least(at.end * span, kv_heads), at.row, at.row_end});
	begin = begin < kv_pieces ? kv_pieces : begin;
	if (begin < at.end)
		project_queries(p, layer, x, (struct piece){(begin - kv_pieces) * span,
							    least((at.end - kv_pieces) * span, heads), at.row,
							    at.row_end});
}

/* The first piece that begins at this weight or later. */
static uint32_t piece_at(uint32_t weight, uint32_t kv_pieces)
{
	return weight < 2 * kv_pieces ? quotient_up(weight, 2) : weight - kv_pieces;
}

static void fetch_first_segment(struct mote_pass *p, uint32_t layer);

/* Shared out like any product. Few rows: a piece of keys and values, which is twice as long, counts as two. */
void mote_share_project(struct mote_pass *p, uint32_t layer, const struct mote_activations *x)
{
	uint32_t span = p->s->span, at = 0;
	uint32_t kv_pieces = quotient_up(p->config->kv_heads, span), q_pieces = quotient_up(p->config->heads, span);
	uint32_t pieces = kv_pieces + q_pieces;
	struct mote_turns turns = turns_of_tiles(p, p->rows);
	struct mote_turn t;

	if (p->config->features & MOTE_WIDE_NORM) {
		project_wide(p, layer, x);
		return;
	}
	if (p->few) {
		uint32_t share = sure_share(p, pieces + kv_pieces, 6);

		project_pieces(p, layer, x, (struct piece){piece_at(p->at.rank * share, kv_pieces),
							   piece_at((p->at.rank + 1) * share, kv_pieces), 0, p->rows});
		at = piece_at(p->at.members * share, kv_pieces);
	}
	turns.items = pieces - at;
	while (mote_share_turn(p, &turns, &t))
		project_pieces(p, layer, x, (struct piece){at + t.item, at + t.item + 1, t.row, t.row_end});
	if (p->few)
		fetch_first_segment(p, layer);
	mote_share_barrier(p);
}

/* ---- attention ---- */

/* A piece of attention to few rows: one segment, so that threads share out even a single row's positions. */
struct segment {
	const struct mote_block *b;
	uint32_t index, segment, kv_head; /* index: within the block */
};

/* The first segment that any row of the block sees in this layer. */
static uint32_t block_first(const struct mote_pass *p, const struct mote_block *b, uint32_t layer)
{
	return mote_attention_first_segment(b->position, p->s->model->layer[layer].window);
}

static uint32_t block_segments(const struct mote_pass *p, const struct mote_block *b, uint32_t layer)
{
	return (b->segments - block_first(p, b, layer)) * p->config->kv_heads;
}

/* Segments that a thread need not claim: those from thread * attention_share() on. */
static uint32_t attention_share(const struct mote_pass *p, uint32_t layer)
{
	uint32_t pieces = 0;

	for (uint32_t b = 0; b < p->s->blocks; b++)
		pieces += block_segments(p, &p->s->block[b], layer);
	return sure_share(p, pieces, 6);
}

/* Segment i of all blocks; false: there is none. */
static bool find_segment(const struct mote_pass *p, uint32_t layer, uint32_t i, struct segment *found)
{
	for (const struct mote_block *b = p->s->block; b < p->s->block + p->s->blocks; b++) {
		uint32_t n = block_segments(p, b, layer);

		if (i < n) {
			*found = (struct segment){.b = b, .index = i,
						  .segment = block_first(p, b, layer) + i / p->config->kv_heads,
						  .kv_head = i % p->config->kv_heads};
			return true;
		}
		i -= n;
	}
	return false;
}

static struct mote_kv kv_of_segment(const struct mote_pass *p, const struct segment *at, uint32_t layer)
{
	return mote_kv_cache_head(&p->s->cache, at->b->sequence, at->segment, layer, at->kv_head);
}

/* What this thread will attend to first. */
static void fetch_first_segment(struct mote_pass *p, uint32_t layer)
{
	const uint32_t share = attention_share(p, layer);
	struct segment first;
	struct mote_kv kv;

	if (!find_segment(p, layer, share ? p->at.rank * share : p->at.rank, &first))
		return;
	kv = kv_of_segment(p, &first, layer);
	mote_kv_fetch(&kv, least(first.b->position - first.segment * MOTE_SEGMENT_POSITIONS, MOTE_SEGMENT_POSITIONS));
}

/* softmax(q K^T / sqrt(head_dim)) V over one segment of positions, for the query heads of one KV head.
 * next: NULL, or the part of the cache that this thread will read after this one. */
static void attend_segment(struct mote_pass *p, const struct segment *at, uint32_t layer, const uint8_t *next,
			   float *part)
{
	struct mote_session *s = p->s;
	struct mote_kv kv = kv_of_segment(p, at, layer);
	struct mote_attention a = {.kv = &kv, .q = &s->query, .row = (at->kv_head * p->rows + at->b->row) * s->group,
				   .rows = at->b->rows, .group = s->group,
				   .position = at->b->position - at->segment * MOTE_SEGMENT_POSITIONS,
				   .window = s->model->layer[layer].window, .scale = s->score_scale,
				   .cap = (float)p->config->attention_cap};

	kv.next = next;
	kv.next_bytes = s->cache.head_bytes;
	mote_attention_segment(p->k, &a, 0, part);
}

/* The merged state of a block's query heads of one KV head, to their columns of y. */
static void finish_attention(struct mote_pass *p, const struct mote_block *b, uint32_t kv_head, const float *state,
			     struct mote_activations *y)
{
	uint32_t group = p->s->group, dim = p->config->head_dim;

	for (uint32_t r = 0; r < b->rows; r++)
		for (uint32_t i = 0; i < group; i++)
			mote_attention_finish(state + (r * group + i) * p->s->part_floats, dim,
					      y->x + (b->row + r) * y->stride + (size_t)(kv_head * group + i) * dim);
}

/* Few rows: every thread merges the parts of all segments for itself. */
static void merge_parts(struct mote_pass *p, const struct mote_block *b, uint32_t layer, uint32_t kv_head,
			struct mote_activations *y)
{
	struct mote_session *s = p->s;
	uint32_t n = b->rows * s->group, dim = p->config->head_dim;

	mote_attention_clear(p->own->state, n, dim);
	for (uint32_t i = 0; i < b->segments - block_first(p, b, layer); i++) {
		size_t index = (size_t)i * p->config->kv_heads + kv_head;

		mote_attention_merge(p->k, p->own->state, s->parts + (b->first_part + index * n) * s->part_floats, n,
				     dim);
	}
	finish_attention(p, b, kv_head, p->own->state, y);
}

/* Few rows: a piece is one segment; a thread's first `share` pieces follow each other, the rest is claimed. While a
 * segment is computed the one after it is fetched, which for claimed pieces is a guess: the others take turns. */
static const struct mote_activations *attend_few(struct mote_pass *p, uint32_t layer, bool quantized)
{
	struct mote_session *s = p->s;
	struct mote_activations *y = &p->own->attended;
	const uint32_t share = attention_share(p, layer), claimed = p->at.members * share;
	struct segment now, next;
	const uint8_t *fetched;
	size_t part;

	for (uint32_t n = 0;; n++) {
		uint32_t i = n < share ? p->at.rank * share + n : claimed + mote_share_claim(p);
		uint32_t then = n + 1 < share ? i + 1 : n + 1 == share ? claimed + p->at.rank : i + p->at.members;

		if (!find_segment(p, layer, i, &now))
			break;
		fetched = find_segment(p, layer, then, &next) ? kv_of_segment(p, &next, layer).k_data : NULL;
		part = now.b->first_part + (size_t)now.index * now.b->rows * s->group;
		attend_segment(p, &now, layer, fetched, s->parts + part * s->part_floats);
	}
	mote_share_barrier(p);
	for (const struct mote_block *b = s->block; b < s->block + s->blocks; b++)
		for (uint32_t kv_head = 0; kv_head < p->config->kv_heads; kv_head++)
			merge_parts(p, b, layer, kv_head, y);
	if (quantized)
		mote_activations_quantize(p->k, y, 0, p->rows);
	return y;
}

/* Many rows: a piece is one block and KV head with all its segments. */
static const struct mote_activations *attend_many(struct mote_pass *p, uint32_t layer, bool quantized)
{
	struct mote_session *s = p->s;
	struct mote_turns rows = mote_share_rows(p, p->rows), turns = rows;
	struct mote_turn t;

	turns.rows = s->blocks; /* each of them belongs to who has about these rows */
	turns.groups = least(rows.groups, s->blocks);
	turns.items = p->config->kv_heads;
	while (mote_share_turn(p, &turns, &t)) {
		struct segment at = {.b = &s->block[t.row], .kv_head = t.item};
		uint32_t n = at.b->rows * s->group;

		mote_attention_clear(p->own->state, n, p->config->head_dim);
		for (at.segment = block_first(p, at.b, layer); at.segment < at.b->segments; at.segment++) {
			attend_segment(p, &at, layer, NULL, p->own->part);
			mote_attention_merge(p->k, p->own->state, p->own->part, n, p->config->head_dim);
		}
		finish_attention(p, at.b, at.kv_head, p->own->state, &s->attended);
	}
	mote_share_barrier(p);
	if (quantized) {
		while (mote_share_turn(p, &rows, &t))
			mote_activations_quantize(p->k, &s->attended, t.row, t.row_end);
		mote_share_barrier(p);
	}
	return &s->attended;
}

const struct mote_activations *mote_share_attend(struct mote_pass *p, uint32_t layer, bool quantized)
{
	bool few = p->few && p->s->n_parts <= p->s->max_parts;

	return few ? attend_few(p, layer, quantized) : attend_many(p, layer, quantized);
}
