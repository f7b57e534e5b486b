/* How likely a model finds given continuations: multiple choice.
 *
 * The choices of an item begin alike, so what they share is computed once, and each choice goes on from a fork of it;
 * items run side by side in one batch. Neither changes a bit of the result: logits do not depend on the company.
 */
#ifndef MOTE_QUANT_LIKELIHOOD_H
#define MOTE_QUANT_LIKELIHOOD_H

#include "quant/eval/request.h"
#include "runtime/model/session.h"

struct mote_likelihood {
	double logprob;   /* natural, summed over the continuation's tokens in order */
	uint32_t tokens;
	bool is_greedy;   /* each token is the likeliest one */
};

struct mote_likelihood_counts {
	uint64_t rows;    /* computed positions */
	uint64_t passes;
	double seconds;   /* the caller's business: left alone */
};

/* requests [n]; out [n][MOTE_TASK_CHOICES]. The KV cache is f32. MOTE_ERROR_CORRUPT: a logit is not a number.
 * MOTE_ERROR_INTERRUPTED, MOTE_ERROR_MEMORY. counts may be NULL. */
enum mote_status mote_likelihoods(const struct mote_model *m, const struct mote_requests *requests, uint32_t n,
				  uint32_t threads, const struct mote_progress *progress,
				  struct mote_likelihood (*out)[MOTE_TASK_CHOICES],
				  struct mote_likelihood_counts *counts, struct mote_error *error) MOTE_CHECKED;

#endif
