/* Every kernel table that this machine can run against the scalar reference, bit by bit, over random shapes,
 * alignments, tails and adversarial values, all buffers between guard pages; the reference itself against plain
 * double precision; and the drivers against themselves under every way of cutting the work.
 *
 *   test_kernels [--seed N] [--digest]
 *
 * --digest prints one hash of everything that the reference computed: `make neon-check` compares that of an
 * x86 build with that of an AArch64 one. Plain main and no library, so that it cross-compiles as it is.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/half.h"
#include "runtime/kernels/kernels.h"
#include "tests/kernel_inputs.h"

/* ---- products ---- */

/* The reference against double precision over the normative decode. */
static void check_product(const struct mote_matrix *m, const struct mote_activations *a, uint32_t row,
			  uint32_t w_row, float got)
{
	float *w = malloc(m->cols * sizeof *w);
	double sum = 0, magnitude = 0;
	size_t at = (size_t)row * a->stride;

	mote_matrix_decode_row(m, w_row, w);
	for (uint32_t c = 0; c < m->cols; c++) {
		double x = a->x[at + c];
		if (mote_type_is_quantized(m->type))
			x = (double)a->q[at + c] * a->scale[(at + c) / 32];
		sum += w[c] * x;
		magnitude += fabs(w[c] * x);
	}
	free(w);
	check(fabs(sum - (double)got) <= 1e-5 * magnitude + 1e-40, "scalar", "differs from double precision");
}

static void test_multiply(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	enum mote_type type = all_types[index % N_TYPES];
	uint32_t cols = index % 7 == 0 ? random_between(1, 40) : random_between(1, 300);
	uint32_t rows = random_between(1, 160), a_rows = random_between(1, index % 8 == 3 ? 40 : 14);
	enum values kind = random_u32() % VALUE_KINDS;
	bool at_end = random_u32() % 2;
	struct mote_matrix m;
	struct guarded data, codebook = guarded_new(16, 1, at_end), out[2];
	struct guarded_activations a = activations_new(a_rows, cols, at_end);
	uint32_t panel, n_panels, row, n_rows;
	uint64_t bytes;
	size_t stride;

	snprintf(shape, sizeof shape, "case %u: %s, %u x %u, %u activations, values %d", index, mote_type_name(type),
		 rows, cols, a_rows, (int)kind);
	for (int i = 0; i < 16; i++)
		((uint8_t *)codebook.data)[i] = (uint8_t)(kind == LARGE ? 255 * (i & 1) : random_u32());
	mote_matrix_init(&m, type, rows, cols, NULL, codebook.data, &bytes, NULL);
	data = guarded_new(bytes, 64, at_end);
	m.data = data.data;
	fill_matrix(&m, data.data, kind);
	activations_fill(&list[0], &a.a, kind);
	panel = random_between(0, m.panels - 1);
	n_panels = random_between(1, m.panels - panel);
	row = random_between(0, a_rows - 1);
	n_rows = random_between(1, a_rows - row);
	stride = n_panels * 16 + random_u32() % 3;
	for (int i = 0; i < 2; i++)
		out[i] = guarded_new(((n_rows - 1) * stride + n_panels * 16) * 4, 4, at_end);
	list[0].multiply[type](&m, panel, n_panels, &a.a, row, n_rows, out[0].data, stride);
	digest_add(out[0].data, out[0].bytes);
	for (int i = 0; i < 4 && kind != LARGE && kind != ZERO; i++) {
		uint32_t r = random_between(0, n_rows - 1);
		uint32_t w_row = random_between(panel * 16, (panel + n_panels) * 16 - 1);
		if (w_row < rows)
			check_product(&m, &a.a, row + r, w_row,
				      ((float *)out[0].data)[r * stride + w_row - panel * 16]);
	}
	for (uint32_t t = 1; t < n; t++) {
		memset(out[1].data, 0xa5, out[1].bytes);
		list[t].multiply[type](&m, panel, n_panels, &a.a, row, n_rows, out[1].data, stride);
		check(memcmp(out[0].data, out[1].data, out[0].bytes) == 0, list[t].name, "product differs");
	}
	guarded_free(&data);
	guarded_free(&codebook);
	guarded_free(&out[0]);
	guarded_free(&out[1]);
	activations_free(&a);
}

