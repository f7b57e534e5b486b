/* config.json: see hf_config.h. */
#include "convert/hf/hf_config.h"

#include <string.h>

#include "format/block.h"

#define WHERE "config.json"
#define MAX_LAYERS 1024u
#define MAX_HEADS 1024u
#define MAX_HEAD_DIM 1024u
#define MAX_POSITIONS (1u << 26)

#define LLAMA "LlamaForCausalLM"
#define MISTRAL "MistralForCausalLM"

/* What these would need and mote does not compute; others are refused without a reason. */
static const struct {
	const char *name, *reason;
} foreign[] = {
	{ "Qwen2ForCausalLM", "it has biases on q, k and v" },
	{ "Qwen3ForCausalLM", "it normalizes q and k per head" },
	{ "SmolLM3ForCausalLM", "it has layers without RoPE" },
	{ "GemmaForCausalLM", "it scales embeddings and adds 1 to norm weights" },
	{ "Gemma2ForCausalLM", "it caps logits and adds 1 to norm weights" },
	{ "Gemma3ForCausalLM", "it mixes local and global attention" },
	{ "Phi3ForCausalLM", "it fuses q, k and v, and gate and up" },
	{ "MixtralForCausalLM", "it is a mixture of experts" },
	{ "GPT2LMHeadModel", "it has learned positions and LayerNorm" },
};

/* Keys that change the mathematics unless they are absent, null, or have their neutral value. */
static const struct {
	const char *key;
	enum { NO, ONE } neutral; /* NO: false, 0, an empty list or object; ONE: the number 1 */
} features[] = {
	{ "attention_bias", NO },
	{ "mlp_bias", NO },
	{ "qkv_bias", NO },
	{ "use_bias", NO },
	{ "rope_interleaved", NO },
	{ "use_qk_norm", NO },
	{ "qk_norm", NO },
	{ "no_rope_layers", NO },
	{ "use_sliding_window", NO },
	{ "attn_logit_softcapping", NO },
	{ "final_logit_softcapping", NO },
	{ "clip_qkv", NO },
	{ "num_experts", NO },
	{ "num_local_experts", NO },
	{ "quantization_config", NO },
	{ "partial_rotary_factor", ONE },
	{ "embedding_multiplier", ONE },
	{ "residual_multiplier", ONE },
	{ "logits_scaling", ONE },
	{ "logit_scale", ONE },
};

static enum mote_status read_architecture(const cJSON *config, const char **out, struct mote_error *error)
{
	const cJSON *list = mote_json_get(config, "architectures");
	const char *model_type, *name = NULL;
	enum mote_status status;

	status = mote_json_want_string(config, "model_type", NULL, WHERE, &model_type, error);
	if (status)
		return status;
	if (list && !cJSON_IsNull(list)) {
		if (!cJSON_IsArray(list) || !list->child || list->child->next || !cJSON_IsString(list->child))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      WHERE ": \"architectures\" is no list of one name");
		name = list->child->valuestring;
	} else if (!model_type) {
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": neither \"architectures\" nor \"model_type\" is there");
	}
	for (size_t i = 0; name && i < sizeof foreign / sizeof *foreign; i++)
		if (strcmp(name, foreign[i].name) == 0)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      WHERE ": architecture %s is not supported: %s", name, foreign[i].reason);
	if ((!name || !strcmp(name, LLAMA)) && (!model_type || !strcmp(model_type, "llama")))
		*out = LLAMA;
	else if ((!name || !strcmp(name, MISTRAL)) && (!model_type || !strcmp(model_type, "mistral")))
		*out = MISTRAL;
	else
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": architecture %s (model_type \"%s\") is not supported; " LLAMA
				      " (\"llama\") and " MISTRAL " (\"mistral\") are", name ? name : "not named",
				      model_type ? model_type : "");
	return MOTE_OK;
}

static bool is_neutral(const cJSON *item, bool one)
{
	if (!item || cJSON_IsNull(item) || (one && cJSON_IsNumber(item) && item->valuedouble == 1))
		return true;
	return !one && (cJSON_IsFalse(item) || (cJSON_IsNumber(item) && item->valuedouble == 0) ||
			((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child));
}

static enum mote_status refuse_features(const cJSON *config, struct mote_error *error)
{
	const cJSON *item;
	const char *name;
	enum mote_status status;

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (!is_neutral(mote_json_get(config, features[i].key), features[i].neutral == ONE))
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, WHERE ": \"%s\" is set; mote does not compute that",
					      features[i].key);
	status = mote_json_want_string(config, "hidden_act", "silu", WHERE, &name, error);
	if (status)
		return status;
	if (strcmp(name, "silu") && strcmp(name, "swish")) /* two names of one function */
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"hidden_act\" is \"%s\"; only \"silu\" is supported", name);
	item = mote_json_get(config, "layer_types");
	if (cJSON_IsArray(item))
		cJSON_ArrayForEach(item, item)
			if (!cJSON_IsString(item) || strcmp(item->valuestring, "full_attention"))
				return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
						      WHERE ": \"layer_types\": only \"full_attention\" is supported");
	return MOTE_OK;
}

