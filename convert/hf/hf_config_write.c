/* config.json, written: see hf_config_write.h. cJSON's Add functions accept NULL and return NULL then, so that a
 * failure is seen at the end. */
#include "convert/hf/hf_config_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/kernels/exact.h"

struct config {
	cJSON *out;
	const struct mote_config *c;
	const struct mote_export_family *family;
	bool failed;
};

static void put(struct config *w, const char *key, cJSON *item)
{
	if (!item || !cJSON_AddItemToObject(w->out, key, item)) {
		cJSON_Delete(item);
		w->failed = true;
	}
}

static void put_number(struct config *w, const char *key, double x)
{
	put(w, key, cJSON_CreateNumber(x));
}

static bool is(const struct config *w, const char *model_type)
{
	return strcmp(w->family->model_type, model_type) == 0;
}

/* Of a number that follows from one in the config, the shortest decimal that it follows from. */
static double shortest(const struct config *w, double guess, double (*follows)(double, const struct mote_config *),
		       double wanted)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, guess);
		if (follows(strtod(text, NULL), w->c) == wanted)
			return strtod(text, NULL);
	}
	return guess;
}

static double inverse(double x, const struct mote_config *c)
{
	(void)c;
	return 1 / x;
}

static double residual_of_depth(double x, const struct mote_config *c)
{
	return x / sqrt((double)c->layers);
}

static double logits_of_base(double x, const struct mote_config *c)
{
	return x / (double)c->hidden;
}

static double scale_of_scalar(double x, const struct mote_config *c)
{
	(void)c;
	return mote_exact_pow(x, -0.5);
}

static double or_one(double x)
{
	return x > 0 ? x : 1;
}

static void put_shape(struct config *w)
{
	const struct mote_config *c = w->c;
	const bool gelu = c->features & MOTE_GELU;
	cJSON *names = cJSON_AddArrayToObject(w->out, "architectures");

	w->failed = w->failed || !names || !cJSON_AddItemToArray(names, cJSON_CreateString(w->family->architecture));
	put(w, "model_type", cJSON_CreateString(w->family->model_type));
	put(w, "hidden_act", cJSON_CreateString(gelu ? "gelu_pytorch_tanh" : "silu"));
	if (gelu)
		put(w, "hidden_activation", cJSON_CreateString("gelu_pytorch_tanh"));
	put_number(w, "hidden_size", c->hidden);
	put_number(w, "num_hidden_layers", c->layers);
	put_number(w, "num_attention_heads", c->heads);
	put_number(w, "num_key_value_heads", c->kv_heads);
	put_number(w, "head_dim", c->head_dim);
	put_number(w, "intermediate_size", c->ffn);
	put_number(w, "vocab_size", c->vocab);
	put_number(w, c->features & MOTE_LAYER_NORM ? "layer_norm_eps" : "rms_norm_eps", c->norm_eps);
	put(w, "tie_word_embeddings", cJSON_CreateBool(c->tied_embeddings));
	if (w->family->takes & MOTE_EXPORT_PARTIAL)
		put_number(w, "partial_rotary_factor", c->rotary_dim ? (double)c->rotary_dim / c->head_dim : 1);
}

/* One key for q, k, v and o; Qwen2 has the first three anyway. */
static void put_biases(struct config *w)
{
	const unsigned features = w->c->features;

	if (is(w, "stablelm"))
		put(w, "use_qkv_bias", cJSON_CreateBool((features & MOTE_QKV_BIAS) != 0));
	if (w->family->optional & MOTE_OUT_BIAS)
		put(w, "attention_bias", cJSON_CreateBool((features & MOTE_OUT_BIAS) != 0));
	if (w->family->optional & MOTE_FFN_BIAS)
		put(w, "mlp_bias", cJSON_CreateBool((features & MOTE_FFN_BIAS) != 0));
}

/* The names of rope in the container are those of config.json, but for "type" and "theta". Where the positions are
 * those that scaling extends, config.json has the original ones. */
static void put_rope(struct config *w, const cJSON *rope)
{
	const cJSON *kind = mote_json_get(rope, "type");
	const struct mote_config *c = w->c;
	cJSON *scaling;

	put_number(w, "max_position_embeddings",
		   c->rope_kind == MOTE_ROPE_DYNAMIC ? c->rope_original_positions : c->max_positions);
	put_number(w, "rope_theta", c->rope_theta);
	if (is(w, "gemma3_text") && c->rope_local_theta > 0)
		put_number(w, "rope_local_base_freq", c->rope_local_theta);
	if (is(w, "phi3") && c->rope_kind == MOTE_ROPE_LONGROPE)
		put_number(w, "original_max_position_embeddings", c->rope_original_positions);
	if (c->rope_kind == MOTE_ROPE_DEFAULT) {
		put(w, "rope_scaling", cJSON_CreateNull());
		return;
	}
	scaling = cJSON_AddObjectToObject(w->out, "rope_scaling");
	w->failed = w->failed || !scaling || !cJSON_AddItemToObject(scaling, "rope_type", cJSON_Duplicate(kind, false));
	if (w->family->takes & MOTE_EXPORT_GROWTH && c->attention_growth > 0)
		w->failed |= !cJSON_AddNumberToObject(scaling, "llama_4_scaling_beta", c->attention_growth);
	for (const cJSON *item = rope ? rope->child : NULL; item && !w->failed; item = item->next)
		if (strcmp(item->string, "type") && strcmp(item->string, "theta"))
			w->failed = !cJSON_AddItemToObject(scaling, item->string, cJSON_Duplicate(item, true));
}

