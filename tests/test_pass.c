/* Passes that are not over a whole model from tokens to logits: some layers from given states, the final hidden states,
 * and passes that are cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/model/session.h"
#include "tests/same_bits.h"

enum { ROWS = 40, HIDDEN = 40, VOCAB = 77 }; /* of odd_config */

static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};

static struct random_model *shared;
static int32_t token[ROWS];
static uint32_t position[ROWS];

static int setup(void **state)
{
	(void)state;
	shared = malloc(sizeof *shared);
	random_model_init(shared, &odd_config, types, 4);
	random_tokens(token, ROWS, VOCAB);
	for (uint32_t i = 0; i < ROWS; i++)
		position[i] = i;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	random_model_free(shared);
	free(shared);
	return 0;
}

static struct mote_session *open_session(struct mote_session_options options)
{
	struct mote_session *s;
	struct mote_error error = {0};

	options.threads = 3;
	if (mote_session_open(&shared->model, &options, &s, &error))
		fail_msg("%s", error.message);
	return s;
}

/* What residual() keeps: the stream after each layer, and after the last half seen. */
struct kept {
	float after[2][ROWS][HIDDEN];
	uint32_t halves[8], n;
};

static void keep(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	struct kept *k = user;

	k->halves[k->n++] = half;
	for (uint32_t r = 0; half % 2 && r < n; r++)
		memcpy(k->after[half / 2][r], x + r * stride, sizeof k->after[0][0]);
}

/* The logits of the whole model are those of its layers one by one, each from the states that the one before left. */
static void test_layers(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.logit_rows = ROWS});
	struct kept whole = {.n = 0}, parts = {.n = 0};
	uint8_t want[ROWS];
	float expected[ROWS * VOCAB];
	const float *logits;

	(void)state;
	memset(want, 1, sizeof want);
	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.residual = keep, .user = &whole});
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = ROWS, .token = token,
								      .position = position,
					      .want_logits = want}, &logits, NULL), MOTE_OK);
	memcpy(expected, logits, sizeof expected);
	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.residual = keep, .user = &parts});
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = ROWS, .token = token,
								      .position = position,
					      .layers = 1}, &logits, NULL), MOTE_OK);
	assert_null(logits);
	assert_memory_equal(parts.after[0], whole.after[0], sizeof whole.after[0]);
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = ROWS, .x = parts.after[0][0],
					      .x_stride = HIDDEN, .position = position, .first_layer = 1,
					      .want_logits = want}, &logits, NULL), MOTE_OK);
	assert_memory_equal(logits, expected, sizeof expected);
	assert_int_equal(parts.n, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(parts.halves[i], i);
	mote_session_close(s);
}

/* What the second layer's four inputs are, those that were seen, and its residual stream. */
struct inputs {
	float x[4][ROWS][80], middle[ROWS][HIDDEN], after[ROWS][HIDDEN];
	uint32_t seen;
};

static void keep_input(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	const struct mote_layer *layer = &shared->model.layer[1];
	const struct mote_matrix *first[4] = {&layer->q, &layer->o, &layer->gate, &layer->down};
	struct inputs *in = user;

	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t r = 0; weight == first[i] && r < n; r++) {
			memcpy(in->x[i][r], x + r * stride, weight->cols * sizeof *x);
			in->seen |= 1u << i;
		}
}

static void keep_halves(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	struct inputs *in = user;

	for (uint32_t r = 0; half >= 2 && r < n; r++)
		memcpy(half == 2 ? in->middle[r] : in->after[r], x + r * stride, sizeof in->after[r]);
}

/* A pass may begin behind a layer's attention, and end when a layer's input has been seen: what is seen is what the
 * whole pass sees, and nothing later is. For many rows, and few. */
