/* Half precision over all values, and the block layouts: decode against bytes placed by hand as
 * docs/container-format.md says, and packing as its inverse. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/block.h"
#include "format/half.h"

/* IEEE 754's definition, in double, which holds every half exactly. */
static double half_value(uint32_t h, int exponent_bits, int fraction_bits)
{
	int exponent = (int)(h >> fraction_bits & ((1u << exponent_bits) - 1));
	int bias = (1 << (exponent_bits - 1)) - 1;
	double fraction = h & ((1u << fraction_bits) - 1), x;

	if (exponent == 0)
		x = ldexp(fraction, 1 - bias - fraction_bits);
	else
		x = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
	return h >> 15 ? -x : x;
}

static void test_half_to_float(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 65536; h++) {
		float f16 = mote_f32_from_f16((uint16_t)h), bf16 = mote_f32_from_bf16((uint16_t)h);

		if ((h & 0x7c00) != 0x7c00) {
			assert_true(f16 == half_value(h, 5, 10));
			assert_int_equal(signbit(f16) != 0, h >> 15);
		} else {
			assert_true((h & 0x3ff) ? isnan(f16) : isinf(f16));
		}
		if ((h & 0x7f80) != 0x7f80)
			assert_true(bf16 == half_value(h, 8, 7));
		else
			assert_true((h & 0x7f) ? isnan(bf16) : isinf(bf16));
	}
}

/* Rounding is monotonic, so it is right everywhere if it is right at every half, at every point half
 * way between two, and directly beside those. */
static void check_rounding(uint16_t (*from_f32)(float), int exponent_bits, int fraction_bits)
{
	uint32_t infinity = ((1u << exponent_bits) - 1) << fraction_bits;

	for (uint32_t h = 0; h < infinity; h++) {
		double low = half_value(h, exponent_bits, fraction_bits);
		/* Beyond the greatest one its successor would be where the next binade begins. */
		double high = h + 1 < infinity ? half_value(h + 1, exponent_bits, fraction_bits) :
			2 * low - half_value(h - 1, exponent_bits, fraction_bits);
		float middle = (float)((low + high) / 2); /* exact in f32 */
		uint32_t even = h & 1 ? h + 1 : h;

		assert_true((double)middle == (low + high) / 2);
		if (from_f32((float)low) != h || from_f32(nextafterf(middle, 0)) != h || from_f32(middle) != even ||
		    from_f32(nextafterf(middle, INFINITY)) != h + 1)
			fail_msg("rounding around %04x: %04x %04x %04x %04x", h, from_f32((float)low),
				 from_f32(nextafterf(middle, 0)), from_f32(middle),
				 from_f32(nextafterf(middle, INFINITY)));
		assert_int_equal(from_f32(-middle), 0x8000u | even);
		assert_int_equal(from_f32((float)-low), 0x8000u | h);
	}
	assert_int_equal(from_f32(INFINITY), infinity);
	assert_int_equal(from_f32(-INFINITY), 0x8000u | infinity);
	assert_int_equal(from_f32(3.4028235e38f), infinity);
	for (uint32_t bits = 1; bits < 0x800000; bits = bits * 2 + 1) { /* NaNs, also with all their bits low */
		uint32_t h = from_f32(mote_f32_from_bits(0x7f800000 | bits));
		assert_true((h & infinity) == infinity && (h & ((1u << fraction_bits) - 1)));
	}
}

static void test_float_to_half(void **state)
{
	(void)state;
	check_rounding(mote_f16_from_f32, 5, 10);
	check_rounding(mote_bf16_from_f32, 8, 7);
}

