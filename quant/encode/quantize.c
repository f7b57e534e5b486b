/* Quantizing a container: see quantize.h. */
#include "quant/encode/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum mote_status mote_quantizer_init(struct mote_quantizer *q, const struct mote_container *source,
				     const struct mote_recipe *recipe, uint32_t threads, struct mote_error *error)
{
	*q = (struct mote_quantizer){ .source = source, .recipe = recipe,
				      .tensors = mote_container_tensor_count(source) };
	q->encoded = calloc(q->tensors + 1u, sizeof *q->encoded);
	q->importance = calloc(q->tensors + 1u, sizeof *q->importance);
	q->target = calloc(q->tensors + 1u, sizeof *q->target);
	if (!q->encoded || !q->importance || !q->target)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %u tensors", q->tensors);
	mote_quantizer_decide(q);
	return mote_pool_open(threads ? threads : mote_pool_physical_cores(), &q->pool, error);
}

void mote_quantizer_free(struct mote_quantizer *q)
{
	for (uint32_t i = 0; i < q->tensors; i++) {
		if (q->encoded)
			free(q->encoded[i].data);
		if (q->importance)
			free(q->importance[i]);
	}
	free(q->encoded);
	free(q->importance);
	free(q->target);
	mote_pool_close(q->pool);
	*q = (struct mote_quantizer){0};
}

/* Second order needs more than this room knows; matrices it has not seen (the embedding, mostly) get the next best. */
static enum mote_encoder first_order(enum mote_encoder encoder)
{
	return encoder == MOTE_ENCODER_GPTQ ? MOTE_ENCODER_LEARNED : encoder;
}

void mote_quantizer_decide(struct mote_quantizer *q)
{
	for (uint32_t i = 0; i < q->tensors; i++) {
		const struct mote_tensor *t = mote_container_tensor(q->source, i);
		struct mote_target *to = &q->target[i];

		*to = (struct mote_target){ .tensor = t, .type = mote_recipe_type(q->recipe, t),
					    .encoder = first_order(q->recipe->encoder) };
		to->kept = t->rank == 1 || (to->type == t->type && mote_type_is_quantized(t->type));
		to->bytes = to->kept ? t->bytes :
			    mote_encoded_bytes(&(struct mote_encode_job){.source = &t->matrix, .type = to->type});
	}
}

enum mote_status mote_quantizer_check_source(const struct mote_quantizer *q, const struct mote_progress *progress,
					     struct mote_error *error)
{
	enum mote_status status = mote_container_verify(q->source, progress, error);

	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++) {
		const struct mote_tensor *t = q->target[i].tensor;

		for (uint32_t r = 0; t->rank == 1 && r < t->rows; r++)
			if (!isfinite(t->vector[r]))
				return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
						      "%s: tensor '%s': weight [%u] is %g",
						      mote_container_path(q->source), t->name, r, (double)t->vector[r]);
	}
	return status;
}

uint32_t mote_quantizer_find(const struct mote_quantizer *q, const char *name)
{
	for (uint32_t i = 0; i < q->tensors; i++)
		if (strcmp(q->target[i].tensor->name, name) == 0)
			return i;
	return q->tensors;
}

const double *mote_quantizer_importance(const struct mote_quantizer *q, uint32_t i)
{
	bool light = q->recipe->encoder == MOTE_ENCODER_GPTQ && mote_type_bits(q->target[i].type) == 8;

	return light ? NULL : q->importance[i];
}

void *mote_quantizer_alloc(const struct mote_quantizer *q, uint32_t i)
{
	return aligned_alloc(64, (size_t)(q->target[i].bytes + 63) / 64 * 64);
}

uint64_t mote_quantizer_bytes(const struct mote_quantizer *q)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < q->tensors; i++)
		bytes += q->target[i].bytes;
	return bytes;
}

uint64_t mote_quantizer_weights(const struct mote_quantizer *q)
{
	uint64_t weights = 0;

	for (uint32_t i = 0; i < q->tensors; i++) {
		const struct mote_tensor *t = q->target[i].tensor;

		weights += t->rank == 2 ? (uint64_t)t->rows * t->cols : 0;
	}
	return weights;
}

