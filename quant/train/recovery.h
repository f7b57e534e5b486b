/* A recovery under way: recover.c learns, recover_plan.c counts what is done and what there is time for,
 * recover_state.c keeps it on disk. For these files alone. */
#ifndef MOTE_QUANT_RECOVERY_H
#define MOTE_QUANT_RECOVERY_H

#include "format/container.h"
#include "quant/train/recover.h"

/* What a token costs that is only measured, in one that is learnt from: two passes forward of what is two passes
 * forward, a third while going back, and twice that for gradients. */
#define MOTE_RECOVERY_MEASURED 0.4

struct mote_recovery {
	const struct mote_recover_options *o;
	const struct mote_model *source;
	struct mote_text_ids text;
	uint32_t length, sequences;
	size_t learn, held;         /* tokens: the first are learnt from, the last are not */
	struct mote_passes passes;
	struct mote_parameters reference;
	struct mote_student student;
	int32_t *ids;               /* of a batch */
	float *hidden, *weight;     /* the reference's states; of each row's loss */
	double *value;
	uint64_t random, step, steps; /* done, and in all; 0: not planned yet */
	double before;              /* mean divergence on what is held out */
	struct mote_hash128 identity; /* of what a state belongs to */

	double began, kept;         /* seconds: the beginning, and when the state was last written */
	double work;                /* done so far, in tokens that are learnt from */
	double spent;               /* of that on planning */
	bool moving;                /* a backward pass changes the student */
	bool stopped;               /* somebody asked to */
};

/* ---- recover.c ---- */

uint64_t mote_recovery_step_tokens(const struct mote_recovery *r);
/* A step's passes with `sequences` passages. */
void mote_recovery_step(struct mote_recovery *r, uint64_t number, uint32_t sequences);

/* ---- recover_plan.c ---- */

/* So much more is done; reports it. False: stop. */
bool mote_recovery_go_on(struct mote_recovery *r, double more);
/* Sets the steps for the tokens or the time that was asked for. */
void mote_recovery_plan(struct mote_recovery *r);

/* ---- recover_state.c ---- */

/* Names what is learnt from what: only the same can go on from a state. */
enum mote_status mote_recovery_identify(struct mote_recovery *r, struct mote_error *error) MOTE_CHECKED;
enum mote_status mote_recovery_save(struct mote_recovery *r, struct mote_error *error) MOTE_CHECKED;
/* MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED (another recovery's), MOTE_ERROR_IO. */
enum mote_status mote_recovery_load(struct mote_recovery *r, struct mote_error *error) MOTE_CHECKED;

#endif
