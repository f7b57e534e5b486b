/* drive_train MODEL.mote REFERENCE.mote LOSS SEQUENCES LENGTH STEPS ID...: for tests that compare with a reference.
 * LOSS is kl (towards REFERENCE's distribution), nll or dft (of each next id; the last of a sequence is left out).
 * Writes the mean loss as text on the first line, and then as f32 either all gradients in the order of the file (STEPS
 * 0), or all weights after so many steps of AdamW (lr 1e-3, betas 0.9 and 0.999, eps 1e-8, weight decay 0.01, gradients
 * clipped to a norm of 1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/train/adamw.h"
#include "quant/train/passes.h"

struct drive {
	struct mote_model *model, *reference_model;
	struct mote_parameters w, reference;
	struct mote_passes passes;
	struct mote_train_batch batch;
	enum mote_loss_kind kind;
	int32_t *target;
	float *weight, *hidden, *m, *v;
	double *value;
};

static void load(struct mote_parameters *p, const struct mote_model *m)
{
	for (uint32_t i = 0; i < p->n; i++)
		mote_parameter_load(&p->parameter[i], m);
}

static size_t count(const struct mote_parameter *p)
{
	return (size_t)p->rows * p->cols;
}

static bool open_all(struct drive *d, char **argv, struct mote_error *error)
{
	const struct mote_config *c;
	uint32_t rows = d->batch.sequences * d->batch.length;
	size_t all = 0;

	if (mote_model_open(argv[1], MOTE_WEIGHTS_MAPPED, &d->model, error) ||
	    mote_model_open(argv[2], MOTE_WEIGHTS_MAPPED, &d->reference_model, error))
		return false;
	c = &d->model->config;
	if (mote_parameters_init(&d->w, c, MOTE_PARAMETERS_GRADIENTS, error) ||
	    mote_parameters_init(&d->reference, c, 0, error) ||
	    mote_passes_open(&d->passes, c, rows, d->batch.length, 2, NULL, error))
		return false;
	load(&d->w, d->model);
	load(&d->reference, d->reference_model);
	for (uint32_t i = 0; i < d->w.n; i++)
		all += count(&d->w.parameter[i]);
	d->target = calloc(rows, sizeof *d->target);
	d->weight = calloc(rows, sizeof *d->weight);
	d->hidden = calloc((size_t)rows * c->hidden, sizeof *d->hidden);
	d->value = calloc(rows, sizeof *d->value);
	d->m = calloc(all, sizeof *d->m);
	d->v = calloc(all, sizeof *d->v);
	return d->target && d->weight && d->hidden && d->value && d->m && d->v;
}

/* The mean loss; gradients. */
static double learn(struct drive *d)
{
	uint32_t rows = d->batch.sequences * d->batch.length, counted = 0;
	struct mote_loss loss = {.kind = d->kind, .weight = d->weight, .target = d->target, .reference = d->hidden,
				 .reference_head = d->reference.head->w, .gradient = true, .value = d->value};
	double sum = 0;

	for (uint32_t r = 0; r < rows; r++) {
		d->weight[r] = d->kind == MOTE_LOSS_KL || (r + 1) % d->batch.length;
		d->target[r] = d->weight[r] > 0 && r + 1 < rows ? d->batch.ids[r + 1] : 0;
		counted += d->weight[r] > 0;
	}
	for (uint32_t r = 0; r < rows; r++)
		d->weight[r] /= (float)counted;
	for (uint32_t i = 0; i < d->w.n; i++)
		memset(d->w.parameter[i].g, 0, count(&d->w.parameter[i]) * sizeof(float));
	mote_passes_forward(&d->passes, &d->reference, &d->batch, false, NULL);
	memcpy(d->hidden, d->passes.hidden, (size_t)rows * d->model->config.hidden * sizeof(float));
	mote_passes_forward(&d->passes, &d->w, &d->batch, true, NULL);
	mote_passes_loss(&d->passes, &d->w, &loss);
	mote_passes_backward(&d->passes, &d->w, NULL);
	for (uint32_t r = 0; r < rows; r++)
		sum += d->value[r];
	return sum / counted;
}

static void move(struct drive *d, uint64_t number)
{
	const struct mote_adamw adam = {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.01};
	struct mote_adamw_step step;
	double squares = 0;
	size_t at = 0;

	for (uint32_t i = 0; i < d->w.n; i++)
		mote_clip_add(d->w.parameter[i].g, count(&d->w.parameter[i]), &squares);
	step = mote_adamw_begin(&adam, 1e-3, number, mote_clip_scale(squares, 1));
	for (uint32_t i = 0; i < d->w.n; i++) {
		struct mote_parameter *p = &d->w.parameter[i];

		mote_adamw_update(&step, p->w, d->m + at, d->v + at, p->g, count(p));
		at += count(p);
	}
}

int main(int argc, char **argv)
{
	struct drive d = {0};
	struct mote_error error = {0};
	uint32_t steps, n = argc > 7 ? (uint32_t)argc - 7 : 0;
	int32_t *ids = calloc(n + 1u, sizeof *ids);
	double loss;
	int status = 0;

	if (n == 0 || !ids)
		return 2;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = atoi(argv[7 + i]);
	d.kind = !strcmp(argv[3], "kl") ? MOTE_LOSS_KL : !strcmp(argv[3], "nll") ? MOTE_LOSS_NLL : MOTE_LOSS_DFT;
	d.batch = (struct mote_train_batch){.sequences = (uint32_t)atoi(argv[4]), .length = (uint32_t)atoi(argv[5]),
					    .ids = ids};
	steps = (uint32_t)atoi(argv[6]);
	if (d.batch.sequences * d.batch.length != n || !open_all(&d, argv, &error)) {
		fprintf(stderr, "drive_train: %s\n", error.message);
		return 1;
	}
	loss = learn(&d);
	for (uint32_t i = 1; i <= steps; i++) {
		move(&d, i);
		if (i < steps)
			learn(&d);
	}
	printf("%.17g\n", loss);
	for (uint32_t i = 0; i < d.w.n && !status; i++) {
		const struct mote_parameter *p = &d.w.parameter[i];

		status = fwrite(steps ? p->w : p->g, sizeof(float), count(p), stdout) != count(p);
	}
	mote_passes_close(&d.passes);
	mote_parameters_free(&d.w);
	mote_parameters_free(&d.reference);
	mote_model_close(d.model);
	mote_model_close(d.reference_model);
	free(ids);
	free(d.target);
	free(d.weight);
	free(d.hidden);
	free(d.value);
	free(d.m);
	free(d.v);
	return status;
}
