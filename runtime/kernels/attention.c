/* Attention over the key-value cache, any table: scores are a product with K, then softmax, then the mix of V;
 * segment by segment, so that neither batch nor threads nor depth change a bit (kernels.h).
 *
 * A query row sees exactly the positions up to its own. Where the rows of a block end at different positions,
 * the common ones are mixed for all rows at once and the rest row by row: adding 0 * v instead would read
 * positions that may not be stored yet, and would turn -0 into +0.
 */
#include <string.h>

#include "runtime/kernels/tables.h"

/* Query rows at a time: their scores, 24 KiB, stay in the first-level cache beside the keys. */
enum { BLOCK_ROWS = 24, SEGMENT_BLOCKS = MOTE_SEGMENT_POSITIONS / 32 };

/* With few query rows attention is as fast as the cache comes from memory. What is asked for next is then fetched
 * meanwhile, some lines between one step of the arithmetic and the next: what is more than a core can have on their way
 * is waited for, and so are the lines that the arithmetic needs; rather a part is not fetched. A core has more on their
 * way from four places than from one (docs/architecture.md, "Four places"). */
enum { FEW_ROWS = 8, STEP_QUANTS = 32, STEP_FLOATS = 16, PLACES = 4, MOST_FETCHES = 8, LINE = 64 };

uint32_t mote_attention_first_segment(uint32_t position, uint32_t window)
{
	return window == 0 || position < window ? 0 : (position + 1 - window) / MOTE_SEGMENT_POSITIONS;
}

uint32_t mote_attention_segments(uint32_t position)
{
	return position / MOTE_SEGMENT_POSITIONS + 1;
}

size_t mote_attention_part_floats(uint32_t head_dim)
{
	return MOTE_PART_VALUES + ((size_t)head_dim + 31) / 32 * 32;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A segment of some query rows of a, and what of the next one has been fetched. */
struct segment {
	const struct mote_kernels *k;
	const struct mote_attention *a;
	const struct mote_kv *kv;
	uint32_t begin, last;        /* positions that any row sees */
	uint32_t end[BLOCK_ROWS];    /* each row's; ascending */
	uint32_t from[BLOCK_ROWS];   /* where each row's window begins, at most at its end; ascending */
	uint32_t first, n;           /* query rows */
	float *s;                    /* [n][MOTE_SEGMENT_POSITIONS]: scores, then weights */
	float *part;
	size_t stride;               /* of part */
	const uint8_t *next;         /* what is fetched, in the first of PLACES */
	size_t place;                /* bytes from one of these to another */
	uint32_t step;               /* positions */
	uint32_t fetches, left;      /* lines of each place a step, and in all */
};

static void fetch(struct segment *g)
{
	const uint8_t *at = g->next;
	uint32_t n = min_u32(g->fetches, g->left);

	g->left -= n;
	for (; n > 0; n--, at += LINE) { /* four PLACES, one by one: as a loop they take longer than they save */
		__builtin_prefetch(at, 0, 3);
		__builtin_prefetch(at + g->place, 0, 3);
		__builtin_prefetch(at + 2 * g->place, 0, 3);
		__builtin_prefetch(at + 3 * g->place, 0, 3);
	}
	g->next = at;
}

static void score(struct segment *g)
{
	uint32_t panels = (g->last - g->begin + 15) / 16, step = g->fetches ? g->step / 16 : panels;

	for (uint32_t p = 0; p < panels; p += step) {
		fetch(g);
		g->k->multiply[g->kv->k.type](&g->kv->k, g->begin / 16 + p, min_u32(step, panels - p), g->a->q,
					      g->a->row + g->first, g->n, g->s + (size_t)p * 16,
					      MOTE_SEGMENT_POSITIONS);
	}
}

typedef float lanes __attribute__((vector_size(64), may_alias));

/* Both on 64 bytes, and read to the end of the last 16. */
static void scale_weights(float *weight, const float *scale, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 16)
		*(lanes *)(void *)(weight + i) *= *(const lanes *)(const void *)(scale + i);
}

