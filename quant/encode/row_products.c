/* Products with sixteen rows side by side: see row_lanes.h. gcc passes a vector that is wider than a register through
 * memory at every turn of a loop, so there is a function for each width. */
#include "quant/encode/row_lanes.h"

#include "runtime/kernels/tables.h"

/* name_some() makes 4 sums or 1 in registers of so many bytes. */
#define DEFINE_ADD(name, target, bytes)                                                                               \
	typedef float name##_part __attribute__((vector_size(bytes), may_alias));                                     \
                                                                                                                      \
	target static inline __attribute__((always_inline)) void name##_some(                                         \
		mote_lanes *sum, const float *m, size_t across, size_t down, const mote_lanes *v, uint32_t n,         \
		const int sums)                                                                                       \
	{                                                                                                             \
		enum { PARTS = 64 / (bytes) };                                                                        \
		name##_part *to = (name##_part *)(void *)sum, total[4 * PARTS];                                       \
                                                                                                                      \
		UNROLL for (int k = 0; k < sums * PARTS; k++)                                                         \
			total[k] = to[k];                                                                             \
		for (uint32_t j = 0; j < n; j++, m += down) {                                                         \
			const name##_part *by = (const name##_part *)(const void *)(v + j);                           \
                                                                                                                      \
			UNROLL for (int k = 0; k < sums * PARTS; k++)                                                 \
				total[k] += m[(size_t)(k / PARTS) * across] * by[k % PARTS];                          \
		}                                                                                                     \
		UNROLL for (int k = 0; k < sums * PARTS; k++)                                                         \
			to[k] = total[k];                                                                             \
	}                                                                                                             \
                                                                                                                      \
	target static void name(mote_lanes *sum, uint32_t sums, const float *m, size_t across, size_t down,           \
				const mote_lanes *v, uint32_t n)                                                      \
	{                                                                                                             \
		for (; sums >= 4; sums -= 4, sum += 4, m += 4 * across)                                               \
			name##_some(sum, m, across, down, v, n, 4);                                                   \
		for (; sums > 0; sums--, sum++, m += across)                                                          \
			name##_some(sum, m, across, down, v, n, 1);                                                   \
	}

#if defined(__x86_64__)
DEFINE_ADD(add_avx512, __attribute__((target("avx512f"))), 64)
DEFINE_ADD(add_avx2, __attribute__((target("avx2"))), 32)
#endif
DEFINE_ADD(add_any, , 16)

void mote_lanes_add_products(mote_lanes *sum, uint32_t sums, const float *m, size_t across, size_t down,
			     const mote_lanes *v, uint32_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f")) {
		add_avx512(sum, sums, m, across, down, v, n);
		return;
	}
	if (__builtin_cpu_supports("avx2")) {
		add_avx2(sum, sums, m, across, down, v, n);
		return;
	}
#endif
	add_any(sum, sums, m, across, down, v, n);
}
