/* Figures: what scored tokens say about a model, alone or beside its reference, each with its errors.
 *
 * Everything is computed in double with own exp and log, each sum in one fixed order: the same scores give the same
 * figures on any machine and with any number of threads.
 */
#ifndef MOTE_QUANT_FIGURES_H
#define MOTE_QUANT_FIGURES_H

#include "format/json.h"
#include "format/status.h"

/* A figure with two standard errors. independent: as if every token were drawn alone, what llama.cpp
 * prints. block: from the spread of whole chunks' contributions, which stays honest when tokens of
 * one passage err together; NaN with fewer than two chunks. */
struct mote_estimate {
	double value, independent, block;
};

/* All in natural logarithms. Fields after paired are set only with a reference; KL divergence is
 * D(reference || model) over the whole vocabulary; delta_p is the model's probability of the true token
 * less the reference's. */
struct mote_figures {
	uint64_t tokens_scored;
	struct mote_estimate nll, perplexity;
	bool paired;
	struct mote_estimate reference_nll, reference_perplexity;
	struct mote_estimate log_ratio, perplexity_ratio; /* of perplexities, paired: with covariance */
	double correlation;                               /* of the losses; NaN where a model's are all the same */
	struct mote_estimate kld_mean, top1_agreement, delta_p_mean, delta_p_rms;
	double kld_min, kld_median, kld_p90, kld_p95, kld_p99, kld_p999, kld_max;
	double delta_p_min, delta_p_p01, delta_p_p05, delta_p_median, delta_p_p95, delta_p_p99, delta_p_max;
};

/* What a scored row gave. reference_* and kld are zero without a reference. */
struct mote_score {
	double nll, reference_nll, kld;
	int32_t target;
	bool top1_same;
};

/* The figures of n scores in chunks of chunk_rows; what mote_validate() ends with. n at least 1. */
enum mote_status mote_figures_from_scores(const struct mote_score *scores, uint64_t n, uint32_t chunk_rows,
					  bool paired, struct mote_figures *figures,
					  struct mote_error *error) MOTE_CHECKED;

/* The figures as a JSON object, keys as mote-perplexity --json has them. NULL when memory is gone. */
cJSON *mote_figures_to_json(const struct mote_figures *f);

#endif
