/* A student's tensors from what is encoded, and back: see student.h. */
#include <stdlib.h>
#include <string.h>

#include "quant/train/train_memory.h"
#include "quant/train/student_tensor.h"

enum { BLOCK = MOTE_BLOCK_COLS, PANEL = MOTE_PANEL_ROWS };

static size_t padded(size_t floats)
{
	return (floats + 15) / 16 * 16;
}

/* Gives a tensor its memory, or without any counts what it takes. */
static size_t place(struct mote_student_tensor *t, float *memory)
{
	const struct mote_parameter *p = t->parameter;
	size_t n = padded((size_t)p->rows * p->cols), blocks = padded((size_t)p->rows * t->blocks), at = 0;
	struct mote_learnt *learnt[2] = {&t->place, &t->factor};
	size_t floats[2] = {t->quantized || t->vector ? n : 0, t->quantized ? blocks : 0};

	for (int i = 0; i < 2; i++) {
		float **part[3] = {&learnt[i]->w, &learnt[i]->m, &learnt[i]->v};

		for (int j = 0; j < 3; j++) {
			*part[j] = memory ? memory + at : NULL;
			at += floats[i];
		}
	}
	t->scale = memory ? memory + at : NULL;
	return at + floats[1];
}

/* Takes a matrix apart, panel after panel. */
static void unpack(struct mote_student_tensor *t)
{
	const struct mote_matrix *m = &t->matrix;
	uint32_t bits = mote_type_bits(m->type);
	uint8_t quants[512];

	for (uint32_t panel = 0; panel < m->panels; panel++)
		for (uint32_t b = 0; b < m->blocks; b++) {
			const uint8_t *data = m->data + panel * m->panel_bytes;

			mote_block_unpack(m->type, data + m->quants_offset + (size_t)b * bits * 64, quants);
			for (uint32_t lane = 0; lane < PANEL && panel * PANEL + lane < m->rows; lane++) {
				uint32_t row = panel * PANEL + lane;
				size_t block = (size_t)row * m->blocks + b;

				t->scale[block] = mote_matrix_scale(m, row, b);
				t->factor.w[block] = 1;
				for (uint32_t c = 0; c < BLOCK && b * BLOCK + c < m->cols; c++)
					t->place.w[(size_t)row * m->cols + b * BLOCK +
						   c] = t->value[quants[c / 4 * 64 + lane * 4 + c % 4]];
			}
		}
}

/* The tensor as q holds it: encoded, or kept as the source has it. */
static enum mote_status find(struct mote_student *s, struct mote_student_tensor *t, struct mote_error *error)
{
	const struct mote_target *target = &s->q->target[t->index];
	const struct mote_encoded *e = &s->q->encoded[t->index];
	uint64_t bytes;
	enum mote_status status = MOTE_OK;

	t->vector = t->parameter->weight->cols == MOTE_DIM_ONE;
	if (t->vector)
		return MOTE_OK;
	if (target->kept)
		t->matrix = target->tensor->matrix;
	else
		status = mote_matrix_init(&t->matrix, target->type, t->parameter->rows, t->parameter->cols, e->data,
					  mote_type_has_codebook(target->type) ? e->codebook : NULL, &bytes, error);
	t->quantized = !target->kept && mote_type_is_quantized(t->matrix.type);
	t->blocks = t->quantized ? t->matrix.blocks : 0;
	if (!t->quantized)
		return status;
	mote_grid_init(&t->grid, t->matrix.type, t->matrix.codebook);
	if (mote_type_has_byte_scales(t->matrix.type))
		t->grid.unit = mote_matrix_unit(&t->matrix);
	t->spacing = (float)((t->grid.high - t->grid.low) / (t->grid.levels - 1));
	for (uint32_t i = 0; i < t->grid.levels; i++)
		t->value[i] = (float)t->grid.value[i];
	return status;
}

