/* Weights for training: see parameters.h. */
#include "quant/train/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "quant/train/train_memory.h"

#define FIELD(field) {offsetof(struct mote_layer, field), offsetof(struct mote_train_layer, field)}

/* Which field of a layer a weight of the architecture table becomes. */
static const struct {
	size_t from, to;
} fields[] = {
	FIELD(attention_norm), FIELD(q), FIELD(k), FIELD(v), FIELD(q_bias), FIELD(k_bias), FIELD(v_bias), FIELD(q_norm),
	FIELD(k_norm), FIELD(o), FIELD(ffn_norm), FIELD(gate), FIELD(up), FIELD(down)
};

/* What of a config has no backward pass, in the words of docs/container-format.md. */
static const char *unsupported(const struct mote_config *c)
{
	static const struct {
		unsigned feature;
		const char *name;
	} names[] = {
		{MOTE_OUT_BIAS, "a bias of attention's output"}, {MOTE_FFN_BIAS, "biases in the feed-forward part"},
		{MOTE_WIDE_NORM, "norms over all heads"}, {MOTE_NORM_AFTER_ROPE, "norms after RoPE"},
		{MOTE_POST_NORM, "norms of what a layer adds"},
		{MOTE_NO_PRE_NORM, "layers that read what is not normed"}, {MOTE_LAYER_NORM, "LayerNorm"},
		{MOTE_GELU, "GELU"}
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (c->features & names[i].feature)
			return names[i].name;
	for (uint32_t i = 0; i < c->layers; i++)
		if (c->layer_kind[i])
			return c->layer_kind[i] & MOTE_LAYER_WINDOW ? "sliding windows"
								    : "layers with a rotation of their own";
	if (c->rotary_dim && c->rotary_dim != c->head_dim)
		return "RoPE over a part of a head";
	if (c->embedding_scale > 0 || c->residual_scale > 0 || c->logits_scale > 0 || c->attention_scale > 0)
		return "scales of the residual stream";
	if (c->attention_growth > 0)
		return "queries that grow with their position";
	if (c->attention_cap > 0 || c->logits_cap > 0)
		return "soft caps";
	return NULL;
}

enum mote_status mote_parameters_check(const struct mote_config *config, struct mote_error *error)
{
	const char *what = unsupported(config);

	return what ? mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
				     "a model with %s cannot be trained here: only Llama, Qwen 2 "
				     "and Qwen 3 as they are", what) : MOTE_OK;
}

static size_t floats(const struct mote_parameter *p)
{
	return ((size_t)p->rows * p->cols + 15) / 16 * 16;
}

static void bind(struct mote_parameters *p, struct mote_parameter *one)
{
	if (one->layer == MOTE_NO_LAYER) {
		if (one->weight == mote_weight_embedding)
			p->embedding = one;
		else if (one->weight == mote_weight_head)
			p->head = one;
		else
			p->final_norm = one;
		return;
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].from == one->weight->offset)
			memcpy((char *)&p->layer[one->layer] + fields[i].to, &one, sizeof one);
}

/* Where each parameter's weight and gradient lie: the model's own first, then the layers, one behind the other or one
 * upon the other. Without memory it only counts. */
static size_t place(struct mote_parameters *p, unsigned kind)
{
	size_t copies = kind & MOTE_PARAMETERS_GRADIENTS ? 2 : 1, layers = 0, at;

	for (int pass = 0; pass < 2; pass++) {
		uint32_t layer = 0;

		at = layers;
		for (uint32_t i = 0; i < p->n; i++) {
			struct mote_parameter *one = &p->parameter[i];

			if ((one->layer == MOTE_NO_LAYER) != (pass == 0))
				continue;
			if (pass == 1 && one->layer != layer && p->layered)
				at = layers;
			layer = pass == 1 ? one->layer : 0;
			one->w = p->memory ? p->memory + at : NULL;
			one->g = p->memory && copies == 2 ? p->memory + at + floats(one) : NULL;
			at += copies * floats(one);
		}
		layers = pass == 0 ? at : layers;
	}
	return at;
}

enum mote_status mote_parameters_init(struct mote_parameters *p, const struct mote_config *config, unsigned kind,
				      struct mote_error *error)
{
	struct mote_weight_walk walk = {.config = config};
	enum mote_status status = mote_parameters_check(config, error);

	if (status != MOTE_OK)
		return status;
	*p = (struct mote_parameters){.config = config, .layered = kind & MOTE_PARAMETERS_LAYERED};
	p->parameter = calloc(mote_weight_count(config), sizeof *p->parameter);
	p->layer = calloc(config->layers, sizeof *p->layer);
	while (p->parameter && p->layer && mote_weight_next(&walk)) {
		struct mote_parameter *one = &p->parameter[p->n++];

		*one = (struct mote_parameter){.weight = walk.weight, .layer = walk.layer,
					       .rows = mote_dim_of(config, walk.weight->rows),
					       .cols = mote_dim_of(config, walk.weight->cols)};
		memcpy(one->name, walk.name, sizeof one->name);
		bind(p, one);
	}
	if (p->n) {
		p->head = p->head ? p->head : p->embedding;
		p->memory_floats = place(p, kind);
		p->memory = mote_train_floats(p->memory_floats, true);
	}
	if (!p->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for the weights of a model to train");
	place(p, kind);
	return MOTE_OK;
}

void mote_parameters_free(struct mote_parameters *p)
{
	free(p->parameter);
	free(p->layer);
	free(p->memory);
	*p = (struct mote_parameters){0};
}

void mote_parameter_load(struct mote_parameter *p, const struct mote_model *m)
{
	const char *base = p->layer == MOTE_NO_LAYER ? (const char *)m : (const char *)&m->layer[p->layer];
	const struct mote_matrix *matrix = (const struct mote_matrix *)(const void *)(base + p->weight->offset);
	const float *vector;

	if (p->weight->cols == MOTE_DIM_ONE) {
		memcpy(&vector, base + p->weight->offset, sizeof vector);
		memcpy(p->w, vector, p->rows * sizeof *p->w);
		return;
	}
	for (uint32_t r = 0; r < p->rows && r < matrix->rows; r++)
		mote_matrix_decode_row(matrix, r, p->w + (size_t)r * p->cols);
}

static void fill_rows(struct mote_parameter *p, uint32_t first, uint32_t n)
{
	for (uint32_t c = 0; c < p->cols && n; c++) {
		double sum = 0;

		for (uint32_t r = 0; r < first; r++)
			sum += (double)p->w[(size_t)r * p->cols + c];
		for (uint32_t r = first; r < first + n; r++)
			p->w[(size_t)r * p->cols + c] = (float)(sum / first);
	}
}

void mote_parameters_fill_rows(struct mote_parameters *p, uint32_t first, uint32_t n)
{
	fill_rows(p->embedding, first, n);
	if (p->head != p->embedding)
		fill_rows(p->head, first, n);
}

void mote_parameters_load_layer(struct mote_parameters *p, const struct mote_model *m, uint32_t layer)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->parameter[i].layer == layer)
			mote_parameter_load(&p->parameter[i], m);
}

void mote_parameters_clear_layer(struct mote_parameters *p, uint32_t layer)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->parameter[i].layer == layer && p->parameter[i].g)
			memset(p->parameter[i].g, 0, floats(&p->parameter[i]) * sizeof(float));
}
