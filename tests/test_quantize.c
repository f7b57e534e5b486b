/* What surrounds the encoders: recipes, overlapping texts, the choice of a mixture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "quant/calibrate/allocate.h"
#include "quant/measure/shared_passage.h"
#include "quant/encode/recipe.h"

static uint64_t random_state = 3;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

static void test_rules(void **state)
{
	const struct mote_rule rules[] = { {"*_proj.weight", MOTE_Q8}, {"model.layers.1?.*", MOTE_F16},
					   {"*.down_proj.weight", MOTE_Q4} };
	struct mote_recipe recipe = {.type = MOTE_Q4};
	struct mote_tensor embedding = {.name = "model.embed_tokens.weight", .rank = 2};
	struct mote_tensor head = {.name = "lm_head.weight", .rank = 2};
	struct mote_tensor up = {.name = "model.layers.11.mlp.up_proj.weight", .rank = 2};
	struct mote_tensor down = {.name = "model.layers.11.mlp.down_proj.weight", .rank = 2};
	struct mote_tensor early = {.name = "model.layers.1.mlp.up_proj.weight", .rank = 2};
	struct mote_tensor norm = {.name = "model.layers.11.input_layernorm.weight", .rank = 1};
	struct mote_rule all = {"*", MOTE_Q4};

	(void)state;
	assert_int_equal(mote_recipe_type(&recipe, &embedding), MOTE_Q8);
	assert_int_equal(mote_recipe_type(&recipe, &head), MOTE_Q8);
	assert_int_equal(mote_recipe_type(&recipe, &up), MOTE_Q4);
	assert_int_equal(mote_recipe_type(&recipe, &norm), MOTE_F32);
	recipe.rules = rules;
	recipe.n_rules = 3;
	assert_int_equal(mote_recipe_type(&recipe, &early), MOTE_Q8);
	assert_int_equal(mote_recipe_type(&recipe, &up), MOTE_F16);
	assert_int_equal(mote_recipe_type(&recipe, &down), MOTE_Q4);
	assert_int_equal(mote_recipe_type(&recipe, &norm), MOTE_F32);
	recipe.rules = &all;
	recipe.n_rules = 1;
	assert_int_equal(mote_recipe_type(&recipe, &embedding), MOTE_Q4);
	recipe = (struct mote_recipe){.type = MOTE_F16};
	assert_int_equal(mote_recipe_type(&recipe, &embedding), MOTE_F16);
}

static void test_rule_syntax(void **state)
{
	const char *bad[] = {"", "q8", "=q8", "*=", "*=q5_k", "*=Q8"};
	enum mote_type type;
	char *pattern;

	(void)state;
	assert_int_equal(mote_rule_parse("a=b*=q8", &pattern, &type, NULL), MOTE_OK);
	assert_string_equal(pattern, "a=b*");
	assert_int_equal(type, MOTE_Q8);
	free(pattern);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(mote_rule_parse(bad[i], &pattern, &type, NULL), MOTE_ERROR_ARGUMENT);
		assert_null(pattern);
	}
}

/* ---- overlap ---- */

static void fill(char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		text[i] = (char)('a' + random_below(26));
}

static size_t overlap(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t place;

	assert_int_equal(mote_shared_passage_find(a, a_bytes, b, b_bytes, &place, NULL), MOTE_OK);
	return place;
}

