/* A model with random weights, built in memory without a container, for tests that must run without any
 * library but mote's runtime (also under an emulator).
 */
#ifndef MOTE_TESTS_RANDOM_MODEL_H
#define MOTE_TESTS_RANDOM_MODEL_H

#include <stdlib.h>
#include <string.h>

#include "format/half.h"
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
static inline struct mote_matrix random_matrix(struct random_model *r, enum mote_type type, uint32_t rows, uint32_t cols,
					       float deviation)
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
			scales[i] = mote_f16_from_f32(deviation / step * (1 + 0.3f * random_normal(&r->state)));
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
	m.data = data;
	free(quants);
	free(scales);
	free(floats);
	return m;
}

static inline const float *random_norm_weight(struct random_model *r, uint32_t n)
{
	float *w = random_model_take(r, n * sizeof *w);

	for (uint32_t i = 0; i < n; i++)
		w[i] = 1 + 0.2f * random_normal(&r->state);
	return w;
}

/* types: of embedding, attention matrices, feed-forward matrices, head (unused when tied). */
static inline void random_model_init(struct random_model *r, const struct mote_config *config, const enum mote_type types[4],
				     uint64_t seed)
{
	struct mote_model *m = &r->model;
	uint32_t q = config->heads * config->head_dim, kv = config->kv_heads * config->head_dim;
	float in = 1, ffn = 1;

	memset(r, 0, sizeof *r);
	r->state = seed;
	m->config = *config;
	for (float w = (float)config->hidden; w > 1; w /= 4)
		in /= 2;
	for (float w = (float)config->ffn; w > 1; w /= 4)
		ffn /= 2;
	m->layer = random_model_take(r, config->layers * sizeof *m->layer);
	for (uint32_t i = 0; i < config->layers; i++)
		m->layer[i] = (struct mote_layer){
			.attention_norm = random_norm_weight(r, config->hidden),
			.ffn_norm = random_norm_weight(r, config->hidden),
			.q = random_matrix(r, types[1], q, config->hidden, in * 2),
			.k = random_matrix(r, types[1], kv, config->hidden, in * 2),
			.v = random_matrix(r, types[1], kv, config->hidden, in),
			.o = random_matrix(r, types[1], config->hidden, q, in),
			.gate = random_matrix(r, types[2], config->ffn, config->hidden, in),
			.up = random_matrix(r, types[2], config->ffn, config->hidden, in),
			.down = random_matrix(r, types[2], config->hidden, config->ffn, ffn),
		};
	m->embedding = random_matrix(r, types[0], config->vocab, config->hidden, 1);
	m->head = config->tied_embeddings ? m->embedding
					  : random_matrix(r, types[3], config->vocab, config->hidden, in);
	m->final_norm = random_norm_weight(r, config->hidden);
}

static inline void random_model_free(struct random_model *r)
{
	while (r->n_owned)
		free(r->owned[--r->n_owned]);
}

#endif
