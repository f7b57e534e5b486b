/* A checkpoint's tensors: see checkpoint_tensors.h. */
#include "convert/checkpoint_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/architecture.h"

/* The shape as the table of weights reads it. */
static struct mote_config shape_of(const struct mote_hf_config *c)
{
	return (struct mote_config){
		.hidden = c->hidden_size, .layers = c->num_hidden_layers, .heads = c->num_attention_heads,
		.kv_heads = c->num_key_value_heads, .head_dim = c->head_dim, .ffn = c->intermediate_size,
		.vocab = c->vocab_size, .tied_embeddings = c->tie_word_embeddings
	};
}

static enum mote_status take(struct mote_checkpoint_tensors *out, struct mote_hf_weights *weights, const char *name,
			     const struct mote_weight *w, const struct mote_config *config, struct mote_error *error)
{
	struct mote_hf_weight *weight = mote_hf_weights_find(weights, name);
	struct mote_checkpoint_tensor t = { .weight = weight, .rank = w->cols == MOTE_DIM_ONE ? 1 : 2,
				       .rows = mote_dim_of(config, w->rows), .cols = mote_dim_of(config, w->cols) };
	char found[128], expected[64];
	enum mote_status status;

	if (t.rank == 2)
		snprintf(expected, sizeof expected, "[%u, %u]", t.rows, t.cols);
	else
		snprintf(expected, sizeof expected, "[%u]", t.rows);
	if (!weight)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" %s is missing%s", name, expected,
				      w == mote_weight_head ? " (config.json: \"tie_word_embeddings\" is not true)" : "");
	status = mote_hf_weight_type(weight, &t.from, error);
	if (status)
		return status;
	if (weight->tensor->rank != t.rank || weight->tensor->shape[0] != t.rows ||
	    (t.rank == 2 && weight->tensor->shape[1] != t.cols))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\": shape %s, but config.json calls for %s", name,
				      mote_safetensors_shape(weight->tensor, found, sizeof found), expected);
	weight->used = true;
	out->tensor[out->tensors++] = t;
	return MOTE_OK;
}

/* Buffers that old versions of transformers saved beside the weights; they follow from the config. */
static bool is_rotary_table(const char *name)
{
	return strstr(name, ".rotary_emb.") != NULL;
}

static enum mote_status refuse_superfluous(const struct mote_hf_weights *weights, struct mote_error *error)
{
	char shape[128];

	for (uint32_t i = 0; i < weights->weights; i++) {
		const struct mote_safetensors_tensor *t = weights->weight[i].tensor;

		if (!weights->weight[i].used && !is_rotary_table(t->name))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" %s is superfluous: the architecture has no such weight", t->name,
					      mote_safetensors_shape(t, shape, sizeof shape));
	}
	return MOTE_OK;
}

/* The head of a tied checkpoint is checked like any other, but is no tensor of the model. */
static enum mote_status take_tied_copy(struct mote_checkpoint_tensors *out, struct mote_hf_weights *weights,
				       const struct mote_config *config, struct mote_error *error)
{
	enum mote_status status = take(out, weights, mote_weight_head->name, mote_weight_head, config, error);

	if (!status)
		out->tied_copy = out->tensor[--out->tensors].weight;
	return status;
}

static enum mote_status match(const struct mote_config *config, struct mote_hf_weights *weights,
			      struct mote_checkpoint_tensors *out, struct mote_error *error)
{
	struct mote_weight_walk w = { .config = config };
	enum mote_status status = MOTE_OK;

	out->tensor = calloc(mote_weight_count(config) + (size_t)1, sizeof *out->tensor);
	if (!out->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	while (!status && mote_weight_next(&w))
		status = take(out, weights, w.name, w.weight, config, error);
	if (!status && config->tied_embeddings && mote_hf_weights_find(weights, mote_weight_head->name))
		status = take_tied_copy(out, weights, config, error);
	return status ? status : refuse_superfluous(weights, error);
}

enum mote_status mote_checkpoint_tensors_match(const struct mote_hf_config *config, struct mote_hf_weights *weights,
					       struct mote_checkpoint_tensors *out, struct mote_error *error)
{
	const struct mote_config shape = shape_of(config);
	enum mote_status status;

	*out = (struct mote_checkpoint_tensors){ 0 };
	status = match(&shape, weights, out, error);
	if (status)
		mote_checkpoint_tensors_free(out);
	return status;
}

void mote_checkpoint_tensors_free(struct mote_checkpoint_tensors *t)
{
	free(t->tensor);
	*t = (struct mote_checkpoint_tensors){ 0 };
}
