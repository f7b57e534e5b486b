/* Binding: the tensors of a container, by name and exact shape, to the fields of the model, as architecture.c lists
 * them.
 */
#include "runtime/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "format/container.h"
#include "runtime/model/architecture.h"
#include "runtime/model/memory.h"
#include "runtime/model/rope.h"
#include "runtime/model/weights.h"

/* The field that the walk's weight fills. */
static void *field_of(struct mote_model *m, const struct mote_weight_walk *w)
{
	char *base = w->layer == MOTE_NO_LAYER ? (char *)m : (char *)&m->layer[w->layer];

	return base + w->weight->offset;
}

static enum mote_status bind_weight(struct mote_model *m, const struct mote_weight_walk *w, struct mote_error *error)
{
	const struct mote_tensor *t = mote_container_find(m->container, w->name);
	uint32_t rank = w->weight->cols == MOTE_DIM_ONE ? 1 : 2;
	uint32_t rows = mote_dim_of(&m->config, w->weight->rows), cols = mote_dim_of(&m->config, w->weight->cols);

	if (!t)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" is missing", w->name);
	if (t->rank != rank || t->rows != rows || t->cols != cols)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\": found rank %u, shape %u x %u; expected rank %u, %u x %u", w->name,
				      t->rank, t->rows, t->cols, rank, rows, cols);
	if (rank == 1)
		*(const float **)field_of(m, w) = t->vector;
	else
		*(struct mote_matrix *)field_of(m, w) = t->matrix;
	return MOTE_OK;
}

/* Every weight is bound and as many tensors are there, so a surplus exists only if the counts differ. */
static enum mote_status refuse_surplus(struct mote_model *m, struct mote_error *error)
{
	uint32_t tensors = mote_container_tensor_count(m->container), weights = mote_weight_count(&m->config);

	if (tensors == weights)
		return MOTE_OK;
	for (uint32_t i = 0; i < tensors; i++) {
		const char *found = mote_container_tensor(m->container, i)->name;
		struct mote_weight_walk w = {.config = &m->config};
		bool known = false;

		while (!known && mote_weight_next(&w))
			known = !strcmp(w.name, found);
		if (!known)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" is none of the %u that this model has", found, weights);
	}
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%u tensors; expected %u", tensors, weights);
}

static enum mote_status bind(struct mote_model *m, struct mote_error *error)
{
	struct mote_weight_walk w = {.config = &m->config};
	enum mote_status status;

	m->layer = calloc(m->config.layers, sizeof *m->layer);
	if (!m->layer)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u layers", m->config.layers);
	for (uint32_t i = 0; i < m->config.layers; i++)
		mote_layer_configure(&m->config, i, &m->layer[i]);
	while (mote_weight_next(&w))
		if ((status = bind_weight(m, &w, error)))
			return status;
	if (m->config.tied_embeddings)
		m->head = m->embedding;
	return refuse_surplus(m, error);
}

/* Copies the weights to huge pages and moves every bound pointer from the mapping to the copy. */
static enum mote_status move_to_huge_pages(struct mote_model *m, struct mote_error *error)
{
	struct mote_weight_walk w = {.config = &m->config};
	uint64_t offset, bytes;
	enum mote_status status;

	mote_container_data_range(m->container, &offset, &bytes);
	status = mote_weights_read(mote_container_fd(m->container), offset, bytes, &m->huge, &m->huge_bytes, error);
	if (status)
		return status;
	while (mote_weight_next(&w)) {
		const uint8_t *moved = (const uint8_t *)m->huge +
				       (mote_container_find(m->container, w.name)->offset - offset);

		if (w.weight->cols == MOTE_DIM_ONE)
			*(const float **)field_of(m, &w) = (const float *)(const void *)moved;
		else
			((struct mote_matrix *)field_of(m, &w))->data = moved;
	}
	if (m->config.tied_embeddings)
		m->head = m->embedding;
	return MOTE_OK;
}

/* A file may promise more positions than can be rotated exactly: the first that can are used, by every tool alike. */
static enum mote_status read_config(struct mote_model *m, struct mote_error *error)
{
	enum mote_status status = mote_config_read(mote_container_metadata(m->container), &m->config, error);

	if (m->config.max_positions > MOTE_ROPE_MAX_POSITIONS)
		m->config.max_positions = MOTE_ROPE_MAX_POSITIONS;
	return status;
}

enum mote_status mote_model_open(const char *path, enum mote_weights weights, struct mote_model **out,
				 struct mote_error *error)
{
	struct mote_model *m = calloc(1, sizeof *m);
	enum mote_status status;

	*out = NULL;
	if (!m)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a model");
	if ((status = mote_container_open(path, &m->container, error)))
		goto fail;
	if ((status = read_config(m, error)) || (status = bind(m, error)) ||
	    (weights != MOTE_WEIGHTS_MAPPED && (status = move_to_huge_pages(m, error)))) {
		mote_error_prefix(error, "%s", path);
		goto fail;
	}
	*out = m;
	return MOTE_OK;
fail:
	mote_model_close(m);
	return status;
}

void mote_model_close(struct mote_model *m)
{
	if (!m)
		return;
	mote_memory_unmap(m->huge, m->huge_bytes);
	mote_container_close(m->container);
	free(m->layer);
	free(m);
}

struct mote_matrix *mote_model_matrix(struct mote_model *m, const char *name)
{
	struct mote_weight_walk w = {.config = &m->config};

	while (mote_weight_next(&w))
		if (w.weight->cols != MOTE_DIM_ONE && !strcmp(w.name, name))
			return field_of(m, &w);
	return NULL;
}
