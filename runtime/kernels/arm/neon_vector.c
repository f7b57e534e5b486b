/* Everything but matrix products for AArch64. The 16 lanes of kernels.h are four registers; the last, partial one goes
 * through four floats on the stack, so nothing beyond n is touched. */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "runtime/kernels/exact.h"
#include "runtime/kernels/tables.h"

#define INLINE static inline __attribute__((always_inline))

/* 4 floats of which n are there; the rest reads as zero. */
INLINE float32x4_t load_part(const float *x, uint32_t n)
{
	float part[4] = {0};

	if (n >= 4)
		return vld1q_f32(x);
	memcpy(part, x, n * sizeof *x);
	return vld1q_f32(part);
}

INLINE void store_part(float *x, uint32_t n, float32x4_t v)
{
	float part[4];

	if (n >= 4) {
		vst1q_f32(x, v);
		return;
	}
	vst1q_f32(part, v);
	memcpy(x, part, n * sizeof *x);
}

/* All ones in lanes i < n. */
INLINE uint32x4_t lanes_below(uint32_t n)
{
	static const uint32_t index[4] = {0, 1, 2, 3};

	return vcltq_u32(vld1q_u32(index), vdupq_n_u32(n));
}

/* The tree of kernels.h: + 8, + 4, + 2, + 1; v[i] holds lanes 4i ... 4i + 3. */
INLINE float sum_lanes(const float32x4_t v[4])
{
	float32x4_t four = vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3]));
	float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));

	return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* a > b ? a : b, which differs from fmax where there is a NaN. */
INLINE float32x4_t larger(float32x4_t a, float32x4_t b)
{
	return vbslq_f32(vcgtq_f32(a, b), a, b);
}

/* mote_exact_expf(), operation by operation. */
INLINE float32x4_t exp_f32(float32x4_t x)
{
	const float32x4_t magic = vdupq_n_f32(12582912.0f), top = vdupq_n_f32(88.0f);
	uint32x4_t dead = vcltq_f32(x, vdupq_n_f32(-87.0f));
	float32x4_t t, n, r, p;

	x = vbslq_f32(vcgtq_f32(x, top), top, x);
	t = vfmaq_f32(magic, x, vdupq_n_f32(0x1.715476p+0f));
	n = vsubq_f32(t, magic);
	r = vfmaq_f32(x, n, vdupq_n_f32(-0x1.62e4p-1f));
	r = vfmaq_f32(r, n, vdupq_n_f32(-0x1.7f7d1cp-20f));
	p = vdupq_n_f32(0x1.6a2436p-10f);
	p = vfmaq_f32(vdupq_n_f32(0x1.1239e2p-7f), p, r);
	p = vfmaq_f32(vdupq_n_f32(0x1.5558f2p-5f), p, r);
	p = vfmaq_f32(vdupq_n_f32(0x1.555492p-3f), p, r);
	p = vfmaq_f32(vdupq_n_f32(0x1.fffffcp-2f), p, r);
	p = vfmaq_f32(r, p, vmulq_f32(r, r));
	p = vaddq_f32(p, vdupq_n_f32(1.0f));
	n = vreinterpretq_f32_u32(vshlq_n_u32(vaddq_u32(vreinterpretq_u32_f32(t), vdupq_n_u32(127)), 23));
	return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(vmulq_f32(p, n)), dead));
}

/* ---- vectors ---- */

