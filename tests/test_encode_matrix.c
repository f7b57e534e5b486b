/* Encoders of whole matrices: each at least as good as the one before, the same bytes on any number of threads, and
 * what no type can hold is refused by name. */
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

struct fixture {
	struct mote_matrix source;
	float *data;
	uint32_t rows, cols;
};

static void make_matrix(struct fixture *f, uint32_t rows, uint32_t cols)
{
	uint64_t bytes;
	float *row_major = malloc((size_t)16 * cols * sizeof *row_major);

	*f = (struct fixture){.rows = rows, .cols = cols};
	assert_int_equal(mote_matrix_init(&f->source, MOTE_F32, rows, cols, NULL, NULL, &bytes, NULL), MOTE_OK);
	f->data = aligned_alloc(64, (size_t)bytes);
	f->source.data = (const uint8_t *)f->data;
	for (uint32_t p = 0; p < f->source.panels; p++) {
		uint32_t n = rows - p * 16 < 16 ? rows - p * 16 : 16;

		for (uint32_t i = 0; i < 16 * cols; i++)
			row_major[i] = random_normal() * 0.05f;
		mote_panel_pack_floats(&f->source, row_major, n, f->data + p * f->source.panel_bytes / 4);
	}
	free(row_major);
}

static void encode_matrix(const struct fixture *f, enum mote_type type, enum mote_encoder encoder, uint32_t threads,
			  void **out, uint64_t *bytes, uint8_t codebook[16])
{
	struct mote_encode_job job = {.name = "w", .source = &f->source, .type = type, .encoder = encoder};
	struct mote_pool *pool;

	assert_int_equal(mote_pool_open(threads, &pool, NULL), MOTE_OK);
	*bytes = mote_encoded_bytes(&job);
	*out = aligned_alloc(64, (size_t)*bytes);
	memset(*out, 0xaa, (size_t)*bytes);
	assert_int_equal(mote_encode_matrix(pool, &job, *out, codebook, NULL, 0, 0, NULL), MOTE_OK);
	mote_pool_close(pool);
}

static double matrix_error(const struct fixture *f, enum mote_type type, const void *data, const uint8_t *codebook)
{
	struct mote_matrix m;
	uint64_t bytes;
	float *a = malloc(f->cols * sizeof *a), *b = malloc(f->cols * sizeof *b);
	double error = 0;

	mote_matrix_init(&m, type, f->rows, f->cols, data, codebook, &bytes, NULL);
	for (uint32_t r = 0; r < f->rows; r++) {
		mote_matrix_decode_row(&f->source, r, a);
		mote_matrix_decode_row(&m, r, b);
		for (uint32_t j = 0; j < f->cols; j++)
			error += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
	}
	free(a);
	free(b);
	return error;
}

/* Rows and columns that fill neither panels nor blocks; each encoder at least as good as the one before, and the
 * same bytes from 1, 2 and 5 threads. */
static void test_matrices(void **state)
{
	struct fixture f;
	double errors[TYPES][4];

	(void)state;
	make_matrix(&f, 75, 172);
	for (int i = 0; i < 4 * TYPES; i++) {
		enum mote_encoder encoder = (enum mote_encoder)(i % 4);
		enum mote_type type = types[i / 4];
		void *one, *other;
		uint8_t codebook[16] = {0}, again[16] = {0};
		uint64_t bytes;

		encode_matrix(&f, type, encoder, 1, &one, &bytes, codebook);
		errors[i / 4][encoder] = matrix_error(&f, type, one, codebook);
		for (uint32_t threads = 2; threads <= 5; threads += 3) {
			encode_matrix(&f, type, encoder, threads, &other, &bytes, again);
			assert_memory_equal(one, other, bytes);
			assert_memory_equal(codebook, again, 16);
			free(other);
		}
		free(one);
	}
	for (int t = 0; t < TYPES; t++) {
		bool codebook = mote_type_has_codebook(types[t]);

		assert_true(errors[t][1] < (types[t] == MOTE_Q8 ? 1 : 0.95) * errors[t][0]);
		assert_true(errors[t][2] <= (codebook ? 0.97 : 1) * errors[t][1]);
		/* normal weights: nothing more to learn */
		assert_true(errors[t][3] <= (codebook ? 1.01 : 1) * errors[t][2]);
		/* A bit more is a quarter of the error; but uneven codebooks, of 3 and 4 bits, are better than that. */
		for (int encoder = 0; t > 0 && encoder < 4; encoder++)
			assert_true(errors[t][encoder] < errors[t - 1][encoder] / (types[t] == MOTE_Q8 ? 11 : 3.2));
	}
	free(f.data);
}

