/* A config to metadata: the tables of keys, and who needs which of them. */
#include "format/json_build.h"
#include "runtime/model/config_keys.h"

const char *const mote_rope_kinds[MOTE_ROPE_KINDS] = {"default", "linear", "llama3", "yarn", "dynamic", "longrope"};

const char *const mote_llama_keys[] = {
	"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
	"intermediate_size", "vocab_size", "max_position_embeddings", "rms_norm_eps", "tie_word_embeddings",
	"rope", NULL};

const struct mote_number_key mote_number_keys[MOTE_NUMBER_KEYS] = {
	{"embedding_scale", offsetof(struct mote_config, embedding_scale)},
	{"residual_scale", offsetof(struct mote_config, residual_scale)},
	{"attention_scale", offsetof(struct mote_config, attention_scale)},
	{"logits_scale", offsetof(struct mote_config, logits_scale)},
	{"attention_softcap", offsetof(struct mote_config, attention_cap)},
	{"logits_softcap", offsetof(struct mote_config, logits_cap)},
	{"rope_local_theta", offsetof(struct mote_config, rope_local_theta)},
	{"attention_growth", offsetof(struct mote_config, attention_growth)},
};

const struct mote_feature_key mote_feature_keys[MOTE_FEATURE_KEYS] = {
	{"qkv_bias", MOTE_QKV_BIAS},
	{"out_bias", MOTE_OUT_BIAS},
	{"ffn_bias", MOTE_FFN_BIAS},
	{"qk_head_norm", MOTE_HEAD_NORM},
	{"qk_norm_after_rope", MOTE_NORM_AFTER_ROPE},
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

static void add_factors(struct mote_json_builder *b, cJSON *rope, const char *key, const double *factor, uint32_t n)
{
	mote_json_add_item(b, rope, key, cJSON_CreateDoubleArray(factor, (int)n));
}

static void add_rope(struct mote_json_builder *b, cJSON *model, const struct mote_config *c)
{
	cJSON *rope = mote_json_add_object(b, model, "rope");
	uint32_t half = (c->rotary_dim ? c->rotary_dim : c->head_dim) / 2;
	enum mote_rope_kind kind = c->rope_kind;

	mote_json_add_text(b, rope, "type", mote_rope_kinds[kind]);
	mote_json_add_number(b, rope, "theta", c->rope_theta);
	if (kind != MOTE_ROPE_DEFAULT && kind != MOTE_ROPE_LONGROPE)
		mote_json_add_number(b, rope, "factor", c->rope_factor);
	if (kind == MOTE_ROPE_LLAMA3) {
		mote_json_add_number(b, rope, "low_freq_factor", c->rope_low_freq_factor);
		mote_json_add_number(b, rope, "high_freq_factor", c->rope_high_freq_factor);
	}
	if (kind >= MOTE_ROPE_LLAMA3)
		mote_json_add_number(b, rope, "original_max_position_embeddings", c->rope_original_positions);
	if (kind == MOTE_ROPE_YARN || kind == MOTE_ROPE_LONGROPE)
		mote_json_add_number(b, rope, "attention_factor", c->rope_attention_factor);
	if (kind == MOTE_ROPE_YARN) {
		mote_json_add_number(b, rope, "beta_fast", c->rope_beta_fast);
		mote_json_add_number(b, rope, "beta_slow", c->rope_beta_slow);
		mote_json_add_bool(b, rope, "truncate", !c->rope_no_truncate);
	}
	if (kind == MOTE_ROPE_LONGROPE) {
		add_factors(b, rope, "short_factor", c->rope_short_factor, half);
		add_factors(b, rope, "long_factor", c->rope_long_factor, half);
	}
}

static void add_layers(struct mote_json_builder *b, cJSON *model, const struct mote_config *c,
		       const struct mote_layer_key *key)
{
	cJSON *list = mote_json_add_array(b, model, key->key);

	for (uint32_t i = 0; i < c->layers; i++)
		if (c->layer_kind[i] & key->kind)
			mote_json_add_number(b, list, NULL, i);
}

static void add_differences(struct mote_json_builder *b, cJSON *model, const struct mote_config *c)
{
	if (c->rotary_dim)
		mote_json_add_number(b, model, "rotary_dim", c->rotary_dim);
	if (c->window)
		mote_json_add_number(b, model, "sliding_window", c->window);
	for (size_t i = 0; i < MOTE_NUMBER_KEYS; i++)
		if (number_of(c, i) > 0)
			mote_json_add_number(b, model, mote_number_keys[i].key, number_of(c, i));
	for (size_t i = 0; i < MOTE_FEATURE_KEYS; i++)
		if (c->features & mote_feature_keys[i].feature)
			mote_json_add_bool(b, model, mote_feature_keys[i].key, true);
	for (size_t i = 0; i < MOTE_LAYER_KEYS; i++)
		if (has_layers(c, mote_layer_keys[i].kind))
			add_layers(b, model, c, &mote_layer_keys[i]);
}

bool mote_config_write(const struct mote_config *c, cJSON *metadata)
{
	bool llama = is_llama(c);
	struct mote_json_builder b = {0};
	cJSON *model;

	mote_json_add_text(&b, metadata, "architecture", llama ? MOTE_ARCHITECTURE_LLAMA : MOTE_ARCHITECTURE_DECODER);
	model = mote_json_add_object(&b, metadata, "model");
	mote_json_add_number(&b, model, "hidden_size", c->hidden);
	mote_json_add_number(&b, model, "num_hidden_layers", c->layers);
	mote_json_add_number(&b, model, "num_attention_heads", c->heads);
	mote_json_add_number(&b, model, "num_key_value_heads", c->kv_heads);
	mote_json_add_number(&b, model, "head_dim", c->head_dim);
	mote_json_add_number(&b, model, "intermediate_size", c->ffn);
	mote_json_add_number(&b, model, "vocab_size", c->vocab);
	mote_json_add_number(&b, model, "max_position_embeddings", c->max_positions);
	mote_json_add_number(&b, model, "rms_norm_eps", c->norm_eps);
	mote_json_add_bool(&b, model, "tie_word_embeddings", c->tied_embeddings);
	add_rope(&b, model, c);
	if (!llama)
		add_differences(&b, model, c);
	return !b.failed;
}
