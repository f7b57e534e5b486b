/* Second-order encoding and the sums it stands on, against plain double-precision linear algebra. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/half.h"
#include "quant/encode/encode_matrix.h"
#include "quant/encode/gptq.h"
#include "quant/encode/second_moments.h"

enum { COLS = 80, N = 96, ROWS = 16, TOKENS = 400 };

static uint64_t random_state;

/* Each test begins with the same numbers, whichever ran before. */
static int seed(void **state)
{
	(void)state;
	random_state = 7;
	return 0;
}

static double random_normal(void)
{
	double sum = 0;

	for (int i = 0; i < 12; i++) {
		random_state = random_state * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(random_state >> 11) * 0x1p-53;
	}
	return sum - 6;
}

/* Inputs with strong correlations, as activations have them: 12 directions and a little noise. */
static void make_inputs(float *x, size_t stride, uint32_t tokens, uint32_t cols)
{
	static double direction[12][256];

	for (int d = 0; d < 12; d++)
		for (uint32_t j = 0; j < cols; j++)
			direction[d][j] = random_normal();
	for (uint32_t t = 0; t < tokens; t++)
		for (uint32_t j = 0; j < stride; j++)
			x[t * stride + j] = j < cols ? (float)(0.2 * random_normal()) : NAN; /* padding is never used */
	for (uint32_t t = 0; t < tokens; t++)
		for (int d = 0; d < 12; d++) {
			double amount = random_normal();
			for (uint32_t j = 0; j < cols; j++)
				x[t * stride + j] += (float)(amount * direction[d][j]);
		}
}

static void test_moments(void **state)
{
	const struct { uint32_t a_cols, b_cols, rows; } shapes[] = {{1, 1, 1}, {80, 80, 33}, {67, 130, 20},
								    {130, 17, 5}, {200, 150, 20}};

	(void)state;
	for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
		uint32_t a_cols = shapes[s].a_cols, b_cols = shapes[s].b_cols, rows = shapes[s].rows;
		size_t a_stride = (a_cols + 15) / 16 * 16, b_stride = (b_cols + 15) / 16 * 16;
		float *a = malloc(rows * a_stride * sizeof *a), *b = malloc(rows * b_stride * sizeof *b);
		double *sum[3];

		make_inputs(a, a_stride, rows, a_cols);
		make_inputs(b, b_stride, rows, b_cols);
		for (int k = 0; k < 3; k++) {
			struct mote_second_moments m = {0};
			struct mote_moment_sum job = { .a = a, .b = b, .a_stride = a_stride, .b_stride = b_stride,
						       .a_cols = a_cols, .b_cols = b_cols, .rows = rows };
			struct mote_pool *pool;

			sum[k] = job.sum = calloc((size_t)a_cols * b_cols, sizeof(double));
			assert_int_equal(mote_pool_open(k == 2 ? 5 : (uint32_t)k + 1, &pool, NULL), MOTE_OK);
			assert_int_equal(mote_second_moments_open(&m, pool, NULL), MOTE_OK);
			mote_second_moments_add(&m, &job);
			mote_second_moments_add(&m, &job);
			mote_second_moments_close(&m);
			mote_pool_close(pool);
		}
		for (uint32_t i = 0; i < a_cols; i++)
			for (uint32_t j = 0; j < b_cols; j++) {
				double expected = 0;

				for (uint32_t t = 0; t < rows; t++)
					expected += 2.0 * a[t * a_stride + i] * b[t * b_stride + j];
				assert_true(fabs(sum[0][i * b_cols + j] - expected) < 1e-3);
			}
		assert_memory_equal(sum[0], sum[1], (size_t)a_cols * b_cols * sizeof(double));
		assert_memory_equal(sum[0], sum[2], (size_t)a_cols * b_cols * sizeof(double));
		for (int k = 0; k < 3; k++)
			free(sum[k]);
		free(a);
		free(b);
	}
}

