/* Shared by the files of this folder and by nobody else: the ISA files' entry points and two constants. */
#ifndef MOTE_RUNTIME_TABLES_H
#define MOTE_RUNTIME_TABLES_H

#include "runtime/kernels/kernels.h"

/* Blocks whose largest magnitude is smaller quantize to zero: 127 / amax and amax / 127 stay normal. */
#define MOTE_TINY_AMAX 0x1p-100f

/* Where the values begin in a part of attention: 64-byte aligned, after maximum and sum. */
#define MOTE_PART_VALUES 16u

/* Each overrides the slots that it does better than the table that was filled before it. The machine must be
 * able to run it: dispatch.c asks. */
void mote_kernels_init_scalar(struct mote_kernels *k);
#if defined(__x86_64__)
void mote_kernels_init_avx2_matmul(struct mote_kernels *k);
void mote_kernels_init_avx2_vector(struct mote_kernels *k);
void mote_kernels_init_avxvnni_matmul(struct mote_kernels *k);
void mote_kernels_init_avx512_matmul(struct mote_kernels *k);
void mote_kernels_init_avx512_vector(struct mote_kernels *k);
#elif defined(__aarch64__)
void mote_kernels_init_neon_matmul(struct mote_kernels *k);
void mote_kernels_init_neon_vector(struct mote_kernels *k);
void mote_kernels_init_dotprod_matmul(struct mote_kernels *k);
#endif

#endif
