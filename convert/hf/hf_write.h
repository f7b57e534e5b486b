/* A container as the directory that transformers reads: model.safetensors, config.json, generation_config.json,
 * tokenizer.json, tokenizer_config.json and the chat templates. Converted again it gives the same tensors, bit for bit.
 */
#ifndef MOTE_CONVERT_HF_WRITE_H
#define MOTE_CONVERT_HF_WRITE_H

#include "format/container.h"

struct mote_hf_write_options {
	bool keep_types;           /* float matrices as they are, quantized ones as f32; else all in .type */
	enum mote_type type;       /* f32, f16 or bf16 */
	bool force;                /* replace files that exist */
	struct mote_progress progress; /* in bytes of weights written; .update may be NULL */
};

/* Writes into the directory, which is made if it does not exist. Each file appears when it is complete; the weights
 * last. Vectors get the embedding's type where that holds them exactly, else f32.
 * MOTE_ERROR_UNSUPPORTED: a model or a tokenizer that cannot be said there; MOTE_ERROR_CORRUPT: a tensor that does not
 * match its checksum; MOTE_ERROR_ARGUMENT: a file exists; MOTE_ERROR_INTERRUPTED, _IO, _MEMORY.
 * *bytes: of the weights. */
enum mote_status mote_hf_write(const struct mote_container *c, const char *directory,
			       const struct mote_hf_write_options *options, uint64_t *bytes, struct mote_error *error);

#endif
