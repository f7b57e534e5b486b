/* A checkpoint's tensors: see checkpoint_tensors.h. */
#include "convert/checkpoint_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBEDDING "model.embed_tokens.weight"
#define HEAD "lm_head.weight"

static enum mote_status take(struct mote_checkpoint_tensors *out, struct mote_hf_weights *weights, const char *name,
			     uint32_t rows, uint32_t cols, struct mote_error *error)
{
	struct mote_hf_weight *weight = mote_hf_weights_find(weights, name);
	struct mote_checkpoint_tensor t = { .weight = weight, .rank = cols ? 2 : 1, .rows = rows, .cols = cols ? cols : 1 };
	char found[128], expected[64];
	enum mote_status status;

	if (cols)
		snprintf(expected, sizeof expected, "[%u, %u]", rows, cols);
	else
		snprintf(expected, sizeof expected, "[%u]", rows);
	if (!weight)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\" %s is missing%s", name, expected,
				      strcmp(name, HEAD) ? "" : " (config.json: \"tie_word_embeddings\" is not true)");
	status = mote_hf_weight_type(weight, &t.from, error);
	if (status)
		return status;
	if (weight->tensor->rank != t.rank || weight->tensor->shape[0] != rows ||
	    (cols && weight->tensor->shape[1] != cols))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "tensor \"%s\": shape %s, but config.json calls for %s", name,
				      mote_safetensors_shape(weight->tensor, found, sizeof found), expected);
	weight->used = true;
	out->tensor[out->tensors++] = t;
	return MOTE_OK;
}

static enum mote_status take_layer(struct mote_checkpoint_tensors *out, struct mote_hf_weights *weights, uint32_t layer,
				   const struct mote_hf_config *c, struct mote_error *error)
{
	const uint32_t hidden = c->hidden_size, q = c->num_attention_heads * c->head_dim;
	const uint32_t kv = c->num_key_value_heads * c->head_dim, ffn = c->intermediate_size;
	const struct {
		const char *name;
		uint32_t rows, cols; /* cols 0: a vector */
	} list[] = {
		{ "input_layernorm", hidden, 0 },
		{ "self_attn.q_proj", q, hidden },
		{ "self_attn.k_proj", kv, hidden },
		{ "self_attn.v_proj", kv, hidden },
		{ "self_attn.o_proj", hidden, q },
		{ "post_attention_layernorm", hidden, 0 },
		{ "mlp.gate_proj", ffn, hidden },
		{ "mlp.up_proj", ffn, hidden },
		{ "mlp.down_proj", hidden, ffn },
	};
	enum mote_status status = MOTE_OK;
	char name[96];

	for (size_t i = 0; i < sizeof list / sizeof *list && !status; i++) {
		snprintf(name, sizeof name, "model.layers.%u.%s.weight", layer, list[i].name);
		status = take(out, weights, name, list[i].rows, list[i].cols, error);
	}
	return status;
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

static enum mote_status match(const struct mote_hf_config *c, struct mote_hf_weights *weights,
			      struct mote_checkpoint_tensors *out, struct mote_error *error)
{
	enum mote_status status;

	out->tensor = calloc(c->num_hidden_layers * (size_t)9 + 3, sizeof *out->tensor);
	if (!out->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	status = take(out, weights, EMBEDDING, c->vocab_size, c->hidden_size, error);
	for (uint32_t i = 0; i < c->num_hidden_layers && !status; i++)
		status = take_layer(out, weights, i, c, error);
	if (!status)
		status = take(out, weights, "model.norm.weight", c->hidden_size, 0, error);
	if (!status && (!c->tie_word_embeddings || mote_hf_weights_find(weights, HEAD)))
		status = take(out, weights, HEAD, c->vocab_size, c->hidden_size, error);
	if (!status && c->tie_word_embeddings && out->tensors == c->num_hidden_layers * 9 + 3)
		out->tied_copy = out->tensor[--out->tensors].weight;
	return status ? status : refuse_superfluous(weights, error);
}

enum mote_status mote_checkpoint_tensors_match(const struct mote_hf_config *config, struct mote_hf_weights *weights,
					       struct mote_checkpoint_tensors *out, struct mote_error *error)
{
	enum mote_status status;

	*out = (struct mote_checkpoint_tensors){ 0 };
	status = match(config, weights, out, error);
	if (status)
		mote_checkpoint_tensors_free(out);
	return status;
}

void mote_checkpoint_tensors_free(struct mote_checkpoint_tensors *t)
{
	free(t->tensor);
	*t = (struct mote_checkpoint_tensors){ 0 };
}
