/* Half-precision conversions, bit-exact on every machine: no compiler extension, no libm. */
#ifndef MOTE_FORMAT_HALF_H
#define MOTE_FORMAT_HALF_H

#include <stdint.h>
#include <string.h>

static inline float mote_f32_from_bits(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static inline uint32_t mote_f32_bits(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static inline float mote_f32_from_bf16(uint16_t h)
{
	return mote_f32_from_bits((uint32_t)h << 16);
}

/* Round to nearest even; NaN stays NaN (made quiet). */
static inline uint16_t mote_bf16_from_f32(float x)
{
	uint32_t u = mote_f32_bits(x);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

/* Exact, subnormals included. */
static inline float mote_f32_from_f16(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
	uint32_t rest = h & 0x7fffu;

	if (rest >= 0x7c00u) /* infinity, NaN */
		return mote_f32_from_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
	if (rest >= 0x0400u) /* normal: rebias 15 -> 127 */
		return mote_f32_from_bits(sign | ((rest << 13) + (112u << 23)));
	{ /* zero, subnormal: rest * 2^-24, exact in f32 */
		float magnitude = (float)rest * mote_f32_from_bits(0x33800000u);
		return mote_f32_from_bits(sign | mote_f32_bits(magnitude));
	}
}

/* Round to nearest even; overflow gives infinity, NaN stays NaN. */
static inline uint16_t mote_f16_from_f32(float x)
{
	uint32_t u = mote_f32_bits(x), magnitude = u & 0x7fffffffu;
	uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);

	if (magnitude > 0x7f800000u)
		return (uint16_t)(sign | 0x7e00u);
	if (magnitude >= 0x477ff000u) /* 65520 and more round to infinity */
		return (uint16_t)(sign | 0x7c00u);
	if (magnitude < 0x38800000u) { /* below 2^-14: adding 0.5 leaves the rounded subnormal in the low bits */
		float shifted = mote_f32_from_bits(magnitude) + 0.5f;
		return (uint16_t)(sign | (mote_f32_bits(shifted) - 0x3f000000u));
	}
	magnitude += 0xfffu + (magnitude >> 13 & 1);
	return (uint16_t)(sign | (magnitude - (112u << 23)) >> 13);
}

#endif