static void ends_early(uint32_t rows)
{
	struct mote_session *s = open_session((struct mote_session_options){.logit_rows = ROWS});
	struct inputs *whole = calloc(1, sizeof *whole), *part = calloc(1, sizeof *part);
	uint8_t none[ROWS] = {0};
	float expected[VOCAB];
	const float *logits;

	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.input = keep_input, .residual = keep_halves,
									   .user = whole});
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = rows, .token = token,
								      .position = position}, &logits, NULL), MOTE_OK);
	memcpy(expected, logits, sizeof expected);
	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.input = keep_input, .residual = keep_halves,
									   .user = part});
	for (uint32_t until = 1; until <= 4; until++)
		for (uint32_t behind = 0; behind <= (until > 2); behind++) {
			struct mote_batch batch = {.rows = rows, .position = position, .until = until,
						   .want_logits = behind ? none : NULL};

			memset(part, 0, sizeof *part);
			batch.token = behind ? NULL : token;
			batch.x = behind ? whole->middle[0] : NULL;
			batch.x_stride = HIDDEN;
			batch.first_layer = behind;
			batch.after_attention = behind;
			assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_OK);
			assert_null(logits);
			assert_int_equal(part->seen, behind ? (1u << until) - 4 : (1u << until) - 1);
			for (uint32_t i = behind ? 2 : 0; i < until; i++)
				assert_memory_equal(part->x[i], whole->x[i], sizeof whole->x[i]);
			if (until > 2 && !behind)
				assert_memory_equal(part->middle, whole->middle, sizeof whole->middle);
		}
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = rows, .x = whole->middle[0],
					      .x_stride = HIDDEN, .position = position, .first_layer = 1,
					      .after_attention = true}, &logits, NULL), MOTE_OK);
	assert_memory_equal(logits, expected, sizeof expected);
	assert_memory_equal(part->after, whole->after, sizeof whole->after);
	mote_session_close(s);
	free(whole);
	free(part);
}

static void test_parts_of_layers(void **state)
{
	(void)state;
	ends_early(ROWS);
	ends_early(3);
}

static void refuses(struct mote_session *s, struct mote_batch batch, const char *says)
{
	struct mote_error error = {0};
	const float *logits;

	batch.rows = batch.rows ? batch.rows : 2;
	batch.position = position;
	assert_int_equal(mote_session_forward(s, &batch, &logits, &error), MOTE_ERROR_ARGUMENT);
	if (!strstr(error.message, says))
		fail_msg("\"%s\" does not say \"%s\"", error.message, says);
}

static void test_refusals(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){0});
	float x[2 * HIDDEN] = {0}, hidden[2 * HIDDEN];

	(void)state;
	refuses(s, (struct mote_batch){0}, "neither tokens nor states");
	refuses(s, (struct mote_batch){.token = token, .x = x, .x_stride = HIDDEN}, "tokens and states");
	refuses(s, (struct mote_batch){.x = x, .x_stride = HIDDEN - 1}, "39 floats");
	refuses(s, (struct mote_batch){.x = x, .x_stride = HIDDEN, .first_layer = 2}, "the model has 2");
	refuses(s, (struct mote_batch){.x = x, .x_stride = HIDDEN, .first_layer = 1, .layers = 2}, "the model has 2");
	refuses(s, (struct mote_batch){.x = x, .x_stride = HIDDEN, .first_layer = 1, .layers = UINT32_MAX},
		"the model has 2");
	refuses(s, (struct mote_batch){.token = token, .first_layer = 1}, "begin at layer 0");
	refuses(s, (struct mote_batch){.token = token, .layers = 1, .hidden = hidden}, "final hidden states");
	refuses(s, (struct mote_batch){.token = token, .layers = 1, .want_logits = (uint8_t[]){0, 1}},
		"logits come from layer 1");
	refuses(s, (struct mote_batch){.token = token, .until = 5}, "ends at input 5");
	refuses(s, (struct mote_batch){.token = token, .after_attention = true}, "after a layer's attention");
	refuses(s, (struct mote_batch){.x = x, .x_stride = HIDDEN, .layers = 1, .after_attention = true, .until = 2},
		"ends at input 2");
	refuses(s, (struct mote_batch){.token = token, .until = 4, .hidden = hidden}, "final hidden states");
	refuses(s, (struct mote_batch){.token = token, .until = 4, .want_logits = (uint8_t[]){0, 1}},
		"logits of a pass that ends at input 4");
	mote_session_close(s);
}

