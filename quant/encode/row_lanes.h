/* Sixteen rows of a panel side by side, as the encoders compute on them: lane r is row r.
 * The compiler makes whatever vectors the machine has out of these; with -ffp-contract=off each lane sees the same
 * IEEE operations in the same order on all of them.
 */
#ifndef MOTE_QUANT_ROW_LANES_H
#define MOTE_QUANT_ROW_LANES_H

#include <stddef.h>
#include <stdint.h>

typedef float mote_lanes __attribute__((vector_size(64)));

/* Compiles a function for wider vectors too and picks one at load time. Speed only: no fused operations, so the
 * results are the same. (clang 14 cannot do this to static functions. A resolver runs while the program is being
 * loaded, before a sanitizer that its code calls is ready.) */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define MOTE_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define MOTE_WIDEST
#endif

/* sum[k] += m[k across] v[0] + m[k across + down] v[1] + ..., n products added one after the other, for k < sums. Fast
 * for sums by fours. */
void mote_lanes_add_products(mote_lanes *sum, uint32_t sums, const float *m, size_t across, size_t down,
			     const mote_lanes *v, uint32_t n);

#endif
