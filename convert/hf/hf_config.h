/* config.json and generation_config.json of a Hugging Face checkpoint, in their spellings by age:
 * rope_theta + rope_scaling + torch_dtype, then dtype, then rope_parameters.
 *
 * A key that changes the mathematics in a way which mote does not compute is refused by name; every other
 * unknown key is tolerated. An absent key has the default of transformers' class for the architecture.
 */
#ifndef MOTE_CONVERT_HF_CONFIG_H
#define MOTE_CONVERT_HF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/json.h"
#include "format/status.h"

#define MOTE_HF_MAX_EOS 8

struct mote_hf_rope {
	const char *type;          /* "default", "linear", "llama3"; static */
	double theta;
	double factor;             /* linear, llama3 */
	double low_freq_factor, high_freq_factor; /* llama3 */
	uint32_t original_max_position_embeddings; /* llama3 */
};

struct mote_hf_config {
	const char *architecture;  /* "LlamaForCausalLM" or "MistralForCausalLM"; static. The same mathematics here. */
	uint32_t hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
	uint32_t intermediate_size, vocab_size, max_position_embeddings;
	double rms_norm_eps;
	bool tie_word_embeddings;
	struct mote_hf_rope rope;
};

/* MOTE_ERROR_CORRUPT: a key is missing or makes no sense; MOTE_ERROR_UNSUPPORTED: architecture, RoPE kind,
 * quantization or another feature, by name. */
enum mote_status mote_hf_config_read(const cJSON *config, struct mote_hf_config *out, struct mote_error *error);

struct mote_hf_token_ids {
	int32_t bos, pad;          /* -1: none given */
	int32_t eos[MOTE_HF_MAX_EOS];
	uint32_t n_eos;            /* 0: none given */
};

/* The ids that the two files give; either may be NULL. generation_config.json wins, key by key. Each may be a
 * number or a list; null and -1 (which old files use for "none") count as not given.
 * MOTE_ERROR_CORRUPT: not an id. MOTE_ERROR_UNSUPPORTED: more than MOTE_HF_MAX_EOS eos ids. */
enum mote_status mote_hf_token_ids_read(const cJSON *config, const cJSON *generation,
					struct mote_hf_token_ids *out, struct mote_error *error);

#endif
