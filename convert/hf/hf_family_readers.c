/* Readers of families: see hf_family_readers.h. */
#include "convert/hf/hf_family_readers.h"

#include <math.h>
#include <string.h>

#include "convert/hf/hf_layers.h"
#include "runtime/kernels/exact.h"

/* attention_bias and mlp_bias, as Llama has them: of q, k, v and o, and of gate, up and down. */
static enum mote_status read_biases(const cJSON *config, struct mote_config *c, struct mote_error *error)
{
	bool attention, mlp;
	enum mote_status status;

	if ((status = mote_json_want_bool(config, "attention_bias", false, MOTE_HF_WHERE, &attention, error)) ||
	    (status = mote_json_want_bool(config, "mlp_bias", false, MOTE_HF_WHERE, &mlp, error)))
		return status;
	c->features |= (attention ? MOTE_QKV_BIAS | MOTE_OUT_BIAS : 0u) | (mlp ? MOTE_FFN_BIAS : 0u);
	return MOTE_OK;
}

enum mote_status mote_hf_read_llama(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	return read_biases(config, &c->model, error);
}

enum mote_status mote_hf_read_mistral(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	uint32_t window;
	enum mote_status status = mote_hf_window_read(config, 4096, &window, error); /* unless null, there is one */

	return status ? status : mote_hf_window_set(config, &c->model, window, true, error);
}

/* Its queries grow with their position, by a number among RoPE's. */
enum mote_status mote_hf_read_ministral3(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	const cJSON *rope = mote_json_get(config, "rope_parameters");
	uint32_t window;
	enum mote_status status;

	rope = rope ? rope : mote_json_get(config, "rope_scaling");
	if (!cJSON_IsObject(rope) || !mote_json_get(rope, "original_max_position_embeddings"))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, MOTE_HF_WHERE ": \"rope_parameters\" with an "
				      "\"original_max_position_embeddings\" is missing");
	if ((status = mote_json_want_double(rope, "llama_4_scaling_beta", 0, 1e3, 0, MOTE_HF_WHERE,
					    &c->model.attention_growth, error)) ||
	    (status = mote_hf_window_read(config, 0, &window, error)))
		return status;
	return mote_hf_window_set(config, &c->model, window, true, error);
}

enum mote_status mote_hf_read_qwen(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	uint32_t window = 0, full_layers;
	enum mote_status status;
	bool used;

	if ((status = read_biases(config, &c->model, error)) ||
	    (status = mote_json_want_bool(config, "use_sliding_window", false, MOTE_HF_WHERE, &used, error)) ||
	    (status = mote_json_want_u32(config, "max_window_layers", 0, UINT32_MAX, 28, MOTE_HF_WHERE, &full_layers,
					 error)) ||
	    (used && (status = mote_hf_window_read(config, 4096, &window, error))))
		return status;
	for (uint32_t i = full_layers; i < c->model.layers && window; i++)
		c->model.layer_kind[i] = MOTE_LAYER_WINDOW;
	return mote_hf_window_set(config, &c->model, window, false, error);
}

/* The layers without RoPE are those with a 0 in the list, or every fourth. */
enum mote_status mote_hf_read_smollm3(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	const cJSON *list = mote_json_get(config, "no_rope_layers"), *item = list ? list->child : NULL;
	uint32_t interval, window = 0, n = c->model.layers;
	uint8_t no_rope[MOTE_MAX_LAYERS] = {0};
	enum mote_status status;
	int64_t rope;
	bool used;

	if ((status = read_biases(config, &c->model, error)) ||
	    (status = mote_json_want_bool(config, "use_sliding_window", false, MOTE_HF_WHERE, &used, error)) ||
	    (used && (status = mote_hf_window_read(config, 0, &window, error))) ||
	    (status = mote_json_want_u32(config, "no_rope_layer_interval", 1, UINT32_MAX, 4, MOTE_HF_WHERE,
					 &interval, error)))
		return status;
	for (uint32_t i = 0; i < n; i++) {
		rope = (i + 1) % interval != 0;
		if (list && !cJSON_IsNull(list) && (!item || !mote_json_integer(item, &rope) || rope < 0 || rope > 1))
			return mote_error_set(error, MOTE_ERROR_CORRUPT,
					      MOTE_HF_WHERE ": \"no_rope_layers\": expected %u times 0 or 1", n);
		no_rope[i] = rope ? 0 : MOTE_LAYER_NO_ROPE;
		c->model.layer_kind[i] = window && !rope ? MOTE_LAYER_WINDOW : 0;
		item = item ? item->next : NULL;
	}
	status = mote_hf_window_set(config, &c->model, window, false, error);
	for (uint32_t i = 0; i < n; i++)
		c->model.layer_kind[i] |= no_rope[i];
	return status;
}