static enum mote_status encode_matrix(struct mote_quantizer *q, uint32_t i, uint64_t done, uint64_t total,
				      const struct mote_progress *progress, struct mote_error *error)
{
	const struct mote_target *to = &q->target[i];
	struct mote_encode_job job = { .name = to->tensor->name, .source = &to->tensor->matrix, .type = to->type,
				       .encoder = to->encoder, .importance = mote_quantizer_importance(q, i),
				       .linear = q->recipe->linear };
	struct mote_encoded *e = &q->encoded[i];

	if (e->data)
		return MOTE_OK;
	e->data = mote_quantizer_alloc(q, i);
	if (!e->data)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory", job.name);
	return mote_encode_matrix(q->pool, &job, e->data, e->codebook, progress, done, total, error);
}

enum mote_status mote_quantizer_encode(struct mote_quantizer *q, const struct mote_progress *progress,
				       struct mote_error *error)
{
	uint64_t done = 0, total = mote_quantizer_weights(q);
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++) {
		const struct mote_tensor *t = q->target[i].tensor;

		if (!q->target[i].kept)
			status = encode_matrix(q, i, done, total, progress, error);
		done += t->rank == 2 ? (uint64_t)t->rows * t->cols : 0;
	}
	return status;
}

static enum mote_status write_matrix(struct mote_quantizer *q, struct mote_writer *w, uint32_t i, uint64_t done,
				     uint64_t total, const struct mote_progress *progress, struct mote_error *error)
{
	const struct mote_target *to = &q->target[i];
	const struct mote_tensor *t = to->tensor;
	struct mote_encoded *e = &q->encoded[i];
	enum mote_status status = MOTE_OK;

	if (to->kept) { /* as it is, not once more */
		if (mote_type_has_codebook(t->type))
			status = mote_writer_set_codebook(w, i, t->matrix.codebook, error);
		return status == MOTE_OK ? mote_writer_write(w, t->matrix.data, t->bytes, error) : status;
	}
	status = encode_matrix(q, i, done, total, progress, error);
	if (status == MOTE_OK && mote_type_has_codebook(to->type))
		status = mote_writer_set_codebook(w, i, e->codebook, error);
	if (status == MOTE_OK)
		status = mote_writer_write(w, e->data, to->bytes, error);
	free(e->data);
	e->data = NULL;
	return status;
}

/* The source's, or what has replaced it. */
static enum mote_status write_vector(struct mote_quantizer *q, struct mote_writer *w, uint32_t i,
				     struct mote_error *error)
{
	const struct mote_tensor *t = q->target[i].tensor;
	struct mote_encoded *e = &q->encoded[i];
	enum mote_status status = mote_writer_write(w, e->data ? e->data : t->vector, t->bytes, error);

	free(e->data);
	e->data = NULL;
	return status;
}

enum mote_status mote_quantizer_write(struct mote_quantizer *q, struct mote_writer *w,
				      const struct mote_progress *progress, struct mote_error *error)
{
	uint64_t done = 0, total = mote_quantizer_weights(q);
	enum mote_status status = MOTE_OK;
	const void *section;
	size_t bytes;

	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++) {
		const struct mote_target *to = &q->target[i];

		status = mote_writer_add_tensor(w, to->tensor->name, to->tensor->rank, to->type, to->tensor->rows,
						to->tensor->cols, mote_type_linear_codebook(to->type), error);
	}
	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++) {
		const struct mote_tensor *t = q->target[i].tensor;

		if (t->rank == 1) {
			status = write_vector(q, w, i, error);
			continue;
		}
		status = write_matrix(q, w, i, done, total, progress, error);
		done += (uint64_t)t->rows * t->cols;
	}
	section = mote_container_section(q->source, MOTE_SECTION_TOKENIZER, &bytes);
	if (status == MOTE_OK && section)
		status = mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, section, bytes, error);
	return status;
}
