/* safetensors headers, each rule broken on purpose. The files are put into buffers of exactly their size, so that
 * a sanitizer sees the first byte read too far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convert/hf/safetensors.h"

struct file {
	uint8_t *bytes;
	size_t size;
};

/* length < 0: the header's own. */
static struct file make_file(const char *header, long long length, size_t data_bytes)
{
	size_t n = strlen(header);
	struct file f = {.size = 8 + n + data_bytes};
	uint64_t claimed = length < 0 ? n : (uint64_t)length;

	f.bytes = malloc(f.size);
	assert_non_null(f.bytes);
	for (int i = 0; i < 8; i++)
		f.bytes[i] = (uint8_t)(claimed >> 8 * i);
	memcpy(f.bytes + 8, header, n);
	memset(f.bytes + 8 + n, 0x5a, data_bytes);
	return f;
}

static void expect_refused(const char *header, long long length, size_t data_bytes, enum mote_status code,
			   const char *message_part)
{
	struct file f = make_file(header, length, data_bytes);
	struct mote_safetensors s;
	struct mote_error error = {0};
	enum mote_status status = mote_safetensors_parse(f.bytes, f.size, "x.safetensors", &s, &error);

	if (status != code || !strstr(error.message, message_part))
		fail_msg("header %s with %zu bytes of data: status %d, message \"%s\"; expected status %d and \"%s\"",
			 header, data_bytes, status, error.message, code, message_part);
	assert_null(s.header);
	assert_null(s.tensor);
	free(f.bytes);
}

static void test_accepts(void **state)
{
	/* data order differs from key order; a scalar, an empty tensor, trailing spaces, metadata */
	struct file f = make_file("{\"__metadata__\":{\"format\":\"pt\"},"
				  "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[12,16]},"
				  "\"a\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
				  "\"none\":{\"dtype\":\"F16\",\"shape\":[4,0],\"data_offsets\":[12,12]}}   ",
				  -1, 16);
	struct mote_safetensors s;
	struct mote_error error = {0};
	char shape[64];

	(void)state;
	assert_int_equal(mote_safetensors_parse(f.bytes, f.size, "x", &s, &error), MOTE_OK);
	assert_int_equal(s.tensors, 3);
	assert_string_equal(s.tensor[0].name, "a");
	assert_string_equal(s.tensor[0].dtype, "BF16");
	assert_int_equal(s.tensor[0].rank, 2);
	assert_int_equal(s.tensor[0].shape[1], 3);
	assert_int_equal(s.tensor[0].offset, f.size - 16);
	assert_string_equal(mote_safetensors_shape(&s.tensor[0], shape, sizeof shape), "[2, 3]");
	assert_string_equal(s.tensor[1].name, "none");
	assert_int_equal(s.tensor[1].bytes, 0);
	assert_string_equal(s.tensor[2].name, "b");
	assert_int_equal(s.tensor[2].rank, 0);
	assert_int_equal(s.tensor[2].offset, f.size - 4);
	mote_safetensors_free(&s);
	free(f.bytes);

	f = make_file("{}", -1, 0); /* no tensors: legal */
	assert_int_equal(mote_safetensors_parse(f.bytes, f.size, "x", &s, &error), MOTE_OK);
	assert_int_equal(s.tensors, 0);
	mote_safetensors_free(&s);
	free(f.bytes);
}

static void test_header_length(void **state)
{
	(void)state;
	expect_refused("{}", 3, 0, MOTE_ERROR_CORRUPT, "header of 3 bytes in a file of 10");
	expect_refused("{}", 100000001, 0, MOTE_ERROR_CORRUPT, "at most 100000000");
	expect_refused("{}", 0x7fffffffffffffff, 0, MOTE_ERROR_CORRUPT, "at most 100000000");
	expect_refused("{}", 0, 0, MOTE_ERROR_CORRUPT, "byte 8");
	expect_refused(" {}", -1, 0, MOTE_ERROR_CORRUPT, "byte 8");
	expect_refused("[]", -1, 0, MOTE_ERROR_CORRUPT, "byte 8");
	expect_refused("{} x", -1, 0, MOTE_ERROR_CORRUPT, "x.safetensors");
	expect_refused("{\"a\":", -1, 0, MOTE_ERROR_CORRUPT, "x.safetensors");
	for (size_t size = 0; size < 8; size++) {
		uint8_t *short_file = calloc(1, size + !size);
		struct mote_safetensors s;
		struct mote_error error = {0};

		assert_int_equal(mote_safetensors_parse(short_file, size, "x", &s, &error), MOTE_ERROR_CORRUPT);
		free(short_file);
	}
}

