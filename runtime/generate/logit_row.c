#include "runtime/generate/logit_row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"

/* Both scans run over the whole vocabulary for every token. In lanes of this many, compilers need one instruction for
 * several logits. */
enum { LANES = 16 };

enum mote_status mote_logit_row_check(const float *logits, uint32_t vocab, struct mote_error *error)
{
	const uint32_t exponent = 0x7f800000; /* all its bits are set in NaN and infinity, and only there */
	uint32_t bad[LANES] = {0}, any = 0, i = 0;

	for (; i + LANES <= vocab; i += LANES) {
		uint32_t bits[LANES];

		memcpy(bits, logits + i, sizeof bits);
		for (int j = 0; j < LANES; j++)
			bad[j] |= -(uint32_t)((bits[j] & exponent) == exponent);
	}
	for (int j = 0; j < LANES; j++)
		any |= bad[j];
	for (uint32_t at = any ? 0 : i; at < vocab; at++)
		if (!isfinite(logits[at]))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "the logit of token %u is %g: no token can be chosen", at,
					      (double)logits[at]);
	return MOTE_OK;
}

static float largest(const float *logits, uint32_t n)
{
	float most[LANES], max = -INFINITY;
	uint32_t i = 0;

	for (int j = 0; j < LANES; j++)
		most[j] = -INFINITY;
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			most[j] = logits[i + (uint32_t)j] > most[j] ? logits[i + (uint32_t)j] : most[j];
	for (int j = 0; j < LANES; j++)
		max = most[j] > max ? most[j] : max;
	for (; i < n; i++)
		max = logits[i] > max ? logits[i] : max;
	return max;
}

int32_t mote_logit_row_argmax(const float *logits, uint32_t vocab)
{
	const uint32_t part = 1024; /* only the part that has it is searched */
	float max = -INFINITY;
	uint32_t begin = 0;

	for (uint32_t i = 0; i < vocab; i += part) {
		float own = largest(logits + i, vocab - i < part ? vocab - i : part);

		if (own > max) {
			max = own;
			begin = i;
		}
	}
	for (uint32_t i = begin; i < vocab; i++)
		if (logits[i] == max)
			return (int32_t)i;
	return 0; /* NaN only */
}

static int by_falling_logit(const void *left, const void *right)
{
	const struct mote_logit *a = left, *b = right;

	if (a->logit != b->logit)
		return a->logit < b->logit ? 1 : -1;
	return (a->id > b->id) - (a->id < b->id);
}

struct mote_logit *mote_logit_row_sorted(const float *logits, uint32_t vocab)
{
	struct mote_logit *sorted = malloc(vocab * sizeof *sorted);

	for (uint32_t i = 0; sorted && i < vocab; i++)
		sorted[i] = (struct mote_logit){(int32_t)i, logits[i]};
	if (sorted)
		qsort(sorted, vocab, sizeof *sorted, by_falling_logit);
	return sorted;
}

double mote_logit_row_log_sum(const float *logits, uint32_t vocab)
{
	double max = (double)logits[mote_logit_row_argmax(logits, vocab)], lane[8] = {0};

	for (uint32_t i = 0; i < vocab; i++)
		lane[i % 8] += mote_exact_exp((double)logits[i] - max);
	return max + mote_exact_log(((lane[0] + lane[4]) + (lane[2] + lane[6])) +
				    ((lane[1] + lane[5]) + (lane[3] + lane[7])));
}

uint32_t mote_logit_row_top(const float *logits, uint32_t vocab, uint32_t most, struct mote_logit *top)
{
	uint32_t n = 0;

	/* The list is short: a logit that enters moves those behind it. */
	for (uint32_t i = 0; i < vocab && most; i++) {
		uint32_t at;

		if (n == most && !(logits[i] > top[n - 1].logit))
			continue;
		n += n < most;
		for (at = n - 1; at > 0 && logits[i] > top[at - 1].logit; at--)
			top[at] = top[at - 1];
		top[at] = (struct mote_logit){(int32_t)i, logits[i]};
	}
	return n;
}
