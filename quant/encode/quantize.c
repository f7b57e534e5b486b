/* Quantizing a container: see quantize.h. */
#include "quant/encode/quantize.h"

#include <stdlib.h>
#include <string.h>

enum mote_status mote_quantizer_init(struct mote_quantizer *q, const struct mote_container *source,
				     const struct mote_recipe *recipe, uint32_t threads, struct mote_error *error)
{
	*q = (struct mote_quantizer){ .source = source, .recipe = recipe,
				      .tensors = mote_container_tensor_count(source) };
	q->encoded = calloc(q->tensors + 1u, sizeof *q->encoded);
	q->importance = calloc(q->tensors + 1u, sizeof *q->importance);
	if (!q->encoded || !q->importance)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for %u tensors", q->tensors);
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
	mote_pool_close(q->pool);
	*q = (struct mote_quantizer){ 0 };
}

uint32_t mote_quantizer_find(const struct mote_quantizer *q, const char *name)
{
	for (uint32_t i = 0; i < q->tensors; i++)
		if (strcmp(mote_container_tensor(q->source, i)->name, name) == 0)
			return i;
	return q->tensors;
}

const double *mote_quantizer_importance(const struct mote_quantizer *q, uint32_t i)
{
	bool light = q->recipe->encoder == MOTE_ENCODER_GPTQ &&
		     mote_recipe_type(q->recipe, mote_container_tensor(q->source, i)) == MOTE_Q8;

	return light ? NULL : q->importance[i];
}

/* Bytes of tensor i under the recipe. */
static uint64_t tensor_bytes(const struct mote_quantizer *q, uint32_t i)
{
	const struct mote_tensor *t = mote_container_tensor(q->source, i);
	struct mote_encode_job job = { .source = &t->matrix, .type = mote_recipe_type(q->recipe, t) };

	return t->rank == 1 ? t->bytes : mote_encoded_bytes(&job);
}

void *mote_quantizer_alloc(const struct mote_quantizer *q, uint32_t i)
{
	return aligned_alloc(64, (size_t)(tensor_bytes(q, i) + 63) / 64 * 64);
}

uint64_t mote_quantizer_bytes(const struct mote_quantizer *q)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < q->tensors; i++)
		bytes += tensor_bytes(q, i);
	return bytes;
}

uint64_t mote_quantizer_weights(const struct mote_quantizer *q)
{
	uint64_t weights = 0;

	for (uint32_t i = 0; i < q->tensors; i++) {
		const struct mote_tensor *t = mote_container_tensor(q->source, i);

		weights += t->rank == 2 ? (uint64_t)t->rows * t->cols : 0;
	}
	return weights;
}

/* Second order needs more than this room knows; matrices it has not seen (the embedding, mostly) get the next best. */
static enum mote_encoder encoder_here(enum mote_encoder encoder)
{
	return encoder == MOTE_ENCODER_GPTQ ? MOTE_ENCODER_LEARNED : encoder;
}

static enum mote_status write_matrix(struct mote_quantizer *q, struct mote_writer *w, uint32_t i, uint64_t done,
				     uint64_t total, const struct mote_progress *progress, struct mote_error *error)
{
	const struct mote_tensor *t = mote_container_tensor(q->source, i);
	struct mote_encode_job job = { .name = t->name, .source = &t->matrix, .type = mote_recipe_type(q->recipe, t),
				       .encoder = encoder_here(q->recipe->encoder),
				       .importance = mote_quantizer_importance(q, i) };
	struct mote_encoded *e = &q->encoded[i];
	enum mote_status status = MOTE_OK;

	if (job.type == t->type && mote_type_is_quantized(t->type)) { /* as it is, not once more */
		if (mote_type_has_codebook(t->type))
			status = mote_writer_set_codebook(w, i, t->matrix.codebook, error);
		return status == MOTE_OK ? mote_writer_write(w, t->matrix.data, t->bytes, error) : status;
	}
	if (!e->data) {
		e->data = mote_quantizer_alloc(q, i);
		if (!e->data)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory", t->name);
		status = mote_encode_matrix(q->pool, &job, e->data, e->codebook, progress, done, total, error);
	}
	if (status == MOTE_OK && mote_type_has_codebook(job.type))
		status = mote_writer_set_codebook(w, i, e->codebook, error);
	if (status == MOTE_OK)
		status = mote_writer_write(w, e->data, mote_encoded_bytes(&job), error);
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
		const struct mote_tensor *t = mote_container_tensor(q->source, i);
		enum mote_type type = mote_recipe_type(q->recipe, t);

		status = mote_writer_add_tensor(w, t->name, t->rank, type, t->rows, t->cols,
						mote_type_linear_codebook(type), error);
	}
	for (uint32_t i = 0; i < q->tensors && status == MOTE_OK; i++) {
		const struct mote_tensor *t = mote_container_tensor(q->source, i);

		if (t->rank == 1) {
			status = mote_writer_write(w, t->vector, t->bytes, error);
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