enum mote_status mote_hf_read_granite(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	struct mote_config *m = &c->model;
	enum mote_status status;
	double divisor;

	if ((status = read_biases(config, m, error)) ||
	    (status = mote_json_want_double(config, "embedding_multiplier", 1e-6, 1e6, 1, MOTE_HF_WHERE,
					    &m->embedding_scale, error)) ||
	    (status = mote_json_want_double(config, "residual_multiplier", 1e-6, 1e6, 1, MOTE_HF_WHERE,
					    &m->residual_scale, error)) ||
	    (status = mote_json_want_double(config, "attention_multiplier", 1e-6, 1e6, 1, MOTE_HF_WHERE,
					    &m->attention_scale, error)) ||
	    (status = mote_json_want_double(config, "logits_scaling", 1e-6, 1e6, 1, MOTE_HF_WHERE, &divisor, error)))
		return status;
	m->logits_scale = 1 / divisor;
	return MOTE_OK;
}

enum mote_status mote_hf_read_gemma(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	(void)config;
	(void)error;
	c->model.embedding_scale = sqrt((double)c->model.hidden);
	return MOTE_OK;
}

/* Null turns a cap off. */
static enum mote_status read_cap(const cJSON *config, const char *key, double absent, double *cap,
				 struct mote_error *error)
{
	if (cJSON_IsNull(mote_json_get(config, key)))
		return MOTE_OK;
	return mote_json_want_double(config, key, absent > 0 ? 1e-6 : 0, 1e6, absent, MOTE_HF_WHERE, cap, error);
}

static enum mote_status read_gemma2_common(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	struct mote_config *m = &c->model;
	enum mote_status status;
	double scalar;

	if ((status = mote_hf_read_gemma(config, c, error)) ||
	    (status = mote_json_want_double(config, "query_pre_attn_scalar", 1e-6, 1e9, 256, MOTE_HF_WHERE,
					    &scalar, error)))
		return status;
	m->attention_scale = mote_exact_pow(scalar, -0.5);
	return read_biases(config, m, error);
}

enum mote_status mote_hf_read_gemma2(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	uint32_t window;
	enum mote_status status;

	if ((status = read_gemma2_common(config, c, error)) ||
	    (status = read_cap(config, "attn_logit_softcapping", 50, &c->model.attention_cap, error)) ||
	    (status = read_cap(config, "final_logit_softcapping", 30, &c->model.logits_cap, error)) ||
	    (status = mote_hf_window_read(config, 4096, &window, error)))
		return status;
	for (uint32_t i = 0; i < c->model.layers; i += 2)
		c->model.layer_kind[i] = MOTE_LAYER_WINDOW;
	return mote_hf_window_set(config, &c->model, window, false, error);
}

enum mote_status mote_hf_read_gemma3(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	struct mote_config *m = &c->model;
	uint8_t local[MOTE_MAX_LAYERS] = {0};
	uint32_t window, pattern;
	enum mote_status status;

	if ((status = read_gemma2_common(config, c, error)) ||
	    (status = read_cap(config, "attn_logit_softcapping", 0, &m->attention_cap, error)) ||
	    (status = read_cap(config, "final_logit_softcapping", 0, &m->logits_cap, error)) ||
	    (status = mote_json_want_u32(config, "sliding_window_pattern", 1, UINT32_MAX, 6, MOTE_HF_WHERE, &pattern,
					 error)) ||
	    (status = mote_hf_window_read(config, 4096, &window, error)))
		return status;
	for (uint32_t i = 0; i < m->layers; i++)
		m->layer_kind[i] = (i + 1) % pattern ? MOTE_LAYER_WINDOW : 0;
	status = mote_hf_layer_types_read(config, m, error);
	/* which RoPE a layer has does not depend on whether the window matters */
	for (uint32_t i = 0; i < m->layers; i++)
		local[i] = m->layer_kind[i] & MOTE_LAYER_WINDOW ? MOTE_LAYER_LOCAL_ROPE : 0;
	if (!status)
		status = mote_hf_window_set(config, m, window, false, error);
	for (uint32_t i = 0; i < m->layers; i++)
		m->layer_kind[i] |= local[i];
	return status;
}

/* Three of four layers have a window, and RoPE as it is before it is scaled. */
enum mote_status mote_hf_read_olmo3(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	struct mote_config *m = &c->model;
	uint8_t local[MOTE_MAX_LAYERS] = {0};
	uint32_t window;
	enum mote_status status;

	if ((status = read_biases(config, m, error)) ||
	    (status = mote_hf_window_read(config, 4096, &window, error)))
		return status;
	for (uint32_t i = 0; i < m->layers; i++)
		m->layer_kind[i] = (i + 1) % 4 ? MOTE_LAYER_WINDOW : 0;
	if ((status = mote_hf_layer_types_read(config, m, error)))
		return status;
	for (uint32_t i = 0; i < m->layers; i++)
		local[i] = m->layer_kind[i] & MOTE_LAYER_WINDOW ? MOTE_LAYER_LOCAL_ROPE : 0;
	status = mote_hf_window_set(config, m, window, false, error);
	for (uint32_t i = 0; i < m->layers; i++)
		m->layer_kind[i] |= local[i];
	return status;
}

