/* config.json and generation_config.json of a Hugging Face checkpoint, in their spellings by age:
 * rope_theta + rope_scaling + torch_dtype, then dtype, then rope_parameters.
 *
 * Families are a table (hf_families.c). A key that changes the mathematics in a way which mote does not compute for
 * that family is refused by name; every other unknown key is tolerated. An absent key has the default of
 * transformers' class for the architecture.
 */
#ifndef MOTE_CONVERT_HF_CONFIG_H
#define MOTE_CONVERT_HF_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "format/json.h"
#include "format/status.h"
#include "runtime/model/config.h"

#define MOTE_HF_MAX_EOS 8

struct mote_hf_config {
	const char *architecture;  /* "LlamaForCausalLM", ...: the class that computes what this one does; static */
	struct mote_config model;  /* but for token ids */
	bool norm_plus_one;        /* norms multiply by 1 + weight */
	unsigned stored;           /* enum mote_stored (fused_weights.h): what the checkpoint stores otherwise */
	bool neighbours;           /* RoPE turns neighbours: rows of q and k lie as in GGUF files, see weight_rows.c */
	bool sees_images;          /* the checkpoint holds what sees images too, which is left out */
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
