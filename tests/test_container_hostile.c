/* Containers whose checksums are right but whose contents are hostile: fields, names, padding, holes, sections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "tests/container_sample.h"

/* One hostile change each; checksums are made right afterwards. Offsets are of fields in their records. */
static const struct hostile {
	const char *name;
	enum where where;
	size_t at, bytes;
	uint64_t value;
	const char *message; /* a part of it */
	bool unsupported;
} hostile[] = {
	{"file size + 1", HEADER, 16, 8, 0, "bytes long", false}, /* value 0: as good as any wrong one */
	{"no sections", HEADER, 12, 4, 0, "number of sections", false},
	{"65 sections", HEADER, 12, 4, 65, "number of sections", false},
	{"2^32-1 sections", HEADER, 12, 4, UINT32_MAX, "number of sections", false},
	{"4 of 5 sections", HEADER, 12, 4, 4, "section table", false},
	{"table at 0", HEADER, 24, 8, 0, "section table", false},
	{"table that wraps", HEADER, 24, 8, UINT64_MAX - 63, "section table", false},
	{"table size that wraps", HEADER, 32, 8, UINT64_MAX - 47, "section table", false},
	{"not zero behind the header", FILE_AT, 64, 1, 1, "padding behind the header", false},
	{"not zero before the data", FILE_AT, 4095, 1, 1, "padding behind the header", false},
	{"not zero between tensors", FILE_AT, 4096 + 20, 1, 1, "before a tensor", false},
	{"not zero at the next tensor", FILE_AT, 4096 + 63, 1, 1, "before a tensor", false},

	{"no tensors but data", DIRECTORY, 0, 4, 0, "more bytes, expected the end", false},
	{"one tensor less", DIRECTORY, 0, 4, 4, "name of tensor 0", false},
	{"one tensor more", DIRECTORY, 0, 4, 6, "tensor directory", false},
	{"2^32-1 tensors", DIRECTORY, 0, 4, UINT32_MAX, "entries", false},
	{"tensors that wrap 32 bits", DIRECTORY, 0, 4, 0x10000000, "entries", false},
	{"reserved field of the directory", DIRECTORY, 4, 4, 1, "reserved", false},

	{"tensor at 0", TENSOR_0, 0, 8, 0, "expected at 4096", false},
	{"hole before the first tensor", TENSOR_0, 0, 8, 4160, "expected at 4096", false},
	{"unaligned tensor", TENSOR_1, 0, 8, 4097, "expected at 4160", false},
	{"overlapping tensor", TENSOR_1, 0, 8, 4096, "expected at 4160", false},
	{"hole before a tensor", TENSOR_1, 0, 8, 4224, "expected at 4160", false},
	{"tensor beyond the file", TENSOR_1, 0, 8, 1 << 20, "expected at 4160", false},
	{"tensor offset that wraps", TENSOR_1, 0, 8, UINT64_MAX - 63, "expected at 4160", false},
	{"tensor offset that wraps by one", TENSOR_1, 0, 8, UINT64_MAX, "expected at 4160", false},
	{"tensor size too small", TENSOR_1, 8, 8, 64, "size", false},
	{"tensor size 0", TENSOR_1, 8, 8, 0, "size", false},
	{"tensor size that wraps", TENSOR_1, 8, 8, UINT64_MAX, "size", false},
	{"codebook of an f32", TENSOR_0, 32, 1, 1, "codebook", false},
	{"type 0", TENSOR_1, 48, 4, 0, "type number 0", true},
	{"type 21", TENSOR_1, 48, 4, 21, "type number 21", true},
	{"type 2^32-1", TENSOR_1, 48, 4, UINT32_MAX, "type number 4294967295", true},
	{"another type", TENSOR_1, 48, 4, MOTE_Q8, "codebook", false},
	{"q3 with 16 entries in its codebook", TENSOR_1, 48, 4, MOTE_Q3, "byte 8 of its codebook", false},
	{"rank 0", TENSOR_1, 52, 4, 0, "rank", false},
	{"rank 3", TENSOR_1, 52, 4, 3, "rank", false},
	{"vector of q4", TENSOR_1, 52, 4, 1, "vector", false},
	{"vector with columns", TENSOR_0, 60, 4, 2, "vector", false},
	{"vector of no rows", TENSOR_0, 56, 4, 0, "vector", false},
	{"vector of 2^32-1 rows", TENSOR_0, 56, 4, UINT32_MAX, "vector", false},
	{"vector of 2^30 + 5 rows, times 4 wraps 32 bits", TENSOR_0, 56, 4, 0x40000005, "vector", false},
	{"matrix of no rows", TENSOR_1, 56, 4, 0, "matrix of 0", false},
	{"matrix of no columns", TENSOR_1, 60, 4, 0, "x 0", false},
	{"matrix of 2^32-1 rows", TENSOR_1, 56, 4, UINT32_MAX, "matrix of", false},
	{"matrix of 2^32-1 columns", TENSOR_1, 60, 4, UINT32_MAX, "matrix of", false},
	{"matrix of 2^24 rows", TENSOR_1, 56, 4, 1 << 24, "size", false},
	{"rows that need another panel", TENSOR_1, 56, 4, 33, "size", false},
	{"columns that need another block", TENSOR_1, 60, 4, 65, "size", false},
	{"last tensor beyond the data", TENSOR_4, 56, 4, 1000, "size", false},
	{"empty name", TENSOR_1, 64, 4, 0, "name of tensor 1", false},
	{"name of 256 bytes", TENSOR_1, 64, 4, 256, "name", false},
	{"name of 2^32-1 bytes", TENSOR_1, 64, 4, UINT32_MAX, "name", false},
	{"short name", TENSOR_1, 64, 4, 7, "name of tensor 1", false},
	{"reserved field of a tensor", TENSOR_1, 68, 4, 1, "reserved", false},
	{"NUL in a name", NAMES, 1, 1, 0, "name of tensor 0", false},
	{"control character in a name", NAMES, 1, 1, 0x1b, "name of tensor 0", false},
	{"invalid UTF-8 in a name", NAMES, 1, 1, 0xff, "name of tensor 0", false},
	{"name not ended", NAMES, 4, 1, 'x', "name of tensor 0", false},

	{"section at 0", SECTION_0, 8, 8, 0, "expected aligned, between 4096", false},
	{"unaligned section", SECTION_2, 8, 8, 4161, "expected aligned, between 4096", false},
	{"section offset that wraps", SECTION_2, 8, 8, UINT64_MAX - 63, "expected aligned, between 4096", false},
	{"section size that wraps", SECTION_2, 16, 8, UINT64_MAX, "expected aligned, between 4096", false},
	{"empty section", SECTION_2, 16, 8, 0, "expected aligned, between 4096", false},
	{"section that overlaps", SECTION_2, 8, 8, 4096, "directly behind", false},
	{"raw size of a section that is not compressed", SECTION_2, 24, 8, 7, "not compressed", false},
	{"two sections of a kind", SECTION_2, 0, 4, 2, "ascending", false},
	{"descending kinds", SECTION_3, 0, 4, 1, "ascending", false},
	{"no tensor directory", SECTION_0, 0, 4, 0, "", true},
	{"must-understand section", SECTION_4, 0, 8, 77 | (uint64_t)2 << 32, "section kind 77", true},
	{"unknown flag", SECTION_4, 0, 8, 77 | (uint64_t)5 << 32, "flags", true},
	{"metadata that may be skipped", SECTION_1, 4, 4, 3, "flags", true},
	{"metadata that are not compressed", SECTION_1, 4, 4, 0, "flags", true},
	{"tokenizer that is compressed", SECTION_2, 4, 4, 2, "flags", true},
	{"JSON of 0 bytes", SECTION_1, 24, 8, 0, "raw size", false},
	{"JSON of 2^64-1 bytes", SECTION_1, 24, 8, UINT64_MAX, "raw size", false},
	{"JSON of 4 MiB and a byte", SECTION_1, 24, 8, (4 << 20) + 1, "raw size", false},
	{"JSON smaller than declared", SECTION_1, 24, 8, 4 << 20, "does not decompress", false},
	{"JSON larger than declared", SECTION_1, 24, 8, 5, "does not decompress", false},
	{"JSON frame that is cut", SECTION_4, 16, 8, 20, "", false},
};

