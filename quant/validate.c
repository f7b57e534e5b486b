/* The walk over a plan: logits in portions, each row scored on whichever thread takes it. See validate.h. */
#include "quant/validate.h"

#include <stdlib.h>

#include "quant/score.h"
#include "runtime/kernels/pool.h"

struct portion {
	const float *model, *reference; /* [rows][vocab]; reference may be NULL */
	const struct mote_plan *plan;
	uint64_t row;                   /* of the portion's first */
	uint32_t rows;
	struct mote_score *scores;      /* [rows] */
	bool *finite;                   /* [rows] */
};

static void score_portion(void *user, uint32_t thread, uint32_t threads)
{
	struct portion *w = user;
	const size_t vocab = w->plan->vocab;

	for (uint32_t i = thread; i < w->rows; i += threads)
		w->finite[i] = mote_score_row(w->model + i * vocab, w->reference ? w->reference + i * vocab : NULL,
					      w->plan->vocab, mote_plan_target(w->plan, w->row + i), &w->scores[i]);
}

static enum mote_status next_portion(struct mote_source *model, struct mote_source *reference, struct portion *w,
				     struct mote_error *error)
{
	uint32_t reference_rows = 0;
	enum mote_status status = mote_source_next(model, &w->model, &w->rows, error);

	if (status == MOTE_OK && reference) {
		status = mote_source_next(reference, &w->reference, &reference_rows, error);
		if (status == MOTE_OK && reference_rows != w->rows)
			status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "model and reference follow different plans");
	}
	return status;
}

enum mote_status mote_validate(const struct mote_plan *p, struct mote_source *model, struct mote_source *reference,
			       uint32_t threads, const struct mote_progress *progress, struct mote_score *scores,
			       struct mote_figures *figures, struct mote_error *error)
{
	const uint64_t total = mote_plan_rows(p);
	struct mote_score *own = NULL;
	struct mote_pool *pool = NULL;
	struct portion w = { .plan = p };
	enum mote_status status;

	if (!scores)
		scores = own = malloc(total * sizeof *own);
	w.finite = malloc(p->chunk_rows * sizeof *w.finite);
	if (!scores || !w.finite) {
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %llu scores", (unsigned long long)total);
		goto end;
	}
	status = mote_pool_open(threads ? threads : mote_pool_physical_cores(), &pool, error);
	if (status == MOTE_OK)
		status = mote_source_rewind(model, error);
	if (status == MOTE_OK && reference)
		status = mote_source_rewind(reference, error);
	while (status == MOTE_OK && w.row < total) {
		w.scores = scores + w.row;
		status = next_portion(model, reference, &w, error);
		if (status != MOTE_OK)
			break;
		mote_pool_run(pool, score_portion, &w);
		for (uint32_t i = 0; i < w.rows && status == MOTE_OK; i++)
			if (!w.finite[i])
				status = mote_error_set(error, MOTE_ERROR_CORRUPT, "scored row %llu: a logit is NaN or infinite",
							(unsigned long long)(w.row + i));
		w.row += w.rows;
		if (status == MOTE_OK && progress && !progress->update(progress->user, w.row, total))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	if (status == MOTE_OK)
		status = mote_figures_from_scores(scores, total, p->chunk_rows, reference != NULL, figures, error);
end:
	mote_pool_close(pool);
	free(w.finite);
	free(own);
	return status;
}
