/* The container's reader: what it gives of a good file, and damage: cut at every length, every byte changed. Files
 * whose checksums are right but whose contents are hostile: test_container_hostile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/container_sample.h"

static bool refused(enum mote_status status)
{
	return status == MOTE_ERROR_CORRUPT || status == MOTE_ERROR_UNSUPPORTED;
}

static void test_reads_back(void **state)
{
	struct mote_error error = {0};
	struct mote_container *c;
	const struct mote_tensor *t;
	uint64_t offset, bytes;
	size_t n;
	void *copy;
	float row[33];

	(void)state;
	assert_int_equal(posix_memalign(&copy, 64, sample.bytes), 0);
	memcpy(copy, sample.data, sample.bytes);
	must(mote_container_open_memory(copy, sample.bytes, "name", &c, &error), &error);
	assert_string_equal(mote_container_path(c), "name");
	assert_int_equal(mote_container_fd(c), -1);
	assert_int_equal(mote_container_file_bytes(c), sample.bytes);
	assert_int_equal(mote_container_tensor_count(c), 5);
	assert_null(mote_container_find(c, "none"));
	assert_null(mote_container_find(c, ""));
	t = mote_container_find(c, "norm");
	assert_ptr_equal(t, mote_container_tensor(c, 0));
	assert_true(t->rank == 1 && t->rows == 5 && t->cols == 1 && t->type == MOTE_F32 && t->bytes == 20);
	assert_int_equal(t->offset, 4096);
	assert_int_equal(((const uint8_t *)t->vector)[3], 21);
	t = mote_container_find(c, "a.weight");
	assert_true(t->rank == 2 && t->rows == 17 && t->cols == 33 && t->matrix.codebook[1] == 20);
	assert_int_equal(t->offset, 4096 + 64); /* behind 20 bytes and padding */
	assert_int_equal((uintptr_t)t->matrix.data % 64, 0);
	mote_matrix_decode_row(&t->matrix, 16, row);
	t = mote_container_find(c, "\xc3\xbc");
	assert_true(t->type == MOTE_F16 && t->rows == 1 && t->cols == 3);
	mote_container_data_range(c, &offset, &bytes);
	assert_int_equal(offset, 4096);
	assert_true(bytes % 64 == 0 && offset + bytes > mote_container_tensor(c, 4)->offset);
	assert_memory_equal(mote_container_section(c, MOTE_SECTION_TOKENIZER, &n), "tokens", 6);
	assert_int_equal(n, 6);
	assert_string_equal(mote_json_get(mote_container_metadata(c), "format")->valuestring, "mote");
	assert_int_equal(cJSON_GetArraySize(mote_container_receipts(c)), 1);
	assert_int_equal(cJSON_GetArraySize(mote_json_get(mote_container_sensitivity(c), "list")), 3);
	must(mote_container_verify(c, NULL, &error), &error);
	mote_container_close(c);
	free(copy);
	mote_container_close(NULL);
}

static void test_every_truncated_length(void **state)
{
	(void)state;
	for (size_t bytes = 0; bytes < sample.bytes; bytes++) {
		struct mote_error error = {0};
		enum mote_status status = open_exactly(sample.data, bytes, &error);

		if (status != MOTE_ERROR_CORRUPT || strncmp(error.message, "test: ", 6) != 0)
			fail_msg("cut to %zu bytes: status %d, \"%s\"", bytes, status, error.message);
	}
	must(open_exactly(sample.data, sample.bytes, NULL), &(struct mote_error){0});
}

/* Truncated files whose header agrees with their length: found by the table that is not there. */
static void test_every_truncated_length_sealed(void **state)
{
	(void)state;
	for (size_t bytes = 64; bytes < sample.bytes; bytes += 13) {
		struct file f = copy_sample();
		uint64_t length = bytes;

		memcpy(f.data + 16, &length, 8);
		seal_header(f.data);
		assert_true(refused(open_exactly(f.data, bytes, NULL)));
		free(f.data);
	}
}

static void test_extra_byte(void **state)
{
	struct file f = {malloc(sample.bytes + 1), sample.bytes + 1};

	(void)state;
	memcpy(f.data, sample.data, sample.bytes);
	f.data[sample.bytes] = 0;
	assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
	memcpy(f.data + 16, &(uint64_t){f.bytes}, 8); /* also when the header knows about it */
	seal_container(f.data, f.bytes);
	assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
	free(f.data);
}

