/* The table of weights: see architecture.h. Rows of a layer lie between those before and those behind all layers. */
#include "runtime/model/architecture.h"

#include <stdio.h>
#include <string.h>

#include "runtime/model/model.h"

#define LAYERS "model.layers."

#define MODEL_WEIGHT(name, field, rows, cols, input, flags, needs, lacks)                                             \
	{name, offsetof(struct mote_model, field), MOTE_DIM_##rows, MOTE_DIM_##cols, MOTE_IN_##input, flags,        \
	 needs, lacks}
#define LAYER_WEIGHT(name, field, rows, cols, input, flags, needs, lacks)                                             \
	{name, offsetof(struct mote_layer, field), MOTE_DIM_##rows, MOTE_DIM_##cols, MOTE_IN_##input, LAYER | (flags), \
	 needs, lacks}
#define VECTOR(name, field, rows, needs, lacks) LAYER_WEIGHT(name, field, rows, ONE, NONE, 0, needs, lacks)

enum {
	LAYER = MOTE_WEIGHT_LAYER,
	ADDS = MOTE_WEIGHT_ADDS,
	VOCABULARY = MOTE_WEIGHT_VOCABULARY,
	UNTIED = MOTE_WEIGHT_UNTIED
};

/* Norms have one name for two places: what a Llama calls post_attention_layernorm is read by the feed-forward part, and
 * where there are norms of what attention adds it is that. */
static const struct mote_weight table[] = {
	MODEL_WEIGHT("model.embed_tokens.weight", embedding, VOCAB, HIDDEN, NONE, VOCABULARY, 0, 0),

	VECTOR("input_layernorm.weight", attention_norm, HIDDEN, 0, MOTE_NO_PRE_NORM),
	VECTOR("input_layernorm.bias", attention_norm_bias, HIDDEN, MOTE_LAYER_NORM, MOTE_NO_PRE_NORM),
	LAYER_WEIGHT("self_attn.q_proj.weight", q, ATTENTION, HIDDEN, QKV, 0, 0, 0),
	LAYER_WEIGHT("self_attn.k_proj.weight", k, KV, HIDDEN, QKV, 0, 0, 0),
	LAYER_WEIGHT("self_attn.v_proj.weight", v, KV, HIDDEN, QKV, 0, 0, 0),
	VECTOR("self_attn.q_proj.bias", q_bias, ATTENTION, MOTE_QKV_BIAS, 0),
	VECTOR("self_attn.k_proj.bias", k_bias, KV, MOTE_QKV_BIAS, 0),
	VECTOR("self_attn.v_proj.bias", v_bias, KV, MOTE_QKV_BIAS, 0),
	VECTOR("self_attn.q_norm.weight", q_norm, HEAD, MOTE_HEAD_NORM, 0),
	VECTOR("self_attn.k_norm.weight", k_norm, HEAD, MOTE_HEAD_NORM, 0),
	VECTOR("self_attn.q_norm.weight", q_norm, ATTENTION, MOTE_WIDE_NORM, 0),
	VECTOR("self_attn.k_norm.weight", k_norm, KV, MOTE_WIDE_NORM, 0),
	LAYER_WEIGHT("self_attn.o_proj.weight", o, HIDDEN, ATTENTION, OUT, ADDS, 0, 0),
	VECTOR("self_attn.o_proj.bias", o_bias, HIDDEN, MOTE_OUT_BIAS, 0),
	VECTOR("post_attention_layernorm.weight", ffn_norm, HIDDEN, 0, MOTE_POST_NORM | MOTE_NO_PRE_NORM),
	VECTOR("post_attention_layernorm.weight", attention_post_norm, HIDDEN, MOTE_POST_NORM, 0),
	VECTOR("post_attention_layernorm.bias", ffn_norm_bias, HIDDEN, MOTE_LAYER_NORM,
	       MOTE_POST_NORM | MOTE_NO_PRE_NORM),
	VECTOR("pre_feedforward_layernorm.weight", ffn_norm, HIDDEN, MOTE_POST_NORM, MOTE_NO_PRE_NORM),
	LAYER_WEIGHT("mlp.gate_proj.weight", gate, FFN, HIDDEN, FFN, 0, 0, 0),
	LAYER_WEIGHT("mlp.up_proj.weight", up, FFN, HIDDEN, FFN, 0, 0, 0),
	VECTOR("mlp.gate_proj.bias", gate_bias, FFN, MOTE_FFN_BIAS, 0),
	VECTOR("mlp.up_proj.bias", up_bias, FFN, MOTE_FFN_BIAS, 0),
	LAYER_WEIGHT("mlp.down_proj.weight", down, HIDDEN, FFN, DOWN, ADDS, 0, 0),
	VECTOR("mlp.down_proj.bias", down_bias, HIDDEN, MOTE_FFN_BIAS, 0),
	VECTOR("post_feedforward_layernorm.weight", ffn_post_norm, HIDDEN, MOTE_POST_NORM, 0),

	MODEL_WEIGHT("model.norm.weight", final_norm, HIDDEN, ONE, NONE, 0, 0, 0),
	MODEL_WEIGHT("model.norm.bias", final_norm_bias, HIDDEN, ONE, NONE, 0, MOTE_LAYER_NORM, 0),
	MODEL_WEIGHT("lm_head.weight", head, VOCAB, HIDDEN, HEAD, VOCABULARY | UNTIED, 0, 0),
};