enum mote_status mote_hf_read_phi3(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	uint32_t window;
	enum mote_status status = mote_hf_window_read(config, 0, &window, error);

	return status ? status : mote_hf_window_set(config, &c->model, window, true, error);
}

enum mote_status mote_hf_read_stablelm(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	bool bias;
	enum mote_status status = mote_json_want_bool(config, "use_qkv_bias", false, MOTE_HF_WHERE, &bias, error);

	c->model.features |= bias ? MOTE_QKV_BIAS : 0u;
	return status;
}

enum mote_status mote_hf_read_minicpm(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	struct mote_config *m = &c->model;
	enum mote_status status;
	double depth, base;

	if ((status = read_biases(config, m, error)) ||
	    (status = mote_json_want_double(config, "scale_emb", 1e-6, 1e6, 1, MOTE_HF_WHERE, &m->embedding_scale,
					    error)) ||
	    (status = mote_json_want_double(config, "scale_depth", 1e-6, 1e6, 1, MOTE_HF_WHERE, &depth, error)) ||
	    (status = mote_json_want_double(config, "dim_model_base", 1e-6, 1e6, 1, MOTE_HF_WHERE, &base, error)))
		return status;
	m->residual_scale = depth / sqrt((double)m->layers);
	m->logits_scale = base / (double)m->hidden;
	return MOTE_OK;
}

/* Every layer has to be attention and none a mixture; positions are said by name. */
enum mote_status mote_hf_read_granite_hybrid(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	const cJSON *list = mote_json_get(config, "layer_types"), *item;
	uint32_t experts, layers = 0;
	const char *positions;
	enum mote_status status;

	if ((status = mote_json_want_u32(config, "num_local_experts", 0, UINT32_MAX, 8, MOTE_HF_WHERE, &experts,
					 error)) ||
	    (status = mote_json_want_string(config, "position_embedding_type", "nope", MOTE_HF_WHERE, &positions,
					    error)))
		return status;
	cJSON_ArrayForEach(item, list)
		layers += cJSON_IsString(item) && !strcmp(item->valuestring, "attention");
	if (experts)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      MOTE_HF_WHERE ": \"num_local_experts\" is %u: a mixture of experts is not "
				      "supported", experts);
	if (layers != c->model.layers || cJSON_GetArraySize(list) != (int)layers)
		return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				      MOTE_HF_WHERE ": \"layer_types\": expected %u times \"attention\"; other "
				      "layers are not supported", c->model.layers);
	for (uint32_t i = 0; i < layers && strcmp(positions, "rope"); i++)
		c->model.layer_kind[i] = MOTE_LAYER_NO_ROPE;
	return mote_hf_read_granite(config, c, error);
}

/* Where there is a window, layers without it have no RoPE. */
enum mote_status mote_hf_read_exaone4(const cJSON *config, struct mote_hf_config *c, struct mote_error *error)
{
	const cJSON *pattern = mote_json_get(config, "sliding_window_pattern");
	const char *kinds = cJSON_IsString(pattern) ? pattern->valuestring : "";
	const size_t n = strlen(kinds);
	struct mote_config *m = &c->model;
	uint8_t no_rope[MOTE_MAX_LAYERS] = {0};
	uint32_t window, every = 4;
	enum mote_status status = mote_hf_window_read(config, 4096, &window, error);

	if (!status && !n)
		status = mote_json_want_u32(config, "sliding_window_pattern", 1, UINT32_MAX, 4, MOTE_HF_WHERE, &every,
					    error);
	if (status || !window)
		return status;
	if (strspn(kinds, "LG") != n)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, MOTE_HF_WHERE ": \"sliding_window_pattern\" \"%s\": "
				      "expected a number, or letters L and G", kinds);
	for (uint32_t i = 0; i < m->layers; i++)
		if (n ? i + 1 < m->layers && kinds[i % n] == 'L' : (i + 1) % every != 0)
			m->layer_kind[i] = MOTE_LAYER_WINDOW;
	if ((status = mote_hf_layer_types_read(config, m, error)))
		return status;
	for (uint32_t i = 0; i < m->layers; i++)
		no_rope[i] = m->layer_kind[i] & MOTE_LAYER_WINDOW ? 0 : MOTE_LAYER_NO_ROPE;
	status = mote_hf_window_set(config, m, window, false, error);
	for (uint32_t i = 0; i < m->layers; i++)
		m->layer_kind[i] |= no_rope[i];
	return status;
}
