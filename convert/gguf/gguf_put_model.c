/* A config in GGUF's keys: see gguf_writing.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/gguf/gguf_writing.h"
#include "runtime/kernels/exact.h"
#include "runtime/model/config_keys.h"
#include "runtime/model/rope.h"

enum mote_status mote_gguf_not_written(const struct mote_gguf_writing *w, const char *what)
{
	return mote_error_set(w->error, MOTE_ERROR_UNSUPPORTED, "%s: %s: not written as GGUF",
			      mote_container_path(w->c), what);
}

/* Keys behind the architecture's name. */
static void put_own_u32(struct mote_gguf_writing *w, const char *name, uint32_t x)
{
	char key[96];

	snprintf(key, sizeof key, "%s.%s", w->family->name, name);
	mote_gguf_put_u32(&w->put, key, x);
}

static void put_own_f32(struct mote_gguf_writing *w, const char *name, double x)
{
	char key[96];

	snprintf(key, sizeof key, "%s.%s", w->family->name, name);
	mote_gguf_put_f32(&w->put, key, x);
}

static void put_own_text(struct mote_gguf_writing *w, const char *name, const char *text)
{
	char key[96];

	snprintf(key, sizeof key, "%s.%s", w->family->name, name);
	mote_gguf_put_text(&w->put, key, text, strlen(text));
}

static double usual_attention_scale(const struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;

	return mote_exact_pow(c->layers == w->family->wide_layers ? c->hidden / c->heads : c->head_dim, -0.5);
}

static double usual_yarn_factor(const struct mote_config *c)
{
	return c->rope_factor > 1 ? 0.1 * mote_exact_log(c->rope_factor) + 1 : 1;
}

/* Which layers differ from the others is no key's but the architecture's. */
static const char *layers_differ(const struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;
	const bool gemma2 = strcmp(w->family->name, "gemma2") == 0, gemma3 = w->family->flags & MOTE_GGUF_LOCAL_ROPE;
	const bool smollm3 = strcmp(w->family->name, "smollm3") == 0;

	if (w->family->flags & MOTE_GGUF_WINDOW_OF_64 && c->layers == 64)
		return "window_layers";
	for (uint32_t i = 0; i < c->layers; i++) {
		const bool local = gemma3 ? (i + 1) % 6 != 0 : gemma2 ? i % 2 == 0 :
				   (w->family->flags & MOTE_GGUF_WINDOW) != 0;

		if (c->window && !(c->layer_kind[i] & MOTE_LAYER_WINDOW) != !local)
			return "window_layers";
		if (gemma3 && !(c->layer_kind[i] & MOTE_LAYER_LOCAL_ROPE) != !local)
			return "local_rope_layers";
		if (!(c->layer_kind[i] & MOTE_LAYER_NO_ROPE) != !(smollm3 && (i + 1) % 4 == 0))
			return "no_rope_layers";
	}
	return NULL;
}

static const char *numbers_differ(const struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;
	const unsigned flags = w->family->flags;

	if (c->window && !(flags & MOTE_GGUF_WINDOW))
		return "sliding_window";
	if (c->attention_scale > 0 && !(flags & MOTE_GGUF_ATTENTION_SCALE) &&
	    c->attention_scale != usual_attention_scale(w))
		return "attention_scale";
	if ((flags & MOTE_GGUF_CAPS) ? !(c->attention_cap > 0) : c->attention_cap > 0)
		return "attention_softcap";
	if ((flags & MOTE_GGUF_CAPS) ? !(c->logits_cap > 0) : c->logits_cap > 0)
		return "logits_softcap";
	for (size_t i = 0; i < MOTE_FEATURE_KEYS; i++)
		if (mote_feature_keys[i].feature & (MOTE_QKV_BIAS | MOTE_OUT_BIAS | MOTE_FFN_BIAS) & c->features &
		    ~w->family->biases)
			return mote_feature_keys[i].key;
	return layers_differ(w);
}

enum mote_status mote_gguf_check_model(const struct mote_gguf_writing *w, struct mote_notes *notes)
{
	const struct mote_config *c = &w->config;
	const char *key = numbers_differ(w);
	char what[160];

