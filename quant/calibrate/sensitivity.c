/* Measuring what each matrix costs: see sensitivity.h.
 *
 * The source runs once and leaves its logits and the residual stream before every layer. Replacing a matrix of layer k
 * changes nothing before that layer, so only the layers from k on are run, from that stream: half the work on average.
 * Logits are scored where they are made, on all threads.
 */
#include "quant/calibrate/sensitivity.h"

#include <stdlib.h>
#include <string.h>

#include "quant/measure/score.h"
#include "runtime/model/architecture.h"
#include "runtime/model/session.h"

struct mote_probe {
	const struct mote_quantizer *q;
	const struct mote_plan *plan;
	const struct mote_model *source;
	struct mote_model model;      /* the source's, one matrix replaced at a time */
	struct mote_layer *layer;     /* [layers] copies of the source's */
	struct mote_session *session;
	uint32_t from;                /* the first layer that a pass runs */
	float *reference;             /* [rows scored][vocab] */
	float *stream;                /* [layers][chunks][context][hidden] the residual stream before a layer;
				       * of layer 0 unused */
	uint32_t *position;           /* [context] 0, 1, 2 ... */
	uint8_t *want;

	const float *logits;          /* [chunk_rows][vocab] being scored */
	uint64_t row;                 /* of the first */
	double *kld;                  /* [chunk_rows] */
	bool *finite;

	const struct mote_progress *progress;
	uint64_t done, total;
};

static float *stream_of(const struct mote_probe *p, uint32_t layer, uint32_t chunk)
{
	return p->stream + ((size_t)layer * p->plan->chunks + chunk) * p->plan->context * p->source->config.hidden;
}

/* Where the reference pass is. */
struct keeping {
	struct mote_probe *p;
	uint32_t chunk;
};

static void keep_residual(void *user, uint32_t half, const float *x, size_t stride, uint32_t n)
{
	const struct keeping *k = user;
	uint32_t hidden = k->p->source->config.hidden, layer = half / 2 + 1;
	float *to;

	if (half % 2 == 0 || layer == k->p->source->config.layers)
		return;
	to = stream_of(k->p, layer, k->chunk);
	for (uint32_t r = 0; r < n; r++)
		memcpy(to + (size_t)r * hidden, x + r * stride, hidden * sizeof *to);
}

static enum mote_status forward(struct mote_probe *p, uint32_t chunk, const float **logits, struct mote_error *error)
{
	struct mote_batch batch = { .rows = p->plan->context, .position = p->position, .want_logits = p->want,
				    .first_layer = p->from };

	if (p->from) {
		batch.x = stream_of(p, p->from, chunk);
		batch.x_stride = p->source->config.hidden;
	} else {
		batch.token = p->plan->ids + (size_t)chunk * p->plan->context;
	}
	return mote_session_forward(p->session, &batch, logits, error);
}

static enum mote_status run_reference(struct mote_probe *p, struct mote_error *error)
{
	const struct mote_plan *plan = p->plan;
	size_t floats = (size_t)plan->chunk_rows * plan->vocab;
	enum mote_status status = MOTE_OK;

	for (uint32_t chunk = 0; chunk < plan->chunks && status == MOTE_OK; chunk++) {
		struct keeping keeping = {p, chunk};
		struct mote_activation_hook hook = {.residual = keep_residual, .user = &keeping};
		const float *logits;

		mote_session_set_activation_hook(p->session, &hook);
		status = forward(p, chunk, &logits, error);
		if (status == MOTE_OK)
			memcpy(p->reference + chunk * floats, logits, floats * sizeof *logits);
	}
	mote_session_set_activation_hook(p->session, NULL);
	return status;
}

static void score_rows(void *user, uint32_t thread, uint32_t threads)
{
	const struct mote_probe *p = user;
	size_t vocab = p->plan->vocab;

	for (uint32_t i = thread; i < p->plan->chunk_rows; i += threads) {
		struct mote_score score;

		p->finite[i] = mote_score_row(p->logits + i * vocab, p->reference + (p->row + i) * vocab,
					      p->plan->vocab, mote_plan_target(p->plan, p->row + i), &score);
		p->kld[i] = score.kld;
	}
}