enum mote_status mote_student_init(struct mote_student *s, struct mote_quantizer *q, struct mote_passes *passes,
				   const struct mote_config *config, struct mote_error *error)
{
	enum mote_status status;
	size_t at = 0;

	*s = (struct mote_student){.q = q, .passes = passes};
	status = mote_parameters_init(&s->w, config, MOTE_PARAMETERS_GRADIENTS | MOTE_PARAMETERS_LAYERED, error);
	if (status != MOTE_OK)
		return status;
	s->tensor = calloc(s->w.n, sizeof *s->tensor);
	if (!s->tensor)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	for (uint32_t i = 0; i < s->w.n && status == MOTE_OK; i++) {
		struct mote_student_tensor *t = &s->tensor[i];

		t->parameter = &s->w.parameter[i];
		t->index = mote_quantizer_find(q, t->parameter->name);
		status = find(s, t, error);
		s->memory_floats += place(t, NULL);
	}
	if (status != MOTE_OK)
		return status;
	s->memory = mote_train_floats(s->memory_floats, true);
	if (!s->memory)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory: what is learnt takes %.1f MB",
				      (double)s->memory_floats * sizeof(float) * 1e-6);
	for (uint32_t i = 0; i < s->w.n; i++) {
		struct mote_student_tensor *t = &s->tensor[i];

		at += place(t, s->memory + at);
		if (t->quantized)
			unpack(t);
		else if (t->vector)
			memcpy(t->place.w, q->encoded[t->index].data ? q->encoded[t->index].data
								     : q->target[t->index].tensor->vector,
			       t->parameter->rows * sizeof(float));
	}
	return MOTE_OK;
}

void mote_student_free(struct mote_student *s)
{
	mote_parameters_free(&s->w);
	free(s->tensor);
	free(s->memory);
	*s = (struct mote_student){0};
}

void mote_student_settle(struct mote_student *s)
{
	for (uint32_t i = 0; i < s->w.n; i++) {
		struct mote_student_tensor *t = &s->tensor[i];

		for (size_t b = 0; t->quantized && b < (size_t)t->parameter->rows * t->blocks; b++) {
			float scale = t->scale[b] * t->factor.w[b];

			t->scale[b] = (float)mote_grid_scale_value(&t->grid, mote_grid_scale(&t->grid, (double)scale));
			t->factor.w[b] = 1;
		}
	}
}

static void pack(const struct mote_student_tensor *t, uint8_t *out, uint8_t *quants, uint16_t *scales)
{
	const struct mote_matrix *m = &t->matrix;

	for (uint32_t panel = 0; panel < m->panels; panel++) {
		uint32_t rows = m->rows - panel * PANEL < PANEL ? m->rows - panel * PANEL : PANEL;

		for (uint32_t r = 0; r < rows; r++) {
			size_t row = panel * PANEL + r;

			for (uint32_t c = 0; c < m->cols; c++)
				quants[(size_t)r * m->blocks * BLOCK +
				       c] = mote_grid_nearest(&t->grid, (double)t->place.w[row * m->cols + c]);
			for (uint32_t b = 0; b < m->blocks; b++)
				scales[(size_t)r * m->blocks +
				       b] = mote_grid_scale(&t->grid, (double)t->scale[row * m->blocks + b]);
		}
		mote_panel_pack_quants(m, quants, scales, rows, out + panel * m->panel_bytes);
	}
}

static enum mote_status put(struct mote_student *s, const struct mote_student_tensor *t, struct mote_error *error)
{
	struct mote_encoded *e = &s->q->encoded[t->index];
	uint8_t *quants = calloc(PANEL, (size_t)t->blocks * BLOCK + 1);
	uint16_t *scales = calloc(PANEL, (t->blocks + 1u) * sizeof *scales);

	if (!e->data) /* a vector, for the first time */
		e->data = mote_quantizer_alloc(s->q, t->index);
	if (quants && scales && e->data && t->quantized)
		pack(t, e->data, quants, scales);
	else if (e->data && t->vector)
		memcpy(e->data, t->place.w, t->parameter->rows * sizeof(float));
	free(quants);
	free(scales);
	return quants && scales && e->data ? MOTE_OK :
	       mote_error_set(error, MOTE_ERROR_MEMORY, "tensor '%s': out of memory", t->parameter->name);
}

enum mote_status mote_student_put(struct mote_student *s, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < s->w.n && status == MOTE_OK; i++)
		if (s->tensor[i].quantized || s->tensor[i].vector)
			status = put(s, &s->tensor[i], error);
	return status;
}
