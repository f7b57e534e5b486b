/* A config to metadata: the tables of keys, and who needs which of them. cJSON's Add functions accept a NULL object
 * and return NULL.
 */
#include "format/json.h"
#include "runtime/model/config_keys.h"

const char *const mote_rope_kinds[MOTE_ROPE_KINDS] = {"default", "linear", "llama3", "yarn", "dynamic", "longrope"};

const char *const mote_llama_keys[] = {
	"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
	"vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings", "rope", NULL};

const struct mote_number_key mote_number_keys[MOTE_NUMBER_KEYS] = {
	{"embedding_scale", offsetof(struct mote_config, embedding_scale)},
	{"residual_scale", offsetof(struct mote_config, residual_scale)},
	{"attention_scale", offsetof(struct mote_config, attention_scale)},
	{"logits_scale", offsetof(struct mote_config, logits_scale)},
	{"attention_softcap", offsetof(struct mote_config, attention_cap)},
	{"logits_softcap", offsetof(struct mote_config, logits_cap)},
	{"rope_local_theta", offsetof(struct mote_config, rope_local_theta)},
};

const struct mote_feature_key mote_feature_keys[MOTE_FEATURE_KEYS] = {
	{"qkv_bias", MOTE_QKV_BIAS},
	{"out_bias", MOTE_OUT_BIAS},
	{"ffn_bias", MOTE_FFN_BIAS},
	{"qk_head_norm", MOTE_HEAD_NORM},
	{"qk_wide_norm", MOTE_WIDE_NORM},
	{"post_norm", MOTE_POST_NORM},
	{"no_pre_norm", MOTE_NO_PRE_NORM},
	{"layer_norm", MOTE_LAYER_NORM},
	{"gelu_tanh", MOTE_GELU},
};

const struct mote_layer_key mote_layer_keys[MOTE_LAYER_KEYS] = {
	{"window_layers", MOTE_LAYER_WINDOW},
	{"local_rope_layers", MOTE_LAYER_LOCAL_ROPE},
	{"no_rope_layers", MOTE_LAYER_NO_ROPE},
};

static double number_of(const struct mote_config *c, size_t i)
{
	return *(const double *)(const void *)((const char *)c + mote_number_keys[i].offset);
}

static bool has_layers(const struct mote_config *c, enum mote_layer_kind kind)
{
	for (uint32_t i = 0; i < c->layers; i++)
		if (c->layer_kind[i] & kind)
			return true;
	return false;
}

static bool is_llama(const struct mote_config *c)
{
	bool llama = c->features == 0 && c->rotary_dim == 0;

	for (size_t i = 0; i < MOTE_NUMBER_KEYS && llama; i++)
		llama = number_of(c, i) == 0;
	for (size_t i = 0; i < MOTE_LAYER_KEYS && llama; i++)
		llama = !has_layers(c, mote_layer_keys[i].kind);
	return llama;
}

static bool add_factors(cJSON *rope, const char *key, const double *factor, uint32_t n)
{
	return cJSON_AddItemToObject(rope, key, cJSON_CreateDoubleArray(factor, (int)n));
}

