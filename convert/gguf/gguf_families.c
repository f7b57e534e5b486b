/* The table of architectures: see gguf_families.h. */
#include "convert/gguf/gguf_families.h"

#include <stdio.h>
#include <string.h>

#include "convert/fused_weights.h"
#include "runtime/model/config.h"

#define ALL_BIASES (MOTE_QKV_BIAS | MOTE_OUT_BIAS | MOTE_FFN_BIAS)

/* Of several classes under one name the first is what a file without a window is read as. */
static const struct mote_gguf_family families[] = {
	{"llama", "LlamaForCausalLM", "llama", MOTE_GGUF_PERMUTED | MOTE_GGUF_FACTORS, ALL_BIASES, 0},
	{"llama", "MistralForCausalLM", "mistral",
	 MOTE_GGUF_PERMUTED | MOTE_GGUF_FACTORS | MOTE_GGUF_WINDOW | MOTE_GGUF_WINDOW_IGNORED, 0, 0},
	{"llama", "MinistralForCausalLM", "ministral",
	 MOTE_GGUF_PERMUTED | MOTE_GGUF_FACTORS | MOTE_GGUF_WINDOW | MOTE_GGUF_WINDOW_IGNORED, 0, 0},
	{"qwen2", "Qwen2ForCausalLM", "qwen2", 0, MOTE_QKV_BIAS, 0},
	{"qwen3", "Qwen3ForCausalLM", "qwen3", 0, 0, 0},
	{"smollm3", "SmolLM3ForCausalLM", "smollm3", MOTE_GGUF_PERMUTED, 0, 0},
	{"phi3", "Phi3ForCausalLM", "phi3",
	 MOTE_GGUF_FUSED | MOTE_GGUF_PARTIAL | MOTE_GGUF_WINDOW | MOTE_GGUF_WINDOW_IGNORED | MOTE_GGUF_FACTORS, 0, 0},
	{"granite", "GraniteForCausalLM", "granite",
	 MOTE_GGUF_PERMUTED | MOTE_GGUF_FACTORS | MOTE_GGUF_MULTIPLIERS | MOTE_GGUF_ATTENTION_SCALE, ALL_BIASES, 0},
	{"minicpm", "MiniCPMForCausalLM", "minicpm",
	 MOTE_GGUF_PERMUTED | MOTE_GGUF_FACTORS | MOTE_GGUF_MULTIPLIERS, ALL_BIASES, 0},
	{"olmo2", "Olmo2ForCausalLM", "olmo2", MOTE_GGUF_POST_NORM, 0, 0},
	{"exaone4", "Exaone4ForCausalLM", "exaone4", MOTE_GGUF_POST_NORM | MOTE_GGUF_WINDOW_OF_64, 0, 0},
	{"hunyuan-dense", "HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense", MOTE_GGUF_LAYERNORMS, 0, 0},
	{"stablelm", "StableLmForCausalLM", "stablelm", MOTE_GGUF_LAYER_NORM | MOTE_GGUF_PARTIAL, MOTE_QKV_BIAS, 0},
	{"gemma", "GemmaForCausalLM", "gemma", 0, 0, 0},
	{"gemma2", "Gemma2ForCausalLM", "gemma2", MOTE_GGUF_POST_NORM | MOTE_GGUF_WINDOW | MOTE_GGUF_CAPS, 0, 46},
	{"gemma3", "Gemma3ForCausalLM", "gemma3_text",
	 MOTE_GGUF_POST_NORM | MOTE_GGUF_WINDOW | MOTE_GGUF_LOCAL_ROPE, 0, 62},
};

enum { FAMILIES = sizeof families / sizeof *families };

const struct mote_gguf_family *mote_gguf_family_of(const char *model_type)
{
	for (size_t i = 0; i < FAMILIES; i++)
		if (strcmp(model_type, families[i].model_type) == 0)
			return &families[i];
	return NULL;
}

unsigned mote_gguf_family_stored(const struct mote_gguf_family *family)
{
	return (family->flags & MOTE_GGUF_FUSED ? MOTE_STORED_FUSED : 0u) |
	       (family->flags & MOTE_GGUF_LAYERNORMS ? MOTE_STORED_LAYERNORMS : 0u);
}

enum mote_status mote_gguf_family_read(const struct mote_gguf *g, const struct mote_gguf_family **out,
				       struct mote_error *error)
{
	struct mote_gguf_text name;
	enum mote_status status = mote_gguf_want_text(g, "general.architecture", &name, error);
	uint32_t window = 0;
	char key[96];

	*out = NULL;
	if (status)
		return status;
	if (!name.text)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: key \"general.architecture\" is missing",
				      g->name);
	for (size_t i = FAMILIES; i-- > 0;)
		if (strlen(families[i].name) == name.bytes && memcmp(name.text, families[i].name, name.bytes) == 0)
			*out = &families[i];
	if (!*out)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: architecture \"%.*s\" is not supported",
				      g->name, (int)name.bytes, name.text);
	snprintf(key, sizeof key, "%s.attention.sliding_window", (*out)->name);
	status = mote_gguf_want_u32(g, key, 0, &window, error);
	if (!status && window && *out + 1 < families + FAMILIES && strcmp((*out)[1].name, (*out)->name) == 0)
		++*out;
	return status;
}