static void test_overlap(void **state)
{
	static char a[20000], b[15000];

	(void)state;
	fill(a, sizeof a);
	fill(b, sizeof b);
	assert_true(overlap(a, sizeof a, b, sizeof b) == SIZE_MAX);
	assert_true(overlap(a, sizeof a, a, sizeof a) == 0);
	assert_true(overlap(a, 0, b, sizeof b) == SIZE_MAX);
	for (int i = 0; i < 200; i++) { /* a passage that counts is found wherever it lies in both */
		size_t from = random_below(sizeof b - MOTE_SHARED_PASSAGE_BYTES);
		size_t to = random_below(sizeof a - MOTE_SHARED_PASSAGE_BYTES);
		char kept[MOTE_SHARED_PASSAGE_BYTES];
		size_t place;

		memcpy(kept, a + to, sizeof kept);
		memcpy(a + to, b + from, sizeof kept);
		place = overlap(a, sizeof a, b, sizeof b);
		assert_true(place != SIZE_MAX && place + 1 > to && place < to + sizeof kept);
		assert_true(overlap(b, sizeof b, a, sizeof a) != SIZE_MAX);
		memcpy(a + to, kept, sizeof kept);
		memcpy(a + to, b + from, MOTE_SHARED_PASSAGE_BYTES / 2 - 1); /* and one of half its length is not */
		assert_true(overlap(a, sizeof a, b, sizeof b) == SIZE_MAX);
		memcpy(a + to, kept, sizeof kept);
	}
	memcpy(a + 5000, "a short text, wholly inside", 27);
	assert_true(overlap("a short text, wholly inside", 27, a, sizeof a) == 0);
	assert_true(overlap(a, sizeof a, "a short text, wholly inside", 27) == 5000);
	assert_true(overlap("a short text, not so", 20, a, sizeof a) == SIZE_MAX);
}

/* The same long prompt before each of many different texts is a form. */
static void test_forms(void **state)
{
	static char a[30000], b[30000], form[900];

	(void)state;
	fill(a, sizeof a);
	fill(b, sizeof b);
	fill(form, sizeof form);
	for (size_t i = 0; i + 3000 <= sizeof a; i += 3000) {
		memcpy(a + i, form, sizeof form);
		memcpy(b + i, form, sizeof form);
	}
	assert_true(overlap(a, sizeof a, b, sizeof b) == SIZE_MAX);
	memcpy(a + 1000, b + 22000, 600);
	assert_true(overlap(a, sizeof a, b, sizeof b) != SIZE_MAX);
	memset(a, 'x', sizeof a); /* equal texts are equal, whatever they consist of */
	assert_true(overlap(a, sizeof a, a, sizeof a) != SIZE_MAX);
}

/* ---- mixtures ---- */

enum { TENSORS = 5, TYPES = 4 };

static void make_table(struct mote_allocation *a, struct mote_sensitivity *tensor)
{
	*a = (struct mote_allocation){.tensor = tensor, .tensors = TENSORS, .other_bytes = 100};
	memset(tensor, 0, TENSORS * sizeof *tensor);
	for (int i = 0; i < TENSORS; i++) {
		uint64_t bytes = 0;
		double kld = 8;

		tensor[i].name = i == 0 ? "model.embed_tokens.weight" : "other";
		tensor[i].choices = 1 + random_below(TYPES);
		for (uint32_t k = 0; k < tensor[i].choices; k++) {
			bytes += 1 + random_below(50);
			kld /= 1 + random_below(100) * 0.1;
			tensor[i].choice[k] = (struct mote_choice){MOTE_Q4, bytes, kld};
		}
	}
}

/* Least divergence within bytes, by trying everything. */
static double best_of_all(const struct mote_allocation *a, uint64_t bytes)
{
	struct mote_sensitivity tensor[TENSORS];
	struct mote_allocation all = *a;
	double best = -1;
	int i;

	memcpy(tensor, a->tensor, sizeof tensor);
	all.tensor = tensor;
	for (i = 0; i < TENSORS; i++)
		tensor[i].chosen = 0;
	do {
		if (mote_allocation_bytes(&all) <= bytes && (best < 0 || mote_allocation_kld(&all) < best))
			best = mote_allocation_kld(&all);
		for (i = 0; i < TENSORS && ++tensor[i].chosen == tensor[i].choices; i++)
			tensor[i].chosen = 0;
	} while (i < TENSORS);
	return best;
}