/* Where only the lower triangle is asked for, it is what it is among all sums. */
static void test_lower_moments(void **state)
{
	enum { COLUMNS = 256, TALL = 280 };
	float *a = malloc(TALL * COLUMNS * sizeof *a);
	double *all = calloc((size_t)COLUMNS * COLUMNS, sizeof *all);
	double *lower = calloc((size_t)COLUMNS * COLUMNS, sizeof *lower);
	struct mote_moment_sum job = { .a = a, .b = a, .a_stride = COLUMNS, .b_stride = COLUMNS, .a_cols = COLUMNS - 3,
				       .b_cols = COLUMNS - 3, .rows = TALL, .sum = all };
	struct mote_second_moments m = {0};
	struct mote_pool *pool;

	(void)state;
	make_inputs(a, COLUMNS, TALL, COLUMNS);
	assert_int_equal(mote_pool_open(2, &pool, NULL), MOTE_OK);
	assert_int_equal(mote_second_moments_open(&m, pool, NULL), MOTE_OK);
	mote_second_moments_add(&m, &job);
	job.sum = lower;
	job.lower = true;
	mote_second_moments_add(&m, &job);
	for (uint32_t i = 0; i < job.a_cols; i++)
		assert_memory_equal(all + (size_t)i * job.b_cols, lower + (size_t)i * job.b_cols,
				    (i + 1) * sizeof *all);
	mote_second_moments_close(&m);
	mote_pool_close(pool);
	free(all);
	free(lower);
	free(a);
}

/* X: what the source sees; Y: what the quantized model sees; and the sums over them. */
struct problem {
	float x[TOKENS][COLS], y[TOKENS][COLS]; /* COLS is a multiple of 16 */
	double h[COLS * COLS], cross[COLS * COLS];
	float rows[ROWS * N], lost[ROWS * N];
	struct mote_second_order s;
};

static struct problem *make_problem(double noise, bool cross)
{
	struct problem *p = calloc(1, sizeof *p);

	make_inputs(&p->x[0][0], COLS, TOKENS, COLS);
	for (int t = 0; t < TOKENS; t++)
		for (int j = 0; j < COLS; j++)
			p->y[t][j] = p->x[t][j] + (float)(noise * (random_normal() - 0.5 * p->x[t][(j + 1) % COLS]));
	for (int i = 0; i < COLS; i++)
		for (int j = 0; j < COLS; j++)
			for (int t = 0; t < TOKENS; t++) {
				p->h[i * COLS + j] += (double)p->y[t][i] * p->y[t][j];
				p->cross[i * COLS + j] += ((double)p->x[t][i] - p->y[t][i]) * p->y[t][j];
			}
	for (int r = 0; r < ROWS; r++)
		for (int j = 0; j < COLS; j++)
			p->rows[r * N + j] = (float)(0.05 * random_normal());
	assert_int_equal(mote_second_order_init(&p->s, COLS, p->h, cross ? p->cross : NULL, TOKENS, 0.01, 0.01, NULL),
			 MOTE_OK);
	assert_int_equal(p->s.n, N);
	return p;
}

static void free_problem(struct problem *p)
{
	mote_second_order_free(&p->s);
	free(p);
}

/* U' D U is H with its damping, which is the mean of the sums' lower triangle; that of the padding is apart. */
static void test_factors(void **state)
{
	struct problem *p = make_problem(0.3, true);
	const struct mote_second_order *s = &p->s;
	double mean = 0;

	(void)state;
	for (int i = 0; i < COLS; i++)
		mean += p->h[i * COLS + i] / TOKENS / COLS;
	for (int i = 0; i < N; i++)
		for (int j = 0; j <= i; j++) {
			double product = 0, expected = 0;

			for (int k = 0; k <= j; k++)
				product += (double)s->u[k * N + i] * s->d[k] * s->u[k * N + j];
			if (i < COLS)
				expected = p->h[i * COLS + j] / TOKENS;
			if (i == j)
				expected = i < COLS ? expected + 0.01 * mean : mean;
			assert_true(fabs(product - expected) < 1e-5 * mean);
			assert_true(fabs(s->h[i * N + j] - expected) < 1e-6 * mean);
			assert_true(s->h[i * N + j] == s->h[j * N + i]);
			if (i < COLS) {
				assert_true(s->cross[i * N + j] == (float)(p->cross[j * COLS + i] / TOKENS));
				assert_true(s->cross[j * N + i] == (float)(p->cross[i * COLS + j] / TOKENS));
			}
		}
	free_problem(p);
}

/* Mean square of what the outputs w.x - q.y + lost are off by, over rows and tokens. */
static double output_error(const struct problem *p, const struct mote_grid *g, const uint8_t *quants,
			   const uint16_t *scales)
{
	double total = 0;

	for (int r = 0; r < ROWS; r++)
		for (int t = 0; t < TOKENS; t++) {
			double off = 0;

			for (int j = 0; j < COLS; j++)
				off += (double)p->rows[r * N + j] * p->x[t][j] -
				       mote_grid_scale_value(g, scales[r * (N / 32) + j / 32]) *
				       g->value[quants[r * N + j]] * p->y[t][j];
			total += off * off;
		}
	return total / (ROWS * TOKENS);
}

