/* The sampler: what each option keeps, in what order, and with what frequency. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/chat/reasoning.h"
#include "runtime/generate/logit_row.h"
#include "runtime/generate/sampler.h"

enum { DRAWS = 100000 };

/* The next token, which there is. */
static int32_t next(struct mote_sampler *s, const float *logits)
{
	struct mote_error error = {0};
	int32_t id = -1;

	if (mote_sampler_next(s, logits, &id, &error))
		fail_msg("%s", error.message);
	return id;
}

/* How often each of vocab (<= 16) tokens is drawn. */
static void draw(struct mote_sampler_options options, const float *logits, uint32_t vocab, double share[16])
{
	struct mote_sampler *s;
	struct mote_error error = {0};

	if (mote_sampler_open(&options, vocab, &s, &error))
		fail_msg("%s", error.message);
	memset(share, 0, 16 * sizeof *share);
	for (int i = 0; i < DRAWS; i++) {
		int32_t id = next(s, logits);
		assert_in_range(id, 0, vocab - 1);
		share[id] += 1.0 / DRAWS;
	}
	mote_sampler_close(s);
}

static void close_to(const double *share, const double *expected, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		double error = 5 * sqrt(expected[i] * (1 - expected[i]) / DRAWS); /* five standard deviations */
		if (fabs(share[i] - expected[i]) > error + 1e-9)
			fail_msg("token %u: share %g, expected %g", i, share[i], expected[i]);
	}
}

static const double p[5] = {0.1, 0.4, 0.2, 0.05, 0.25};

static void make_logits(float logits[5])
{
	for (int i = 0; i < 5; i++)
		logits[i] = (float)log(p[i]) + 3;
}

static void test_distribution(void **state)
{
	float logits[5];
	double share[16], squared[5], sum = 0;

	(void)state;
	make_logits(logits);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 1}, logits, 5, share);
	close_to(share, p, 5);
	/* Temperature 1/2 squares the probabilities. */
	for (int i = 0; i < 5; i++)
		sum += p[i] * p[i];
	for (int i = 0; i < 5; i++)
		squared[i] = p[i] * p[i] / sum;
	draw((struct mote_sampler_options){.temperature = 0.5f, .top_p = 1, .seed = 2}, logits, 5, share);
	close_to(share, squared, 5);
}

static void test_filters(void **state)
{
	float logits[5];
	double share[16];

	(void)state;
	make_logits(logits);
	draw((struct mote_sampler_options){.temperature = 1, .top_k = 2, .top_p = 1}, logits, 5, share);
	close_to(share, (double[]){0, 0.4 / 0.65, 0, 0, 0.25 / 0.65}, 5);
	/* 0.4 + 0.25 = 0.65 does not reach 0.7: the third is kept as well. */
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 0.7f}, logits, 5, share);
	close_to(share, (double[]){0, 0.4 / 0.85, 0.2 / 0.85, 0, 0.25 / 0.85}, 5);
	/* 0.3 * 0.4 = 0.12 */
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .min_p = 0.3f}, logits, 5, share);
	close_to(share, (double[]){0, 0.4 / 0.85, 0.2 / 0.85, 0, 0.25 / 0.85}, 5);
	/* top-p works on what top-k left: of {0.4, 0.25, 0.2} / 0.85 the first two reach 0.75. */
	draw((struct mote_sampler_options){.temperature = 1, .top_k = 3, .top_p = 0.75f}, logits, 5, share);
	close_to(share, (double[]){0, 0.4 / 0.65, 0, 0, 0.25 / 0.65}, 5);
	/* Temperature comes first: squared, 0.16 of 0.275 alone reaches 0.55. */
	draw((struct mote_sampler_options){.temperature = 0.5f, .top_p = 0.55f}, logits, 5, share);
	close_to(share, (double[]){0, 1, 0, 0, 0}, 5);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 0}, logits, 5, share);
	close_to(share, (double[]){0, 1, 0, 0, 0}, 5);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .top_k = 1000}, logits, 5, share);
	close_to(share, p, 5);
}

