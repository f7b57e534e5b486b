/* Log-probabilities that answers keep for mote.h. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "runtime/api/api_session.h"
#include "runtime/generate/logit_row.h"

/* Of finite logits, if beyond floats: what is that improbable is as good as the least of them. */
static float logprob(float logit, double sum)
{
	double log = (double)logit - sum;

	return log < -(double)FLT_MAX ? -FLT_MAX : (float)log;
}

bool mote_api_logprobs_add(struct mote_api_logprobs *l, const float *logits, uint32_t vocab, int32_t id)
{
	size_t each = 1 + (size_t)l->tops, room = l->room ? l->room * 2 : 64;
	struct mote_logit top[MOTE_LM_MAX_TOP];
	struct mote_lm_logprob *entry;
	uint32_t n = 0;
	double sum;

	if (l->count == l->room) {
		entry = realloc(l->entry, room * each * sizeof *entry);
		if (!entry)
			return false;
		l->entry = entry;
		l->room = room;
	}
	entry = l->entry + l->count++ * each;
	entry[0] = (struct mote_lm_logprob){id, NAN};
	if (logits) {
		sum = mote_logit_row_log_sum(logits, vocab);
		entry[0].logprob = logprob(logits[id], sum);
		n = mote_logit_row_top(logits, vocab, l->tops, top);
		for (uint32_t i = 0; i < n; i++)
			entry[1 + i] = (struct mote_lm_logprob){top[i].id, logprob(top[i].logit, sum)};
	}
	for (; n < l->tops; n++)
		entry[1 + n] = (struct mote_lm_logprob){-1, NAN};
	return true;
}

bool mote_api_logprobs_get(const struct mote_api_logprobs *l, size_t index, struct mote_lm_logprobs *out)
{
	const struct mote_lm_logprob *entry;

	*out = (struct mote_lm_logprobs){.token = {-1, NAN}};
	if (index >= l->count)
		return false;
	entry = l->entry + index * (1 + (size_t)l->tops);
	out->token = entry[0];
	out->top = entry + 1;
	while (out->tops < l->tops && entry[1 + out->tops].id >= 0)
		out->tops++;
	return true;
}
