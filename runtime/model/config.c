/* The model's shape, out of the container's metadata. Everything that later code multiplies, divides by or
 * allocates with is bounded here; nothing else of the metadata is looked at.
 */
#include <string.h>

#include "format/block.h"
#include "format/json.h"
#include "runtime/model/config.h"
#include "runtime/model/config_keys.h"

#define WHERE "metadata key \"model\""
#define WHERE_ROPE "metadata key \"model.rope\""

static enum mote_status read_llama3(const cJSON *rope, struct mote_config *c, struct mote_error *error)
{
	enum mote_status status;

	if ((status = mote_json_want_double(rope, "low_freq_factor", 1e-3, 1e6, 1, WHERE_ROPE,
					    &c->rope_low_freq_factor, error)) ||
	    (status = mote_json_want_double(rope, "high_freq_factor", 1e-3, 1e6, 4, WHERE_ROPE,
					    &c->rope_high_freq_factor, error)))
		return status;
	if (c->rope_high_freq_factor <= c->rope_low_freq_factor)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE_ROPE ": high_freq_factor %g is not above low_freq_factor %g",
				      c->rope_high_freq_factor, c->rope_low_freq_factor);
	return MOTE_OK;
}

static enum mote_status read_yarn(const cJSON *rope, struct mote_config *c, struct mote_error *error)
{
	bool truncate;
	enum mote_status status;

	if ((status = mote_json_want_double(rope, "beta_fast", 1e-3, 1e6, 32, WHERE_ROPE, &c->rope_beta_fast, error)) ||
	    (status = mote_json_want_double(rope, "beta_slow", 1e-3, 1e6, 1, WHERE_ROPE, &c->rope_beta_slow, error)) ||
	    (status = mote_json_want_bool(rope, "truncate", true, WHERE_ROPE, &truncate, error)))
		return status;
	c->rope_no_truncate = !truncate;
	if (c->rope_theta <= 1)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE_ROPE ": yarn with theta %g", c->rope_theta);
	return MOTE_OK;
}

static enum mote_status read_factors(const cJSON *rope, const char *key, uint32_t n, double *out,
				     struct mote_error *error)
{
	const cJSON *list = mote_json_get(rope, key), *item;
	uint32_t count = 0;

	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsNumber(item) || !(item->valuedouble >= 1e-3 && item->valuedouble <= 1e6) || count == n)
			break;
		out[count++] = item->valuedouble;
	}
	if (!cJSON_IsArray(list) || item || count != n)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE_ROPE ": \"%s\" is no list of %u positive "
				      "numbers", key, n);
	return MOTE_OK;
}

/* After head_dim and rotary_dim. */
static enum mote_status read_rope(const cJSON *model, struct mote_config *c, struct mote_error *error)
{
	const cJSON *rope = mote_json_get(model, "rope");
	uint32_t half = (c->rotary_dim ? c->rotary_dim : c->head_dim) / 2;
	enum mote_status status = MOTE_OK;
	const char *type = "default";

	if (rope && !cJSON_IsObject(rope))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE_ROPE " is no object");
	if ((status = mote_json_want_string(rope, "type", "default", WHERE_ROPE, &type, error)) ||
	    (status = mote_json_want_double(rope, "theta", 1, 1e12, 10000, WHERE_ROPE, &c->rope_theta, error)))
		return status;
	c->rope_factor = c->rope_low_freq_factor = c->rope_high_freq_factor = 1;
	while (c->rope_kind < MOTE_ROPE_KINDS && strcmp(type, mote_rope_kinds[c->rope_kind]))
		c->rope_kind++;
	if (c->rope_kind == MOTE_ROPE_KINDS)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, WHERE_ROPE
				      ": RoPE kind \"%s\"; default, linear, llama3, yarn, dynamic and longrope are "
				      "supported", type);
	if (c->rope_kind != MOTE_ROPE_DEFAULT && c->rope_kind != MOTE_ROPE_LONGROPE)
		status = mote_json_want_double(rope, "factor", 1, 1e6, 1, WHERE_ROPE, &c->rope_factor, error);
	if (!status && c->rope_kind >= MOTE_ROPE_LLAMA3)
		status = mote_json_need_u32(rope, "original_max_position_embeddings", 1, MOTE_MAX_POSITIONS, WHERE_ROPE,
					    &c->rope_original_positions, error);
	if (!status && (c->rope_kind == MOTE_ROPE_YARN || c->rope_kind == MOTE_ROPE_LONGROPE))
		status = mote_json_want_double(rope, "attention_factor", 1e-6, 1e6, 1, WHERE_ROPE,
					       &c->rope_attention_factor, error);
	if (!status && c->rope_kind == MOTE_ROPE_LLAMA3)
		status = read_llama3(rope, c, error);
	if (!status && c->rope_kind == MOTE_ROPE_YARN)
		status = read_yarn(rope, c, error);
	if (!status && c->rope_kind == MOTE_ROPE_DYNAMIC && half < 2)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE_ROPE ": dynamic RoPE of 2 dimensions");
	if (!status && c->rope_kind == MOTE_ROPE_LONGROPE &&
	    !(status = read_factors(rope, "short_factor", half, c->rope_short_factor, error)))
		status = read_factors(rope, "long_factor", half, c->rope_long_factor, error);
	return status;
}