/* However a product is cut into pieces, and whatever its epilogue, the result is the same. */
static void test_matmul(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	enum mote_epilogue epilogue = index % 4;
	enum mote_type type = all_types[random_u32() % N_TYPES], up_type = all_types[random_u32() % N_TYPES];
	uint32_t cols = random_between(1, 100), rows = random_between(1, 200), a_rows = random_between(1, 150);
	struct mote_matrix w, up;
	struct guarded w_data, up_data, y[2], bias = guarded_new(rows * 4, 4, true);
	struct guarded_activations a = activations_new(a_rows, cols, true), out[2];
	uint8_t codebook[16];
	uint64_t bytes;
	size_t stride = rows + random_u32() % 3;

	snprintf(shape, sizeof shape, "case %u: epilogue %d, %s and %s, %u x %u, %u activations", index, (int)epilogue,
		 mote_type_name(type), mote_type_name(up_type), rows, cols, a_rows);
	for (int i = 0; i < 16; i++)
		codebook[i] = (uint8_t)random_u32();
	mote_matrix_init(&w, type, rows, cols, NULL, codebook, &bytes, NULL);
	w_data = guarded_new(bytes, 64, true);
	w.data = w_data.data;
	mote_matrix_init(&up, up_type, rows, cols, NULL, codebook, &bytes, NULL);
	up_data = guarded_new(bytes, 64, true);
	up.data = up_data.data;
	fill_matrix(&w, w_data.data, ORDINARY);
	fill_matrix(&up, up_data.data, ORDINARY);
	activations_fill(&list[0], &a.a, ORDINARY);
	fill_floats(bias.data, rows, ORDINARY);
	for (int i = 0; i < 2; i++) {
		y[i] = guarded_new(((a_rows - 1) * stride + rows) * 4, 4, true);
		out[i] = activations_new(a_rows, rows, true);
		memset(out[i].q.data, 0, out[i].q.bytes);
	}
	for (uint32_t t = 0; t < n; t++) {
		struct mote_matmul job = { .w = &w, .up = &up, .x = &a.a, .epilogue = epilogue, .y = y[t > 0].data,
					   .y_stride = stride, .out = &out[t > 0].a,
					   .bias = index % 8 < 4 ? NULL : bias.data, .up_bias = index % 5 ? NULL :
					   bias.data, .scale = index % 5 ? 0 : 0.3f, .cap = index % 3 ? 0 : 2.0f };
		uint32_t step = random_between(1, w.panels / 2 + 1) * 2, row_step = random_between(1, a_rows);

		memset(y[t > 0].data, 0x3c, y[0].bytes);
		if (t == 0)
			step = w.panels + 1, row_step = a_rows;
		for (uint32_t p = 0; p < w.panels; p += step)
			for (uint32_t r = 0; r < a_rows; r += row_step)
				mote_matmul_run(&list[t], &job, p, p + step < w.panels ? p + step : w.panels, r,
						r + row_step < a_rows ? r + row_step : a_rows);
		if (t == 0) {
			digest_add(y[0].data, y[0].bytes);
			digest_add(out[0].q.data, out[0].q.bytes);
			continue;
		}
		check(memcmp(y[0].data, y[1].data, y[0].bytes) == 0, list[t].name, "y differs");
		check(memcmp(out[0].x.data, out[1].x.data, out[0].x.bytes) == 0, list[t].name, "out.x differs");
		check(memcmp(out[0].q.data, out[1].q.data, out[0].q.bytes) == 0, list[t].name, "out.q differs");
		check(memcmp(out[0].scale.data, out[1].scale.data, out[0].scale.bytes) == 0, list[t].name, "out.scale");
		check(memcmp(out[0].bias.data, out[1].bias.data, out[0].bias.bytes) == 0, list[t].name, "out.bias");
	}
	guarded_free(&w_data);
	guarded_free(&up_data);
	guarded_free(&bias);
	activations_free(&a);
	for (int i = 0; i < 2; i++) {
		guarded_free(&y[i]);
		activations_free(&out[i]);
	}
}

/* ---- vectors ---- */