	if (c->rope_kind == MOTE_ROPE_DYNAMIC)
		return mote_gguf_not_written(w, "RoPE of the kind dynamic");
	if (c->rope_kind == MOTE_ROPE_LONGROPE && !(w->family->flags & MOTE_GGUF_FACTORS))
		return mote_gguf_not_written(w, "RoPE of the kind longrope in this architecture");
	if (c->rope_kind == MOTE_ROPE_YARN && c->rope_no_truncate)
		return mote_gguf_not_written(w, "yarn with \"truncate\": false");
	/* it has keys, but reads none */
	if (c->rope_kind == MOTE_ROPE_YARN && (c->rope_beta_fast != 32 || c->rope_beta_slow != 1))
		return mote_gguf_not_written(w, "yarn with \"beta_fast\" and \"beta_slow\" other than 32 and 1");
	if (key) {
		snprintf(what, sizeof what, "\"%s\": the architecture \"%s\" has none, or has another one", key,
			 w->family->name);
		return mote_gguf_not_written(w, what);
	}
	if (c->window && (w->family->flags & MOTE_GGUF_WINDOW_IGNORED))
		return mote_notes_add(notes, w->error, "the file says that a position sees the last %u only, but "
				      "llama.cpp computes \"%s\" without a window: beyond so many positions its "
				      "answers differ", c->window, w->family->name);
	return MOTE_OK;
}

/* By how much RoPE of the kind llama3 divides a frequency. */
static double llama3_divisor(const struct mote_config *c, uint32_t i)
{
	const double low = c->rope_original_positions / c->rope_low_freq_factor;
	const double high = c->rope_original_positions / c->rope_high_freq_factor;
	double wavelength = 2 * 3.14159265358979323846 * pow(c->rope_theta, 2.0 * i / (2 * mote_rope_half(c)));
	double smooth = (c->rope_original_positions / wavelength - c->rope_low_freq_factor) /
			(c->rope_high_freq_factor - c->rope_low_freq_factor);

	return wavelength < high ? 1 : wavelength > low ? c->rope_factor : 1 / ((1 - smooth) / c->rope_factor + smooth);
}

enum mote_status mote_gguf_make_rope_tables(struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;
	const uint32_t n = mote_rope_half(c);
	const uint32_t tables = c->rope_kind == MOTE_ROPE_LLAMA3 ? 1 : c->rope_kind == MOTE_ROPE_LONGROPE ? 2 : 0;

	for (uint32_t t = 0; t < tables; t++) {
		w->rope[t] = malloc(n * sizeof *w->rope[t]);
		if (!w->rope[t])
			return mote_error_set(w->error, MOTE_ERROR_MEMORY, "out of memory");
		for (uint32_t i = 0; i < n; i++)
			w->rope[t][i] = (float)(tables == 1 ? llama3_divisor(c, i) : t == 0 ? c->rope_short_factor[i] :
						c->rope_long_factor[i]);
	}
	return MOTE_OK;
}

static void put_rope(struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;

	put_own_u32(w, "rope.dimension_count", 2 * mote_rope_half(c));
	put_own_f32(w, "rope.freq_base", c->rope_theta);
	if (w->family->flags & MOTE_GGUF_LOCAL_ROPE)
		put_own_f32(w, "rope.freq_base_swa", c->rope_local_theta > 0 ? c->rope_local_theta : 10000);
	if (c->rope_kind == MOTE_ROPE_LINEAR || c->rope_kind == MOTE_ROPE_YARN) {
		put_own_text(w, "rope.scaling.type", c->rope_kind == MOTE_ROPE_LINEAR ? "linear" : "yarn");
		put_own_f32(w, "rope.scaling.factor", c->rope_factor);
	}
	if (c->rope_kind == MOTE_ROPE_YARN || c->rope_kind == MOTE_ROPE_LONGROPE)
		put_own_u32(w, "rope.scaling.original_context_length", c->rope_original_positions);
	if (c->rope_kind == MOTE_ROPE_LONGROPE)
		put_own_text(w, "rope.scaling.type", "longrope");
	if (c->rope_kind == MOTE_ROPE_LONGROPE)
		put_own_f32(w, "rope.scaling.attn_factor", c->rope_attention_factor > 0 ? c->rope_attention_factor : 1);
	if (c->rope_kind == MOTE_ROPE_YARN && c->rope_attention_factor > 0 &&
	    c->rope_attention_factor != usual_yarn_factor(c))
		put_own_f32(w, "rope.scaling.attn_factor", c->rope_attention_factor / usual_yarn_factor(c));
}

