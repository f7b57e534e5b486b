/* The model's shape, out of the container's metadata. Everything that later code multiplies, divides by or
 * allocates with is bounded here; nothing else of the metadata is looked at.
 */
#include <string.h>

#include "format/block.h"
#include "format/json.h"
#include "runtime/model/config.h"

#define WHERE "metadata key \"model\""

enum {
	MAX_LAYERS = 1024,
	MAX_HEADS = 1024,
	MAX_HEAD_DIM = 1024,
	MAX_POSITIONS = 1 << 24
};

static enum mote_status read_rope(const cJSON *model, struct mote_config *c, struct mote_error *error)
{
	static const char where[] = "metadata key \"model.rope\"";
	const cJSON *rope = mote_json_get(model, "rope");
	enum mote_status status = MOTE_OK;
	const char *type = "default";

	if (rope && !cJSON_IsObject(rope))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s is no object", where);
	if ((status = mote_json_want_string(rope, "type", "default", where, &type, error)) ||
	    (status = mote_json_want_double(rope, "theta", 1, 1e12, 10000, where, &c->rope_theta, error)))
		return status;
	c->rope_factor = c->rope_low_freq_factor = c->rope_high_freq_factor = 1;
	if (!strcmp(type, "default")) {
		c->rope_kind = MOTE_ROPE_DEFAULT;
		return MOTE_OK;
	}
	if ((status = mote_json_want_double(rope, "factor", 1, 1e6, 1, where, &c->rope_factor, error)))
		return status;
	if (!strcmp(type, "linear")) {
		c->rope_kind = MOTE_ROPE_LINEAR;
		return MOTE_OK;
	}
	if (strcmp(type, "llama3"))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "%s: RoPE kind \"%s\"; default, linear and llama3 are supported", where, type);
	c->rope_kind = MOTE_ROPE_LLAMA3;
	if ((status = mote_json_want_double(rope, "low_freq_factor", 1e-3, 1e6, 1, where,
					    &c->rope_low_freq_factor, error)) ||
	    (status = mote_json_want_double(rope, "high_freq_factor", 1e-3, 1e6, 4, where,
					    &c->rope_high_freq_factor, error)) ||
	    (status = mote_json_need_u32(rope, "original_max_position_embeddings", 1, MAX_POSITIONS, where,
					 &c->rope_original_positions, error)))
		return status;
	if (c->rope_high_freq_factor <= c->rope_low_freq_factor)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      "%s: high_freq_factor %g is not above low_freq_factor %g", where,
				      c->rope_high_freq_factor, c->rope_low_freq_factor);
	return MOTE_OK;
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

enum mote_status mote_config_read(const cJSON *metadata, struct mote_config *out, struct mote_error *error)
{
	const cJSON *model = mote_json_get(metadata, "model");
	struct mote_config c = {0};
	const char *architecture;
	enum mote_status status;
	double eps = 0;

	if (!model || cJSON_IsNull(model))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "the file holds a tokenizer but no model (it was made with --vocab-only)");
	if (!cJSON_IsObject(model))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s is no object", WHERE);
	if ((status = mote_json_need_string(metadata, "architecture", "metadata", &architecture, error)))
		return status;
	if (strcmp(architecture, "llama"))
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      "architecture \"%s\"; only \"llama\" is supported", architecture);
	if ((status = mote_json_need_u32(model, "hidden_size", 1, MOTE_MAX_COLS, WHERE, &c.hidden, error)) ||
	    (status = mote_json_need_u32(model, "num_hidden_layers", 1, MAX_LAYERS, WHERE, &c.layers, error)) ||
	    (status = mote_json_need_u32(model, "num_attention_heads", 1, MAX_HEADS, WHERE, &c.heads, error)) ||
	    (status = mote_json_need_u32(model, "num_key_value_heads", 1, MAX_HEADS, WHERE, &c.kv_heads, error)) ||
	    (status = mote_json_need_u32(model, "head_dim", 2, MAX_HEAD_DIM, WHERE, &c.head_dim, error)) ||
	    (status = mote_json_need_u32(model, "intermediate_size", 1, MOTE_MAX_COLS, WHERE, &c.ffn, error)) ||
	    (status = mote_json_need_u32(model, "vocab_size", 1, MOTE_MAX_ROWS, WHERE, &c.vocab, error)) ||
	    (status = mote_json_need_u32(model, "max_position_embeddings", 1, MAX_POSITIONS, WHERE,
					 &c.max_positions, error)) ||
	    (status = mote_json_want_double(model, "rms_norm_eps", 1e-20, 1, 1e-6, WHERE, &eps, error)) ||
	    (status = mote_json_want_bool(model, "tie_word_embeddings", false, WHERE, &c.tied_embeddings, error)) ||
	    (status = read_rope(model, &c, error)) ||
	    (status = read_tokens(mote_json_get(metadata, "tokens"), &c, error)))
		return status;
	c.norm_eps = (float)eps;
	if (c.heads % c.kv_heads)
		return mote_error_set(error, MOTE_ERROR_CORRUPT,
				      WHERE ": %u attention heads are no multiple of %u key-value heads", c.heads,
				      c.kv_heads);
	if (c.head_dim % 2)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": head_dim %u is odd", c.head_dim);
	if (c.heads * c.head_dim > MOTE_MAX_COLS)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, WHERE ": %u heads of %u are wider than %u",
				      c.heads, c.head_dim, MOTE_MAX_COLS);
	*out = c;
	return MOTE_OK;
}
