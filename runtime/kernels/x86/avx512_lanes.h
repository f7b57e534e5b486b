/* What the vector kernels of more than one file are written with, for AVX-512: masks of tails, the tree that ends a
 * lane sum, the exponential. */
#ifndef MOTE_RUNTIME_AVX512_LANES_H
#define MOTE_RUNTIME_AVX512_LANES_H

#include <immintrin.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE __mmask16 tail_mask(uint32_t n)
{
	return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

/* The tree of kernels.h: + 8, + 4, + 2, + 1. */
INLINE float sum_lanes(__m512 v)
{
	__m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
	__m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	b = _mm_add_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* mote_exact_expf(), operation by operation. */
INLINE __m512 exp_ps(__m512 x)
{
	const __m512 magic = _mm512_set1_ps(12582912.0f);
	__mmask16 live = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-87.0f), _CMP_NLT_UQ);
	__m512 t, n, r, p;

	x = _mm512_min_ps(_mm512_set1_ps(88.0f), x); /* gives x when x is a NaN */
	t = _mm512_fmadd_ps(x, _mm512_set1_ps(0x1.715476p+0f), magic);
	n = _mm512_sub_ps(t, magic);
	r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.62e4p-1f), x);
	r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.7f7d1cp-20f), r);
	p = _mm512_set1_ps(0x1.6a2436p-10f);
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.1239e2p-7f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.5558f2p-5f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555492p-3f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.fffffcp-2f));
	p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
	p = _mm512_add_ps(p, _mm512_set1_ps(1.0f));
	n = _mm512_castsi512_ps(_mm512_slli_epi32(
		_mm512_add_epi32(_mm512_castps_si512(t), _mm512_set1_epi32(127)), 23));
	return _mm512_maskz_mul_ps(live, p, n);
}

#endif
