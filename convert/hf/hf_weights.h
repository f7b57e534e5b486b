/* The weights of a Hugging Face directory: model.safetensors, or the shards that model.safetensors.index.json
 * lists. A tensor is found by name whatever file it is in.
 */
#ifndef MOTE_CONVERT_HF_WEIGHTS_H
#define MOTE_CONVERT_HF_WEIGHTS_H

#include "convert/gguf/gguf_types.h"
#include "convert/hf/safetensors.h"
#include "convert/source.h"
#include "format/block.h"

struct mote_hf_weight {
	const char *name;          /* the tensor's own, unless it is an alias or mote_hf_weights_rename() was here */
	const char *first_name;    /* before renaming */
	char *new_name;            /* after it; NULL: not renamed */
	const struct mote_safetensors_tensor *tensor;
	uint32_t file;             /* index into the source's files */
	const struct mote_gguf_type_info *blocks; /* of a GGUF file: how its rows are stored; NULL: as the dtype says */
	uint32_t permuted_heads;   /* not 0: the file has the halves of so many heads' rows interleaved */
	struct mote_lora_update *lora; /* what adapters add (hf_lora.h); NULL: nothing */
	bool alias;                /* a second name for a tensor, from a file's "__metadata__" */
	bool used;                 /* for whoever looks for the superfluous ones */
};

struct mote_hf_place { /* what the index says; borrowed from it */
	const char *tensor, *shard;
};

struct mote_hf_weights {
	struct mote_safetensors *shard; /* [shards] */
	uint32_t shards;
	struct mote_hf_weight *weight;  /* [weights], by name */
	uint32_t weights;
	cJSON *index;                   /* model.safetensors.index.json; NULL: there is one file */
	struct mote_hf_place *place;    /* [places], by tensor */
	uint32_t places;
};

/* An index that disagrees with its shards is no error yet: only about tensors that are needed does it matter, see
 * mote_hf_weight_check_place(). safetensors writes one of two tied tensors and names the other in "__metadata__": it
 * is found by both names.
 * MOTE_ERROR_CORRUPT: no weights, a missing or malformed shard, a tensor in two shards, a shard name with '/' or "..".
 * The files stay open in the source. On error *out is zeroed. */
enum mote_status mote_hf_weights_open(struct mote_source *source, struct mote_hf_weights *out,
				      struct mote_error *error);
void mote_hf_weights_close(struct mote_hf_weights *w); /* a zeroed struct is fine */

struct mote_hf_weight *mote_hf_weights_find(const struct mote_hf_weights *w, const char *name); /* or NULL */

/* Gives every weight whose name begins with the prefix another beginning ("module.model." to "model."). The weights
 * are sorted anew: pointers to them are void. MOTE_ERROR_MEMORY. */
enum mote_status mote_hf_weights_rename(struct mote_hf_weights *w, const char *prefix, const char *replacement,
					struct mote_error *error);
void mote_hf_weights_restore_names(struct mote_hf_weights *w); /* as they were before any rename(), and unused */

/* A needed weight lies where the index says, if there is an index. MOTE_ERROR_CORRUPT names tensor and shard. */
enum mote_status mote_hf_weight_check_place(const struct mote_hf_weights *w, const struct mote_source *source,
					    const struct mote_hf_weight *weight, struct mote_error *error);
/* The shard that the index names for a tensor which no shard holds; NULL: no index, or it does not list it. */
const char *mote_hf_weights_listed(const struct mote_hf_weights *w, const char *name);

/* The float type of a tensor. MOTE_ERROR_UNSUPPORTED for every other dtype, with the tensor's name. */
enum mote_status mote_hf_weight_type(const struct mote_hf_weight *weight, enum mote_type *type,
				     struct mote_error *error);

#endif
