/* Training: gradients of the whole model against finite differences of a double-precision reference, for every loss and
 * what Llama, Qwen 2 and Qwen 3 differ in; the same bits from every table of kernels, thread count and layered weights;
 * and what has no backward pass is refused by name. */
#include "tests/train_reference.h"

#include "quant/train/adamw.h"
#include "tests/train_setting.h"

/* The same loss by the reference; factor: of MOTE_LOSS_DFT, filled when `fix`, else read. */
static double reference_loss(const struct setting *s, enum mote_loss_kind kind, const struct reference_change *c,
			     bool fix, double factor[ROWS])
{
	static double p[LENGTH * VOCAB], q[LENGTH * VOCAB];
	double sum = 0;

	for (int n = 0; n < SEQUENCES; n++) {
		reference_forward(&s->w, c, s->ids + n * LENGTH, LENGTH, q);
		if (kind == MOTE_LOSS_KL)
			reference_forward(&s->reference, NULL, s->ids + n * LENGTH, LENGTH, p);
		for (int t = 0; t < LENGTH; t++) {
			int row = n * LENGTH + t;
			const double *ln_p = p + t * VOCAB, *ln_q = q + t * VOCAB;
			double value = -ln_q[s->target[row]];

			for (int i = 0; i < VOCAB && kind == MOTE_LOSS_KL; i++)
				value = (i ? value : 0) + exp(ln_p[i]) * (ln_p[i] - ln_q[i]);
			if (fix)
				factor[row] = exp(-value);
			sum += (double)s->weight[row] * value * (kind == MOTE_LOSS_DFT ? factor[row] : 1);
		}
	}
	return sum;
}

/* Derivatives along some directions within one parameter. */
static void check_parameter(const struct setting *s, enum mote_loss_kind kind, const struct mote_parameter *one,
			    double factor[ROWS], double whole)
{
	size_t n = (size_t)one->rows * one->cols;
	double *w = malloc(n * sizeof *w), norm = 0;
	struct reference_change change = {one, w};
	uint64_t state = 11;

	for (size_t i = 0; i < n; i++)
		norm += (double)one->g[i] * one->g[i];
	assert_true(norm > 0);
	for (int direction = 0; direction < 3; direction++) {
		double along = 0, difference = 0;

		for (int sign = 1; sign >= -1; sign -= 2) {
			uint64_t again = state;

			along = 0;
			for (size_t i = 0; i < n; i++) {
				double d = random_bits(&again) & 1 ? 1 : -1;

				w[i] = (double)one->w[i] + sign * 1e-5 * d;
				along += d * (double)one->g[i];
			}
			difference += sign * reference_loss(s, kind, &change, false, factor);
			if (sign == -1)
				state = again;
		}
		difference /= 2e-5;
		if (fabs(along - difference) > 1e-5 * sqrt(norm) + 1e-7 * whole)
			fail_msg("%s: %.9g along a direction, by differences %.9g (norm %g)", one->name, along,
				 difference, sqrt(norm));
	}
	free(w);
}

static void check_gradients(unsigned features, bool tied, enum mote_loss_kind kind)
{
	struct setting s;
	double factor[ROWS], loss, want, whole = 0;

	setting_open(&s, features, tied, 2, NULL);
	loss = learn(&s, kind);
	want = reference_loss(&s, kind, NULL, kind == MOTE_LOSS_DFT, factor);
	if (fabs(loss - want) > 3e-6 * fabs(want)) /* what f32 loses on the way */
		fail_msg("loss %d: %.9g, by the reference %.9g", (int)kind, loss, want);
	for (uint32_t i = 0; i < s.w.n; i++)
		for (size_t j = 0; j < (size_t)s.w.parameter[i].rows * s.w.parameter[i].cols; j++)
			whole += (double)s.w.parameter[i].g[j] * s.w.parameter[i].g[j];
	for (uint32_t i = 0; i < s.w.n; i++)
		check_parameter(&s, kind, &s.w.parameter[i], factor, sqrt(whole));
	setting_close(&s);
}

