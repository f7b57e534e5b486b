/* A model: config and weights, bound once from a container, then read-only.
 *
 * Strict: every tensor that the config calls for is there with exactly its shape, and nothing else
 * is; after open no name is looked up again. Thread-safe after open: many sessions may share it.
 */
#ifndef MOTE_RUNTIME_MODEL_H
#define MOTE_RUNTIME_MODEL_H

#include "format/block.h"

#define MOTE_MAX_EOS 8

struct cJSON;          /* <cjson/cJSON.h> */
struct mote_container; /* format/container.h */

enum mote_rope_kind { MOTE_ROPE_DEFAULT, MOTE_ROPE_LINEAR, MOTE_ROPE_LLAMA3 };

/* Metadata key "model" in the container, see docs/container-format.md. */
struct mote_config {
	uint32_t hidden, layers, heads, kv_heads, head_dim, ffn, vocab, max_positions;
	float norm_eps;
	bool tied_embeddings;   /* the output head is the embedding matrix */
	enum mote_rope_kind rope_kind;
	double rope_theta, rope_factor, rope_low_freq_factor, rope_high_freq_factor;
	uint32_t rope_original_positions;
	int32_t bos;            /* -1: none */
	int32_t eos[MOTE_MAX_EOS];
	uint32_t n_eos;
};

/* Reads keys "model" and "tokens" of a container's metadata. MOTE_ERROR_CORRUPT: a key is missing, of the wrong
 * type or out of range, or shapes contradict each other; MOTE_ERROR_UNSUPPORTED: an architecture or RoPE kind,
 * or a file without weights (made with --vocab-only). */
enum mote_status mote_config_read(const struct cJSON *metadata, struct mote_config *out, struct mote_error *error);

struct mote_layer {
	const float *attention_norm, *ffn_norm;  /* [hidden] */
	struct mote_matrix q;                    /* [heads*head_dim, hidden] */
	struct mote_matrix k, v;                 /* [kv_heads*head_dim, hidden] */
	struct mote_matrix o;                    /* [hidden, heads*head_dim] */
	struct mote_matrix gate, up;             /* [ffn, hidden] */
	struct mote_matrix down;                 /* [hidden, ffn] */
};

struct mote_model {
	struct mote_config config;
	struct mote_matrix embedding;            /* [vocab, hidden] */
	struct mote_matrix head;                 /* [vocab, hidden]; equals embedding when tied */
	const float *final_norm;                 /* [hidden] */
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