/* A byte instead of an f16 costs some of the error, the more the finer the grid, at every number of threads; the unit
 * is a power of two. */
static void test_byte_matrices(void **state)
{
	static const double most[TYPES] = {1.02, 1.04, 1.1, 1.2, 1.35}; /* an eighth of a bit is 1.19, a quarter 1.41 */
	struct fixture f;

	(void)state;
	make_matrix(&f, 75, 172);
	for (int i = 0; i < 4 * TYPES; i++) {
		enum mote_encoder encoder = (enum mote_encoder)(i % 4);
		uint8_t codebook[16] = {0}, again[16] = {0};
		uint64_t bytes, byte_bytes;
		void *plain, *one, *five;
		double with_f16;
		float unit;

		encode_matrix(&f, types[i / 4], encoder, 1, &plain, &bytes, codebook);
		with_f16 = matrix_error(&f, types[i / 4], plain, codebook);
		encode_matrix(&f, (enum mote_type)(types[i / 4] + 8), encoder, 1, &one, &byte_bytes, codebook);
		/* 6 blocks: 128 bytes of scales, not 192 */
		assert_int_equal(byte_bytes, bytes - (uint64_t)5 * 64 + 64);
		assert_true(matrix_error(&f, (enum mote_type)(types[i / 4] + 8), one, codebook) <
			    (encoder == MOTE_ENCODER_ROUND ? 1.1 : most[i / 4]) * with_f16);
		memcpy(&unit, (uint8_t *)one + byte_bytes - 64, sizeof unit);
		assert_true(unit > 0 && (mote_f32_bits(unit) & 0x7fffff) == 0);
		encode_matrix(&f, (enum mote_type)(types[i / 4] + 8), encoder, 5, &five, &byte_bytes, again);
		assert_memory_equal(one, five, byte_bytes);
		assert_memory_equal(codebook, again, 16);
		free(plain);
		free(one);
		free(five);
	}
	free(f.data);
}

/* The fixed codebook is where learning from normal weights ends. */
static void test_normal_codebook(void **state)
{
	struct fixture f;
	uint8_t codebook[16];
	uint64_t bytes;
	void *out;

	(void)state;
	make_matrix(&f, 512, 512);
	for (int t = 0; t < 2; t++) { /* q3, q4 */
		const uint8_t *normal = mote_type_normal_codebook(types[t]);

		encode_matrix(&f, types[t], MOTE_ENCODER_LEARNED, 2, &out, &bytes, codebook);
		for (uint32_t k = 0; k < mote_type_levels(types[t]); k++)
			assert_in_range(codebook[k] + 8, normal[k] + 4, normal[k] + 12);
		free(out);
	}
	free(f.data);
}

/* A scale is an f16: what not even the largest one reaches is refused by name, in each type at its own end; what it
 * reaches within half a step is not. */
static void test_refuses_what_no_scale_reaches(void **state)
{
	static const struct {
		enum mote_type type;
		enum mote_encoder encoder;
		float steps; /* of the largest quant */
	} ends[] = { {MOTE_Q8, MOTE_ENCODER_ROUND, 127}, {MOTE_Q8, MOTE_ENCODER_SEARCH, 127},
		     {MOTE_Q6, MOTE_ENCODER_SEARCH, 32}, {MOTE_Q5, MOTE_ENCODER_ROUND, 16},
		     {MOTE_Q4, MOTE_ENCODER_ROUND, 8}, {MOTE_Q4, MOTE_ENCODER_WEIGHTED, 127},
		     {MOTE_Q4, MOTE_ENCODER_LEARNED, 127}, {MOTE_Q3, MOTE_ENCODER_SEARCH, 4} };
	struct mote_pool *pool;
	struct fixture f;
	uint8_t codebook[16];

	(void)state;
	assert_int_equal(mote_pool_open(2, &pool, NULL), MOTE_OK);
	make_matrix(&f, 20, 40);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		for (int beyond = 0; beyond < 2; beyond++) {
			struct mote_encode_job job = { .name = "w.x", .source = &f.source, .type = ends[i].type,
						       .encoder = ends[i].encoder };
			void *out = aligned_alloc(64, (size_t)mote_encoded_bytes(&job));
			float before = f.data[40 * 16 + 7 * 16 + 2];
			struct mote_error error = {0};
			enum mote_status status;

			f.data[40 * 16 + 7 * 16 + 2] = -65504 * (ends[i].steps + (beyond ? 0.6f : 0.4f));
			status = mote_encode_matrix(pool, &job, out, codebook, NULL, 0, 0, &error);
			f.data[40 * 16 + 7 * 16 + 2] = before;
			free(out);
			assert_int_equal(status, beyond ? MOTE_ERROR_UNSUPPORTED : MOTE_OK);
			assert_true(!beyond || (strstr(error.message, "w.x") && strstr(error.message, "[18, 7]") &&
						strstr(error.message, mote_type_name(ends[i].type))));
		}
	free(f.data);
	mote_pool_close(pool);
}