static void test_gradients(void **state)
{
	(void)state;
	check_gradients(0, true, MOTE_LOSS_KL);
	check_gradients(0, false, MOTE_LOSS_NLL);
	check_gradients(MOTE_QKV_BIAS, true, MOTE_LOSS_DFT);
	check_gradients(MOTE_HEAD_NORM, false, MOTE_LOSS_KL);
}

/* Layered weights: what hooks do. */
struct layered {
	struct setting *s;
	float *gradients;
};

static void load_layer(void *user, uint32_t layer)
{
	struct layered *l = user;

	mote_parameters_load_layer(&l->s->w, &l->s->model.model, layer);
	mote_parameters_clear_layer(&l->s->w, layer);
}

/* Where a full set of parameters has them. */
static void take_layer(void *user, uint32_t layer)
{
	struct layered *l = user;
	const struct mote_parameters *w = &l->s->w;
	float *at = l->gradients;

	for (uint32_t i = 0; i < w->n; i++) {
		size_t n = (size_t)w->parameter[i].rows * w->parameter[i].cols;

		if (w->parameter[i].layer == layer)
			memcpy(at, w->parameter[i].g, n * sizeof *at);
		at += n;
	}
}

static size_t count(const struct mote_parameters *w)
{
	size_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		n += (size_t)w->parameter[i].rows * w->parameter[i].cols;
	return n;
}

static float *all_gradients(struct setting *s)
{
	float *g = calloc(count(&s->w), sizeof *g);
	struct layered l = {s, g};

	take_layer(&l, MOTE_NO_LAYER);
	for (uint32_t i = 0; i < s->config.layers; i++)
		take_layer(&l, i);
	return g;
}

static float *layered_gradients(struct setting *s)
{
	struct mote_train_batch batch = {.sequences = SEQUENCES, .length = LENGTH, .ids = s->ids};
	struct mote_loss loss = {.kind = MOTE_LOSS_NLL, .weight = s->weight, .target = s->target, .gradient = true,
				 .value = s->value};
	struct layered l = {s, calloc(count(&s->w), sizeof(float))};
	struct mote_train_hooks hooks = {.load = load_layer, .done = take_layer, .user = &l};

	mote_parameters_free(&s->w);
	assert_int_equal(mote_parameters_init(&s->w, &s->config, MOTE_PARAMETERS_GRADIENTS | MOTE_PARAMETERS_LAYERED,
					      NULL), MOTE_OK);
	mote_parameters_load_layer(&s->w, &s->model.model, MOTE_NO_LAYER);
	mote_passes_forward(&s->passes, &s->w, &batch, true, &hooks);
	mote_passes_loss(&s->passes, &s->w, &loss);
	mote_passes_backward(&s->passes, &s->w, &hooks);
	take_layer(&l, MOTE_NO_LAYER);
	return l.gradients;
}

static void test_same_bits(void **state)
{
	struct mote_kernels list[MOTE_MAX_TABLES];
	uint32_t tables = mote_kernels_list(list);
	float *want = NULL;

	(void)state;
	for (uint32_t i = 0; i <= tables; i++) {
		struct setting s;
		float *g;

		setting_open(&s, MOTE_HEAD_NORM | MOTE_QKV_BIAS, true, 1 + i % 3, i < tables ? list[i].name : NULL);
		if (i < tables)
			learn(&s, MOTE_LOSS_NLL);
		g = i < tables ? all_gradients(&s) : layered_gradients(&s);
		if (want)
			assert_memory_equal(g, want, count(&s.w) * sizeof *g);
		else
			want = g;
		if (g != want)
			free(g);
		setting_close(&s);
	}
	free(want);
}

static void test_refused(void **state)
{
	struct mote_config config = config_of(MOTE_POST_NORM, true);
	struct mote_parameters p = {0};
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(mote_parameters_init(&p, &config, 0, &error), MOTE_ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "norms of what a layer adds"));
	config.features = 0;
	error = (struct mote_error){0};
	config.layer_kind[1] = MOTE_LAYER_WINDOW;
	assert_int_equal(mote_parameters_init(&p, &config, 0, &error), MOTE_ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "sliding windows"));
	mote_parameters_free(&p);
}

