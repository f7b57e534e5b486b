/* Encoders of blocks: against hand-made values, against plain rounding, at the edges of float. Matrices:
 * test_encode_matrix.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/half.h"
#include "tests/encode_inputs.h"

static double decode(enum mote_type type, const uint8_t *codebook, uint8_t quant, uint16_t scale)
{
	return (double)mote_f32_from_f16(scale) * mote_quant_value(type, codebook, quant);
}

static double block_error(enum mote_type type, const uint8_t *codebook, const float *x, const double *weight,
			  const uint8_t *quants, uint16_t scale)
{
	double error = 0;

	for (int j = 0; j < 32; j++) {
		double r = x[j] - decode(type, codebook, quants[j], scale);
		error += (weight ? weight[j] : 1) * r * r;
	}
	return error;
}

static void round_block(enum mote_type type, const float *x, uint8_t *quants, uint16_t *scale)
{
	struct mote_grid g;

	mote_grid_init(&g, type, mote_type_linear_codebook(type));
	mote_encode_round(&g, x, quants, scale);
}

static void test_round_known(void **state)
{
	float x[32];
	uint8_t quants[32];
	uint16_t scale;

	(void)state;
	for (int j = 0; j < 32; j++)
		x[j] = (float)j - 16; /* the largest magnitude, -16, takes quant 0: the scale is 2 */
	round_block(MOTE_Q4, x, quants, &scale);
	assert_int_equal(scale, 0x4000);
	assert_int_equal(quants[0], 0);
	assert_int_equal(quants[1], 1);   /* -7.5 + 8.5 */
	assert_int_equal(quants[16], 8);  /* 0 */
	assert_int_equal(quants[17], 9);  /* 0.5 + 8.5 */
	assert_int_equal(quants[31], 15); /* 7.5 + 8.5 = 16, held at 15 */

	for (int t = 0; t < TYPES - 1; t++) { /* ggml's Q5_0 and their like: the largest, -16, takes quant 0 */
		int levels = (int)mote_type_levels(types[t]);

		round_block(types[t], x, quants, &scale);
		assert_int_equal(scale, mote_f16_from_f32(32.0f / (float)levels));
		assert_int_equal(quants[0], 0);
		assert_int_equal(quants[16], levels / 2);
		assert_int_equal(quants[24], levels / 2 + levels / 4);
		assert_int_equal(quants[31], levels == 64 ? 62 : levels - 1);
	}

	x[0] = 127;
	for (int j = 1; j < 32; j++)
		x[j] = (j % 2 ? 0.5f : 0.49999997f) * (j % 4 < 2 ? 1.0f : -1.0f);
	round_block(MOTE_Q8, x, quants, &scale);
	assert_int_equal(scale, 0x3c00);
	assert_int_equal(quants[0], 255);
	assert_int_equal(quants[1], 129); /* 0.5 goes away from zero */
	assert_int_equal(quants[3], 127); /* so does -0.5 */
	assert_int_equal(quants[2], 128); /* -0.49999997 does not */
	assert_int_equal(quants[4], 128);
}

static void test_nearest(void **state)
{
	uint8_t uneven[16] = {1, 1, 28, 30, 31, 90, 127, 129, 130, 130, 131, 180, 200, 201, 254, 255};
	const struct {
		enum mote_type type;
		const uint8_t *codebook;
	} grids[] = {
		{MOTE_Q4, mote_codebook_linear}, {MOTE_Q4, mote_type_normal_codebook(MOTE_Q4)}, {MOTE_Q4, uneven},
		{MOTE_Q3, mote_codebook_linear3}, {MOTE_Q3, mote_type_normal_codebook(MOTE_Q3)}, {MOTE_Q3, uneven},
		{MOTE_Q5, NULL}, {MOTE_Q6, NULL}, {MOTE_Q8, NULL}
	};

	(void)state;
	for (size_t c = 0; c < sizeof grids / sizeof *grids; c++) {
		struct mote_grid g;

		mote_grid_init(&g, grids[c].type, grids[c].codebook);
		for (int i = 0; i < 40000; i++) {
			double x = i < 1200 ? (i - 600) * 0.25 : (random_unit() - 0.5) * 300, least = INFINITY;

			for (uint32_t k = 0; k < g.levels; k++)
				least = fmin(least, fabs(g.value[k] - x));
			assert_true(fabs(g.value[mote_grid_nearest(&g, x)] - x) == least);
		}
		assert_true(g.value[mote_grid_nearest(&g, INFINITY)] == g.high);
		assert_true(g.value[mote_grid_nearest(&g, -INFINITY)] == g.low);
		/* no place outside the table */
		assert_int_equal(mote_grid_nearest(&g, NAN), mote_grid_nearest(&g, -INFINITY));
	}
}