/* The final hidden states are the head's input: of all rows, however many, with logits or without. */
static void keep_head(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	float *to = user;

	for (uint32_t r = 0; weight == &shared->model.head && r < n; r++)
		memcpy(to + (size_t)r * HIDDEN, x + r * stride, HIDDEN * sizeof *to);
}

static void test_hidden(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.logit_rows = ROWS});
	static const uint32_t counts[] = {ROWS, 3};
	uint8_t all[ROWS], none[ROWS] = {0};

	(void)state;
	memset(all, 1, sizeof all);
	for (int i = 0; i < 4; i++) {
		uint32_t n = counts[i / 2];
		float expected[ROWS * HIDDEN], hidden[ROWS * HIDDEN + 1];
		struct mote_batch batch = {.rows = n, .token = token, .position = position,
					   .want_logits = i % 2 ? none : all, .hidden = hidden};
		const float *logits;

		mote_session_set_activation_hook(s,
						 &(struct mote_activation_hook){.input = keep_head, .user = expected});
		batch.want_logits = all;
		assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_OK);
		mote_session_set_activation_hook(s, NULL);
		memset(hidden, 0xff, sizeof hidden);
		batch.want_logits = i % 2 ? none : all;
		assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_OK);
		assert_true(!logits == (i % 2 == 1));
		assert_memory_equal(hidden, expected, n * HIDDEN * sizeof *hidden);
		assert_true(hidden[n * HIDDEN] != hidden[n * HIDDEN]); /* and not a float more */
	}
	mote_session_close(s);
}

/* ---- cancelling ---- */

struct patience {
	uint32_t left, asked;
};

static bool proceed(void *user)
{
	struct patience *p = user;

	p->asked++;
	return p->left-- > 0;
}

/* Cancelled at each place where it may be, the sequence holds what it held, and the same batch then gives the same;
 * also while threads leave and join. */
static void test_cancel(void **state)
{
	static const uint32_t sizes[] = {ROWS - 3, 1};
	struct mote_session *s = open_session((struct mote_session_options){.sequences = 2});
	float first[VOCAB], expected[VOCAB];
	const float *logits;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct mote_batch batch = {.rows = sizes[i % 2], .token = token + 3, .position = position + 3};
		struct patience patience = {.left = 100};

		mote_pool_drill(s->pool, i / 2 % 3);
		assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 3, .token = token,
									      .position = position},
						      &logits, NULL), MOTE_OK);
		memcpy(first, logits, sizeof first);
		batch.proceed = proceed;
		batch.proceed_user = &patience;
		assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_OK);
		assert_int_equal(patience.asked, 4); /* twice a layer */
		memcpy(expected, logits, sizeof expected);
		for (uint32_t half = 0; half < 4; half++) {
			struct mote_error error = {0};

			mote_session_trim(s, 0, 3, NULL);
			patience = (struct patience){.left = half};
			assert_int_equal(mote_session_forward(s, &batch, &logits, &error), MOTE_ERROR_INTERRUPTED);
			assert_int_equal(error.code, MOTE_ERROR_INTERRUPTED);
			assert_int_equal(patience.asked, half + 1);
			assert_int_equal(mote_session_filled(s, 0), 3);
			patience = (struct patience){.left = 100};
			assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_OK);
			assert_memory_equal(logits, expected, sizeof expected);
		}
		/* One that overwrites: what lies before its first row is left. */
		patience.left = 0;
		batch.position = position + 2;
		assert_int_equal(mote_session_forward(s, &batch, &logits, NULL), MOTE_ERROR_INTERRUPTED);
		assert_int_equal(mote_session_filled(s, 0), 2);
		assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = token + 2,
						      .position = position + 2}, &logits, NULL), MOTE_OK);
		assert_memory_equal(logits, first, sizeof first);
	}
	mote_session_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_parts_of_layers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_cancel),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
