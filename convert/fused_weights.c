/* Weights that are stored otherwise elsewhere: see fused_weights.h. */
#include "convert/fused_weights.h"

#include <stdio.h>
#include <string.h>

#define QKV "self_attn.qkv_proj.weight"
#define GATE_UP "mlp.gate_up_proj.weight"
#define INPUT "shared_mlp.input_linear.weight"

static const struct mote_stored_weight table[] = {
	{MOTE_STORED_FUSED, "self_attn.q_proj.weight", QKV, 0, 3, MOTE_DIM_ATTENTION},
	{MOTE_STORED_FUSED, "self_attn.k_proj.weight", QKV, 1, 3, MOTE_DIM_KV},
	{MOTE_STORED_FUSED, "self_attn.v_proj.weight", QKV, 2, 3, MOTE_DIM_KV},
	{MOTE_STORED_FUSED, "mlp.gate_proj.weight", GATE_UP, 0, 2, MOTE_DIM_FFN},
	{MOTE_STORED_FUSED, "mlp.up_proj.weight", GATE_UP, 1, 2, MOTE_DIM_FFN},
	{MOTE_STORED_SHARED_MLP, "mlp.gate_proj.weight", INPUT, 0, 2, MOTE_DIM_FFN},
	{MOTE_STORED_SHARED_MLP, "mlp.up_proj.weight", INPUT, 1, 2, MOTE_DIM_FFN},
	{MOTE_STORED_SHARED_MLP, "mlp.down_proj.weight", "shared_mlp.output_linear.weight", 0, 1, MOTE_DIM_HIDDEN},
	{MOTE_STORED_LAYERNORMS, "self_attn.q_norm.weight", "self_attn.query_layernorm.weight", 0, 1, MOTE_DIM_HEAD},
	{MOTE_STORED_LAYERNORMS, "self_attn.k_norm.weight", "self_attn.key_layernorm.weight", 0, 1, MOTE_DIM_HEAD},
};

const struct mote_stored_weight *mote_stored_weight_find(const char *name, unsigned stored)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if ((table[i].stored & stored) && strcmp(name, table[i].name) == 0)
			return &table[i];
	return NULL;
}

/* The name behind "model.layers.N."; "": none of a layer's. */
static const char *in_layer(const char *name)
{
	static const char layers[] = "model.layers.";
	const char *at = strncmp(name, layers, strlen(layers)) ? NULL : strchr(name + strlen(layers), '.');

	return at ? at + 1 : "";
}

enum mote_status mote_fused_weights_find(const struct mote_container *c, const struct mote_tensor *t, unsigned stored,
					 struct mote_fused_weights *out, struct mote_error *error)
{
	const char *own = in_layer(t->name);
	const struct mote_stored_weight *f = mote_stored_weight_find(own, stored);
	const int layer = (int)(own - t->name);

	*out = (struct mote_fused_weights){.part = {t}, .parts = 1, .rows = t->rows};
	snprintf(out->name, sizeof out->name, "%s", t->name);
	if (!f)
		return MOTE_OK;
	if (f->place) {
		out->parts = 0;
		return MOTE_OK;
	}
	for (uint32_t i = 1; i < f->parts; i++) {
		snprintf(out->name, sizeof out->name, "%.*s%s", layer, t->name, f[i].name);
		out->part[i] = mote_container_find(c, out->name);
		if (!out->part[i] || out->part[i]->rank != 2 || out->part[i]->cols != t->cols)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      "tensor \"%s\" is missing, or not as wide as \"%s\"", out->name, t->name);
		out->rows += out->part[i]->rows;
	}
	out->parts = f->parts;
	snprintf(out->name, sizeof out->name, "%.*s%s", layer, t->name, f->in);
	return MOTE_OK;
}
