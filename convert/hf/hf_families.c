/* The table of families: see hf_families.h. */
#include "convert/hf/hf_families.h"

#include <stdio.h>
#include <string.h>

#include "convert/fused_weights.h"
#include "convert/hf/hf_family_readers.h"

static const struct mote_hf_family families[] = {
	{ .architecture = "LlamaForCausalLM", .model_type = "llama", .takes = MOTE_HF_BIASES, .positions = 2048,
	  .read = mote_hf_read_llama },
	{ .architecture = "MistralForCausalLM", .model_type = "mistral", .takes = MOTE_HF_WINDOW, .kv_heads = 8,
	  .positions = 131072, .read = mote_hf_read_mistral },
	{ .architecture = "MinistralForCausalLM", .model_type = "ministral", .takes = MOTE_HF_WINDOW, .kv_heads = 8,
	  .positions = 131072, .read = mote_hf_read_mistral },
	{ .architecture = "Ministral3ForCausalLM", .model_type = "ministral3", .takes = MOTE_HF_WINDOW, .kv_heads = 8,
	  .head_dim = 128, .positions = 262144, .theta = 1000000, .eps = 1e-5, .read = mote_hf_read_ministral3 },
	{ .architecture = "Qwen2ForCausalLM", .model_type = "qwen2", .takes = MOTE_HF_WINDOW, .features = MOTE_QKV_BIAS,
	  .kv_heads = 32, .positions = 32768, .read = mote_hf_read_qwen },
	{ .architecture = "Qwen3ForCausalLM", .model_type = "qwen3", .takes = MOTE_HF_WINDOW | MOTE_HF_BIASES,
	  .features = MOTE_HEAD_NORM, .kv_heads = 32, .head_dim = 128, .positions = 32768, .read = mote_hf_read_qwen },
	{ .architecture = "SmolLM3ForCausalLM", .model_type = "smollm3", .tied = true,
	  .takes = MOTE_HF_WINDOW | MOTE_HF_NO_ROPE | MOTE_HF_BIASES, .kv_heads = 4, .positions = 32768,
	  .theta = 2000000, .read = mote_hf_read_smollm3 },
	{ .architecture = "Phi3ForCausalLM", .model_type = "phi3", .takes = MOTE_HF_WINDOW | MOTE_HF_PARTIAL,
	  .stored = MOTE_STORED_FUSED, .positions = 4096, .eps = 1e-5, .partial = 1, .read = mote_hf_read_phi3 },
	{ .architecture = "GraniteForCausalLM", .model_type = "granite", .takes = MOTE_HF_MULTIPLIERS | MOTE_HF_BIASES,
	  .positions = 2048, .read = mote_hf_read_granite },
	{ .architecture = "GraniteMoeHybridForCausalLM", .model_type = "granitemoehybrid", .as = "GraniteForCausalLM",
	  .takes = MOTE_HF_MULTIPLIERS | MOTE_HF_BIASES | MOTE_HF_HYBRID, .stored = MOTE_STORED_SHARED_MLP,
	  .positions = 2048, .read = mote_hf_read_granite_hybrid },
	{ .architecture = "GemmaForCausalLM", .model_type = "gemma", .features = MOTE_GELU, .norm_plus_one = true,
	  .gemma = true, .tied = true, .kv_heads = 16, .head_dim = 256, .positions = 8192, .read = mote_hf_read_gemma },
	{ .architecture = "Gemma2ForCausalLM", .model_type = "gemma2",
	  .takes = MOTE_HF_WINDOW | MOTE_HF_CAPS | MOTE_HF_BIASES, .features = MOTE_GELU | MOTE_POST_NORM,
	  .norm_plus_one = true, .gemma = true, .tied = true, .kv_heads = 4, .head_dim = 256, .positions = 8192,
	  .read = mote_hf_read_gemma2 },
	{ .architecture = "Gemma3ForCausalLM", .model_type = "gemma3_text",
	  .takes = MOTE_HF_WINDOW | MOTE_HF_CAPS | MOTE_HF_BIASES,
	  .features = MOTE_GELU | MOTE_POST_NORM | MOTE_HEAD_NORM, .norm_plus_one = true, .gemma = true, .tied = true,
	  .heads = 8, .vocab = 262208, .kv_heads = 4, .head_dim = 256, .positions = 131072, .theta = 1000000,
	  .read = mote_hf_read_gemma3 },
	{ .architecture = "Olmo2ForCausalLM", .model_type = "olmo2", .takes = MOTE_HF_BIASES, .positions = 2048,
	  .eps = 1e-5, .features = MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_WIDE_NORM, .read = mote_hf_read_llama },
	{ .architecture = "Olmo3ForCausalLM", .model_type = "olmo3", .takes = MOTE_HF_WINDOW | MOTE_HF_BIASES,
	  .positions = 2048, .eps = 1e-5, .features = MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_WIDE_NORM,
	  .local_unscaled = true, .read = mote_hf_read_olmo3 },
	{ .architecture = "StableLmForCausalLM", .model_type = "stablelm", .takes = MOTE_HF_PARTIAL,
	  .features = MOTE_LAYER_NORM, .kv_heads = 32, .positions = 4096, .eps = 1e-5, .eps_key = "layer_norm_eps",
	  .partial = 0.25, .read = mote_hf_read_stablelm },
	{ .architecture = "Exaone4ForCausalLM", .model_type = "exaone4", .takes = MOTE_HF_WINDOW,
	  .features = MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_HEAD_NORM, .kv_heads = 32, .positions = 2048,
	  .eps = 1e-5, .read = mote_hf_read_exaone4 },
	{ .architecture = "Ernie4_5ForCausalLM", .model_type = "ernie4_5", .as = "LlamaForCausalLM", .neighbours = true,
	  .tied = true, .kv_heads = 2, .head_dim = 128, .positions = 131072, .theta = 500000, .eps = 1e-5 },
	{ .architecture = "HeliumForCausalLM", .model_type = "helium", .as = "LlamaForCausalLM", .neighbours = true,
	  .kv_heads = 20, .head_dim = 128, .positions = 4096, .theta = 100000, .eps = 1e-8 },
	{ .architecture = "HunYuanDenseV1ForCausalLM", .model_type = "hunyuan_v1_dense",
	  .takes = MOTE_HF_BIASES | MOTE_HF_QK_NORM | MOTE_HF_ALPHA, .features = MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE,
	  .stored = MOTE_STORED_LAYERNORMS, .positions = 2048, .eps = 1e-5, .read = mote_hf_read_llama },
	{ .architecture = "MiniCPMForCausalLM", .model_type = "minicpm", .takes = MOTE_HF_BIASES, .tied = true,
	  .positions = 2048, .read = mote_hf_read_minicpm },
};

