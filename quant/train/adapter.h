/* Low-rank adapters (LoRA, Hu et al. 2021): every linear map of a layer becomes W + scale B A with W frozen; only A, of
 * `rank` rows, and B, of as many columns, learn. A begins uniform within 1 / sqrt(columns), as PEFT has it, B at zero,
 * so that at first the model is as it was. Embedding, head, norms and biases stay.
 */
#ifndef MOTE_QUANT_ADAPTER_H
#define MOTE_QUANT_ADAPTER_H

#include "quant/train/parameters.h"

struct mote_low_rank {
	const struct mote_parameter *of;
	uint32_t rank;
	float scale;                /* alpha / rank */
	float *a, *b;               /* [rank][cols], [rows][rank] */
	float *a_gradient, *b_gradient;
	float *product;             /* [tokens][rank] for the passes, one for all */
};

struct mote_adapter {
	struct mote_low_rank *part; /* [parts], in forward order */
	uint32_t parts, rank;
	double alpha;
	float *weights, *gradients; /* [floats], a and b of one part behind the other */
	size_t floats;
	void *memory;
};

/* Hangs itself into w (its parameters' `low`), which must outlive it. tokens: of a pass, at most. MOTE_ERROR_MEMORY.
 * Zero-initialize; free with mote_adapter_free(). */
enum mote_status mote_adapter_init(struct mote_adapter *a, struct mote_parameters *w, uint32_t rank, double alpha,
				   uint64_t seed, uint32_t tokens, struct mote_error *error) MOTE_CHECKED;
void mote_adapter_free(struct mote_adapter *a);

/* Adds scale B A to the weights, as conversion merges adapters of others (convert/hf/hf_lora.h), to the bit, and
 * unhangs what is hung into w. */
void mote_adapter_merge(struct mote_parameters *w);

/* As PEFT saves adapters: adapter_config.json and adapter_model.safetensors (f32) in `folder`, which is made.
 * MOTE_ERROR_ARGUMENT: they are there and !force; MOTE_ERROR_IO, MOTE_ERROR_MEMORY. */
enum mote_status mote_adapter_write(const struct mote_adapter *a, const char *folder, bool force,
				    struct mote_error *error)
	MOTE_CHECKED;
/* Whether it could be written now; leaves everything as it is. Errors as of writing. */
enum mote_status mote_adapter_check(const char *folder, bool force, struct mote_error *error) MOTE_CHECKED;

#endif
