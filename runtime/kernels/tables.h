/* Shared by the files of this folder and by nobody else: the ISA files' entry points, and what their kernels are
 * written with. */
#ifndef MOTE_RUNTIME_TABLES_H
#define MOTE_RUNTIME_TABLES_H

#include <float.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/kernels.h"

/* Blocks whose largest magnitude is smaller quantize to zero: 127 / amax and amax / 127 stay normal. */
#define MOTE_TINY_AMAX 0x1p-100f

/* Where the values begin in a part of attention: 64-byte aligned, after maximum and sum. */
#define MOTE_PART_VALUES 16u

/* geglu(): c and c * 0.044715, c = 2 sqrt(2 / pi). */
#define MOTE_GELU_LINEAR 0x1.988454p+0f
#define MOTE_GELU_CUBIC 0x1.2444f2p-4f

/* The factor of a norm of squares with this mean. A sum beyond the range of floats would make it zero, and of all
 * values zeros that look sound: so it is NaN, and the fault shows in the result. */
static inline float mote_norm_factor(float mean, float eps)
{
	return mean > FLT_MAX ? __builtin_nanf("") : 1.0f / mote_exact_sqrtf(mean + eps);
}

/* How far to the right the activations' bias (for quants + 128) is shifted to be that of quants + 32 and + 16: exact,
 * as it is a multiple of 128. */
static inline uint8_t mote_bias_shift(enum mote_type type)
{
	return mote_type_has_codebook(type) ? 0 : (uint8_t)(8 - mote_type_bits(type));
}

/* Calls X(slot, name) for each quantized type. */
#define MOTE_QUANTIZED_TYPES(X)                                                                                      \
	X(MOTE_Q8, multiply_q8) X(MOTE_Q6, multiply_q6) X(MOTE_Q5, multiply_q5) X(MOTE_Q4, multiply_q4) \
	X(MOTE_Q3, multiply_q3) X(MOTE_Q8B, multiply_q8b) X(MOTE_Q6B, multiply_q6b) X(MOTE_Q5B, multiply_q5b) \
	X(MOTE_Q4B, multiply_q4b) X(MOTE_Q3B, multiply_q3b)

/* The bits that a scale byte gives of an f16 once it has been widened with its sign and shifted to the left by 6. */
#define MOTE_SCALE_BYTE_BITS ((short)0x9fc0)

/* Before a loop of a constant number of rounds, 16 at most: none is left. Register tiles live in small arrays, which
 * become registers once the loops over them are unrolled, and what is looked up by a loop's counter becomes a
 * constant. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Defines a table's entry for one type: multiply() with the type, and what else follows, as constants. */
#define MOTE_DEFINE_MULTIPLY(name, multiply, ...)                                                                    \
	static void name(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,                              \
			 const struct mote_activations *a, uint32_t row, uint32_t n_rows, float *out,         \
			 size_t out_stride)                                                                           \
	{                                                                                                             \
		multiply(w, panel, n_panels, a, row, n_rows, out, out_stride, __VA_ARGS__);                           \
	}

/* Each overrides the slots that it does better than the table that was filled before it. The machine must be
 * able to run it: dispatch.c asks. */
void mote_kernels_init_scalar(struct mote_kernels *k);
#if defined(__x86_64__)
void mote_kernels_init_avx2_matmul(struct mote_kernels *k);
void mote_kernels_init_avx2_vector(struct mote_kernels *k);
void mote_kernels_init_avx2_train(struct mote_kernels *k);
void mote_kernels_init_avxvnni_matmul(struct mote_kernels *k);
void mote_kernels_init_avx512_matmul(struct mote_kernels *k);
void mote_kernels_init_avx512_vector(struct mote_kernels *k);
void mote_kernels_init_avx512_train(struct mote_kernels *k);
/* Builds on the AVX-512 table, which it calls for the last rows. */
void mote_kernels_init_amx_matmul(struct mote_kernels *k);
#elif defined(__aarch64__)
void mote_kernels_init_neon_matmul(struct mote_kernels *k);
void mote_kernels_init_neon_vector(struct mote_kernels *k);
void mote_kernels_init_neon_train(struct mote_kernels *k);
void mote_kernels_init_dotprod_matmul(struct mote_kernels *k);
#endif

#endif