static void test_quantize(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	uint32_t cols = random_between(1, 200), blocks = (cols + 31) / 32;
	enum values kind = random_u32() % VALUE_KINDS;
	bool at_end = random_u32() % 2;
	struct guarded x = guarded_new(cols * 4, 4, at_end), q[2], scale[2], bias[2];
	float *v = x.data;

	snprintf(shape, sizeof shape, "case %u: %u values of kind %d", index, cols, (int)kind);
	fill_floats(v, cols, kind);
	if (index % 5 == 0) /* the threshold of blocks that count as zero */
		v[0] = index % 2 ? 0x1p-100f : 0x1.fffffep-101f;
	if (index % 5 == 1)
		v[random_u32() % cols] = index % 2 ? INFINITY : -NAN;
	if (index % 5 == 2) /* ties, and the ends of the range */
		for (uint32_t i = 0; i < cols; i++)
			v[i] = i % 32 == 0 ? 127.0f : (float)(int32_t)random_between(0, 508) * 0.5f - 127.0f;
	for (int i = 0; i < 2; i++) {
		q[i] = guarded_new(blocks * 32, 1, at_end);
		scale[i] = guarded_new(blocks * 4, 4, at_end);
		bias[i] = guarded_new(blocks * 4, 4, at_end);
	}
	for (uint32_t t = 0; t < n; t++) {
		int i = t > 0;
		memset(q[i].data, 0xa5, q[i].bytes);
		list[t].quantize(v, cols, q[i].data, scale[i].data, bias[i].data);
		if (t == 0) {
			digest_add(q[0].data, q[0].bytes);
			digest_add(bias[0].data, bias[0].bytes);
			continue;
		}
		check(memcmp(q[0].data, q[1].data, q[0].bytes) == 0, list[t].name, "q differs");
		check(memcmp(bias[0].data, bias[1].data, bias[0].bytes) == 0, list[t].name, "bias differs");
		for (uint32_t b = 0; b < blocks; b++) {
			float s0 = ((float *)scale[0].data)[b], s1 = ((float *)scale[1].data)[b];
			check(mote_f32_bits(s0) == mote_f32_bits(s1) || (s0 != s0 && s1 != s1), list[t].name,
			      "scale differs");
		}
	}
	for (uint32_t c = 0; c < blocks * 32; c++) { /* what was asked for: half a step at most, and the sum */
		float s = ((float *)scale[0].data)[c / 32];
		int8_t u = ((int8_t *)q[0].data)[c];
		float want = c < cols ? v[c] : 0;
		if (s == s && s > 0)
			check(fabs((double)u * s - want) <= 0.50001 * s, "scalar", "quant is not the nearest");
		else
			check(u == 0, "scalar", "quant is not zero");
	}
	for (int i = 0; i < 2; i++) {
		guarded_free(&q[i]);
		guarded_free(&scale[i]);
		guarded_free(&bias[i]);
	}
	guarded_free(&x);
}

/* Vectors of n, heads of 2 * half floats; y and z are outputs. */
struct vectors {
	uint32_t n, heads, half, stride;
	float *a, *b, *head, *cosine, *sine, scale;
};

enum vector_op { NORM, SWIGLU, SWIGLU_IN_PLACE, GEGLU, SOFTCAP, LAYER_NORM, ADD, ROPE, ROPE_IN_PLACE, SOFTMAX, MERGE,
		 VECTOR_OPS };

static void run_vector_op(const struct mote_kernels *k, enum vector_op op, const struct vectors *v, float *y,
			  float *z, float extra[2])
{
	size_t head_bytes = ((v->heads - 1) * (size_t)v->stride + 2 * v->half) * 4;

	switch (op) {
	case NORM:
		k->norm(v->a, v->b, v->n, 1e-5f, y);
		break;
	case SWIGLU:
		k->swiglu(v->a, v->b, v->n, y);
		break;
	case SWIGLU_IN_PLACE:
		memcpy(y, v->a, v->n * 4);
		k->swiglu(y, v->b, v->n, y);
		break;
	case GEGLU:
		k->geglu(v->a, v->b, v->n, y);
		break;
	case SOFTCAP:
		memcpy(y, v->a, v->n * 4);
		k->softcap(y, v->n, v->scale / 50.0f, 50.0f);
		break;
	case LAYER_NORM:
		mote_layer_norm(v->a, v->b, v->a, v->n, 1e-5f, y);
		break;
	case ADD:
		memcpy(y, v->a, v->n * 4);
		k->add(y, v->b, v->n);
		break;
	case ROPE:
		k->rope(v->head, v->stride, v->cosine, v->sine, 2 * v->half, v->heads, z, v->stride);
		break;
	case ROPE_IN_PLACE:
		memcpy(z, v->head, head_bytes);
		k->rope(z, v->stride, v->cosine, v->sine, 2 * v->half, v->heads, z, v->stride);
		break;
	case SOFTMAX:
		memcpy(y, v->a, v->n * 4);
		extra[1] = k->softmax(y, v->n, v->scale, &extra[0]);
		break;
	case MERGE:
		if (v->n < 32)
			break;
		memcpy(y, v->a, v->n * 4);
		y[1] = v->scale > 1 ? 0 : 3; /* an empty state, or not */
		k->merge(y, v->b, v->n - 16);
		break;
	default:
		break;
	}
}