/* Against a plain implementation that sorts everything, on vocabularies where the shortcut through thresholds is
 * taken at every level. */
static int32_t naive_last_kept(const float *logits, uint32_t vocab, double temperature, uint32_t top_k, double top_p,
			       double min_p, uint32_t *kept)
{
	uint32_t *order = malloc(vocab * sizeof *order), n = top_k && top_k < vocab ? top_k : vocab;
	double total = 0, sum = 0, first;
	int32_t last = -1;

	for (uint32_t i = 0; i < vocab; i++)
		order[i] = i;
	for (uint32_t i = 0; i < n; i++) /* selection sort of the first n */
		for (uint32_t j = i + 1; j < vocab; j++)
			if (logits[order[j]] > logits[order[i]] ||
			    (logits[order[j]] == logits[order[i]] && order[j] < order[i])) {
				uint32_t t = order[i];
				order[i] = order[j];
				order[j] = t;
			}
	first = logits[order[0]] / temperature;
	for (uint32_t i = 0; i < n; i++)
		total += exp(logits[order[i]] / temperature - first);
	*kept = 0;
	for (uint32_t i = 0; i < n; i++) {
		double w = exp(logits[order[i]] / temperature - first);
		if (i && w < min_p)
			break;
		last = (int32_t)order[i];
		++*kept;
		sum += w;
		if (top_p < 1 && sum >= top_p * total)
			break;
	}
	free(order);
	return last;
}

/* With nothing left out an id is drawn by the sums of parts. Against one sum over all, with the generator's description
 * (SplitMix64) written down again: the same ids, wherever between zero weights they lie. */
static void test_of_all(void **state)
{
	enum { VOCAB = 2600 };
	static float logits[VOCAB];
	static double weight[VOCAB];
	struct mote_sampler_options o = {.temperature = 1, .top_p = 1, .seed = 5};
	uint64_t seed = 3, random = o.seed;
	struct mote_logit_bias out[VOCAB];
	struct mote_sampler *s;

	(void)state;
	for (int i = 0; i < VOCAB; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		logits[i] = 4 * (float)(seed >> 40) * 0x1p-24f;
		weight[i] = exp((double)logits[i]);
		/* a whole part at the beginning, one in the middle and the end, and every fifth, are ruled out */
		if (i < 512 || (i >= 1024 && i < 1600) || i >= 2300 || i % 5 == 0) {
			out[o.biases++] = (struct mote_logit_bias){i, -INFINITY};
			weight[i] = 0;
		}
	}
	o.bias = out;
	assert_int_equal(mote_sampler_open(&o, VOCAB, &s, NULL), MOTE_OK);
	for (int n = 0; n < 3000; n++) {
		uint64_t z = random += 0x9e3779b97f4a7c15u;
		double total = 0, target, sum = 0;
		int32_t id = next(s, logits), expected = 0;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		for (int i = 0; i < VOCAB; i++)
			total += weight[i];
		target = (double)((z ^ z >> 31) >> 11) * 0x1p-53 * total;
		while (sum + weight[expected] <= target)
			sum += weight[expected++];
		if (id != expected) { /* weights are floats: at a border the neighbour may come */
			double border = id > expected ? sum + weight[expected] : sum;

			assert_true(fabs(target - border) < 1e-5 * total);
		}
		assert_true(weight[id] > 0);
	}
	mote_sampler_close(s);
}

