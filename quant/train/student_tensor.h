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

#endif