/* The mean divergence of the model as it stands from the source. */
static enum mote_status measure(struct mote_probe *p, double *kld, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	double sum = 0;

	for (uint32_t chunk = 0; chunk < p->plan->chunks && status == MOTE_OK; chunk++) {
		status = forward(p, chunk, &p->logits, error);
		if (status != MOTE_OK)
			break;
		p->row = (uint64_t)chunk * p->plan->chunk_rows;
		mote_pool_run(p->q->pool, score_rows, p);
		for (uint32_t i = 0; i < p->plan->chunk_rows; i++) {
			if (!p->finite[i])
				return mote_error_set(error, MOTE_ERROR_CORRUPT,
						      "sensitivities: a logit is NaN or infinite");
			sum += p->kld[i];
		}
	}
	*kld = sum / (double)mote_plan_rows(p->plan);
	return status;
}

/* The layer that a tensor belongs to; what has none is the embedding, before all, or the head, behind all. */
static uint32_t layer_of(const struct mote_probe *p, const char *name)
{
	uint32_t layer;
	const struct mote_weight *w = mote_weight_find(name, &layer);

	if (layer != MOTE_NO_LAYER)
		return layer;
	return w == mote_weight_head ? p->source->config.layers - 1 : 0;
}

static enum mote_status measure_with(struct mote_probe *p, const struct mote_tensor *t,
				     const struct mote_matrix *matrix, double *kld, struct mote_error *error)
{
	struct mote_matrix *place, before;
	enum mote_status status;

	p->model = *p->source;
	p->model.layer = p->layer;
	place = mote_model_matrix(&p->model, t->name);
	before = *place;
	p->from = layer_of(p, t->name);
	*place = *matrix;
	if (place == &p->model.embedding && p->model.config.tied_embeddings)
		p->model.head = *matrix;
	status = measure(p, kld, error);
	*place = before;
	return status;
}

static enum mote_status measure_choice(struct mote_probe *p, const struct mote_encode_job *job,
				       const struct mote_tensor *t, double *kld, struct mote_error *error)
{
	struct mote_matrix matrix;
	uint8_t codebook[16];
	uint64_t bytes = mote_encoded_bytes(job);
	void *data = aligned_alloc(64, (size_t)bytes);
	enum mote_status status;

	if (!data)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory", t->name);
	status = mote_encode_matrix(p->q->pool, job, data, codebook, NULL, 0, 0, error);
	if (status == MOTE_OK)
		status = mote_matrix_init(&matrix, job->type, t->rows, t->cols, data, codebook, &bytes, error);
	if (status == MOTE_OK)
		status = measure_with(p, t, &matrix, kld, error);
	free(data);
	p->done++;
	if (status == MOTE_OK && p->progress && !p->progress->update(p->progress->user, p->done, p->total))
		status = mote_error_set(error, MOTE_ERROR_INTERRUPTED, "interrupted");
	return status;
}

/* Second order leaves less of the damage than the encoder that measures, and not the same share everywhere: what v
 * loses, o is fitted to make good; so are all layers to what the embedding loses, unless that is the head too, which
 * must serve both; what q and k lose goes through the softmax, behind which nobody can repair it. Measured with gptq on
 * two models, from q4 to q3 and from q5 to q4 (docs/quantization.md);
 * what is right here to a fifth ranks well enough. */
static double share_left(const struct mote_quantizer *q, const char *name, bool tied)
{
	const struct mote_weight *w = mote_weight_find(name, NULL);

	if (q->recipe->encoder != MOTE_ENCODER_GPTQ)
		return 1;
	if (w == mote_weight_embedding)
		return tied ? 1.1 : 0.32;
	if (w && w->input == MOTE_IN_QKV)
		return w->offset == offsetof(struct mote_layer, v) ? 0.26 : 1;
	return w && w->input == MOTE_IN_OUT ? 0.8 : 0.63;
}

/* A small error's divergence grows as its square: so one type is measured, and the others follow from their squared
 * errors against its. */