static enum mote_status token_id(const cJSON *item, const char *key, int32_t *id, struct mote_error *error)
{
	int64_t value;

	if (!mote_json_integer(item, &value) || value < 0 || value > INT32_MAX)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "metadata key \"tokens.%s\": expected a token id of 0 to %d", key, INT32_MAX);
	*id = (int32_t)value;
	return MOTE_OK;
}

/* Ids beyond the vocabulary are let through: they are never produced, so they never match. */
static enum mote_status read_tokens(const cJSON *tokens, struct mote_config *c, struct mote_error *error)
{
	const cJSON *bos = mote_json_get(tokens, "bos"), *eos = mote_json_get(tokens, "eos"), *item;
	enum mote_status status;

	c->bos = -1;
	if (bos && !cJSON_IsNull(bos) && (status = token_id(bos, "bos", &c->bos, error)))
		return status;
	if (eos && !cJSON_IsNull(eos) && !cJSON_IsArray(eos))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "metadata key \"tokens.eos\" is no array");
	for (item = eos ? eos->child : NULL; item; item = item->next) {
		if (c->n_eos == MOTE_MAX_EOS)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "metadata key \"tokens.eos\" has more than %d ids", MOTE_MAX_EOS);
		if ((status = token_id(item, "eos", &c->eos[c->n_eos], error)))
			return status;
		c->n_eos++;
	}
	return MOTE_OK;
}

/* The keys that a Llama has not. Each must be understood: what it says changes the result. */
static enum mote_status read_layers(const cJSON *model, struct mote_config *c, struct mote_error *error)
{
	for (size_t i = 0; i < MOTE_LAYER_KEYS; i++) {
		const cJSON *list = mote_json_get(model, mote_layer_keys[i].key), *item;
		int64_t layer;

		if (list && !cJSON_IsArray(list))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": \"%s\" is no list",
					      mote_layer_keys[i].key);
		cJSON_ArrayForEach(item, list)
		{
			if (!mote_json_integer(item, &layer) || layer < 0 || layer >= (int64_t)c->layers)
				return mote_error_set(error, MOTE_ERROR_CORRUPT,
						      WHERE ": \"%s\": expected layers of 0 to %u",
						      mote_layer_keys[i].key, c->layers - 1);
			c->layer_kind[layer] = (uint8_t)(c->layer_kind[layer] | mote_layer_keys[i].kind);
		}
		if (mote_layer_keys[i].kind == MOTE_LAYER_WINDOW && list && list->child && c->window == 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      WHERE ": \"window_layers\" without \"sliding_window\"");
		if (mote_layer_keys[i].kind == MOTE_LAYER_LOCAL_ROPE && list && list->child && c->rope_local_theta == 0)
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      WHERE ": \"local_rope_layers\" without \"rope_local_theta\"");
	}
	return MOTE_OK;
}

static enum mote_status refuse_unknown_keys(const cJSON *model, struct mote_error *error)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, model)
	{
		bool known = false;

		for (const char *const *key = mote_llama_keys; *key && !known; key++)
			known = !strcmp(item->string, *key);
		for (size_t i = 0; i < MOTE_NUMBER_KEYS && !known; i++)
			known = !strcmp(item->string, mote_number_keys[i].key);
		for (size_t i = 0; i < MOTE_FEATURE_KEYS && !known; i++)
			known = !strcmp(item->string, mote_feature_keys[i].key);
		for (size_t i = 0; i < MOTE_LAYER_KEYS && !known; i++)
			known = !strcmp(item->string, mote_layer_keys[i].key);
		if (!known && strcmp(item->string, "rotary_dim") && strcmp(item->string, "sliding_window"))
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      WHERE ": this program does not know \"%s\" (it is older than the file)",
					      item->string);
	}
	return MOTE_OK;
}

static enum mote_status read_differences(const cJSON *model, struct mote_config *c, struct mote_error *error)
{
	enum mote_status status = refuse_unknown_keys(model, error);
	bool given;

