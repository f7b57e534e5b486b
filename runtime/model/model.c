/* Binding: the tensors of a container, by name and exact shape, to the fields of the model. The tables below are
 * the one place where tensor names are spelled.
 */
#include "runtime/model/model.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/container.h"
#include "runtime/model/memory.h"
#include "runtime/model/weights.h"

enum { NAME_BYTES = 64 };

enum dim { ONE, HIDDEN, ATTENTION, KEY_VALUE, FFN, VOCAB };

struct slot {
	const char *name;
	size_t offset;      /* of the field: const float * for a vector (cols ONE), else struct mote_matrix */
	enum dim rows, cols;
};

static const struct slot layer_slots[] = {
	{"input_layernorm.weight", offsetof(struct mote_layer, attention_norm), HIDDEN, ONE},
	{"self_attn.q_proj.weight", offsetof(struct mote_layer, q), ATTENTION, HIDDEN},
	{"self_attn.k_proj.weight", offsetof(struct mote_layer, k), KEY_VALUE, HIDDEN},
	{"self_attn.v_proj.weight", offsetof(struct mote_layer, v), KEY_VALUE, HIDDEN},
	{"self_attn.o_proj.weight", offsetof(struct mote_layer, o), HIDDEN, ATTENTION},
	{"post_attention_layernorm.weight", offsetof(struct mote_layer, ffn_norm), HIDDEN, ONE},
	{"mlp.gate_proj.weight", offsetof(struct mote_layer, gate), FFN, HIDDEN},
	{"mlp.up_proj.weight", offsetof(struct mote_layer, up), FFN, HIDDEN},
	{"mlp.down_proj.weight", offsetof(struct mote_layer, down), HIDDEN, FFN},
};

static const struct slot model_slots[] = {
	{"model.embed_tokens.weight", offsetof(struct mote_model, embedding), VOCAB, HIDDEN},
	{"model.norm.weight", offsetof(struct mote_model, final_norm), HIDDEN, ONE},
	{"lm_head.weight", offsetof(struct mote_model, head), VOCAB, HIDDEN}, /* last: absent when tied */
};

enum {
	LAYER_SLOTS = sizeof layer_slots / sizeof *layer_slots,
	MODEL_SLOTS = sizeof model_slots / sizeof *model_slots
};

static uint32_t dim_of(const struct mote_config *c, enum dim dim)
{
	switch (dim) {
	case HIDDEN: return c->hidden;
	case ATTENTION: return c->heads * c->head_dim;
	case KEY_VALUE: return c->kv_heads * c->head_dim;
	case FFN: return c->ffn;
	case VOCAB: return c->vocab;
	default: return 1;
	}
}

static uint32_t slot_count(const struct mote_config *c)
{
	return c->layers * LAYER_SLOTS + MODEL_SLOTS - (c->tied_embeddings ? 1 : 0);
}

/* The index-th slot in the order of the forward pass' structs: its full name and the field it fills. */
static const struct slot *slot_at(struct mote_model *m, uint32_t index, char name[NAME_BYTES], void **field)
{
	const struct slot *slot;
	char *base;

	if (index < m->config.layers * LAYER_SLOTS) {
		slot = &layer_slots[index % LAYER_SLOTS];
		base = (char *)&m->layer[index / LAYER_SLOTS];
		snprintf(name, NAME_BYTES, "model.layers.%u.%s", index / LAYER_SLOTS, slot->name);
	} else {
		slot = &model_slots[index - m->config.layers * LAYER_SLOTS];
		base = (char *)m;
		snprintf(name, NAME_BYTES, "%s", slot->name);
	}
	*field = base + slot->offset;
	return slot;
}

static enum mote_status bind_slot(const struct mote_config *config, const struct mote_container *container,
				  const struct slot *slot, const char *name, void *field, struct mote_error *error)
{
	const struct mote_tensor *t = mote_container_find(container, name);
	uint32_t rank = slot->cols == ONE ? 1 : 2;
	uint32_t rows = dim_of(config, slot->rows), cols = dim_of(config, slot->cols);

	if (!t)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" is missing", name);
	if (t->rank != rank || t->rows != rows || t->cols != cols)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "tensor \"%s\": found rank %u, shape %u x %u; expected rank %u, %u x %u", name,
				      t->rank, t->rows, t->cols, rank, rows, cols);
	if (rank == 1)
		*(const float **)field = t->vector;
	else
		*(struct mote_matrix *)field = t->matrix;
	return MOTE_OK;
}

/* Every slot is bound and as many tensors are there, so a surplus exists only if the counts differ. */
static enum mote_status refuse_surplus(struct mote_model *m, struct mote_error *error)
{
	uint32_t tensors = mote_container_tensor_count(m->container), slots = slot_count(&m->config);
	char name[NAME_BYTES];
	void *field;

	if (tensors == slots)
		return MOTE_OK;
	for (uint32_t i = 0; i < tensors; i++) {
		const char *found = mote_container_tensor(m->container, i)->name;
		uint32_t s = 0;

		while (s < slots && (slot_at(m, s, name, &field), strcmp(name, found)))
			s++;
		if (s == slots)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" is none of the %u that this model has", found, slots);
	}
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%u tensors; expected %u", tensors, slots);
}

static enum mote_status bind(struct mote_model *m, struct mote_error *error)
{
	uint32_t slots = slot_count(&m->config);
	enum mote_status status;
	char name[NAME_BYTES];
	void *field;

	m->layer = calloc(m->config.layers, sizeof *m->layer);
	if (!m->layer)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %u layers", m->config.layers);
	for (uint32_t i = 0; i < slots; i++) {
		const struct slot *slot = slot_at(m, i, name, &field);
		if ((status = bind_slot(&m->config, m->container, slot, name, field, error)))
			return status;
	}
	if (m->config.tied_embeddings)
		m->head = m->embedding;
	return refuse_surplus(m, error);
}

/* Copies the weights to huge pages and moves every bound pointer from the mapping to the copy. */
static enum mote_status move_to_huge_pages(struct mote_model *m, struct mote_error *error)
{
	uint64_t offset, bytes;
	enum mote_status status;
	const uint8_t *mapped;
	char name[NAME_BYTES];
	void *field;

	mote_container_data_range(m->container, &offset, &bytes);
	status = mote_weights_read(mote_container_fd(m->container), offset, bytes, &m->huge, &m->huge_bytes, error);
	if (status)
		return status;
	for (uint32_t i = 0; i < slot_count(&m->config); i++) {
		const struct slot *slot = slot_at(m, i, name, &field);
		const struct mote_tensor *t = mote_container_find(m->container, name);

		mapped = (const uint8_t *)m->huge + (t->offset - offset);
		if (slot->cols == ONE)
			*(const float **)field = (const float *)(const void *)mapped;
		else
			((struct mote_matrix *)field)->data = mapped;
	}
	if (m->config.tied_embeddings)
		m->head = m->embedding;
	return MOTE_OK;
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
	if ((status = mote_config_read(mote_container_metadata(m->container), &m->config, error)) ||
	    (status = bind(m, error)) ||
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
	char slot_name[NAME_BYTES];
	void *field;

	for (uint32_t i = 0; i < slot_count(&m->config); i++) {
		const struct slot *slot = slot_at(m, i, slot_name, &field);
		if (slot->cols != ONE && !strcmp(slot_name, name))
			return field;
	}
	return NULL;
}
