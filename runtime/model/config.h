/* What a model is: its shape, its positions, its token ids, as the container's metadata say them. A Llama is the
 * plain case; what other families do differently is a value here that is zero for a Llama.
 */
#ifndef MOTE_RUNTIME_CONFIG_H
#define MOTE_RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/status.h"

#define MOTE_MAX_EOS 8
#define MOTE_MAX_LAYERS 1024
#define MOTE_MAX_HEADS 1024
#define MOTE_MAX_HEAD_DIM 1024
#define MOTE_MAX_POSITIONS (1u << 26)

struct cJSON; /* <cjson/cJSON.h> */

enum mote_rope_kind {
	MOTE_ROPE_DEFAULT,
	MOTE_ROPE_LINEAR,
	MOTE_ROPE_LLAMA3,
	MOTE_ROPE_YARN,
	MOTE_ROPE_DYNAMIC,   /* the frequencies follow from how long a context a session was opened for */
	MOTE_ROPE_LONGROPE   /* likewise: short_factor up to the original positions, long_factor beyond */
};

enum mote_feature {
	MOTE_QKV_BIAS = 1,
	MOTE_OUT_BIAS = 2,       /* of o */
	MOTE_FFN_BIAS = 4,       /* of gate, up and down */
	MOTE_HEAD_NORM = 8,      /* RMSNorm of each head of q and k, before RoPE */
	MOTE_WIDE_NORM = 16,     /* RMSNorm of all of q and all of k, before RoPE */
	MOTE_POST_NORM = 32,     /* norms of what attention and the feed-forward part give, before it is added */
	MOTE_NO_PRE_NORM = 64,   /* none of what they read */
	MOTE_LAYER_NORM = 128,   /* LayerNorm with a bias instead of RMSNorm */
	MOTE_NORM_AFTER_ROPE = 512, /* the norms of heads come after RoPE */
	MOTE_GELU = 256          /* gelu (tanh) in the feed-forward part instead of silu */
};

enum mote_layer_kind {
	MOTE_LAYER_WINDOW = 1,     /* attends to the last `window` positions only */
	MOTE_LAYER_LOCAL_ROPE = 2, /* RoPE with rope_local_theta, unscaled */
	MOTE_LAYER_NO_ROPE = 4
};

/* Metadata key "model" in the container, see docs/container-format.md. */
struct mote_config {
	uint32_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab, max_positions;
	double norm_eps;
	bool tied_embeddings;   /* the output head is the embedding matrix */
	enum mote_rope_kind rope_kind;
	double rope_theta, rope_factor, rope_low_freq_factor, rope_high_freq_factor;
	uint32_t rope_original_positions;
	double rope_attention_factor;              /* yarn, longrope: multiplies sines and cosines; 0 stands for 1 */
	double rope_beta_fast, rope_beta_slow;     /* yarn */
	bool rope_no_truncate;                     /* yarn: its range of dimensions is not rounded to whole ones */
	double rope_short_factor[MOTE_MAX_HEAD_DIM / 2], rope_long_factor[MOTE_MAX_HEAD_DIM / 2]; /* longrope */
	int32_t bos;            /* -1: none */
	int32_t eos[MOTE_MAX_EOS];
	uint32_t n_eos;

	/* What differs from a Llama. */
	unsigned features;          /* enum mote_feature */
	uint32_t rotary_dim;        /* a head's dimensions that RoPE rotates, the first ones; 0: all */
	uint32_t window;            /* of layers with MOTE_LAYER_WINDOW: positions seen, the row's own included */
	double rope_local_theta;
	double embedding_scale, residual_scale, logits_scale; /* 0 stands for 1 */
	double attention_scale;     /* 0 stands for 1 / sqrt(head_dim) */
	/* A query at position p is multiplied by 1 + attention_growth * log(1 + floor(p / rope_original_positions)). */
	double attention_growth;
	double attention_cap, logits_cap; /* cap * tanh(x / cap); 0: none */
	uint8_t layer_kind[MOTE_MAX_LAYERS]; /* enum mote_layer_kind */
};

/* Reads keys "architecture", "model" and "tokens" of a container's metadata. MOTE_ERROR_CORRUPT: a key is missing, of
 * the wrong type or out of range, or shapes contradict each other; MOTE_ERROR_UNSUPPORTED: an architecture, RoPE kind
 * or key of "model" that must be understood, or a file without weights (made with --vocab-only). */
enum mote_status mote_config_read(const struct cJSON *metadata, struct mote_config *out, struct mote_error *error);

/* Adds keys "architecture" and "model", which read() understands; and so do older programs, if it is a Llama.
 * False: out of memory. */
bool mote_config_write(const struct mote_config *config, struct cJSON *metadata);

#endif
