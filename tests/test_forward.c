/* The forward pass against an independent evaluation in double precision, and against itself bit by bit: logits
 * must not depend on the instruction set, the threads, the batch, or whether a row came in a prefill or alone.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/same_bits.h"

/* A straight transcription of the Llama equations: row-major weights, doubles, libm, no cache, no batching. */
static void reference_row(const struct mote_matrix *w, const double *x, double *y)
{
	float *row = malloc(w->cols * sizeof *row);

	for (uint32_t r = 0; r < w->rows; r++) {
		mote_matrix_decode_row(w, r, row);
		y[r] = 0;
		for (uint32_t c = 0; c < w->cols; c++)
			y[r] += (double)row[c] * x[c];
	}
	free(row);
}

static void reference_norm(const struct mote_config *c, const double *x, const float *weight, double *y)
{
	double sum = 0;

	for (uint32_t i = 0; i < c->hidden; i++)
		sum += x[i] * x[i];
	for (uint32_t i = 0; i < c->hidden; i++)
		y[i] = x[i] / sqrt(sum / c->hidden + (double)c->norm_eps) * (double)weight[i];
}

static double reference_frequency(const struct mote_config *c, uint32_t i)
{
	double f = pow(c->rope_theta, -2.0 * i / c->head_dim), length, smooth;

	if (c->rope_kind == MOTE_ROPE_LINEAR)
		return f / c->rope_factor;
	if (c->rope_kind == MOTE_ROPE_DEFAULT)
		return f;
	/* transformers' _compute_llama3_parameters(), line by line */
	length = 2 * M_PI / f;
	if (length > c->rope_original_positions / c->rope_low_freq_factor)
		return f / c->rope_factor;
	if (length < c->rope_original_positions / c->rope_high_freq_factor)
		return f;
	smooth = (c->rope_original_positions / length - c->rope_low_freq_factor) /
		 (c->rope_high_freq_factor - c->rope_low_freq_factor);
	return (1 - smooth) * f / c->rope_factor + smooth * f;
}

static void reference_rope(const struct mote_config *c, double *x, uint32_t heads, uint32_t position)
{
	uint32_t half = c->head_dim / 2;

	for (uint32_t h = 0; h < heads; h++, x += c->head_dim)
		for (uint32_t i = 0; i < half; i++) {
			double angle = position * reference_frequency(c, i), a = x[i], b = x[i + half];

			x[i] = a * cos(angle) - b * sin(angle);
			x[i + half] = b * cos(angle) + a * sin(angle);
		}
}

/* logits [n][vocab] */
static void reference_forward(const struct mote_model *m, const int32_t *token, uint32_t n, double *logits)
{
	const struct mote_config *c = &m->config;
	uint32_t q_dim = c->heads * c->head_dim, kv_dim = c->kv_heads * c->head_dim;
	double *x = calloc((size_t)n * c->hidden, sizeof *x), *q = calloc(q_dim, sizeof *q);
	double *k = calloc((size_t)n * kv_dim, sizeof *k), *v = calloc((size_t)n * kv_dim, sizeof *v);
	double *a = calloc((size_t)q_dim + c->ffn, sizeof *a), *g = calloc(c->ffn, sizeof *g), *u = calloc(c->ffn, sizeof *u);
	double *t = calloc(c->hidden, sizeof *t), *y = calloc(c->hidden, sizeof *y), *score = calloc(n, sizeof *score);
	float *row = calloc(c->hidden, sizeof *row);

	for (uint32_t p = 0; p < n; p++) {
		mote_matrix_decode_row(&m->embedding, (uint32_t)token[p], row);
		for (uint32_t i = 0; i < c->hidden; i++)
			x[(size_t)p * c->hidden + i] = (double)row[i];
	}
	for (uint32_t l = 0; l < c->layers; l++) {
		const struct mote_layer *w = &m->layer[l];

		for (uint32_t p = 0; p < n; p++) {
			reference_norm(c, x + (size_t)p * c->hidden, w->attention_norm, t);
			reference_row(&w->k, t, k + (size_t)p * kv_dim);
			reference_row(&w->v, t, v + (size_t)p * kv_dim);
			reference_rope(c, k + (size_t)p * kv_dim, c->kv_heads, p);
		}
		for (uint32_t p = 0; p < n; p++) {
			reference_norm(c, x + (size_t)p * c->hidden, w->attention_norm, t);
			reference_row(&w->q, t, q);
			reference_rope(c, q, c->heads, p);
			for (uint32_t h = 0; h < c->heads; h++) {
				uint32_t kv = h / (c->heads / c->kv_heads) * c->head_dim;
				double sum = 0, max = -1e300;

				for (uint32_t j = 0; j <= p; j++) {
					score[j] = 0;
					for (uint32_t i = 0; i < c->head_dim; i++)
						score[j] += q[h * c->head_dim + i] * k[(size_t)j * kv_dim + kv + i];
					score[j] /= sqrt(c->head_dim);
					max = score[j] > max ? score[j] : max;
				}
				for (uint32_t j = 0; j <= p; j++)
					sum += score[j] = exp(score[j] - max);
				for (uint32_t i = 0; i < c->head_dim; i++) {
					a[h * c->head_dim + i] = 0;
					for (uint32_t j = 0; j <= p; j++)
						a[h * c->head_dim + i] += score[j] / sum * v[(size_t)j * kv_dim + kv + i];
				}
			}
			reference_row(&w->o, a, y);
			for (uint32_t i = 0; i < c->hidden; i++)
				x[(size_t)p * c->hidden + i] += y[i];
		}
		for (uint32_t p = 0; p < n; p++) {
			reference_norm(c, x + (size_t)p * c->hidden, w->ffn_norm, t);
			reference_row(&w->gate, t, g);
			reference_row(&w->up, t, u);
			for (uint32_t i = 0; i < c->ffn; i++)
				g[i] = g[i] / (1 + exp(-g[i])) * u[i];
			reference_row(&w->down, g, y);
			for (uint32_t i = 0; i < c->hidden; i++)
				x[(size_t)p * c->hidden + i] += y[i];
		}
	}
	for (uint32_t p = 0; p < n; p++) {
		reference_norm(c, x + (size_t)p * c->hidden, m->final_norm, t);
		reference_row(&m->head, t, logits + (size_t)p * c->vocab);
	}
	free(x), free(q), free(k), free(v), free(a), free(g), free(u), free(t), free(y), free(score), free(row);
}