/* What the formulas of rounded operations come to, in double precision. */
static void check_vectors(const struct mote_kernels *k, const struct vectors *v, float *y)
{
	double sum = 0, squares = 0;

	k->geglu(v->a, v->b, v->n, y);
	for (uint32_t i = 0; i < v->n; i++) {
		double g = v->a[i], t = tanh(0.7978845608028654 * (g + 0.044715 * g * g * g));

		check(fabs(0.5 * g * (1 + t) * v->b[i] - (double)y[i]) <= 1e-6 * (1 + fabs(g * v->b[i])), k->name,
		      "geglu differs from double precision");
	}
	memcpy(y, v->a, v->n * 4);
	k->softcap(y, v->n, v->scale / 50.0f, 50.0f);
	for (uint32_t i = 0; i < v->n; i++)
		check(fabs(50 * tanh((double)v->a[i] * v->scale / 50) - (double)y[i]) <= 3e-5, k->name,
		      "softcap differs from double precision");
	mote_layer_norm(v->a, v->b, v->b, v->n, 1e-5f, y);
	for (uint32_t i = 0; i < v->n; i++)
		sum += (double)v->a[i] / v->n;
	for (uint32_t i = 0; i < v->n; i++)
		squares += ((double)v->a[i] - sum) * ((double)v->a[i] - sum) / v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		double d = ((double)v->a[i] - sum) / sqrt(squares + 1e-5);

		check(fabs(d * v->b[i] + v->b[i] - (double)y[i]) <= 1e-4 * (1 + fabs(d * v->b[i])), k->name,
		      "layer norm differs from double precision");
	}
}

static void test_vectors(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	struct vectors v = { .n = random_between(1, index % 10 == 0 ? 3000 : 100), .heads = random_between(1, 3),
			     .half = random_between(1, 70) };
	enum values kind = index % 3 == 0 ? random_u32() % VALUE_KINDS : ORDINARY;
	bool at_end = random_u32() % 2;
	struct guarded a = guarded_new(v.n * 4, 4, at_end), b = guarded_new(v.n * 4, 4, at_end), y[2], z[2];
	struct guarded cosine = guarded_new(v.half * 4, 4, at_end), sine = guarded_new(v.half * 4, 4, at_end), head;

	snprintf(shape, sizeof shape, "case %u: %u values of kind %d, %u heads of %u", index, v.n, (int)kind, v.heads,
		 2 * v.half);
	v.stride = 2 * v.half + random_u32() % 5;
	head = guarded_new(((v.heads - 1) * v.stride + 2 * v.half) * 4, 4, at_end);
	v.a = a.data;
	v.b = b.data;
	v.head = head.data;
	v.cosine = cosine.data;
	v.sine = sine.data;
	v.scale = random_u32() % 2 ? 0.125f : 30.0f;
	fill_floats(v.a, v.n, kind);
	fill_floats(v.b, v.n, kind);
	fill_floats(v.head, head.bytes / 4, kind);
	fill_floats(v.cosine, v.half, ORDINARY);
	fill_floats(v.sine, v.half, ORDINARY);
	if (index % 4 == 1) /* the whole range of the exponential */
		for (uint32_t i = 0; i < v.n; i++)
			v.a[i] *= 60.0f;
	for (int i = 0; i < 2; i++) {
		y[i] = guarded_new(a.bytes, 4, at_end);
		z[i] = guarded_new(head.bytes, 4, at_end);
	}
	for (enum vector_op op = 0; op < VECTOR_OPS; op++)
		for (uint32_t t = 0; t < n; t++) {
			static const char *const names[] = { "norm", "swiglu", "swiglu in place", "geglu", "softcap",
							     "layer norm", "add", "rope",
							     "rope in place", "softmax", "merge" };
			static float extra[2][2];
			int i = t > 0;

			memset(y[i].data, 0xa5, y[i].bytes);
			memset(z[i].data, 0xa5, z[i].bytes);
			run_vector_op(&list[t], op, &v, y[i].data, z[i].data, extra[i]);
			if (t == 0) {
				digest_add(y[0].data, y[0].bytes);
				digest_add(z[0].data, z[0].bytes);
				digest_add(extra[0], sizeof extra[0]);
				continue;
			}
			check(memcmp(y[0].data, y[1].data, y[0].bytes) == 0, list[t].name, names[op]);
			check(memcmp(z[0].data, z[1].data, z[0].bytes) == 0, list[t].name, names[op]);
			check(memcmp(extra[0], extra[1], sizeof extra[0]) == 0, list[t].name, names[op]);
		}
	if (kind == ORDINARY)
		for (uint32_t t = 0; t < n; t++)
			check_vectors(&list[t], &v, y[0].data);
	guarded_free(&a);
	guarded_free(&b);
	guarded_free(&head);
	guarded_free(&cosine);
	guarded_free(&sine);
	for (int i = 0; i < 2; i++) {
		guarded_free(&y[i]);
		guarded_free(&z[i]);
	}
}

