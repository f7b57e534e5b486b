/* The reference: every kernel as plainly as its definition in kernels.h reads. It is what the ISA files are
 * tested against, and what runs where none of them does. It is complete and nothing in it is tuned.
 */
#include "runtime/kernels/tables.h"

#include <string.h>

#include "format/half.h"
#include "runtime/kernels/exact.h"

enum { LANES = 16 };

static uint16_t load_u16(const uint8_t *p)
{
	uint16_t h;
	memcpy(&h, p, sizeof h);
	return h;
}

static float load_f32(const uint8_t *p)
{
	float x;
	memcpy(&x, p, sizeof x);
	return x;
}

/* The tree that ends every lane sum. */
static float sum_lanes(float a[LANES])
{
	for (int half = LANES / 2; half > 0; half /= 2)
		for (int j = 0; j < half; j++)
			a[j] += a[j + half];
	return a[0];
}

/* ---- products ---- */

static float weight_float(const struct mote_matrix *w, const uint8_t *panel, size_t index)
{
	if (w->type == MOTE_F32)
		return load_f32(panel + 4 * index);
	if (w->type == MOTE_F16)
		return mote_f32_from_f16(load_u16(panel + 2 * index));
	return mote_f32_from_bf16(load_u16(panel + 2 * index));
}

static void multiply_float(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			   const struct mote_activations *x, uint32_t row, uint32_t n_rows, float *out,
			   size_t out_stride)
{
	for (uint32_t p = 0; p < n_panels; p++) {
		const uint8_t *data = w->data + (size_t)(panel + p) * w->panel_bytes;
		for (uint32_t r = 0; r < n_rows; r++) {
			const float *xr = x->x + (size_t)(row + r) * x->stride;
			float acc[LANES] = {0};
			for (uint32_t c = 0; c < w->cols; c++)
				for (uint32_t lane = 0; lane < LANES; lane++)
					acc[lane] = mote_exact_fmaf(weight_float(w, data, (size_t)c * LANES + lane),
								    xr[c], acc[lane]);
			memcpy(out + r * out_stride + (size_t)p * LANES, acc, sizeof acc);
		}
	}
}

static void multiply_quants(const struct mote_matrix *w, uint32_t panel, uint32_t n_panels,
			    const struct mote_activations *x, uint32_t row, uint32_t n_rows, float *out,
			    size_t out_stride)
{
	for (uint32_t p = 0; p < n_panels; p++) {
		const uint8_t *data = w->data + (size_t)(panel + p) * w->panel_bytes;
		for (uint32_t r = 0; r < n_rows; r++)
			memset(out + r * out_stride + (size_t)p * LANES, 0, LANES * sizeof *out);
		for (uint32_t b = 0; b < w->blocks; b++) {
			uint8_t quants[512];
			int32_t value[512]; /* [8 groups][16 rows][4 columns] */
			mote_block_unpack(w->type, data + w->quants_offset + (size_t)b * 64 * mote_type_bits(w->type),
					  quants);
			for (uint32_t i = 0; i < 512; i++)
				value[i] = mote_quant_value(w->type, w->codebook, quants[i]);
			for (uint32_t r = 0; r < n_rows; r++) {
				size_t at = (size_t)(row + r) * (x->stride / 32) + b;
				const int8_t *q = x->q + (size_t)(row + r) * x->stride + (size_t)b * 32;
				float *acc = out + r * out_stride + (size_t)p * LANES;
				for (uint32_t lane = 0; lane < LANES; lane++) {
					float ws = mote_matrix_scale(w, (panel + p) * LANES + lane, b);
					int32_t isum = 0;
					for (uint32_t c = 0; c < 32; c++)
						isum += value[(c / 4) * 64 + lane * 4 + c % 4] * q[c];
					acc[lane] = mote_exact_fmaf((float)isum, ws * x->scale[at], acc[lane]);
				}
			}
		}
	}
}

/* ---- vectors ---- */

/* Adding and subtracting 1.5 * 2^23 rounds |x| < 2^22 to the nearest integer, ties to even. */
static float round_even(float x)
{
	return (x + 12582912.0f) - 12582912.0f;
}

/* max |x| as bits: the order of magnitudes is the order of their bits, and a NaN is above infinity. */
static uint32_t largest_bits(const float *x, uint32_t n)
{
	uint32_t largest = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t magnitude = mote_f32_bits(x[i]) & 0x7fffffffu;
		if (magnitude > largest)
			largest = magnitude;
	}
	return largest;
}

