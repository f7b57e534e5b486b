/* Blocks of GGUF: see gguf_types.h. In each function d and so on are the block's f16 scales, and the places of its
 * fields are written where they are read. */
#include "convert/gguf/gguf_types.h"

#include <string.h>

#include "format/half.h"

const int8_t mote_gguf_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static float half_at(const uint8_t *p)
{
	return mote_f32_from_f16((uint16_t)(p[0] | p[1] << 8));
}

/* d, 16 bytes: element i in the low nibble of byte i, element i + 16 in the high one; (q - 8) d */
static void decode_q4_0(const uint8_t *b, float *out)
{
	const float d = half_at(b);

	for (int i = 0; i < 16; i++) {
		out[i] = (float)((b[2 + i] & 15) - 8) * d;
		out[i + 16] = (float)((b[2 + i] >> 4) - 8) * d;
	}
}

/* d, m, nibbles as above; q d + m */
static void decode_q4_1(const uint8_t *b, float *out)
{
	const float d = half_at(b), m = half_at(b + 2);

	for (int i = 0; i < 16; i++) {
		out[i] = (float)(b[4 + i] & 15) * d + m;
		out[i + 16] = (float)(b[4 + i] >> 4) * d + m;
	}
}

/* The fifth bit of element i is bit i of the u32 at high. */
static int five_bits(const uint8_t *nibbles, const uint8_t *high, int i)
{
	int low = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;

	return low | (high[i / 8] >> i % 8 & 1) << 4;
}

/* d, u32 of fifth bits, nibbles; (q - 16) d */
static void decode_q5_0(const uint8_t *b, float *out)
{
	for (int i = 0; i < 32; i++)
		out[i] = (float)(five_bits(b + 6, b + 2, i) - 16) * half_at(b);
}

/* d, m, u32 of fifth bits, nibbles; q d + m */
static void decode_q5_1(const uint8_t *b, float *out)
{
	for (int i = 0; i < 32; i++)
		out[i] = (float)five_bits(b + 8, b + 4, i) * half_at(b) + half_at(b + 2);
}

/* d, 32 int8; q d */
static void decode_q8_0(const uint8_t *b, float *out)
{
	for (int i = 0; i < 32; i++)
		out[i] = (float)(int8_t)b[2 + i] * half_at(b);
}

static void decode_iq4_nl(const uint8_t *b, float *out)
{
	const float d = half_at(b);

	for (int i = 0; i < 16; i++) {
		out[i] = d * (float)mote_gguf_iq4_values[b[2 + i] & 15];
		out[i + 16] = d * (float)mote_gguf_iq4_values[b[2 + i] >> 4];
	}
}

/* 16 bytes of (scale, minimum) nibbles, 64 bytes of two-bit quants, d, dmin. A run of 16 elements has one scale: the
 * four fields of 32 bytes are the runs 2k and 2k + 1 of each half. */
static void decode_q2_k(const uint8_t *b, float *out)
{
	const float d = half_at(b + 80), min = half_at(b + 82);

	for (int run = 0; run < 16; run++) {
		const uint8_t *q = b + 16 + run / 8 * 32 + run % 2 * 16;
		const float dl = d * (float)(b[run] & 15), ml = min * (float)(b[run] >> 4);

		for (int i = 0; i < 16; i++)
			*out++ = dl * (float)(q[i] >> run % 8 / 2 * 2 & 3) - ml;
	}
}

/* 32 bytes of third bits, 64 bytes of two-bit quants, 12 bytes of six-bit scales, d. The scales' low nibbles are in the
 * first eight bytes (scale s in byte s % 8, low or high nibble), their upper two bits in the last four. */
static void decode_q3_k(const uint8_t *b, float *out)
{
	const float d = half_at(b + 108);

	for (int run = 0; run < 16; run++) {
		const uint8_t *q = b + 32 + run / 8 * 32 + run % 2 * 16, *high = b + run % 2 * 16, *s = b + 96;
		const int low = run < 8 ? s[run] & 15 : s[run - 8] >> 4, up = s[8 + run % 4] >> run / 4 * 2 & 3;
		const float dl = d * (float)((low | up << 4) - 32);

		for (int i = 0; i < 16; i++)
			*out++ = dl * (float)((q[i] >> run % 8 / 2 * 2 & 3) - (high[i] >> run / 2 & 1 ? 0 : 4));
	}
}

/* The six-bit scale and minimum of run j of 32 elements, of Q4_K and Q5_K. */
static void scale_min(int j, const uint8_t *s, uint8_t *scale, uint8_t *min)
{
	if (j < 4) {
		*scale = s[j] & 63;
		*min = s[j + 4] & 63;
	} else {
		*scale = (uint8_t)((s[j + 4] & 15) | s[j - 4] >> 6 << 4);
		*min = (uint8_t)(s[j + 4] >> 4 | s[j] >> 6 << 4);
	}
}

/* d, dmin, 12 bytes of scales and minima, 128 bytes of nibbles: 32 bytes are the runs 2k (low) and 2k + 1 (high). high:
 * 32 bytes of fifth bits (run j's is bit j), or NULL. */
