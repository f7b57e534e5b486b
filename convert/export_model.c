/* Models before an export: see export_model.h. */
#include "convert/export_model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/model/config_keys.h"

#define BIASES (MOTE_QKV_BIAS | MOTE_OUT_BIAS | MOTE_FFN_BIAS)
#define SCALES (MOTE_EXPORT_EMBEDDING_SCALE | MOTE_EXPORT_RESIDUAL_SCALE | MOTE_EXPORT_LOGITS_SCALE)

static const char *const take_keys[] = { "sliding_window", "local_rope_layers", "no_rope_layers", "rotary_dim",
					 "embedding_scale", "residual_scale", "attention_scale", "logits_scale",
					 "attention_softcap", "logits_softcap", "attention_growth" };

/* One key, attention_bias, says both. */
static const char *biases_differ(const struct mote_config *c)
{
	return !(c->features & MOTE_QKV_BIAS) == !(c->features & MOTE_OUT_BIAS) ? NULL :
	       c->features & MOTE_QKV_BIAS ? "qkv_bias" : "out_bias";
}

static const char *mistral_differs(const struct mote_config *c)
{
	for (uint32_t i = 0; i < c->layers && c->window; i++)
		if (!(c->layer_kind[i] & MOTE_LAYER_WINDOW))
			return "window_layers";
	return NULL;
}

static const char *gemma_differs(const struct mote_config *c)
{
	return c->embedding_scale == sqrt((double)c->hidden) ? NULL : "embedding_scale";
}

/* Which layers have a RoPE of their own is said by which have a window. */
static const char *local_rope_differs(const struct mote_config *c)
{
	for (uint32_t i = 0; i < c->layers && c->window; i++)
		if (!(c->layer_kind[i] & MOTE_LAYER_WINDOW) != !(c->layer_kind[i] & MOTE_LAYER_LOCAL_ROPE))
			return "window_layers";
	return NULL;
}

static const char *gemma3_differs(const struct mote_config *c)
{
	return local_rope_differs(c) ? local_rope_differs(c) : gemma_differs(c);
}

static const char *olmo3_differs(const struct mote_config *c)
{
	if (c->rope_local_theta != c->rope_theta)
		return "rope_local_theta";
	return local_rope_differs(c) ? local_rope_differs(c) : biases_differ(c);
}

/* Which layers have RoPE is said by which have a window; where none has, all do. */
static const char *exaone4_differs(const struct mote_config *c)
{
	for (uint32_t i = 0; i < c->layers; i++)
		if (!(c->layer_kind[i] & MOTE_LAYER_NO_ROPE) != (!c->window || c->layer_kind[i] & MOTE_LAYER_WINDOW))
			return "no_rope_layers";
	return NULL;
}

static const struct mote_export_family families[] = {
	{"LlamaForCausalLM", "llama", 0, BIASES, 0, biases_differ},
	{"Qwen2ForCausalLM", "qwen2", MOTE_QKV_BIAS, MOTE_OUT_BIAS | MOTE_FFN_BIAS, MOTE_EXPORT_WINDOW, NULL},
	{"Qwen3ForCausalLM", "qwen3", MOTE_HEAD_NORM, BIASES, MOTE_EXPORT_WINDOW, biases_differ},
	{"MistralForCausalLM", "mistral", 0, 0, MOTE_EXPORT_WINDOW, mistral_differs},
	{"MinistralForCausalLM", "ministral", 0, 0, MOTE_EXPORT_WINDOW, NULL},
	{"Ministral3ForCausalLM", "ministral3", 0, 0, MOTE_EXPORT_WINDOW | MOTE_EXPORT_GROWTH, mistral_differs},
	{"Phi3ForCausalLM", "phi3", 0, 0, MOTE_EXPORT_WINDOW | MOTE_EXPORT_PARTIAL, mistral_differs},
	{"SmolLM3ForCausalLM", "smollm3", 0, BIASES, MOTE_EXPORT_WINDOW | MOTE_EXPORT_NO_ROPE, biases_differ},
	{"GraniteForCausalLM", "granite", 0, BIASES, SCALES | MOTE_EXPORT_ATTENTION_SCALE, biases_differ},
	{"MiniCPMForCausalLM", "minicpm", 0, BIASES, SCALES, biases_differ},
	{"Olmo2ForCausalLM", "olmo2", MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_WIDE_NORM, BIASES, 0, biases_differ},
	{"Olmo3ForCausalLM", "olmo3", MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_WIDE_NORM, BIASES,
	 MOTE_EXPORT_WINDOW | MOTE_EXPORT_LOCAL_ROPE, olmo3_differs},
	{"Exaone4ForCausalLM", "exaone4", MOTE_NO_PRE_NORM | MOTE_POST_NORM | MOTE_HEAD_NORM, 0,
	 MOTE_EXPORT_WINDOW | MOTE_EXPORT_NO_ROPE, exaone4_differs},
	{"HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense", MOTE_HEAD_NORM | MOTE_NORM_AFTER_ROPE, BIASES, 0,
	 biases_differ},
	{"StableLmForCausalLM", "stablelm", MOTE_LAYER_NORM, MOTE_QKV_BIAS, MOTE_EXPORT_PARTIAL, NULL},
	{"GemmaForCausalLM", "gemma", MOTE_GELU, 0, MOTE_EXPORT_EMBEDDING_SCALE, gemma_differs},
	{"Gemma2ForCausalLM", "gemma2", MOTE_GELU | MOTE_POST_NORM, 0,
	 MOTE_EXPORT_WINDOW | MOTE_EXPORT_EMBEDDING_SCALE | MOTE_EXPORT_ATTENTION_SCALE | MOTE_EXPORT_ATTENTION_CAP |
	 MOTE_EXPORT_LOGITS_CAP, gemma_differs},
	{"Gemma3ForCausalLM", "gemma3_text", MOTE_GELU | MOTE_POST_NORM | MOTE_HEAD_NORM, 0,
	 MOTE_EXPORT_WINDOW | MOTE_EXPORT_LOCAL_ROPE | MOTE_EXPORT_EMBEDDING_SCALE | MOTE_EXPORT_ATTENTION_SCALE |
	 MOTE_EXPORT_ATTENTION_CAP | MOTE_EXPORT_LOGITS_CAP, gemma3_differs},
};