static void quantize(const float *x, uint32_t cols, int8_t *q, float *scale, int32_t *bias)
{
	for (uint32_t begin = 0, b = 0; begin < cols; begin += 32, b++) {
		uint32_t n = cols - begin < 32 ? cols - begin : 32;
		uint32_t bits = largest_bits(x + begin, n);
		float amax = mote_f32_from_bits(bits), inverse;
		int32_t sum = 0;

		memset(q + begin, 0, 32);
		scale[b] = 0;
		bias[b] = 0;
		if (bits >= 0x7f800000u)
			scale[b] = mote_f32_from_bits(0x7fc00000u);
		if (bits >= 0x7f800000u || amax < MOTE_TINY_AMAX)
			continue;
		scale[b] = amax / 127.0f;
		inverse = 127.0f / amax;
		for (uint32_t i = 0; i < n; i++) {
			int32_t v = (int32_t)round_even(x[begin + i] * inverse);
			q[begin + i] = (int8_t)v;
			sum += v;
		}
		bias[b] = -128 * sum;
	}
}

static void norm(const float *x, const float *weight, uint32_t n, float eps, float *y)
{
	float lane[LANES] = {0}, r;

	for (uint32_t i = 0; i < n; i++)
		lane[i % LANES] = mote_exact_fmaf(x[i], x[i], lane[i % LANES]);
	r = mote_norm_factor(sum_lanes(lane) / (float)n, eps);
	for (uint32_t i = 0; i < n; i++)
		y[i] = (x[i] * r) * weight[i];
}

static void rope(const float *x, size_t x_stride, const float *cosine, const float *sine, uint32_t dim,
		 uint32_t n_heads, float *y, size_t y_stride)
{
	uint32_t h = dim / 2;
	for (uint32_t head = 0; head < n_heads; head++, x += x_stride, y += y_stride)
		for (uint32_t i = 0; i < h; i++) {
			float a = x[i], b = x[i + h];
			y[i] = mote_exact_fmaf(a, cosine[i], -(b * sine[i]));
			y[i + h] = mote_exact_fmaf(b, cosine[i], a * sine[i]);
		}
}

static void swiglu(const float *gate, const float *up, uint32_t n, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = (gate[i] / (1.0f + mote_exact_expf(-gate[i]))) * up[i];
}

static void geglu(const float *gate, const float *up, uint32_t n, float *y)
{
	for (uint32_t i = 0; i < n; i++) {
		float g = gate[i], t = g * mote_exact_fmaf(g * g, MOTE_GELU_CUBIC, MOTE_GELU_LINEAR);

		y[i] = (g / (1.0f + mote_exact_expf(-t))) * up[i];
	}
}

static void softcap(float *y, uint32_t n, float scale, float cap)
{
	for (uint32_t i = 0; i < n; i++) {
		float u = y[i] * scale;
		uint32_t sign = mote_f32_bits(u) & 0x80000000u;
		float t = mote_exact_expf(-2.0f * mote_f32_from_bits(mote_f32_bits(u) ^ sign));
		float tanh = (1.0f - t) / (1.0f + t);

		y[i] = cap * mote_f32_from_bits(mote_f32_bits(tanh) | sign);
	}
}

static void add(float *y, const float *x, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] += x[i];
}

/* ---- attention ---- */

static float softmax(float *s, uint32_t n, float scale, float *max)
{
	float lane[LANES] = {0}, m = s[0] * scale;

	for (uint32_t i = 0; i < n; i++) {
		s[i] *= scale;
		m = s[i] > m ? s[i] : m;
	}
	for (uint32_t i = 0; i < n; i++) {
		s[i] = mote_exact_expf(s[i] - m);
		lane[i % LANES] += s[i];
	}
	*max = m + 0.0f; /* -0 becomes +0: which zero is the largest shall not matter */
	return sum_lanes(lane);
}

static float value(const struct mote_kv *kv, uint32_t position, uint32_t d)
{
	size_t at = (size_t)position * kv->v_cols + d;

	return kv->v_type == MOTE_F32 ? load_f32(kv->v + 4 * at) : mote_f32_from_f16(load_u16(kv->v + 2 * at));
}

static void mix(const struct mote_kv *kv, uint32_t begin, uint32_t end, const float *p, size_t p_stride,
		uint32_t n_rows, float *o, size_t o_stride)
{
	for (uint32_t r = 0; r < n_rows; r++, p += p_stride, o += o_stride)
		for (uint32_t position = begin; position < end; position++)
			for (uint32_t d = 0; d < kv->v_cols; d++)
				o[d] = mote_exact_fmaf(p[position - begin], value(kv, position, d), o[d]);
}

/* part: maximum, sum, then values from PART_VALUES on; a sum of 0 marks an empty part (a real one holds
 * exp(0) = 1 at least). Empty parts are skipped, not added: adding a zero would turn -0 into +0. */
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
	for (uint32_t i = MOTE_PART_VALUES; i < MOTE_PART_VALUES + n; i++)
		state[i] = mote_exact_fmaf(state[i], a, part[i] * b);
}