static void encode(const struct problem *p, const struct mote_grid *g, const float *lost, uint8_t *quants,
		   uint16_t *scales, double *error)
{
	void *scratch = aligned_alloc(64, mote_gptq_scratch_bytes(N));

	*error = mote_gptq_encode(&p->s, g, p->rows, lost, ROWS, quants, scales, scratch);
	free(scratch);
}

static float largest_weight(const struct problem *p)
{
	float largest = 0;

	for (int i = 0; i < ROWS * N; i++)
		largest = fmaxf(largest, fabsf(p->rows[i]));
	return largest;
}

static void search(const struct problem *p, const struct mote_grid *g, uint8_t *quants, uint16_t *scales)
{
	for (int i = 0; i < ROWS * N / 32; i++) {
		double x[32], weight[32];

		for (int j = 0; j < 32; j++) {
			int col = i * 32 % N + j;
			x[j] = p->rows[i * 32 + j];
			weight[j] = col < COLS ? p->h[col * COLS + col] : 0;
		}
		mote_encode_search(g, x, weight, quants + i * 32, scales + i);
	}
}

/* Correlated inputs are where error feedback pays: far less output error than the weighted search, and a returned
 * error that is what it says. At every type. */
static void beats_search(enum mote_type type)
{
	struct problem *p = make_problem(0, false);
	uint8_t quants[ROWS * N], searched[ROWS * N];
	uint16_t scales[ROWS * N / 32], searched_scales[ROWS * N / 32];
	double returned, expected = 0, found;
	struct mote_grid g;

	mote_grid_init(&g, type, mote_type_normal_codebook(type));
	mote_grid_fit(&g, largest_weight(p));
	encode(p, &g, NULL, quants, scales, &returned);
	search(p, &g, searched, searched_scales);
	found = output_error(p, &g, quants, scales);
	assert_true(found < 0.5 * output_error(p, &g, searched, searched_scales));
	for (int r = 0; r < ROWS; r++) {
		double e[N];

		for (int j = 0; j < N; j++)
			e[j] = p->rows[r * N + j] -
			       mote_grid_scale_value(&g, scales[r * (N / 32) + j / 32]) * g.value[quants[r * N + j]];
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++)
				expected += e[i] * p->s.h[i * N + j] * e[j];
	}
	assert_true(fabs(returned - expected) < 1e-3 * expected);
	free_problem(p);
}

static void test_beats_search(void **state)
{
	static const enum mote_type types[] = {MOTE_Q3, MOTE_Q4, MOTE_Q5, MOTE_Q6, MOTE_Q8};

	(void)state;
	for (size_t t = 0; t < sizeof types / sizeof *types; t++)
		beats_search(types[t]);
}

/* No single change of a quant lowers the error: where the descent says it ends. */
static void test_ends_at_a_minimum(void **state)
{
	struct problem *p = make_problem(0, false);
	uint8_t quants[ROWS * N];
	uint16_t scales[ROWS * N / 32];
	struct mote_grid g;
	double returned;
	int better = 0;

	(void)state;
	mote_grid_init(&g, MOTE_Q4, mote_codebook_linear);
	encode(p, &g, NULL, quants, scales, &returned);
	for (int r = 0; r < ROWS; r++) {
		double e[N], gradient[N];

		for (int j = 0; j < N; j++)
			e[j] = p->rows[r * N + j] -
			       mote_grid_scale_value(&g, scales[r * (N / 32) + j / 32]) * g.value[quants[r * N + j]];
		for (int i = 0; i < N; i++) {
			gradient[i] = 0;
			for (int j = 0; j < N; j++)
				gradient[i] += p->s.h[i * N + j] * e[j];
		}
		for (int j = 0; j < COLS; j++)
			for (int step = -1; step <= 1; step += 2) {
				double scale = mote_f32_from_f16(scales[r * (N / 32) + j / 32]), d = step * scale;

				if (quants[r * N + j] + step < 0 || quants[r * N + j] + step > 15)
					continue;
				better += d * (d * p->s.h[j * N + j] - 2 * gradient[j]) < -1e-7 * returned;
			}
	}
	assert_true(better <= ROWS * COLS / 100); /* sweeps are few: nearly everywhere */
	free_problem(p);
}