static void test_against_sorting(void **state)
{
	enum { VOCAB = 700 };
	static float logits[VOCAB];
	uint64_t seed = 77;

	(void)state;
	for (int round = 0; round < 60; round++) {
		static const float spreads[] = {0.1f, 3, 12, 60};
		struct mote_sampler_options o = {.temperature = 0.8f, .top_k = (uint32_t[]){0, 40, 400}[round % 3],
						 .top_p = (float[]){0.5f, 0.95f, 0.9995f, 1}[round % 4],
						 .min_p = round % 5 == 4 ? 0.01f : 0, .seed = 1};
		struct mote_sampler *s;
		uint32_t kept, seen = 0;
		static uint8_t drawn[VOCAB];
		int32_t last;

		for (int i = 0; i < VOCAB; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			logits[i] = spreads[round / 15] * (float)(seed >> 40) * 0x1p-24f;
		}
		last = naive_last_kept(logits, VOCAB, 0.8, o.top_k, o.top_p, o.min_p, &kept);
		assert_int_equal(mote_sampler_open(&o, VOCAB, &s, NULL), MOTE_OK);
		memset(drawn, 0, sizeof drawn);
		for (int i = 0; i < 1000; i++) {
			int32_t id = next(s, logits);
			seen += !drawn[id];
			drawn[id] = 1;
			assert_true(logits[id] >= logits[last]); /* nothing beyond the cut is ever drawn */
		}
		assert_true(seen <= kept);
		if (kept < 20 && spreads[round / 15] < 10)
			assert_int_equal(seen, kept);
		mote_sampler_close(s);
	}
}

static void test_greedy(void **state)
{
	struct mote_sampler *s;

	(void)state;
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 0, .top_p = 1}, 4, &s, NULL),
			 MOTE_OK);
	assert_int_equal(next(s, (float[]){1, 3, 3, 2}), 1);
	assert_int_equal(next(s, (float[]){-4, -5, -6, -4}), 0);
	mote_sampler_close(s);
}

/* A row with NaN or infinity is an error, greedy or not, wherever in the row it is. */
static void test_broken_logits(void **state)
{
	enum { VOCAB = 37 };
	static const float broken[] = {NAN, INFINITY, -INFINITY};
	float logits[VOCAB] = {0};

	(void)state;
	for (int greedy = 0; greedy < 2; greedy++)
		for (size_t k = 0; k < 3; k++)
			for (int at = 0; at < VOCAB; at++) {
				struct mote_sampler_options o = {.temperature = greedy ? 0 : 1, .top_p = 1};
				struct mote_sampler *s;
				struct mote_error error = {0};
				char token[32];
				int32_t id = -7;

				assert_int_equal(mote_sampler_open(&o, VOCAB, &s, NULL), MOTE_OK);
				logits[at] = broken[k];
				assert_int_equal(mote_sampler_next(s, logits, &id, &error), MOTE_ERROR_CORRUPT);
				snprintf(token, sizeof token, "token %d is", at);
				assert_non_null(strstr(error.message, token));
				assert_int_equal(id, -7);
				logits[at] = 0;
				next(s, logits);
				mote_sampler_close(s);
			}
}

static void test_argmax(void **state)
{
	float logits[100];

	(void)state;
	for (uint32_t vocab = 1; vocab <= 100; vocab++)
		for (uint32_t at = 0; at < vocab; at++) {
			for (uint32_t i = 0; i < vocab; i++)
				logits[i] = -3;
			logits[at] = -1;
			if (at + 3 < vocab)
				logits[at + 3] = -1;
			assert_int_equal(mote_logit_row_argmax(logits, vocab), at);
		}
	assert_int_equal(mote_logit_row_argmax((float[]){NAN, -5, NAN, -4}, 4), 3);
	assert_int_equal(mote_logit_row_argmax((float[]){NAN, NAN}, 2), 0);
}

static void test_seed(void **state)
{
	float logits[5];
	struct mote_sampler *a, *b, *c;
	int same = 0;

	(void)state;
	make_logits(logits);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 42}, 5,
					   &a, NULL), 0);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 42}, 5,
					   &b, NULL), 0);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 43}, 5,
					   &c, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		int32_t id = next(a, logits);
		assert_int_equal(id, next(b, logits));
		same += id == next(c, logits);
	}
	assert_in_range(same, 100, 600);
	mote_sampler_close(a), mote_sampler_close(b), mote_sampler_close(c);
	mote_sampler_close(NULL);
}

