/* Sources of logits: they yield the logits of a plan's scored rows in order, from a model that runs, from memory or
 * from a file (logits_file.h). Not thread-safe: one caller walks one source.
 */
#ifndef MOTE_QUANT_LOGITS_H
#define MOTE_QUANT_LOGITS_H

#include "quant/measure/plan.h"
#include "runtime/model/session.h"

struct mote_logits;

/* Logits by running m, which must outlive the source. KV cache in f32, so that the figures speak of the
 * weights. isa as in mote_session_options. MOTE_ERROR_ARGUMENT: m's vocabulary is not the plan's. */
enum mote_status mote_logits_from_model(const struct mote_model *m, const struct mote_plan *p, uint32_t threads,
					const char *isa, struct mote_logits **out,
					struct mote_error *error) MOTE_CHECKED;
/* A copy in memory of all that s yields (rows * vocab floats): for measuring many models against one
 * reference. s is read to its end and left there. */
enum mote_status mote_logits_remember(struct mote_logits *s, const struct mote_progress *progress,
				      struct mote_logits **out, struct mote_error *error) MOTE_CHECKED;
void mote_logits_close(struct mote_logits *s); /* NULL is fine */
/* The next rows in plan order: *rows of them (0 at the end; never across a chunk's end), [*rows][vocab],
 * valid until the next call. All sources of one plan yield the same portions. */
enum mote_status mote_logits_next(struct mote_logits *s, const float **logits, uint32_t *rows,
				  struct mote_error *error) MOTE_CHECKED;
enum mote_status mote_logits_rewind(struct mote_logits *s, struct mote_error *error) MOTE_CHECKED;
/* Goes to the first row of a chunk, which is at most the plan's chunks. */
enum mote_status mote_logits_seek(struct mote_logits *s, uint32_t chunk, struct mote_error *error) MOTE_CHECKED;

/* ---- for the files that make a source ---- */

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
	enum mote_status (*skip)(struct mote_logits *s, struct mote_error *error);   /* a portion; NULL: row is all */
	void (*close)(struct mote_logits *s);
	struct mote_session *session; /* of a source that runs a model, for those who look inside; else NULL */
};

/* Sets plan, portion_rows and row. */
void mote_logits_init(struct mote_logits *s, const struct mote_plan *p);

#endif