enum { ROWS = sizeof table / sizeof *table };

const struct mote_weight *const mote_weight_embedding = &table[0], *const mote_weight_head = &table[ROWS - 1];

static bool exists(const struct mote_config *config, const struct mote_weight *w)
{
	return !((w->flags & UNTIED) && config->tied_embeddings) && (config->features & w->needs) == w->needs &&
	       !(config->features & w->lacks);
}

static bool in_layer(uint32_t row)
{
	return row < ROWS && (table[row].flags & LAYER);
}

/* Behind a layer's last row the walk goes back to the first, until there is no further layer. */
static void step(struct mote_weight_walk *w)
{
	w->row++;
	if (!in_layer(w->row) && in_layer(w->row - 1) && w->next_layer + 1 < w->config->layers) {
		w->next_layer++;
		while (in_layer(w->row - 1))
			w->row--;
	}
}

void mote_weight_name(const struct mote_weight *weight, uint32_t layer, char name[MOTE_WEIGHT_NAME_BYTES])
{
	if (weight->flags & LAYER)
		snprintf(name, MOTE_WEIGHT_NAME_BYTES, LAYERS "%u.%s", layer, weight->name);
	else
		snprintf(name, MOTE_WEIGHT_NAME_BYTES, "%s", weight->name);
}

bool mote_weight_next(struct mote_weight_walk *w)
{
	while (w->row < ROWS && !exists(w->config, &table[w->row]))
		step(w);
	if (w->row == ROWS)
		return false;
	w->weight = &table[w->row];
	w->layer = in_layer(w->row) ? w->next_layer : MOTE_NO_LAYER;
	mote_weight_name(w->weight, w->layer, w->name);
	step(w);
	return true;
}

uint32_t mote_weight_count(const struct mote_config *config)
{
	uint32_t layer = 0, own = 0;

	for (uint32_t row = 0; row < ROWS; row++)
		if (exists(config, &table[row]))
			*(in_layer(row) ? &layer : &own) += 1;
	return layer * config->layers + own;
}

/* "model.layers.17.rest" without the layer's part; the name itself when it is none of a layer. */
static const char *behind_layer(const char *name, uint32_t *layer)
{
	const char *at = name + strlen(LAYERS);
	uint32_t n = 0;

	*layer = MOTE_NO_LAYER;
	if (strncmp(name, LAYERS, strlen(LAYERS)) || *at < '0' || *at > '9' || (*at == '0' && at[1] != '.'))
		return name;
	for (; *at >= '0' && *at <= '9' && n < 100000; at++)
		n = n * 10 + (uint32_t)(*at - '0');
	if (*at != '.')
		return name;
	*layer = n;
	return at + 1;
}

const struct mote_weight *mote_weight_find(const char *name, uint32_t *layer)
{
	uint32_t found;
	const char *rest = behind_layer(name, &found);

	if (layer)
		*layer = found;
	for (uint32_t row = 0; row < ROWS; row++)
		if (in_layer(row) == (found != MOTE_NO_LAYER) && !strcmp(table[row].name, rest))
			return &table[row];
	return NULL;
}

const struct mote_weight *mote_weight_of_input(enum mote_input input, const struct mote_weight *after)
{
	for (const struct mote_weight *w = after ? after + 1 : table; w < table + ROWS; w++)
		if (w->input == input && (w->flags & LAYER))
			return w;
	return NULL;
}

uint32_t mote_dim_of(const struct mote_config *c, enum mote_dim dim)
{
	switch (dim) {
	case MOTE_DIM_ONE: return 1;
	case MOTE_DIM_HIDDEN: return c->hidden;
	case MOTE_DIM_ATTENTION: return c->heads * c->head_dim;
	case MOTE_DIM_KV: return c->kv_heads * c->head_dim;
	case MOTE_DIM_HEAD: return c->head_dim;
	case MOTE_DIM_FFN: return c->ffn;
	case MOTE_DIM_VOCAB: return c->vocab;
	}
	return 0;
}

uint32_t mote_input_width(const struct mote_config *config, enum mote_input input)
{
	for (uint32_t row = 0; row < ROWS; row++)
		if (table[row].input == input)
			return mote_dim_of(config, table[row].cols);
	return 0;
}

void mote_layer_configure(const struct mote_config *config, uint32_t index, struct mote_layer *layer)
{
	uint8_t kind = config->layer_kind[index];

	layer->window = kind & MOTE_LAYER_WINDOW ? config->window : 0;
	layer->rotation = kind & MOTE_LAYER_NO_ROPE ? MOTE_ROTATION_NONE :
			  kind & MOTE_LAYER_LOCAL_ROPE ? MOTE_ROTATION_LOCAL : MOTE_ROTATION;
}
