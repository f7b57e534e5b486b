/* What both exports ask of a container's metadata before they write a model in another's words.
 */
#ifndef MOTE_CONVERT_EXPORT_MODEL_H
#define MOTE_CONVERT_EXPORT_MODEL_H

#include "format/container.h"

/* The family of checkpoints that the model is one of. */
struct mote_export_family {
	const char *architecture, *model_type; /* of config.json */
	const char *gguf;          /* of "general.architecture" */
	const char *feature;       /* what "model" says beyond a Llama; NULL: nothing */
	bool permuted;             /* rows of q and k in a GGUF file */
};

/* MOTE_ERROR_UNSUPPORTED: the model has a feature that no family of the list has, by its key. target: "GGUF", for
 * messages. */
enum mote_status mote_export_family(const struct mote_container *c, const char *target, const struct mote_export_family **out,
				    struct mote_error *error);

#endif