	for (size_t i = 0; i < MOTE_NUMBER_KEYS && !status; i++)
		status = mote_json_want_double(model, mote_number_keys[i].key, 1e-9, 1e12, 0, WHERE,
					       (double *)(void *)((char *)c + mote_number_keys[i].offset), error);
	for (size_t i = 0; i < MOTE_FEATURE_KEYS && !status; i++) {
		status = mote_json_want_bool(model, mote_feature_keys[i].key, false, WHERE, &given, error);
		if (!status && given)
			c->features |= mote_feature_keys[i].feature;
	}
	if (status ||
	    (status = mote_json_want_u32(model, "rotary_dim", 2, c->head_dim, 0, WHERE, &c->rotary_dim, error)) ||
	    (status = mote_json_want_u32(model, "sliding_window", 1, MOTE_MAX_POSITIONS, 0, WHERE, &c->window,
					 error)) ||
	    (status = read_layers(model, c, error)))
		return status;
	if (c->rotary_dim % 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": rotary_dim %u is odd", c->rotary_dim);
	if ((c->features & MOTE_HEAD_NORM) && (c->features & MOTE_WIDE_NORM))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": q and k have two kinds of norm");
	if ((c->features & MOTE_NORM_AFTER_ROPE) && !(c->features & MOTE_HEAD_NORM))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": qk_norm_after_rope without qk_head_norm");
	if ((c->features & MOTE_POST_NORM) && (c->residual_scale > 0 || (c->features & MOTE_LAYER_NORM)))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      WHERE ": norms after each half with LayerNorm or a residual scale");
	return MOTE_OK;
}

static enum mote_status read_architecture(const cJSON *metadata, bool *llama, struct mote_error *error)
{
	const char *architecture;
	enum mote_status status = mote_json_need_string(metadata, "architecture", "metadata", &architecture, error);

	if (status)
		return status;
	*llama = !strcmp(architecture, MOTE_ARCHITECTURE_LLAMA);
	if (!*llama && strcmp(architecture, MOTE_ARCHITECTURE_DECODER))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "architecture \"%s\"; only \"llama\" and \"decoder\" are supported",
				      architecture);
	return MOTE_OK;
}

static enum mote_status read_shape(const cJSON *model, struct mote_config *c, struct mote_error *error)
{
	enum mote_status status;

	if ((status = mote_json_need_u32(model, "hidden_size", 1, MOTE_MAX_COLS, WHERE, &c->hidden, error)) ||
	    (status = mote_json_need_u32(model, "num_hidden_layers", 1, MOTE_MAX_LAYERS, WHERE, &c->layers, error)) ||
	    (status = mote_json_need_u32(model, "num_attention_heads", 1, MOTE_MAX_HEADS, WHERE, &c->heads, error)) ||
	    (status = mote_json_need_u32(model, "num_key_value_heads", 1, MOTE_MAX_HEADS, WHERE, &c->kv_heads,
					 error)) ||
	    (status = mote_json_need_u32(model, "head_dim", 2, MOTE_MAX_HEAD_DIM, WHERE, &c->head_dim, error)) ||
	    (status = mote_json_need_u32(model, "intermediate_size", 1, MOTE_MAX_COLS, WHERE, &c->ffn, error)) ||
	    (status = mote_json_need_u32(model, "vocab_size", 1, MOTE_MAX_ROWS, WHERE, &c->vocab, error)) ||
	    (status = mote_json_need_u32(model, "max_position_embeddings", 1, MOTE_MAX_POSITIONS, WHERE,
					 &c->max_positions, error)) ||
	    (status = mote_json_want_double(model, "rms_norm_eps", 1e-20, 1, 1e-6, WHERE, &c->norm_eps, error)) ||
	    (status = mote_json_want_bool(model, "tie_word_embeddings", false, WHERE, &c->tied_embeddings, error)))
		return status;
	if (c->heads % c->kv_heads)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": %u attention heads are no multiple of %u key-value heads", c->heads,
				      c->kv_heads);
	if (c->head_dim % 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": head_dim %u is odd", c->head_dim);
	if (c->heads * c->head_dim > MOTE_MAX_COLS)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": %u heads of %u are wider than %u",
				      c->heads, c->head_dim, MOTE_MAX_COLS);
	return MOTE_OK;
}

enum mote_status mote_config_read(const cJSON *metadata, struct mote_config *out, struct mote_error *error)
{
	const cJSON *model = mote_json_get(metadata, "model");
	struct mote_config *c = out;
	enum mote_status status;
	bool llama;

	*c = (struct mote_config){0};
	if (!model || cJSON_IsNull(model))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "the file holds a tokenizer but no model (it was made with --vocab-only)");
	if (!cJSON_IsObject(model))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s is no object", WHERE);
	if ((status = read_architecture(metadata, &llama, error)) || (status = read_shape(model, c, error)) ||
	    (!llama && (status = read_differences(model, c, error))) || (status = read_rope(model, c, error)))
		return status;
	if (c->attention_growth > 0 && !c->rope_original_positions)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": \"attention_growth\" without \"rope\" of a "
				      "kind that has \"original_max_position_embeddings\"");
	return read_tokens(mote_json_get(metadata, "tokens"), c, error);
}
