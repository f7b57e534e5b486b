/* Everything but matrix products for AVX2 with FMA and F16C. The 16 lanes of kernels.h are a pair of registers;
 * tails are loaded and stored under masks, so nothing beyond n is touched. */
#if defined(__x86_64__)

#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/tables.h"
#include "runtime/kernels/x86/avx2_lanes.h"

/* ---- vectors ---- */

TARGET static void quantize(const float *x, uint32_t cols, int8_t *q, float *scale, int32_t *bias)
{
	const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);

	for (uint32_t begin = 0, b = 0; begin < cols; begin += 32, b++) {
		__m256i v[4], largest = _mm256_setzero_si256();
		__m256 inverse;
		__m128i sum;
		uint32_t bits;
		float amax;

		UNROLL for (uint32_t i = 0; i < 4; i++) {
			uint32_t done = begin + i * 8;
			v[i] = _mm256_castps_si256(load_part(done < cols ? x + done : x,
							     done < cols ? cols - done : 0));
			largest = _mm256_max_epu32(largest, _mm256_and_si256(v[i], magnitude));
		}
		bits = max_lanes_u32(largest);
		memcpy(&amax, &bits, sizeof amax);
		if (bits >= 0x7f800000u || amax < MOTE_TINY_AMAX) {
			memset(q + begin, 0, 32);
			scale[b] = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			bias[b] = 0;
			continue;
		}
		scale[b] = amax / 127.0f;
		inverse = _mm256_set1_ps(127.0f / amax);
		UNROLL for (int i = 0; i < 4; i++)
			v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_castsi256_ps(v[i]), inverse));
		largest = _mm256_add_epi32(_mm256_add_epi32(v[0], v[1]), _mm256_add_epi32(v[2], v[3]));
		sum = _mm_add_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
		sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
		sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
		bias[b] = -128 * _mm_cvtsi128_si32(sum);
		/* Packing works within 128-bit halves; the permutation puts the quads in order again. */
		v[0] = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
		v[0] = _mm256_permutevar8x32_epi32(v[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
		_mm256_storeu_si256((__m256i *)(void *)(q + begin), v[0]);
	}
}

TARGET static void norm(const float *x, const float *weight, uint32_t n, float eps, float *y)
{
	__m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps(), r;
	uint32_t i;

	for (i = 0; i + 8 < n; i += 16) {
		__m256 u = _mm256_loadu_ps(x + i), v = load_part(x + i + 8, n - i - 8);
		a = _mm256_fmadd_ps(u, u, a);
		b = _mm256_fmadd_ps(v, v, b);
	}
	if (i < n) {
		__m256 u = load_part(x + i, n - i);
		a = _mm256_fmadd_ps(u, u, a);
	}
	r = _mm256_set1_ps(mote_norm_factor(sum_lanes(a, b) / (float)n, eps));
	for (i = 0; i < n; i += 8)
		store_part(y + i, n - i,
			   _mm256_mul_ps(_mm256_mul_ps(load_part(x + i, n - i), r), load_part(weight + i, n - i)));
}

