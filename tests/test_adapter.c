/* Low-rank adapters, and noise: gradients of the factors against those of the whole weights (which test_train.c
 * compares with finite differences), the start that changes nothing, merging, the same bits from every table of kernels
 * and thread count. */
#include <math.h>

#include "quant/train/adapter.h"
#include "tests/train_setting.h"

enum { RANK = 3 };

/* B is zero at the start, where A learns nothing: here it is not. */
static void hang(struct setting *s, struct mote_adapter *a)
{
	uint64_t state = 11;

	assert_int_equal(mote_adapter_init(a, &s->w, RANK, 2 * RANK, 5, ROWS, NULL), MOTE_OK);
	assert_int_equal(a->parts, 7 * s->config.layers);
	for (uint32_t i = 0; i < a->parts; i++)
		for (size_t j = 0; j < (size_t)a->part[i].of->rows * RANK; j++) {
			assert_true(a->part[i].b[j] == 0);
			a->part[i].b[j] = 0.2f * random_normal(&state);
		}
}

static void check_close(const char *what, double got, double want, double norm)
{
	if (fabs(got - want) > 1e-5 * norm)
		fail_msg("%s: %.9g, expected %.9g (norm %g)", what, got, want, norm);
}

/* dA = scale B' dW and dB = scale dW A'. */
static void check_part(const struct mote_low_rank *l, const float *g)
{
	uint32_t rows = l->of->rows, cols = l->of->cols;
	double norm = 0;

	for (size_t i = 0; i < (size_t)rows * cols; i++)
		norm += (double)g[i] * (double)g[i];
	norm = sqrt(norm) * (double)l->scale;
	for (uint32_t k = 0; k < RANK; k++) {
		for (uint32_t c = 0; c < cols; c++) {
			double sum = 0;

			for (uint32_t r = 0; r < rows; r++)
				sum += (double)l->b[r * RANK + k] * (double)g[r * cols + c];
			check_close(l->of->name, (double)l->a_gradient[k * cols + c], (double)l->scale * sum, norm);
		}
		for (uint32_t r = 0; r < rows; r++) {
			double sum = 0;

			for (uint32_t c = 0; c < cols; c++)
				sum += (double)l->a[k * cols + c] * (double)g[r * cols + c];
			check_close(l->of->name, (double)l->b_gradient[r * RANK + k], (double)l->scale * sum, norm);
		}
	}
}

static void test_gradients(void **state)
{
	struct mote_adapter a = {0}, merged = {0};
	struct setting s, t;
	double loss, want;

	(void)state;
	setting_open(&s, MOTE_QKV_BIAS, true, 2, NULL);
	setting_open(&t, MOTE_QKV_BIAS, true, 2, NULL);
	hang(&t, &merged);
	mote_adapter_merge(&t.w);
	want = learn(&t, MOTE_LOSS_NLL);
	hang(&s, &a);
	loss = learn(&s, MOTE_LOSS_NLL);
	check_close("loss", loss, want, want);
	for (uint32_t i = 0, part = 0; i < s.w.n; i++)
		if (s.w.parameter[i].low)
			check_part(&a.part[part++], t.w.parameter[i].g);
	mote_adapter_free(&a);
	mote_adapter_free(&merged);
	setting_close(&s);
	setting_close(&t);
}