static void quantize(const float *x, uint32_t cols, int8_t *q, float *scale, int32_t *bias)
{
	for (uint32_t begin = 0, b = 0; begin < cols; begin += 32, b++) {
		float32x4_t v[8];
		uint32x4_t largest = vdupq_n_u32(0);
		int32x4_t whole[8], sum = vdupq_n_s32(0);
		uint32_t bits;
		float amax, inverse;

		UNROLL for (uint32_t i = 0; i < 8; i++) {
			uint32_t done = begin + i * 4;
			v[i] = load_part(done < cols ? x + done : x, done < cols ? cols - done : 0);
			largest = vmaxq_u32(largest, vreinterpretq_u32_f32(vabsq_f32(v[i])));
		}
		bits = vmaxvq_u32(largest);
		memcpy(&amax, &bits, sizeof amax);
		if (bits >= 0x7f800000u || amax < MOTE_TINY_AMAX) {
			memset(q + begin, 0, 32);
			scale[b] = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
			bias[b] = 0;
			continue;
		}
		scale[b] = amax / 127.0f;
		inverse = 127.0f / amax;
		UNROLL for (int i = 0; i < 8; i++) {
			whole[i] = vcvtnq_s32_f32(vmulq_n_f32(v[i], inverse));
			sum = vaddq_s32(sum, whole[i]);
		}
		UNROLL for (int i = 0; i < 8; i += 4) {
			int16x8_t low = vcombine_s16(vmovn_s32(whole[i]), vmovn_s32(whole[i + 1]));
			int16x8_t high = vcombine_s16(vmovn_s32(whole[i + 2]), vmovn_s32(whole[i + 3]));
			vst1q_s8(q + begin + i * 4, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
		}
		bias[b] = -128 * vaddvq_s32(sum);
	}
}

static void norm(const float *x, const float *weight, uint32_t n, float eps, float *y)
{
	float32x4_t sum[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
	float r;

	for (uint32_t i = 0; i < n; i += 16)
		UNROLL for (uint32_t j = 0; j < 4; j++)
			if (i + 4 * j < n) {
				float32x4_t v = load_part(x + i + 4 * j, n - i - 4 * j);
				sum[j] = vfmaq_f32(sum[j], v, v);
			}
	r = mote_norm_factor(sum_lanes(sum) / (float)n, eps);
	for (uint32_t i = 0; i < n; i += 4)
		store_part(y + i, n - i,
			   vmulq_f32(vmulq_n_f32(load_part(x + i, n - i), r), load_part(weight + i, n - i)));
}

static void rope(const float *x, size_t x_stride, const float *cosine, const float *sine, uint32_t dim,
		 uint32_t n_heads, float *y, size_t y_stride)
{
	uint32_t h = dim / 2;

	for (uint32_t head = 0; head < n_heads; head++, x += x_stride, y += y_stride)
		for (uint32_t i = 0; i < h; i += 4) {
			float32x4_t a = load_part(x + i, h - i), b = load_part(x + i + h, h - i);
			float32x4_t c = load_part(cosine + i, h - i), s = load_part(sine + i, h - i);
			store_part(y + i, h - i, vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c));
			store_part(y + i + h, h - i, vfmaq_f32(vmulq_f32(a, s), b, c));
		}
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const float32x4_t one = vdupq_n_f32(1.0f);

	for (uint32_t i = 0; i < n; i += 4) {
		float32x4_t g = load_part(gate + i, n - i), u = load_part(up + i, n - i);
		g = vdivq_f32(g, vaddq_f32(one, exp_f32(vnegq_f32(g))));
		store_part(y + i, n - i, vmulq_f32(g, u));
	}
}

static void geglu(const float *gate, const float *up, uint32_t n, float *y)
{
	const float32x4_t one = vdupq_n_f32(1.0f), linear = vdupq_n_f32(MOTE_GELU_LINEAR);
	const float32x4_t cubic = vdupq_n_f32(MOTE_GELU_CUBIC);

	for (uint32_t i = 0; i < n; i += 4) {
		float32x4_t g = load_part(gate + i, n - i), u = load_part(up + i, n - i);
		float32x4_t t = vmulq_f32(g, vfmaq_f32(linear, vmulq_f32(g, g), cubic));
		g = vdivq_f32(g, vaddq_f32(one, exp_f32(vnegq_f32(t))));
		store_part(y + i, n - i, vmulq_f32(g, u));
	}
}

static void softcap(float *y, uint32_t n, float scale, float cap)
{
	const float32x4_t one = vdupq_n_f32(1.0f);
	const uint32x4_t minus = vdupq_n_u32(0x80000000u);

	for (uint32_t i = 0; i < n; i += 4) {
		float32x4_t u = vmulq_n_f32(load_part(y + i, n - i), scale);
		float32x4_t t = exp_f32(vmulq_n_f32(vabsq_f32(u), -2.0f));
		t = vdivq_f32(vsubq_f32(one, t), vaddq_f32(one, t));
		store_part(y + i, n - i, vmulq_n_f32(vbslq_f32(minus, u, t), cap));
	}
}

static void add(float *y, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 4)
		store_part(y + i, n - i, vaddq_f32(load_part(y + i, n - i), load_part(x + i, n - i)));
}

/* ---- attention ---- */

static float softmax(float *s, uint32_t n, float scale, float *max)
{
	float32x4_t m = vdupq_n_f32(s[0] * scale), sum[4];
	float lane[4], largest;

	for (uint32_t i = 0; i < n; i += 4) {
		float32x4_t t = vmulq_n_f32(load_part(s + i, n - i), scale);
		store_part(s + i, n - i, t);
		if (n - i < 4) /* what is not there does not count */
			t = vbslq_f32(lanes_below(n - i), t, m);
		m = larger(t, m);
	}
	vst1q_f32(lane, m);
	largest = lane[0];
	for (int i = 1; i < 4; i++)
		largest = lane[i] > largest ? lane[i] : largest;
	*max = largest + 0.0f;
	m = vdupq_n_f32(*max);
	for (int j = 0; j < 4; j++)
		sum[j] = vdupq_n_f32(0);
	for (uint32_t i = 0; i < n; i += 16)
		UNROLL for (uint32_t j = 0; j < 4; j++)
			if (i + 4 * j < n) {
				uint32_t left = n - i - 4 * j;
				float32x4_t p = exp_f32(vsubq_f32(load_part(s + i + 4 * j, left), m));
				store_part(s + i + 4 * j, left, p);
				if (left < 4)
					p = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(p),
									    lanes_below(left)));
				sum[j] = vaddq_f32(sum[j], p);
			}
	return sum_lanes(sum);
}

