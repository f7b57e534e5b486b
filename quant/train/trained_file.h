/* A trained model as a file: tokenizer and metadata of its vocabulary, with a step in its lineage,
 * around the new weights. */
#ifndef MOTE_QUANT_TRAINED_FILE_H
#define MOTE_QUANT_TRAINED_FILE_H

#include "quant/train/trainer.h"
#include "quant/train/vocabulary_growth.h"

/* What the lineage says of a training. */
struct mote_trained_by {
	const char *tool;
	const cJSON *recipe;         /* an object, copied */
	struct mote_hash128 data;    /* of the file that it learnt from */
	const struct mote_vocabulary *vocabulary;
};

/* type: of matrices, a float type; vectors are f32. The output appears whole or not at all.
 * MOTE_ERROR_QUALITY: a weight is not finite, or not within the type's range; others as mote_writer_open(). */
enum mote_status mote_trained_file_write(const struct mote_trainer *t, const char *path, bool force,
					 enum mote_type type, const struct mote_trained_by *by,
					 struct mote_error *error) MOTE_CHECKED;

/* The curve as an SVG of its own. MOTE_ERROR_IO, MOTE_ERROR_ARGUMENT as mote_output_open(). */
enum mote_status mote_train_curve_write(const struct mote_trainer *t, const char *path, bool force,
					struct mote_error *error)
	MOTE_CHECKED;

#endif