static void test_hostile_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		const struct hostile *x = hostile + i;
		struct file f = copy_sample();
		struct mote_error error = {0};
		enum mote_status status;

		memcpy(place(&f, x->where) + x->at, &x->value, x->bytes);
		seal_container(f.data, f.bytes);
		status = open_exactly(f.data, f.bytes, &error);
		if (status != (x->unsupported ? MOTE_ERROR_UNSUPPORTED : MOTE_ERROR_CORRUPT) ||
		    !strstr(error.message, x->message))
			fail_msg("%s: status %d, \"%s\", expected \"...%s...\"", x->name, status, error.message,
				 x->message);
		free(f.data);
	}
}

static void test_duplicate_names(void **state)
{
	struct file f = copy_sample();
	struct mote_error error = {0};
	uint8_t *names = place(&f, NAMES);

	(void)state;
	memcpy(strchr((char *)names, 0) + 1, "b", 1); /* a.weight becomes b.weight */
	seal_container(f.data, f.bytes);
	assert_int_equal(open_exactly(f.data, f.bytes, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "two tensors have the name \"b.weight\""));
	free(f.data);
}

/* Padding between sections and before the table is zero, too. */
static void test_section_padding(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct file f = copy_sample();
		struct mote_layout_section s;

		memcpy(&s, place(&f, SECTION_0) + i * 48, sizeof s);
		assert_true((s.offset + s.stored_bytes) % 64 != 0);
		f.data[s.offset + s.stored_bytes] = 1;
		seal_container(f.data, f.bytes);
		assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
		free(f.data);
	}
}