/* The blocks that break encoders, then ordinary ones. */
static void make_block(int kind, float *x)
{
	for (int j = 0; j < 32; j++)
		switch (kind) {
		case 0: x[j] = 0; break;
		case 1: x[j] = 0.37f; break;
		case 2: x[j] = -0.37f; break;
		case 3: x[j] = j == 17 ? 1e6f : 1e-3f * random_normal(); break;
		case 4: x[j] = 1e30f * random_normal(); break;                 /* scales overflow f16 */
		case 5: x[j] = 3e38f * (j % 2 ? 1.0f : -1.0f); break;
		case 6: x[j] = 1e-41f * (float)(j - 16); break;                /* subnormal */
		case 7: x[j] = 1e-7f * random_normal(); break;                 /* scales that f16 holds badly or not */
		case 8: x[j] = j == 0 ? -0.0f : 0.0f; break;
		case 9: x[j] = j < 31 ? 0 : 5; break;
		case 10: x[j] = 65504.0f * random_normal(); break;
		default: x[j] = random_normal() * (kind % 3 == 0 ? random_normal() : 0.05f); break;
		}
}

/* What encode.h promises for any finite block: nothing but numbers, an error that is bounded, and a search that is
 * never worse than plain rounding. */
static void test_edges_and_bounds(void **state)
{
	(void)state;
	for (int kind = 0; kind < 3000; kind++)
		for (int t = 0; t < TYPES; t++) {
			enum mote_type type = types[t];
			const uint8_t *linear = mote_type_linear_codebook(type);
			uint8_t plain[32], best[32];
			uint16_t plain_scale, best_scale;
			double wide[32], weight[32], largest = 0, plain_error, found;
			struct mote_grid g;
			float x[32];

			make_block(kind, x);
			mote_grid_init(&g, type, linear);
			for (int j = 0; j < 32; j++) {
				wide[j] = x[j];
				weight[j] = random_unit() * random_unit();
				largest = fmax(largest, fabs(wide[j]));
			}
			mote_encode_round(&g, x, plain, &plain_scale);
			assert_true((plain_scale & 0x7fff) < 0x7c00);
			for (int j = 0; j < 32; j++) {
				/* Half a step, twice that at the short side of all but q8; the scale's own rounding
				 * (2^-11, or 2^-25 where f16 is subnormal) times the quant; and what saturates. */
				double end = type == MOTE_Q8 ? 127 : mote_type_levels(type) / 2, step = largest / end;
				double bound = step * (type == MOTE_Q8 ? 0.5 : 1) + largest * 0x1p-11 + 0x1p-25 * end +
					       1e-12 * largest;

				if (step < 65504)
					assert_true(fabs(wide[j] - decode(type, linear, plain[j], plain_scale)) <=
						    bound);
			}
			plain_error = block_error(type, linear, x, NULL, plain, plain_scale);
			found = mote_encode_search(&g, wide, NULL, best, &best_scale);
			assert_true((best_scale & 0x7fff) < 0x7c00);
			assert_true(found <= plain_error);
			assert_true(fabs(found - block_error(type, linear, x, NULL, best, best_scale)) <=
				    1e-9 * found);

			plain_error = block_error(type, linear, x, weight, plain, plain_scale);
			found = mote_encode_search(&g, wide, weight, best, &best_scale);
			assert_true(found <= plain_error * (1 + 1e-12));

			mote_grid_init(&g, type, mote_type_normal_codebook(type));
			found = mote_encode_search(&g, wide, weight, best, &best_scale);
			assert_true(isfinite(found) && (best_scale & 0x7fff) < 0x7c00);
		}
}

/* The search against every scale that f16 has near the right size. */
static void test_search_is_near_the_best(void **state)
{
	double total[TYPES] = {0}, total_best[TYPES] = {0};

	(void)state;
	for (int i = 0; i < 100; i++) {
		enum mote_type type = types[i % TYPES];
		struct mote_grid g;
		double wide[32], best = INFINITY;
		uint8_t quants[32];
		uint16_t scale;

		mote_grid_init(&g, type, i % 2 ? mote_type_normal_codebook(type) : mote_type_linear_codebook(type));
		for (int j = 0; j < 32; j++)
			wide[j] = random_normal();
		total[i % TYPES] += mote_encode_search(&g, wide, NULL, quants, &scale);
		for (uint32_t half = 1; half < 0x4400; half++)
			for (int sign = 0; sign < 2; sign++) {
				double s = mote_f32_from_f16((uint16_t)(half | (sign ? 0x8000u : 0))), error = 0;

				for (int j = 0; j < 32; j++) {
					double r = wide[j] - s * g.value[mote_grid_nearest(&g, wide[j] / s)];
					error += r * r;
				}
				best = fmin(best, error);
			}
		total_best[i % TYPES] += best;
	}
	for (int t = 0; t < TYPES; t++)
		assert_true(total[t] <= (types[t] == MOTE_Q8 ? 1.15 : 1.01) * total_best[t]);
}

