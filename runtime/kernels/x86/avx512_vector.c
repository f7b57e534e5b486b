/* Everything but matrix products for AVX-512. A register is the 16 lanes of which kernels.h speaks;
 * tails are masked, so nothing beyond n is touched. */
#if defined(__x86_64__)

#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx512_lanes.h"

/* ---- vectors ---- */

/* A masked store costs more than a whole one, and what it wrote more to read again. */
INLINE void store_live(float *y, __mmask16 live, __m512 v)
{
	if (live == 0xffff)
		_mm512_storeu_ps(y, v);
	else
		_mm512_mask_storeu_ps(y, live, v);
}

/* A block's n <= 32 columns, then zeros; returns the bits of the largest magnitude. */
INLINE uint32_t load_block(const float *x, uint32_t n, __m512 *low, __m512 *high)
{
	const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);

	*low = _mm512_maskz_loadu_ps(tail_mask(n), x);
	*high = _mm512_maskz_loadu_ps(n > 16 ? tail_mask(n - 16) : 0, x + (n > 16 ? 16 : 0));
	return _mm512_reduce_max_epu32(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(*low), magnitude),
							_mm512_and_si512(_mm512_castps_si512(*high), magnitude)));
}

/* One block of n <= 32 columns. */
INLINE void quantize_block(const float *x, uint32_t n, int8_t *q, float *scale, int32_t *bias)
{
	__m512 low, high;
	uint32_t bits = load_block(x, n, &low, &high);
	__m512i a, c;
	__m512 inverse;
	float amax;

	memcpy(&amax, &bits, sizeof amax);
	if (bits >= 0x7f800000u || amax < MOTE_TINY_AMAX) {
		memset(q, 0, 32);
		*scale = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
		*bias = 0;
		return;
	}
	*scale = amax / 127.0f;
	inverse = _mm512_set1_ps(127.0f / amax);
	a = _mm512_cvt_roundps_epi32(_mm512_mul_ps(low, inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	c = _mm512_cvt_roundps_epi32(_mm512_mul_ps(high, inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	_mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(a));
	_mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(c));
	*bias = -128 * _mm512_reduce_add_epi32(_mm512_add_epi32(a, c));
}

/* Four registers of 16 to one of four: lane i is the largest (or the sum) of v[i]. A tree of its own for each would
 * take three times the instructions. */
INLINE __m128i reduce_four(const __m512i v[4], const bool sum)
{
#define JOIN(bits, a, b) (sum ? _mm##bits##_add_epi32(a, b) : _mm##bits##_max_epu32(a, b))
	__m512i x = JOIN(512, _mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
	__m512i y = JOIN(512, _mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
	__m512i z = JOIN(512, _mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
	__m256i half = JOIN(256, _mm512_castsi512_si256(z), _mm512_extracti64x4_epi64(z, 1));

	return JOIN(, _mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
#undef JOIN
}

/* Four whole blocks; false, and nothing stored: one of them is zero or not finite. */
INLINE bool quantize_four(const float *x, int8_t *q, float *scale, int32_t *bias)
{
	const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
	const __m128 most = _mm_set1_ps(127.0f);
	__m512i v[4];
	__m128i bits;
	__m128 amax, inverse;

	UNROLL for (int i = 0; i < 4; i++)
		v[i] = _mm512_max_epu32(_mm512_and_si512(_mm512_loadu_si512(x + i * 32), magnitude),
					_mm512_and_si512(_mm512_loadu_si512(x + i * 32 + 16), magnitude));
	bits = reduce_four(v, false);
	amax = _mm_castsi128_ps(bits);
	if (_mm_movemask_ps(_mm_or_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(bits, _mm_set1_epi32(0x7f7fffff))),
				      _mm_cmplt_ps(amax, _mm_set1_ps(MOTE_TINY_AMAX)))))
		return false;
	_mm_storeu_ps(scale, _mm_div_ps(amax, most));
	inverse = _mm_div_ps(most, amax);
	UNROLL for (int i = 0; i < 4; i++) {
		__m512 factor = _mm512_permutexvar_ps(_mm512_set1_epi32(i), _mm512_castps128_ps512(inverse));
		__m512i a = _mm512_cvt_roundps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i * 32), factor),
						     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
		__m512i c = _mm512_cvt_roundps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i * 32 + 16), factor),
						     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);

		_mm_storeu_si128((__m128i *)(void *)(q + i * 32), _mm512_cvtepi32_epi8(a));
		_mm_storeu_si128((__m128i *)(void *)(q + i * 32 + 16), _mm512_cvtepi32_epi8(c));
		v[i] = _mm512_add_epi32(a, c);
	}
	_mm_storeu_si128((__m128i *)(void *)bias,
			 _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(reduce_four(v, true), 7)));
	return true;
}

