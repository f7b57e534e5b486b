/* Configs of GGUF files: see gguf_config.h. */
#include "convert/gguf/gguf_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

#define MAX_TEMPLATES 64u

static const struct mote_gguf_family families[] = {
	{"llama", "LlamaForCausalLM", "llama", true},
	{"qwen2", "Qwen2ForCausalLM", "qwen2", false},
	{"qwen3", "Qwen3ForCausalLM", "qwen3", false},
};

const struct mote_gguf_family *mote_gguf_family_of(const char *model_type)
{
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (strcmp(model_type, families[i].model_type) == 0)
			return &families[i];
	return NULL;
}

enum mote_status mote_gguf_family_read(const struct mote_gguf *g, const struct mote_gguf_family **out,
				       struct mote_error *error)
{
	struct mote_gguf_text name;
	enum mote_status status = mote_gguf_want_text(g, "general.architecture", &name, error);

	*out = NULL;
	if (status)
		return status;
	if (!name.text)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: key \"general.architecture\" is missing", g->name);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (strlen(families[i].name) == name.bytes && memcmp(name.text, families[i].name, name.bytes) == 0)
			*out = &families[i];
	if (*out)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_UNSUPPORTED, "%s: architecture \"%.*s\" is not supported", g->name,
			      (int)name.bytes, name.text);
}

/* Numbers were f32 when they were written: the shortest decimal that is the same f32 is what they had been before. */
static double before_rounding(double x)
{
	char text[32];

	for (int digits = 1; digits < 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if ((double)strtof(text, NULL) == x)
			return strtod(text, NULL);
	}
	return x;
}

/* Reading the keys "ARCHITECTURE.name" into an object, which the first failure ends. */
struct reading {
	const struct mote_gguf *g;
	const char *architecture;
	cJSON *out;
	struct mote_error *error;
	enum mote_status status;
};

static bool add(struct reading *r, const char *key, cJSON *item)
{
	if (!item || !cJSON_AddItemToObject(r->out, key, item)) {
		cJSON_Delete(item);
		r->status = mote_error_set(r->error, MOTE_ERROR_MEMORY, "%s: out of memory", r->g->name);
	}
	return !r->status;
}

static const char *full_key(const struct reading *r, const char *name, char key[96])
{
	snprintf(key, 96, "%s.%s", r->architecture, name);
	return key;
}

/* name into the object as key. An absent one is an error if it is required, else nothing is added. *value may be NULL. */
static void copy_u32(struct reading *r, const char *name, const char *key, bool required, uint32_t *value)
{
	char full[96];
	uint32_t x = 0;

	if (r->status)
		return;
	full_key(r, name, full);
	if (required || mote_gguf_find(r->g, full)) {
		r->status = mote_gguf_need_u32(r->g, full, &x, r->error);
		if (!r->status && key)
			add(r, key, cJSON_CreateNumber(x));
	}
	if (value)
		*value = x;
}

static double copy_double(struct reading *r, const char *name, const char *key, double fallback)
{
	char full[96];
	double x = fallback;

	if (r->status)
		return x;
	r->status = mote_gguf_want_double(r->g, full_key(r, name, full), fallback, &x, r->error);
	x = before_rounding(x);
	if (!r->status && key)
		add(r, key, cJSON_CreateNumber(x));
	return x;
}

static void refuse(struct reading *r, const char *name, const char *why)
{
	if (!r->status)
		r->status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "%s: \"%s.%s\": %s", r->g->name, r->architecture, name,
					   why);
}

/* The table of a "llama3" RoPE, which llama.cpp's files hold instead of the numbers that it follows from: by how much each
 * frequency is divided. Its largest divisor is the factor; the rest is the same in all models that use it. */
