/* The sampler: what each option keeps, in what order, and with what frequency. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/chat/reasoning.h"
#include "runtime/generate/sampler.h"

enum { DRAWS = 100000 };

/* How often each of vocab (<= 16) tokens is drawn. */
static void draw(struct mote_sampler_options options, const float *logits, uint32_t vocab, double share[16])
{
	struct mote_sampler *s;
	struct mote_error error = {0};

	if (mote_sampler_open(&options, vocab, &s, &error))
		fail_msg("%s", error.message);
	memset(share, 0, 16 * sizeof *share);
	for (int i = 0; i < DRAWS; i++) {
		int32_t id = mote_sampler_next(s, logits);
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
			int32_t id = mote_sampler_next(s, logits);
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
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 0, .top_p = 1}, 4, &s, NULL), MOTE_OK);
	assert_int_equal(mote_sampler_next(s, (float[]){1, 3, 3, 2}), 1);
	assert_int_equal(mote_sampler_next(s, (float[]){NAN, -5, NAN, -4}), 3);
	assert_int_equal(mote_sampler_next(s, (float[]){NAN, NAN, NAN, NAN}), 0);
	assert_int_equal(mote_sampler_next(s, (float[]){-INFINITY, -INFINITY, 0, INFINITY}), 3);
	mote_sampler_close(s);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1}, 4, &s, NULL), MOTE_OK);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(mote_sampler_next(s, (float[]){NAN, -5, NAN, -INFINITY}), 1);
		assert_int_equal(mote_sampler_next(s, (float[]){-5, -5, INFINITY, 0}), 2);
	}
	mote_sampler_close(s);
}

static void test_seed(void **state)
{
	float logits[5];
	struct mote_sampler *a, *b, *c;
	int same = 0;

	(void)state;
	make_logits(logits);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 42}, 5, &a, NULL), 0);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 42}, 5, &b, NULL), 0);
	assert_int_equal(mote_sampler_open(&(struct mote_sampler_options){.temperature = 1, .top_p = 1, .seed = 43}, 5, &c, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		int32_t id = mote_sampler_next(a, logits);
		assert_int_equal(id, mote_sampler_next(b, logits));
		same += id == mote_sampler_next(c, logits);
	}
	assert_in_range(same, 100, 600);
	mote_sampler_close(a), mote_sampler_close(b), mote_sampler_close(c);
	mote_sampler_close(NULL);
}

static void test_bad_options(void **state)
{
	static const struct mote_sampler_options bad[] = {
		{.temperature = -1, .top_p = 1}, {.temperature = NAN, .top_p = 1}, {.temperature = 1, .top_p = 1.5f},
		{.temperature = 1, .top_p = -0.1f}, {.temperature = 1, .top_p = 1, .min_p = 2}, {.temperature = 1, .top_p = NAN}};
	struct mote_sampler *s;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(mote_sampler_open(&bad[i], 4, &s, NULL), MOTE_ERROR_ARGUMENT);
		assert_null(s);
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
	expect_recommended("{\"temperature\":0.25,\"top_k\":20,\"top_p\":0.5,\"min_p\":0.125}", 0.25f, 20, 0.5f, 0.125f);
	expect_recommended("{\"temperature\":-1,\"top_k\":-1,\"top_p\":7,\"min_p\":1e300}", 0.6f, 0, 0.95f, 0);
	expect_recommended("{\"temperature\":null,\"top_k\":1e30,\"top_p\":\"1\",\"min_p\":true}", 0.6f, 0, 0.95f, 0);
}

static void test_reasoning(void **state)
{
	enum { OPEN = 100, CLOSE = 101 };
	struct mote_reasoning r;

	(void)state;
	r = mote_reasoning_start(OPEN, CLOSE, (int32_t[]){1, 2, 3}, 3);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	assert_int_equal(mote_reasoning_next(&r, OPEN), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	assert_int_equal(mote_reasoning_next(&r, OPEN), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	assert_int_equal(mote_reasoning_next(&r, CLOSE), MOTE_PART_MARKER);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	/* A pair in the system prompt is none of ours; a marker that ends the prompt is. */
	r = mote_reasoning_start(OPEN, CLOSE, (int32_t[]){OPEN, 5, CLOSE, 6, 7}, 5);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	r = mote_reasoning_start(OPEN, CLOSE, (int32_t[]){OPEN, CLOSE}, 2);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_ANSWER);
	r = mote_reasoning_start(OPEN, CLOSE, (int32_t[]){6, OPEN}, 2);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	r = mote_reasoning_start(OPEN, CLOSE, (int32_t[]){6, OPEN, 198}, 3);
	assert_int_equal(mote_reasoning_next(&r, 7), MOTE_PART_REASONING);
	/* A model without markers. */
	r = mote_reasoning_start(-1, -1, (int32_t[]){1}, 1);
	assert_int_equal(mote_reasoning_next(&r, -1), MOTE_PART_ANSWER);
	r = mote_reasoning_start(OPEN, CLOSE, NULL, 0);
	assert_int_equal(mote_reasoning_next(&r, 3), MOTE_PART_ANSWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_against_sorting),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_recommended),
		cmocka_unit_test(test_reasoning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
