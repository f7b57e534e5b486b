/* What a training holds, from opening to closing: see trainer.h. */
#include <stdlib.h>

#include "quant/train/train_memory.h"
#include "quant/train/trainer.h"
#include "runtime/model/config_keys.h"
#include "runtime/model/rope.h"

static enum mote_status allocate(struct mote_trainer *t, struct mote_error *error)
{
	uint32_t rows = t->passes.max_rows;

	t->moments = mote_train_floats(2 * t->floats, true);
	t->curve = calloc(t->steps, sizeof *t->curve);
	t->reference = calloc(t->examples->n, sizeof *t->reference);
	t->order = calloc(t->records, sizeof *t->order);
	t->ids = malloc(rows * sizeof *t->ids);
	t->target = malloc(rows * sizeof *t->target);
	t->weight = malloc(rows * sizeof *t->weight);
	t->value = malloc(rows * sizeof *t->value);
	t->noise = malloc(rows * sizeof *t->noise);
	if (t->moments && t->curve && t->reference && t->order && t->ids && t->target && t->weight &&
	    t->value && t->noise)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for training");
}

/* Which frequencies a RoPE that follows the context had would be the longest record's to say, of --eval too. */
static enum mote_status check_rope(const struct mote_config *c, uint32_t longest, struct mote_error *error)
{
	return mote_rope_kin(c, longest) ? mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
		"records of %u tokens, and a model whose RoPE (%s) changes with contexts of more than %u: expected "
		"none that is longer (--max-length)", longest, mote_rope_kinds[c->rope_kind],
		c->rope_original_positions) : MOTE_OK;
}

enum mote_status mote_trainer_open(struct mote_trainer *t, const struct mote_model *model,
				   const struct mote_examples *examples, const struct mote_train_settings *settings,
				   struct mote_error *error)
{
	uint32_t width, least, longest = examples->longest;
	enum mote_status status;

	*t = (struct mote_trainer){.s = *settings, .model = model, .config = model->config, .examples = examples,
				   .epoch = UINT32_MAX};
	t->config.vocab = settings->vocab ? settings->vocab : t->config.vocab;
	width = settings->objective >= MOTE_OBJECTIVE_SIGMOID ? 2 : 1;
	least = width * examples->longest;
	t->s.rows = settings->rows > least ? settings->rows : least;
	longest = settings->measured > longest ? settings->measured : longest;
	t->records = examples->n / width;
	t->steps = settings->epochs * ((t->records + settings->batch - 1) / settings->batch);
	if ((status = check_rope(&t->config, longest, error)))
		return status;
	status = mote_parameters_init(&t->w, &t->config, settings->lora_rank ? 0 : MOTE_PARAMETERS_GRADIENTS, error);
	if (status == MOTE_OK)
		status = mote_passes_open(&t->passes, &t->config, t->s.rows > longest ? t->s.rows : longest, longest,
					  settings->threads, NULL, error);
	if (status == MOTE_OK)
		status = mote_trainer_choose(t, error);
	if (status == MOTE_OK)
		status = allocate(t, error);
	for (uint32_t i = 0; i < t->w.n && !status; i++)
		mote_parameter_load(&t->w.parameter[i], model);
	if (status == MOTE_OK)
		mote_parameters_fill_rows(&t->w, settings->first_new, settings->new_rows);
	return status;
}

void mote_trainer_close(struct mote_trainer *t)
{
	mote_passes_close(&t->passes);
	mote_parameters_free(&t->w);
	mote_adapter_free(&t->adapter);
	free(t->trained);
	free(t->squares);
	free(t->moments);
	free(t->curve);
	free(t->reference);
	free(t->order);
	free(t->ids);
	free(t->target);
	free(t->weight);
	free(t->value);
	free(t->noise);
	*t = (struct mote_trainer){0};
}
