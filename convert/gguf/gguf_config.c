/* Configs of GGUF files: see gguf_config.h. */
#include "convert/gguf/gguf_config.h"

#include <math.h>
#include <string.h>

#include "convert/gguf/gguf_keys.h"

/* What changes the mathematics: integers that have to be 0, numbers that have to be 0,
 * unless the architecture has them. */
static void refuse_features(struct mote_gguf_reading *r)
{
	static const struct {
		const char *name;
		unsigned has; /* enum mote_gguf_family_flag */
	} ints[] = { {"expert_count", 0}, {"attention.sliding_window", MOTE_GGUF_WINDOW},
		     {"attention.shared_kv_layers", 0} },
	  floats[] = { {"attention.scale", MOTE_GGUF_ATTENTION_SCALE}, {"attention.clamp_kqv", 0},
		       {"attention.max_alibi_bias", 0}, {"attn_logit_softcapping", MOTE_GGUF_CAPS},
		       {"final_logit_softcapping", MOTE_GGUF_CAPS}, {"logit_scale", MOTE_GGUF_MULTIPLIERS},
		       {"residual_scale", MOTE_GGUF_MULTIPLIERS}, {"embedding_scale", MOTE_GGUF_MULTIPLIERS} };

	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
		if (!(ints[i].has & r->family->flags) && mote_gguf_copy_u32(r, ints[i].name, NULL, 0))
			mote_gguf_refuse(r, ints[i].name, "mote does not compute that");
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		if (!(floats[i].has & r->family->flags) && mote_gguf_copy_double(r, floats[i].name, NULL, 0) != 0)
			mote_gguf_refuse(r, floats[i].name, "mote does not compute that");
	if (!mote_gguf_own_bool(r, "attention.causal", true))
		mote_gguf_refuse(r, "attention.causal", "mote computes causal attention only");
	/* what Granite's architecture calls a model without RoPE */
	if (!strcmp(r->family->name, "granite") && !mote_gguf_own_bool(r, "rope.scaling.finetuned", true))
		mote_gguf_refuse(r, "rope.scaling.finetuned", "a model without RoPE is not supported");
}

struct shape {
	uint32_t hidden, layers, positions, heads, head_dim;
};

static void read_shape(struct mote_gguf_reading *r, struct shape *s)
{
	static const char *const lengths[] = {"attention.value_length", "attention.key_length_swa",
					      "attention.value_length_swa"};
	const struct mote_gguf_tensor *embedding = mote_gguf_find_tensor(r->g, "token_embd.weight");
	const bool layer_norm = r->family->flags & MOTE_GGUF_LAYER_NORM;

	s->hidden = mote_gguf_need_own_u32(r, "embedding_length", "hidden_size");
	s->layers = mote_gguf_need_own_u32(r, "block_count", "num_hidden_layers");
	mote_gguf_need_own_u32(r, "feed_forward_length", "intermediate_size");
	s->positions = mote_gguf_need_own_u32(r, "context_length", "max_position_embeddings");
	s->heads = mote_gguf_need_own_u32(r, "attention.head_count", "num_attention_heads");
	mote_gguf_copy_u32(r, "attention.head_count_kv", "num_key_value_heads", s->heads);
	s->head_dim = mote_gguf_copy_u32(r, "attention.key_length", NULL, s->heads ? s->hidden / s->heads : 0);
	if (mote_gguf_has(r, "attention.key_length") || !s->heads || s->hidden % s->heads == 0)
		mote_gguf_add(r, "head_dim", cJSON_CreateNumber(s->head_dim));
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		if (mote_gguf_copy_u32(r, lengths[i], NULL, s->head_dim) != s->head_dim)
			mote_gguf_refuse(r, lengths[i], "another than \"attention.key_length\" is not supported");
	mote_gguf_copy_double(r, layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
			      layer_norm ? "layer_norm_eps" : "rms_norm_eps", layer_norm ? 1e-5 : 1e-6);
	if (!r->status && !embedding)
		r->status = mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: tensor \"token_embd.weight\" is missing",
					   r->g->name);
	if (!r->status)
		mote_gguf_add(r, "vocab_size", cJSON_CreateNumber((double)embedding->shape[0]));
}

/* Which biases there are is said by the tensors alone. */
static void read_biases(struct mote_gguf_reading *r)
{
	const bool own = strcmp(r->family->model_type, "stablelm") == 0;

	mote_gguf_add(r, own ? "use_qkv_bias" : "attention_bias",
		      cJSON_CreateBool(mote_gguf_find_tensor(r->g, own ? "blk.0.attn_q.bias"
								       : "blk.0.attn_output.bias") != NULL));
	if (!own)
		mote_gguf_add(r, "mlp_bias",
			      cJSON_CreateBool(mote_gguf_find_tensor(r->g, "blk.0.ffn_gate.bias") != NULL));
}

