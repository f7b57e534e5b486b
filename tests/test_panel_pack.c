/* Packing against the normative decode: every element comes back bit for bit (or as the conversion rounds it),
 * for shapes around the tile and panel sizes; and each kind of bad element is found and named wherever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convert/panel_pack.h"
#include "format/half.h"

static const enum mote_type types[3] = {MOTE_F32, MOTE_F16, MOTE_BF16};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 32;
}

static size_t size_of(enum mote_type type)
{
	return type == MOTE_F32 ? 4 : 2;
}

static void put(enum mote_type type, uint8_t *p, size_t i, uint32_t bits)
{
	uint16_t half = (uint16_t)bits;

	if (type == MOTE_F32)
		memcpy(p + i * 4, &bits, 4);
	else
		memcpy(p + i * 2, &half, 2);
}

static float value(enum mote_type type, uint32_t bits)
{
	return type == MOTE_F32 ? mote_f32_from_bits(bits) :
	       type == MOTE_F16 ? mote_f32_from_f16((uint16_t)bits) : mote_f32_from_bf16((uint16_t)bits);
}

/* A finite value that f16 can hold too: sign, an exponent around 1, all mantissa bits. */
static uint32_t random_bits(enum mote_type type, uint64_t *state)
{
	uint32_t r = (uint32_t)next_random(state);

	if (type == MOTE_F32)
		return (r & 0x807fffffu) | (118 + r % 20) << 23;
	if (type == MOTE_F16)
		return (r & 0x83ffu) | (r >> 16) % 31 << 10;
	return (r & 0x807fu) | (118 + (r >> 16) % 20) << 7;
}

static float rounded(enum mote_type to, float x)
{
	return to == MOTE_F32 ? x : to == MOTE_F16 ? mote_f32_from_f16(mote_f16_from_f32(x)) :
						     mote_f32_from_bf16(mote_bf16_from_f32(x));
}

struct shape {
	uint32_t rows, cols;
};

static void check(enum mote_type from, enum mote_type to, struct shape shape, uint64_t seed)
{
	size_t count = (size_t)shape.rows * shape.cols;
	uint8_t *file = malloc(count * size_of(from) + 1), *source = file + 1, *out; /* not aligned, as in a file */
	float *row = malloc(shape.cols * sizeof *row);
	struct mote_panel_pack pack;
	struct mote_matrix m;
	struct mote_error error = {0};
	uint64_t bytes, state = seed;

	for (size_t i = 0; i < count; i++)
		put(from, source, i, random_bits(from, &state));
	assert_int_equal(mote_matrix_init(&m, to, shape.rows, shape.cols, NULL, NULL, &bytes, &error), MOTE_OK);
	out = aligned_alloc(64, bytes);
	memset(out, 0xee, bytes);
	assert_int_equal(mote_panel_pack_init(&pack, "t", from, &m, &error), MOTE_OK);
	for (uint32_t first = 0; first < m.panels; first += 2) /* in pieces, the last one odd */
		assert_int_equal(mote_panel_pack_run(&pack, source + first * 16 * shape.cols * size_of(from), first,
						     m.panels - first < 2 ? m.panels - first : 2,
						     out + first * m.panel_bytes, &error), MOTE_OK);
	assert_int_equal(mote_matrix_init(&m, to, shape.rows, shape.cols, out, NULL, &bytes, &error), MOTE_OK);
	state = seed;
	for (uint32_t r = 0; r < shape.rows; r++) {
		mote_matrix_decode_row(&m, r, row);
		for (uint32_t c = 0; c < shape.cols; c++) {
			float expected = rounded(to, value(from, random_bits(from, &state)));

			if (mote_f32_bits(row[c]) != mote_f32_bits(expected))
				fail_msg("%s to %s, [%u, %u], row %u, column %u: %a, expected %a", mote_type_name(from),
					 mote_type_name(to), shape.rows, shape.cols, r, c, (double)row[c],
					 (double)expected);
		}
	}
	/* padding is zero: rows beyond the last, and bytes behind the last column */
	for (uint32_t p = 0; p < m.panels; p++)
		for (size_t i = 0; i < m.panel_bytes; i++) {
			size_t element = i / size_of(to);
			bool inside = element < (size_t)shape.cols * 16 && p * 16 + element % 16 < shape.rows;

			assert_true(inside || out[p * m.panel_bytes + i] == 0);
		}
	mote_panel_pack_free(&pack);
	free(row);
	free(out);
	free(file);
}

