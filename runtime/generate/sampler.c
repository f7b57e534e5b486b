#include "runtime/generate/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/logit_row.h"
#include "runtime/kernels/exact.h"
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
	float *adjusted;             /* [vocab] logits with bias, penalties and mask; NULL without any */
	struct mote_logit_bias *bias;
	struct mote_penalties *penalties;
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

	return cJSON_IsNumber(item) && within((float)item->valuedouble, low, high) ? (float)item->valuedouble
										   : otherwise;
}

struct mote_sampler_options mote_sampler_recommended(const cJSON *generation)
{
	const cJSON *top_k = mote_json_get(generation, "top_k");
	struct mote_sampler_options o = {.temperature = setting(generation, "temperature", 0, 100, 0.6f),
					 .top_p = setting(generation, "top_p", 0, 1, 0.95f),
					 .min_p = setting(generation, "min_p", 0, 1, 0)};

	if (cJSON_IsNumber(top_k) && top_k->valuedouble >= 0 && top_k->valuedouble <= UINT32_MAX)
		o.top_k = (uint32_t)top_k->valuedouble;
	o.typical_p = setting(generation, "typical_p", 0, 1, 0);
	o.penalties.repetition = setting(generation, "repetition_penalty", 0.01f, 100, 0);
	if (cJSON_IsFalse(mote_json_get(generation, "do_sample")))
		o.temperature = 0;
	return o;
}

static enum mote_status check_options(const struct mote_sampler_options *o, uint32_t vocab, struct mote_error *error)
{
	if (!within(o->temperature, 0, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "temperature %g; expected 0 to 100",
				      (double)o->temperature);
	if (!within(o->top_p, 0, 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "top-p %g; expected 0 to 1", (double)o->top_p);
	if (!within(o->min_p, 0, 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "min-p %g; expected 0 to 1", (double)o->min_p);
	if (!within(o->typical_p, 0, 1))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "typical-p %g; expected 0 to 1",
				      (double)o->typical_p);
	for (size_t i = 0; i < o->biases; i++) {
		if (o->bias[i].id < 0 || (uint32_t)o->bias[i].id >= vocab)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "bias for token %d; the vocabulary has %u",
					      o->bias[i].id, vocab);
		if (!(o->bias[i].bias < INFINITY))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "bias %g for token %d; expected a number or -infinity",
					      (double)o->bias[i].bias, o->bias[i].id);
	}
	return MOTE_OK;
}

static bool take_memory(struct mote_sampler *s, const struct mote_sampler_options *o)
{
	bool adjusts = s->penalties || o->mask || o->biases;

	s->weight = aligned_alloc(64, ((size_t)s->vocab * sizeof *s->weight + 63) / 64 * 64);
	s->candidate = malloc(s->vocab * sizeof *s->candidate);
	s->adjusted = adjusts ? malloc(s->vocab * sizeof *s->adjusted) : NULL;
	s->bias = malloc((o->biases + 1) * sizeof *s->bias);
	if (!s->weight || !s->candidate || (adjusts && !s->adjusted) || !s->bias)
		return false;
	for (size_t i = 0; i < o->biases; i++)
		s->bias[i] = o->bias[i];
	return true;
}

enum mote_status mote_sampler_open(const struct mote_sampler_options *options, uint32_t vocab,
				   struct mote_sampler **out, struct mote_error *error)
{
	enum mote_status status = check_options(options, vocab, error);
	struct mote_sampler *s;

