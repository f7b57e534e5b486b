/* A small model of random weights, the source that it is to resemble,
 * and a batch: what tests of training begin with. */
#ifndef MOTE_TESTS_TRAIN_SETTING_H
#define MOTE_TESTS_TRAIN_SETTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quant/train/passes.h"
#include "tests/random_model.h"

enum { SEQUENCES = 2, LENGTH = 11, ROWS = SEQUENCES * LENGTH, VOCAB = 37 };

static inline struct mote_config config_of(unsigned features, bool tied)
{
	return (struct mote_config){.hidden = 20, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 6, .ffn = 28,
				    .vocab = VOCAB, .max_positions = 64, .norm_eps = 1e-5, .tied_embeddings = tied,
				    .rope_theta = 100, .features = features};
}

struct setting {
	struct mote_config config;
	struct random_model model, source;
	struct mote_parameters w, reference;
	struct mote_passes passes;
	int32_t ids[ROWS], target[ROWS];
	float weight[ROWS], *hidden;
	double value[ROWS];
};

static inline void load(struct mote_parameters *p, const struct mote_model *m)
{
	for (uint32_t i = 0; i < p->n; i++)
		mote_parameter_load(&p->parameter[i], m);
}

static inline void setting_open(struct setting *s, unsigned features, bool tied, uint32_t threads, const char *isa)
{
	static const enum mote_type types[4] = {MOTE_F32, MOTE_F32, MOTE_F32, MOTE_F32};
	uint64_t state = 7;

	memset(s, 0, sizeof *s);
	s->config = config_of(features, tied);
	random_model_init(&s->model, &s->config, types, 1);
	random_model_init(&s->source, &s->config, types, 2);
	assert_int_equal(mote_parameters_init(&s->w, &s->config, MOTE_PARAMETERS_GRADIENTS, NULL), MOTE_OK);
	assert_int_equal(mote_parameters_init(&s->reference, &s->config, 0, NULL), MOTE_OK);
	load(&s->w, &s->model.model);
	load(&s->reference, &s->source.model);
	assert_int_equal(mote_passes_open(&s->passes, &s->config, ROWS, LENGTH, threads, isa, NULL), MOTE_OK);
	s->hidden = calloc(ROWS * s->config.hidden, sizeof *s->hidden);
	for (int i = 0; i < ROWS; i++) {
		s->ids[i] = (int32_t)(random_bits(&state) % VOCAB);
		s->target[i] = (int32_t)(random_bits(&state) % VOCAB);
		s->weight[i] = i % 5 == 3 ? 0 : 0.1f + (float)i / 64;
	}
}

static inline void setting_close(struct setting *s)
{
	mote_passes_close(&s->passes);
	mote_parameters_free(&s->w);
	mote_parameters_free(&s->reference);
	random_model_free(&s->model);
	random_model_free(&s->source);
	free(s->hidden);
}

/* The loss and all gradients. */
static inline double learn(struct setting *s, enum mote_loss_kind kind)
{
	struct mote_train_batch batch = {.sequences = SEQUENCES, .length = LENGTH, .ids = s->ids};
	struct mote_loss loss = {.kind = kind, .weight = s->weight, .target = s->target, .reference = s->hidden,
				 .reference_head = s->reference.head->w, .gradient = true, .value = s->value};
	double sum = 0;

	mote_passes_forward(&s->passes, &s->reference, &batch, false, NULL);
	memcpy(s->hidden, s->passes.hidden, ROWS * s->config.hidden * sizeof(float));
	mote_passes_forward(&s->passes, &s->w, &batch, true, NULL);
	mote_passes_loss(&s->passes, &s->w, &loss);
	mote_passes_backward(&s->passes, &s->w, NULL);
	for (int i = 0; i < ROWS; i++)
		sum += (double)s->weight[i] * s->value[i];
	return sum;
}

#endif