static unsigned needs_of(const struct mote_config *c)
{
	const double numbers[] = { c->embedding_scale, c->residual_scale, c->attention_scale, c->logits_scale,
				   c->attention_cap, c->logits_cap, c->attention_growth };
	unsigned needs = (c->window ? MOTE_EXPORT_WINDOW : 0u) | (c->rotary_dim ? MOTE_EXPORT_PARTIAL : 0u);

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		needs |= numbers[i] > 0 ? (unsigned)MOTE_EXPORT_EMBEDDING_SCALE << i : 0u;
	for (uint32_t i = 0; i < c->layers; i++)
		needs |= (c->layer_kind[i] & MOTE_LAYER_LOCAL_ROPE ? MOTE_EXPORT_LOCAL_ROPE : 0u) |
			 (c->layer_kind[i] & MOTE_LAYER_NO_ROPE ? MOTE_EXPORT_NO_ROPE : 0u);
	return needs;
}

static bool fits(const struct mote_export_family *f, const struct mote_config *c)
{
	return (c->features & f->features) == f->features && !(c->features & ~(f->features | f->optional)) &&
	       !(needs_of(c) & ~f->takes) && (!f->differs || !f->differs(c));
}

/* The class of the checkpoint that the model was converted from, as its lineage has it; NULL: unknown. */
static const struct mote_export_family *origin(const struct mote_container *c)
{
	const cJSON *lineage = mote_json_get(mote_container_metadata(c), "lineage");

	for (const cJSON *step = lineage ? lineage->child : NULL; step; step = step->next) {
		const cJSON *name = mote_json_get(step, "architecture");

		for (size_t i = 0; i < sizeof families / sizeof *families; i++)
			if (cJSON_IsString(name) && !strcmp(name->valuestring, families[i].architecture))
				return &families[i];
	}
	return NULL;
}

/* No family has all of these together. */
static enum mote_status refuse(const struct mote_container *c, const struct mote_config *config, const char *target,
			       struct mote_error *error)
{
	const unsigned needs = needs_of(config);
	char keys[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < MOTE_FEATURE_KEYS; i++)
		if (config->features & mote_feature_keys[i].feature)
			used += (size_t)snprintf(keys + used, sizeof keys - used, "%s\"%s\"", used ? ", " : "",
						 mote_feature_keys[i].key);
	for (size_t i = 0; i < sizeof take_keys / sizeof *take_keys; i++)
		if (needs & 1u << i)
			used += (size_t)snprintf(keys + used, sizeof keys - used, "%s\"%s\"", used ? ", " : "",
						 take_keys[i]);
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: a model with %s is not written as %s: no family of "
			      "checkpoints is known that is so", mote_container_path(c), keys, target);
}

enum mote_status mote_export_family(const struct mote_container *c, const char *target, struct mote_config *config,
				    const struct mote_export_family **out, struct mote_error *error)
{
	enum mote_status status;

	*out = NULL;
	if (!mote_json_get(mote_container_metadata(c), "model"))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s holds no model (it was made with --vocab-only)", mote_container_path(c));
	status = mote_config_read(mote_container_metadata(c), config, error);
	if (status)
		return status;
	*out = origin(c);
	if (*out && fits(*out, config))
		return MOTE_OK;
	*out = NULL;
	for (size_t i = 0; i < sizeof families / sizeof *families && !*out; i++)
		if (fits(&families[i], config))
			*out = &families[i];
	return *out ? MOTE_OK : refuse(c, config, target, error);
}