static void test_bad_options(void **state)
{
	static const struct mote_logit_bias beyond = {4, 0}, not_a_number = {0, NAN};
	static const struct mote_sampler_options bad[] = {
		{.temperature = -1, .top_p = 1}, {.temperature = NAN, .top_p = 1}, {.temperature = 1, .top_p = 1.5f},
		{.temperature = 1, .top_p = -0.1f}, {.temperature = 1, .top_p = 1, .typical_p = 2},
		{.top_p = 1, .biases = 1, .bias = &beyond}, {.top_p = 1, .biases = 1, .bias = &not_a_number},
		{.top_p = 1, .penalties = {.repetition = -1}}, {.top_p = 1, .penalties = {.repetition = NAN}},
		{.top_p = 1, .penalties = {.presence = 101}}, {.top_p = 1, .penalties = {.frequency = NAN}},
		{.top_p = 1, .penalties = {.dry_multiplier = 1}}, {.temperature = 1, .top_p = 1, .min_p = 2},
		{.temperature = 1, .top_p = NAN}};
	static const struct mote_penalties_options ends[] = {
		{.repetition = 100}, {.repetition = 0.01f}, {.presence = 100}, {.presence = -100}, {.frequency = 100},
		{.frequency = -100}, {.dry_multiplier = 100, .dry_base = 1}, {.dry_multiplier = 1, .dry_base = 100}};
	struct mote_sampler *s;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(mote_sampler_open(&bad[i], 4, &s, NULL), MOTE_ERROR_ARGUMENT);
		assert_null(s);
	}
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		const struct mote_sampler_options at_an_end = {.top_p = 1, .penalties = ends[i]};

		assert_int_equal(mote_sampler_open(&at_an_end, 4, &s, NULL), MOTE_OK);
		mote_sampler_close(s);
	}
}

static void expect_recommended(const char *json, float temperature, uint32_t top_k, float top_p, float min_p)
{
	struct mote_sampler_options o;
	cJSON *generation = NULL;

	assert_int_equal(mote_json_parse(json, strlen(json), "generation", &generation, NULL), MOTE_OK);
	o = mote_sampler_recommended(generation);
	assert_true(o.temperature == temperature && o.top_k == top_k && o.top_p == top_p && o.min_p == min_p);
	cJSON_Delete(generation);
}

static void test_recommended(void **state)
{
	(void)state;
	expect_recommended("{}", 0.6f, 0, 0.95f, 0);
	expect_recommended("{\"temperature\":0.25,\"top_k\":20,\"top_p\":0.5,\"min_p\":0.125}", 0.25f, 20,
			   0.5f, 0.125f);
	expect_recommended("{\"temperature\":-1,\"top_k\":-1,\"top_p\":7,\"min_p\":1e300}", 0.6f, 0, 0.95f, 0);
	expect_recommended("{\"temperature\":null,\"top_k\":1e30,\"top_p\":\"1\",\"min_p\":true}", 0.6f, 0, 0.95f, 0);
}

/* What a bias, a mask and each penalty does to a greedy choice. */
static void rule_out_third(void *user, float *logits)
{
	++*(int *)user;
	logits[2] = -INFINITY;
}

/* After a prompt, and ids that came behind it. */
static int32_t choose_after(struct mote_sampler_options o, const float logits[5], const int32_t *history, size_t prompt,
			    size_t n)
{
	struct mote_sampler *s;
	int32_t id;

	o.top_p = 1;
	assert_int_equal(mote_sampler_open(&o, 5, &s, NULL), MOTE_OK);
	assert_int_equal(mote_sampler_begin(s, (int32_t[]){4, 4, 4}, 3, NULL), MOTE_OK); /* another answer's */
	assert_int_equal(mote_sampler_accept(s, 4, NULL), MOTE_OK);
	assert_int_equal(mote_sampler_begin(s, history, prompt, NULL), MOTE_OK);
	for (size_t i = prompt; i < n; i++)
		assert_int_equal(mote_sampler_accept(s, history[i], NULL), MOTE_OK);
	id = next(s, logits);
	mote_sampler_close(s);
	return id;
}

