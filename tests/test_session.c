/* Sessions: what they refuse, what an activation hook sees, and that a forward pass allocates nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/model/rope.h"
#include "runtime/model/session.h"
#include "tests/random_model.h"

/* Counts allocations by standing in for the C library's allocator; sanitizers have their own. */
#if defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef COUNTS_ALLOCATIONS
#define COUNTS_ALLOCATIONS 1
#endif

static unsigned allocations;

#if COUNTS_ALLOCATIONS && defined(__GLIBC__)
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t n)
{
	__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
	__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
	__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return __libc_realloc(p, n);
}
void *aligned_alloc(size_t alignment, size_t n)
{
	__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return __libc_memalign(alignment, n);
}
#endif

static const struct mote_config config = {
	.hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .ffn = 96, .vocab = 50,
	.max_positions = 300, .norm_eps = 1e-5f, .tied_embeddings = true, .rope_theta = 10000, .bos = -1};
static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};

static struct random_model *shared;

static int setup(void **state)
{
	(void)state;
	shared = malloc(sizeof *shared);
	random_model_init(shared, &config, types, 1);
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

	if (mote_session_open(&shared->model, &options, &s, &error))
		fail_msg("%s", error.message);
	return s;
}

static void refuses(struct mote_session *s, struct mote_batch batch, const char *says)
{
	struct mote_error error = {0};
	const float *logits;

	assert_int_equal(mote_session_forward(s, &batch, &logits, &error), MOTE_ERROR_ARGUMENT);
	assert_int_equal(error.code, MOTE_ERROR_ARGUMENT);
	if (!strstr(error.message, says))
		fail_msg("\"%s\" does not say \"%s\"", error.message, says);
}

static void test_refusals(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.threads = 1, .context_tokens = 20,
									    .batch_rows = 4});
	struct mote_error error = {0};
	const float *logits;

	(void)state;
	refuses(s, (struct mote_batch){.rows = 0}, "0 rows");
	refuses(s, (struct mote_batch){.rows = 5, .token = (int32_t[5]){0}, .position = (uint32_t[]){0, 1, 2, 3, 4}},
		"5 rows");
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){-1}, .position = (uint32_t[]){0}}, "token -1");
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){50}, .position = (uint32_t[]){0}}, "token 50");
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){1}, .position = (uint32_t[]){1}}, "position 1");
	refuses(s, (struct mote_batch){.rows = 2, .token = (int32_t[]){1, 1}, .position = (uint32_t[]){0, 2}},
		"position 2");
	refuses(s, (struct mote_batch){.rows = 2, .token = (int32_t[]){1, 1}, .position = (uint32_t[]){0, 0}},
		"position 0");
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){1}, .position = (uint32_t[]){0},
				       .sequence = (uint32_t[]){1}}, "sequence 1");
	refuses(s, (struct mote_batch){.rows = 2, .token = (int32_t[]){1, 1}, .position = (uint32_t[]){0, 1},
				       .want_logits = (uint8_t[]){1, 1}}, "logits");
	/* Nothing of what was refused counts as seen. */
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){1}, .position = (uint32_t[]){2}},
		"holds only 0");
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = (int32_t[]){1},
			.position = &i}, &logits, &error), MOTE_OK);
	refuses(s, (struct mote_batch){.rows = 1, .token = (int32_t[]){1}, .position = (uint32_t[]){20}},
		"context has 20");
	/* No logits wanted is no error. */
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = (int32_t[]){1},
		.position = (uint32_t[]){0}, .want_logits = (uint8_t[]){0}}, &logits, &error), MOTE_OK);
	assert_null(logits);
	mote_session_close(s);
	mote_session_close(NULL);
}

static void test_options(void **state)
{
	struct mote_session *s;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(mote_session_open(&shared->model, &(struct mote_session_options){.context_tokens = 301},
					   &s, &error),
			 MOTE_ERROR_ARGUMENT);
	assert_null(s);
	assert_non_null(strstr(error.message, "301"));
	error = (struct mote_error){0};
	assert_int_equal(mote_session_open(&shared->model, &(struct mote_session_options){.isa = "mmx"}, &s, &error),
			 MOTE_ERROR_ARGUMENT);
	assert_null(s);
	s = open_session((struct mote_session_options){.threads = 3});
	assert_int_equal(mote_session_context(s), 300);
	assert_int_equal(mote_session_threads(s), 3);
	assert_true(mote_session_bytes(s) >= 2 * 2 * 300 * 2 * 16 * 2);
	mote_session_close(s);
}

