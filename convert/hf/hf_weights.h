/* The weights of a Hugging Face directory: model.safetensors, or the shards that model.safetensors.index.json
 * lists. A tensor is found by name whatever file it is in.
 */
#ifndef MOTE_CONVERT_HF_WEIGHTS_H
#define MOTE_CONVERT_HF_WEIGHTS_H

#include "convert/hf/safetensors.h"
#include "convert/source.h"
#include "format/block.h"

struct mote_hf_weight {
	const struct mote_safetensors_tensor *tensor;
	uint32_t file;             /* index into the source's files */
	bool used;                 /* for whoever looks for the superfluous ones */
};

struct mote_hf_weights {
	struct mote_safetensors *shard; /* [shards] */
	uint32_t shards;
	struct mote_hf_weight *weight;  /* [weights], by name */
	uint32_t weights;
};

/* MOTE_ERROR_CORRUPT: no weights, a missing or malformed shard, an index that disagrees with its shards, a shard
 * name with '/' or "..". The files stay open in the source. On error *out is zeroed. */
enum mote_status mote_hf_weights_open(struct mote_source *source, struct mote_hf_weights *out,
				      struct mote_error *error);
void mote_hf_weights_close(struct mote_hf_weights *w); /* a zeroed struct is fine */

struct mote_hf_weight *mote_hf_weights_find(const struct mote_hf_weights *w, const char *name); /* or NULL */

/* The float type of a tensor. MOTE_ERROR_UNSUPPORTED for every other dtype, with the tensor's name. */
enum mote_status mote_hf_weight_type(const struct mote_hf_weight *weight, enum mote_type *type,
				     struct mote_error *error);

#endif