static bool add_rope(cJSON *model, const struct mote_config *c)
{
	cJSON *rope = cJSON_AddObjectToObject(model, "rope");
	uint32_t half = (c->rotary_dim ? c->rotary_dim : c->head_dim) / 2;
	enum mote_rope_kind kind = c->rope_kind;
	bool ok = cJSON_AddStringToObject(rope, "type", mote_rope_kinds[kind]) &&
		  cJSON_AddNumberToObject(rope, "theta", c->rope_theta);

	if (kind != MOTE_ROPE_DEFAULT && kind != MOTE_ROPE_LONGROPE)
		ok = ok && cJSON_AddNumberToObject(rope, "factor", c->rope_factor);
	if (kind == MOTE_ROPE_LLAMA3)
		ok = ok && cJSON_AddNumberToObject(rope, "low_freq_factor", c->rope_low_freq_factor) &&
		     cJSON_AddNumberToObject(rope, "high_freq_factor", c->rope_high_freq_factor);
	if (kind >= MOTE_ROPE_LLAMA3)
		ok = ok && cJSON_AddNumberToObject(rope, "original_max_position_embeddings", c->rope_original_positions);
	if (kind == MOTE_ROPE_YARN || kind == MOTE_ROPE_LONGROPE)
		ok = ok && cJSON_AddNumberToObject(rope, "attention_factor", c->rope_attention_factor);
	if (kind == MOTE_ROPE_YARN)
		ok = ok && cJSON_AddNumberToObject(rope, "beta_fast", c->rope_beta_fast) &&
		     cJSON_AddNumberToObject(rope, "beta_slow", c->rope_beta_slow) &&
		     cJSON_AddBoolToObject(rope, "truncate", !c->rope_no_truncate);
	if (kind == MOTE_ROPE_LONGROPE)
		ok = ok && add_factors(rope, "short_factor", c->rope_short_factor, half) &&
		     add_factors(rope, "long_factor", c->rope_long_factor, half);
	return ok;
}

static bool add_layers(cJSON *model, const struct mote_config *c, const struct mote_layer_key *key)
{
	cJSON *list = cJSON_AddArrayToObject(model, key->key);
	bool ok = list != NULL;

	for (uint32_t i = 0; i < c->layers && ok; i++)
		if (c->layer_kind[i] & key->kind)
			ok = cJSON_AddItemToArray(list, cJSON_CreateNumber(i));
	return ok;
}

static bool add_differences(cJSON *model, const struct mote_config *c)
{
	bool ok = (c->rotary_dim == 0 || cJSON_AddNumberToObject(model, "rotary_dim", c->rotary_dim)) &&
		  (c->window == 0 || cJSON_AddNumberToObject(model, "sliding_window", c->window));

	for (size_t i = 0; i < MOTE_NUMBER_KEYS && ok; i++)
		if (number_of(c, i) > 0)
			ok = cJSON_AddNumberToObject(model, mote_number_keys[i].key, number_of(c, i));
	for (size_t i = 0; i < MOTE_FEATURE_KEYS && ok; i++)
		if (c->features & mote_feature_keys[i].feature)
			ok = cJSON_AddTrueToObject(model, mote_feature_keys[i].key);
	for (size_t i = 0; i < MOTE_LAYER_KEYS && ok; i++)
		if (has_layers(c, mote_layer_keys[i].kind))
			ok = add_layers(model, c, &mote_layer_keys[i]);
	return ok;
}

bool mote_config_write(const struct mote_config *c, cJSON *metadata)
{
	bool llama = is_llama(c);
	cJSON *model;

	return cJSON_AddStringToObject(metadata, "architecture",
				       llama ? MOTE_ARCHITECTURE_LLAMA : MOTE_ARCHITECTURE_DECODER) &&
	       (model = cJSON_AddObjectToObject(metadata, "model")) &&
	       cJSON_AddNumberToObject(model, "hidden_size", c->hidden) &&
	       cJSON_AddNumberToObject(model, "num_hidden_layers", c->layers) &&
	       cJSON_AddNumberToObject(model, "num_attention_heads", c->heads) &&
	       cJSON_AddNumberToObject(model, "num_key_value_heads", c->kv_heads) &&
	       cJSON_AddNumberToObject(model, "head_dim", c->head_dim) &&
	       cJSON_AddNumberToObject(model, "intermediate_size", c->ffn) &&
	       cJSON_AddNumberToObject(model, "vocab_size", c->vocab) &&
	       cJSON_AddNumberToObject(model, "max_position_embeddings", c->max_positions) &&
	       cJSON_AddNumberToObject(model, "rms_norm_eps", c->norm_eps) &&
	       cJSON_AddBoolToObject(model, "tie_word_embeddings", c->tied_embeddings) && add_rope(model, c) &&
	       (llama || add_differences(model, c));
}