/* 64 zeros too many before a part that begins at a multiple of 64, every offset and checksum right. */
static struct file with_hole(uint64_t at)
{
	struct file f = {calloc(1, sample.bytes + 64), sample.bytes + 64};
	struct mote_layout_header h;

	memcpy(f.data, sample.data, at);
	memcpy(f.data + at + 64, sample.data + at, sample.bytes - at);
	memcpy(&h, f.data, sizeof h);
	h.file_bytes += 64;
	h.table_offset += 64;
	memcpy(f.data, &h, sizeof h);
	for (uint32_t i = 0; i < h.sections; i++) {
		uint8_t *offset = f.data + h.table_offset + i * 48 + 8;
		uint64_t moved;

		memcpy(&moved, offset, 8);
		if (moved >= at)
			moved += 64;
		memcpy(offset, &moved, 8);
	}
	seal_container(f.data, f.bytes);
	return f;
}

static void test_holes(void **state)
{
	static const char *const messages[] = { "tensors end at", "kind 2: found at", "kind 3: found at",
						"kind 4: found at", "kind 5: found at", "section table: byte" };
	struct mote_layout_section s;
	struct mote_layout_header h;

	(void)state;
	memcpy(&h, sample.data, sizeof h);
	for (int i = 0; i <= 5; i++) {
		struct mote_error error = {0};
		struct file f;

		memcpy(&s, place(&sample, SECTION_0) + (i < 5 ? i : 0) * 48, sizeof s);
		f = with_hole(i < 5 ? s.offset : h.table_offset);
		assert_int_equal(open_exactly(f.data, f.bytes, &error), MOTE_ERROR_CORRUPT);
		if (!strstr(error.message, messages[i]))
			fail_msg("%s", error.message);
		free(f.data);
	}
}

/* A second frame behind the first, even one that holds nothing, is not part of the format. */
static void test_second_frame(void **state)
{
	static const uint8_t skippable[8] = {0x50, 0x2a, 0x4d, 0x18};
	struct file f = copy_sample();
	struct mote_layout_section s;
	struct mote_error error = {0};

	(void)state;
	memcpy(&s, place(&f, SECTION_4), sizeof s);
	assert_true(s.stored_bytes % 64 <= 56);
	memcpy(f.data + s.offset + s.stored_bytes, skippable, 8);
	s.stored_bytes += 8;
	memcpy(place(&f, SECTION_4), &s, sizeof s);
	seal_container(f.data, f.bytes);
	assert_int_equal(open_exactly(f.data, f.bytes, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "one whole zstd frame"));
	free(f.data);
}