static enum mote_status measure_tensor(struct mote_probe *p, struct mote_sensitivity *s, struct mote_error *error)
{
	const struct mote_tensor *t = p->q->target[s->tensor].tensor;
	struct mote_encode_job job = { .name = t->name, .source = &t->matrix, .encoder = MOTE_ENCODER_WEIGHTED,
				       .importance = p->q->importance[s->tensor], .type = MOTE_ALLOCATE_MEASURED,
				       .linear = p->q->recipe->linear };
	double measured = 0, unit = 0, squares, share = share_left(p->q, s->name, p->source->config.tied_embeddings);
	enum mote_status status;

	if (s->choices == 1) /* a rule leaves no choice */
		return MOTE_OK;
	status = measure_choice(p, &job, t, &measured, error);
	if (status == MOTE_OK)
		status = mote_encode_error(p->q->pool, &job, &unit, error);
	for (uint32_t k = 0; k < s->choices && status == MOTE_OK; k++) {
		job.type = s->choice[k].type;
		squares = unit;
		if (job.type != MOTE_ALLOCATE_MEASURED)
			status = mote_encode_error(p->q->pool, &job, &squares, error);
		s->choice[k].kld = unit > 0 ? share * measured * squares / unit : 0;
	}
	return status;
}

static enum mote_status take_memory(struct mote_probe *p, uint32_t threads, struct mote_error *error)
{
	const struct mote_plan *plan = p->plan;
	uint32_t layers = p->source->config.layers, context = plan->context;
	struct mote_session_options options = { .context_tokens = context, .batch_rows = context,
						.logit_rows = plan->chunk_rows, .threads = threads,
						.kv_k = MOTE_KV_F32, .kv_v = MOTE_KV_F32 };

	p->stream = malloc((size_t)layers * plan->chunks * context * p->source->config.hidden * sizeof *p->stream);
	p->reference = malloc(mote_plan_rows(plan) * plan->vocab * sizeof *p->reference);
	p->layer = malloc(layers * sizeof *p->layer);
	p->position = malloc(context * sizeof *p->position);
	p->want = malloc(context);
	p->kld = malloc(plan->chunk_rows * sizeof *p->kld);
	p->finite = malloc(plan->chunk_rows * sizeof *p->finite);
	if (!p->stream || !p->reference || !p->layer || !p->position || !p->want || !p->kld || !p->finite)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for sensitivities");
	memcpy(p->layer, p->source->layer, layers * sizeof *p->layer);
	for (uint32_t r = 0; r < context; r++) {
		p->position[r] = r;
		p->want[r] = r >= plan->first && r < plan->first + plan->chunk_rows;
	}
	p->model = *p->source;
	return mote_session_open(&p->model, &options, &p->session, error);
}

void mote_probe_close(struct mote_probe *p)
{
	if (!p)
		return;
	mote_session_close(p->session);
	free(p->stream);
	free(p->reference);
	free(p->layer);
	free(p->position);
	free(p->want);
	free(p->kld);
	free(p->finite);
	free(p);
}

enum mote_status mote_probe_open(const struct mote_quantizer *q, const struct mote_model *source,
				 const struct mote_plan *plan, uint32_t threads, struct mote_probe **out,
				 struct mote_error *error)
{
	struct mote_probe *p = calloc(1, sizeof *p);
	enum mote_status status;

	*out = NULL;
	if (!p)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for sensitivities");
	p->q = q;
	p->plan = plan;
	p->source = source;
	status = take_memory(p, threads, error);
	if (status == MOTE_OK)
		status = run_reference(p, error);
	if (status != MOTE_OK) {
		mote_probe_close(p);
		return status;
	}
	*out = p;
	return MOTE_OK;
}

enum mote_status mote_probe_measure(struct mote_probe *p, struct mote_allocation *a, uint32_t begin, uint32_t end,
				    const struct mote_progress *progress, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	p->progress = progress;
	p->done = 0;
	p->total = end - begin;
	for (uint32_t i = begin; i < end && status == MOTE_OK; i++)
		status = measure_tensor(p, &a->tensor[i], error);
	return status;
}
