/* A pass that stops being finite names the weight at fault: each weight of a model in turn is made too large, in passes
 * of one row and of many. Without the check, nobody chooses a token from what came out. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "runtime/api/api_session.h"
#include "runtime/generate/logit_row.h"
#include "runtime/model/session.h"
#include "tests/same_bits.h"

enum { ROWS = 40, VOCAB = 77 }; /* of the configs below */

static int32_t token[ROWS];
static uint32_t position[ROWS];

static enum mote_status forward(const struct random_model *r, uint32_t rows, bool check, enum mote_status *logits,
				uint32_t *filled, struct mote_error *error)
{
	struct mote_session_options options = {.threads = 1, .check = check};
	struct mote_batch batch = {.rows = rows, .token = token, .position = position};
	struct mote_session *s;
	const float *row;
	enum mote_status status;

	assert_int_equal(mote_session_open(&r->model, &options, &s, error), MOTE_OK);
	status = mote_session_forward(s, &batch, &row, error);
	*filled = mote_session_filled(s, 0);
	*logits = status ? status : mote_logit_row_check(row, VOCAB, NULL);
	mote_session_close(s);
	return status;
}

/* Makes all values of a float weight so large, with changing signs. */
static void poison(struct random_model *r, const struct mote_weight_walk *w, float large)
{
	char *base = w->layer == MOTE_NO_LAYER ? (char *)&r->model : (char *)&r->model.layer[w->layer];
	const struct mote_matrix *m = (const void *)(base + w->weight->offset);
	bool vector = w->weight->cols == MOTE_DIM_ONE;
	uint32_t n = vector ? mote_dim_of(&r->model.config, w->weight->rows) : m->panels * 16 * m->cols;
	float *x = vector ? *(float **)(void *)(base + w->weight->offset) : (float *)(uintptr_t)m->data;

	for (uint32_t i = 0; i < n; i++)
		x[i] = (i % 3 ? 1.0f : -1.0f) * large;
}

static void check_weight(struct random_model *r, const struct mote_config *config, const struct mote_weight_walk *w,
			 uint32_t rows, float large)
{
	static const enum mote_type types[4] = {MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32};
	struct mote_error error = {0}, none = {0};
	enum mote_status logits;
	uint32_t filled;
	char layer[32];

	random_model_init(r, config, types, 1);
	assert_int_equal(forward(r, rows, true, &logits, &filled, &none), MOTE_OK);
	assert_int_equal(filled, rows);
	poison(r, w, large);
	if (forward(r, rows, true, &logits, &filled, &error) != MOTE_ERROR_CORRUPT || !strstr(error.message, w->name) ||
	    !strstr(error.message, "at position "))
		fail_msg("%s, %u rows: status %d, %s", w->name, rows, error.code, error.message);
	snprintf(layer, sizeof layer, "layer %u, ", w->layer == MOTE_NO_LAYER ? 0 : w->layer);
	if (strncmp(error.message, "layer ", 6) ? w->layer != MOTE_NO_LAYER
						: strncmp(error.message, layer, strlen(layer)))
		fail_msg("%s: %s", w->name, error.message);
	assert_int_equal(filled, 0);
	assert_int_equal(forward(r, rows, false, &logits, &filled, &none), MOTE_OK);
	assert_int_equal(logits, MOTE_ERROR_CORRUPT);
	random_model_free(r);
}

static const struct mote_config *const configs[] = {&odd_config, &before_config, &after_config};

static void test_each_weight(void **state)
{
	struct random_model *r = malloc(sizeof *r);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct mote_weight_walk walk = {.config = configs[i]};

		while (mote_weight_next(&walk)) {
			float large = walk.weight->input == MOTE_IN_NONE ? INFINITY : 3e38f;

			check_weight(r, configs[i], &walk, 2, large);
			if (i == 0)
				check_weight(r, configs[i], &walk, ROWS, large);
		}
	}
	free(r);
}

/* What is finite, and its square is not: a norm would make zeros of it. */
static void test_squares(void **state)
{
	struct random_model *r = malloc(sizeof *r);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct mote_weight_walk walk = {.config = configs[i]};

		while (mote_weight_next(&walk))
			if (walk.weight == mote_weight_embedding || walk.weight->input == MOTE_IN_OUT ||
			    walk.weight->input == MOTE_IN_DOWN)
				check_weight(r, configs[i], &walk, i == 1 ? ROWS : 2, 1e25f);
	}
	free(r);
}

/* A pass is not blamed for what another left behind its rows. */
static void test_rows_of_before(void **state)
{
	static const enum mote_type types[4] = {MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32};
	struct random_model *r = malloc(sizeof *r);
	struct mote_session_options options = {.threads = 1, .check = true};
	struct mote_batch batch = {.rows = 2, .token = token, .position = position};
	struct mote_matrix *down;
	struct mote_session *s;
	const float *row;
	float *values, first;

	(void)state;
	random_model_init(r, &odd_config, types, 1);
	down = &r->model.layer[0].down;
	values = (float *)(uintptr_t)down->data;
	assert_int_equal(mote_session_open(&r->model, &options, &s, NULL), MOTE_OK);
	first = values[0];
	values[0] = INFINITY;
	assert_int_equal(mote_session_forward(s, &batch, &row, NULL), MOTE_ERROR_CORRUPT);
	values[0] = first;
	batch.rows = 1;
	assert_int_equal(mote_session_forward(s, &batch, &row, NULL), MOTE_OK);
	mote_session_close(s);
	random_model_free(r);
	free(r);
}

/* A token that is less probable than floats can say has the least log-probability that they can, not none. */
static void test_improbable(void **state)
{
	const float logits[] = {3e38f, -3e38f, 2.9e38f};
	struct mote_api_logprobs kept = {.tops = 3};
	struct mote_lm_logprobs l;

	(void)state;
	assert_true(mote_api_logprobs_add(&kept, logits, 3, 1));
	assert_true(mote_api_logprobs_get(&kept, 0, &l));
	assert_int_equal(l.token.id, 1);
	assert_true(l.token.logprob == -FLT_MAX);
	assert_int_equal(l.tops, 3);
	assert_true(l.top[0].id == 0 && l.top[0].logprob == 0);
	assert_true(l.top[1].id == 2 && l.top[1].logprob > -1.1e37f && l.top[1].logprob < -0.9e37f);
	assert_true(l.top[2].id == 1 && l.top[2].logprob == -FLT_MAX);
	free(kept.entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_weight), cmocka_unit_test(test_squares),
		cmocka_unit_test(test_rows_of_before),
		cmocka_unit_test(test_improbable)};

	random_tokens(token, ROWS, VOCAB);
	for (uint32_t i = 0; i < ROWS; i++)
		position[i] = i;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
