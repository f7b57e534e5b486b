/* What both exports ask of a container before they write a model in another's words: which family of checkpoints it is
 * one of.
 */
#ifndef MOTE_CONVERT_EXPORT_MODEL_H
#define MOTE_CONVERT_EXPORT_MODEL_H

#include "format/container.h"
#include "runtime/model/config.h"

/* What a model may have beyond a Llama besides enum mote_feature; bits in the order of the keys of "model". */
enum mote_export_takes {
	MOTE_EXPORT_WINDOW = 1,
	MOTE_EXPORT_LOCAL_ROPE = 2,
	MOTE_EXPORT_NO_ROPE = 4,
	MOTE_EXPORT_PARTIAL = 8,
	MOTE_EXPORT_EMBEDDING_SCALE = 16,
	MOTE_EXPORT_RESIDUAL_SCALE = 32,
	MOTE_EXPORT_ATTENTION_SCALE = 64,
	MOTE_EXPORT_LOGITS_SCALE = 128,
	MOTE_EXPORT_ATTENTION_CAP = 256,
	MOTE_EXPORT_LOGITS_CAP = 512,
	MOTE_EXPORT_GROWTH = 1024
};

struct mote_export_family {
	const char *architecture, *model_type; /* of config.json */
	unsigned features, optional; /* enum mote_feature: what all of the family have, and what some have */
	unsigned takes;            /* enum mote_export_takes */
	/* The key of what the family's class has in one form only, and this model in another;
	 * NULL: nothing of the kind. */
	const char *(*differs)(const struct mote_config *config);
};

/* Reads the config and finds the family: the one that the model was converted from if it can say all of it, else the
 * first that can. MOTE_ERROR_UNSUPPORTED: no model, or what no family has, by its keys; target: "GGUF", for messages.
 * What mote_config_read() says otherwise. */
enum mote_status mote_export_family(const struct mote_container *c, const char *target, struct mote_config *config,
				    const struct mote_export_family **out, struct mote_error *error);

#endif