static int32_t choose(struct mote_sampler_options o, const float logits[5], const int32_t *history, size_t n)
{
	return choose_after(o, logits, history, n, n);
}

static void test_bias_and_mask(void **state)
{
	static const float logits[5] = {1, 2, 5, 4, 3};
	struct mote_logit_bias bias[2] = {{2, -INFINITY}, {0, 3.5f}};
	int asked = 0;
	double share[16];
	int32_t id;
	struct mote_sampler *s;

	(void)state;
	assert_int_equal(choose((struct mote_sampler_options){.bias = bias, .biases = 1}, logits, NULL, 0), 3);
	assert_int_equal(choose((struct mote_sampler_options){.bias = bias, .biases = 2}, logits, NULL, 0), 0);
	assert_int_equal(choose((struct mote_sampler_options){.mask = rule_out_third, .mask_user = &asked}, logits,
				NULL, 0), 3);
	assert_int_equal(asked, 1);
	draw((struct mote_sampler_options){.temperature = 100, .top_p = 1, .mask = rule_out_third, .mask_user = &asked},
	     logits, 5, share);
	assert_true(share[2] == 0 && share[0] > 0.2);
	/* Nothing is left. */
	bias[1] = (struct mote_logit_bias){0, -INFINITY};
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1,
									  .bias = (struct mote_logit_bias[])
					   {{0, -INFINITY}, {1, -INFINITY}}, .biases = 2}, 2, &s, NULL), MOTE_OK);
	assert_int_equal(mote_sampler_next(s, logits, &id, NULL), MOTE_ERROR_ARGUMENT);
	mote_sampler_close(s);
}

static void test_penalties(void **state)
{
	static const float logits[5] = {-1, -2, 4, 3, 2.5f}, low[5] = {-1, -1.5f, -4, -3, -5};
	static const int32_t history[] = {2, 3, 2, 0};

	(void)state;
	/* 4 / 1.2 = 3.33, 3 / 1.2 = 2.5; 4 / 1.7 = 2.35 < 2.5 */
	assert_int_equal(choose((struct mote_sampler_options){.penalties = {.repetition = 1.2f}}, logits, history, 4),
			 2);
	assert_int_equal(choose((struct mote_sampler_options){.penalties = {.repetition = 1.7f}}, logits, history, 4),
			 4);
	assert_int_equal(choose((struct mote_sampler_options){.penalties = {.repetition = 1.7f}}, low, history, 4), 1);
	assert_int_equal(choose((struct mote_sampler_options){.penalties = {.repetition = 1.7f, .window = 1}},
				logits, history, 4), 2); /* only 0 is looked at */
	assert_int_equal(choose((struct mote_sampler_options){.penalties = {.repetition = 0.5f}}, logits, history, 4),
			 2);
	/* 2 came twice, 3 once: 4 - 2 * 0.6 = 2.8, 3 - 0.6 = 2.4; by presence 3.4 and 2.4 */
	for (size_t prompt = 0; prompt < 5; prompt++) {
		static const struct {
			struct mote_penalties_options penalties;
			int32_t expected[5]; /* by how many of the history are the prompt */
		} rows[] = {{{.frequency = 0.6f}, {2, 2, 2, 2, 2}}, {{.frequency = 0.8f}, {4, 2, 2, 2, 2}},
			    {{.frequency = 1.1f}, {4, 2, 3, 2, 2}}, {{.presence = 0.8f}, {2, 2, 2, 2, 2}},
			    {{.presence = 1.6f}, {4, 4, 3, 2, 2}}, {{.presence = 1.6f, .window = 2}, {3, 3, 3, 2, 2}},
			    {{.frequency = 0.8f, .window = 3}, {2, 2, 2, 2, 2}}};

		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			assert_int_equal(choose_after((struct mote_sampler_options){.penalties = rows[i].penalties},
						      logits, history, prompt, 4),
					 rows[i].expected[prompt]);
	}
}

