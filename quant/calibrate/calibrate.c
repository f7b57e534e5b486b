/* First-order calibration: see calibrate.h. */
#include "quant/calibrate/calibrate.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/model/session.h"

/* The head is as wide as the vocabulary, and its input varies little: every so many rows will do. */
#define HEAD_EVERY 8u

struct observer {
	struct mote_quantizer *q;
	const struct mote_matrix **weight; /* [tensors] where a hook sees each; NULL: does not multiply */
	uint64_t *seen;                    /* [tensors] rows */
};

static void observe(void *user, const struct mote_matrix *weight, const float *x, size_t stride, uint32_t n)
{
	struct observer *o = user;
	uint32_t i = 0;
	double *sum;

	while (i < o->q->tensors && o->weight[i] != weight)
		i++;
	if (i == o->q->tensors)
		return;
	sum = o->q->importance[i];
	for (uint32_t r = 0; r < n; r++)
		for (uint32_t j = 0; j < weight->cols; j++)
			sum[j] += (double)x[r * stride + j] * x[r * stride + j];
	o->seen[i] += n;
}

/* Where the hook will see each tensor; and room for its sums. */
static bool bind(struct observer *o, struct mote_model *m)
{
	o->weight = calloc(o->q->tensors + 1u, sizeof *o->weight);
	o->seen = calloc(o->q->tensors + 1u, sizeof *o->seen);
	if (!o->weight || !o->seen)
		return false;
	for (uint32_t i = 0; i < o->q->tensors; i++) {
		const struct mote_tensor *t = o->q->target[i].tensor;
		const struct mote_matrix *w = t->rank == 2 ? mote_model_matrix(m, t->name) : NULL;

		if (w == &m->embedding)
			w = m->config.tied_embeddings ? &m->head : NULL;
		if (!w)
			continue;
		o->weight[i] = w;
		free(o->q->importance[i]);
		o->q->importance[i] = calloc(t->cols, sizeof(double));
		if (!o->q->importance[i])
			return false;
	}
	return true;
}

static enum mote_status run_chunks(const struct mote_plan *text, struct mote_session *s,
				   const struct mote_progress *progress, struct mote_error *error)
{
	uint32_t *position = malloc(text->context * sizeof *position);
	uint8_t *want = malloc(text->context);
	enum mote_status status = MOTE_OK;
	const float *logits;

	if (!position || !want)
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for calibration");
	for (uint32_t r = 0; r < text->context && status == MOTE_OK; r++) {
		position[r] = r;
		want[r] = r % HEAD_EVERY == HEAD_EVERY - 1;
	}
	for (uint32_t chunk = 0; chunk < text->chunks && status == MOTE_OK; chunk++) {
		struct mote_batch batch = { .rows = text->context, .token = text->ids + (size_t)chunk * text->context,
					    .position = position, .want_logits = want };

		status = mote_session_forward(s, &batch, &logits, error);
		if (status == MOTE_OK && progress && !progress->update(progress->user, chunk + 1, text->chunks))
			status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	}
	free(position);
	free(want);
	return status;
}

enum mote_status mote_calibrate_importance(struct mote_quantizer *q, const struct mote_model *source,
					   const struct mote_plan *text, uint32_t threads,
					   const struct mote_progress *progress, struct mote_error *error)
{
	struct mote_session_options options = { .context_tokens = text->context, .batch_rows = text->context,
						.logit_rows = text->context / HEAD_EVERY + 1, .threads = threads,
						.kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32 };
	struct mote_model m = *source; /* so that its matrices have places of their own to be recognised by */
	struct observer o = {.q = q};
	struct mote_activation_hook hook = {.input = observe, .user = &o};
	struct mote_session *s = NULL;
	enum mote_status status = mote_session_open(&m, &options, &s, error);

	if (status == MOTE_OK && !bind(&o, &m))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for calibration");
	if (status == MOTE_OK) {
		mote_session_set_activation_hook(s, &hook);
		status = run_chunks(text, s, progress, error);
	}
	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++)
		for (uint32_t j = 0; o.seen[i] && j < q->target[i].tensor->cols; j++)
			q->importance[i][j] /= (double)o.seen[i];
	mote_session_close(s);
	free(o.weight);
	free(o.seen);
	return status;
}