TARGET static void quantize(const float *x, uint32_t cols, int8_t *q, float *scale, int32_t *bias)
{
	for (uint32_t begin = 0; begin < cols;) {
		uint32_t b = begin / 32, end = begin + 128;

		if (end <= cols && quantize_four(x + begin, q + begin, scale + b, bias + b)) {
			begin = end;
			continue;
		}
		for (; begin < cols && begin < end; begin += 32, b++)
			quantize_block(x + begin, cols - begin, q + begin, scale + b, bias + b);
	}
}

TARGET static void norm(const float *x, const float *weight, uint32_t n, float eps, float *y)
{
	__m512 sum = _mm512_setzero_ps(), r;

	for (uint32_t i = 0; i < n; i += 16) {
		__m512 v = _mm512_maskz_loadu_ps(tail_mask(n - i), x + i);
		sum = _mm512_fmadd_ps(v, v, sum);
	}
	r = _mm512_set1_ps(mote_norm_factor(sum_lanes(sum) / (float)n, eps));
	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		__m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), r);
		store_live(y + i, m, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, weight + i)));
	}
}

TARGET static void rope(const float *x, size_t x_stride, const float *cosine, const float *sine, uint32_t dim,
			uint32_t n_heads, float *y, size_t y_stride)
{
	uint32_t h = dim / 2;

	for (uint32_t head = 0; head < n_heads; head++, x += x_stride, y += y_stride)
		for (uint32_t i = 0; i < h; i += 16) {
			__mmask16 m = tail_mask(h - i);
			__m512 a = _mm512_maskz_loadu_ps(m, x + i), b = _mm512_maskz_loadu_ps(m, x + i + h);
			__m512 c = _mm512_maskz_loadu_ps(m, cosine + i), s = _mm512_maskz_loadu_ps(m, sine + i);
			store_live(y + i, m, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
			store_live(y + i + h, m, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
		}
}

TARGET static void swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const __m512 one = _mm512_set1_ps(1.0f);

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		__m512 g = _mm512_maskz_loadu_ps(m, gate + i), u = _mm512_maskz_loadu_ps(m, up + i);
		__m512 minus = _mm512_xor_ps(g, _mm512_set1_ps(-0.0f));
		g = _mm512_div_ps(g, _mm512_add_ps(one, exp_ps(minus)));
		store_live(y + i, m, _mm512_mul_ps(g, u));
	}
}

TARGET static void geglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const __m512 one = _mm512_set1_ps(1.0f), linear = _mm512_set1_ps(MOTE_GELU_LINEAR);
	const __m512 cubic = _mm512_set1_ps(MOTE_GELU_CUBIC);

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		__m512 g = _mm512_maskz_loadu_ps(m, gate + i), u = _mm512_maskz_loadu_ps(m, up + i);
		__m512 t = _mm512_mul_ps(g, _mm512_fmadd_ps(_mm512_mul_ps(g, g), cubic, linear));
		__m512 minus = _mm512_xor_ps(t, _mm512_set1_ps(-0.0f));
		g = _mm512_div_ps(g, _mm512_add_ps(one, exp_ps(minus)));
		store_live(y + i, m, _mm512_mul_ps(g, u));
	}
}

TARGET static void softcap(float *y, uint32_t n, float scale, float cap)
{
	const __m512 one = _mm512_set1_ps(1.0f), minus_two = _mm512_set1_ps(-2.0f), minus = _mm512_set1_ps(-0.0f);

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		__m512 u = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, y + i), _mm512_set1_ps(scale));
		__m512 t = exp_ps(_mm512_mul_ps(minus_two, _mm512_andnot_ps(minus, u)));
		t = _mm512_div_ps(_mm512_sub_ps(one, t), _mm512_add_ps(one, t));
		t = _mm512_or_ps(t, _mm512_and_ps(u, minus));
		store_live(y + i, m, _mm512_mul_ps(_mm512_set1_ps(cap), t));
	}
}