static void test_bad_header_and_future_version(void **state)
{
	struct file f = copy_sample();
	struct mote_error error = {0};

	(void)state;
	f.data[8] = 2; /* without a checksum it is damage, */
	assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
	seal_container(f.data, f.bytes); /* with it another version */
	assert_int_equal(open_exactly(f.data, f.bytes, &error), MOTE_ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "version: found 2"));
	free(f.data);
	f = copy_sample();
	memcpy(f.data, "GGUF", 4);
	seal_container(f.data, f.bytes);
	assert_int_equal(open_exactly(f.data, f.bytes, NULL), MOTE_ERROR_CORRUPT);
	free(f.data);
}

/* Every bit of the file is covered: opening refuses what is not tensor data, verify finds the rest. */
static void test_every_changed_byte(void **state)
{
	static const uint8_t changes[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
	struct mote_container *c;
	uint8_t *data;
	void *memory;
	uint64_t covered = 0, offset, data_bytes;

	(void)state;
	assert_int_equal(posix_memalign(&memory, 64, sample.bytes), 0);
	data = memory;
	for (size_t k = 0; k < sizeof changes; k++)
		for (size_t i = 0; i < sample.bytes; i++) {
			struct mote_error error = {0};

			memcpy(data, sample.data, sample.bytes);
			data[i] ^= changes[k];
			if (mote_container_open_memory(data, sample.bytes, "test", &c, &error) == MOTE_OK) {
				mote_container_data_range(c, &offset, &data_bytes);
				if (i < offset || i >= offset + data_bytes)
					fail_msg("byte %zu changed by %02x: opened", i, changes[k]);
				if (mote_container_verify(c, NULL, &error) != MOTE_ERROR_CORRUPT)
					fail_msg("byte %zu changed by %02x: verified", i, changes[k]);
				covered++;
			} else {
				assert_true(refused(error.code));
			}
			mote_container_close(c);
		}
	assert_true(covered > 0);
	free(memory);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
	assert_true(done <= total);
	++*(int *)user;
	return false;
}

static void test_verify_can_be_interrupted(void **state)
{
	struct mote_container *c;
	int calls = 0;
	struct mote_progress progress = {stop, &calls};
	void *copy;

	(void)state;
	assert_int_equal(posix_memalign(&copy, 64, sample.bytes), 0);
	memcpy(copy, sample.data, sample.bytes);
	assert_int_equal(mote_container_open_memory(copy, sample.bytes, "t", &c, NULL), MOTE_OK);
	assert_int_equal(mote_container_verify(c, &progress, NULL), MOTE_ERROR_INTERRUPTED);
	assert_int_equal(calls, 1);
	mote_container_close(c);
	free(copy);
}

static bool watch(void *user, uint64_t done, uint64_t total)
{
	uint64_t *before = user;

	assert_true(done > *before && done <= total);
	*before = done;
	return true;
}

/* A tensor of more bytes than verify takes at once: all of them count, and the last call tells that all is done. */
static void test_verify_in_pieces(void **state)
{
	enum { ROWS = 5 << 18, BYTES = 4 * ROWS };
	static const size_t places[] = {0, (4 << 20) - 1, 4 << 20, BYTES - 1};
	struct mote_error error = {0};
	uint64_t done = 0, offset, all;
	struct mote_container *c;
	struct mote_writer *w;
	char path[64];
	uint8_t *data = calloc(1, BYTES);
	cJSON *json;
	FILE *file;

	(void)state;
	assert_non_null(data);
	snprintf(path, sizeof path, "%s/pieces.mote", folder);
	must(mote_writer_open(path, true, &w, &error), &error);
	must(mote_writer_add_tensor(w, "t", 1, MOTE_F32, ROWS, 1, NULL, &error), &error);
	must(mote_writer_write(w, data, BYTES, &error), &error);
	free(data);
	json = cJSON_CreateObject();
	must(mote_writer_put_json(w, MOTE_SECTION_METADATA, json, &error), &error);
	cJSON_Delete(json);
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
	must(mote_container_open(path, &c, &error), &error);
	must(mote_container_verify(c, &(struct mote_progress){watch, &done}, &error), &error);
	mote_container_data_range(c, &offset, &all);
	assert_int_equal(done, all);
	file = fopen(path, "r+b");
	assert_non_null(file);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		for (int byte = 1; byte >= 0; byte--) { /* changed, then as it was */
			fseek(file, (long)(offset + places[i]), SEEK_SET);
			fputc(byte, file);
			fflush(file);
			assert_int_equal(mote_container_verify(c, NULL, NULL), byte ? MOTE_ERROR_CORRUPT : MOTE_OK);
		}
	}
	fclose(file);
	mote_container_close(c);
	unlink(path);
}

