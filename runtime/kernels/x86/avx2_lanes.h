/* What the vector kernels of more than one file are written with, for AVX2: parts of registers, the tree that ends a
 * lane sum, the exponential. */
#ifndef MOTE_RUNTIME_AVX2_LANES_H
#define MOTE_RUNTIME_AVX2_LANES_H

#include <immintrin.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Lanes i < n of 8. */
INLINE __m256i lanes_below(uint32_t n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int)n : 8), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* 8 floats of which n are there; the rest reads as zero. */
INLINE __m256 load_part(const float *x, uint32_t n)
{
	return n >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, lanes_below(n));
}

INLINE void store_part(float *x, uint32_t n, __m256 v)
{
	if (n >= 8)
		_mm256_storeu_ps(x, v);
	else
		_mm256_maskstore_ps(x, lanes_below(n), v);
}

/* The tree of kernels.h: + 8, + 4, + 2, + 1; lanes 0-7 are in a, 8-15 in b. */
INLINE float sum_lanes(__m256 a, __m256 b)
{
	__m128 c;

	a = _mm256_add_ps(a, b);
	c = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	c = _mm_add_ps(c, _mm_movehl_ps(c, c));
	return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

INLINE uint32_t max_lanes_u32(__m256i v)
{
	__m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
	m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
	m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
	return (uint32_t)_mm_cvtsi128_si32(m);
}

INLINE float max_lanes(__m256 v)
{
	__m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* mote_exact_expf(), operation by operation. */
INLINE __m256 exp_ps(__m256 x)
{
	const __m256 magic = _mm256_set1_ps(12582912.0f);
	__m256 live = _mm256_cmp_ps(x, _mm256_set1_ps(-87.0f), _CMP_NLT_UQ);
	__m256 t, n, r, p;

	x = _mm256_min_ps(_mm256_set1_ps(88.0f), x); /* gives x when x is a NaN */
	t = _mm256_fmadd_ps(x, _mm256_set1_ps(0x1.715476p+0f), magic);
	n = _mm256_sub_ps(t, magic);
	r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.62e4p-1f), x);
	r = _mm256_fmadd_ps(n, _mm256_set1_ps(-0x1.7f7d1cp-20f), r);
	p = _mm256_set1_ps(0x1.6a2436p-10f);
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.1239e2p-7f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.5558f2p-5f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.555492p-3f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0x1.fffffcp-2f));
	p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r);
	p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
	n = _mm256_castsi256_ps(_mm256_slli_epi32(
		_mm256_add_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(127)), 23));
	return _mm256_and_ps(_mm256_mul_ps(p, n), live);
}

#endif