TARGET static void add(float *y, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 m = tail_mask(n - i);
		store_live(y + i, m,
				      _mm512_add_ps(_mm512_maskz_loadu_ps(m, y + i), _mm512_maskz_loadu_ps(m, x + i)));
	}
}

/* ---- attention ---- */

TARGET static float softmax(float *s, uint32_t n, float scale, float *max)
{
	const __m512 factor = _mm512_set1_ps(scale);
	__m512 m = _mm512_set1_ps(s[0] * scale), sum = _mm512_setzero_ps();

	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 live = tail_mask(n - i);
		__m512 t = _mm512_mul_ps(_mm512_maskz_loadu_ps(live, s + i), factor);
		store_live(s + i, live, t);
		m = _mm512_mask_max_ps(m, live, t, m); /* t > m ? t : m, NaN or not */
	}
	*max = _mm512_reduce_max_ps(m) + 0.0f;
	m = _mm512_set1_ps(*max);
	for (uint32_t i = 0; i < n; i += 16) {
		__mmask16 live = tail_mask(n - i);
		__m512 p = exp_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(live, s + i), m));
		store_live(s + i, live, p);
		sum = _mm512_mask_add_ps(sum, live, sum, p);
	}
	return sum_lanes(sum);
}

TARGET static void merge(float *state, const float *part, uint32_t n)
{
	float m;
	__m512 va, vb;

	if (part[1] == 0)
		return;
	if (state[1] == 0) {
		memcpy(state, part, 2 * sizeof *part);
		memcpy(state + MOTE_PART_VALUES, part + MOTE_PART_VALUES, n * sizeof *part);
		return;
	}
	m = part[0] > state[0] ? part[0] : state[0];
	va = exp_ps(_mm512_set1_ps(state[0] - m));
	vb = exp_ps(_mm512_set1_ps(part[0] - m));
	state[0] = m;
	state[1] = _mm512_cvtss_f32(_mm512_fmadd_ps(_mm512_set1_ps(state[1]), va,
						    _mm512_mul_ps(_mm512_set1_ps(part[1]), vb)));
	for (uint32_t i = MOTE_PART_VALUES; i < MOTE_PART_VALUES + n; i += 16) {
		__mmask16 live = tail_mask(MOTE_PART_VALUES + n - i);
		__m512 o = _mm512_mul_ps(_mm512_maskz_loadu_ps(live, part + i), vb);
		store_live(state + i, live, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(live, state + i), va, o));
	}
}

/* Values of T query rows x 16 * C dimensions in registers while the positions go by. */
enum { MIX_CELLS = 24 };

INLINE void mix_floats(const uint8_t *v, size_t v_bytes, uint32_t n, const float *p, size_t p_stride, float *o,
		       size_t o_stride, const int T, const int C, const enum mote_type type)
{
	__m512 acc[MIX_CELLS];

	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int c = 0; c < C; c++)
			acc[r * C + c] = _mm512_load_ps(o + (size_t)r * o_stride + (size_t)c * 16);
	for (uint32_t i = 0; i < n; i++, v += v_bytes)
		UNROLL for (int c = 0; c < C; c++) {
			__m512 value = type == MOTE_F32 ? _mm512_load_ps(v + (size_t)c * 64)
				: _mm512_cvtph_ps(_mm256_load_si256(
					(const __m256i *)(const void *)(v + (size_t)c * 32)));
			UNROLL for (int r = 0; r < T; r++)
				acc[r * C + c] = _mm512_fmadd_ps(_mm512_set1_ps(p[(size_t)r * p_stride + i]), value,
								 acc[r * C + c]);
		}
	UNROLL for (int r = 0; r < T; r++)
		UNROLL for (int c = 0; c < C; c++)
			_mm512_store_ps(o + (size_t)r * o_stride + (size_t)c * 16, acc[r * C + c]);
}

