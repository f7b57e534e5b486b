/* config.json: see hf_config.h. What all families have in common; their differences are rows of hf_families.c. */
#include "convert/hf/hf_config.h"

#include <string.h>

#include "convert/fused_weights.h"
#include "convert/hf/hf_families.h"
#include "format/block.h"

#define WHERE MOTE_HF_WHERE

/* Keys that change the mathematics unless they are absent, null, or have their neutral value; or unless the family
 * takes care of them. */
enum { NO = 1, ONE = 2 }; /* neutral are false, 0, an empty list or object; is the number 1 */

static const struct {
	const char *key;
	unsigned neutral;         /* NO, ONE or both */
	unsigned takes;           /* enum mote_hf_takes: families that read the key */
} features[] = {
	{"attention_bias", NO, MOTE_HF_BIASES},
	{"mlp_bias", NO, MOTE_HF_BIASES},
	{"qkv_bias", NO, 0},
	{"use_bias", NO, 0},
	{"rope_interleaved", NO, 0},
	{"use_qk_norm", NO, MOTE_HF_QK_NORM},
	{"use_cla", NO, 0},
	{"qk_norm", NO, 0},
	{"qk_layernorm", NO, 0},
	{"use_parallel_residual", NO, 0},
	{"use_bidirectional_attention", NO, 0},
	{"no_rope_layers", NO, MOTE_HF_NO_ROPE},
	{"use_sliding_window", NO, MOTE_HF_WINDOW},
	{"attn_logit_softcapping", NO, MOTE_HF_CAPS},
	{"final_logit_softcapping", NO, MOTE_HF_CAPS},
	{"clip_qkv", NO, 0},
	{"num_experts", NO | ONE, 0}, /* one is none to choose from */
	{"num_local_experts", NO, MOTE_HF_HYBRID},
	{"sparse_config", NO, 0},
	{"per_layer_config", NO, 0},
	{"partial_rotary_factor", ONE, MOTE_HF_PARTIAL},
	{"embedding_multiplier", ONE, MOTE_HF_MULTIPLIERS},
	{"residual_multiplier", ONE, MOTE_HF_MULTIPLIERS},
	{"logits_scaling", ONE, MOTE_HF_MULTIPLIERS},
	{"logit_scale", ONE, 0},
};

bool mote_hf_is_neutral(const cJSON *item, bool one)
{
	if (!item || cJSON_IsNull(item) || (one && cJSON_IsNumber(item) && item->valuedouble == 1))
		return true;
	return !one && (cJSON_IsFalse(item) || (cJSON_IsNumber(item) && item->valuedouble == 0) ||
			((cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child));
}

static bool is_neutral(const cJSON *item, unsigned neutral)
{
	return (neutral & NO && mote_hf_is_neutral(item, false)) || (neutral & ONE && mote_hf_is_neutral(item, true));
}

/* Gemma's classes read "hidden_activation"; the "gelu" that stands under "hidden_act" in its first files is ignored. */
static enum mote_status check_activation(const cJSON *config, const struct mote_hf_family *family,
					 struct mote_error *error)
{
	const char *key = family->gemma ? "hidden_activation" : "hidden_act", *name;
	const char *wanted = family->gemma ? "gelu_pytorch_tanh" : "silu";
	enum mote_status status = mote_json_want_string(config, key, wanted, WHERE, &name, error);

	if (status)
		return status;
	if (strcmp(name, wanted) && (family->gemma || strcmp(name, "swish"))) /* two names of one function */
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"%s\" is \"%s\"; only \"%s\" is supported", key, name, wanted);
	return MOTE_OK;
}

static enum mote_status refuse_key(const char *key, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, WHERE ": \"%s\" is set; mote does not compute that", key);
}

/* Of the whole checkpoint, which may be more than the model of text. */
static enum mote_status refuse_quantized(const cJSON *config, struct mote_error *error)
{
	static const char key[] = "quantization_config";

	return mote_hf_is_neutral(mote_json_get(config, key), false) ? MOTE_OK : refuse_key(key, error);
}