static void test_dry(void **state)
{
	static const float logits[5] = {0, 0, 4, 3, 0};
	/* "0 1 2" came, and "0 1" again: 2 would prolong a repetition of two. */
	static const int32_t history[] = {0, 1, 2, 4, 0, 1}, breaker = 0;
	struct mote_sampler_options o = {.penalties = {.dry_multiplier = 0.8f, .dry_base = 1.75f, .dry_allowed = 2}};

	(void)state;
	assert_int_equal(choose(o, logits, history, 6), 2); /* 4 - 0.8 */
	o.penalties.dry_multiplier = 1.2f;
	assert_int_equal(choose(o, logits, history, 6), 3);
	o.penalties.dry_allowed = 3;
	assert_int_equal(choose(o, logits, history, 6), 2);
	o.penalties.dry_allowed = 1; /* 1.2 * 1.75 */
	o.penalties.dry_multiplier = 0.6f;
	assert_int_equal(choose(o, logits, history, 6), 3);
	o.penalties.dry_breaker = &breaker;
	o.penalties.dry_breakers = 1;
	assert_int_equal(choose(o, logits, history, 6), 2); /* a repetition of one: 0.6 */
}

/* transformers 4: TypicalLogitsWarper; entropy of p is 1.39, and by the distance from it of -log p the order is 0.25
 * (0.00), 0.2 (0.22), 0.4 (0.48), 0.1 (0.91), 0.05 (1.6). */
static void test_typical(void **state)
{
	float logits[5];
	double share[16];

	(void)state;
	make_logits(logits);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .typical_p = 0.2f}, logits, 5, share);
	close_to(share, (double[]){0, 0, 0, 0, 1}, 5);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .typical_p = 0.4f}, logits, 5, share);
	close_to(share, (double[]){0, 0, 0.2 / 0.45, 0, 0.25 / 0.45}, 5);
	draw((struct mote_sampler_options){.temperature = 1, .top_p = 1, .typical_p = 0.5f}, logits, 5, share);
	close_to(share, (double[]){0, 0.4 / 0.85, 0.2 / 0.85, 0, 0.25 / 0.85}, 5);
}

static void test_reasoning(void **state)
{
	enum { OPEN = 100, CLOSE = 101 };
	const struct mote_reasoning_tags tags = {"<think>", "</think>", OPEN, CLOSE}, none = {NULL, NULL, -1, -1};
	struct mote_reasoning r;
	static const struct {
		const char *text;
		bool open;
	} ends[] = {{"", false}, {"<think>", true}, {"a<think>\n\n", true}, {"<think> and </think>", false},
		    {"</think><think>x", true}, {"think>", false}, {"<think><think></think>", false}};

	(void)state;
	r = mote_reasoning_start(&tags, false);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	assert_int_equal(mote_reasoning_next(&r, OPEN), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	assert_int_equal(mote_reasoning_next(&r, OPEN), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	assert_int_equal(mote_reasoning_next(&r, CLOSE), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	r = mote_reasoning_start(&tags, true);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		assert_int_equal(mote_reasoning_is_open(&tags, ends[i].text, strlen(ends[i].text)), ends[i].open);
	/* A model without markers. */
	r = mote_reasoning_start(&none, true);
	assert_int_equal(mote_reasoning_next(&r, -1), MOTE_PART_ANSWER);
	assert_false(mote_reasoning_is_open(&none, "<think>", 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_of_all),
		cmocka_unit_test(test_against_sorting),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_recommended),
		cmocka_unit_test(test_broken_logits),
		cmocka_unit_test(test_argmax),
		cmocka_unit_test(test_bias_and_mask),
		cmocka_unit_test(test_penalties),
		cmocka_unit_test(test_dry),
		cmocka_unit_test(test_typical),
		cmocka_unit_test(test_reasoning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
