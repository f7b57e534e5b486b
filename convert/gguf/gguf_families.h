/* The architectures of GGUF files, a row each: what llama.cpp calls them, and how it stores what they have.
 */
#ifndef MOTE_CONVERT_GGUF_FAMILIES_H
#define MOTE_CONVERT_GGUF_FAMILIES_H

#include "convert/gguf/gguf_read.h"

enum mote_gguf_family_flag {
	MOTE_GGUF_PERMUTED = 1,     /* rows of q and k, see weight_rows.c */
	MOTE_GGUF_FUSED = 2,        /* q, k and v are one matrix, gate and up another */
	MOTE_GGUF_POST_NORM = 4,    /* "post_attention_norm" and "post_ffw_norm" */
	MOTE_GGUF_LAYER_NORM = 8,   /* LayerNorm: its epsilon's key */
	MOTE_GGUF_PARTIAL = 16,     /* RoPE of a part of each head */
	MOTE_GGUF_WINDOW = 32,      /* "attention.sliding_window",
				     * of all layers unless the architecture has a pattern */
	MOTE_GGUF_WINDOW_IGNORED = 64, /* llama.cpp reads that key and computes without it */
	MOTE_GGUF_MULTIPLIERS = 128, /* "embedding_scale", "residual_scale" and "logit_scale" */
	MOTE_GGUF_ATTENTION_SCALE = 256, /* "attention.scale" */
	MOTE_GGUF_CAPS = 512,       /* "attn_logit_softcapping" and "final_logit_softcapping" */
	MOTE_GGUF_LOCAL_ROPE = 1024, /* "rope.freq_base_swa" */
	MOTE_GGUF_FACTORS = 2048,   /* longrope's two tables, as tensors */
	MOTE_GGUF_WINDOW_OF_64 = 4096, /* EXAONE 4: a model of 64 layers has windows, others have none */
	MOTE_GGUF_LAYERNORMS = 8192 /* norms of q and k are called otherwise in the checkpoint */
};

struct mote_gguf_family {
	const char *name;              /* of "general.architecture" */
	const char *architecture, *model_type; /* of config.json */
	unsigned flags;
	unsigned biases;               /* enum mote_feature: those that llama.cpp loads */
	uint32_t wide_layers;          /* Gemma: a model of so many layers has queries scaled by hidden / heads,
					* not by head_dim */
};

/* MOTE_ERROR_CORRUPT: no architecture; MOTE_ERROR_UNSUPPORTED: one that is not known, by name. */
enum mote_status mote_gguf_family_read(const struct mote_gguf *g, const struct mote_gguf_family **out,
				       struct mote_error *error);
const struct mote_gguf_family *mote_gguf_family_of(const char *model_type); /* or NULL */
unsigned mote_gguf_family_stored(const struct mote_gguf_family *family); /* enum mote_stored, of its checkpoints */

#endif
