/* See draw.h. */
#include "runtime/generate/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/kernels.h"

enum { LANES = 16, PART = 512 };

struct candidate {
	float weight; /* exp((logit - max) / temperature), 1 for the first */
	int32_t id;
};

struct mote_draw {
	struct mote_kernels kernels; /* for softmax: its exponential is the same on every machine */
	uint64_t random;
	uint32_t vocab;
	float *weight;               /* [vocab] by id, 64-byte aligned */
	struct candidate *candidate; /* [vocab] */
	double *part;                /* sums of PART weights each, by id */
};

enum mote_status mote_draw_open(uint32_t vocab, uint64_t seed, struct mote_draw **out, struct mote_error *error)
{
	struct mote_draw *d = calloc(1, sizeof *d);
	enum mote_status status;

	*out = d;
	if (!d)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to sample from %u tokens", vocab);
	status = mote_kernels_select(NULL, &d->kernels, error);
	if (status)
		return status;
	d->vocab = vocab;
	d->random = seed;
	d->weight = aligned_alloc(64, ((size_t)vocab * sizeof *d->weight + 63) / 64 * 64);
	d->candidate = malloc(vocab * sizeof *d->candidate);
	d->part = malloc((vocab / PART + 1) * sizeof *d->part);
	if (!d->weight || !d->candidate || !d->part)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to sample from %u tokens", vocab);
	return MOTE_OK;
}

void mote_draw_close(struct mote_draw *d)
{
	if (!d)
		return;
	free(d->weight);
	free(d->candidate);
	free(d->part);
	free(d);
}

/* SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014). */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
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
static uint32_t cut(const struct mote_draw *d, const struct mote_sampler_options *o, uint32_t n, bool complete,
		    double total)
{
	double sum = 0, enough = (double)o->top_p * total;

	for (uint32_t i = 0; i < n; i++) {
		if (i && d->candidate[i].weight < o->min_p)
			return i;
		sum += (double)d->candidate[i].weight;
		if (o->top_p < 1 && sum >= enough)
			return i + 1;
	}
	return complete ? n : 0;
}

/* Candidates of at least this weight, in the order of ids; returns how many. All but a few of many are below it. */
static uint32_t collect(struct mote_draw *d, float threshold)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->vocab; i += LANES) {
		uint32_t lanes = d->vocab - i < LANES ? d->vocab - i : LANES, any = lanes < LANES;

		if (lanes == LANES)
			for (uint32_t k = 0; k < LANES; k++)
				any |= -(uint32_t)(d->weight[i + k] >= threshold);
		for (uint32_t k = i; any && k < i + lanes; k++)
			if (d->weight[k] >= threshold)
				d->candidate[n++] = (struct candidate){d->weight[k], (int32_t)k};
	}
	return n;
}

/* Orders as many of the best candidates as the options need and returns how many stay. Sorting the whole vocabulary
 * would take longer than a forward pass of a small model: those above a threshold are collected and sorted, and the
 * threshold falls until they suffice. The result does not depend on the thresholds. all: the sum of all weights. */
static uint32_t select_candidates(struct mote_draw *d, const struct mote_sampler_options *o, double all)
{
	float threshold = 1.0f / 256;

	for (;; threshold = threshold > 1e-12f ? threshold / 256 : 0) {
		bool complete = threshold == 0;
		uint32_t n = collect(d, threshold), kept, wanted = o->top_k;
		double total = wanted ? 0 : all;

		if (wanted && n < wanted && !complete)
			continue;
		qsort(d->candidate, n, sizeof *d->candidate, by_falling_weight);
		if (wanted) {
			n = n < wanted ? n : wanted;
			complete = true;
			for (uint32_t i = 0; i < n; i++)
				total += (double)d->candidate[i].weight;
		}
		kept = cut(d, o, n, complete, total);
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
static uint32_t keep_typical(struct mote_draw *d, const struct mote_sampler_options *o, uint32_t n)
{
	double total = 0, entropy = 0, sum = 0, scale;
	struct candidate *c = d->candidate;
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
	while (kept < positive && sum < (double)o->typical_p * total)
		sum += (double)d->weight[c[kept++].id];
	for (uint32_t i = 0; i < kept; i++)
		c[i].weight = d->weight[c[i].id];
	return kept ? kept : n;
}

/* In [0, 1). */
static double random_unit(struct mote_draw *d)
{
	return (double)(random_next(&d->random) >> 11) * 0x1p-53;
}

static int32_t draw_candidate(struct mote_draw *d, uint32_t n)
{
	double sum = 0, target;

	for (uint32_t i = 0; i < n; i++)
		sum += (double)d->candidate[i].weight;
	target = random_unit(d) * sum;
	for (uint32_t i = 0; i + 1 < n; i++) {
		target -= (double)d->candidate[i].weight;
		if (target < 0)
			return d->candidate[i].id;
	}
	while (n > 1 && d->candidate[n - 1].weight == 0) /* what was ruled out stays so */
		n--;
	return d->candidate[n - 1].id;
}

static double sum_of(const float *weight, uint32_t n)
{
	double lane[LANES] = {0}, sum = 0;
	uint32_t i = 0;

	for (; i + LANES <= n; i += LANES)
		for (uint32_t k = 0; k < LANES; k++)
			lane[k] += (double)weight[i + k];
	for (; i < n; i++)
		sum += (double)weight[i];
	for (uint32_t k = 0; k < LANES; k++)
		sum += lane[k];
	return sum;
}

/* Of all ids, in their order: first among the parts, then in one. */
static int32_t draw_any(struct mote_draw *d)
{
	uint32_t parts = 0, p = 0, i;
	double sum = 0, target;

	for (i = 0; i < d->vocab; i += PART) {
		d->part[parts] = sum_of(d->weight + i, d->vocab - i < PART ? d->vocab - i : PART);
		sum += d->part[parts++];
	}
	target = random_unit(d) * sum;
	while (p + 1 < parts && target >= d->part[p])
		target -= d->part[p++];
	for (i = p * PART; i + 1 < d->vocab; i++) {
		target -= (double)d->weight[i];
		if (target < 0)
			return (int32_t)i;
	}
	while (i > 0 && d->weight[i] == 0) /* what was ruled out stays so */
		i--;
	return (int32_t)i;
}

bool mote_draw_id(struct mote_draw *d, const struct mote_sampler_options *o, const float *logits, int32_t *id)
{
	bool typical = o->typical_p > 0 && o->typical_p < 1, any = !o->top_k && o->top_p >= 1 && o->min_p <= 0;
	float max;
	double all;
	uint32_t n;

	memcpy(d->weight, logits, d->vocab * sizeof *logits);
	all = (double)d->kernels.softmax(d->weight, d->vocab, 1 / o->temperature, &max);
	if (!(max - max == 0))
		return false;
	if (any && !typical) {
		*id = draw_any(d);
		return true;
	}
	n = any ? collect(d, 0) : select_candidates(d, o, all);
	*id = draw_candidate(d, typical ? keep_typical(d, o, n) : n);
	return true;
}
