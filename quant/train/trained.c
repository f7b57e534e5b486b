/* What a training moves: all weights, or an adapter's factors. See trainer.h. */
#include <stdlib.h>

#include "quant/train/trainer.h"

static enum mote_status list(struct mote_trainer *t, uint32_t most, struct mote_error *error)
{
	t->trained = calloc(most, sizeof *t->trained);
	t->squares = calloc(most, sizeof *t->squares);
	return t->trained && t->squares ? MOTE_OK
					: mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for training");
}

static void add(struct mote_trainer *t, float *w, float *g, size_t n, bool decays)
{
	t->trained[t->n_trained++] = (struct mote_trained){w, g, n, decays};
	t->floats += n;
}

enum mote_status mote_trainer_choose(struct mote_trainer *t, struct mote_error *error)
{
	const struct mote_train_settings *s = &t->s;
	enum mote_status status;

	if (!s->lora_rank) {
		status = list(t, t->w.n, error);
		for (uint32_t i = 0; i < t->w.n && !status; i++) {
			struct mote_parameter *p = &t->w.parameter[i];

			add(t, p->w, p->g, (size_t)p->rows * p->cols, p->cols > 1);
		}
		return status;
	}
	status = mote_adapter_init(&t->adapter, &t->w, s->lora_rank, s->lora_alpha, s->seed, t->passes.max_rows, error);
	if (status == MOTE_OK)
		status = list(t, 2 * t->adapter.parts, error);
	for (uint32_t i = 0; i < t->adapter.parts && !status; i++) {
		const struct mote_low_rank *l = &t->adapter.part[i];

		add(t, l->a, l->a_gradient, (size_t)l->rank * l->of->cols, true);
		add(t, l->b, l->b_gradient, (size_t)l->of->rows * l->rank, true);
	}
	return status;
}

void mote_trainer_merge(struct mote_trainer *t)
{
	mote_adapter_merge(&t->w);
}