static void test_reference(void **state)
{
	static const enum mote_type types[][4] = {{MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32},
						  {MOTE_F16, MOTE_BF16, MOTE_F16, MOTE_BF16}};
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct mote_config config = i % 2 ? wide_config : odd_config;
		uint32_t n = 40;
		double *expected, worst = 0;
		float *found;
		struct random_model *r = malloc(sizeof *r);
		int32_t token[TOKENS];

		if (i >= 2) {
			config.rope_kind = i < 4 ? MOTE_ROPE_LINEAR : MOTE_ROPE_LLAMA3;
			config.rope_theta = 50;
			config.rope_factor = 4;
			config.rope_low_freq_factor = 1;
			config.rope_high_freq_factor = 4;
			config.rope_original_positions = 64;
		}
		random_model_init(r, &config, types[i % 2], 11);
		random_tokens(token, n, config.vocab);
		expected = malloc((size_t)n * config.vocab * sizeof *expected);
		found = malloc((size_t)n * config.vocab * sizeof *found);
		reference_forward(&r->model, token, n, expected);
		run_batches(&r->model, (struct mote_session_options){.threads = 2, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32},
			    token, n, n, found);
		for (size_t j = 0; j < (size_t)n * config.vocab; j++) {
			double difference = fabs(expected[j] - (double)found[j]);
			worst = difference > worst || difference != difference ? difference : worst;
		}
		if (!(worst < 2e-4))
			fail_msg("case %d: logits differ by %g from the reference", i, worst);
		free(expected);
		free(found);
		random_model_free(r);
		free(r);
	}
}

static void test_same_bits(void **state)
{
	char message[300];
	uint64_t hash;

	(void)state;
	for (const struct same_bits_case *c = same_bits_cases; c < same_bits_cases + SAME_BITS_CASES; c++)
		if (find_difference(c->config, c->types, c->k, c->v, c->tokens, &hash, message))
			fail_msg("%s", message);
}

/* Two sequences in one batch, interleaved, at different depths, are what each is alone. */
static void test_sequences(void **state)
{
	static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q8, MOTE_Q4, MOTE_Q8};
	struct mote_session_options options = {.threads = 2, .sequences = 2, .batch_rows = 8, .logit_rows = 4};
	struct random_model *r = malloc(sizeof *r);
	struct mote_session *s;
	struct mote_error error = {0};
	int32_t token[TOKENS];
	float *alone = malloc((size_t)TOKENS * wide_config.vocab * sizeof *alone);
	const float *out;

	(void)state;
	random_model_init(r, &wide_config, types, 9);
	random_tokens(token, 8, wide_config.vocab);
	run_batches(&r->model, (struct mote_session_options){.threads = 1}, token, 8, 8, alone);
	assert_int_equal(mote_session_open(&r->model, &options, &s, &error), MOTE_OK);
	/* Sequence 0: tokens 0..4; sequence 1: tokens 0..2. */
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){
		.rows = 8, .token = (int32_t[]){token[0], token[0], token[1], token[2], token[1], token[3], token[2], token[4]},
		.position = (uint32_t[]){0, 0, 1, 2, 1, 3, 2, 4}, .sequence = (uint32_t[]){0, 1, 0, 0, 1, 0, 1, 0},
		.want_logits = (uint8_t[]){0, 0, 0, 0, 1, 0, 1, 1}}, &out, &error), MOTE_OK);
	assert_memory_equal(out, alone + 1 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + wide_config.vocab, alone + 2 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + 2 * wide_config.vocab, alone + 4 * wide_config.vocab, wide_config.vocab * sizeof *out);
	/* Sequence 0 is taken back to position 3, sequence 1 goes on. */
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){
		.rows = 3, .token = (int32_t[]){token[3], token[3], token[4]}, .position = (uint32_t[]){3, 3, 4},
		.sequence = (uint32_t[]){0, 1, 1}, .want_logits = (uint8_t[]){1, 1, 1}}, &out, &error), MOTE_OK);
	assert_memory_equal(out, alone + 3 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + wide_config.vocab, alone + 3 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + 2 * wide_config.vocab, alone + 4 * wide_config.vocab, wide_config.vocab * sizeof *out);
	mote_session_close(s);
	random_model_free(r);
	free(r);
	free(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_same_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
