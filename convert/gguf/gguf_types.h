/* GGUF's types of tensors: their numbers, block sizes, and what each block's bytes are worth.
 *
 * The layouts are the format's (ggml's block structures); decoding computes in f32 and in the order in which ggml's
 * reference functions do, so that the values are theirs bit for bit.
 */
#ifndef MOTE_CONVERT_GGUF_TYPES_H
#define MOTE_CONVERT_GGUF_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mote_gguf_type { /* numbers of the format */
	MOTE_GGUF_F32 = 0, MOTE_GGUF_F16 = 1, MOTE_GGUF_Q4_0 = 2, MOTE_GGUF_Q4_1 = 3, MOTE_GGUF_Q5_0 = 6,
	MOTE_GGUF_Q5_1 = 7, MOTE_GGUF_Q8_0 = 8, MOTE_GGUF_Q2_K = 10, MOTE_GGUF_Q3_K = 11, MOTE_GGUF_Q4_K = 12,
	MOTE_GGUF_Q5_K = 13, MOTE_GGUF_Q6_K = 14, MOTE_GGUF_IQ4_NL = 20, MOTE_GGUF_IQ4_XS = 23, MOTE_GGUF_BF16 = 30
};

struct mote_gguf_type_info {
	const char *name;
	uint32_t number;
	uint32_t elements, bytes; /* of a block */
	/* One block's values; NULL: known, but not decoded here (or no block: f32, f16, bf16). */
	void (*decode)(const uint8_t *block, float *out);
};

/* NULL for a number that is no type's. */
const struct mote_gguf_type_info *mote_gguf_type_find(uint32_t number);

/* IQ4_NL's and IQ4_XS's sixteen values. */
extern const int8_t mote_gguf_iq4_values[16];

#endif