/* Squares whose sum is infinite, of values that are not, become NaN and not zeros. */
static void test_norm_range(const struct mote_kernels *list, uint32_t n)
{
	enum { VALUES = 100 };
	float x[VALUES], weight[VALUES], bias[VALUES], y[2][VALUES];

	for (uint32_t i = 0; i < VALUES; i++) {
		x[i] = i % 2 ? 1e18f : -1e18f;
		weight[i] = bias[i] = 1;
	}
	snprintf(shape, sizeof shape, "a norm at the end of the range");
	for (uint32_t large = 0; large < 2; large++)
		for (uint32_t t = 0; t < n; t++) {
			x[VALUES - 1] = large ? 2e19f : 1e18f;
			list[t].norm(x, weight, VALUES, 1e-5f, y[0]);
			mote_layer_norm(x, weight, bias, VALUES, 1e-5f, y[1]);
			for (uint32_t i = 0; i < VALUES; i++)
				for (uint32_t j = 0; j < 2; j++)
					check(large ? isnan(y[j][i]) : isfinite(y[j][i]), list[t].name,
					      j ? "layer norm" : "norm");
		}
}

/* ---- attention ---- */

struct attention_case {
	enum mote_type k_type, v_type;
	uint32_t head_dim, group, positions;
	struct guarded cache;
	struct mote_kv kv;
	float *k, *v; /* [positions][head_dim], what was stored */
};

/* Softmax attention of one query row in double precision; q8 is compared as far as its rounding allows. */
static void check_attention(const struct attention_case *c, const float *query, uint32_t position,
			    const struct mote_attention *a, const float *got)
{
	uint32_t from = a->window && position >= a->window ? position + 1 - a->window : 0;
	double *p = malloc((position + 1) * sizeof *p), max = -INFINITY, sum = 0;
	double tolerance = c->k_type == MOTE_Q8 || c->v_type == MOTE_Q8 ? 0.1 :
			   c->k_type == MOTE_F16 || c->v_type == MOTE_F16 ? 5e-3 : 1e-4;

	for (uint32_t i = from; i <= position; i++) {
		p[i] = 0;
		for (uint32_t d = 0; d < c->head_dim; d++)
			p[i] += (double)query[d] * c->k[i * c->head_dim + d];
		p[i] *= a->scale;
		if (a->cap > 0)
			p[i] = (double)a->cap * tanh(p[i] / a->cap);
		max = p[i] > max ? p[i] : max;
	}
	for (uint32_t i = from; i <= position; i++)
		sum += p[i] = exp(p[i] - max);
	for (uint32_t d = 0; d < c->head_dim; d++) {
		double o = 0;
		for (uint32_t i = from; i <= position; i++)
			o += p[i] / sum * c->v[i * c->head_dim + d];
		check(fabs(o - (double)got[d]) <= tolerance, "scalar", "attention differs from double precision");
	}
	free(p);
}