/* Weights of positions that a row does not see are zero; with the positions' scales they are quantized like any
 * product's input. */
static void mix_quants(struct segment *g)
{
	_Alignas(64) int8_t q[BLOCK_ROWS * MOTE_SEGMENT_POSITIONS];
	float scale[BLOCK_ROWS * SEGMENT_BLOCKS];
	int32_t bias[BLOCK_ROWS * SEGMENT_BLOCKS];
	uint32_t seen = g->last - g->begin, step;
	struct mote_activations weights = { .q = q, .scale = scale, .bias = bias, .rows = g->n, .cols = seen,
					    .stride = MOTE_SEGMENT_POSITIONS };
	struct mote_matrix v = g->kv->v_quants;
	const float *position_scale = g->kv->v_scale + g->begin;

	for (uint32_t r = 0; r < g->n; r++) {
		float *s = g->s + (size_t)r * MOTE_SEGMENT_POSITIONS;
		uint32_t own = g->end[r] - g->begin;

		fetch(g);
		scale_weights(s, position_scale, own);
		memset(s + own, 0, (seen - own) * sizeof *s);
		g->k->quantize(s, seen, q + (size_t)r * MOTE_SEGMENT_POSITIONS, scale + r * SEGMENT_BLOCKS,
			       bias + r * SEGMENT_BLOCKS);
	}
	/* The columns of this segment; quants take 512 bytes a block, their scales 32. */
	v.data += (size_t)(g->begin / 32) * 32;
	v.quants_offset += (size_t)(g->begin / 32) * (512 - 32);
	v.cols = seen;
	v.blocks = (seen + 31) / 32;
	step = g->fetches ? 1 : v.panels;
	for (uint32_t p = 0; p < v.panels; p += step) {
		fetch(g);
		g->k->multiply[MOTE_Q8](&v, p, step, &weights, 0, g->n, g->part + MOTE_PART_VALUES + p * 16, g->stride);
	}
}

static void mix_floats(struct segment *g)
{
	mote_mix_fn *mix = g->k->mix[g->kv->v_type];
	uint32_t common = g->end[0], step = g->fetches ? g->step : MOTE_SEGMENT_POSITIONS;

	for (uint32_t r = 0; r < g->n; r++)
		memset(g->part + r * g->stride + MOTE_PART_VALUES, 0, (g->stride - MOTE_PART_VALUES) * sizeof *g->part);
	for (uint32_t at = g->begin; at < common; at += step) {
		fetch(g);
		mix(g->kv, at, min_u32(at + step, common), g->s + (at - g->begin), MOTE_SEGMENT_POSITIONS, g->n,
		    g->part + MOTE_PART_VALUES, g->stride);
	}
	for (uint32_t r = 0; r < g->n; r++)
		if (g->end[r] > common)
			mix(g->kv, common, g->end[r], g->s + (size_t)r * MOTE_SEGMENT_POSITIONS + (common - g->begin),
			    MOTE_SEGMENT_POSITIONS, 1, g->part + r * g->stride + MOTE_PART_VALUES, g->stride);
}

/* Which positions of the segment each row sees. */
static void find_ends(struct segment *g)
{
	for (uint32_t r = 0; r < g->n; r++) {
		uint32_t own = g->a->position + (g->first + r) / g->a->group + 1, from = g->begin;

		g->end[r] = own < g->begin ? g->begin : min_u32(own, g->begin + MOTE_SEGMENT_POSITIONS);
		if (g->a->window && own > g->a->window && own - g->a->window > from)
			from = own - g->a->window;
		g->from[r] = min_u32(from, g->end[r]);
	}
	g->last = g->end[g->n - 1];
}

/* Scores of row r to weights. A position before the window has the score of minus infinity, and so the weight of
 * exactly zero, which adds nothing where sums begin with +0; it is before all others that count. */