/* ---- byte scales ---- */

static double byte_block_error(const struct mote_grid *g, const double *x, const uint8_t *quants, double scale)
{
	double error = 0;

	for (int j = 0; j < 32; j++)
		error += (x[j] - scale * g->value[quants[j]]) * (x[j] - scale * g->value[quants[j]]);
	return error;
}

/* Each byte is the nearest to its own worth, and to what is within half a step of it;
 * what is beyond the last is the last. */
static void test_scale_bytes(void **state)
{
	struct mote_grid g;

	(void)state;
	mote_grid_init(&g, MOTE_Q6B, NULL);
	mote_grid_fit(&g, 20);
	for (uint16_t byte = 0; byte < 127; byte++) {
		double low = mote_grid_scale_value(&g, byte), high = mote_grid_scale_value(&g, (uint16_t)(byte + 1));

		assert_true(low < high && mote_grid_scale_value(&g, byte | 0x80) == -low);
		assert_int_equal(mote_grid_scale(&g, low), byte);
		assert_int_equal(mote_grid_scale(&g, low + (high - low) * 0.48), byte);
		assert_int_equal(mote_grid_scale(&g, low + (high - low) * 0.52), byte + 1);
		assert_int_equal(mote_grid_scale(&g, -high), byte + 1 + 128);
	}
	assert_int_equal(mote_grid_scale(&g, -0.0), 0);
	assert_int_equal(mote_grid_scale(&g, 1e30), 127);
	assert_int_equal(mote_grid_scale(&g, -1e30), 255);
	assert_true(mote_grid_scale_value(&g, 127) > 20 / 32.0 && mote_grid_scale_value(&g, 127) < 4 * 20 / 32.0);
}

/* For any finite block: numbers, plain rounding within its bound, a search that is not worse than it, nor much worse
 * than the best of all bytes. */
static void test_byte_blocks(void **state)
{
	double total[TYPES] = {0}, total_best[TYPES] = {0};

	(void)state;
	for (int kind = 0; kind < 300; kind++)
		for (int t = 0; t < TYPES; t++) {
			enum mote_type type = (enum mote_type)(types[t] + 8);
			double wide[32], largest = 0, found, best = INFINITY;
			double end = types[t] == MOTE_Q8 ? 127 : mote_type_levels(type) / 2;
			uint8_t quants[32];
			uint16_t scale;
			struct mote_grid g;
			float x[32];

			make_block(kind, x);
			for (int j = 0; j < 32; j++)
				largest = fmax(largest, fabs(wide[j] = x[j]));
			if (largest > 65504 * end || (largest > 0 && largest < 1e-5))
				continue; /* a matrix of such weights is refused, or nearly zero */
			mote_grid_init(&g, type, mote_type_linear_codebook(type));
			mote_grid_fit(&g, (float)largest);
			mote_encode_round(&g, x, quants, &scale);
			for (int j = 0; j < 32; j++)
				assert_true(fabs(wide[j] - mote_grid_scale_value(&g, scale) * g.value[quants[j]]) <=
					    largest / end * 17 / 16 * (types[t] == MOTE_Q8 ? 0.51 : 1));
			best = byte_block_error(&g, wide, quants, mote_grid_scale_value(&g, scale));
			found = mote_encode_search(&g, wide, NULL, quants, &scale);
			assert_true(found <= best);
			assert_true(fabs(found - byte_block_error(&g, wide, quants,
								  mote_grid_scale_value(&g, scale))) <= 1e-9 * found);
			for (uint16_t byte = 1; byte < 256 && kind > 10; byte++) {
				double s = mote_grid_scale_value(&g, byte);

				for (int j = 0; j < 32 && s != 0; j++)
					quants[j] = mote_grid_nearest(&g, wide[j] / s);
				best = s != 0 ? fmin(best, byte_block_error(&g, wide, quants, s)) : best;
			}
			total[t] += kind > 10 ? found : 0;
			total_best[t] += kind > 10 ? best : 0;
		}
	for (int t = 0; t < TYPES; t++)
		assert_true(total[t] <= (types[t] == MOTE_Q8 ? 1.1 : 1.02) * total_best[t]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_known),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_edges_and_bounds),
		cmocka_unit_test(test_search_is_near_the_best),
		cmocka_unit_test(test_scale_bytes),
		cmocka_unit_test(test_byte_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