INLINE void mix_floats_rows(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			    size_t p_stride, uint32_t n_rows, float *o, size_t o_stride, const enum mote_type type)
{
	size_t element = type == MOTE_F32 ? 4 : 2, v_bytes = kv->v_cols * element;
	const uint8_t *v = kv->v + (size_t)begin * v_bytes;
	uint32_t n = end - begin;

	for (; n_rows > 0; ) {
		uint32_t rows = n_rows >= 6 ? 6 : n_rows >= 3 ? 3 : 1;

		for (uint32_t c = 0; c < kv->v_cols; ) {
			const uint8_t *at = v + c * element;
			if (kv->v_cols - c >= 64) {
				if (rows == 6)
					mix_floats(at, v_bytes, n, p, p_stride, o + c, o_stride, 6, 4, type);
				else if (rows == 3)
					mix_floats(at, v_bytes, n, p, p_stride, o + c, o_stride, 3, 4, type);
				else
					mix_floats(at, v_bytes, n, p, p_stride, o + c, o_stride, 1, 4, type);
				c += 64;
			} else {
				for (uint32_t r = 0; r < rows; r++)
					mix_floats(at, v_bytes, n, p + r * p_stride, p_stride, o + r * o_stride + c,
						   o_stride, 1, 1, type);
				c += 16;
			}
		}
		n_rows -= rows;
		p += rows * p_stride;
		o += rows * o_stride;
	}
}

TARGET static void mix_f32(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			   size_t p_stride, uint32_t n_rows, float *o, size_t o_stride)
{
	mix_floats_rows(kv, begin, end, p, p_stride, n_rows, o, o_stride, MOTE_F32);
}

TARGET static void mix_f16(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			   size_t p_stride, uint32_t n_rows, float *o, size_t o_stride)
{
	mix_floats_rows(kv, begin, end, p, p_stride, n_rows, o, o_stride, MOTE_F16);
}

/* ---- storing into the cache ---- */

/* Up to 32 values of a cache row as int8; returns the f16 scale. */
INLINE uint16_t cache_quantize(const float *x, uint32_t n, __m128i q[2])
{
	__m512 low, high;
	uint32_t bits = load_block(x, n, &low, &high);
	const __m512i most = _mm512_set1_epi32(127), least = _mm512_set1_epi32(-127);
	uint16_t scale = 0x7e00;
	__m512 inverse;
	float amax;

	q[0] = q[1] = _mm_setzero_si128();
	memcpy(&amax, &bits, sizeof amax);
	if (bits < 0x7f800000u)
		scale = (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(amax / 127.0f), _MM_FROUND_TO_NEAREST_INT));
	if (scale == 0 || scale >= 0x7c00)
		return scale == 0 ? 0 : 0x7e00;
	inverse = _mm512_set1_ps(1.0f / _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(scale))));
	q[0] = _mm512_cvtepi32_epi8(_mm512_max_epi32(least, _mm512_min_epi32(most,
		_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)))));
	q[1] = _mm512_cvtepi32_epi8(_mm512_max_epi32(least, _mm512_min_epi32(most,
		_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)))));
	return scale;
}

INLINE void store_key(const struct mote_kv *kv, uint8_t *panel, uint32_t lane, const float *k)
{
	const uint32_t n = kv->head_dim;

	for (uint32_t d = 0; d < n; d += 32) {
		_Alignas(16) uint32_t quad[8];
		uint16_t scale;
		__m128i q[2];

		if (kv->k.type == MOTE_Q8) {
			scale = cache_quantize(k + d, n - d, q);
			memcpy(panel + 2 * ((size_t)(d / 32) * 16 + lane), &scale, 2);
			_mm_store_si128((__m128i *)(void *)quad, _mm_xor_si128(q[0], _mm_set1_epi8((char)0x80)));
			_mm_store_si128((__m128i *)(void *)(quad + 4), _mm_xor_si128(q[1], _mm_set1_epi8((char)0x80)));
			for (size_t g = 0; g < 8; g++)
				memcpy(panel + kv->k.quants_offset + (size_t)d * 16 + g * 64 + lane * 4, &quad[g], 4);
		}
		for (uint32_t c = d; c < d + 32 && c < n && kv->k.type == MOTE_F32; c++)
			memcpy(panel + 4 * ((size_t)c * 16 + lane), &k[c], 4);
		for (uint32_t c = d; c < d + 32 && c < n && kv->k.type == MOTE_F16; c++) {
			uint16_t h = (uint16_t)_mm_cvtsi128_si32(
				_mm_cvtps_ph(_mm_set_ss(k[c]), _MM_FROUND_TO_NEAREST_INT));
			memcpy(panel + 2 * ((size_t)c * 16 + lane), &h, 2);
		}
	}
}