/* All rows of `a` in blocks of at most block_rows batch rows, as a caller that shares them out would. */
static void run_attention(const struct mote_kernels *k, const struct mote_attention *a, uint32_t block_rows,
			  float *out)
{
	uint32_t dim = a->kv->head_dim;
	size_t floats = mote_attention_part_floats(dim) * block_rows * a->group;
	struct guarded state_memory = guarded_new(floats * 4, 64, true), part = guarded_new(floats * 4, 64, true);
	float *states = state_memory.data;

	for (uint32_t r = 0; r < a->rows; r += block_rows) {
		struct mote_attention block = *a;
		uint32_t n;

		block.rows = a->rows - r < block_rows ? a->rows - r : block_rows;
		block.row += r * a->group;
		block.position += r;
		n = block.rows * a->group;
		mote_attention_clear(states, n, dim);
		for (uint32_t s = mote_attention_first_segment(block.position, a->window);
		     s < mote_attention_segments(block.position + block.rows - 1); s++) {
			mote_attention_segment(k, &block, s, part.data);
			mote_attention_merge(k, states, part.data, n, dim);
		}
		for (uint32_t i = 0; i < n; i++)
			mote_attention_finish(states + i * mote_attention_part_floats(dim), dim,
					      out + ((size_t)r * a->group + i) * dim);
	}
	guarded_free(&state_memory);
	guarded_free(&part);
}

static void test_attention(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	static const enum mote_type kv_types[] = {MOTE_F32, MOTE_F16, MOTE_Q8};
	static const uint32_t dims[] = {8, 16, 48, 64, 80, 128, 7};
	struct attention_case c = {
		.k_type = kv_types[index % 3], .v_type = kv_types[index / 3 % 3],
		.head_dim = dims[random_u32() % 7], .group = random_between(1, 5),
		.positions = index % 4 == 0 ? random_between(500, 800) : random_between(1, 80)
	};
	uint32_t rows = random_between(1, c.positions < 40 ? c.positions : 40), first = c.positions - rows;
	struct guarded_activations q = activations_new(rows * c.group, c.head_dim, true);
	size_t bytes = mote_kv_bytes(c.k_type, c.v_type, c.head_dim, c.positions), total = rows * c.group * c.head_dim;
	float *out[2] = {malloc(total * 4), malloc(total * 4)};
	struct mote_attention a = { .kv = &c.kv, .q = &q.a, .rows = rows, .group = c.group, .position = first,
				    .scale = 0.3f, .window = index % 5 == 0 ? random_between(1, c.positions + 9) : 0,
				    .cap = index % 7 == 0 ? 2.0f : 0 };
	uint8_t *reference_cache = malloc(bytes);

	snprintf(shape, sizeof shape, "case %u: keys %s, values %s, %u positions of %u, %u rows of %u heads", index,
		 mote_type_name(c.k_type), mote_type_name(c.v_type), c.positions, c.head_dim, rows, c.group);
	c.k = malloc((size_t)c.positions * c.head_dim * 4);
	c.v = malloc((size_t)c.positions * c.head_dim * 4);
	fill_floats(c.k, (size_t)c.positions * c.head_dim, ORDINARY);
	fill_floats(c.v, (size_t)c.positions * c.head_dim, ORDINARY);
	if (index % 6 == 5)
		memset(c.k, 0, (size_t)c.head_dim * 4); /* a block of zeros in the cache */
	for (uint32_t r = 0; r < rows * c.group; r++)
		fill_floats(q.a.x + r * q.a.stride, c.head_dim, ORDINARY);
	mote_activations_quantize(&list[0], &q.a, 0, rows * c.group);
	c.cache = guarded_new(bytes, 64, true);
	mote_kv_init(&c.kv, c.k_type, c.v_type, c.head_dim, c.positions, c.cache.data);
	for (uint32_t t = 0; t < n; t++) {
		/* Whatever lies in positions that are not stored must not matter: all ones is a NaN. */
		memset(c.cache.data, 0xff, bytes);
		for (uint32_t i = 0; i < c.positions; i++)
			list[t].kv_store(&c.kv, i, c.k + (size_t)i * c.head_dim, c.v + (size_t)i * c.head_dim);
		if (t == 0)
			memcpy(reference_cache, c.cache.data, bytes);
		else
			check(memcmp(reference_cache, c.cache.data, bytes) == 0, list[t].name, "cache differs");
		run_attention(&list[t], &a, t == 0 ? 1 : random_between(1, rows), out[t > 0]);
		if (t == 0) {
			digest_add(out[0], total * 4);
			check_attention(&c, q.a.x, first, &a, out[0]);
			check_attention(&c, q.a.x + (rows * c.group - 1) * q.a.stride, c.positions - 1, &a,
					out[0] + (rows * c.group - 1) * c.head_dim);
		} else {
			check(memcmp(out[0], out[1], total * 4) == 0, list[t].name, "attention differs");
		}
	}
	run_attention(&list[0], &a, random_between(1, rows), out[1]);
	check(memcmp(out[0], out[1], total * 4) == 0, "scalar", "attention depends on its blocks");
	free(out[0]);
	free(out[1]);
	free(c.k);
	free(c.v);
	free(reference_cache);
	guarded_free(&c.cache);
	activations_free(&q);
}

