/* Products for training against the chain of fused multiply-adds that kernels.h defines, from every table of kernels,
 * in every orientation, with all ways of cutting: the same bits; and sigmoid likewise. Buffers end at guard pages. */
#include "runtime/kernels/exact.h"
#include "runtime/kernels/train.h"
#include "tests/kernel_inputs.h"

static float small(void)
{
	return (float)((int)random_between(0, 2000) - 1000) * 0x1p-9f;
}

struct product {
	struct guarded a, b, c;
	struct mote_gemm g;
	bool a_turned, b_turned;
};

static struct product product_new(uint32_t m, uint32_t n, uint32_t depth, bool at_end)
{
	struct product p = {.a_turned = random_u32() % 2, .b_turned = random_u32() % 2};
	uint32_t pad = random_between(0, 3);

	p.g = (struct mote_gemm){.a_row = p.a_turned ? 1 : depth, .a_col = p.a_turned ? m : 1,
				 .b_row = p.b_turned ? 1 : n, .b_col = p.b_turned ? depth : 1, .c_row = n + pad, .m = m,
				 .n = n, .depth = depth, .add = random_u32() % 2};
	p.a = guarded_new((size_t)m * depth * 4, 4, at_end);
	p.b = guarded_new((size_t)n * depth * 4, 4, at_end);
	p.c = guarded_new(((size_t)(m - 1) * (n + pad) + n) * 4, 4, at_end);
	for (size_t i = 0; i < (size_t)m * depth; i++)
		((float *)p.a.data)[i] = small();
	for (size_t i = 0; i < (size_t)n * depth; i++)
		((float *)p.b.data)[i] = small();
	p.g.a = p.a.data;
	p.g.b = p.b.data;
	p.g.c = p.c.data;
	return p;
}

static float expected(const struct mote_gemm *g, const float *before, uint32_t i, uint32_t j)
{
	float sum = g->add ? before[i * g->c_row + j] : 0;

	for (uint32_t d = 0; d < g->depth; d++)
		sum = mote_exact_fmaf(g->a[i * g->a_row + d * g->a_col], g->b[d * g->b_row + j * g->b_col], sum);
	return sum;
}

static void check_product(const struct mote_kernels *k, struct mote_pool *pool, struct product *p, const float *before,
			  const float *want, float *scratch)
{
	memcpy(p->c.data, before, p->c.bytes);
	if (pool)
		mote_gemm_share(k, pool, &p->g, scratch, MOTE_GEMM_SCRATCH_FLOATS);
	else
		mote_gemm_run(k, &p->g, scratch);
	check(memcmp(p->c.data, want, p->c.bytes) == 0, k->name, "another product");
}

static void test_product(const struct mote_kernels *list, uint32_t n, struct mote_pool *pool, uint32_t index,
			 float *scratch)
{
	bool large = index % 8 == 0;
	uint32_t rows = random_between(1, large ? 400 : 30), cols = random_between(1, large ? 40 : 150);
	uint32_t depth = index % 4 == 1 ? random_between(250, 530) : random_between(1, 40);
	struct product p;
	float *before, *want;

	snprintf(shape, sizeof shape, "case %u: %u x %u, %u deep", index, rows, cols, depth);
	p = product_new(rows, cols, depth, index % 2);
	before = malloc(p.c.bytes);
	want = malloc(p.c.bytes);
	for (size_t i = 0; i < p.c.bytes / 4; i++)
		before[i] = small();
	memcpy(want, before, p.c.bytes);
	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t j = 0; j < cols; j++)
			want[i * p.g.c_row + j] = expected(&p.g, before, i, j);
	for (uint32_t i = 0; i < n; i++) {
		check_product(&list[i], NULL, &p, before, want, scratch);
		check_product(&list[i], pool, &p, before, want, scratch);
	}
	guarded_free(&p.a);
	guarded_free(&p.b);
	guarded_free(&p.c);
	free(before);
	free(want);
}

static void test_sigmoid(const struct mote_kernels *list, uint32_t n, uint32_t index)
{
	uint32_t length = random_between(1, 70);
	struct guarded x = guarded_new(length * 4u, 4, index % 2), y = guarded_new(length * 4u, 4, index % 2);
	float *want = malloc(length * sizeof *want);

	snprintf(shape, sizeof shape, "case %u: %u values", index, length);
	for (uint32_t i = 0; i < length; i++)
		((float *)x.data)[i] = small() * (float)(1u << random_between(0, 8));
	list[0].sigmoid(x.data, length, want);
	for (uint32_t i = 0; i < n; i++) {
		list[i].sigmoid(x.data, length, y.data);
		check(memcmp(y.data, want, length * 4u) == 0, list[i].name, "another sigmoid");
	}
	guarded_free(&x);
	guarded_free(&y);
	free(want);
}

int main(int argc, char **argv)
{
	struct mote_kernels list[MOTE_MAX_TABLES];
	uint32_t n = mote_kernels_list(list);
	float *scratch = aligned_alloc(64, 3 * MOTE_GEMM_SCRATCH_FLOATS * sizeof *scratch);
	struct mote_pool *pool;

	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 10);
	check(scratch && mote_pool_open(3, &pool, NULL) == MOTE_OK, "", "no memory");
	for (uint32_t i = 0; i < 80; i++) {
		begin_case("product", i);
		test_product(list, n, pool, i, scratch);
		test_sigmoid(list, n, i);
	}
	mote_pool_close(pool);
	free(scratch);
	printf("%u tables agree\n", n);
	return 0;
}