	*out = NULL;
	if (status)
		return status;
	s = calloc(1, sizeof *s);
	if (!s)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a sampler");
	s->options = *options;
	s->random = options->seed;
	s->vocab = vocab;
	if ((status = mote_penalties_open(&options->penalties, vocab, &s->penalties, error)) == MOTE_OK &&
	    (status = mote_kernels_select(NULL, &s->kernels, error)) == MOTE_OK && !take_memory(s, options))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to sample from %u tokens", vocab);
	if (status) {
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
	mote_penalties_close(s->penalties);
	free(s->weight);
	free(s->candidate);
	free(s->adjusted);
	free(s->bias);
	free(s);
}

enum mote_status mote_sampler_accept(struct mote_sampler *s, int32_t id, struct mote_error *error)
{
	return s->penalties ? mote_penalties_accept(s->penalties, id, error) : MOTE_OK;
}

enum mote_status mote_sampler_begin(struct mote_sampler *s, const int32_t *ids, size_t count, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if (!s->penalties)
		return MOTE_OK;
	mote_penalties_forget(s->penalties);
	for (size_t i = 0; i < count && status == MOTE_OK; i++)
		status = mote_penalties_accept(s->penalties, ids[i], error);
	return status;
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

/* Candidates of at least this weight, in the order of ids; returns how many. All but a few of many are below it. */
static uint32_t collect(struct mote_sampler *s, float threshold)
{
	enum { LANES = 16 };
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->vocab; i += LANES) {
		uint32_t lanes = s->vocab - i < LANES ? s->vocab - i : LANES, any = lanes < LANES;

		if (lanes == LANES)
			for (uint32_t k = 0; k < LANES; k++)
				any |= -(uint32_t)(s->weight[i + k] >= threshold);
		for (uint32_t k = i; any && k < i + lanes; k++)
			if (s->weight[k] >= threshold)
				s->candidate[n++] = (struct candidate){s->weight[k], (int32_t)k};
	}
	return n;
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
		uint32_t n = collect(s, threshold), kept, wanted = s->options.top_k;
		double total = wanted ? 0 : all;

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

static int by_rising_weight(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->weight != b->weight)
		return a->weight > b->weight ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

/* Of n candidates those that typical-p keeps, moved to the front; returns how many. */
static uint32_t keep_typical(struct mote_sampler *s, uint32_t n)
{
	double total = 0, entropy = 0, sum = 0, scale;
	struct candidate *c = s->candidate;
	uint32_t positive = 0, kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (c[i].weight > 0)
			c[positive++] = c[i];
	for (uint32_t i = 0; i < positive; i++)
		total += (double)c[i].weight;
	scale = mote_exact_log(total); /* -log p = scale - log weight */
	for (uint32_t i = 0; i < positive; i++)
		entropy += (double)c[i].weight / total * (scale - mote_exact_log((double)c[i].weight));
	/* While they are sorted, the weight's place holds how far the surprise is from the entropy. */
	for (uint32_t i = 0; i < positive; i++)
		c[i].weight = (float)fabs(scale - mote_exact_log((double)c[i].weight) - entropy);
	qsort(c, positive, sizeof *c, by_rising_weight);
	while (kept < positive && sum < (double)s->options.typical_p * total)
		sum += (double)s->weight[c[kept++].id];
	for (uint32_t i = 0; i < kept; i++)
		c[i].weight = s->weight[c[i].id];
	return kept ? kept : n;
}

/* Rules out what has no bit; most words of a mask are all zeros or all ones. */
static void allow(float *logits, uint32_t vocab, const uint64_t *allowed)
{
	for (uint32_t i = 0; i < vocab; i += 64)
		for (uint32_t k = i; allowed[i / 64] != UINT64_MAX && k < i + 64 && k < vocab; k++)
			if (!(allowed[i / 64] >> (k - i) & 1))
				logits[k] = -INFINITY;
}

/* The logits that are sampled from: the given ones, or a copy with bias, penalties and masks. NULL: no memory. */
static const float *adjust(struct mote_sampler *s, const float *logits, const uint64_t *allowed)
{
	if (allowed && !s->adjusted && !(s->adjusted = malloc(s->vocab * sizeof *s->adjusted)))
		return NULL;
	if (!s->adjusted)
		return logits;
	memcpy(s->adjusted, logits, s->vocab * sizeof *logits);
	for (size_t i = 0; i < s->options.biases; i++)
		s->adjusted[s->bias[i].id] += s->bias[i].bias;
	if (s->penalties)
		mote_penalties_apply(s->penalties, s->adjusted);
	if (s->options.mask)
		s->options.mask(s->options.mask_user, s->adjusted);
	if (allowed)
		allow(s->adjusted, s->vocab, allowed);
	return s->adjusted;
}

/* False, and nothing drawn: the largest logit by the temperature is not finite, as all tokens are ruled out or the
 * temperature is so low that only the first can come. */
static bool draw(struct mote_sampler *s, const float *logits, int32_t *id)
{
	float max;
	double all, sum = 0, target;
	uint32_t kept;

	memcpy(s->weight, logits, s->vocab * sizeof *logits);
	all = (double)s->kernels.softmax(s->weight, s->vocab, 1 / s->options.temperature, &max);
	if (!(max - max == 0))
		return false;
	kept = select_candidates(s, all);
	if (s->options.typical_p > 0 && s->options.typical_p < 1)
		kept = keep_typical(s, kept);
	for (uint32_t i = 0; i < kept; i++)
		sum += (double)s->candidate[i].weight;
	target = (double)(random_next(&s->random) >> 11) * 0x1p-53 * sum;
	for (uint32_t i = 0; i + 1 < kept; i++) {
		target -= (double)s->candidate[i].weight;
		if (target < 0) {
			*id = s->candidate[i].id;
			return true;
		}
	}
	while (kept > 1 && s->candidate[kept - 1].weight == 0) /* what was ruled out stays so */
		kept--;
	*id = s->candidate[kept - 1].id;
	return true;
}

enum mote_status mote_sampler_next(struct mote_sampler *s, const float *logits, int32_t *id, struct mote_error *error)
{
	return mote_sampler_next_of(s, logits, NULL, id, error);
}

enum mote_status mote_sampler_next_of(struct mote_sampler *s, const float *logits, const uint64_t *allowed, int32_t *id,
				      struct mote_error *error)
{
	enum mote_status status = mote_logit_row_check(logits, s->vocab, error);

	if (status)
		return status;
	logits = adjust(s, logits, allowed);
	if (!logits)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to sample from %u tokens", s->vocab);
	if (s->options.temperature == 0 || !draw(s, logits, id)) {
		*id = mote_logit_row_argmax(logits, s->vocab);
		if (!isfinite(logits[*id]))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "no token is left to choose from");
	}
	return mote_sampler_accept(s, *id, error);
}