/* A window that no position reaches beyond is not kept in a config; where there has to be one,
 * it is as long as the context. */
static void put_differences(struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;
	const unsigned flags = w->family->flags;

	if (c->window || w->family->wide_layers)
		put_own_u32(w, "attention.sliding_window", c->window ? c->window : c->max_positions);
	else if (flags & MOTE_GGUF_FUSED) /* Phi-3: the key has to be there */
		put_own_u32(w, "attention.sliding_window", 0);
	if (flags & MOTE_GGUF_CAPS) {
		put_own_f32(w, "attn_logit_softcapping", c->attention_cap);
		put_own_f32(w, "final_logit_softcapping", c->logits_cap);
	}
	if (flags & MOTE_GGUF_ATTENTION_SCALE)
		put_own_f32(w, "attention.scale", c->attention_scale > 0 ? c->attention_scale : 1 / sqrt(c->head_dim));
	if (flags & MOTE_GGUF_MULTIPLIERS) {
		put_own_f32(w, "embedding_scale", c->embedding_scale > 0 ? c->embedding_scale : 1);
		put_own_f32(w, "residual_scale", c->residual_scale > 0 ? c->residual_scale : 1);
		put_own_f32(w, "logit_scale", c->logits_scale > 0 ? 1 / c->logits_scale : 1);
	}
	if (flags & MOTE_GGUF_LAYER_NORM)
		mote_gguf_put_bool(&w->put, "stablelm.use_parallel_residual", false);
}

static uint32_t file_type(const struct mote_gguf_writing *w)
{
	uint32_t most[64] = {0}, best = 0;
	static const struct {
		enum mote_gguf_type type;
		uint32_t number; /* llama.cpp's for a file that is mostly of this type */
	} table[] = { {MOTE_GGUF_F32, 0}, {MOTE_GGUF_F16, 1}, {MOTE_GGUF_Q4_0, 2}, {MOTE_GGUF_Q8_0, 7},
		      {MOTE_GGUF_IQ4_NL, 25}, {MOTE_GGUF_BF16, 32} };

	for (uint32_t i = 0; i < w->tensors; i++)
		if (w->plan[i].weights.parts && w->plan[i].weights.part[0]->rank == 2)
			most[w->plan[i].type]++;
	for (uint32_t i = 0; i < 64; i++)
		best = most[i] > most[best] ? i : best;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if ((uint32_t)table[i].type == best)
			return table[i].number;
	return 0;
}

void mote_gguf_put_model(struct mote_gguf_writing *w)
{
	const struct mote_config *c = &w->config;

	mote_gguf_put_text(&w->put, "general.architecture", w->family->name, strlen(w->family->name));
	mote_gguf_put_u32(&w->put, "general.alignment", MOTE_GGUF_ALIGNMENT);
	mote_gguf_put_u32(&w->put, "general.quantization_version", 2);
	mote_gguf_put_u32(&w->put, "general.file_type", file_type(w));
	put_own_u32(w, "context_length", c->max_positions);
	put_own_u32(w, "embedding_length", c->hidden);
	put_own_u32(w, "block_count", c->layers);
	put_own_u32(w, "feed_forward_length", c->ffn);
	put_own_u32(w, "attention.head_count", c->heads);
	put_own_u32(w, "attention.head_count_kv", c->kv_heads);
	put_own_u32(w, "attention.key_length", c->head_dim);
	put_own_u32(w, "attention.value_length", c->head_dim);
	put_own_f32(w, w->family->flags & MOTE_GGUF_LAYER_NORM ? "attention.layer_norm_epsilon"
							       : "attention.layer_norm_rms_epsilon",
		    c->norm_eps);
	put_own_u32(w, "vocab_size", c->vocab);
	put_rope(w);
	put_differences(w);
}
