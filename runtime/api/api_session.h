/* A session handle's inside, which answers share. */
#ifndef MOTE_RUNTIME_API_SESSION_H
#define MOTE_RUNTIME_API_SESSION_H

#include <stdatomic.h>

#include "runtime/api/api.h"
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

/* One pass of all that runs. MOTE_ERROR_INTERRUPTED once for each interruption. */
enum mote_status mote_api_step(struct mote_lm_session *s, struct mote_error *error);

#endif