/* The caps: the longest row, the largest magnitudes. Per block |isum| <= 32 * 255 * 127 + 128 * 32 * 127
 * = 1,556,480 < 2^24, so it is exact in int32 and in float; blocks are added in float,
 * so cols does not matter to it. */
static void test_worst_accumulators(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	enum mote_type type = all_types[3 + index / 4];
	uint32_t cols = MOTE_MAX_COLS;
	struct mote_matrix m;
	uint8_t codebook[16];
	uint64_t bytes;
	struct guarded data;
	struct guarded_activations a = activations_new(1, cols, true);
	uint8_t u = index & 1 ? 255 : 0;
	int8_t q = index & 2 ? 127 : -127;
	float out[16], want = 0;
	int32_t value;

	snprintf(shape, sizeof shape, "%s, u %d, q %d", mote_type_name(type), u, q);
	memset(codebook, u, sizeof codebook);
	mote_matrix_init(&m, type, 16, cols, NULL, codebook, &bytes, NULL);
	data = guarded_new(bytes, 64, true);
	m.data = data.data;
	memset(data.data, u, bytes);
	for (size_t i = 0; i < m.quants_offset; i += 2)
		memcpy((uint8_t *)data.data + i, mote_type_has_byte_scales(type) ? "\x70\x70" : "\x00\x3c",
		       2); /* 2^-8, 1 */
	if (mote_type_has_byte_scales(type))
		mote_matrix_put_unit(&m, data.data, 256);
	memset(a.a.q, q, a.a.stride);
	for (size_t b = 0; b < cols / 32; b++) {
		a.a.scale[b] = 0.5f;
		a.a.bias[b] = -128 * 32 * q;
	}
	value = mote_quant_value(type, codebook, u & (mote_type_levels(type) - 1));
	for (size_t b = 0; b < cols / 32; b++) /* in double every step but the rounding to float is exact */
		want = (float)((double)want + 0.5 * 32 * value * q);
	for (uint32_t t = 0; t < n; t++) {
		list[t].multiply[type](&m, 0, 1, &a.a, 0, 1, out, 16);
		for (int i = 0; i < 16; i++)
			check(out[i] == want, list[t].name, "worst case is not exact");
	}
	guarded_free(&data);
	activations_free(&a);
}

/* ---- */

static void run(const struct mote_kernels *list, uint32_t n, const char *name,
		void (*test)(const struct mote_kernels *list, uint32_t n, uint32_t index), uint32_t cases)
{
	for (uint32_t i = 0; i < cases; i++) {
		begin_case(name, i);
		test(list, n, i);
	}
}

int main(int argc, char **argv)
{
	struct mote_kernels list[MOTE_MAX_TABLES];
	uint32_t n = mote_kernels_list(list);
	bool print_digest = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--digest") == 0)
			print_digest = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else
			return 2;
	}
	run(list, n, "multiply", test_multiply, 960);
	run(list, n, "matmul", test_matmul, 90);
	run(list, n, "quantize", test_quantize, 600);
	run(list, n, "vectors", test_vectors, 600);
	test_norm_range(list, n);
	run(list, n, "attention", test_attention, 144);
	run(list, n, "worst accumulators", test_worst_accumulators, 4 * (N_TYPES - 3));
	if (print_digest)
		printf("%016llx\n", (unsigned long long)digest);
	else
		printf("%u tables agree\n", n);
	return 0;
}
