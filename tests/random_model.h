/* A model with random weights, built in memory without a container, for tests that must run without any
 * library but mote's runtime (also under an emulator).
 */
#ifndef MOTE_TESTS_RANDOM_MODEL_H
#define MOTE_TESTS_RANDOM_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "format/half.h"
#include "runtime/model/architecture.h"
#include "runtime/model/model.h"

struct random_model {
	struct mote_model model;
	void *owned[4096];
	size_t n_owned;
	uint64_t state;
};

static inline uint64_t random_bits(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* About normal: mean 0, variance 1. */
static inline float random_normal(uint64_t *state)
{
	float sum = 0;

	for (int i = 0; i < 12; i++)
		sum += (float)(random_bits(state) >> 40) * 0x1p-24f;
	return sum - 6;
}

static inline void *random_model_take(struct random_model *r, size_t bytes)
{
	void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (!memory || r->n_owned == sizeof r->owned / sizeof *r->owned)
		abort();
	return r->owned[r->n_owned++] = memory;
}

/* Random weights of about this standard deviation; quantized ones get random quants. */
static inline struct mote_matrix random_matrix(struct random_model *r, enum mote_type type, uint32_t rows,
					       uint32_t cols, float deviation)
{
	static const uint8_t codebook[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};
	struct mote_matrix m;
	uint32_t blocks = (cols + 31) / 32;
	float step = mote_type_has_codebook(type) ? 64 : (float)mote_type_levels(type) / 4;
	uint8_t *data, *quants = calloc(16, (size_t)blocks * 32);
	uint16_t *scales = calloc(16, blocks * sizeof *scales);
	float *floats = calloc(16, cols * sizeof *floats);
	uint64_t bytes;

	if (!quants || !scales || !floats ||
	    mote_matrix_init(&m, type, rows, cols, NULL, mote_type_has_codebook(type) ? codebook : NULL, &bytes, NULL))
		abort();
	data = random_model_take(r, bytes);
	for (uint32_t panel = 0; panel < m.panels; panel++) {
		uint32_t n = rows - panel * 16 < 16 ? rows - panel * 16 : 16;

		for (size_t i = 0; i < (size_t)n * cols; i++)
			floats[i] = random_normal(&r->state) * deviation;
		for (size_t i = 0; i < (size_t)n * blocks; i++)
			scales[i] = mote_type_has_byte_scales(type) ? (uint16_t)(random_bits(&r->state) % 256) :
				    mote_f16_from_f32(deviation / step * (1 + 0.3f * random_normal(&r->state)));
		for (size_t i = 0; i < (size_t)n * blocks * 32; i++)
			quants[i] = (uint8_t)(random_bits(&r->state) % mote_type_levels(type));
		for (size_t row = 0; row < n; row++) /* padding columns weigh nothing */
			for (size_t i = cols; i < (size_t)blocks * 32; i++)
				quants[row * blocks * 32 + i] = (uint8_t)(mote_type_levels(type) / 2);
		if (mote_type_is_quantized(type))
			mote_panel_pack_quants(&m, quants, scales, n, data + panel * m.panel_bytes);
		else
			mote_panel_pack_floats(&m, floats, n, data + panel * m.panel_bytes);
	}
	if (mote_type_has_byte_scales(type)) /* a byte's magnitude is 0.00075 on average */
		mote_matrix_put_unit(&m, data, deviation / step / 0.00075f);
	m.data = data;
	free(quants);
	free(scales);
	free(floats);
	return m;
}

static inline const float *random_vector(struct random_model *r, uint32_t n, float mean, float deviation)
{
	float *w = random_model_take(r, n * sizeof *w);

	for (uint32_t i = 0; i < n; i++)
		w[i] = mean + deviation * random_normal(&r->state);
	return w;
}

static inline bool random_model_is_bias(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".bias");
}

/* About 1 / sqrt(n), by a power of two. */
static inline float random_model_deviation(uint32_t n)
{
	float deviation = 1;

	for (float w = (float)n; w > 1; w /= 4)
		deviation /= 2;
	return deviation;
}

/* Everything that the table of weights asks for. types: of embedding, attention matrices, feed-forward matrices, head
 * (unused when tied). */
static inline void random_model_init(struct random_model *r, const struct mote_config *config,
				     const enum mote_type types[4], uint64_t seed)
{
	struct mote_model *m = &r->model;
	struct mote_weight_walk w = {.config = config};

	memset(r, 0, sizeof *r);
	r->state = seed;
	m->config = *config;
	m->layer = random_model_take(r, config->layers * sizeof *m->layer);
	memset(m->layer, 0, config->layers * sizeof *m->layer);
	for (uint32_t i = 0; i < config->layers; i++)
		mote_layer_configure(config, i, &m->layer[i]);
	while (mote_weight_next(&w)) {
		char *field = (w.layer == MOTE_NO_LAYER ? (char *)m : (char *)&m->layer[w.layer]) + w.weight->offset;
		uint32_t rows = mote_dim_of(config, w.weight->rows), cols = mote_dim_of(config, w.weight->cols);
		bool attention = w.weight->input == MOTE_IN_QKV || w.weight->input == MOTE_IN_OUT;
		enum mote_type type = w.weight == mote_weight_embedding ? types[0] :
				      w.weight == mote_weight_head ? types[3] : attention ? types[1] : types[2];
		float deviation = w.weight == mote_weight_embedding ? 1 : random_model_deviation(cols);

		if (w.weight->input == MOTE_IN_QKV && w.weight->offset != offsetof(struct mote_layer, v))
			deviation *= 2;
		if (w.weight->cols == MOTE_DIM_ONE)
			*(const float **)(void *)field = random_vector(r, rows, random_model_is_bias(w.name) ? 0 : 1,
								       0.2f);
		else
			*(struct mote_matrix *)(void *)field = random_matrix(r, type, rows, cols, deviation);
	}
	if (config->tied_embeddings)
		m->head = m->embedding;
}

static inline void random_model_free(struct random_model *r)
{
	while (r->n_owned)
		free(r->owned[--r->n_owned]);
}

#endif