/* One column of v_quants: in a line of 16 rows x 4 positions, every fourth byte. */
INLINE void store_value_quants(const struct mote_kv *kv, uint32_t position, const float *v)
{
	const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
	const uint32_t n = kv->head_dim, place = position % 4;
	const __mmask64 column = 0x1111111111111111u << place;
	uint8_t *panel = kv->v;
	__m512i most = _mm512_setzero_si512();
	__m512 inverse;
	uint32_t bits;
	float amax;

	for (uint32_t d = 0; d < n; d += 16)
		most = _mm512_max_epu32(most, _mm512_and_si512(_mm512_castps_si512(_mm512_maskz_loadu_ps(
							       tail_mask(n - d), v + d)), magnitude));
	bits = _mm512_reduce_max_epu32(most);
	memcpy(&amax, &bits, sizeof amax);
	inverse = _mm512_set1_ps(127.0f / amax);
	kv->v_scale[position] = amax / 127.0f;
	if (bits >= 0x7f800000u || amax < MOTE_TINY_AMAX) {
		inverse = _mm512_setzero_ps();
		kv->v_scale[position] = bits >= 0x7f800000u ? __builtin_nanf("") : 0;
	}
	for (uint32_t d = 0; d < n; d += 16, panel += kv->v_quants.panel_bytes) {
		uint8_t *line = panel + kv->v_quants.quants_offset + (size_t)(position / 4) * 64;
		__mmask16 live = tail_mask(n - d);
		__m512 x = _mm512_maskz_loadu_ps(bits >= 0x7f800000u ? 0 : live, v + d);
		__m512i u = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)), _mm512_set1_epi32(128));

		/* Bytes behind the last dimension stay as they are. */
		u = _mm512_sll_epi32(u, _mm_cvtsi32_si128((int)(8 * place)));
		_mm512_mask_storeu_epi8(line, column & _mm512_movepi8_mask(_mm512_movm_epi32(live)), u);
		if (position % 32 == 0)
			_mm256_mask_storeu_epi16(panel + position, live, _mm256_set1_epi16(0x3c00));
	}
}

INLINE void store_value_floats(const struct mote_kv *kv, uint32_t position, const float *v)
{
	const size_t at = (size_t)position * kv->v_cols;
	const uint32_t n = kv->head_dim;

	for (uint32_t d = 0; d < kv->v_cols; d += 16) {
		__m512 x = _mm512_maskz_loadu_ps(d < n ? tail_mask(n - d) : 0, v + (d < n ? d : 0));

		if (kv->v_type == MOTE_F32)
			_mm512_store_ps(kv->v + 4 * (at + d), x);
		else
			_mm256_store_si256((__m256i *)(void *)(kv->v + 2 * (at + d)),
					   _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
	}
}

TARGET static void kv_store(const struct mote_kv *kv, uint32_t position, const float *k, const float *v)
{
	store_key(kv, kv->k_data + (size_t)(position / 16) * kv->k.panel_bytes, position % 16, k);
	if (kv->v_type == MOTE_Q8)
		store_value_quants(kv, position, v);
	else
		store_value_floats(kv, position, v);
}

void mote_kernels_init_avx512_vector(struct mote_kernels *k)
{
	k->mix[MOTE_F32] = mix_f32;
	k->mix[MOTE_F16] = mix_f16;
	k->quantize = quantize;
	k->norm = norm;
	k->rope = rope;
	k->swiglu = swiglu;
	k->geglu = geglu;
	k->softcap = softcap;
	k->add = add;
	k->softmax = softmax;
	k->merge = merge;
	k->kv_store = kv_store;
}

#endif
