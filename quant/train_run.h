/* mote-train: what its files share. */
#ifndef MOTE_QUANT_TRAIN_RUN_H
#define MOTE_QUANT_TRAIN_RUN_H

#include "format/tool/options.h"
#include "quant/train/trained_file.h"
#include "quant/train/vocabulary_growth.h"

enum { MAX_NEW_TOKENS = 256 };

struct train_options {
	const char *method, *model, *data, *eval, *output, *loss, *dtype, *state, *curve, *adapter;
	double lr, floor, warm_up, decay, clip, beta, lora_alpha, neftune;
	uint32_t lora, epochs, batch, length, rows, threads, every;
	struct mote_option_seed seed;
	const char *token[MAX_NEW_TOKENS]; /* to be added */
	uint32_t tokens;
	bool json, force;
};

struct train_run {
	struct train_options o;
	struct mote_train_settings settings;
	enum mote_type type;
	struct mote_model *model;
	struct mote_vocabulary vocabulary;
	struct mote_examples examples, eval;
	struct mote_trainer trainer;
	struct mote_hash128 data, identity;
	cJSON *recipe;
	double before, after;        /* of the evaluation */
	double started;
	double step_seconds, step_operations; /* of the steps of this run */
	uint64_t step_tokens;
};

static inline bool train_prefers(const struct train_run *r)
{
	return r->settings.objective >= MOTE_OBJECTIVE_SIGMOID;
}

/* train_results.c. The recipe: what decides the result, and nothing else; with the identity of the training. */
enum mote_status train_make_recipe(struct train_run *r, struct mote_error *error);
/* Prints a step's object. */
enum mote_status train_print_step(const struct train_run *r, const struct mote_train_point *p,
				  struct mote_error *error);
/* Writes the outputs and says what they are. */
enum mote_status train_give_results(struct train_run *r, struct mote_error *error);

#endif