/* An unknown section that may be skipped is skipped, but its checksum counts. */
static void test_unknown_section(void **state)
{
	struct file f = copy_sample();
	uint64_t kind = 77 | (uint64_t)MOTE_SECTION_MAY_SKIP << 32, raw;
	struct mote_error error = {0};

	(void)state;
	memcpy(place(&f, SECTION_4), &kind, 8);
	memcpy(&raw, place(&f, SECTION_4) + 16, 8);
	memcpy(place(&f, SECTION_4) + 24, &raw, 8); /* not compressed: raw as stored */
	seal_container(f.data, f.bytes);
	must(open_exactly(f.data, f.bytes, &error), &error);
	memcpy(&raw, place(&f, SECTION_4) + 8, 8);
	f.data[raw] ^= 1;
	assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
	memset(place(&f, SECTION_4) + 4, 0, 4); /* no flags: it must be understood */
	seal_container(f.data, f.bytes);
	assert_int_equal(open_exactly(f.data, f.bytes, &error), MOTE_ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "section kind 77 must be understood"));
	free(f.data);
}

/* The sample with other sensitivities, the file's last section, of so many values. */
static struct file with_values(size_t values)
{
	struct mote_layout_section s;
	struct mote_layout_header h;
	struct file file = {malloc(sample.bytes + 65536), 0};
	size_t raw = 7, table, last;
	char *text = malloc(2 * values + 16);

	memcpy(text, "{\"r\":[1", raw); /* three: the object, the list, and a number */
	for (size_t i = 3; i < values; i++, raw += 2)
		memcpy(text + raw, ",1", 2);
	memcpy(text + raw, "]}", 2);
	raw += 2;
	memcpy(&h, sample.data, sizeof h);
	last = h.table_offset + h.table_bytes - sizeof s;
	memcpy(&s, sample.data + last, sizeof s);
	assert_int_equal(s.kind, MOTE_SECTION_SENSITIVITY);
	memset(file.data, 0, sample.bytes + 65536);
	memcpy(file.data, sample.data, s.offset);
	s.raw_bytes = raw;
	s.stored_bytes = ZSTD_compress(file.data + s.offset, 60000, text, raw, 19);
	assert_false(ZSTD_isError(s.stored_bytes));
	table = (s.offset + s.stored_bytes + 63) / 64 * 64;
	memcpy(file.data + table, sample.data + h.table_offset, h.table_bytes);
	memcpy(file.data + table + h.table_bytes - sizeof s, &s, sizeof s);
	h.table_offset = table;
	h.file_bytes = file.bytes = table + h.table_bytes;
	memcpy(file.data, &h, sizeof h);
	seal_container(file.data, file.bytes);
	free(text);
	return file;
}

/* Kilobytes of compressed JSON cannot become hundreds of megabytes. */
static void test_values(void **state)
{
	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct file file = with_values(MOTE_LAYOUT_MAX_SENSITIVITY_VALUES + more);
		struct mote_container *c;
		struct mote_error error = {0};
		enum mote_status status = mote_container_open_memory(file.data, file.bytes, "file", &c, &error);

		assert_true(file.bytes < sample.bytes + 1024);
		if (more) {
			assert_int_equal(status, MOTE_ERROR_LIMIT);
			assert_non_null(strstr(error.message, "sensitivities"));
			assert_non_null(strstr(error.message, "more than 131072 values"));
		} else {
			must(status, &error);
		}
		mote_container_close(c);
		free(file.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_fields), cmocka_unit_test(test_duplicate_names),
		cmocka_unit_test(test_section_padding), cmocka_unit_test(test_unknown_section),
		cmocka_unit_test(test_holes), cmocka_unit_test(test_second_frame), cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, make_sample, remove_folder);
}