TARGET static void rope(const float *x, size_t x_stride, const float *cosine, const float *sine, uint32_t dim,
			uint32_t n_heads, float *y, size_t y_stride)
{
	uint32_t h = dim / 2;

	for (uint32_t head = 0; head < n_heads; head++, x += x_stride, y += y_stride)
		for (uint32_t i = 0; i < h; i += 8) {
			__m256 a = load_part(x + i, h - i), b = load_part(x + i + h, h - i);
			__m256 c = load_part(cosine + i, h - i), s = load_part(sine + i, h - i);
			store_part(y + i, h - i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
			store_part(y + i + h, h - i, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
		}
}

TARGET static void swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const __m256 one = _mm256_set1_ps(1.0f);

	for (uint32_t i = 0; i < n; i += 8) {
		__m256 g = load_part(gate + i, n - i), u = load_part(up + i, n - i);
		__m256 minus = _mm256_xor_ps(g, _mm256_set1_ps(-0.0f));
		g = _mm256_div_ps(g, _mm256_add_ps(one, exp_ps(minus)));
		store_part(y + i, n - i, _mm256_mul_ps(g, u));
	}
}

TARGET static void geglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const __m256 one = _mm256_set1_ps(1.0f), linear = _mm256_set1_ps(MOTE_GELU_LINEAR);
	const __m256 cubic = _mm256_set1_ps(MOTE_GELU_CUBIC);

	for (uint32_t i = 0; i < n; i += 8) {
		__m256 g = load_part(gate + i, n - i), u = load_part(up + i, n - i);
		__m256 t = _mm256_mul_ps(g, _mm256_fmadd_ps(_mm256_mul_ps(g, g), cubic, linear));
		__m256 minus = _mm256_xor_ps(t, _mm256_set1_ps(-0.0f));
		g = _mm256_div_ps(g, _mm256_add_ps(one, exp_ps(minus)));
		store_part(y + i, n - i, _mm256_mul_ps(g, u));
	}
}

TARGET static void softcap(float *y, uint32_t n, float scale, float cap)
{
	const __m256 one = _mm256_set1_ps(1.0f), minus_two = _mm256_set1_ps(-2.0f), minus = _mm256_set1_ps(-0.0f);

	for (uint32_t i = 0; i < n; i += 8) {
		__m256 u = _mm256_mul_ps(load_part(y + i, n - i), _mm256_set1_ps(scale));
		__m256 t = exp_ps(_mm256_mul_ps(minus_two, _mm256_andnot_ps(minus, u)));
		t = _mm256_div_ps(_mm256_sub_ps(one, t), _mm256_add_ps(one, t));
		t = _mm256_or_ps(t, _mm256_and_ps(u, minus));
		store_part(y + i, n - i, _mm256_mul_ps(_mm256_set1_ps(cap), t));
	}
}

TARGET static void add(float *y, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 8)
		store_part(y + i, n - i, _mm256_add_ps(load_part(y + i, n - i), load_part(x + i, n - i)));
}

/* ---- attention ---- */

TARGET static float softmax(float *s, uint32_t n, float scale, float *max)
{
	const __m256 factor = _mm256_set1_ps(scale);
	__m256 m = _mm256_set1_ps(s[0] * scale), a = _mm256_setzero_ps(), b = _mm256_setzero_ps();

	for (uint32_t i = 0; i < n; i += 8) {
		__m256 t = _mm256_mul_ps(load_part(s + i, n - i), factor);
		store_part(s + i, n - i, t);
		if (n - i < 8) /* what is not there does not count */
			t = _mm256_blendv_ps(m, t, _mm256_castsi256_ps(lanes_below(n - i)));
		m = _mm256_max_ps(t, m); /* t > m ? t : m, NaN or not */
	}
	*max = max_lanes(m) + 0.0f;
	m = _mm256_set1_ps(*max);
	for (uint32_t i = 0; i < n; i += 8) {
		__m256 p = exp_ps(_mm256_sub_ps(load_part(s + i, n - i), m));
		store_part(s + i, n - i, p);
		if (n - i < 8)
			p = _mm256_and_ps(p, _mm256_castsi256_ps(lanes_below(n - i)));
		if (i % 16 == 0)
			a = _mm256_add_ps(a, p);
		else
			b = _mm256_add_ps(b, p);
	}
	return sum_lanes(a, b);
}