static void read_rope_table(struct reading *r, const struct mote_source *source, double theta, uint32_t rotated, cJSON *scaling)
{
	const struct mote_gguf_tensor *t = mote_gguf_find_tensor(r->g, "rope_freqs.weight");
	const double low = 1, high = 4, original = 8192;
	double factor = 1;
	float table[512];

	if (!t || r->status)
		return;
	if (t->type->number != MOTE_GGUF_F32 || t->rank != 1 || t->shape[0] != rotated / 2 || rotated / 2 > 512) {
		r->status = mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: tensor \"rope_freqs.weight\": expected F32 [%u]",
					   r->g->name, rotated / 2);
		return;
	}
	r->status = mote_source_read_at(&source->file[t->file], t->offset, table, rotated / 2 * sizeof *table, r->error);
	for (uint32_t i = 0; i < rotated / 2 && !r->status; i++)
		factor = table[i] > factor ? table[i] : factor;
	factor = before_rounding(factor);
	for (uint32_t i = 0; i < rotated / 2 && !r->status; i++) {
		double wavelength = 2 * 3.14159265358979323846 * pow(theta, 2.0 * i / rotated), divisor = factor;
		double smooth = (original / wavelength - low) / (high - low);

		if (wavelength < original / high)
			divisor = 1;
		else if (wavelength <= original / low)
			divisor = 1 / ((1 - smooth) / factor + smooth);
		if (!(fabs(table[i] / divisor - 1) < 1e-5))
			r->status = mote_error_set(r->error, MOTE_ERROR_UNSUPPORTED, "%s: tensor \"rope_freqs.weight\": element %u is "
						   "%g; the RoPE kind \"llama3\" would have %g", r->g->name, i, (double)table[i], divisor);
	}
	if (r->status || factor == 1)
		return;
	if (!cJSON_AddStringToObject(scaling, "rope_type", "llama3") || !cJSON_AddNumberToObject(scaling, "factor", factor) ||
	    !cJSON_AddNumberToObject(scaling, "low_freq_factor", low) ||
	    !cJSON_AddNumberToObject(scaling, "high_freq_factor", high) ||
	    !cJSON_AddNumberToObject(scaling, "original_max_position_embeddings", original))
		r->status = mote_error_set(r->error, MOTE_ERROR_MEMORY, "%s: out of memory", r->g->name);
}

static void read_rope_scaling(struct reading *r, cJSON *scaling)
{
	struct mote_gguf_text type = {0};
	char full[96];
	double factor;

	if (r->status)
		return;
	r->status = mote_gguf_want_text(r->g, full_key(r, "rope.scaling.type", full), &type, r->error);
	factor = copy_double(r, "rope.scaling.factor", NULL, copy_double(r, "rope.scale_linear", NULL, 1));
	if (r->status || (type.text ? type.bytes == 4 && !memcmp(type.text, "none", 4) : factor == 1))
		return;
	if (type.text && (type.bytes != 6 || memcmp(type.text, "linear", 6)))
		refuse(r, "rope.scaling.type", "only \"linear\" is supported");
	else if (factor != 1 && (!cJSON_AddStringToObject(scaling, "rope_type", "linear") ||
				 !cJSON_AddNumberToObject(scaling, "factor", factor)))
		r->status = mote_error_set(r->error, MOTE_ERROR_MEMORY, "%s: out of memory", r->g->name);
}

static void read_rope(struct reading *r, const struct mote_source *source, uint32_t head_dim)
{
	uint32_t rotated = 0;
	double theta;
	cJSON *scaling = cJSON_CreateObject();

	theta = copy_double(r, "rope.freq_base", "rope_theta", 10000);
	copy_u32(r, "rope.dimension_count", NULL, false, &rotated);
	if (rotated && rotated != head_dim)
		refuse(r, "rope.dimension_count", "a part of each head only is not supported");
	if (!scaling)
		r->status = r->status ? r->status : mote_error_set(r->error, MOTE_ERROR_MEMORY, "out of memory");
	read_rope_scaling(r, scaling);
	if (!r->status && !scaling->child)
		read_rope_table(r, source, theta, head_dim, scaling);
	if (!r->status && scaling->child)
		add(r, "rope_scaling", scaling);
	else
		cJSON_Delete(scaling);
}