/* The hash that receipts name: depends on what the tensors are, not on where they lie. */
static void test_tensors_hash(void **state)
{
	static const struct { size_t at; bool counts; } fields[] = {{16, true}, {31, true}, {32, true}, {47, true}};
	struct mote_hash128 good, changed;
	struct mote_container *c;
	void *copy;

	(void)state;
	assert_int_equal(posix_memalign(&copy, 64, sample.bytes), 0);
	memcpy(copy, sample.data, sample.bytes);
	assert_int_equal(mote_container_open_memory(copy, sample.bytes, "t", &c, NULL), MOTE_OK);
	good = mote_container_tensors_hash(c);
	mote_container_close(c);
	for (size_t i = 0; i < 5; i++) {
		struct file f = {copy, sample.bytes};

		memcpy(copy, sample.data, sample.bytes);
		if (i < 4)
			place(&f, TENSOR_1)[fields[i].at] ^= 1;
		else
			place(&f, NAMES)[0] ^= 1;
		seal_container(f.data, f.bytes);
		assert_int_equal(mote_container_open_memory(copy, sample.bytes, "t", &c, NULL), MOTE_OK);
		changed = mote_container_tensors_hash(c);
		assert_true(changed.low != good.low && changed.high != good.high);
		mote_container_close(c);
	}
	free(copy);
}

static void test_paths(void **state)
{
	char path[64];
	struct mote_container *c;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(mote_container_open("/does/not/exist.mote", &c, &error), MOTE_ERROR_IO);
	assert_null(c);
	assert_non_null(strstr(error.message, "/does/not/exist.mote"));
	assert_int_equal(mote_container_open(folder, &c, NULL), MOTE_ERROR_IO);
	assert_int_equal(mote_container_open("/dev/null", &c, NULL), MOTE_ERROR_IO);
	snprintf(path, sizeof path, "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
	assert_int_equal(mote_container_open(path, &c, NULL), MOTE_ERROR_IO);
	unlink(path);
	fclose(fopen(path, "w"));
	assert_int_equal(mote_container_open(path, &c, NULL), MOTE_ERROR_CORRUPT);
	unlink(path);
	write_sample(path);
	must(mote_container_open(path, &c, &error), &error);
	assert_true(mote_container_fd(c) >= 0);
	must(mote_container_verify(c, NULL, &error), &error);
	mote_container_close(c);
	unlink(path);
}

/* What could not be read is not written. */
static void test_values_written(void **state)
{
	char path[64];
	struct mote_error error = {0};
	struct mote_writer *w;
	cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "r");

	(void)state;
	for (size_t i = 2; i < MOTE_LAYOUT_MAX_METADATA_VALUES; i++)
		cJSON_AddItemToArray(list, cJSON_CreateNumber(1));
	snprintf(path, sizeof path, "%s/values", folder);
	must(mote_writer_open(path, true, &w, &error), &error);
	must(mote_writer_put_json(w, MOTE_SECTION_METADATA, json, &error), &error);
	cJSON_AddItemToArray(list, cJSON_CreateNumber(1));
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_METADATA, json, &error), MOTE_ERROR_LIMIT);
	mote_writer_discard(w);
	cJSON_Delete(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_written), cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_every_truncated_length), cmocka_unit_test(test_every_truncated_length_sealed),
		cmocka_unit_test(test_extra_byte), cmocka_unit_test(test_bad_header_and_future_version),
		cmocka_unit_test(test_every_changed_byte), cmocka_unit_test(test_verify_can_be_interrupted),
		cmocka_unit_test(test_verify_in_pieces), cmocka_unit_test(test_tensors_hash),
		cmocka_unit_test(test_paths),
	};
	return cmocka_run_group_tests(tests, make_sample, remove_folder);
}