static void merge(float *state, const float *part, uint32_t n)
{
	float m, a, b;

	if (part[1] == 0)
		return;
	if (state[1] == 0) {
		memcpy(state, part, 2 * sizeof *part);
		memcpy(state + MOTE_PART_VALUES, part + MOTE_PART_VALUES, n * sizeof *part);
		return;
	}
	m = part[0] > state[0] ? part[0] : state[0];
	a = mote_exact_expf(state[0] - m);
	b = mote_exact_expf(part[0] - m);
	state[0] = m;
	state[1] = mote_exact_fmaf(state[1], a, part[1] * b);
	for (uint32_t i = MOTE_PART_VALUES, end = MOTE_PART_VALUES + n; i < end; i += 4) {
		float32x4_t o = vmulq_n_f32(load_part(part + i, end - i), b);
		store_part(state + i, end - i, vfmaq_n_f32(o, load_part(state + i, end - i), a));
	}
}

/* 16 values from v on. */
INLINE void load_values(const uint8_t *v, const enum mote_type type, float32x4_t out[4])
{
	UNROLL for (int i = 0; i < 4; i++) {
		if (type == MOTE_F32)
			out[i] = vld1q_f32((const float *)(const void *)(v + i * 16));
		else
			out[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(
				(const uint16_t *)(const void *)(v + i * 8))));
	}
}

/* n positions for T rows x 16 dimensions, which stay in registers. v: the first position's values; v_bytes
 * from one position to the next. */
INLINE void mix_tile(const uint8_t *v, size_t v_bytes, uint32_t n, const float *p, size_t p_stride, float *o,
		     size_t o_stride, const int T, const enum mote_type type)
{
	float32x4_t acc[16];

	UNROLL for (int i = 0; i < T * 4; i++)
		acc[i] = vld1q_f32(o + (size_t)(i / 4) * o_stride + (size_t)(i % 4) * 4);
	for (uint32_t i = 0; i < n; i++, v += v_bytes) {
		float32x4_t value[4];

		load_values(v, type, value);
		UNROLL for (int r = 0; r < T; r++)
			UNROLL for (int c = 0; c < 4; c++)
				acc[r * 4 + c] = vfmaq_n_f32(acc[r * 4 + c], value[c], p[(size_t)r * p_stride + i]);
	}
	UNROLL for (int i = 0; i < T * 4; i++)
		vst1q_f32(o + (size_t)(i / 4) * o_stride + (size_t)(i % 4) * 4, acc[i]);
}

INLINE void mix_rows(const uint8_t *v, size_t v_bytes, uint32_t n, const float *p, size_t p_stride,
		     uint32_t n_rows, float *o, size_t o_stride, const enum mote_type type)
{
	uint32_t r = 0;

	for (; r + 4 <= n_rows; r += 4)
		mix_tile(v, v_bytes, n, p + r * p_stride, p_stride, o + r * o_stride, o_stride, 4, type);
	for (; r < n_rows; r++)
		mix_tile(v, v_bytes, n, p + r * p_stride, p_stride, o + r * o_stride, o_stride, 1, type);
}

static void mix_f32(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p, size_t p_stride,
		    uint32_t n_rows, float *o, size_t o_stride)
{
	for (uint32_t c = 0; c < kv->v_cols; c += 16)
		mix_rows(kv->v + ((size_t)begin * kv->v_cols + c) * 4, (size_t)kv->v_cols * 4, end - begin, p, p_stride,
			 n_rows, o + c, o_stride, MOTE_F32);
}

static void mix_f16(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p, size_t p_stride,
		    uint32_t n_rows, float *o, size_t o_stride)
{
	for (uint32_t c = 0; c < kv->v_cols; c += 16)
		mix_rows(kv->v + ((size_t)begin * kv->v_cols + c) * 2, (size_t)kv->v_cols * 2, end - begin, p, p_stride,
			 n_rows, o + c, o_stride, MOTE_F16);
}

void mote_kernels_init_neon_vector(struct mote_kernels *k)
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
