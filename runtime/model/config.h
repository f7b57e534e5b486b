/* What a model is: its shape, its positions, its token ids, as the container's metadata say them.
 */
#ifndef MOTE_RUNTIME_CONFIG_H
#define MOTE_RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/status.h"

#define MOTE_MAX_EOS 8

struct cJSON; /* <cjson/cJSON.h> */

enum mote_rope_kind { MOTE_ROPE_DEFAULT, MOTE_ROPE_LINEAR, MOTE_ROPE_LLAMA3 };

/* Metadata key "model" in the container, see docs/container-format.md. */
struct mote_config {
	uint32_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab, max_positions;
	float norm_eps;
	bool tied_embeddings;   /* the output head is the embedding matrix */
	enum mote_rope_kind rope_kind;
	double rope_theta, rope_factor, rope_low_freq_factor, rope_high_freq_factor;
	uint32_t rope_original_positions;
	int32_t bos;            /* -1: none */
	int32_t eos[MOTE_MAX_EOS];
	uint32_t n_eos;
};

/* Reads keys "model" and "tokens" of a container's metadata. MOTE_ERROR_CORRUPT: a key is missing, of the wrong
 * type or out of range, or shapes contradict each other; MOTE_ERROR_UNSUPPORTED: an architecture or RoPE kind,
 * or a file without weights (made with --vocab-only). */
enum mote_status mote_config_read(const struct cJSON *metadata, struct mote_config *out, struct mote_error *error);

#endif