static void test_every_truncation(void **state)
{
	struct file f = make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
				  "\"b\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[12,16]}}", -1, 16);

	(void)state;
	for (size_t size = 0; size < f.size; size++) {
		uint8_t *cut = malloc(size + !size);
		struct mote_safetensors s;
		struct mote_error error = {0};

		assert_non_null(cut);
		memcpy(cut, f.bytes, size);
		assert_int_equal(mote_safetensors_parse(cut, size, "x", &s, &error), MOTE_ERROR_CORRUPT);
		free(cut);
	}
	free(f.bytes);
}

#define ONE(entry) "{\"t\":" entry "}"

static void test_entries(void **state)
{
	(void)state;
	expect_refused(ONE("7"), -1, 0, MOTE_ERROR_CORRUPT, "\"t\": expected an object");
	expect_refused(ONE("{\"shape\":[1],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT, "\"dtype\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT, "\"shape\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1]}"), -1, 4, MOTE_ERROR_CORRUPT, "\"data_offsets\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "\"shape\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "\"shape\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "\"shape\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "\"data_offsets\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "\"data_offsets\"");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "before it begins");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "truncated?");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_CORRUPT,
		       "take 8 bytes, its offsets span 4");
	expect_refused(ONE("{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}"), -1, 4, MOTE_ERROR_UNSUPPORTED,
		       "tensor \"t\": dtype F99");
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}"), -1, 4,
		       MOTE_ERROR_UNSUPPORTED, "9 dimensions");
}

static void test_overflow(void **state)
{
	(void)state;
	/* 2^32 * 2^32 elements wrap to none; 2^53 * 2^11 bytes wrap to none; beyond 2^53 is no integer here */
	expect_refused(ONE("{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}"), -1, 0,
		       MOTE_ERROR_CORRUPT, "overflows");
	expect_refused(ONE("{\"dtype\":\"F64\",\"shape\":[9007199254740992,256],\"data_offsets\":[0,0]}"), -1, 0,
		       MOTE_ERROR_CORRUPT, "overflows");
	expect_refused(ONE("{\"dtype\":\"U8\",\"shape\":[18446744073709551616],\"data_offsets\":[0,0]}"), -1, 0,
		       MOTE_ERROR_CORRUPT, "\"shape\"");
	expect_refused(ONE("{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[9007199254740992,9007199254740992]}"), -1,
		       4, MOTE_ERROR_CORRUPT, "truncated?");
}

#define PAIR(a, b) "{\"a\":{\"dtype\":\"U8\",\"shape\":" a "},\"b\":{\"dtype\":\"U8\",\"shape\":" b "}}"

static void test_cover(void **state)
{
	(void)state;
	expect_refused(PAIR("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[5,9]"), -1, 9, MOTE_ERROR_CORRUPT,
		       "a hole");
	expect_refused(PAIR("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[3,7]"), -1, 7, MOTE_ERROR_CORRUPT,
		       "they overlap");
	expect_refused(PAIR("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[0,4]"), -1, 4, MOTE_ERROR_CORRUPT,
		       "they overlap");
	expect_refused(PAIR("[4],\"data_offsets\":[1,5]", "[4],\"data_offsets\":[5,9]"), -1, 9, MOTE_ERROR_CORRUPT,
		       "a hole");
	expect_refused(PAIR("[4],\"data_offsets\":[0,4]", "[4],\"data_offsets\":[4,8]"), -1, 9, MOTE_ERROR_CORRUPT,
		       "1 bytes follow the last tensor");
	expect_refused(PAIR("[4],\"data_offsets\":[0,4]", "[0],\"data_offsets\":[2,2]"), -1, 4, MOTE_ERROR_CORRUPT,
		       "they overlap");
	expect_refused("{}", -1, 1, MOTE_ERROR_CORRUPT, "follow the last tensor");
}

static void test_json_rules(void **state)
{
	(void)state;
	expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
		       "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", -1, 0, MOTE_ERROR_CORRUPT,
		       "\"a\"");
	expect_refused(ONE("{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"), -1, 0,
		       MOTE_ERROR_CORRUPT, "dtype");
	expect_refused("{\"__metadata__\":[]}", -1, 0, MOTE_ERROR_CORRUPT, "__metadata__");
	expect_refused("{\"__metadata__\":{\"a\":1}}", -1, 0, MOTE_ERROR_CORRUPT, "\"a\" is no string");
	expect_refused("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", -1, 0, MOTE_ERROR_CORRUPT,
		       "x.safetensors");
	expect_refused("{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", -1, 0,
		       MOTE_ERROR_CORRUPT, "x.safetensors");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),	 cmocka_unit_test(test_header_length),
		cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_entries),
		cmocka_unit_test(test_overflow),      cmocka_unit_test(test_cover), cmocka_unit_test(test_json_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
