/* The families of checkpoints, a row each: what transformers' class of that name computes beyond a Llama, and its
 * defaults. Internal to convert/hf.
 */
#ifndef MOTE_CONVERT_HF_FAMILIES_H
#define MOTE_CONVERT_HF_FAMILIES_H

#include "convert/hf/hf_config.h"

#define MOTE_HF_WHERE "config.json"

/* What a family's own reader, or its row, takes care of; other families refuse the keys. */
enum mote_hf_takes {
	MOTE_HF_BIASES = 1,        /* attention_bias, mlp_bias */
	MOTE_HF_WINDOW = 2,        /* use_sliding_window, layer_types */
	MOTE_HF_NO_ROPE = 4,       /* no_rope_layers */
	MOTE_HF_CAPS = 8,          /* attn_logit_softcapping, final_logit_softcapping */
	MOTE_HF_MULTIPLIERS = 16,  /* Granite's four */
	MOTE_HF_PARTIAL = 32,      /* partial_rotary_factor */
	MOTE_HF_HYBRID = 64,       /* num_local_experts, and kinds of its own in layer_types */
	MOTE_HF_QK_NORM = 128,     /* use_qk_norm */
	MOTE_HF_ALPHA = 256        /* "alpha" of dynamic RoPE */
};

struct mote_hf_family {
	const char *architecture, *model_type;
	const char *as;            /* the class that computes the same from the same weights; NULL: this one alone */
	unsigned takes, features;  /* enum mote_hf_takes, enum mote_feature */
	bool norm_plus_one, gemma, tied;
	bool neighbours;           /* see struct mote_hf_config */
	bool local_unscaled;       /* layers with a RoPE of their own have the others' theta */
	unsigned stored;           /* likewise */
	/* Defaults of absent keys; 0: none, none, as many as heads, hidden / heads, 10000, 1e-6. */
	uint32_t heads, vocab, kv_heads, head_dim, positions;
	double theta, eps, partial;
	const char *eps_key;       /* NULL: "rms_norm_eps" */
	/* The rest, after shape and before RoPE; NULL: nothing. */
	enum mote_status (*read)(const cJSON *config, struct mote_hf_config *c, struct mote_error *error);
};

/* The row of the config's architecture. MOTE_ERROR_CORRUPT: none is named. MOTE_ERROR_UNSUPPORTED, with a reason where
 * there is one. */
enum mote_status mote_hf_family_find(const cJSON *config, const struct mote_hf_family **out, struct mote_error *error);

/* The config of the model of text in one that sees images too, where that computes without images what it would alone;
 * else the config itself. */
const cJSON *mote_hf_family_text(const cJSON *config);

/* hf_rope.c: keys rope_theta, rope_scaling and rope_parameters, after shape and rotary_dim. */
enum mote_status mote_hf_rope_read(const cJSON *config, const struct mote_hf_family *family, struct mote_config *c,
				   struct mote_error *error);

/* Absent, null, or of no effect: false, 0, an empty list or object; with `one`, the number 1. */
bool mote_hf_is_neutral(const cJSON *item, bool one);

#endif