/* Nothing but the factors has a gradient, and at the start the model is as it was. */
static void test_frozen(void **state)
{
	struct mote_train_batch batch = {.sequences = SEQUENCES, .length = LENGTH};
	struct mote_adapter a = {0};
	struct setting s;
	float *hidden;

	(void)state;
	setting_open(&s, MOTE_HEAD_NORM, false, 1, NULL);
	batch.ids = s.ids;
	mote_parameters_free(&s.w);
	assert_int_equal(mote_parameters_init(&s.w, &s.config, 0, NULL), MOTE_OK);
	load(&s.w, &s.model.model);
	mote_passes_forward(&s.passes, &s.w, &batch, false, NULL);
	hidden = malloc(ROWS * s.config.hidden * sizeof *hidden);
	memcpy(hidden, s.passes.hidden, ROWS * s.config.hidden * sizeof *hidden);
	assert_int_equal(mote_adapter_init(&a, &s.w, RANK, 8, 1, ROWS, NULL), MOTE_OK);
	learn(&s, MOTE_LOSS_NLL);
	assert_memory_equal(hidden, s.passes.hidden, ROWS * s.config.hidden * sizeof *hidden);
	for (uint32_t i = 0; i < a.parts; i++)
		for (size_t j = 0; j < (size_t)RANK * a.part[i].of->cols; j++) {
			assert_true(fabsf(a.part[i].a[j]) <= 1 / sqrtf((float)a.part[i].of->cols));
			assert_true(a.part[i].a_gradient[j] == 0); /* B is zero */
		}
	assert_true(a.part[0].a[0] < 0 || a.part[0].a[0] > 0);
	free(hidden);
	mote_adapter_free(&a);
	setting_close(&s);
}

static void test_same_bits(void **state)
{
	struct mote_kernels list[MOTE_MAX_TABLES];
	uint32_t tables = mote_kernels_list(list);
	float *want = NULL;

	(void)state;
	for (uint32_t i = 0; i < tables; i++) {
		struct mote_adapter a = {0};
		struct setting s;

		setting_open(&s, 0, true, 1 + i % 3, list[i].name);
		hang(&s, &a);
		learn(&s, MOTE_LOSS_KL);
		if (!want) {
			want = malloc(a.floats * sizeof *want);
			memcpy(want, a.gradients, a.floats * sizeof *want);
		}
		assert_memory_equal(a.gradients, want, a.floats * sizeof *want);
		mote_adapter_free(&a);
		setting_close(&s);
	}
	free(want);
}

/* Noise on what is embedded: within its bound, about uniform, the same for a sequence wherever it lies in a batch, and
 * without effect on what a later pass without noise gives. */
static void test_noise(void **state)
{
	const struct mote_train_noise noise[SEQUENCES] = {{7, 0.5f}, {8, 0.25f}};
	const struct mote_train_noise swapped[SEQUENCES] = {noise[1], noise[0]};
	struct mote_train_batch batch = {.sequences = SEQUENCES, .length = LENGTH};
	size_t n = LENGTH;
	struct setting s;
	float *x;

	(void)state;
	setting_open(&s, 0, true, 2, NULL);
	n *= s.config.hidden;
	memcpy(s.ids + LENGTH, s.ids, LENGTH * sizeof *s.ids);
	batch.ids = s.ids;
	batch.noise = noise;
	mote_passes_forward(&s.passes, &s.w, &batch, true, NULL);
	x = malloc(2 * n * sizeof *x);
	memcpy(x, s.passes.x, 2 * n * sizeof *x);
	for (size_t i = 0; i < SEQUENCES; i++) {
		double squares = 0, most = (double)noise[i].most;

		for (size_t j = 0; j < n; j++) {
			size_t id = (size_t)s.ids[j / s.config.hidden], col = j % s.config.hidden;
			double d = (double)x[i * n + j] - (double)s.w.embedding->w[id * s.config.hidden + col];

			assert_true(fabs(d) <= most * (1 + 1e-5));
			squares += d * d;
		}
		assert_true(fabs(squares / (double)n / (most * most / 3) - 1) < 0.15);
	}
	batch.noise = swapped;
	mote_passes_forward(&s.passes, &s.w, &batch, true, NULL);
	assert_memory_equal(s.passes.x, x + n, n * sizeof *x);
	assert_memory_equal(s.passes.x + n, x, n * sizeof *x);
	batch.noise = NULL;
	mote_passes_forward(&s.passes, &s.w, &batch, true, NULL);
	assert_memory_equal(s.passes.x, s.w.embedding->w + (size_t)s.ids[0] * s.config.hidden,
			    s.config.hidden * sizeof *x);
	free(x);
	setting_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gradients),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
