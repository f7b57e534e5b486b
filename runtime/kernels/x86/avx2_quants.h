/* What the two files of products with 256-bit registers share: taking blocks of quants apart, 8 rows x 4 columns in a
 * register, and the end of a block. See block.h for where a group's bits are.
 */
#ifndef MOTE_RUNTIME_AVX2_QUANTS_H
#define MOTE_RUNTIME_AVX2_QUANTS_H

#include <immintrin.h>
#include <string.h>

#include "runtime/kernels/tables.h"

#define AVX2 __attribute__((target("avx2,fma,f16c"))) static inline __attribute__((always_inline))

AVX2 __m256i load_256(const void *p)
{
	return _mm256_load_si256(p);
}

/* Rows 8 * half to 8 * half + 7 of a line of a block. */
AVX2 __m256i load_line(const uint8_t *lines, int line, int half)
{
	return load_256(lines + line * 64 + half * 32);
}

/* Bits of every byte of v: shifted to the right, then masked. */
AVX2 __m256i field(__m256i v, const uint8_t shift, const char mask)
{
	return _mm256_and_si256(shift ? _mm256_srli_epi16(v, shift) : v, _mm256_set1_epi8(mask));
}

AVX2 __m256i add_field(__m256i u, __m256i v, const uint8_t shift, const char mask)
{
	return _mm256_or_si256(u, field(v, shift, mask));
}

/* What a group's quants are in dot products: u8 for 8 rows x 4 columns. Written by hand: driven by format/groups.h some
 * tiles took 1 to 2 % longer. test_kernels compares the two. */
AVX2 __m256i unpack(const uint8_t *lines, const int group, const int half, __m256i codebook,
		    const enum mote_type type)
{
	const uint32_t bits = mote_type_bits(type);
	__m256i u;

	if (bits == 8)
		return load_line(lines, group, half);
	if (bits == 6) {
		int first = group == 6 ? 0 : 3;

		if (group < 6)
			return field(load_line(lines, group, half), 0, 63);
		u = field(load_line(lines, first, half), 6, 3);
		u = add_field(u, load_line(lines, first + 1, half), 4, 3 << 2);
		return add_field(u, load_line(lines, first + 2, half), 2, 3 << 4);
	}
	if (bits == 5) {
		if (group < 5)
			return field(load_line(lines, group, half), 0, 31);
		u = field(load_line(lines, group - 5, half), 5, 7);
		if (group < 7)
			return add_field(u, load_line(lines, group - 2, half), 2, 3 << 3);
		u = add_field(u, load_line(lines, 3, half), 4, 1 << 3);
		return add_field(u, load_line(lines, 4, half), 3, 1 << 4);
	}
	if (bits == 4) {
		u = field(load_line(lines, group / 2, half), (uint8_t)(group % 2 * 4), 15);
	} else if (group < 6) {
		u = field(load_line(lines, group / 2, half), (uint8_t)(group % 2 * 3), 7);
	} else {
		u = field(load_line(lines, group - 6, half), 6, 3);
		u = add_field(u, load_line(lines, 2, half), group == 6 ? 4 : 5, 1 << 2);
	}
	return _mm256_shuffle_epi8(codebook, u);
}

AVX2 __m256i load_codebook(const struct mote_matrix *w, const enum mote_type type)
{
	if (!mote_type_has_codebook(type))
		return _mm256_setzero_si256();
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)w->codebook));
}

/* Where the sums of a block begin. */
AVX2 __m256i first_sum(const int32_t *bias, const enum mote_type type)
{
	return _mm256_srai_epi32(_mm256_set1_epi32(*bias), mote_bias_shift(type));
}

AVX2 __m256 load_unit(const struct mote_matrix *w, const enum mote_type type)
{
	return mote_type_has_byte_scales(type) ? _mm256_set1_ps(mote_matrix_unit(w)) : _mm256_setzero_ps();
}

/* The scales of rows 8 * half to 8 * half + 7 of a block. unit: of types with byte scales, else not looked at */
AVX2 __m256 load_scales(const uint8_t *panel, size_t block, int half, __m256 unit, const enum mote_type type)
{
	const uint8_t *at = panel + block * mote_type_scales_bytes(type) +
			    (size_t)half * (mote_type_scales_bytes(type) / 2);
	__m128i halves;

	if (!mote_type_has_byte_scales(type))
		return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)at));
	halves = _mm_slli_epi16(_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)at)), 6);
	return _mm256_mul_ps(_mm256_cvtph_ps(_mm_and_si128(halves, _mm_set1_epi16(MOTE_SCALE_BYTE_BITS))), unit);
}

/* acc = fma((float)isum, wscale * xscale, acc) */
AVX2 __m256 finish_block(__m256i isum, __m256 wscale, float xscale, __m256 acc)
{
	return _mm256_fmadd_ps(_mm256_cvtepi32_ps(isum), _mm256_mul_ps(wscale, _mm256_set1_ps(xscale)), acc);
}

/* Decode's streams (avx512_matmul.c) are fetched some bytes ahead; of a panel's block, as many lines as it has and,
 * once a line of scales, one for those between two panels' quants. */
AVX2 void fetch_block(const uint8_t *lines, const uint8_t *panel, size_t panel_bytes, size_t block, size_t ahead,
		      const enum mote_type type)
{
	const size_t scales_bytes = mote_type_scales_bytes(type);

	for (size_t line = 0; line < 64 * mote_type_bits(type); line += 64)
		_mm_prefetch((const char *)lines + line + ahead, _MM_HINT_T0);
	if (block % (64 / scales_bytes) == 0)
		_mm_prefetch((const char *)panel + block * scales_bytes + panel_bytes + ahead, _MM_HINT_T0);
}

#endif