static enum mote_status refuse_features(const cJSON *config, const struct mote_hf_family *family,
					struct mote_error *error)
{
	const cJSON *item = mote_json_get(config, "layer_types");

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (!(features[i].takes & family->takes) &&
		    !is_neutral(mote_json_get(config, features[i].key), features[i].neutral))
			return refuse_key(features[i].key, error);
	if (cJSON_IsFalse(mote_json_get(config, "is_causal")))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"is_causal\" is false; mote computes causal attention only");
	if (cJSON_IsArray(item) && !(family->takes & (MOTE_HF_WINDOW | MOTE_HF_HYBRID)))
		cJSON_ArrayForEach(item, item)
			if (!cJSON_IsString(item) || strcmp(item->valuestring, "full_attention"))
				return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
						      WHERE ": \"layer_types\": only \"full_attention\" is supported");
	return check_activation(config, family, error);
}

/* The window is harmless when no position can reach beyond it. */
static enum mote_status refuse_window(const cJSON *config, const struct mote_hf_family *family,
				      const struct mote_config *c, struct mote_error *error)
{
	const cJSON *item = mote_json_get(config, "sliding_window");
	int64_t window;

	if (!item || cJSON_IsNull(item) || (family->takes & MOTE_HF_WINDOW))
		return MOTE_OK;
	if (!mote_json_integer(item, &window) || window < 0)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": \"sliding_window\" is no non-negative "
				      "integer");
	if (window < (int64_t)c->max_positions)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"sliding_window\" of %lld with %u positions; %s has none",
				      (long long)window, c->max_positions, family->architecture);
	return MOTE_OK;
}

/* Heads, after the sizes that they split. */
static enum mote_status read_heads(const cJSON *config, const struct mote_hf_family *family, struct mote_config *c,
				   struct mote_error *error)
{
	/* A class may have a number of its own where nothing is said; null says as many as heads. */
	uint32_t kv_heads = family->kv_heads && !mote_json_get(config, "num_key_value_heads") ? family->kv_heads
											      : c->heads;
	enum mote_status status;

	if ((status = mote_json_want_u32(config, "num_key_value_heads", 1, MOTE_MAX_HEADS, kv_heads, WHERE,
					 &c->kv_heads, error)) ||
	    (status = mote_json_want_u32(config, "head_dim", 2, MOTE_MAX_HEAD_DIM, family->head_dim, WHERE,
					 &c->head_dim, error)))
		return status;
	if (c->heads % c->kv_heads)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": %u attention heads are no multiple of %u key-value heads", c->heads,
				      c->kv_heads);
	if (c->head_dim == 0) {
		c->head_dim = c->hidden / c->heads;
		if (c->hidden % c->heads || c->head_dim < 2 || c->head_dim > MOTE_MAX_HEAD_DIM)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      WHERE ": \"head_dim\" is absent and hidden_size %u does not split into "
					      "%u heads", c->hidden, c->heads);
	}
	if (c->head_dim % 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": head_dim %u is odd", c->head_dim);
	if (c->heads * c->head_dim > MOTE_MAX_COLS)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, WHERE ": %u heads of %u are wider than %u",
				      c->heads, c->head_dim, MOTE_MAX_COLS);
	return MOTE_OK;
}

/* absent: 0, where the key is needed */
static enum mote_status read_count(const cJSON *config, const char *key, uint32_t most, uint32_t absent, uint32_t *out,
				   struct mote_error *error)
{
	return absent ? mote_json_want_u32(config, key, 1, most, absent, WHERE, out, error)
		      : mote_json_need_u32(config, key, 1, most, WHERE, out, error);
}

static enum mote_status read_shape(const cJSON *config, const struct mote_hf_family *family, struct mote_config *c,
				   struct mote_error *error)
{
	const char *eps_key = family->eps_key ? family->eps_key : "rms_norm_eps";
	const char *ffn_key = family->stored & MOTE_STORED_SHARED_MLP ? "shared_intermediate_size"
								      : "intermediate_size";
	const double eps = family->eps > 0 ? family->eps : 1e-6;
	enum mote_status status;

	if ((status = mote_json_need_u32(config, "hidden_size", 1, MOTE_MAX_COLS, WHERE, &c->hidden, error)) ||
	    (status = mote_json_need_u32(config, "num_hidden_layers", 1, MOTE_MAX_LAYERS, WHERE, &c->layers, error)) ||
	    (status = read_count(config, "num_attention_heads", MOTE_MAX_HEADS, family->heads, &c->heads, error)) ||
	    (status = mote_json_need_u32(config, ffn_key, 1, MOTE_MAX_COLS, WHERE, &c->ffn, error)) ||
	    (status = read_count(config, "vocab_size", MOTE_MAX_ROWS, family->vocab, &c->vocab, error)) ||
	    (status = mote_json_want_u32(config, "max_position_embeddings", 1, MOTE_MAX_POSITIONS, family->positions,
					 WHERE, &c->max_positions, error)) ||
	    (status = mote_json_want_double(config, eps_key, 1e-20, 1, eps, WHERE, &c->norm_eps, error)) ||
	    (status = mote_json_want_bool(config, "tie_word_embeddings", family->tied, WHERE, &c->tied_embeddings,
					  error)))
		return status;
	return read_heads(config, family, c, error);
}

