/* What families read of config.json beyond shape and RoPE: "read" of struct mote_hf_family. Internal to convert/hf.
 */
#ifndef MOTE_CONVERT_HF_FAMILY_READERS_H
#define MOTE_CONVERT_HF_FAMILY_READERS_H

#include "convert/hf/hf_families.h"

typedef enum mote_status mote_hf_family_reader(const cJSON *config, struct mote_hf_config *c, struct mote_error *error);

mote_hf_family_reader mote_hf_read_llama, mote_hf_read_mistral, mote_hf_read_ministral3, mote_hf_read_qwen,
		      mote_hf_read_smollm3, mote_hf_read_granite, mote_hf_read_granite_hybrid, mote_hf_read_gemma,
		      mote_hf_read_gemma2, mote_hf_read_gemma3, mote_hf_read_phi3, mote_hf_read_stablelm,
		      mote_hf_read_minicpm, mote_hf_read_exaone4, mote_hf_read_olmo3;

#endif