static void weigh(struct segment *g, uint32_t r)
{
	float *s = g->s + (size_t)r * MOTE_SEGMENT_POSITIONS, *part = g->part + r * g->stride, scale = g->a->scale;
	uint32_t n = g->end[r] - g->begin, hidden = g->from[r] - g->begin;

	if (hidden == n) { /* the part stays empty */
		memset(s, 0, n * sizeof *s);
		return;
	}
	if (g->a->cap > 0) {
		g->k->softcap(s, n, scale / g->a->cap, g->a->cap);
		scale = 1;
	}
	for (uint32_t i = 0; i < hidden; i++)
		s[i] = -__builtin_inff();
	part[1] = g->k->softmax(s, n, scale, part);
}

static void plan_fetch(struct segment *g)
{
	bool quants = g->kv->v_type == MOTE_Q8;
	uint32_t scans = MOTE_SEGMENT_POSITIONS / (quants ? STEP_QUANTS : STEP_FLOATS);
	uint32_t steps = scans + g->n + (quants ? g->n + g->kv->v_quants.panels : scans);

	g->step = MOTE_SEGMENT_POSITIONS / scans;
	g->next = g->kv->next;
	g->left = (uint32_t)(g->kv->next_bytes / (PLACES * LINE));
	g->fetches = min_u32(g->left / steps + 1, MOST_FETCHES);
	g->place = (size_t)g->left * LINE;
}

/* Query rows [first, first + n) of a, n <= BLOCK_ROWS; positions from begin. */
static void segment_block(const struct mote_kernels *k, const struct mote_attention *a, uint32_t begin,
			  uint32_t first, uint32_t n, float *part)
{
	_Alignas(64) float s[BLOCK_ROWS * MOTE_SEGMENT_POSITIONS];
	struct segment g = { .k = k, .a = a, .kv = a->kv, .begin = begin, .first = first, .n = n, .s = s, .part = part,
			     .stride = mote_attention_part_floats(a->kv->head_dim) };

	find_ends(&g);
	for (uint32_t r = 0; r < n; r++)
		memset(part + r * g.stride, 0, MOTE_PART_VALUES * sizeof *part);
	if (g.from[0] == begin + MOTE_SEGMENT_POSITIONS || g.last == begin)
		return;
	if (n <= FEW_ROWS && a->kv->next)
		plan_fetch(&g);
	score(&g);
	for (uint32_t r = 0; r < n; r++) {
		fetch(&g);
		weigh(&g, r);
	}
	if (g.kv->v_type == MOTE_Q8)
		mix_quants(&g);
	else
		mix_floats(&g);
}

void mote_attention_segment(const struct mote_kernels *k, const struct mote_attention *a, uint32_t segment,
			    float *part)
{
	size_t stride = mote_attention_part_floats(a->kv->head_dim);
	uint32_t rows = a->rows * a->group;

	for (uint32_t first = 0; first < rows; first += BLOCK_ROWS)
		segment_block(k, a, segment * MOTE_SEGMENT_POSITIONS, first, min_u32(rows - first, BLOCK_ROWS),
			      part + first * stride);
}

void mote_attention_clear(float *state, uint32_t n, uint32_t head_dim)
{
	memset(state, 0, n * mote_attention_part_floats(head_dim) * sizeof *state);
}

void mote_attention_merge(const struct mote_kernels *k, float *state, const float *part, uint32_t n,
			  uint32_t head_dim)
{
	size_t stride = mote_attention_part_floats(head_dim);

	for (uint32_t r = 0; r < n; r++)
		k->merge(state + r * stride, part + r * stride, head_dim);
}

void mote_attention_finish(const float *state, uint32_t head_dim, float *out)
{
	const float inverse = 1.0f / state[1];
	lanes v;

	for (uint32_t d = 0; d < head_dim; d += 16) {
		memcpy(&v, state + MOTE_PART_VALUES + d, sizeof v); /* a part goes on to the end of the last 16 */
		v *= inverse;
		memcpy(out + d, &v, head_dim - d < 16 ? (head_dim - d) * sizeof *out : sizeof v);
	}
}