static void decode_nibbles_k(const uint8_t *b, const uint8_t *nibbles, const uint8_t *high, float *out)
{
	for (int j = 0; j < 8; j++) {
		const uint8_t *q = nibbles + j / 2 * 32;
		uint8_t scale, min;
		float d, m;

		scale_min(j, b + 4, &scale, &min);
		d = half_at(b) * (float)scale;
		m = half_at(b + 2) * (float)min;
		for (int i = 0; i < 32; i++)
			*out++ = d * (float)((q[i] >> j % 2 * 4 & 15) + (high ? high[i] >> j & 1 : 0) * 16) - m;
	}
}

static void decode_q4_k(const uint8_t *b, float *out)
{
	decode_nibbles_k(b, b + 16, NULL, out);
}

static void decode_q5_k(const uint8_t *b, float *out)
{
	decode_nibbles_k(b, b + 48, b + 16, out);
}

/* 128 bytes of low nibbles, 64 of upper two bits, 16 int8 scales (one for 16 elements), d. Each half of 128 elements
 * has 64 bytes of nibbles and 32 of upper bits; its four runs of 32 take low nibbles twice, then high ones, and the
 * upper bits from the lowest pair to the highest. */
static void decode_q6_k(const uint8_t *b, float *out)
{
	const float d = half_at(b + 208);

	for (int run = 0; run < 8; run++) {
		const int quarter = run % 4, half = run / 4;
		const uint8_t *low = b + half * 64 + quarter % 2 * 32, *high = b + 128 + half * 32;
		const uint8_t *scale = b + 192 + half * 8 + quarter * 2;

		for (int i = 0; i < 32; i++) {
			int q = (low[i] >> quarter / 2 * 4 & 15) | (high[i] >> quarter * 2 & 3) << 4;

			*out++ = d * (float)(int8_t)scale[i / 16] * (float)(q - 32);
		}
	}
}

/* d, u16 of upper scale bits, 4 bytes of low scale nibbles, 128 bytes of nibbles, 16 for a run of 32 as in IQ4_NL */
static void decode_iq4_xs(const uint8_t *b, float *out)
{
	const int upper = b[2] | b[3] << 8;

	for (int j = 0; j < 8; j++) {
		const int scale = (b[4 + j / 2] >> j % 2 * 4 & 15) | (upper >> 2 * j & 3) << 4;
		const float d = half_at(b) * (float)(scale - 32);
		const uint8_t *q = b + 8 + j * 16;

		for (int i = 0; i < 16; i++) {
			out[i] = d * (float)mote_gguf_iq4_values[q[i] & 15];
			out[i + 16] = d * (float)mote_gguf_iq4_values[q[i] >> 4];
		}
		out += 32;
	}
}

static const struct mote_gguf_type_info types[] = {
	{"F32", MOTE_GGUF_F32, 1, 4, NULL},
	{"F16", MOTE_GGUF_F16, 1, 2, NULL},
	{"Q4_0", MOTE_GGUF_Q4_0, 32, 18, decode_q4_0},
	{"Q4_1", MOTE_GGUF_Q4_1, 32, 20, decode_q4_1},
	{"Q5_0", MOTE_GGUF_Q5_0, 32, 22, decode_q5_0},
	{"Q5_1", MOTE_GGUF_Q5_1, 32, 24, decode_q5_1},
	{"Q8_0", MOTE_GGUF_Q8_0, 32, 34, decode_q8_0},
	{"Q8_1", 9, 32, 36, NULL},
	{"Q2_K", MOTE_GGUF_Q2_K, 256, 84, decode_q2_k},
	{"Q3_K", MOTE_GGUF_Q3_K, 256, 110, decode_q3_k},
	{"Q4_K", MOTE_GGUF_Q4_K, 256, 144, decode_q4_k},
	{"Q5_K", MOTE_GGUF_Q5_K, 256, 176, decode_q5_k},
	{"Q6_K", MOTE_GGUF_Q6_K, 256, 210, decode_q6_k},
	{"Q8_K", 15, 256, 292, NULL},
	{"IQ2_XXS", 16, 256, 66, NULL},
	{"IQ2_XS", 17, 256, 74, NULL},
	{"IQ3_XXS", 18, 256, 98, NULL},
	{"IQ1_S", 19, 256, 50, NULL},
	{"IQ4_NL", MOTE_GGUF_IQ4_NL, 32, 18, decode_iq4_nl},
	{"IQ3_S", 21, 256, 110, NULL},
	{"IQ2_S", 22, 256, 82, NULL},
	{"IQ4_XS", MOTE_GGUF_IQ4_XS, 256, 136, decode_iq4_xs},
	{"I8", 24, 1, 1, NULL},
	{"I16", 25, 1, 2, NULL},
	{"I32", 26, 1, 4, NULL},
	{"I64", 27, 1, 8, NULL},
	{"F64", 28, 1, 8, NULL},
	{"IQ1_M", 29, 256, 56, NULL},
	{"BF16", MOTE_GGUF_BF16, 1, 2, NULL},
	{"TQ1_0", 34, 256, 54, NULL},
	{"TQ2_0", 35, 256, 66, NULL},
	{"MXFP4", 39, 32, 17, NULL},
};

const struct mote_gguf_type_info *mote_gguf_type_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].number == number)
			return &types[i];
	return NULL;
}