static void test_types(void **state)
{
	static const struct { enum mote_type type; const char *name; uint32_t number, bits; bool codebook; } all[] = {
		{MOTE_F32, "f32", 1, 0, false},  {MOTE_F16, "f16", 2, 0, false}, {MOTE_BF16, "bf16", 3, 0, false},
		{MOTE_Q8, "q8", 16, 8, false},   {MOTE_Q4, "q4", 17, 4, true},   {MOTE_Q6, "q6", 18, 6, false},
		{MOTE_Q5, "q5", 19, 5, false},   {MOTE_Q3, "q3", 20, 3, true},   {MOTE_Q8B, "q8b", 24, 8, false},
		{MOTE_Q4B, "q4b", 25, 4, true},  {MOTE_Q6B, "q6b", 26, 6, false}, {MOTE_Q5B, "q5b", 27, 5, false},
		{MOTE_Q3B, "q3b", 28, 3, true},
	};
	enum mote_type type;

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_int_equal(all[i].type, all[i].number);
		assert_string_equal(mote_type_name(all[i].type), all[i].name);
		assert_true(mote_type_from_name(all[i].name, &type));
		assert_int_equal(type, all[i].type);
		assert_int_equal(mote_type_bits(type), all[i].bits);
		assert_int_equal(mote_type_is_quantized(type), all[i].bits != 0);
		assert_int_equal(mote_type_has_codebook(type), all[i].codebook);
		assert_int_equal(mote_type_has_byte_scales(type), strchr(all[i].name, 'b') && all[i].bits);
		assert_int_equal(mote_type_bits(mote_type_plain(type)), all[i].bits);
		assert_int_equal(mote_type_linear_codebook(type) != NULL, all[i].codebook);
		for (int q = 0; all[i].bits && q < 1 << all[i].bits; q++)
			assert_int_equal(mote_quant_value(type, mote_type_linear_codebook(type), (uint32_t)q),
					 q - (1 << (all[i].bits - 1)));
	}
	assert_null(mote_type_name((enum mote_type)0));
	assert_null(mote_type_name((enum mote_type)15));
	assert_null(mote_type_name((enum mote_type)21));
	assert_null(mote_type_name((enum mote_type)23));
	assert_null(mote_type_name((enum mote_type)29));
	assert_false(mote_type_from_name("q", &type));
	assert_false(mote_type_from_name("", &type));
	for (int i = 0; i < 16; i++)
		assert_int_equal(mote_codebook_linear3[i], i < 8 ? 124 + i : 0);
}

