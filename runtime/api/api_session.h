/* A session handle's inside, which answers share. */
#ifndef MOTE_RUNTIME_API_SESSION_H
#define MOTE_RUNTIME_API_SESSION_H

#include <stdatomic.h>

#include "runtime/api/api.h"
#include "runtime/generate/lookup.h"
#include "runtime/generate/sampler.h"
#include "runtime/generate/scheduler.h"

struct mote_lm_session {
	const struct mote_lm *lm;
	struct mote_session *session;
	struct mote_scheduler *scheduler;
	uint32_t sequences;
	int (*proceed)(void *user);
	void *user;
	_Atomic(bool) interrupted;
	float *row;                  /* [vocab] what mote_lm_logits() gave last, or NULL */
	bool row_done;
};

struct mote_api_mask {
	void (*mask)(void *user, float *logits, uint32_t vocab);
	void *user;
	uint32_t vocab;
};

/* The sampler that an answer's options ask for; it borrows *mask, which is filled in. MOTE_ERROR_ARGUMENT,
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_api_sampler(const struct mote_lm *lm, const struct mote_lm_answer_options *options,
				  struct mote_api_mask *mask, struct mote_sampler **out, struct mote_error *error);

/* Log-probabilities that an answer keeps: entries [count] of one token and `tops` others each. Zero-initialize. */
struct mote_api_logprobs {
	struct mote_lm_logprob *entry; /* [room * (1 + tops)] */
	size_t count, room;
	uint32_t tops;
};

/* Adds what the logits [vocab] say of token id; logits NULL: nothing is known. False: no memory. */
bool mote_api_logprobs_add(struct mote_api_logprobs *l, const float *logits, uint32_t vocab, int32_t id);
bool mote_api_logprobs_get(const struct mote_api_logprobs *l, size_t index, struct mote_lm_logprobs *out);

/* One pass of all that runs. MOTE_ERROR_INTERRUPTED once for each interruption. */
enum mote_status mote_api_step(struct mote_lm_session *s, struct mote_error *error);

#endif