/* A whole matrix that would become zeros is refused by name; one that is zeros, or keeps a single weight, is not. */
static void test_refuses_to_erase_a_matrix(void **state)
{
	static const enum mote_type small[] = {MOTE_Q3, MOTE_Q4, MOTE_Q5, MOTE_Q6, MOTE_Q8, MOTE_F16};
	struct mote_pool *pool;
	struct fixture f;
	uint8_t codebook[16];

	(void)state;
	assert_int_equal(mote_pool_open(2, &pool, NULL), MOTE_OK);
	make_matrix(&f, 20, 40);
	for (size_t i = 0; i < 6 * 3; i++) {
		struct mote_encode_job job = { .name = "w.x", .source = &f.source, .type = small[i / 3],
					       .encoder = i % 2 ? MOTE_ENCODER_SEARCH : MOTE_ENCODER_ROUND };
		void *out = aligned_alloc(64, (size_t)mote_encoded_bytes(&job));
		struct mote_error error = {0};
		enum mote_status status;

		for (int j = 0; j < 20 * 40; j++)
			f.data[(j % 20 / 16 * 40 + j / 20) * 16 + j % 20 % 16] = i % 3 == 0 ? 0 : 1e-12f;
		if (i % 3 == 2)
			f.data[40 * 16 + 7 * 16 + 2] = 0.5f;
		status = mote_encode_matrix(pool, &job, out, codebook, NULL, 0, 0, &error);
		free(out);
		assert_int_equal(status, i % 3 == 1 ? MOTE_ERROR_UNSUPPORTED : MOTE_OK);
		assert_true(status == MOTE_OK || (strstr(error.message, "w.x") && strstr(error.message, "zero")));
	}
	free(f.data);
	mote_pool_close(pool);
}

static void test_refuses_bad_weights(void **state)
{
	const float bad[] = {NAN, INFINITY, -INFINITY, 4e5f};
	struct mote_pool *pool;
	struct fixture f;
	uint8_t codebook[16];

	(void)state;
	assert_int_equal(mote_pool_open(2, &pool, NULL), MOTE_OK);
	make_matrix(&f, 20, 40);
	for (int i = 0; i < 4; i++)
		for (int f16 = 0; f16 < 2; f16++) {
			struct mote_encode_job job = { .name = "w.x", .source = &f.source,
						       .type = f16 ? MOTE_F16 : MOTE_Q4,
						       .encoder = MOTE_ENCODER_SEARCH };
			void *out = aligned_alloc(64, (size_t)mote_encoded_bytes(&job));
			float before = f.data[40 * 16 + 7 * 16 + 2]; /* panel 1: row 18, column 7 */
			struct mote_error error = {0};
			enum mote_status status;

			f.data[40 * 16 + 7 * 16 + 2] = bad[i];
			status = mote_encode_matrix(pool, &job, out, codebook, NULL, 0, 0, &error);
			f.data[40 * 16 + 7 * 16 + 2] = before;
			free(out);
			if (i == 3 && !f16) { /* large, but a number that a block can hold */
				assert_int_equal(status, MOTE_OK);
				continue;
			}
			assert_int_equal(status, MOTE_ERROR_UNSUPPORTED);
			assert_non_null(strstr(error.message, "w.x"));
			assert_non_null(strstr(error.message, "[18, 7]"));
		}
	free(f.data);
	mote_pool_close(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_byte_matrices),
		cmocka_unit_test(test_normal_codebook),
		cmocka_unit_test(test_refuses_what_no_scale_reaches),
		cmocka_unit_test(test_refuses_to_erase_a_matrix),
		cmocka_unit_test(test_refuses_bad_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