/* Sizes worked out by hand from the specification. */
static void test_sizes(void **state)
{
	static const struct { enum mote_type type; uint64_t rows, cols; size_t panel,
			      quants; uint64_t bytes; } cases[] = {
		{MOTE_F32, 1, 1, 64, 0, 64},		{MOTE_F32, 17, 3, 192, 0, 384},
		{MOTE_F16, 16, 1, 64, 0, 64},		{MOTE_F16, 16, 3, 128, 0, 128},
		{MOTE_BF16, 48, 576, 18432, 0, 55296},	{MOTE_Q8, 1, 1, 576, 64, 576},
		{MOTE_Q8, 1, 33, 1088, 64, 1088},	{MOTE_Q8, 1, 65, 1664, 128, 1664},
		{MOTE_Q4, 1, 1, 320, 64, 320},	{MOTE_Q4, 64, 172, 1728, 192, 6912},
		{MOTE_Q6, 1, 1, 448, 64, 448},	{MOTE_Q6, 17, 65, 1280, 128, 2560},
		{MOTE_Q5, 1, 1, 384, 64, 384},	{MOTE_Q5, 17, 65, 1088, 128, 2176},
		{MOTE_Q3, 1, 1, 256, 64, 256},	{MOTE_Q3, 17, 65, 704, 128, 1408},
		{MOTE_Q8B, 1, 1, 576, 64, 640},	{MOTE_Q4B, 64, 172, 1664, 128, 6720},
		{MOTE_Q6B, 17, 129, 2048, 128, 4160},	{MOTE_Q3B, 17, 128, 832, 64, 1728},
		{MOTE_Q5B, 576, 576, 6080, 320, 36 * 6080 + 64},
		{MOTE_Q8, 49154, 576, 9792, 576, (uint64_t)3073 * 9792},
		{MOTE_F32, 16777216, 131072, (size_t)131072 * 64, 0, (uint64_t)1048576 * 131072 * 64},
	};
	struct mote_matrix m;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(mote_matrix_init(&m, cases[i].type, cases[i].rows, cases[i].cols, NULL, NULL, &bytes,
						  NULL), MOTE_OK);
		assert_int_equal(m.panel_bytes, cases[i].panel);
		assert_int_equal(m.quants_offset, cases[i].quants);
		assert_int_equal(bytes, cases[i].bytes);
	}
	assert_int_equal(mote_matrix_init(&m, MOTE_F32, 0, 1, NULL, NULL, &bytes, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_matrix_init(&m, MOTE_F32, 1, 0, NULL, NULL, &bytes, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_matrix_init(&m, MOTE_F32, 16777217, 1, NULL, NULL, &bytes, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_matrix_init(&m, MOTE_F32, 1, 131073, NULL, NULL, &bytes, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_matrix_init(&m, MOTE_Q4, UINT64_MAX, UINT64_MAX, NULL, NULL, &bytes, NULL),
			 MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_matrix_init(&m, (enum mote_type)4, 1, 1, NULL, NULL, &bytes, NULL), MOTE_ERROR_CORRUPT);
}

/* The worked examples of the specification. Row 17 of 20 is lane 1 of panel 1; column 37 of 40 is in
 * block 1, column 5 of it. */
static void test_places(void **state)
{
	struct mote_matrix m;
	uint64_t bytes;
	uint8_t *data;
	float out[64];
	uint8_t codebook[16] = {1, 2, 3, 4, 5, 6, 7, 128, 129, 130, 131, 140, 150, 160, 170, 255};

	(void)state;
	/* q8: panel of 2*16*2 = 64 bytes of scales and 2*512 of quants; group 37/4 = 9, byte 9*64 + 1*4 + 1. */
	mote_matrix_init(&m, MOTE_Q8, 20, 40, NULL, NULL, &bytes, NULL);
	assert_int_equal(bytes, 2 * 1088);
	data = calloc(1, bytes);
	m.data = data;
	memset(data, 128, bytes);
	memcpy(data + 1088 + (1 * 16 + 1) * 2, "\x00\x38", 2); /* block 1, lane 1: 0.5 */
	data[1088 + 64 + 9 * 64 + 1 * 4 + 1] = 128 - 6;
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 32; i < 40; i++)
		assert_true(out[i] == (i == 37 ? -3.0f : 0.0f));
	free(data);

	/* q4: group 37/8 = 4, column 5 of it: high nibble of byte 4*64 + 1*4 + 1. */
	mote_matrix_init(&m, MOTE_Q4, 20, 40, NULL, codebook, &bytes, NULL);
	assert_int_equal(bytes, 2 * 576);
	data = malloc(bytes);
	m.data = data;
	memset(data, 0x77, bytes); /* codebook[7] is zero */
	memcpy(data + 576 + (1 * 16 + 1) * 2, "\x00\xc0", 2); /* -2 */
	data[576 + 64 + 4 * 64 + 1 * 4 + 1] = 0xf8;
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 32; i < 40; i++) /* high nibble 15: 127; low nibble 8: 1, column 33 */
		assert_true(out[i] == (i == 37 ? -254.0f : i == 33 ? -2.0f : 0.0f));
	free(data);

	/* q6: column 5 of block 1 is column 1 of group 1: byte 1*64 + 1*4 + 1 of the block. Its upper two bits are bits
	 * 2 and 3 of the same column of group 6, which is column 25 of the block. */
	mote_matrix_init(&m, MOTE_Q6, 20, 64, NULL, NULL, &bytes, NULL);
	assert_int_equal(bytes, 2 * 832);
	data = calloc(1, bytes);
	m.data = data;
	memcpy(data + 832 + (1 * 16 + 1) * 2, "\x00\x38", 2); /* 0.5 */
	data[832 + 64 + 384 + 1 * 64 + 1 * 4 + 1] = 0xa3;
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 32; i < 64; i++)
		assert_true(out[i] == (i == 37 ? 1.5f : i == 57 ? -12.0f : -16.0f));
	free(data);

	/* q3: group 1 is bits 3 to 5 of line 0; bits 6 and 7 are the low ones of group 6. */
	mote_matrix_init(&m, MOTE_Q3, 20, 64, NULL, codebook, &bytes, NULL);
	assert_int_equal(bytes, 2 * 448);
	data = malloc(bytes);
	m.data = data;
	memset(data, 0xff, bytes); /* codebook[7] is zero */
	memcpy(data + 448 + (1 * 16 + 1) * 2, "\x00\xc0", 2); /* -2 */
	data[448 + 64 + 192 + 1 * 4 + 1] = 0xaf; /* 10 101 111 */
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 32; i < 64; i++) /* index 5: 6 - 128; index 4 + 2: 7 - 128 */
		assert_true(out[i] == (i == 37 ? 244.0f : i == 57 ? 242.0f : 0.0f));
	free(data);

	/* q4b: scales are 2*16 = 32 bytes and 32 of padding, the unit behind panel 1. */
	mote_matrix_init(&m, MOTE_Q4B, 20, 40, NULL, codebook, &bytes, NULL);
	assert_int_equal(bytes, 2 * 576 + 64);
	data = malloc(bytes);
	m.data = data;
	memset(data, 0x77, bytes);
	data[576 + 1 * 16 + 1] = 0xd8; /* -, exponent 5, 8/16: -2^(5-15) * 1.5 */
	data[576 + 64 + 4 * 64 + 1 * 4 + 1] = 0xf8;
	mote_matrix_put_unit(&m, data, 256);
	assert_memory_equal(data + 1152, "\x00\x00\x80\x43\0\0\0\0", 8);
	assert_true(mote_matrix_unit(&m) == 256);
	assert_true(mote_matrix_scale(&m, 17, 1) == -0.375f);
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 32; i < 40; i++)
		assert_true(out[i] == (i == 37 ? -0.375f * 127 : i == 33 ? -0.375f : 0.0f));
	free(data);

	/* f32: element 37*16 + 1 of panel 1. */
	mote_matrix_init(&m, MOTE_F32, 20, 40, NULL, NULL, &bytes, NULL);
	data = calloc(1, bytes);
	m.data = data;
	memcpy(data + 40 * 64 + (37 * 16 + 1) * 4, "\x00\x00\x80\x3f", 4);
	mote_matrix_decode_row(&m, 17, out);
	for (int i = 0; i < 40; i++)
		assert_true(out[i] == (i == 37 ? 1.0f : 0.0f));
	free(data);

	/* f16 and bf16: the same element, two bytes. */
	mote_matrix_init(&m, MOTE_F16, 20, 40, NULL, NULL, &bytes, NULL);
	data = calloc(1, bytes);
	m.data = data;
	memcpy(data + 40 * 32 + (37 * 16 + 1) * 2, "\x00\x3c", 2);
	mote_matrix_decode_row(&m, 17, out);
	assert_true(out[37] == 1.0f && out[36] == 0.0f);
	m.type = MOTE_BF16;
	memcpy(data + 40 * 32 + (37 * 16 + 1) * 2, "\x80\x3f", 2);
	mote_matrix_decode_row(&m, 17, out);
	assert_true(out[37] == 1.0f && out[36] == 0.0f);
	free(data);
}