/* Granite's four; MiniCPM's three, which its config has in other terms, and which its first files left out. */
static void read_multipliers(struct mote_gguf_reading *r, const struct shape *s)
{
	const double depth = 1 / sqrt((double)s->layers);
	double x;

	if (r->family->flags & MOTE_GGUF_ATTENTION_SCALE) {
		mote_gguf_copy_double(r, "embedding_scale", "embedding_multiplier", 1);
		mote_gguf_copy_double(r, "residual_scale", "residual_multiplier", 1);
		mote_gguf_copy_double(r, "logit_scale", "logits_scaling", 1);
		mote_gguf_copy_double(r, "attention.scale", "attention_multiplier", 1 / sqrt((double)s->head_dim));
		return;
	}
	mote_gguf_copy_double(r, "embedding_scale", "scale_emb", 12);
	x = mote_gguf_copy_double(r, "residual_scale", NULL, 1.4 * depth);
	mote_gguf_add(r, "scale_depth", cJSON_CreateNumber(mote_gguf_shortest_factor(x, depth)));
	x = mote_gguf_copy_double(r, "logit_scale", NULL, s->hidden / 256.0);
	mote_gguf_add(r, "dim_model_base", cJSON_CreateNumber(mote_gguf_shortest_factor(1 / x, 1.0 / s->hidden)));
}

/* Gemma 2 and 3. How queries are scaled the file does not say: it follows from the size. */
static void read_gemma(struct mote_gguf_reading *r, const struct shape *s)
{
	const bool wide = s->layers == r->family->wide_layers;

	if (s->heads)
		mote_gguf_add(r, "query_pre_attn_scalar",
			      cJSON_CreateNumber(wide ? s->hidden / s->heads : s->head_dim));
	if (r->family->flags & MOTE_GGUF_CAPS) {
		mote_gguf_copy_double(r, "attn_logit_softcapping", "attn_logit_softcapping", 50);
		mote_gguf_copy_double(r, "final_logit_softcapping", "final_logit_softcapping", 30);
	} else if (mote_gguf_has(r, "attention.sliding_window_pattern")) {
		mote_gguf_copy_u32(r, "attention.sliding_window_pattern", "sliding_window_pattern", 6);
	}
}

static void read_family(struct mote_gguf_reading *r, const struct shape *s)
{
	if (r->family->flags & MOTE_GGUF_WINDOW) {
		uint32_t window = mote_gguf_copy_u32(r, "attention.sliding_window", NULL,
						     r->family->wide_layers ? 4096 : 0);

		mote_gguf_add(r, "sliding_window", window ? cJSON_CreateNumber(window) : cJSON_CreateNull());
	}
	if (r->family->flags & MOTE_GGUF_WINDOW_OF_64) {
		mote_gguf_add(r, "sliding_window", cJSON_CreateNull());
		if (s->layers == 64)
			mote_gguf_refuse(r, "block_count", "of 64 layers of this architecture some have a window; "
					 "mote does not read those from GGUF");
	}
	if (r->family->flags & MOTE_GGUF_MULTIPLIERS)
		read_multipliers(r, s);
	if (r->family->wide_layers)
		read_gemma(r, s);
	if (r->family->biases)
		read_biases(r);
}

enum mote_status mote_gguf_config_read(const struct mote_gguf *g, const struct mote_source *source,
				       const struct mote_gguf_family *family, cJSON **out, struct mote_error *error)
{
	struct mote_gguf_reading r = {.g = g, .family = family, .out = cJSON_CreateObject(), .error = error};
	struct shape shape = {0};
	cJSON *list;

	*out = NULL;
	if (!r.out)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	list = cJSON_AddArrayToObject(r.out, "architectures");
	if (!list || !cJSON_AddItemToArray(list, cJSON_CreateString(family->architecture)))
		r.status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	mote_gguf_add(&r, "model_type", cJSON_CreateString(family->model_type));
	refuse_features(&r);
	read_shape(&r, &shape);
	read_family(&r, &shape);
	mote_gguf_rope_read(&r, source, shape.head_dim, shape.positions);
	mote_gguf_add(&r, "tie_word_embeddings", cJSON_CreateBool(!mote_gguf_find_tensor(g, "output.weight")));
	if (r.status)
		cJSON_Delete(r.out);
	else
		*out = r.out;
	return r.status;
}