static void put_layer_types(struct config *w, enum mote_layer_kind kind)
{
	cJSON *list = cJSON_AddArrayToObject(w->out, "layer_types");

	w->failed = w->failed || !list;
	for (uint32_t i = 0; i < w->c->layers && !w->failed; i++)
		w->failed = !cJSON_AddItemToArray(list, cJSON_CreateString(w->c->layer_kind[i] & kind
									   ? "sliding_attention" :
										  "full_attention"));
}

/* A window that no position reaches beyond is not kept; Gemma and OLMo 3 have one all the same. */
static void put_window(struct config *w)
{
	const struct mote_config *c = w->c;
	const bool switched = is(w, "qwen2") || is(w, "qwen3") || is(w, "smollm3");
	const bool always = c->features & MOTE_GELU || is(w, "olmo3");
	uint32_t full = 0;

	if (!(w->family->takes & MOTE_EXPORT_WINDOW))
		return;
	if (switched)
		put(w, "use_sliding_window", cJSON_CreateBool(c->window != 0));
	if (c->window || always)
		put_number(w, "sliding_window", c->window ? c->window : c->max_positions);
	else
		put(w, "sliding_window", cJSON_CreateNull());
	while (full < c->layers && !(c->layer_kind[full] & MOTE_LAYER_WINDOW))
		full++;
	if (switched && c->window)
		put_number(w, "max_window_layers", full);
	if (is(w, "gemma3_text") || is(w, "olmo3"))
		put_layer_types(w, MOTE_LAYER_LOCAL_ROPE);
	else if (is(w, "exaone4") || (c->window && !is(w, "mistral") && !is(w, "ministral3") && !is(w, "phi3")))
		put_layer_types(w, MOTE_LAYER_WINDOW);
}

static void put_no_rope(struct config *w)
{
	cJSON *list = cJSON_AddArrayToObject(w->out, "no_rope_layers");

	w->failed = w->failed || !list;
	for (uint32_t i = 0; i < w->c->layers && !w->failed; i++)
		w->failed = !cJSON_AddItemToArray(list,
						  cJSON_CreateNumber(!(w->c->layer_kind[i] & MOTE_LAYER_NO_ROPE)));
}

static void put_cap(struct config *w, const char *key, double cap)
{
	put(w, key, cap > 0 ? cJSON_CreateNumber(cap) : cJSON_CreateNull());
}

static void put_scales(struct config *w)
{
	const struct mote_config *c = w->c;
	const double logits = or_one(c->logits_scale), residual = or_one(c->residual_scale);
	const double attention = c->attention_scale > 0 ? c->attention_scale : 1 / sqrt((double)c->head_dim);

	if (is(w, "granite")) {
		put_number(w, "embedding_multiplier", or_one(c->embedding_scale));
		put_number(w, "residual_multiplier", residual);
		put_number(w, "attention_multiplier", attention);
		put_number(w, "logits_scaling", shortest(w, 1 / logits, inverse, logits));
	}
	if (is(w, "minicpm")) {
		put_number(w, "scale_emb", or_one(c->embedding_scale));
		put_number(w, "scale_depth",
			   shortest(w, residual * sqrt((double)c->layers), residual_of_depth, residual));
		put_number(w, "dim_model_base", shortest(w, logits * (double)c->hidden, logits_of_base, logits));
	}
	if (w->family->takes & MOTE_EXPORT_ATTENTION_CAP) {
		put_number(w, "query_pre_attn_scalar",
			   shortest(w, 1 / (attention * attention), scale_of_scalar, attention));
		put_cap(w, "attn_logit_softcapping", c->attention_cap);
		put_cap(w, "final_logit_softcapping", c->logits_cap);
	}
}

cJSON *mote_hf_config_write(const struct mote_config *config, const cJSON *rope,
			    const struct mote_export_family *family)
{
	struct config w = {.out = cJSON_CreateObject(), .c = config, .family = family};

	put_shape(&w);
	put_biases(&w);
	put_rope(&w, rope);
	put_window(&w);
	if (is(&w, "smollm3"))
		put_no_rope(&w);
	put_scales(&w);
	if (w.failed) {
		cJSON_Delete(w.out);
		return NULL;
	}
	return w.out;
}
