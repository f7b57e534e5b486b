/* How mote.h's settings become a sampler. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/api_session.h"

void mote_lm_sampling_recommended(const struct mote_lm *lm, struct mote_lm_sampling *sampling)
{
	struct mote_sampler_options o = mote_sampler_recommended(mote_json_get(lm->metadata, "generation"));

	memset(sampling, 0, sizeof *sampling);
	sampling->struct_bytes = sizeof *sampling;
	sampling->temperature = o.temperature;
	sampling->top_k = o.top_k;
	sampling->top_p = o.top_p;
	sampling->min_p = o.min_p;
	sampling->typical_p = o.typical_p > 0 ? o.typical_p : 1;
	sampling->repeat_penalty = o.penalties.repetition > 0 ? o.penalties.repetition : 1;
	sampling->repeat_last = o.penalties.window;
}

static struct mote_penalties_options penalties(const struct mote_lm_sampling *s)
{
	return (struct mote_penalties_options){.repetition = s->repeat_penalty, .presence = s->presence_penalty,
					       .frequency = s->frequency_penalty, .window = s->repeat_last,
					       .dry_multiplier = s->dry_multiplier,
					       .dry_base = s->dry_base != 0 ? s->dry_base : 1.75f,
					       .dry_allowed = s->dry_allowed ? s->dry_allowed : 2};
}

/* The biases of the caller, and those that keep a model from ending when it must not. NULL: no memory. */
static struct mote_logit_bias *biases(const struct mote_config *config, const struct mote_lm_sampling *s,
				      bool ignore_end, size_t *count)
{
	uint32_t ends = ignore_end ? config->n_eos : 0;
	struct mote_logit_bias *bias = malloc((s->biases + (size_t)ends + 1) * sizeof *bias);

	*count = 0;
	for (uint32_t i = 0; bias && i < s->biases; i++)
		bias[(*count)++] = (struct mote_logit_bias){s->bias_ids[i], s->bias[i]};
	for (uint32_t i = 0; bias && i < ends; i++)
		bias[(*count)++] = (struct mote_logit_bias){config->eos[i], -INFINITY};
	return bias;
}

/* Masks of mote.h want to know how many logits there are. */
static void apply_mask(void *user, float *logits)
{
	const struct mote_api_mask *m = user;

	m->mask(m->user, logits, m->vocab);
}

enum mote_status mote_api_sampler(const struct mote_lm *lm, const struct mote_lm_answer_options *options,
				  struct mote_api_mask *mask, struct mote_sampler **out, struct mote_error *error)
{
	struct mote_lm_sampling s;
	struct mote_sampler_options o;
	struct mote_logit_bias *bias;
	enum mote_status status;
	size_t n;

	mote_lm_sampling_recommended(lm, &s);
	if (!mote_api_options(&s, sizeof s, options->sampling))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "sampling without its size");
	if (s.biases && (!s.bias_ids || !s.bias))
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "a number of biases, and none of them");
	bias = biases(&lm->model->config, &s, options->ignore_end != 0, &n);
	if (!bias)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u biases", s.biases);
	o = (struct mote_sampler_options){.temperature = s.temperature, .top_k = s.top_k, .top_p = s.top_p,
					  .min_p = s.min_p, .typical_p = s.typical_p, .seed = s.seed,
					  .penalties = penalties(&s), .bias = bias, .biases = n};
	*mask = (struct mote_api_mask){options->mask, options->user, lm->model->config.vocab};
	if (options->mask) {
		o.mask = apply_mask;
		o.mask_user = mask;
	}
	status = mote_sampler_open(&o, lm->model->config.vocab, out, error);
	free(bias);
	return status;
}
