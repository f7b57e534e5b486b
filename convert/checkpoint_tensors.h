/* Which tensors a checkpoint has to hold, as runtime/model/architecture.c lists them, in the order in which a forward
 * pass reads them: what the container's order is, and what a checkpoint is checked against. Nothing missing, nothing
 * superfluous, every shape exact.
 */
#ifndef MOTE_CONVERT_CHECKPOINT_TENSORS_H
#define MOTE_CONVERT_CHECKPOINT_TENSORS_H

#include "convert/hf/hf_config.h"
#include "convert/hf/hf_weights.h"
#include "convert/notes.h"
#include "runtime/model/architecture.h"

struct mote_checkpoint_tensor {
	char name[MOTE_WEIGHT_NAME_BYTES];   /* the container's */
	const struct mote_hf_weight *weight; /* borrowed; where its rows lie in the checkpoint */
	enum mote_type from;                 /* as its rows are read */
	enum mote_type keep;                 /* the type that holds them without loss: the checkpoint's own if there is
					      * one */
	uint32_t rank;                       /* 1: norm or bias */
	uint32_t rows, cols;
	uint32_t weight_rows, first_row;     /* of the weight, which may be several fused; of this tensor among them */
	uint64_t bytes;                      /* in the weight's file */
	bool plus_one;                       /* 1 is added to each element */
};

struct mote_checkpoint_tensors {
	struct mote_checkpoint_tensor *tensor;
	uint32_t tensors;
	/* lm_head.weight of a checkpoint whose head is tied: must have the embedding's bytes; else NULL */
	const struct mote_hf_weight *tied_copy;
};

/* Names that a wrapper put a prefix before ("module.", "_orig_mod.", "base_model.model.", "language_model."), and those
 * of a bare base model, which lack "model.", are taken for what they stand for when everything needed is then there;
 * a note says so. A tied checkpoint may hold the head instead of the embedding. Rotary tables, which old checkpoints
 * hold, are passed over.
 * MOTE_ERROR_CORRUPT: a missing, superfluous or misshapen tensor, with found and expected shape, or with the nearest
 * name that is there; one that does not lie where the index says. MOTE_ERROR_UNSUPPORTED: a dtype. Marks weights as
 * used, may rename and sort them. On error *out is zeroed. */
enum mote_status mote_checkpoint_tensors_match(const struct mote_hf_config *config, const struct mote_source *source,
					       struct mote_hf_weights *weights, struct mote_checkpoint_tensors *out,
					       struct mote_notes *notes, struct mote_error *error);
void mote_checkpoint_tensors_free(struct mote_checkpoint_tensors *t); /* a zeroed struct is fine */

#endif