/* The window is harmless when no position can reach beyond it. MistralConfig has one unless it is null. */
static enum mote_status check_window(const cJSON *config, const struct mote_hf_config *c, struct mote_error *error)
{
	const cJSON *item = mote_json_get(config, "sliding_window");
	int64_t window = 4096;

	if (cJSON_IsNull(item) || (!item && strcmp(c->architecture, MISTRAL)))
		return MOTE_OK;
	if (item && (!mote_json_integer(item, &window) || window < 0))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": \"sliding_window\" is no non-negative integer");
	if (window < (int64_t)c->max_position_embeddings)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"sliding_window\" of %lld with %u positions%s; mote attends to all positions",
				      (long long)window, c->max_position_embeddings, item ? "" : " (the default)");
	return MOTE_OK;
}

static enum mote_status read_rope(const cJSON *config, struct mote_hf_rope *rope, struct mote_error *error)
{
	const cJSON *scaling = mote_json_get(config, "rope_scaling"), *parameters = mote_json_get(config, "rope_parameters");
	const char *where = "config.json: \"rope_scaling\"", *type, *old_type;
	enum mote_status status;

	if (cJSON_IsNull(scaling))
		scaling = NULL;
	if (cJSON_IsNull(parameters))
		parameters = NULL;
	if (scaling && parameters && !cJSON_Compare(scaling, parameters, true))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": \"rope_scaling\" and \"rope_parameters\" say different things");
	if (parameters) {
		scaling = parameters;
		where = "config.json: \"rope_parameters\"";
	}
	if (scaling && !cJSON_IsObject(scaling))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s is no object", where);
	if (scaling && cJSON_IsObject(scaling->child))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: one RoPE for each kind of layer is not supported",
				      where);
	*rope = (struct mote_hf_rope){ .type = "default" };
	/* theta belongs into rope_parameters; files in transition have it beside them */
	if ((status = mote_json_want_double(config, "rope_theta", 1, 1e12, 10000, WHERE, &rope->theta, error)) ||
	    (status = mote_json_want_double(scaling, "rope_theta", 1, 1e12, rope->theta, where, &rope->theta, error)) ||
	    (status = mote_json_want_string(scaling, "type", "default", where, &old_type, error)) ||
	    (status = mote_json_want_string(scaling, "rope_type", old_type, where, &type, error)))
		return status;
	if (is_neutral(mote_json_get(scaling, "type"), false) && is_neutral(mote_json_get(scaling, "rope_type"), false) &&
	    !is_neutral(mote_json_get(scaling, "factor"), true))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: a \"factor\" without a \"rope_type\": which kind of RoPE it scales is not said", where);
	if (!is_neutral(mote_json_get(scaling, "partial_rotary_factor"), true))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: \"partial_rotary_factor\" is set; mote does not compute that", where);
	if (strcmp(type, "default") == 0)
		return MOTE_OK;
	if (strcmp(type, "linear") == 0)
		rope->type = "linear";
	else if (strcmp(type, "llama3") == 0)
		rope->type = "llama3";
	else
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: RoPE kind \"%s\" is not supported; default, linear and llama3 are", where, type);
	if (!mote_json_get(scaling, "factor"))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: kind %s without \"factor\"", where, type);
	status = mote_json_want_double(scaling, "factor", 1, 1e6, 1, where, &rope->factor, error);
	if (status || strcmp(rope->type, "llama3"))
		return status;
	if (!mote_json_get(scaling, "low_freq_factor") || !mote_json_get(scaling, "high_freq_factor"))
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: kind llama3 without \"low_freq_factor\" and \"high_freq_factor\"", where);
	if ((status = mote_json_want_double(scaling, "low_freq_factor", 1e-3, 1e6, 1, where, &rope->low_freq_factor,
					    error)) ||
	    (status = mote_json_want_double(scaling, "high_freq_factor", 1e-3, 1e6, 4, where,
					    &rope->high_freq_factor, error)) ||
	    (status = mote_json_need_u32(scaling, "original_max_position_embeddings", 1, MAX_POSITIONS, where,
					 &rope->original_max_position_embeddings, error)))
		return status;
	if (rope->high_freq_factor <= rope->low_freq_factor)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: \"high_freq_factor\" %g is not above \"low_freq_factor\" %g", where,
				      rope->high_freq_factor, rope->low_freq_factor);
	return MOTE_OK;
}

