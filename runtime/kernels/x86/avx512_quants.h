/* What the two files of products with 512-bit registers share: the scales of a block.
 * See block.h for where they lie. */
#ifndef MOTE_RUNTIME_AVX512_QUANTS_H
#define MOTE_RUNTIME_AVX512_QUANTS_H

#include <immintrin.h>

#include "runtime/kernels/tables.h"

#define AVX512 \
	__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))) \
	static inline __attribute__((always_inline))

AVX512 __m512 load_unit(const struct mote_matrix *w, const enum mote_type type)
{
	return mote_type_has_byte_scales(type) ? _mm512_set1_ps(mote_matrix_unit(w)) : _mm512_setzero_ps();
}

/* The scales of a block's 16 rows. unit: of types with byte scales, else not looked at */
AVX512 __m512 load_scales(const uint8_t *panel, size_t block, __m512 unit, const enum mote_type type)
{
	const uint8_t *at = panel + block * mote_type_scales_bytes(type);
	__m256i halves;

	if (!mote_type_has_byte_scales(type))
		return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)at));
	halves = _mm256_slli_epi16(_mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)at)), 6);
	return _mm512_mul_ps(_mm512_cvtph_ps(_mm256_and_si256(halves, _mm256_set1_epi16(MOTE_SCALE_BYTE_BITS))), unit);
}

#endif
