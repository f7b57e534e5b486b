/* The forward pass against an independent evaluation in double precision, and against itself bit by bit: logits
 * must not depend on the instruction set, the threads, the batch, or whether a row came in a prefill or alone.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/model/rope.h"
#include "tests/same_bits.h"

/* A straight transcription of the equations: row-major weights, doubles, libm, no cache, no batching. */
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

static void reference_norm(const struct mote_config *c, const double *x, uint32_t n, const float *weight,
			   const float *bias, double *y)
{
	double sum = 0, mean = 0;

	for (uint32_t i = 0; i < n && bias; i++)
		mean += x[i] / n;
	for (uint32_t i = 0; i < n; i++)
		sum += (x[i] - mean) * (x[i] - mean);
	for (uint32_t i = 0; i < n; i++)
		y[i] = !weight ? x[i] : (x[i] - mean) / sqrt(sum / n + c->norm_eps) * (double)weight[i] +
					(bias ? (double)bias[i] : 0);
}

/* Yarn's blend of a frequency and the same divided by the factor (transformers' _compute_yarn_parameters()). */
static double reference_yarn(const struct mote_config *c, uint32_t i, uint32_t dims, double f)
{
	double low = floor(dims * log(c->rope_original_positions / (c->rope_beta_fast * 2 * M_PI)) /
			   (2 * log(c->rope_theta)));
	double high = ceil(dims * log(c->rope_original_positions / (c->rope_beta_slow * 2 * M_PI)) /
			   (2 * log(c->rope_theta)));
	double ramp;

	low = fmax(low, 0);
	high = fmin(high, dims - 1);
	ramp = fmin(fmax((i - low) / (high - low), 0), 1);
	return f / c->rope_factor * ramp + f * (1 - ramp);
}

