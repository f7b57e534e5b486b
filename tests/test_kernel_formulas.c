/* What kernels.h says of the end of a product and of keys of int8, in double precision, from every table: scale and cap
 * alone, together and not at all, and keys so small that their scale is a subnormal f16. */
#include <math.h>

#include "tests/kernel_inputs.h"

enum { ROWS = 37, COLS = 40, A_ROWS = 5, DIM = 64, POSITIONS = 20 };

/* ---- bias, scale and cap ---- */

struct product {
	struct mote_matrix w;
	struct guarded data, bias;
	struct guarded_activations a;
	float plain[A_ROWS][ROWS];
};

static void multiply(const struct mote_kernels *k, const struct product *p, bool bias, float scale, float cap,
		     float y[A_ROWS][ROWS])
{
	const struct mote_matmul job = {.w = &p->w, .x = &p->a.a, .epilogue = MOTE_STORE, .y = y[0], .y_stride = ROWS,
					.bias = bias ? p->bias.data : NULL, .scale = scale, .cap = cap};

	mote_matmul_run(k, &job, 0, p->w.panels, 0, A_ROWS);
}

static void check_end(const struct mote_kernels *k, const struct product *p, bool bias, float scale, float cap)
{
	float y[A_ROWS][ROWS];

	snprintf(shape, sizeof shape, "bias %d, scale %g, cap %g", bias, (double)scale, (double)cap);
	multiply(k, p, bias, scale, cap, y);
	for (uint32_t r = 0; r < A_ROWS; r++)
		for (uint32_t i = 0; i < ROWS; i++) {
			double want = p->plain[r][i];

			want += bias ? (double)((const float *)p->bias.data)[i] : 0;
			want *= scale > 0 ? (double)scale : 1;
			want = cap > 0 ? cap * tanh(want / cap) : want;
			check(fabs(want - y[r][i]) <= 1e-5 * (1 + fabs(want)), k->name, "another end of a product");
		}
}

static void test_ends(const struct mote_kernels *list, uint32_t n)
{
	static const float scale[] = {0, 0.3f}, cap[] = {0, 2};
	struct product p = {.bias = guarded_new(ROWS * 4, 4, true), .a = activations_new(A_ROWS, COLS, true)};
	uint64_t bytes;

	mote_matrix_init(&p.w, MOTE_F32, ROWS, COLS, NULL, NULL, &bytes, NULL);
	p.data = guarded_new(bytes, 64, true);
	p.w.data = p.data.data;
	fill_matrix(&p.w, p.data.data, ORDINARY);
	fill_floats(p.bias.data, ROWS, ORDINARY);
	activations_fill(&list[0], &p.a.a, ORDINARY);
	for (uint32_t t = 0; t < n; t++) {
		multiply(&list[t], &p, false, 0, 0, p.plain);
		for (int i = 0; i < 8; i++)
			check_end(&list[t], &p, i & 1, scale[i >> 1 & 1], cap[i >> 2]);
	}
	guarded_free(&p.data);
	guarded_free(&p.bias);
	activations_free(&p.a);
}

/* ---- keys ---- */

/* A block's largest magnitude in steps of its scale, and that scale: subnormal in f16, where rounding it leaves a
 * quotient of up to 1.5 * 127, or ordinary. */
static const struct {
	float steps, scale;
} blocks[] = {{127 * 1.4f, 0x1p-24f}, {127 * 0.6f, 0x1p-24f}, {127 * 1.2f, 0x1p-23f}, {127, 0x1p-20f}, {127, 0x1p-3f}};

static double nearest(double x)
{
	return x < -127 ? -127 : x > 127 ? 127 : nearbyint(x);
}

static void check_key(const struct mote_kernels *k, const struct mote_kv *kv, uint32_t position, const float *key)
{
	float got[DIM];

	mote_matrix_decode_row(&kv->k, position, got);
	for (uint32_t i = 0; i < DIM; i++) {
		uint16_t half;
		float largest = 0;
		double scale;

		for (uint32_t j = i / 32 * 32; j < i / 32 * 32 + 32; j++)
			largest = fmaxf(largest, fabsf(key[j]));
		half = mote_f16_from_f32(largest / 127.0f);
		scale = (double)mote_f32_from_f16(half);
		check(fabs(nearest(key[i] / scale) * scale - (double)got[i]) <= 1e-6 * scale, k->name,
		      "a key is not the nearest that there is");
	}
}

static void test_keys(const struct mote_kernels *list, uint32_t n)
{
	size_t bytes = mote_kv_bytes(MOTE_Q8, MOTE_Q8, DIM, POSITIONS);
	struct guarded cache = guarded_new(bytes, 64, true);
	struct mote_kv kv;

	mote_kv_init(&kv, MOTE_Q8, MOTE_Q8, DIM, POSITIONS, cache.data);
	for (uint32_t t = 0; t < n; t++)
		for (uint32_t position = 0; position < POSITIONS; position++) {
			float key[DIM], sign = position % 2 ? -1 : 1;

			snprintf(shape, sizeof shape, "the key of position %u", position);
			for (uint32_t i = 0; i < DIM; i++) { /* the largest of either sign */
				uint32_t b = (position / 2 + i / 32) % (sizeof blocks / sizeof *blocks);

				key[i] = sign * blocks[b].scale * (i % 32 == 7 ? blocks[b].steps :
					 (float)((int)random_between(0, 120) - 60) * blocks[b].steps / 127);
			}
			list[t].kv_store(&kv, position, key, key);
			check_key(&list[t], &kv, position, key);
		}
	guarded_free(&cache);
}

int main(void)
{
	struct mote_kernels list[MOTE_MAX_TABLES];
	uint32_t n = mote_kernels_list(list);

	begin_case("end of a product", 0);
	test_ends(list, n);
	begin_case("key", 0);
	test_keys(list, n);
	printf("%u tables do as their header says\n", n);
	return 0;
}
