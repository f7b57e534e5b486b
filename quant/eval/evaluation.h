/* One model on one task: requests, likelihoods or answers, outcomes, and a line of log for each item. */
#ifndef MOTE_QUANT_EVALUATION_H
#define MOTE_QUANT_EVALUATION_H

#include "quant/eval/likelihood.h"
#include "quant/eval/outcome.h"

struct mote_evaluate_options {
	bool chat;
	uint32_t threads, most_tokens;
	/* Gets a line of log, a JSON object borrowed during the call, for each item in order; or NULL. */
	enum mote_status (*log)(void *user, const cJSON *line, struct mote_error *error);
	void *user;
	const struct mote_progress *progress;
};

/* outcome is freed by the caller, also after an error. name: the model's, for the log. Statuses as
 * mote_requests_make(), mote_likelihoods(), mote_generate_answers(). */
enum mote_status mote_evaluate(const struct mote_model *m, const char *name, const struct mote_task *task,
			       const struct mote_evaluate_options *options, struct mote_outcome *outcome,
			       struct mote_likelihood_counts *counts, struct mote_error *error) MOTE_CHECKED;

/* The first n requests, over all items in order, as a JSON array of {task, id, choice, context, continuation,
 * context_ids, continuation_ids}, appended to it: what a model would be asked. */
enum mote_status mote_evaluate_requests(const struct mote_model *m, const struct mote_task *task,
					const struct mote_evaluate_options *options, uint32_t n, cJSON *array,
					struct mote_error *error) MOTE_CHECKED;

#endif