/* q6, q5 and q3: each group's bits one by one, in the order that the specification gives them: line * 8 + bit. */
static void test_group_bits(void **state)
{
	static const struct { enum mote_type type; uint8_t bits[8][6]; } layouts[] = {
		{ MOTE_Q6, { {0, 1, 2, 3, 4, 5}, {8, 9, 10, 11, 12, 13}, {16, 17, 18, 19, 20, 21},
			     {24, 25, 26, 27, 28, 29}, {32, 33, 34, 35, 36, 37}, {40, 41, 42, 43, 44, 45},
			     {6, 7, 14, 15, 22, 23}, {30, 31, 38, 39, 46, 47} } },
		{ MOTE_Q5, { {0, 1, 2, 3, 4}, {8, 9, 10, 11, 12}, {16, 17, 18, 19, 20}, {24, 25, 26, 27, 28},
			     {32, 33, 34, 35, 36}, {5, 6, 7, 29, 30}, {13, 14, 15, 37, 38}, {21, 22, 23, 31, 39} } },
		{ MOTE_Q3, { {0, 1, 2}, {3, 4, 5}, {8, 9, 10}, {11, 12, 13}, {16, 17, 18}, {19, 20, 21},
			     {6, 7, 22}, {14, 15, 23} } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		for (uint32_t col = 0; col < 32; col++)
			for (uint32_t bit = 0; bit < mote_type_bits(layouts[i].type); bit++) {
				uint32_t lane = (col * 5 + bit) % 16, place = layouts[i].bits[col / 4][bit];
				uint8_t lines[6 * 64] = {0}, quants[512];

				lines[place / 8 * 64 + lane * 4 + col % 4] = (uint8_t)(1u << place % 8);
				mote_block_unpack(layouts[i].type, lines, quants);
				for (uint32_t j = 0; j < 512; j++)
					assert_int_equal(quants[j], j == col / 4 * 64 + lane * 4 + col % 4
							 ? 1u << bit : 0);
			}
}

static uint32_t random_u32(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

static const struct { uint32_t rows, cols; } shapes[] = {
	{1, 1}, {1, 31}, {15, 32}, {16, 33}, {17, 64}, {33, 7}, {48, 172}, {31, 4}, {16, 95}
};

/* Packs a matrix of random floats panel by panel; what decodes is what went in, rounded by the type;
 * what lies beyond rows and cols is zero. */
static void test_floats_round_trip(void **state)
{
	static const enum mote_type float_types[] = {MOTE_F32, MOTE_F16, MOTE_BF16};
	uint64_t seed = 7;

	(void)state;
	for (int k = 0; k < 3; k++)
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
			uint32_t rows = shapes[i].rows, cols = shapes[i].cols, nonzero = 0, expected = rows * cols;
			struct mote_matrix m;
			uint64_t bytes;
			float *in = malloc((size_t)rows * cols * 4), *out = malloc(cols * 4);
			uint8_t *data;
			size_t element = float_types[k] == MOTE_F32 ? 4 : 2;

			mote_matrix_init(&m, float_types[k], rows, cols, NULL, NULL, &bytes, NULL);
			data = malloc(bytes);
			memset(data, 0xaa, bytes); /* packing must write all of it */
			m.data = data;
			for (uint32_t j = 0; j < rows * cols; j++)
				in[j] = (float)(random_u32(&seed) % 200000 + 1) / 100.0f * (j & 1 ? -1 : 1);
			for (uint32_t p = 0; p < m.panels; p++)
				mote_panel_pack_floats(&m, in + (size_t)p * 16 * cols,
						       rows - p * 16 < 16 ? rows - p * 16 : 16,
						       data + p * m.panel_bytes);
			for (uint32_t r = 0; r < rows; r++) {
				mote_matrix_decode_row(&m, r, out);
				for (uint32_t c = 0; c < cols; c++) {
					float x = in[r * cols + c];
					if (m.type == MOTE_F16)
						x = mote_f32_from_f16(mote_f16_from_f32(x));
					else if (m.type == MOTE_BF16)
						x = mote_f32_from_bf16(mote_bf16_from_f32(x));
					assert_true(out[c] == x);
				}
			}
			for (size_t at = 0; at < bytes; at += element) {
				uint32_t bits = 0;
				memcpy(&bits, data + at, element);
				nonzero += bits != 0;
			}
			assert_int_equal(nonzero, expected);
			free(data);
			free(in);
			free(out);
		}
}

/* A byte as a scale, by the specification's formula. */
static float byte_scale(uint32_t byte)
{
	uint32_t exponent = byte >> 4 & 7, fraction = byte & 15;
	float magnitude = exponent ? ldexpf(1 + (float)fraction / 16, (int)exponent - 15)
				   : ldexpf((float)fraction, -18);

	return byte & 128 ? -magnitude : magnitude;
}

static void test_quants_round_trip(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (enum mote_type type = MOTE_Q8; type <= MOTE_Q3B; type++)
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes && mote_type_name(type); i++) {
			const bool byte_scales = mote_type_has_byte_scales(type);
			uint32_t rows = shapes[i].rows, cols = shapes[i].cols, padded;
			uint8_t codebook[16], *quants, *data;
			uint16_t *scales;
			struct mote_matrix m;
			uint64_t bytes;
			float *out = malloc(cols * 4);

			for (int j = 0; j < 16; j++)
				codebook[j] = (uint8_t)random_u32(&seed);
			mote_matrix_init(&m, type, rows, cols, NULL, codebook, &bytes, NULL);
			padded = m.blocks * 32;
			quants = malloc((size_t)rows * padded);
			scales = malloc((size_t)rows * m.blocks * 2);
			data = malloc(bytes);
			memset(data, 0xaa, bytes);
			m.data = data;
			for (uint32_t j = 0; j < rows * padded; j++)
				quants[j] = (uint8_t)(random_u32(&seed) % mote_type_levels(type));
			for (uint32_t j = 0; j < rows * m.blocks; j++)
				scales[j] = (uint16_t)(random_u32(&seed) % (byte_scales ? 256 : 0x7c00));
			if (byte_scales)
				mote_matrix_put_unit(&m, data, 0.125f);
			for (uint32_t p = 0; p < m.panels; p++)
				mote_panel_pack_quants(&m, quants + (size_t)p * 16 * padded,
						       scales + (size_t)p * 16 * m.blocks, rows - p * 16 < 16
						       ? rows - p * 16 : 16, data + p * m.panel_bytes);
			for (uint32_t r = 0; r < rows; r++) {
				mote_matrix_decode_row(&m, r, out);
				for (uint32_t c = 0; c < cols; c++) {
					uint8_t q = quants[r * padded + c];
					uint16_t stored = scales[r * m.blocks + c / 32];
					float scale = byte_scales ? byte_scale(stored) / 8 : mote_f32_from_f16(stored);
					assert_true(out[c] == scale * (float)mote_quant_value(type, codebook, q));
				}
			}
			/* Padding is what the specification says, seen by decoding a wider, taller matrix. */
			m.cols = padded;
			m.rows = m.panels * 16;
			m.codebook = mote_type_linear_codebook(type);
			out = realloc(out, padded * 4);
			for (uint32_t r = 0; r < m.rows; r++) {
				mote_matrix_decode_row(&m, r, out);
				for (uint32_t c = r < rows ? cols : 0; c < padded; c++)
					assert_true(out[c] == 0);
			}
			for (uint32_t p = 0; p < m.panels; p++)
				for (size_t at = m.blocks * (byte_scales ? 16 : 32); at < m.quants_offset; at++)
					assert_int_equal(data[p * m.panel_bytes + at], 0);
			free(data);
			free(quants);
			free(scales);
			free(out);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_to_float),	  cmocka_unit_test(test_float_to_half),
		cmocka_unit_test(test_types),		  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_places),		  cmocka_unit_test(test_floats_round_trip),
		cmocka_unit_test(test_group_bits),
		cmocka_unit_test(test_quants_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