/* What these would need and mote does not compute; others are refused without a reason. */
static const struct {
	const char *name, *reason;
} foreign[] = {
	{"Gemma3ForConditionalGeneration", "its \"text_config\" is no object"},
	{"Mistral3ForConditionalGeneration", "its \"text_config\" is no object"},
	{"MixtralForCausalLM", "it is a mixture of experts"},
	{"Qwen2MoeForCausalLM", "it is a mixture of experts"},
	{"Qwen3MoeForCausalLM", "it is a mixture of experts"},
	{"GraniteMoeForCausalLM", "it is a mixture of experts"},
	{"OlmoeForCausalLM", "it is a mixture of experts"},
	{"PhimoeForCausalLM", "it is a mixture of experts"},
	{"DeepseekV3ForCausalLM", "it is a mixture of experts with latent attention"},
	{"GptOssForCausalLM", "it is a mixture of experts"},
	{"MiniCPM3ForCausalLM", "it has latent attention"},
	{"PhiForCausalLM", "attention and feed-forward part run side by side"},
	{"GPT2LMHeadModel", "it has learned positions and LayerNorm"},
};

static enum mote_status refuse(const char *name, const char *model_type, struct mote_error *error)
{
	char known[512];
	size_t used = 0;

	for (size_t i = 0; name && i < sizeof foreign / sizeof *foreign; i++)
		if (strcmp(name, foreign[i].name) == 0)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      MOTE_HF_WHERE ": architecture %s is not supported: %s", name,
					      foreign[i].reason);
	for (size_t i = 0; i < sizeof families / sizeof *families && used < sizeof known; i++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
					 families[i].model_type);
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
			      MOTE_HF_WHERE ": architecture %s (model_type \"%s\") is not supported; those of "
			      "model_type %s are", name ? name : "not named", model_type ? model_type : "", known);
}

const cJSON *mote_hf_family_text(const cJSON *config)
{
	static const char *const names[] = {"Gemma3ForConditionalGeneration", "gemma3",
					    "Mistral3ForConditionalGeneration", "mistral3"};
	const cJSON *list = mote_json_get(config, "architectures"), *text = mote_json_get(config, "text_config");
	const cJSON *name = cJSON_IsArray(list) ? list->child : mote_json_get(config, "model_type");

	for (size_t i = 0; i < sizeof names / sizeof *names && cJSON_IsObject(text) && cJSON_IsString(name); i++)
		if (strcmp(name->valuestring, names[i]) == 0)
			return text;
	return config;
}

enum mote_status mote_hf_family_find(const cJSON *config, const struct mote_hf_family **out, struct mote_error *error)
{
	const cJSON *list = mote_json_get(config, "architectures");
	const char *model_type, *name = NULL;
	enum mote_status status;

	status = mote_json_want_string(config, "model_type", NULL, MOTE_HF_WHERE, &model_type, error);
	if (status)
		return status;
	if (list && !cJSON_IsNull(list)) {
		if (!cJSON_IsArray(list) || !list->child || list->child->next || !cJSON_IsString(list->child))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      MOTE_HF_WHERE ": \"architectures\" is no list of one name");
		name = list->child->valuestring;
	} else if (!model_type) {
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      MOTE_HF_WHERE ": neither \"architectures\" nor \"model_type\" is there");
	}
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		const struct mote_hf_family *f = &families[i];

		if ((!name || !strcmp(name, f->architecture)) && (!model_type || !strcmp(model_type, f->model_type))) {
			*out = f;
			return MOTE_OK;
		}
	}
	return refuse(name, model_type, error);
}
