#include "runtime/generate/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/generate/draw.h"
#include "runtime/generate/logit_row.h"

struct mote_sampler {
	struct mote_sampler_options options;
	struct mote_draw *draw;
	uint32_t vocab;
	float *adjusted; /* [vocab] logits with bias, penalties and mask; NULL without any */
	struct mote_logit_bias *bias;
	struct mote_penalties *penalties;
};

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

	s->adjusted = adjusts ? malloc(s->vocab * sizeof *s->adjusted) : NULL;
	s->bias = malloc((o->biases + 1) * sizeof *s->bias);
	if ((adjusts && !s->adjusted) || !s->bias)
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
	s->vocab = vocab;
	if ((status = mote_penalties_open(&options->penalties, vocab, &s->penalties, error)) == MOTE_OK &&
	    (status = mote_draw_open(vocab, options->seed, &s->draw, error)) == MOTE_OK && !take_memory(s, options))
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
	mote_draw_close(s->draw);
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
	return s->penalties ? mote_penalties_begin(s->penalties, ids, count, error) : MOTE_OK;
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
	if (s->options.temperature == 0 || !mote_draw_id(s->draw, &s->options, logits, id)) {
		*id = mote_logit_row_argmax(logits, s->vocab);
		if (!isfinite(logits[*id]))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT, "no token is left to choose from");
	}
	return mote_sampler_accept(s, *id, error);
}