/* Rows for new tokens, of the embedding and of a head of its own: the mean of the rows before,
 * which stay as they are. */
static void test_new_rows(void **state)
{
	static const enum mote_type types[4] = {MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32};
	const struct mote_config config = config_of(0, false);
	struct mote_config grown = config;
	struct mote_parameters old = {0}, p = {0};
	struct random_model model;

	(void)state;
	grown.vocab += 3;
	random_model_init(&model, &config, types, 1);
	assert_int_equal(mote_parameters_init(&old, &config, 0, NULL), MOTE_OK);
	assert_int_equal(mote_parameters_init(&p, &grown, 0, NULL), MOTE_OK);
	load(&old, &model.model);
	load(&p, &model.model);
	mote_parameters_fill_rows(&p, VOCAB - 1, 3);
	for (int which = 0; which < 2; which++) {
		const float *w = which ? p.head->w : p.embedding->w, *was = which ? old.head->w : old.embedding->w;
		const size_t cols = config.hidden;

		assert_memory_equal(w, was, (VOCAB - 1) * cols * sizeof *w);
		for (size_t c = 0; c < cols; c++) {
			double sum = 0;

			for (size_t r = 0; r < VOCAB - 1; r++)
				sum += (double)was[r * cols + c];
			for (size_t r = VOCAB - 1; r < VOCAB + 2; r++)
				assert_true(fabs((double)w[r * cols + c] - sum / (VOCAB - 1)) < 1e-7);
			assert_true(w[(VOCAB + 2) * cols + c] == 0); /* a spare row */
		}
	}
	mote_parameters_free(&old);
	mote_parameters_free(&p);
	random_model_free(&model);
}

/* AdamW by its definition in double, ten steps with a schedule and clipping. */
static void test_adamw(void **state)
{
	const struct mote_adamw adam = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1};
	enum { N = 70 };
	float w[N], m[N] = {0}, v[N] = {0}, g[N];
	double dw[N], dm[N] = {0}, dv[N] = {0};
	uint64_t random = 5;

	(void)state;
	for (int i = 0; i < N; i++)
		dw[i] = w[i] = random_normal(&random);
	for (uint64_t step = 1; step <= 10; step++) {
		double lr = 0.01 * mote_schedule_cosine(step, 10, 3, 0.1), norm = 0, scale;
		struct mote_adamw_step now;

		for (int i = 0; i < N; i++)
			g[i] = random_normal(&random) * 0.3f;
		mote_clip_add(g, N, &norm);
		scale = mote_clip_scale(norm, 1);
		assert_true(fabs(scale - 1 / (sqrt(norm) + 1e-6)) < 1e-12);
		now = mote_adamw_begin(&adam, lr, step, scale);
		mote_adamw_update(&now, w, m, v, g, N);
		for (int i = 0; i < N; i++) {
			double d = (double)g[i] * scale;

			dw[i] -= lr * 0.1 * dw[i];
			dm[i] = 0.9 * dm[i] + 0.1 * d;
			dv[i] = 0.999 * dv[i] + 0.001 * d * d;
			dw[i] -= lr * (dm[i] / (1 - pow(0.9, (double)step))) /
				 (sqrt(dv[i] / (1 - pow(0.999, (double)step))) + 1e-8);
			assert_true(fabs(dw[i] - (double)w[i]) < 1e-6);
		}
	}
	assert_true(mote_schedule_cosine(0, 10, 4, 0.1) == 0 && mote_schedule_cosine(4, 10, 4, 0.1) == 1);
	assert_true(fabs(mote_schedule_cosine(7, 10, 4, 0.1) - 0.55) < 1e-12);
	assert_true(fabs(mote_schedule_cosine(10, 10, 4, 0.1) - 0.1) < 1e-12);
	assert_true(mote_clip_scale(0.25, 1) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gradients),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_new_rows),
		cmocka_unit_test(test_adamw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