TARGET static void merge(float *state, const float *part, uint32_t n)
{
	float m;
	__m256 va, vb;

	if (part[1] == 0)
		return;
	if (state[1] == 0) {
		memcpy(state, part, 2 * sizeof *part);
		memcpy(state + MOTE_PART_VALUES, part + MOTE_PART_VALUES, n * sizeof *part);
		return;
	}
	m = part[0] > state[0] ? part[0] : state[0];
	va = exp_ps(_mm256_set1_ps(state[0] - m));
	vb = exp_ps(_mm256_set1_ps(part[0] - m));
	state[0] = m;
	state[1] = _mm256_cvtss_f32(_mm256_fmadd_ps(_mm256_set1_ps(state[1]), va,
						    _mm256_mul_ps(_mm256_set1_ps(part[1]), vb)));
	for (uint32_t i = MOTE_PART_VALUES, end = MOTE_PART_VALUES + n; i < end; i += 8) {
		__m256 o = _mm256_mul_ps(load_part(part + i, end - i), vb);
		store_part(state + i, end - i, _mm256_fmadd_ps(load_part(state + i, end - i), va, o));
	}
}

/* 8 values from v on. */
INLINE __m256 load_values(const void *v, const enum mote_type type)
{
	return type == MOTE_F32 ? _mm256_load_ps(v) : _mm256_cvtph_ps(_mm_load_si128(v));
}

/* n positions for T rows x 8 * C dimensions, which stay in registers: T * C <= 12. v: the first position's values;
 * v_bytes from one position to the next. */
INLINE void mix_tile(const uint8_t *v, size_t v_bytes, uint32_t n, const float *p, size_t p_stride, float *o,
		     size_t o_stride, const int T, const int C, const enum mote_type type)
{
	const size_t element = type == MOTE_F32 ? 4 : 2;
	__m256 acc[12];

	UNROLL for (int i = 0; i < T * C; i++)
		acc[i] = _mm256_load_ps(o + (size_t)(i / C) * o_stride + (size_t)(i % C) * 8);
	for (uint32_t i = 0; i < n; i++, v += v_bytes)
		UNROLL for (int c = 0; c < C; c++) {
			__m256 value = load_values(v + (size_t)c * 8 * element, type);

			UNROLL for (int r = 0; r < T; r++)
				acc[r * C + c] = _mm256_fmadd_ps(_mm256_set1_ps(p[(size_t)r * p_stride + i]), value,
								 acc[r * C + c]);
		}
	UNROLL for (int i = 0; i < T * C; i++)
		_mm256_store_ps(o + (size_t)(i / C) * o_stride + (size_t)(i % C) * 8, acc[i]);
}

INLINE void mix_floats(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p, size_t p_stride,
		       uint32_t n_rows, float *o, size_t o_stride, const enum mote_type type)
{
	const size_t element = type == MOTE_F32 ? 4 : 2, v_bytes = kv->v_cols * element;
	const uint8_t *v = kv->v + (size_t)begin * v_bytes;
	uint32_t rows, n = end - begin;

	for (; n_rows > 0; n_rows -= rows, p += rows * p_stride, o += rows * o_stride) {
		uint32_t cols;

		rows = n_rows >= 3 ? 3 : 1;
		for (uint32_t c = 0; c < kv->v_cols; c += cols) {
			const uint8_t *at = v + c * element;

			cols = kv->v_cols - c >= 32 ? 32 : 16;
			if (rows == 3 && cols == 32)
				mix_tile(at, v_bytes, n, p, p_stride, o + c, o_stride, 3, 4, type);
			else if (rows == 3)
				mix_tile(at, v_bytes, n, p, p_stride, o + c, o_stride, 3, 2, type);
			else if (cols == 32)
				mix_tile(at, v_bytes, n, p, p_stride, o + c, o_stride, 1, 4, type);
			else
				mix_tile(at, v_bytes, n, p, p_stride, o + c, o_stride, 1, 2, type);
		}
	}
}

TARGET static void mix_f32(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			   size_t p_stride, uint32_t n_rows, float *o, size_t o_stride)
{
	mix_floats(kv, begin, end, p, p_stride, n_rows, o, o_stride, MOTE_F32);
}

TARGET static void mix_f16(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p,
			   size_t p_stride, uint32_t n_rows, float *o, size_t o_stride)
{
	mix_floats(kv, begin, end, p, p_stride, n_rows, o, o_stride, MOTE_F16);
}

void mote_kernels_init_avx2_vector(struct mote_kernels *k)
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
}

#endif