/* Gaussian elimination with pivoting: solves a z = b in place, a [n][n]. */
static void solve(double *a, double *b, int n)
{
	for (int i = 0; i < n; i++) {
		int pivot = i;

		for (int k = i + 1; k < n; k++)
			if (fabs(a[k * n + i]) > fabs(a[pivot * n + i]))
				pivot = k;
		for (int j = 0; j < n; j++) {
			double swap = a[i * n + j];
			a[i * n + j] = a[pivot * n + j];
			a[pivot * n + j] = swap;
		}
		double swap = b[i];
		b[i] = b[pivot];
		b[pivot] = swap;
		for (int k = i + 1; k < n; k++) {
			double m = a[k * n + i] / a[i * n + i];

			for (int j = i; j < n; j++)
				a[k * n + j] -= m * a[i * n + j];
			b[k] -= m * b[i];
		}
	}
	for (int i = n; i-- > 0;) {
		for (int j = i + 1; j < n; j++)
			b[i] -= a[i * n + j] * b[j];
		b[i] /= a[i * n + i];
	}
}

/* The target is w + (w C + R) H^-1: at 8 bits the encoding is as good as the target itself, so its error against an
 * independently solved target must be what 8 bits cost, and must not be that of w. */
static void test_target(void **state)
{
	struct problem *p = make_problem(0.3, true);
	uint8_t quants[ROWS * N];
	uint16_t scales[ROWS * N / 32];
	struct mote_grid g;
	double returned, worst = 0, moved = 0;

	(void)state;
	mote_grid_init(&g, MOTE_Q8, NULL);
	for (int r = 0; r < ROWS; r++)
		for (int j = 0; j < COLS; j++)
			p->lost[r * N + j] = (float)(0.5 * random_normal());
	encode(p, &g, p->lost, quants, scales, &returned);
	for (int r = 0; r < ROWS; r++) {
		double *h = malloc(COLS * COLS * sizeof *h), b[COLS];

		for (int i = 0; i < COLS * COLS; i++)
			h[i] = p->s.h[i / COLS * N + i % COLS];
		for (int j = 0; j < COLS; j++) {
			b[j] = p->lost[r * N + j];
			for (int i = 0; i < COLS; i++)
				b[j] += p->rows[r * N + i] * p->cross[i * COLS + j] / TOKENS;
		}
		solve(h, b, COLS);
		for (int j = 0; j < COLS; j++) {
			double q = mote_grid_scale_value(&g, scales[r * (N / 32) + j / 32]) *
				   g.value[quants[r * N + j]];
			double scale = fabs((double)mote_f32_from_f16(scales[r * (N / 32) + j / 32]));

			worst = fmax(worst, fabs(p->rows[r * N + j] + b[j] - q) / scale);
			moved = fmax(moved, fabs(b[j]) / scale);
		}
		free(h);
	}
	assert_true(moved > 20);
	assert_true(worst < 8); /* steps: feedback moves weights by a few */
	free_problem(p);
}

/* With the correction, outputs come nearer to the source's although the inputs are off. */
static void test_correction_helps(void **state)
{
	struct problem *with = make_problem(0.1, true);
	uint8_t quants[ROWS * N];
	uint16_t scales[ROWS * N / 32];
	struct mote_grid g;
	double returned, corrected, plain;
	float *cross = with->s.cross;

	(void)state;
	mote_grid_init(&g, MOTE_Q4, mote_type_normal_codebook(MOTE_Q4));
	encode(with, &g, NULL, quants, scales, &returned);
	corrected = output_error(with, &g, quants, scales);
	with->s.cross = NULL;
	encode(with, &g, NULL, quants, scales, &returned);
	plain = output_error(with, &g, quants, scales);
	with->s.cross = cross;
	assert_true(corrected < 0.8 * plain);
	free_problem(with);
}