/* Quantizes up to 32 values of a cache row to int8 and stores the block's f16 scale. */
static void cache_quantize(const float *x, uint32_t n, int8_t q[32], uint16_t *scale)
{
	uint32_t bits = largest_bits(x, n);
	float inverse, s;

	memset(q, 0, 32);
	*scale = bits >= 0x7f800000u ? 0x7e00 : mote_f16_from_f32(mote_f32_from_bits(bits) / 127.0f);
	s = mote_f32_from_f16(*scale);
	if (*scale >= 0x7c00)
		*scale = 0x7e00;
	if (*scale == 0 || *scale >= 0x7c00)
		return;
	inverse = 1.0f / s;
	for (uint32_t i = 0; i < n; i++) {
		float v = round_even(x[i] * inverse);
		q[i] = (int8_t)(v > 127.0f ? 127.0f : v < -127.0f ? -127.0f : v);
	}
}

static void store_float(uint8_t *at, enum mote_type type, size_t index, float x)
{
	if (type == MOTE_F32) {
		memcpy(at + 4 * index, &x, 4);
	} else {
		uint16_t h = mote_f16_from_f32(x);
		memcpy(at + 2 * index, &h, 2);
	}
}

static void store_key(const struct mote_kv *kv, uint32_t position, const float *k)
{
	uint8_t *panel = kv->k_data + (size_t)(position / 16) * kv->k.panel_bytes;
	uint32_t lane = position % 16, n = kv->head_dim;
	uint16_t scale;
	int8_t q[32];

	for (uint32_t d = 0; d < n && kv->k.type != MOTE_Q8; d++)
		store_float(panel, kv->k.type, (size_t)d * 16 + lane, k[d]);
	for (uint32_t d = 0; d < n && kv->k.type == MOTE_Q8; d += 32) {
		uint8_t *quants = panel + kv->k.quants_offset + (size_t)d * 16;

		cache_quantize(k + d, n - d < 32 ? n - d : 32, q, &scale);
		memcpy(panel + 2 * ((size_t)(d / 32) * 16 + lane), &scale, 2);
		for (uint32_t c = 0; c < 32; c++)
			quants[(c / 4) * 64 + lane * 4 + c % 4] = (uint8_t)(q[c] + 128);
	}
}

/* One column of v_quants. The first of a block writes the block's scales too, all 1. */
static void store_value_quants(const struct mote_kv *kv, uint32_t position, const float *v)
{
	const struct mote_matrix *m = &kv->v_quants;
	uint32_t bits = largest_bits(v, kv->head_dim);
	float amax = mote_f32_from_bits(bits), scale = amax / 127.0f, inverse = 127.0f / amax;
	bool zero = bits >= 0x7f800000u || amax < MOTE_TINY_AMAX;

	kv->v_scale[position] = bits >= 0x7f800000u ? mote_f32_from_bits(0x7fc00000u) : zero ? 0 : scale;
	for (uint32_t d = 0; d < kv->head_dim; d++) {
		uint8_t *panel = kv->v + d / 16 * m->panel_bytes;
		int32_t q = zero ? 0 : (int32_t)round_even(v[d] * inverse);

		panel[m->quants_offset + (size_t)(position / 4) * 64 + d % 16 * 4 + position % 4] = (uint8_t)(q + 128);
		if (position % 32 == 0)
			memcpy(panel + position + d % 16 * 2, "\x00\x3c", 2); /* 32 bytes a block; 1.0 in f16 */
	}
}

static void kv_store(const struct mote_kv *kv, uint32_t position, const float *k, const float *v)
{
	store_key(kv, position, k);
	if (kv->v_type == MOTE_Q8)
		store_value_quants(kv, position, v);
	for (uint32_t d = 0; d < kv->v_cols && kv->v_type != MOTE_Q8; d++)
		store_float(kv->v, kv->v_type, (size_t)position * kv->v_cols + d, d < kv->head_dim ? v[d] : 0.0f);
}

/* ---- training ---- */

static void tile(const struct mote_tile *t)
{
	for (uint32_t i = 0; i < t->rows; i++) {
		float *c = t->c + i * t->c_row;

		if (!t->add)
			memset(c, 0, MOTE_GEMM_COLS * sizeof *c);
		for (uint32_t d = 0; d < t->depth; d++)
			for (uint32_t j = 0; j < MOTE_GEMM_COLS; j++)
				c[j] = mote_exact_fmaf(t->a[i * t->a_row + d * t->a_col],
						       t->b[(size_t)d * MOTE_GEMM_COLS + j], c[j]);
	}
}

static void sigmoid(const float *x, uint32_t n, float *y)
{
	for (uint32_t i = 0; i < n; i++)
		y[i] = 1.0f / (1.0f + mote_exact_expf(-x[i]));
}

void mote_kernels_init_scalar(struct mote_kernels *k)
{
	k->name = "scalar";
	k->multiply[MOTE_F32] = multiply_float;
	k->multiply[MOTE_F16] = multiply_float;
	k->multiply[MOTE_BF16] = multiply_float;
	for (int i = 0; i < MOTE_TYPE_SLOTS; i++)
		if (mote_type_is_quantized((enum mote_type)i))
			k->multiply[i] = multiply_quants;
	k->mix[MOTE_F32] = mix;
	k->mix[MOTE_F16] = mix;
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
	k->tile = tile;
	k->sigmoid = sigmoid;
}