/* What changes the mathematics and is not in config.json's words here. */
static void refuse_features(struct reading *r)
{
	static const char *const ints[] = {"expert_count", "attention.sliding_window", "attention.shared_kv_layers"};
	static const char *const floats[] = { "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias",
					      "attn_logit_softcapping", "final_logit_softcapping", "logit_scale",
					      "residual_scale", "embedding_scale" };
	uint32_t n;

	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		copy_u32(r, ints[i], NULL, false, &n);
		if (n)
			refuse(r, ints[i], "mote does not compute that");
	}
	for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
		if (copy_double(r, floats[i], NULL, 0) != 0)
			refuse(r, floats[i], "mote does not compute that");
}

static void read_shape(struct reading *r, uint32_t *head_dim)
{
	const struct mote_gguf_tensor *embedding = mote_gguf_find_tensor(r->g, "token_embd.weight");
	uint32_t hidden = 0, heads = 0, key = 0, value = 0;

	copy_u32(r, "embedding_length", "hidden_size", true, &hidden);
	copy_u32(r, "block_count", "num_hidden_layers", true, NULL);
	copy_u32(r, "feed_forward_length", "intermediate_size", true, NULL);
	copy_u32(r, "context_length", "max_position_embeddings", true, NULL);
	copy_u32(r, "attention.head_count", "num_attention_heads", true, &heads);
	copy_u32(r, "attention.head_count_kv", "num_key_value_heads", false, NULL);
	copy_u32(r, "attention.key_length", "head_dim", false, &key);
	copy_u32(r, "attention.value_length", NULL, false, &value);
	copy_double(r, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
	if (!r->status && !embedding)
		r->status = mote_error_set(r->error, MOTE_ERROR_CORRUPT, "%s: tensor \"token_embd.weight\" is missing", r->g->name);
	if (!r->status)
		add(r, "vocab_size", cJSON_CreateNumber((double)embedding->shape[0]));
	*head_dim = key ? key : heads ? hidden / heads : 0;
	if (value && value != *head_dim)
		refuse(r, "attention.value_length", "another than the keys' is not supported");
}

enum mote_status mote_gguf_config_read(const struct mote_gguf *g, const struct mote_source *source,
				       const struct mote_gguf_family *family, cJSON **out, struct mote_error *error)
{
	struct reading r = {.g = g, .architecture = family->name, .out = cJSON_CreateObject(), .error = error};
	uint32_t head_dim = 0;
	cJSON *list;

	*out = NULL;
	if (!r.out)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	list = cJSON_AddArrayToObject(r.out, "architectures");
	if (!list || !cJSON_AddItemToArray(list, cJSON_CreateString(family->architecture)))
		r.status = mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	if (!r.status)
		add(&r, "model_type", cJSON_CreateString(family->model_type));
	refuse_features(&r);
	read_shape(&r, &head_dim);
	read_rope(&r, source, head_dim);
	if (!r.status)
		add(&r, "tie_word_embeddings", cJSON_CreateBool(!mote_gguf_find_tensor(g, "output.weight")));
	if (r.status)
		cJSON_Delete(r.out);
	else
		*out = r.out;
	return r.status;
}

static char *copy_text(const struct mote_gguf_text *t)
{
	return strndup(t->text, t->bytes);
}

static enum mote_status add_special(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v, uint32_t id,
				    const char *key, cJSON *config, struct mote_error *error)
{
	char *text = id < v->tokens ? copy_text(&v->token[id]) : NULL;
	bool ok = id >= v->tokens || (text && cJSON_AddStringToObject(config, key, text));

	free(text);
	return ok ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
}

/* A turn can end with a token other than the text's end, which GGUF calls eot: either ends an answer. */
static enum mote_status read_ids(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				 struct mote_hf_directory *d, struct mote_error *error)
{
	static const struct {
		const char *key, *id, *text;
	} table[] = {
		{"tokenizer.ggml.bos_token_id", "bos_token_id", "bos_token"},
		{"tokenizer.ggml.eos_token_id", "eos_token_id", "eos_token"},
		{"tokenizer.ggml.unknown_token_id", NULL, "unk_token"},
		{"tokenizer.ggml.padding_token_id", "pad_token_id", "pad_token"},
		{"tokenizer.ggml.eot_token_id", "eos_token_id", NULL},
		{"tokenizer.ggml.eom_token_id", "eos_token_id", NULL},
	};
	uint32_t ids[sizeof table / sizeof *table];
	enum mote_status status = MOTE_OK;

	for (size_t i = 0; i < sizeof table / sizeof *table && !status; i++) {
		cJSON *list = NULL;
		bool ok = true;

		status = mote_gguf_want_u32(g, table[i].key, UINT32_MAX, &ids[i], error);
		for (size_t j = 0; j < i; j++)
			if (table[i].id && table[j].id && !strcmp(table[i].id, table[j].id) && ids[i] == ids[j])
				ids[i] = UINT32_MAX;
		if (status || ids[i] == UINT32_MAX)
			continue;
		if (table[i].id) {
			list = cJSON_GetObjectItemCaseSensitive(d->generation, table[i].id);
			list = list ? list : cJSON_AddArrayToObject(d->generation, table[i].id);
			ok = list && cJSON_AddItemToArray(list, cJSON_CreateNumber(ids[i]));
		}
		status = !ok ? mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name) :
			 table[i].text ? add_special(g, v, ids[i], table[i].text, d->tokenizer_config, error) : MOTE_OK;
	}
	return status;
}