/* Inputs that never occur, and none at all. */
static void test_dead_inputs(void **state)
{
	struct problem *p = make_problem(0, true);
	uint8_t quants[ROWS * N];
	uint16_t scales[ROWS * N / 32];
	struct mote_grid g;
	double returned;

	(void)state;
	mote_grid_init(&g, MOTE_Q4, mote_type_normal_codebook(MOTE_Q4));
	for (int dead = COLS / 2; dead >= 0; dead -= COLS / 2) {
		mote_second_order_free(&p->s);
		for (int i = 0; i < COLS; i++)
			for (int j = 0; j < COLS; j++)
				if (i >= dead || j >= dead)
					p->h[i * COLS + j] = p->cross[i * COLS + j] = 0;
		assert_int_equal(mote_second_order_init(&p->s, COLS, p->h, p->cross, TOKENS, 0.05, 1.0, NULL), MOTE_OK);
		encode(p, &g, NULL, quants, scales, &returned);
		assert_true(isfinite(returned));
		for (int i = 0; i < ROWS * N / 32; i++)
			assert_true((scales[i] & 0x7fff) < 0x7c00);
	}
	free_problem(p);
}

static float edge(int kind, int j)
{
	switch (kind) {
	case 0: return 0;
	case 1: return 0.37f;
	case 2: return -0.37f;
	case 3: return j == 17 ? 1e6f : (float)(1e-3 * random_normal());
	case 4: return (float)(1e30 * random_normal());         /* scales overflow f16 */
	case 5: return 3e38f * (j % 2 ? 1.0f : -1.0f);
	case 6: return 1e-41f * (float)(j - 16);                 /* subnormal */
	case 7: return (float)(1e-7 * random_normal());          /* scales that f16 holds badly or not */
	case 8: return j == 0 ? -0.0f : 0.0f;
	case 9: return j < 31 ? 0 : 5;
	case 10: return (float)(65504 * random_normal());
	default: return (float)(0.05 * random_normal());
	}
}

/* The error of one row under H, which is what second order lowers. */
static double row_error(const struct problem *p, const struct mote_grid *g, int row, const uint8_t *quants,
			const uint16_t *scales)
{
	double e[N], total = 0;

	for (int j = 0; j < N; j++)
		e[j] = p->rows[row * N + j] - (double)mote_f32_from_f16(scales[row * (N / 32) + j / 32]) *
		       g->value[quants[row * N + j]];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			total += e[i] * (double)p->s.h[i * N + j] * e[j];
	return total;
}

/* Rows that break encoders, side by side: numbers come out, and no row's outputs are worse than plain rounding's. */
static void test_edges(void **state)
{
	static const enum mote_type types[] = {MOTE_Q3, MOTE_Q4, MOTE_Q5, MOTE_Q6, MOTE_Q8};

	(void)state;
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		struct problem *p = make_problem(0, false);
		uint8_t quants[ROWS * N], plain[ROWS * N];
		uint16_t scales[ROWS * N / 32], plain_scales[ROWS * N / 32];
		struct mote_grid g;
		double returned;

		for (int r = 0; r < ROWS; r++)
			for (int j = 0; j < COLS; j++)
				p->rows[r * N + j] = edge(r, j);
		mote_grid_init(&g, types[t], mote_type_linear_codebook(types[t]));
		memset(quants, 0xff, sizeof quants);
		encode(p, &g, NULL, quants, scales, &returned);
		assert_true(isfinite(returned));
		for (int i = 0; i < ROWS * N; i++)
			assert_true(quants[i] < g.levels && (scales[i / 32] & 0x7fff) < 0x7c00);
		for (int i = 0; i < ROWS * N / 32; i++)
			mote_encode_round(&g, p->rows + i * 32, plain + i * 32, plain_scales + i);
		for (int r = 0; r < ROWS; r++) {
			double error = row_error(p, &g, r, quants, scales);
			double rounded = row_error(p, &g, r, plain, plain_scales);

			assert_true(error <= rounded * (1 + 1e-9));
		}
		free_problem(p);
	}
}

static void test_byte_scales_beat_search(void **state)
{
	static const enum mote_type types[] = {MOTE_Q3B, MOTE_Q4B, MOTE_Q5B, MOTE_Q6B, MOTE_Q8B};

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		beats_search(types[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_moments, seed),
		cmocka_unit_test_setup(test_lower_moments, seed),
		cmocka_unit_test_setup(test_factors, seed),
		cmocka_unit_test_setup(test_beats_search, seed),
		cmocka_unit_test_setup(test_ends_at_a_minimum, seed),
		cmocka_unit_test_setup(test_target, seed),
		cmocka_unit_test_setup(test_correction_helps, seed),
		cmocka_unit_test_setup(test_dead_inputs, seed),
		cmocka_unit_test_setup(test_edges, seed),
		cmocka_unit_test_setup(test_byte_scales_beat_search, seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
