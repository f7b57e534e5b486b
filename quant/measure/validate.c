/* The walk over a plan: logits in portions, each row scored on whichever thread takes it. See validate.h. */
#include "quant/measure/validate.h"

#include <stdlib.h>

#include "quant/measure/score.h"
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

/* Scores one model's rows of the portion, against the reference's rows that w holds. */
static enum mote_status take_portion(struct mote_logits *model, struct mote_pool *pool, struct portion *w,
				     struct mote_error *error)
{
	uint32_t rows = 0;
	enum mote_status status = mote_logits_next(model, &w->model, &rows, error);

	if (status != MOTE_OK)
		return status;
	if (w->reference && rows != w->rows)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "model and reference follow different plans");
	w->rows = rows;
	mote_pool_run(pool, score_portion, w);
	for (uint32_t i = 0; i < rows; i++)
		if (!w->finite[i])
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "scored row %llu: a logit is NaN or infinite",
					      (unsigned long long)(w->row + i));
	return MOTE_OK;
}

static enum mote_status walk(const struct mote_validation *v, struct mote_pool *pool, struct portion *w,
			     struct mote_score *const *scores, struct mote_error *error)
{
	const uint64_t begin = (uint64_t)v->begin * v->plan->chunk_rows, end = (uint64_t)v->end * v->plan->chunk_rows;
	enum mote_status status = v->reference ? mote_logits_seek(v->reference, v->begin, error) : MOTE_OK;

	for (uint32_t i = 0; i < v->n && status == MOTE_OK; i++)
		status = mote_logits_seek(v->models[i], v->begin, error);
	for (w->row = begin; status == MOTE_OK && w->row < end; w->row += w->rows) {
		if (v->reference)
			status = mote_logits_next(v->reference, &w->reference, &w->rows, error);
		for (uint32_t i = 0; i < v->n && status == MOTE_OK; i++) {
			w->scores = scores[i] + (w->row - begin);
			status = take_portion(v->models[i], pool, w, error);
		}
		if (status == MOTE_OK && v->progress &&
		    !v->progress->update(v->progress->user, w->row + w->rows - begin, end - begin))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	return status;
}

enum mote_status mote_validate_chunks(const struct mote_validation *v, struct mote_score *const *scores,
				      struct mote_error *error)
{
	struct mote_pool *pool = NULL;
	struct portion w = {.plan = v->plan, .finite = malloc(v->plan->chunk_rows * sizeof *w.finite)};
	enum mote_status status;

	if (!w.finite)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for measuring");
	status = mote_pool_open(v->threads ? v->threads : mote_pool_physical_cores(), &pool, error);
	if (status == MOTE_OK)
		status = walk(v, pool, &w, scores, error);
	mote_pool_close(pool);
	free(w.finite);
	return status;
}

enum mote_status mote_validate_many(const struct mote_plan *p, struct mote_logits *const *models, uint32_t n,
				    struct mote_logits *reference, uint32_t threads,
				    const struct mote_progress *progress, struct mote_score *const *scores,
				    struct mote_figures *figures, struct mote_error *error)
{
	const struct mote_validation v = {.plan = p, .models = models, .n = n, .reference = reference,
					  .threads = threads, .end = p->chunks, .progress = progress};
	enum mote_status status = mote_validate_chunks(&v, scores, error);

	for (uint32_t i = 0; i < n && status == MOTE_OK; i++)
		status = mote_figures_from_scores(scores[i], mote_plan_rows(p), p->chunk_rows, reference != NULL,
						  &figures[i], error);
	return status;
}

enum mote_status mote_validate(const struct mote_plan *p, struct mote_logits *model, struct mote_logits *reference,
			       uint32_t threads, const struct mote_progress *progress, struct mote_score *scores,
			       struct mote_figures *figures, struct mote_error *error)
{
	struct mote_score *own = scores ? NULL : malloc(mote_plan_rows(p) * sizeof *own);
	enum mote_status status;

	if (!scores && !own)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %llu scores",
				      (unsigned long long)mote_plan_rows(p));
	if (!scores)
		scores = own;
	status = mote_validate_many(p, &model, 1, reference, threads, progress, &scores, figures, error);
	free(own);
	return status;
}