/* Never over the budget, close to the optimum on the whole, and no worse for a larger budget that the climb reaches. */
static void test_mixtures(void **state)
{
	struct mote_sensitivity tensor[TENSORS];
	struct mote_allocation a;
	double found = 0, best = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint64_t least, budget;
		struct mote_error error = {0};

		make_table(&a, tensor);
		least = mote_allocation_bytes(&a);
		budget = least + random_below(200);
		assert_int_equal(mote_allocation_within_bytes(&a, budget, budget, NULL), MOTE_OK);
		assert_true(mote_allocation_bytes(&a) <= budget);
		found += mote_allocation_kld(&a);
		best += best_of_all(&a, budget);
		assert_int_equal(mote_allocation_within_bytes(&a, UINT64_MAX, UINT64_MAX, NULL), MOTE_OK);
		assert_true(mote_allocation_kld(&a) <= best_of_all(&a, UINT64_MAX) / (1 - MOTE_ALLOCATE_DOUBT));
		assert_int_equal(mote_allocation_within_bytes(&a, least - 1, least - 1, &error), MOTE_ERROR_ARGUMENT);
	}
	assert_true(found <= 1.1 * best);
}

/* One type for all is taken when a mixture is predicted to be hardly better, and else not;
 * a rule's tensor has no part. */
static void test_prefers_uniform(void **state)
{
	struct mote_sensitivity tensor[3] = {0};
	struct mote_allocation a = {.tensor = tensor, .tensors = 3};

	(void)state;
	for (int gain = 0; gain < 2; gain++) {
		/* 30 bytes: b at its second and a at its third are better than both at their second,
		 * by little or by far. */
		double last = gain ? 0.1 : 0.96;

		tensor[0] = (struct mote_sensitivity){ .name = "a", .choices = 3, .choice = {
			{MOTE_Q3, 5, 3}, {MOTE_Q4, 10, 1}, {MOTE_Q5, 15, last} } };
		tensor[1] = (struct mote_sensitivity){ .name = "b", .choices = 3, .choice = {
			{MOTE_Q3, 5, 0.101}, {MOTE_Q4, 10, 0.1}, {MOTE_Q5, 15, 0.099} } };
		tensor[2] = (struct mote_sensitivity){.name = "c", .choices = 1, .choice = {{MOTE_Q8, 10, 0}}};
		assert_int_equal(mote_allocation_within_bytes(&a, 30, 30, NULL), MOTE_OK);
		assert_int_equal(tensor[0].chosen, gain ? 2 : 1);
		assert_int_equal(tensor[1].chosen, gain ? 0 : 1);
		assert_int_equal(tensor[2].chosen, 0);
		assert_int_equal(a.uniform, !gain);
	}
	/* It may have more room than a mixture with its table; and fit where no mixture does. */
	assert_int_equal(mote_allocation_within_bytes(&a, 25, 30, NULL), MOTE_OK);
	assert_true(a.uniform && tensor[0].chosen == 1 && tensor[1].chosen == 1);
	assert_int_equal(mote_allocation_within_bytes(&a, 0, 20, NULL), MOTE_OK);
	assert_true(a.uniform && tensor[0].chosen == 0 && tensor[1].chosen == 0);
	/* The embedding apart, as --type has it. */
	tensor[1].name = "model.embed_tokens.weight";
	assert_int_equal(mote_allocation_within_bytes(&a, 0, 30, NULL), MOTE_OK);
	assert_true(a.uniform && tensor[0].chosen == 1 && tensor[1].chosen == 1);
	assert_int_equal(mote_allocation_within_bytes(&a, 0, 39, NULL), MOTE_OK);
	assert_true(a.uniform && tensor[0].chosen == 1 && tensor[1].chosen == 2);
}

static void test_mixture_for_divergence(void **state)
{
	struct mote_sensitivity tensor[TENSORS];
	struct mote_allocation a;

	(void)state;
	for (int round = 0; round < 200; round++) {
		double least, most, target;

		make_table(&a, tensor);
		most = mote_allocation_kld(&a);
		mote_allocation_within_kld(&a, 0);
		least = mote_allocation_kld(&a);
		target = least + (most - least) * random_below(1000) * 1e-3;
		mote_allocation_within_kld(&a, target);
		assert_true(mote_allocation_kld(&a) <= target * (1 + 1e-12));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_rule_syntax),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_mixtures),
		cmocka_unit_test(test_prefers_uniform),
		cmocka_unit_test(test_mixture_for_divergence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
