/* What stands behind a struct mote_source; for the files that make one. */
#ifndef MOTE_QUANT_SOURCE_H
#define MOTE_QUANT_SOURCE_H

#include "quant/validate.h"

/* Rows come in portions of at most this many bytes of logits, so that a source needs little memory, and of at
 * most this many rows, which is also what a model runs in one pass. */
#define MOTE_PORTION_BYTES (32u << 20)
#define MOTE_PORTION_ROWS 512u

struct mote_source {
	const struct mote_plan *plan;
	uint32_t portion_rows;
	uint64_t row; /* the next to yield */
	enum mote_status (*read)(struct mote_source *s, uint32_t rows, const float **logits, struct mote_error *error);
	enum mote_status (*rewind)(struct mote_source *s, struct mote_error *error); /* NULL: row = 0 is all */
	void (*close)(struct mote_source *s);
};

/* Sets plan, portion_rows and row. */
void mote_source_init(struct mote_source *s, const struct mote_plan *p);

/* The session of a source made by mote_source_from_model(). */
struct mote_session *mote_source_session(struct mote_source *s);

#endif