/* partial_rotary_factor, beside the RoPE parameters or, since they exist, in them. */
static enum mote_status read_rotary(const cJSON *config, const struct mote_hf_family *family, struct mote_config *c,
				    struct mote_error *error)
{
	const cJSON *parameters = mote_json_get(config, "rope_parameters");
	double factor = 1;
	enum mote_status status;

	if (!(family->takes & MOTE_HF_PARTIAL)) {
		const cJSON *old = mote_json_get(config, "rope_scaling");

		if (mote_hf_is_neutral(mote_json_get(parameters, "partial_rotary_factor"), true) &&
		    mote_hf_is_neutral(mote_json_get(old, "partial_rotary_factor"), true))
			return MOTE_OK;
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"partial_rotary_factor\" is set; mote does not compute that");
	}
	if ((status = mote_json_want_double(config, "partial_rotary_factor", 0, 1, family->partial, WHERE, &factor,
					    error)) ||
	    (status = mote_json_want_double(parameters, "partial_rotary_factor", 0, 1, factor, WHERE, &factor, error)))
		return status;
	c->rotary_dim = (uint32_t)((double)c->head_dim * factor);
	if (c->rotary_dim < 2 || c->rotary_dim % 2)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": \"partial_rotary_factor\" %g of %u dimensions is no even number of them",
				      factor, c->head_dim);
	if (c->rotary_dim == c->head_dim)
		c->rotary_dim = 0;
	return MOTE_OK;
}

enum mote_status mote_hf_config_read(const cJSON *config, struct mote_hf_config *out, struct mote_error *error)
{
	const cJSON *whole = config;
	const struct mote_hf_family *family;
	enum mote_status status;

	config = mote_hf_family_text(whole);
	*out = (struct mote_hf_config){.sees_images = config != whole};
	if ((status = mote_hf_family_find(config, &family, error)) || (status = refuse_quantized(whole, error)) ||
	    (status = refuse_features(config, family, error)) ||
	    (status = read_shape(config, family, &out->model, error)) ||
	    (status = refuse_window(config, family, &out->model, error)))
		return status;
	if (!mote_json_get(config, "tie_word_embeddings") && /* the whole says it for its model of text */
	    (status = mote_json_want_bool(whole, "tie_word_embeddings", out->model.tied_embeddings, WHERE,
					  &out->model.tied_embeddings, error)))
		return status;
	out->architecture = family->as ? family->as : family->architecture;
	out->norm_plus_one = family->norm_plus_one;
	out->stored = family->stored;
	out->neighbours = family->neighbours;
	out->model.features = family->features;
	out->model.bos = -1;
	if ((family->read && (status = family->read(config, out, error))) ||
	    (status = read_rotary(config, family, &out->model, error)))
		return status;
	return mote_hf_rope_read(config, family, &out->model, error);
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
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: \"%s\": more than %u", where,
					      key, max);
		ids[count++] = (int32_t)id;
	}
	if (count)
		*n = count;
	return MOTE_OK;
}

enum mote_status mote_hf_token_ids_read(const cJSON *config, const cJSON *generation,
					struct mote_hf_token_ids *out, struct mote_error *error)
{
	static const char *const names[] = {"config.json", "config.json", "generation_config.json"};
	const cJSON *files[] = {mote_hf_family_text(config), config, generation}; /* the later wins */
	enum mote_status status;
	uint32_t n;

	*out = (struct mote_hf_token_ids){.bos = -1, .pad = -1};
	for (int i = 0; i < 3; i++)
		if ((status = read_ids(files[i], "bos_token_id", names[i], 1, &out->bos, &n, error)) ||
		    (status = read_ids(files[i], "pad_token_id", names[i], 1, &out->pad, &n, error)) ||
		    (status = read_ids(files[i], "eos_token_id", names[i], MOTE_HF_MAX_EOS, out->eos,
				       &out->n_eos, error)))
			return status;
	return MOTE_OK;
}
