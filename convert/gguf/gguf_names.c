/* Names of tensors: see gguf_names.h. */
#include "convert/gguf/gguf_names.h"

#include <stdio.h>
#include <string.h>

#define QUERY "self_attn.q_proj"
#define KEY "self_attn.k_proj"

/* In a layer, between its number and ".weight" or ".bias"; for families with all the flags of one set and none of the
 * other. */
static const struct name {
	const char *gguf, *hf;
	unsigned with, without; /* enum mote_gguf_family_flag */
} layer[] = {
	{"attn_norm", "input_layernorm", 0, 0},
	{"attn_q", QUERY, 0, MOTE_GGUF_FUSED},
	{"attn_k", KEY, 0, MOTE_GGUF_FUSED},
	{"attn_v", "self_attn.v_proj", 0, MOTE_GGUF_FUSED},
	{"attn_qkv", "self_attn.qkv_proj", MOTE_GGUF_FUSED, 0},
	{"attn_output", "self_attn.o_proj", 0, 0},
	{"attn_q_norm", "self_attn.q_norm", 0, MOTE_GGUF_LAYERNORMS},
	{"attn_k_norm", "self_attn.k_norm", 0, MOTE_GGUF_LAYERNORMS},
	{"attn_q_norm", "self_attn.query_layernorm", MOTE_GGUF_LAYERNORMS, 0},
	{"attn_k_norm", "self_attn.key_layernorm", MOTE_GGUF_LAYERNORMS, 0},
	{"post_attention_norm", "post_attention_layernorm", MOTE_GGUF_POST_NORM, 0},
	{"ffn_norm", "pre_feedforward_layernorm", MOTE_GGUF_POST_NORM, 0},
	{"ffn_norm", "post_attention_layernorm", 0, MOTE_GGUF_POST_NORM},
	{"ffn_gate", "mlp.gate_proj", 0, MOTE_GGUF_FUSED},
	{"ffn_up", "mlp.up_proj", 0, MOTE_GGUF_FUSED},
	{"ffn_up", "mlp.gate_up_proj", MOTE_GGUF_FUSED, 0},
	{"ffn_down", "mlp.down_proj", 0, 0},
	{"post_ffw_norm", "post_feedforward_layernorm", MOTE_GGUF_POST_NORM, 0},
}, outside[] = {
	{"token_embd.weight", "model.embed_tokens.weight", 0, 0},
	{"output_norm.weight", "model.norm.weight", 0, 0},
	{"output_norm.bias", "model.norm.bias", MOTE_GGUF_LAYER_NORM, 0},
	{"output.weight", "lm_head.weight", 0, 0},
};

static bool has(const struct mote_gguf_family *family, const struct name *n)
{
	return (family->flags & n->with) == n->with && !(family->flags & n->without);
}

/* Cuts "PREFIX" number "." middle "." kind; middle's length is returned, 0: the name is none of these. */
static size_t cut_layer(const char *name, const char *prefix, unsigned *number, const char **middle, const char **kind)
{
	const size_t n = strlen(prefix);
	const char *at = name + n;
	unsigned digits = 0;

	*number = 0;
	if (strncmp(name, prefix, n))
		return 0;
	for (; *at >= '0' && *at <= '9' && digits < 5; at++, digits++)
		*number = *number * 10 + (unsigned)(*at - '0');
	if (!digits || *at != '.' || (digits > 1 && name[n] == '0'))
		return 0;
	*middle = at + 1;
	*kind = strrchr(*middle, '.');
	if (!*kind || (strcmp(*kind, ".weight") && strcmp(*kind, ".bias")))
		return 0;
	return (size_t)(*kind - *middle);
}

bool mote_gguf_name_to_hf(const struct mote_gguf_family *family, const char *name, size_t bytes,
			  char out[MOTE_GGUF_NAME_ROOM])
{
	char text[MOTE_GGUF_NAME_ROOM];
	const char *middle, *kind;
	unsigned number;
	size_t n;

	if (bytes >= sizeof text)
		return false;
	memcpy(text, name, bytes);
	text[bytes] = 0;
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
		if (has(family, &outside[i]) && strcmp(text, outside[i].gguf) == 0)
			return snprintf(out, MOTE_GGUF_NAME_ROOM, "%s", outside[i].hf) > 0;
	n = cut_layer(text, "blk.", &number, &middle, &kind);
	for (size_t i = 0; i < sizeof layer / sizeof *layer && n; i++)
		if (has(family, &layer[i]) && strlen(layer[i].gguf) == n && memcmp(middle, layer[i].gguf, n) == 0)
			return snprintf(out, MOTE_GGUF_NAME_ROOM, "model.layers.%u.%s%s", number, layer[i].hf,
					kind) > 0;
	return false;
}

bool mote_gguf_name_from_hf(const struct mote_gguf_family *family, const char *name, char out[MOTE_GGUF_NAME_ROOM])
{
	const char *middle, *kind;
	unsigned number;
	size_t n;

	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
		if (has(family, &outside[i]) && strcmp(name, outside[i].hf) == 0)
			return snprintf(out, MOTE_GGUF_NAME_ROOM, "%s", outside[i].gguf) > 0;
	n = cut_layer(name, "model.layers.", &number, &middle, &kind);
	for (size_t i = 0; i < sizeof layer / sizeof *layer && n; i++)
		if (has(family, &layer[i]) && strlen(layer[i].hf) == n && memcmp(middle, layer[i].hf, n) == 0)
			return snprintf(out, MOTE_GGUF_NAME_ROOM, "blk.%u.%s%s", number, layer[i].gguf, kind) > 0;
	return false;
}

static bool is_of(const char *name, const char *what)
{
	const char *middle, *kind;
	unsigned number;
	size_t n = cut_layer(name, "model.layers.", &number, &middle, &kind);

	return n == strlen(what) && memcmp(middle, what, n) == 0;
}

bool mote_gguf_name_is_query(const char *name)
{
	return is_of(name, QUERY);
}

bool mote_gguf_name_is_key(const char *name)
{
	return is_of(name, KEY);
}
