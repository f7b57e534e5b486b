#include "runtime/generate/penalties.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"

/* Longer repetitions weigh no more: with any usual base the token is out of question long before. */
#define LONGEST_REPETITION 64u
#define APPLIED 0x80000000u /* a mark in the table of counts while penalties are applied */

struct mote_penalties {
	struct mote_penalties_options options;
	uint32_t vocab;
	int32_t *history;   /* [count], the newest last; the first [prompt] were not sampled */
	size_t count, capacity, prompt;
	uint32_t *sampled;  /* [vocab] how often within the window */
	uint32_t *repeats;  /* [vocab] longest repetition that the token would prolong, 0 between calls */
	bool *breaks;       /* [vocab] */
};

static bool within(float x, float low, float high)
{
	return x >= low && x <= high; /* false for NaN */
}

static enum mote_status check(const struct mote_penalties_options *o, struct mote_error *error)
{
	if (o->repetition != 0 && !within(o->repetition, 0.01f, 100)) /* NaN comes here too */
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "repetition penalty %g; expected 0.01 to 100",
				      (double)o->repetition);
	if (!within(o->presence, -100, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "presence penalty %g; expected -100 to 100",
				      (double)o->presence);
	if (!within(o->frequency, -100, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "frequency penalty %g; expected -100 to 100",
				      (double)o->frequency);
	if (!within(o->dry_multiplier, 0, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "DRY multiplier %g; expected 0 to 100",
				      (double)o->dry_multiplier);
	if (o->dry_multiplier > 0 && !within(o->dry_base, 1, 100))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "DRY base %g; expected 1 to 100",
				      (double)o->dry_base);
	return MOTE_OK;
}

enum mote_status mote_penalties_open(const struct mote_penalties_options *options, uint32_t vocab,
				     struct mote_penalties **out, struct mote_error *error)
{
	struct mote_penalties *p;
	enum mote_status status = check(options, error);

	*out = NULL;
	if (status)
		return status;
	if ((options->repetition == 0 || options->repetition == 1) && options->presence == 0 &&
	    options->frequency == 0 && options->dry_multiplier == 0)
		return MOTE_OK;
	p = calloc(1, sizeof *p);
	if (p) {
		p->options = *options;
		p->options.dry_breaker = NULL;
		p->vocab = vocab;
		p->sampled = calloc(vocab, sizeof *p->sampled);
		p->repeats = calloc(vocab, sizeof *p->repeats);
		p->breaks = calloc(vocab, sizeof *p->breaks);
	}
	if (!p || !p->sampled || !p->repeats || !p->breaks) {
		mote_penalties_close(p);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for penalties on %u tokens", vocab);
	}
	for (size_t i = 0; i < options->dry_breakers; i++)
		if (options->dry_breaker[i] >= 0 && (uint32_t)options->dry_breaker[i] < vocab)
			p->breaks[options->dry_breaker[i]] = true;
	*out = p;
	return MOTE_OK;
}

void mote_penalties_close(struct mote_penalties *p)
{
	if (!p)
		return;
	free(p->history);
	free(p->sampled);
	free(p->repeats);
	free(p->breaks);
	free(p);
}

static size_t window_start(const struct mote_penalties *p)
{
	return p->options.window && p->count > p->options.window ? p->count - p->options.window : 0;
}

static enum mote_status remember(struct mote_penalties *p, int32_t id, struct mote_error *error)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 1024;
		int32_t *grown = realloc(p->history, capacity * sizeof *grown);

		if (!grown)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the history of %zu tokens",
					      capacity);
		p->history = grown;
		p->capacity = capacity;
	}
	p->history[p->count++] = id;
	return MOTE_OK;
}

static bool is_known(const struct mote_penalties *p, int32_t id)
{
	return id >= 0 && (uint32_t)id < p->vocab;
}

enum mote_status mote_penalties_begin(struct mote_penalties *p, const int32_t *ids, size_t count,
				      struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	p->count = 0;
	memset(p->sampled, 0, p->vocab * sizeof *p->sampled);
	for (size_t i = 0; i < count && status == MOTE_OK; i++)
		if (is_known(p, ids[i]))
			status = remember(p, ids[i], error);
	p->prompt = p->count;
	return status;
}

enum mote_status mote_penalties_accept(struct mote_penalties *p, int32_t id, struct mote_error *error)
{
	enum mote_status status;
	size_t start;

	if (!is_known(p, id))
		return MOTE_OK;
	if ((status = remember(p, id, error)))
		return status;
	p->sampled[id]++;
	start = window_start(p);
	if (start > p->prompt) /* one has left the window */
		p->sampled[p->history[start - 1]]--;
	return MOTE_OK;
}

/* Each token of the window once: a mark in its count says that it had its turn. */
static void apply_occurrences(struct mote_penalties *p, float *logits)
{
	float repetition = p->options.repetition == 0 ? 1 : p->options.repetition;

	for (size_t i = window_start(p); i < p->count; i++) {
		int32_t id = p->history[i];
		uint32_t n = p->sampled[id];

		if (n & APPLIED)
			continue;
		logits[id] = logits[id] > 0 ? logits[id] / repetition : logits[id] * repetition;
		if (n)
			logits[id] -= (float)n * p->options.frequency + p->options.presence;
		p->sampled[id] = n | APPLIED;
	}
	for (size_t i = window_start(p); i < p->count; i++)
		p->sampled[p->history[i]] &= ~APPLIED;
}

/* For each earlier place of the last token: how many tokens up to there are the same as the last ones, and which token
 * followed. */
static void apply_dry(struct mote_penalties *p, float *logits)
{
	const int32_t *h = p->history;
	size_t start = window_start(p), last = p->count - 1;

	if (p->count < 2 || p->breaks[h[last]])
		return;
	for (size_t i = start; i < last; i++) {
		uint32_t n = 1;

		if (h[i] != h[last])
			continue;
		while (n < LONGEST_REPETITION && i >= start + n && h[i - n] == h[last - n] && !p->breaks[h[i - n]])
			n++;
		if (n > p->repeats[h[i + 1]])
			p->repeats[h[i + 1]] = n;
	}
	for (size_t i = start; i < last; i++) {
		int32_t id = h[i + 1];
		uint32_t n = p->repeats[id];

		if (n && n >= p->options.dry_allowed)
			logits[id] -= p->options.dry_multiplier *
				      (float)mote_exact_pow((double)p->options.dry_base,
							    (double)(n - p->options.dry_allowed));
		p->repeats[id] = 0;
	}
}

void mote_penalties_apply(struct mote_penalties *p, float *logits)
{
	apply_occurrences(p, logits);
	if (p->options.dry_multiplier > 0)
		apply_dry(p, logits);
}
