/* What stands behind a struct mote_logits; for the files that make one. */
#ifndef MOTE_QUANT_LOGITS_H
#define MOTE_QUANT_LOGITS_H

#include "quant/measure/validate.h"

/* Rows come in portions of at most this many bytes of logits, so that a source needs little memory, and of at
 * most this many rows, which is also what a model runs in one pass. */
#define MOTE_PORTION_BYTES (32u << 20)
#define MOTE_PORTION_ROWS 512u

struct mote_logits {
	const struct mote_plan *plan;
	uint32_t portion_rows;
	uint64_t row; /* the next to yield */
	enum mote_status (*read)(struct mote_logits *s, uint32_t rows, const float **logits, struct mote_error *error);
	enum mote_status (*rewind)(struct mote_logits *s, struct mote_error *error); /* NULL: row = 0 is all */
	void (*close)(struct mote_logits *s);
};

/* Sets plan, portion_rows and row. */
void mote_logits_init(struct mote_logits *s, const struct mote_plan *p);

/* The session of a source made by mote_logits_from_model(). */
struct mote_session *mote_logits_session(struct mote_logits *s);

#endif
