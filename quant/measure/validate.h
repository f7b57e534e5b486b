/* Validation: what a model predicts on a text, alone or against the model it was made from: one walk over one source of
 * logits, or over several side by side, each row scored (score.h) and the figures taken (figures.h).
 */
#ifndef MOTE_QUANT_VALIDATE_H
#define MOTE_QUANT_VALIDATE_H

#include "quant/measure/figures.h"
#include "quant/measure/logits.h"

/* Walks model (and reference, or NULL) from the start and fills figures. scores: [mote_plan_rows(p)] or NULL.
 * threads: workers for the statistics; 0 as in sessions. MOTE_ERROR_CORRUPT: a logit is NaN or infinite,
 * naming the row. */
enum mote_status mote_validate(const struct mote_plan *p, struct mote_logits *model, struct mote_logits *reference,
			       uint32_t threads, const struct mote_progress *progress, struct mote_score *scores,
			       struct mote_figures *figures, struct mote_error *error) MOTE_CHECKED;
/* Like mote_validate() for several models at once, so that the reference runs only once.
 *   models [n], scores [n] of [mote_plan_rows(p)] each, figures [n] */
enum mote_status mote_validate_many(const struct mote_plan *p, struct mote_logits *const *models, uint32_t n,
				    struct mote_logits *reference, uint32_t threads,
				    const struct mote_progress *progress, struct mote_score *const *scores,
				    struct mote_figures *figures, struct mote_error *error) MOTE_CHECKED;
/* What is to be scored: chunks from the begin-th to before the end-th. Fields as of mote_validate_many(). */
struct mote_validation {
	const struct mote_plan *plan;
	struct mote_logits *const *models;
	uint32_t n;
	struct mote_logits *reference;
	uint32_t threads, begin, end;
	const struct mote_progress *progress;
};
/* The scores of these chunks alone; figures want those of all. scores: [n] of [(end - begin) * chunk_rows] each */
enum mote_status mote_validate_chunks(const struct mote_validation *v, struct mote_score *const *scores,
				      struct mote_error *error) MOTE_CHECKED;

#endif
