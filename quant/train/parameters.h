/* A model's weights as training sees them: plain f32, row after row, each with the gradient that belongs to it.
 *
 * Weights of layers may all be there at once, or one layer's at a time: then all layers share one layer's memory, and
 * whoever owns the weights makes a layer's current when the pass asks for it (passes.h) and takes its gradient away
 * before the next layer's is computed. So a model can be trained in little more memory than what is trained takes.
 */
#ifndef MOTE_QUANT_PARAMETERS_H
#define MOTE_QUANT_PARAMETERS_H

#include "runtime/model/architecture.h"
#include "runtime/model/model.h"

struct mote_low_rank;

struct mote_parameter {
	const struct mote_weight *weight;
	uint32_t layer;             /* MOTE_NO_LAYER: the model's own */
	char name[MOTE_WEIGHT_NAME_BYTES];
	uint32_t rows, cols;        /* cols is 1 for a vector */
	float *w;                   /* [rows][cols] */
	float *g;                   /* the loss's gradient, likewise, added up; NULL: none is computed */
	struct mote_low_rank *low;  /* borrowed: what is added to w (adapter.h); NULL: nothing */
};

/* NULL: the model has none. */
struct mote_train_layer {
	struct mote_parameter *attention_norm, *q, *k, *v, *q_bias, *k_bias, *v_bias, *q_norm, *k_norm, *o;
	struct mote_parameter *ffn_norm, *gate, *up, *down;
};

struct mote_parameters {
	const struct mote_config *config;   /* borrowed */
	struct mote_parameter *parameter;   /* [n], in forward order */
	uint32_t n;
	struct mote_parameter *embedding, *final_norm, *head; /* head is the embedding when tied */
	struct mote_train_layer *layer;     /* [config->layers] */
	bool layered;                       /* one layer's at a time */
	float *memory;
	size_t memory_floats;
};

/* What is allocated. */
enum mote_parameters_kind {
	MOTE_PARAMETERS_GRADIENTS = 1,
	MOTE_PARAMETERS_LAYERED = 2
};

/* Weights and gradients are zero. MOTE_ERROR_UNSUPPORTED: the model differs from a Llama in something that has no
 * backward pass here; the message names it. MOTE_ERROR_MEMORY. Zero-initialize; free with mote_parameters_free(). */
enum mote_status mote_parameters_init(struct mote_parameters *p, const struct mote_config *config, unsigned kind,
				      struct mote_error *error) MOTE_CHECKED;
void mote_parameters_free(struct mote_parameters *p);

/* Whether a model of this config can be trained: MOTE_OK, or MOTE_ERROR_UNSUPPORTED as above. */
enum mote_status mote_parameters_check(const struct mote_config *config, struct mote_error *error) MOTE_CHECKED;

/* Decodes this parameter's weight out of m (same config, but for rows of the vocabulary: those that m lacks stay)
 * into p->w. */
void mote_parameter_load(struct mote_parameter *p, const struct mote_model *m);
/* Those of this layer, or of the model itself (MOTE_NO_LAYER). */
void mote_parameters_load_layer(struct mote_parameters *p, const struct mote_model *m, uint32_t layer);
/* Of the embedding, and of a head of its own: makes n rows from `first` on the mean of all rows before them. */
void mote_parameters_fill_rows(struct mote_parameters *p, uint32_t first, uint32_t n);
/* Sets the gradients of this layer (or the model's own) to zero. */
void mote_parameters_clear_layer(struct mote_parameters *p, uint32_t layer);

#endif
