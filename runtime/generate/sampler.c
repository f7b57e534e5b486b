#include "runtime/generate/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/kernels/kernels.h"

struct candidate {
	float weight; /* exp((logit - max) / temperature), 1 for the first */
	int32_t id;
};

struct mote_sampler {
	struct mote_sampler_options options;
	struct mote_kernels kernels; /* for softmax: its exponential is the same on every machine */
	uint64_t random;
	uint32_t vocab;
	float *weight;               /* [vocab] by id, 64-byte aligned */
	struct candidate *candidate; /* [vocab] */
};

/* SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014). */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool within(float x, float low, float high)
{
	return x >= low && x <= high; /* false for NaN */
}

/* generation_config.json is not ours: what is out of range there is as if it were not given. */
static float setting(const cJSON *generation, const char *key, float low, float high, float otherwise)
{
	const cJSON *item = mote_json_get(generation, key);

	return cJSON_IsNumber(item) && within((float)item->valuedouble, low, high) ? (float)item->valuedouble : otherwise;
}

struct mote_sampler_options mote_sampler_recommended(const cJSON *generation)
{
	const cJSON *top_k = mote_json_get(generation, "top_k");
	struct mote_sampler_options o = {.temperature = setting(generation, "temperature", 0, 100, 0.6f),
					 .top_p = setting(generation, "top_p", 0, 1, 0.95f),
					 .min_p = setting(generation, "min_p", 0, 1, 0)};

	if (cJSON_IsNumber(top_k) && top_k->valuedouble >= 0 && top_k->valuedouble <= UINT32_MAX)
		o.top_k = (uint32_t)top_k->valuedouble;
	return o;
}

enum mote_status mote_sampler_open(const struct mote_sampler_options *options, uint32_t vocab,
				   struct mote_sampler **out, struct mote_error *error)
{
	enum mote_status status;
	struct mote_sampler *s;

	*out = NULL;
	if (!within(options->temperature, 0, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "temperature %g; expected 0 to 100",
				      (double)options->temperature);
	if (!within(options->top_p, 0, 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "top-p %g; expected 0 to 1", (double)options->top_p);
	if (!within(options->min_p, 0, 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "min-p %g; expected 0 to 1", (double)options->min_p);
	s = calloc(1, sizeof *s);
	if (s) {
		s->options = *options;
		s->random = options->seed;
		s->vocab = vocab;
		s->weight = aligned_alloc(64, ((size_t)vocab * sizeof *s->weight + 63) / 64 * 64);
		s->candidate = malloc(vocab * sizeof *s->candidate);
	}
	if (!s || !s->weight || !s->candidate) {
		mote_sampler_close(s);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to sample from %u tokens", vocab);
	}
	if ((status = mote_kernels_select(NULL, &s->kernels, error))) {
		mote_sampler_close(s);
		return status;
	}
	*out = s;
	return MOTE_OK;
}

void mote_sampler_close(struct mote_sampler *s)
{
	if (!s)
		return;
	free(s->weight);
	free(s->candidate);
	free(s);
}

int32_t mote_sampler_argmax(const float *logits, uint32_t vocab)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < vocab; i++)
		if (logits[i] > logits[best] || (logits[best] != logits[best] && logits[i] == logits[i]))
			best = i;
	return (int32_t)best;
}

static int by_falling_weight(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->weight != b->weight)
		return a->weight < b->weight ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

/* Of the n best candidates in order, with all of them weighing total: how many top-p and min-p keep; 0 when
 * these n are not enough to tell. */
static uint32_t cut(const struct mote_sampler *s, uint32_t n, bool complete, double total)
{
	double sum = 0, enough = (double)s->options.top_p * total;

	for (uint32_t i = 0; i < n; i++) {
		if (i && s->candidate[i].weight < s->options.min_p)
			return i;
		sum += (double)s->candidate[i].weight;
		if (s->options.top_p < 1 && sum >= enough)
			return i + 1;
	}
	return complete ? n : 0;
}

/* Orders as many of the best candidates as the options need (none when they keep all: then the order is that of the
 * ids) and returns how many stay. Sorting the whole vocabulary
 * would take longer than a forward pass of a small model: those above a threshold are collected and sorted, and the
 * threshold falls until they suffice. The result does not depend on the thresholds. all: the sum of all weights. */
static uint32_t select_candidates(struct mote_sampler *s, double all)
{
	float threshold = 1.0f / 256;

	if (!s->options.top_k && s->options.top_p >= 1 && s->options.min_p <= 0) {
		for (uint32_t i = 0; i < s->vocab; i++)
			s->candidate[i] = (struct candidate){s->weight[i], (int32_t)i};
		return s->vocab;
	}
	for (;; threshold = threshold > 1e-12f ? threshold / 256 : 0) {
		bool complete = threshold == 0;
		uint32_t n = 0, kept, wanted = s->options.top_k;
		double total = wanted ? 0 : all;

		for (uint32_t i = 0; i < s->vocab; i++)
			if (s->weight[i] >= threshold)
				s->candidate[n++] = (struct candidate){s->weight[i], (int32_t)i};
		if (wanted && n < wanted && !complete)
			continue;
		qsort(s->candidate, n, sizeof *s->candidate, by_falling_weight);
		if (wanted) {
			n = n < wanted ? n : wanted;
			complete = true;
			for (uint32_t i = 0; i < n; i++)
				total += (double)s->candidate[i].weight;
		}
		kept = cut(s, n, complete, total);
		if (kept)
			return kept;
	}
}

int32_t mote_sampler_next(struct mote_sampler *s, const float *logits)
{
	int32_t best = mote_sampler_argmax(logits, s->vocab);
	double all, sum = 0, target;
	float scale, max;
	uint32_t kept;

	if (s->options.temperature == 0)
		return best;
	scale = 1 / s->options.temperature;
	max = logits[best] * scale;
	if (!(max - max == 0)) /* NaN or infinite: no distribution can be made of it */
		return best;
	for (uint32_t i = 0; i < s->vocab; i++)
		s->weight[i] = logits[i] == logits[i] ? logits[i] : -INFINITY;
	all = (double)s->kernels.softmax(s->weight, s->vocab, scale, &max);
	kept = select_candidates(s, all);
	for (uint32_t i = 0; i < kept; i++)
		sum += (double)s->candidate[i].weight;
	target = (double)(random_next(&s->random) >> 11) * 0x1p-53 * sum;
	for (uint32_t i = 0; i + 1 < kept; i++) {
		target -= (double)s->candidate[i].weight;
		if (target < 0)
			return s->candidate[i].id;
	}
	return s->candidate[kept - 1].id;
}

static int by_falling_logit(const void *left, const void *right)
{
	const struct mote_logit *a = left, *b = right;

	if (a->logit != b->logit)
		return a->logit < b->logit ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

struct mote_logit *mote_sampler_sorted(const float *logits, uint32_t vocab)
{
	struct mote_logit *sorted = malloc(vocab * sizeof *sorted);

	for (uint32_t i = 0; sorted && i < vocab; i++)
		sorted[i] = (struct mote_logit){(int32_t)i, logits[i]};
	if (sorted)
		qsort(sorted, vocab, sizeof *sorted, by_falling_logit);
	return sorted;
}