/* "tokenizer.chat_template" is the default one; further ones are "tokenizer.chat_template.NAME". */
static enum mote_status read_templates(const struct mote_gguf *g, struct mote_hf_directory *d, struct mote_error *error)
{
	static const char key[] = "tokenizer.chat_template";
	const size_t n = sizeof key - 1;
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->values; i++) {
		const struct mote_gguf_value *v = &g->value[i];
		struct mote_gguf_text text, name = {"default", 7};
		cJSON *entry;
		char *a, *b;
		const uint8_t *at = v->data;

		if (v->key.bytes < n || memcmp(v->key.text, key, n) || v->array || v->kind != MOTE_GGUF_STRING ||
		    (v->key.bytes > n && v->key.text[n] != '.') || v->key.bytes == n + 1)
			continue;
		text = mote_gguf_next_text(&at);
		if (memchr(text.text, 0, text.bytes) || mote_utf8_valid(text.text, text.bytes) != text.bytes)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%.*s\" is no UTF-8 without NUL", g->name,
					      (int)v->key.bytes, v->key.text);
		if (++count > MAX_TEMPLATES)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "%s: more than %u chat templates", g->name, MAX_TEMPLATES);
		if (v->key.bytes > n)
			name = (struct mote_gguf_text){v->key.text + n + 1, v->key.bytes - (uint32_t)n - 1};
		entry = cJSON_CreateObject();
		a = copy_text(&name);
		b = copy_text(&text);
		if (!a || !b || !cJSON_AddStringToObject(entry, "name", a) || !cJSON_AddStringToObject(entry, "template", b) ||
		    !cJSON_AddItemToArray(d->templates, entry)) {
			cJSON_Delete(entry);
			entry = NULL;
		}
		free(a);
		free(b);
		if (!entry)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	}
	return MOTE_OK; /* keys ascend, so the default one is the first */
}

enum mote_status mote_gguf_tokens_read(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				       struct mote_hf_directory *directory, struct mote_error *error)
{
	enum mote_status status;

	directory->generation = cJSON_CreateObject();
	directory->tokenizer_config = cJSON_CreateObject();
	directory->templates = cJSON_CreateArray();
	if (!directory->generation || !directory->tokenizer_config || !directory->templates)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "%s: out of memory", g->name);
	status = read_ids(g, v, directory, error);
	return status ? status : read_templates(g, directory, error);
}
