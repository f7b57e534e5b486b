/* The architecture: which weights a model has, in one table. A row says what a weight is called in a checkpoint, which
 * field of struct mote_layer or mote_model it fills, its shape in terms of the config, and what it multiplies. Who
 * binds, converts, quantizes, calibrates or counts weights asks here and spells no tensor's name itself.
 */
#ifndef MOTE_RUNTIME_ARCHITECTURE_H
#define MOTE_RUNTIME_ARCHITECTURE_H

#include <stddef.h>

#include "runtime/model/config.h"
#include "runtime/model/layer.h"

#define MOTE_WEIGHT_NAME_BYTES 96
#define MOTE_NO_LAYER UINT32_MAX

enum mote_dim {
	MOTE_DIM_ONE,        /* as columns: a vector */
	MOTE_DIM_HIDDEN,
	MOTE_DIM_ATTENTION,  /* heads * head_dim */
	MOTE_DIM_KV,         /* kv_heads * head_dim */
	MOTE_DIM_HEAD,       /* head_dim */
	MOTE_DIM_FFN,
	MOTE_DIM_VOCAB
};

/* The activations that a matrix multiplies, in forward order. Matrices of one input share its statistics. */
enum mote_input {
	MOTE_IN_QKV,         /* the normed residual stream before attention */
	MOTE_IN_OUT,         /* what attention gives */
	MOTE_IN_FFN,         /* the normed residual stream before the feed-forward part */
	MOTE_IN_DOWN,        /* gate times up */
	MOTE_IN_HEAD,        /* the last normed residual stream */
	MOTE_IN_NONE,        /* a vector, or the embedding, whose rows are looked up */
	MOTE_INPUTS = MOTE_IN_NONE
};

enum mote_weight_flag {
	MOTE_WEIGHT_LAYER = 1,      /* every layer has one; the name goes behind "model.layers.N." */
	MOTE_WEIGHT_ADDS = 2,       /* its product is added to the residual stream */
	MOTE_WEIGHT_VOCABULARY = 4, /* its rows are tokens */
	MOTE_WEIGHT_UNTIED = 8      /* absent when the embedding is the head too */
};

struct mote_weight {
	const char *name;
	size_t offset;              /* in struct mote_layer or mote_model; const float * for a vector,
				     * else mote_matrix */
	enum mote_dim rows, cols;
	enum mote_input input;
	unsigned flags;
	unsigned needs, lacks;      /* enum mote_feature: what a model with this weight has all of, and none of */
};

/* All weights of a model in forward order, which is the order of a file too:
 *     struct mote_weight_walk w = {.config = config};
 *     while (mote_weight_next(&w)) use(w.weight, w.layer, w.name); */
struct mote_weight_walk {
	const struct mote_config *config;
	const struct mote_weight *weight;
	uint32_t layer;             /* MOTE_NO_LAYER: the model's own */
	char name[MOTE_WEIGHT_NAME_BYTES];
	uint32_t row, next_layer;   /* the walk's own */
};
bool mote_weight_next(struct mote_weight_walk *walk);

/* How many a walk visits. */
uint32_t mote_weight_count(const struct mote_config *config);

/* The first row of a tensor's full name, whatever the model, or NULL. *layer (may be NULL) becomes its layer. */
const struct mote_weight *mote_weight_find(const char *name, uint32_t *layer);

/* The full name of a weight; layer is looked at when a layer has it. */
void mote_weight_name(const struct mote_weight *weight, uint32_t layer, char name[MOTE_WEIGHT_NAME_BYTES]);

/* The next row after this one (NULL: the first) of a layer's matrices that multiply this input; NULL at the end. */
const struct mote_weight *mote_weight_of_input(enum mote_input input, const struct mote_weight *after);

/* The embedding, and the head that a model has which is not tied. */
extern const struct mote_weight *const mote_weight_embedding, *const mote_weight_head;

uint32_t mote_dim_of(const struct mote_config *config, enum mote_dim dim);
/* Columns of the matrices that multiply this input. */
uint32_t mote_input_width(const struct mote_config *config, enum mote_input input);

/* Fills in what the layer of this index takes from the config apart from weights. */
void mote_layer_configure(const struct mote_config *config, uint32_t index, struct mote_layer *layer);

#endif