static void test_allocates_nothing(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.threads = 2, .batch_rows = 64});
	int32_t token[64] = {0};
	uint32_t position[64];
	unsigned before = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
	const float *logits;

	(void)state;
	if (COUNTS_ALLOCATIONS)
		assert_true(before > 0);
	for (uint32_t i = 0; i < 64; i++)
		position[i] = i;
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 64, .token = token, .position = position},
					      &logits, NULL), MOTE_OK);
	for (uint32_t i = 64; i < 80; i++)
		assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = token,
									      .position = &i}, &logits,
						      NULL), MOTE_OK);
	assert_int_equal(__atomic_load_n(&allocations, __ATOMIC_RELAXED), before);
	mote_session_close(s);
}

struct seen {
	const struct mote_matrix *weight[64];
	uint32_t n, rows[64];
	float norm[64]; /* sum of squares of the first row */
};

static void see(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	struct seen *seen = user;

	assert_true(seen->n < 64);
	assert_true(stride >= weight->cols);
	for (uint32_t i = 0; i < weight->cols; i++)
		seen->norm[seen->n] += x[i] * x[i];
	seen->rows[seen->n] = n;
	seen->weight[seen->n++] = weight;
}

/* Every matrix once a pass, in forward order, with as many rows as it multiplies; the same values however many rows. */
static void test_activation_hook(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.threads = 2, .batch_rows = 32});
	const struct mote_model *m = &shared->model;
	const struct mote_matrix *order[15];
	struct seen many = {.n = 0}, few = {.n = 0};
	int32_t token[32];
	uint32_t position[32], n = 0;
	const float *logits;
	float expected[50], found;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct mote_layer *l = &m->layer[i];
		const struct mote_matrix *layer[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
		for (size_t j = 0; j < 7; j++)
			order[n++] = layer[j];
	}
	order[n++] = &m->head;
	for (uint32_t i = 0; i < 32; i++) {
		token[i] = (int32_t)(i * 7 % 50);
		position[i] = i;
	}
	mote_session_forward(s, &(struct mote_batch){.rows = 32, .token = token, .position = position}, &logits, NULL);
	memcpy(expected, logits, sizeof expected);
	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.input = see, .user = &many});
	mote_session_forward(s, &(struct mote_batch){.rows = 32, .token = token, .position = position}, &logits, NULL);
	assert_memory_equal(logits, expected, sizeof expected);
	mote_session_set_activation_hook(s, &(struct mote_activation_hook){.input = see, .user = &few});
	mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = token, .position = position}, &logits, NULL);
	mote_session_set_activation_hook(s, NULL);
	mote_session_forward(s, &(struct mote_batch){.rows = 1, .token = token, .position = position}, &logits, NULL);
	assert_int_equal(many.n, 15);
	assert_int_equal(few.n, 15);
	for (uint32_t i = 0; i < 15; i++) {
		assert_ptr_equal(many.weight[i], order[i]);
		assert_ptr_equal(few.weight[i], order[i]);
		assert_int_equal(many.rows[i], i < 14 ? 32 : 1);
		assert_int_equal(few.rows[i], 1);
		assert_true(many.norm[i] > 0);
		found = few.norm[i];
		if (i < 14) /* the head's input is of the last row, another one */
			assert_memory_equal(&found, &many.norm[i], sizeof found);
	}
	mote_session_close(s);
}

/* transformers' values for Llama 3.2's parameters: theta 500000, factor 32, 1, 4, 8192, head_dim 64. */
static void test_llama3_frequencies(void **state)
{
	struct mote_config c = {.head_dim = 64, .rope_kind = MOTE_ROPE_LLAMA3, .rope_theta = 500000, .rope_factor = 32,
				.rope_low_freq_factor = 1, .rope_high_freq_factor = 4, .rope_original_positions = 8192};
	double f[32];

	(void)state;
	mote_rope_frequencies(&c, MOTE_ROTATION, 0, f);
	assert_true(f[0] == 1.0);
	/* i = 1: 500000^(-1/32), untouched; i = 31: 500000^(-31/32) / 32 */
	assert_true(f[1] > 0.663601 && f[1] < 0.663602);
	assert_true(f[31] > 9.4180e-8 && f[31] < 9.4186e-8);
	for (int i = 1; i < 32; i++)
		assert_true(f[i] < f[i - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_allocates_nothing),
		cmocka_unit_test(test_activation_hook),
		cmocka_unit_test(test_llama3_frequencies),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
