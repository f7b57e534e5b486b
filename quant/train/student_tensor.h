/* One tensor of a student: for the files of student.h alone. */
#ifndef MOTE_QUANT_STUDENT_TENSOR_H
#define MOTE_QUANT_STUDENT_TENSOR_H

#include "quant/train/student.h"

/* What is learnt, and AdamW's two moments of it. */
struct mote_learnt {
	float *w, *m, *v;
};

struct mote_student_tensor {
	struct mote_parameter *parameter;
	uint32_t index;             /* of the quantizer */
	bool vector;
	struct mote_matrix matrix;  /* of a matrix: as it is encoded */
	bool quantized;             /* and is therefore learnt by places and scales; a matrix that is not stays */
	struct mote_grid grid;
	float value[256];           /* the grid's */
	float spacing;              /* between the grid's values, on average */
	uint32_t blocks;            /* of a row */
	struct mote_learnt place;   /* [rows][cols] in the grid's units; of a vector the vector itself */
	struct mote_learnt factor;  /* [rows][blocks] */
	float *scale;               /* [rows][blocks] */
};

/* What a block's scale is worth. A byte is too coarse to be rounded to only in the end: it counts rounded from the
 * start, and the factor moves by the gradient with respect to it, as places do. */
static inline float mote_student_scale(const struct mote_student_tensor *t, size_t block)
{
	float scale = t->scale[block] * t->factor.w[block];

	return mote_type_has_byte_scales(t->grid.type) ?
		(float)mote_grid_scale_value(&t->grid, mote_grid_scale(&t->grid, (double)scale)) : scale;
}

#endif
