/* A model: config and weights, bound once from a container, then read-only.
 *
 * Strict: every tensor that the config calls for is there with exactly its shape, and nothing else
 * is; after open no name is looked up again. Thread-safe after open: many sessions may share it.
 */
#ifndef MOTE_RUNTIME_MODEL_H
#define MOTE_RUNTIME_MODEL_H

#include "runtime/model/config.h"
#include "runtime/model/layer.h"

struct mote_container; /* format/container.h */

struct mote_model {
	struct mote_config config;
	struct mote_matrix embedding;            /* [vocab, hidden] */
	struct mote_matrix head;                 /* [vocab, hidden]; equals embedding when tied */
	const float *final_norm, *final_norm_bias; /* [hidden]; the bias NULL but for LayerNorm */
	struct mote_layer *layer;                /* [layers] */
	struct mote_container *container;        /* owned; NULL for a model built in memory by a test */
	void *huge;                              /* weights copied to huge pages, or NULL when mapped */
	size_t huge_bytes;
};

/* MAPPED uses the file's pages as they lie in the page cache; HUGE_PAGES reads the weights once into 2 MiB pages,
 * from which two cores stream about half as fast again (docs/benchmarks.md has the measurement). */
enum mote_weights { MOTE_WEIGHTS_DEFAULT, MOTE_WEIGHTS_MAPPED, MOTE_WEIGHTS_HUGE_PAGES };

/* Opens a container and binds it. Statuses as mote_container_open(); MOTE_ERROR_CORRUPT names a missing,
 * superfluous or misshapen tensor with both shapes, or a config key; MOTE_ERROR_UNSUPPORTED an
 * architecture. *out is NULL on error. */
enum mote_status mote_model_open(const char *path, enum mote_weights weights, struct mote_model **out,
				 struct mote_error *error);
void mote_model_close(struct mote_model *m); /* NULL is fine */

/* The weight matrix of this (checkpoint) name for replacing it in memory, as the quantizer does when it
 * measures; NULL when there is none. A tied head is found as the embedding; replace both. Not while a session runs. */
struct mote_matrix *mote_model_matrix(struct mote_model *m, const char *name);

#endif