static void test_every_type_and_shape(void **state)
{
	static const struct shape shapes[] = { {1, 1},   {1, 9},   {3, 7},   {16, 8},  {15, 4},  {17, 3},
					       {16, 33}, {33, 12}, {48, 64}, {50, 65}, {7, 172} };

	(void)state;
	for (size_t f = 0; f < 3; f++)
		for (size_t t = 0; t < 3; t++)
			for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
				check(types[f], types[t], shapes[s], f * 100 + t * 10 + s + 1);
}

static void expect_bad(enum mote_type from, enum mote_type to, struct shape shape, uint32_t row, uint32_t col,
		       uint32_t bits, enum mote_status code, const char *what)
{
	size_t count = (size_t)shape.rows * shape.cols, at = (size_t)row * shape.cols + col;
	uint8_t *source = calloc(count, size_of(from)), *out;
	struct mote_panel_pack pack;
	struct mote_matrix m;
	struct mote_error error = {0};
	char place[64];
	uint64_t bytes;

	put(from, source, at, bits);
	snprintf(place, sizeof place, "tensor \"t\": element %zu (row %u, column %u) is ", at, row, col);
	assert_int_equal(mote_matrix_init(&m, to, shape.rows, shape.cols, NULL, NULL, &bytes, &error), MOTE_OK);
	out = aligned_alloc(64, bytes);
	assert_int_equal(mote_panel_pack_init(&pack, "t", from, &m, &error), MOTE_OK);
	if (mote_panel_pack_run(&pack, source, 0, m.panels, out, &error) != code || !strstr(error.message, place) ||
	    !strstr(error.message, what))
		fail_msg("%s to %s, %x at row %u, column %u: \"%s\"", mote_type_name(from), mote_type_name(to),
			 bits, row, col, error.message);
	mote_panel_pack_free(&pack);
	free(out);
	free(source);
}

static void test_names_bad_elements(void **state)
{
	static const struct shape shape = {21, 11};
	static const struct {
		enum mote_type type;
		uint32_t infinity, nan;
	} bad[3] = {{MOTE_F32, 0xff800000u, 0x7f800001u}, {MOTE_F16, 0x7c00u, 0xfc01u}, {MOTE_BF16, 0x7f80u, 0xffc0u}};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t t = 0; t < 3; t++)
			for (uint32_t row = 0; row < shape.rows; row++)
				for (uint32_t col = 0; col < shape.cols; col++) {
					expect_bad(bad[i].type, types[t], shape, row, col, bad[i].nan,
						   MOTE_ERROR_CORRUPT, "NaN");
					expect_bad(bad[i].type, types[t], shape, row, col, bad[i].infinity,
						   MOTE_ERROR_CORRUPT, "infinite");
				}
}

static void test_names_overflow(void **state)
{
	static const struct shape shape = {5, 6};

	(void)state;
	/* 65520 is the first value that rounds to infinity; 65519.996 the last that does not */
	expect_bad(MOTE_F32, MOTE_F16, shape, 4, 5, mote_f32_bits(65520.0f), MOTE_ERROR_UNSUPPORTED,
		   "beyond the range of f16");
	expect_bad(MOTE_F32, MOTE_F16, shape, 0, 1, mote_f32_bits(-1e30f), MOTE_ERROR_UNSUPPORTED,
		   "beyond the range of f16");
	expect_bad(MOTE_BF16, MOTE_F16, shape, 2, 3, 0x4780u, MOTE_ERROR_UNSUPPORTED, "beyond the range of f16");
	expect_bad(MOTE_F32, MOTE_BF16, shape, 1, 0, 0x7f7fffffu, MOTE_ERROR_UNSUPPORTED, "beyond the range of bf16");
}

static void test_vectors(void **state)
{
	struct mote_error error = {0};
	uint8_t source[3 * 4];
	float out[3];

	(void)state;
	for (size_t t = 0; t < 3; t++) {
		uint64_t random = t;

		for (size_t i = 0; i < 3; i++)
			put(types[t], source, i, random_bits(types[t], &random));
		assert_int_equal(mote_vector_widen("v", types[t], source, 3, out, &error), MOTE_OK);
		random = t;
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(mote_f32_bits(out[i]),
					 mote_f32_bits(value(types[t], random_bits(types[t], &random))));
	}
	put(MOTE_BF16, source, 2, 0x7fc0u);
	assert_int_equal(mote_vector_widen("v", MOTE_BF16, source, 3, out, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "tensor \"v\": element 2 is NaN"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_and_shape), cmocka_unit_test(test_names_bad_elements),
		cmocka_unit_test(test_names_overflow),	     cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
