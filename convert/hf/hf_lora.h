/* LoRA adapters as PEFT saves them (adapter_config.json, adapter_model.safetensors), merged into a checkpoint's weights
 * while these are read: W + scale B A in f32, with scale alpha / r, or alpha / sqrt(r) for rank-stabilized ones.
 */
#ifndef MOTE_CONVERT_HF_LORA_H
#define MOTE_CONVERT_HF_LORA_H

#include "convert/checkpoint_tensors.h"

/* What one adapter adds to one weight. */
struct mote_lora_update {
	struct mote_lora_update *next; /* of the same weight, added after this one */
	float *a, *b;              /* [rank][cols], [rows][rank] */
	uint32_t rank, rows, cols;
	float scale;
};

struct mote_lora { /* one adapter; zero-initialize */
	struct mote_safetensors file;
	struct mote_lora_update *update; /* [updates] */
	uint32_t updates;
};

/* Opens the adapter in the directory and hangs what it changes into weights and plan, which were matched; its files
 * join those of the source, for reading and for the lineage. factor: by which the adapter is multiplied beyond its own
 * scale. A description of it is added to lineage, an array.
 * MOTE_ERROR_CORRUPT: a tensor without its other half, of another shape, or for a weight that the model does not have;
 * MOTE_ERROR_UNSUPPORTED: another kind of adapter, DoRA, biases, alphas by pattern; _IO, _MEMORY. out has to live as
 * long as weights are read, and is freed in any case. */
enum mote_status mote_lora_apply(const char *directory, double factor, struct mote_source *source,
				 struct mote_hf_weights *weights, struct mote_checkpoint_tensors *plan, cJSON *lineage,
				 struct mote_lora *out, struct mote_error *error);
void mote_lora_free(struct mote_lora *l);

#endif
