/* A quantized model that learns: see student.h. Here is what it learns with;
 * how it lies in memory is in student_pack.c. */
#include "quant/train/student.h"

#include <stdlib.h>
#include <string.h>

#include "quant/train/student_tensor.h"
#include "runtime/kernels/exact.h"

enum { ROWS_A_PIECE = 8, BLOCK = MOTE_BLOCK_COLS };

/* As the prototype of quantization-aware training has them; vectors and factors do not decay. */
static const struct mote_adamw adam = {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};

/* ---- weights from places ---- */

static void make_rows(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct mote_student_tensor *t = job;
	uint32_t rows = t->parameter->rows, cols = t->parameter->cols;

	(void)p;
	(void)scratch;
	for (uint32_t r = piece * ROWS_A_PIECE; r < rows && r < (piece + 1) * ROWS_A_PIECE; r++)
		for (uint32_t b = 0; b < t->blocks; b++) {
			size_t block = (size_t)r * t->blocks + b, at = (size_t)r * cols + b * BLOCK;
			uint32_t n = cols - b * BLOCK < BLOCK ? cols - b * BLOCK : BLOCK;
			float scale = mote_student_scale(t, block);

			for (uint32_t i = 0; i < n; i++)
				t->parameter->w[at + i] =
					scale * t->value[mote_grid_nearest(&t->grid, (double)t->place.w[at + i])];
		}
}

static void make(struct mote_student *s, uint32_t layer)
{
	for (uint32_t i = 0; i < s->w.n; i++) {
		struct mote_student_tensor *t = &s->tensor[i];
		struct mote_parameter *p = t->parameter;

		if (p->layer != layer)
			continue;
		if (t->quantized)
			mote_passes_each(s->passes, (p->rows + ROWS_A_PIECE - 1) / ROWS_A_PIECE, make_rows, t);
		else if (t->vector)
			memcpy(p->w, t->place.w, p->rows * sizeof *p->w);
		else
			for (uint32_t r = 0; r < p->rows; r++)
				mote_matrix_decode_row(&t->matrix, r, p->w + (size_t)r * p->cols);
	}
}

/* ---- learning ---- */

struct move_job {
	const struct mote_student *student;
	struct mote_student_tensor *tensor;
};

/* A place stays where its nearest value is one of the grid's, so that it can always come back. */
static void hold(const struct mote_student_tensor *t, float *place, uint32_t n)
{
	float low = (float)t->grid.low, high = (float)t->grid.high;

	for (uint32_t i = 0; i < n; i++)
		place[i] = place[i] < low ? low : place[i] > high ? high : place[i];
}

/* w = scale factor value(place): the place's gradient is scale factor g, the factor's the sum of scale value g. */
static void move_block(const struct mote_student *s, struct mote_student_tensor *t, size_t block, size_t at, uint32_t n)
{
	const float *g = t->parameter->g + at;
	float scale = mote_student_scale(t, block), d[BLOCK], sum = 0;
	struct mote_adamw_step step = s->code;

	for (uint32_t i = 0; i < n; i++) {
		sum += g[i] * t->value[mote_grid_nearest(&t->grid, (double)t->place.w[at + i])];
		d[i] = g[i] * scale;
	}
	step.rate *= t->spacing;
	mote_adamw_update(&step, t->place.w + at, t->place.m + at, t->place.v + at, d, n);
	hold(t, t->place.w + at, n);
	sum *= t->scale[block];
	mote_adamw_update(&s->scale, t->factor.w + block, t->factor.m + block, t->factor.v + block, &sum, 1);
}

static void move_rows(struct mote_passes *p, const void *job, uint32_t piece, float *scratch)
{
	const struct move_job *j = job;
	struct mote_student_tensor *t = j->tensor;
	uint32_t rows = t->parameter->rows, cols = t->parameter->cols;

	(void)p;
	(void)scratch;
	for (uint32_t r = piece * ROWS_A_PIECE; r < rows && r < (piece + 1) * ROWS_A_PIECE; r++)
		for (uint32_t b = 0; b < t->blocks; b++)
			move_block(j->student, t, (size_t)r * t->blocks + b, (size_t)r * cols + b * BLOCK,
				   cols - b * BLOCK < BLOCK ? cols - b * BLOCK : BLOCK);
}

static void move(struct mote_student *s, uint32_t layer)
{
	for (uint32_t i = 0; i < s->w.n; i++) {
		struct mote_student_tensor *t = &s->tensor[i];
		struct mote_parameter *p = t->parameter;

		if (p->layer != layer)
			continue;
		if (t->quantized)
			mote_passes_each(s->passes, (p->rows + ROWS_A_PIECE - 1) / ROWS_A_PIECE, move_rows,
					 &(struct move_job){s, t});
		else if (t->vector && !s->frozen)
			mote_adamw_update(&s->vector, t->place.w, t->place.m, t->place.v, p->g, p->rows);
	}
}

static void load_layer(void *user, uint32_t layer)
{
	struct mote_student *s = user;

	make(s, layer);
	mote_parameters_clear_layer(&s->w, layer);
}

static void done_layer(void *user, uint32_t layer)
{
	move(user, layer);
}

struct mote_train_hooks mote_student_hooks(struct mote_student *s)
{
	return (struct mote_train_hooks){.load = load_layer, .done = done_layer, .user = s};
}

void mote_student_begin(struct mote_student *s, const struct mote_student_rates *rates, uint64_t step, double factor)
{
	factor = s->frozen ? 0 : factor;
	s->code = mote_adamw_begin(&adam, rates->code * factor, step, 1);
	s->scale = mote_adamw_begin(&adam, rates->scale * factor, step, 1);
	s->vector = mote_adamw_begin(&adam, rates->vector * factor, step, 1);
	load_layer(s, MOTE_NO_LAYER);
}

void mote_student_end(struct mote_student *s)
{
	move(s, MOTE_NO_LAYER);
}

void mote_student_freeze(struct mote_student *s, bool frozen)
{
	s->frozen = frozen;
	for (uint32_t i = 0; i < s->w.n && !frozen; i++) {
		struct mote_student_tensor *t = &s->tensor[i];
		struct mote_learnt *learnt[2] = {&t->place, &t->factor};
		size_t n[2] = {t->quantized || t->vector ? (size_t)t->parameter->rows * t->parameter->cols : 0,
			       (size_t)t->parameter->rows * t->blocks};

		for (int j = 0; j < 2; j++)
			if (n[j]) {
				memset(learnt[j]->m, 0, n[j] * sizeof(float));
				memset(learnt[j]->v, 0, n[j] * sizeof(float));
			}
	}
}