static enum mote_status read_shape(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	bool mistral = strcmp(c->architecture, MISTRAL) == 0;
	uint32_t kv_default;
	enum mote_status status;

	if ((status = mote_json_need_u32(config, "hidden_size", 1, MOTE_MAX_COLS, WHERE, &c->hidden_size, error)) ||
	    (status = mote_json_need_u32(config, "num_hidden_layers", 1, MAX_LAYERS, WHERE, &c->num_hidden_layers,
					 error)) ||
	    (status = mote_json_need_u32(config, "num_attention_heads", 1, MAX_HEADS, WHERE, &c->num_attention_heads,
					 error)) ||
	    (status = mote_json_need_u32(config, "intermediate_size", 1, MOTE_MAX_COLS, WHERE, &c->intermediate_size,
					 error)) ||
	    (status = mote_json_need_u32(config, "vocab_size", 1, MOTE_MAX_ROWS, WHERE, &c->vocab_size, error)))
		return status;
	/* MistralConfig: 8 unless it is said, as many as heads when null is said */
	kv_default = mistral && !mote_json_get(config, "num_key_value_heads") ? 8 : c->num_attention_heads;
	if ((status = mote_json_want_u32(config, "num_key_value_heads", 1, MAX_HEADS, kv_default, WHERE,
					 &c->num_key_value_heads, error)) ||
	    (status = mote_json_want_u32(config, "head_dim", 2, MAX_HEAD_DIM, 0, WHERE, &c->head_dim, error)) ||
	    (status = mote_json_want_u32(config, "max_position_embeddings", 1, MAX_POSITIONS,
					 mistral ? 131072 : 2048, WHERE, &c->max_position_embeddings, error)) ||
	    (status = mote_json_want_double(config, "rms_norm_eps", 1e-20, 1, 1e-6, WHERE, &c->rms_norm_eps, error)) ||
	    (status = mote_json_want_bool(config, "tie_word_embeddings", false, WHERE, &c->tie_word_embeddings,
					  error)))
		return status;
	if (c->num_attention_heads % c->num_key_value_heads)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": %u attention heads are no multiple of %u key-value heads",
				      c->num_attention_heads, c->num_key_value_heads);
	if (c->head_dim == 0) {
		c->head_dim = c->hidden_size / c->num_attention_heads;
		if (c->hidden_size % c->num_attention_heads || c->head_dim < 2 || c->head_dim > MAX_HEAD_DIM)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      WHERE ": \"head_dim\" is absent and hidden_size %u does not split into %u heads",
					      c->hidden_size, c->num_attention_heads);
	}
	if (c->head_dim % 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": head_dim %u is odd", c->head_dim);
	if (c->num_attention_heads * c->head_dim > MOTE_MAX_COLS)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, WHERE ": %u heads of %u are wider than %u",
				      c->num_attention_heads, c->head_dim, MOTE_MAX_COLS);
	return MOTE_OK;
}

enum mote_status mote_hf_config_read(const cJSON *config, struct mote_hf_config *out, struct mote_error *error)
{
	struct mote_hf_config c = { 0 };
	enum mote_status status;

	if ((status = read_architecture(config, &c.architecture, error)) ||
	    (status = refuse_features(config, error)) || (status = read_shape(config, &c, error)) ||
	    (status = check_window(config, &c, error)) ||
	    (status = read_rope(config, &c.rope, error)))
		return status;
	*out = c;
	return MOTE_OK;
}

/* Up to max ids under one key of one file; *n stays when the key is not given. */
static enum mote_status read_ids(const cJSON *object, const char *key, const char *where, uint32_t max, int32_t *ids,
				 uint32_t *n, struct mote_error *error)
{
	const cJSON *given = mote_json_get(object, key), *item;
	bool list = cJSON_IsArray(given);
	uint32_t count = 0;
	int64_t id;

	for (item = list ? given->child : given; item; item = list ? item->next : NULL) {
		if (cJSON_IsNull(item) || (mote_json_integer(item, &id) && id == -1))
			continue;
		if (!mote_json_integer(item, &id) || id < 0 || id > INT32_MAX)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": expected a token id", where, key);
		if (count == max)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: \"%s\": more than %u", where, key, max);
		ids[count++] = (int32_t)id;
	}
	if (count)
		*n = count;
	return MOTE_OK;
}

enum mote_status mote_hf_token_ids_read(const cJSON *config, const cJSON *generation,
					struct mote_hf_token_ids *out, struct mote_error *error)
{
	static const char *const names[2] = { "config.json", "generation_config.json" };
	const cJSON *files[2] = { config, generation }; /* the later wins */
	enum mote_status status;
	uint32_t n;

	*out = (struct mote_hf_token_ids){ .bos = -1, .pad = -1 };
	for (int i = 0; i < 2; i++)
		if ((status = read_ids(files[i], "bos_token_id", names[i], 1, &out->bos, &n, error)) ||
		    (status = read_ids(files[i], "pad_token_id", names[i], 1, &out->pad, &n, error)) ||
		    (status = read_ids(files[i], "eos_token_id", names[i], MOTE_HF_MAX_EOS, out->eos, &out->n_eos, error)))
			return status;
	return MOTE_OK;
}
