/* Float products for training: see train.h.
 *
 * B is packed, 256 deep and 128 columns wide, into panels of 32 columns that fit into the second-level cache; 12 rows
 * of A then stay in the first while they go over the panels. C is taken up again for each 256: its sums simply go on,
 * so that the cut leaves no trace in the result.
 */
#include <string.h>

#include "runtime/kernels/train.h"

enum { DEPTH = 256, GROUP_COLS = 128, PIECE_ROWS = 384, BAND = 16 };

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_mask __attribute__((vector_size(16)));

#ifdef __clang__
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PICK(a, b, ...) __builtin_shuffle(a, b, (quad_mask){__VA_ARGS__})
#endif

static quad load(const float *from)
{
	quad q;

	memcpy(&q, from, sizeof q);
	return q;
}

/* Four columns of B, each contiguous, by four of depth. */
static void turn_four(const float *b, size_t b_col, float *out)
{
	quad c0 = load(b), c1 = load(b + b_col), c2 = load(b + 2 * b_col), c3 = load(b + 3 * b_col);
	quad low01 = PICK(c0, c1, 0, 4, 1, 5), low23 = PICK(c2, c3, 0, 4, 1, 5);
	quad high01 = PICK(c0, c1, 2, 6, 3, 7), high23 = PICK(c2, c3, 2, 6, 3, 7);
	const quad row[4] = {PICK(low01, low23, 0, 1, 4, 5), PICK(low01, low23, 2, 3, 6, 7),
			     PICK(high01, high23, 0, 1, 4, 5), PICK(high01, high23, 2, 3, 6, 7)};

	for (uint32_t i = 0; i < 4; i++)
		memcpy(out + i * MOTE_GEMM_COLS, &row[i], sizeof row[i]);
}

/* A band of a panel of B whose columns are contiguous or anyhow: few enough lines are written to stay in the
 * first-level cache. */
static void turn(const float *b, size_t b_row, size_t b_col, uint32_t width, uint32_t depth, float *out)
{
	uint32_t fours = b_row == 1 && depth % 4 == 0 ? width / 4 * 4 : 0;

	for (uint32_t j = 0; j < fours; j += 4)
		for (uint32_t d = 0; d < depth; d += 4)
			turn_four(b + j * b_col + d, b_col, out + d * MOTE_GEMM_COLS + j);
	for (uint32_t j = fours; j < width; j++)
		for (uint32_t d = 0; d < depth; d++)
			out[d * MOTE_GEMM_COLS + j] = b[j * b_col + d * b_row];
}

/* Columns [col, col + n) of B from depth `begin` on into panels [depth][32]; what is missing of the last is zero. */
static void pack(const struct mote_gemm *g, uint32_t col, uint32_t n, uint32_t begin, uint32_t depth, float *out)
{
	for (uint32_t p = 0; p < n; p += MOTE_GEMM_COLS, out += (size_t)depth * MOTE_GEMM_COLS) {
		uint32_t width = least(n - p, MOTE_GEMM_COLS);
		const float *b = g->b + (size_t)begin * g->b_row + (size_t)(col + p) * g->b_col;

		if (width < MOTE_GEMM_COLS)
			memset(out, 0, (size_t)depth * MOTE_GEMM_COLS * sizeof *out);
		if (g->b_col == 1)
			for (uint32_t d = 0; d < depth; d++)
				memcpy(out + (size_t)d * MOTE_GEMM_COLS, b + d * g->b_row, width * sizeof *out);
		else
			for (uint32_t d = 0; d < depth; d += BAND)
				turn(b + d * g->b_row, g->b_row, g->b_col, width, least(depth - d, BAND),
				     out + (size_t)d * MOTE_GEMM_COLS);
	}
}

/* A tile whose columns are not all there is computed aside. */
static void narrow_tile(const struct mote_kernels *k, struct mote_tile t, uint32_t width, float *aside)
{
	float *c = t.c;
	size_t c_row = t.c_row;

	t.c = aside;
	t.c_row = MOTE_GEMM_COLS;
	memset(aside, 0, MOTE_GEMM_ROWS * MOTE_GEMM_COLS * sizeof *aside);
	for (uint32_t i = 0; i < t.rows && t.add; i++)
		memcpy(aside + (size_t)i * MOTE_GEMM_COLS, c + i * c_row, width * sizeof *c);
	k->tile(&t);
	for (uint32_t i = 0; i < t.rows; i++)
		memcpy(c + i * c_row, aside + (size_t)i * MOTE_GEMM_COLS, width * sizeof *c);
}

/* Rows [row, row_end) and up to GROUP_COLS columns from col on. */
static void piece(const struct mote_kernels *k, const struct mote_gemm *g, uint32_t row, uint32_t row_end, uint32_t col,
		  float *scratch)
{
	float *aside = scratch + DEPTH * GROUP_COLS;
	uint32_t cols = least(g->n - col, GROUP_COLS);

	for (uint32_t begin = 0; begin < g->depth; begin += DEPTH) {
		uint32_t depth = least(g->depth - begin, DEPTH);

		pack(g, col, cols, begin, depth, scratch);
		for (uint32_t i = row; i < row_end; i += MOTE_GEMM_ROWS)
			for (uint32_t j = 0; j < cols; j += MOTE_GEMM_COLS) {
				struct mote_tile t = {.a = g->a + i * g->a_row + begin * g->a_col, .a_row = g->a_row,
						      .a_col = g->a_col, .b = scratch + (size_t)j * depth,
						      .c = g->c + i * g->c_row + col + j, .c_row = g->c_row,
						      .rows = least(row_end - i, MOTE_GEMM_ROWS), .depth = depth,
						      .add = g->add || begin > 0};

				if (cols - j >= MOTE_GEMM_COLS)
					k->tile(&t);
				else
					narrow_tile(k, t, cols - j, aside);
			}
	}
}

void mote_gemm_run(const struct mote_kernels *k, const struct mote_gemm *g, float *scratch)
{
	for (uint32_t col = 0; col < g->n; col += GROUP_COLS)
		piece(k, g, 0, g->m, col, scratch);
}

struct shared {
	const struct mote_kernels *k;
	const struct mote_gemm *g;
	struct mote_pool *pool;
	float *scratch;
	size_t stride;
};

static void share(void *user, uint32_t thread, uint32_t threads)
{
	const struct shared *s = user;
	uint32_t groups = (s->g->n + GROUP_COLS - 1) / GROUP_COLS, blocks = (s->g->m + PIECE_ROWS - 1) / PIECE_ROWS, i;

	(void)threads;
	while ((i = mote_pool_claim(s->pool)) < groups * blocks) {
		uint32_t row = i / groups * PIECE_ROWS;

		piece(s->k, s->g, row, least(row + PIECE_ROWS, s->g->m), i % groups * GROUP_COLS,
		      s->scratch + thread * s->stride);
	}
}

void mote_gemm_share(const struct mote_kernels *k, struct mote_pool *pool, const struct mote_gemm *g, float *scratch,
		     size_t scratch_stride)
{
	struct shared s = {k, g, pool, scratch, scratch_stride};

	mote_pool_run(pool, share, &s);
}