static double reference_frequency(const struct mote_config *c, enum mote_rotation rotation, uint32_t i)
{
	uint32_t dims = c->rotary_dim ? c->rotary_dim : c->head_dim;
	double theta = rotation == MOTE_ROTATION_LOCAL ? c->rope_local_theta : c->rope_theta;
	double f = pow(theta, -2.0 * i / dims), length, smooth;

	if (rotation != MOTE_ROTATION)
		return rotation == MOTE_ROTATION_NONE ? 0 : f;
	switch (c->rope_kind) {
	case MOTE_ROPE_DEFAULT: return f;
	case MOTE_ROPE_LINEAR: return f / c->rope_factor;
	case MOTE_ROPE_YARN: return reference_yarn(c, i, dims, f);
	case MOTE_ROPE_DYNAMIC: /* for a context of max_positions */
		theta *= pow(c->rope_factor * c->max_positions / c->rope_original_positions - (c->rope_factor - 1),
			     dims / (dims - 2.0));
		return pow(theta, -2.0 * i / dims);
	case MOTE_ROPE_LONGROPE: return f / c->rope_long_factor[i];
	case MOTE_ROPE_LLAMA3: break;
	}
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

/* Norm of each head and RoPE, in the model's order. */
static void reference_heads(const struct mote_config *c, const struct mote_layer *w, double *x, const float *weight,
			    uint32_t heads, uint32_t position)
{
	uint32_t half = (c->rotary_dim ? c->rotary_dim : c->head_dim) / 2;
	double scale = w->rotation == MOTE_ROTATION && c->rope_attention_factor > 0 ? c->rope_attention_factor : 1;

	if (c->features & MOTE_WIDE_NORM)
		reference_norm(c, x, heads * c->head_dim, weight, NULL, x);
	for (uint32_t h = 0; h < heads; h++, x += c->head_dim) {
		if (c->features & MOTE_HEAD_NORM && !(c->features & MOTE_NORM_AFTER_ROPE))
			reference_norm(c, x, c->head_dim, weight, NULL, x);
		for (uint32_t i = 0; i < half; i++) {
			double angle = position * reference_frequency(c, w->rotation, i), a = x[i], b = x[i + half];

			x[i] = (a * cos(angle) - b * sin(angle)) * scale;
			x[i + half] = (b * cos(angle) + a * sin(angle)) * scale;
		}
		if (c->features & MOTE_NORM_AFTER_ROPE)
			reference_norm(c, x, c->head_dim, weight, NULL, x);
	}
}

static void reference_product(const struct mote_matrix *w, const float *bias, const double *x, double *y)
{
	reference_row(w, x, y);
	for (uint32_t i = 0; i < w->rows && bias; i++)
		y[i] += (double)bias[i];
}

static double reference_cap(double cap, double x)
{
	return cap > 0 ? cap * tanh(x / cap) : x;
}

/* x += scale * norm(y) */
static void reference_add(const struct mote_config *c, const float *post_norm, double *y, double *x)
{
	reference_norm(c, y, c->hidden, post_norm, NULL, y);
	for (uint32_t i = 0; i < c->hidden; i++)
		x[i] += (c->residual_scale > 0 ? c->residual_scale : 1) * y[i];
}

/* One query head's attention to positions up to p. k, v: of its KV head, the rows kv_dim apart. */
static void reference_attend(const struct mote_config *c, const struct mote_layer *w, uint32_t p, const double *q,
			     const double *k, const double *v, uint32_t kv_dim, double *out)
{
	double *score = calloc(p + 1, sizeof *score), sum = 0, max = -1e300;
	uint32_t from = w->window && p >= w->window ? p + 1 - w->window : 0;

	for (uint32_t j = from; j <= p; j++) {
		for (uint32_t i = 0; i < c->head_dim; i++)
			score[j] += q[i] * k[(size_t)j * kv_dim + i];
		score[j] *= c->attention_scale > 0 ? c->attention_scale : 1 / sqrt(c->head_dim);
		score[j] = reference_cap(c->attention_cap, score[j]);
		max = score[j] > max ? score[j] : max;
	}
	for (uint32_t j = from; j <= p; j++)
		sum += score[j] = exp(score[j] - max);
	for (uint32_t i = 0; i < c->head_dim; i++) {
		out[i] = 0;
		for (uint32_t j = from; j <= p; j++)
			out[i] += score[j] / sum * v[(size_t)j * kv_dim + i];
	}
	free(score);
}

static void reference_attention(const struct mote_config *c, const struct mote_layer *w, uint32_t n, double *x)
{
	uint32_t q_dim = c->heads * c->head_dim, kv_dim = c->kv_heads * c->head_dim;
	double *k = calloc((size_t)n * kv_dim, sizeof *k), *v = calloc((size_t)n * kv_dim, sizeof *v);
	double *q = calloc(q_dim, sizeof *q), *a = calloc(q_dim, sizeof *a);
	double *t = calloc(c->hidden, sizeof *t), *y = calloc((size_t)n * c->hidden, sizeof *y);

	for (uint32_t p = 0; p < n; p++) {
		reference_norm(c, x + (size_t)p * c->hidden, c->hidden, w->attention_norm, w->attention_norm_bias, t);
		reference_product(&w->k, w->k_bias, t, k + (size_t)p * kv_dim);
		reference_product(&w->v, w->v_bias, t, v + (size_t)p * kv_dim);
		reference_heads(c, w, k + (size_t)p * kv_dim, w->k_norm, c->kv_heads, p);
		reference_product(&w->q, w->q_bias, t, q);
		reference_heads(c, w, q, w->q_norm, c->heads, p);
		for (uint32_t i = 0; i < q_dim && c->attention_growth > 0; i++)
			q[i] *= 1 + c->attention_growth * log(1 + floor((double)p / c->rope_original_positions));
		for (uint32_t h = 0; h < c->heads; h++) {
			uint32_t kv = h / (c->heads / c->kv_heads) * c->head_dim;

			reference_attend(c, w, p, q + h * c->head_dim, k + kv, v + kv, kv_dim, a + h * c->head_dim);
		}
		reference_product(&w->o, w->o_bias, a, y + (size_t)p * c->hidden);
	}
	for (uint32_t p = 0; p < n; p++)
		reference_add(c, w->attention_post_norm, y + (size_t)p * c->hidden, x + (size_t)p * c->hidden);
	free(k), free(v), free(q), free(a), free(t), free(y);
}

static void reference_feed_forward(const struct mote_config *c, const struct mote_layer *w, double *x)
{
	double *t = calloc(c->hidden, sizeof *t), *y = calloc(c->hidden, sizeof *y);
	double *g = calloc(c->ffn, sizeof *g), *u = calloc(c->ffn, sizeof *u);

	reference_norm(c, x, c->hidden, w->ffn_norm, w->ffn_norm_bias, t);
	reference_product(&w->gate, w->gate_bias, t, g);
	reference_product(&w->up, w->up_bias, t, u);
	for (uint32_t i = 0; i < c->ffn; i++)
		g[i] = (c->features & MOTE_GELU
			? 0.5 * g[i] * (1 + tanh(sqrt(2 / M_PI) * (g[i] + 0.044715 * g[i] * g[i] * g[i]))) :
						  g[i] / (1 + exp(-g[i]))) * u[i];
	reference_product(&w->down, w->down_bias, g, y);
	reference_add(c, w->ffn_post_norm, y, x);
	free(t), free(y), free(g), free(u);
}

/* logits [n][vocab] */
static void reference_forward(const struct mote_model *m, const int32_t *token, uint32_t n, double *logits)
{
	const struct mote_config *c = &m->config;
	double *x = calloc((size_t)n * c->hidden, sizeof *x), *t = calloc(c->hidden, sizeof *t);
	float *row = calloc(c->hidden, sizeof *row);

	for (uint32_t p = 0; p < n; p++) {
		mote_matrix_decode_row(&m->embedding, (uint32_t)token[p], row);
		for (uint32_t i = 0; i < c->hidden; i++)
			x[(size_t)p * c->hidden + i] = (double)row[i] * (c->embedding_scale > 0 ? c->embedding_scale
												: 1);
	}
	for (uint32_t l = 0; l < c->layers; l++) {
		reference_attention(c, &m->layer[l], n, x);
		for (uint32_t p = 0; p < n; p++)
			reference_feed_forward(c, &m->layer[l], x + (size_t)p * c->hidden);
	}
	for (uint32_t p = 0; p < n; p++) {
		reference_norm(c, x + (size_t)p * c->hidden, c->hidden, m->final_norm, m->final_norm_bias, t);
		reference_row(&m->head, t, logits + (size_t)p * c->vocab);
		for (uint32_t i = 0; i < c->vocab; i++) {
			double *logit = &logits[(size_t)p * c->vocab + i];

			*logit = reference_cap(c->logits_cap, *logit * (c->logits_scale > 0 ? c->logits_scale : 1));
		}
	}
	free(x), free(t), free(row);
}

/* Cases 0 to 11: two shapes with every kind of RoPE; then what other families do. */
static struct mote_config reference_case(int i)
{
	static const struct mote_config *const families[] = { &before_config, &after_config, &wide_norm_config,
							&turned_config };
	struct mote_config config = i >= 12 ? *families[i - 12] : i % 2 ? wide_config : odd_config;

	if (i >= 12) {
		config.window = 16;
		return config;
	}
	config.rope_kind = (enum mote_rope_kind)(i / 2);
	if (config.rope_kind == MOTE_ROPE_DEFAULT)
		return config;
	config.rope_theta = 50;
	config.rope_factor = 4;
	config.rope_low_freq_factor = config.rope_beta_slow = 1;
	config.rope_high_freq_factor = config.rope_beta_fast = 4;
	config.rope_original_positions = 64;
	config.rope_attention_factor = config.rope_kind == MOTE_ROPE_YARN || config.rope_kind == MOTE_ROPE_LONGROPE
				       ? 1.1 : 0;
	for (uint32_t j = 0; j < config.head_dim / 2; j++) {
		config.rope_short_factor[j] = 1;
		config.rope_long_factor[j] = 1 + j * 0.3;
	}
	return config;
}

static void test_reference(void **state)
{
	static const enum mote_type types[][4] = {{MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32},
						  {MOTE_F16, MOTE_BF16, MOTE_F16, MOTE_BF16}};
	(void)state;
	for (int i = 0; i < 16; i++) {
		struct mote_config config = reference_case(i);
		uint32_t n = 40;
		double *expected, worst = 0;
		float *found;
		struct random_model *r = malloc(sizeof *r);
		int32_t token[TOKENS];

		random_model_init(r, &config, types[i % 2], 11);
		random_tokens(token, n, config.vocab);
		expected = malloc((size_t)n * config.vocab * sizeof *expected);
		found = malloc((size_t)n * config.vocab * sizeof *found);
		reference_forward(&r->model, token, n, expected);
		run_batches(&r->model,
			    (struct mote_session_options){.threads = 2, .kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32},
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

/* Where the bounds of yarn's ramp lie at the ends of the dimensions. */
static void test_yarn_ends(void **state)
{
	static const struct {
		uint32_t dims, positions;
		double theta, slow, fast;
	} cases[] = {{4, 396, 10, 1, 60}, {4, 9, 10, 1, 4}, {8, 60000, 100, 1, 32}};

	(void)state;
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct mote_config c = { .head_dim = cases[k].dims, .rope_kind = MOTE_ROPE_YARN, .rope_factor = 4,
					 .rope_theta = cases[k].theta, .rope_beta_slow = cases[k].slow,
					 .rope_beta_fast = cases[k].fast,
					 .rope_original_positions = cases[k].positions };
		double found[4];

		mote_rope_frequencies(&c, MOTE_ROTATION, 1000, found);
		for (uint32_t i = 0; i < cases[k].dims / 2; i++)
			assert_true(fabs(found[i] / reference_frequency(&c, MOTE_ROTATION, i) - 1) < 1e-12);
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
		.rows = 8, .token = (int32_t[]){token[0], token[0], token[1], token[2], token[1], token[3], token[2],
						token[4]},
		.position = (uint32_t[]){0, 0, 1, 2, 1, 3, 2, 4}, .sequence = (uint32_t[]){0, 1, 0, 0, 1, 0, 1, 0},
		.want_logits = (uint8_t[]){0, 0, 0, 0, 1, 0, 1, 1}}, &out, &error), MOTE_OK);
	assert_memory_equal(out, alone + 1 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + wide_config.vocab, alone + 2 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + 2 * wide_config.vocab, alone + 4 * wide_config.vocab,
			    wide_config.vocab * sizeof *out);
	/* Sequence 0 is taken back to position 3, sequence 1 goes on. */
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){
		.rows = 3, .token = (int32_t[]){token[3], token[3], token[4]}, .position = (uint32_t[]){3, 3, 4},
		.sequence = (uint32_t[]){0, 1, 1}, .want_logits = (uint8_t[]){1, 1, 1}}, &out, &error), MOTE_OK);
	assert_memory_equal(out, alone + 3 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + wide_config.vocab, alone + 3 * wide_config.vocab, wide_config.vocab * sizeof *out);
	assert_memory_equal(out + 2 * wide_config.vocab, alone + 4 * wide_config.vocab,
			    wide_config.vocab * sizeof *out);
	mote_session_close(s);
	random_model_free(r);
	free(r);
	free(alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_yarn_ends),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test(test_same_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
