/* The container's writer: what is promised about the target (untouched until commit, never replaced without
 * force, nothing left behind), and stamping. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/tool/console.h"
#include "format/layout.h"
#include "format/writer.h"

static char folder[] = "/tmp/test_writer.XXXXXX";
static char target[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(target, sizeof target, "%s/model.mote", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* Names in the folder, and the temporary ones among them. */
static int count_files(int *temporary)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	int n = 0;

	*temporary = 0;
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			n++;
			*temporary += entry->d_name[0] == '.';
		}
	closedir(d);
	return n;
}

static void assert_files(int expected)
{
	int temporary;

	assert_int_equal(count_files(&temporary), expected);
	assert_int_equal(temporary, 0);
}

static void must(enum mote_status status, const struct mote_error *error)
{
	if (status != MOTE_OK)
		fail_msg("%s", error->message);
}

static void put_metadata(struct mote_writer *w, const char *text)
{
	struct mote_error error = {0};
	cJSON *json;

	must(mote_json_parse(text, strlen(text), "test", &json, &error), &error);
	must(mote_writer_put_json(w, MOTE_SECTION_METADATA, json, &error), &error);
	cJSON_Delete(json);
}

/* A writer with one vector written, finished. */
static struct mote_writer *small_file(const char *path, bool force)
{
	static const float vector[3] = {1, 2, 3};
	struct mote_error error = {0};
	struct mote_writer *w;

	must(mote_writer_open(path, force, &w, &error), &error);
	must(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 3, 1, NULL, &error), &error);
	must(mote_writer_write(w, vector, sizeof vector, &error), &error);
	put_metadata(w, "{\"n\":0.1}");
	must(mote_writer_finish(w, &error), &error);
	return w;
}

static void put_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static void assert_text(const char *path, const char *text)
{
	char *data;
	size_t bytes;

	assert_int_equal(mote_console_read_file(path, 1 << 20, &data, &bytes, NULL), MOTE_OK);
	assert_string_equal(data, text);
	free(data);
}

static void test_target_appears_at_commit(void **state)
{
	struct mote_writer *w = small_file(target, false);
	struct mote_error error = {0};
	struct mote_container *c;
	int temporary, files = count_files(&temporary);

	(void)state;
	assert_int_equal(files, temporary); /* none where the file system can do without a name */
	assert_true(temporary <= 1);
	assert_int_not_equal(access(target, F_OK), 0);
	must(mote_container_open(mote_writer_temp_path(w), &c, &error), &error);
	mote_container_close(c);
	put_metadata(w, "{\"longer\":\"than before, so that the second finish must move what follows\"}");
	assert_int_equal(mote_writer_commit(w, &error), MOTE_ERROR_ARGUMENT); /* changed since finish */
	assert_files(0);

	w = small_file(target, false);
	put_metadata(w, "{\"longer\":\"than before, so that the second finish must move what follows\"}");
	must(mote_writer_finish(w, &(struct mote_error){0}), &error);
	put_metadata(w, "{\"n\":2}");
	error = (struct mote_error){0};
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
	assert_files(1);
	must(mote_container_open(target, &c, &error), &error);
	assert_int_equal(mote_json_get(mote_container_metadata(c), "n")->valuedouble, 2);
	must(mote_container_verify(c, NULL, &error), &error);
	mote_container_close(c);
	unlink(target);
}

static void test_discard_leaves_nothing(void **state)
{
	(void)state;
	mote_writer_discard(small_file(target, false));
	assert_files(0);
	put_text(target, "old");
	mote_writer_discard(small_file(target, true));
	assert_text(target, "old");
	assert_files(1);
	unlink(target);
	mote_writer_discard(NULL);
}

static void test_never_overwrites_without_force(void **state)
{
	struct mote_error error = {0};
	struct mote_writer *w;

	(void)state;
	put_text(target, "precious");
	assert_int_equal(mote_writer_open(target, false, &w, &error), MOTE_ERROR_ARGUMENT);
	assert_null(w);
	assert_non_null(strstr(error.message, "exists"));
	unlink(target);

	w = small_file(target, false); /* it comes into being while we work */
	put_text(target, "precious");
	error = (struct mote_error){0};
	assert_int_equal(mote_writer_commit(w, &error), MOTE_ERROR_ARGUMENT);
	assert_text(target, "precious");
	assert_files(1);

	assert_int_equal(mote_writer_commit(small_file(target, true), NULL), MOTE_OK);
	assert_files(1);
	unlink(target);
}

static void test_modes(void **state)
{
	struct stat st;
	mode_t mask = umask(027);

	(void)state;
	assert_int_equal(mote_writer_commit(small_file(target, false), NULL), MOTE_OK);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640); /* as any new file */
	chmod(target, 0604);
	assert_int_equal(mote_writer_commit(small_file(target, true), NULL), MOTE_OK);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604); /* as the file that it replaces */
	umask(mask);
	unlink(target);
}

static void test_special_targets(void **state)
{
	char link[80], path[80];
	struct mote_writer *w;
	struct stat st;

	(void)state;
	/* --force is not a way to replace a device or a folder. */
	assert_int_equal(mote_writer_open("/dev/null", true, &w, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_open("/dev/full", true, &w, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_open(folder, true, &w, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_open("", true, &w, NULL), MOTE_ERROR_ARGUMENT);
	snprintf(path, sizeof path, "%s/", folder);
	assert_int_equal(mote_writer_open(path, false, &w, NULL), MOTE_ERROR_ARGUMENT);
	snprintf(path, sizeof path, "%s/none/model.mote", folder);
	assert_int_equal(mote_writer_open(path, false, &w, NULL), MOTE_ERROR_IO);

	/* Through a symbolic link: the file is replaced, the link stays. */
	snprintf(link, sizeof link, "%s/link", folder);
	put_text(target, "old");
	assert_int_equal(symlink("model.mote", link), 0);
	assert_int_equal(mote_writer_open(link, false, &w, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_commit(small_file(link, true), NULL), MOTE_OK);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(target, &st), 0);
	assert_true(st.st_size > 4096);
	unlink(target);
	assert_int_equal(mote_writer_open(link, false, &w, NULL), MOTE_ERROR_ARGUMENT); /* dangling, but there */
	assert_files(1);
	unlink(link);

	/* A name as long as a name can be. */
	memset(path, 0, sizeof path);
	char *longest = malloc(strlen(folder) + 257);
	sprintf(longest, "%s/", folder);
	memset(longest + strlen(folder) + 1, 'x', 255);
	longest[strlen(folder) + 256] = 0;
	assert_int_equal(mote_writer_commit(small_file(longest, false), NULL), MOTE_OK);
	unlink(longest);
	free(longest);
	assert_files(0);
}

/* The disk is full: a limit on file sizes does the same to write(). */
static void test_failed_write(void **state)
{
	struct rlimit old, limit;
	struct mote_error error = {0};
	struct mote_writer *w;
	static const char data[65536];
	enum mote_status status = MOTE_OK;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	must(mote_writer_open(target, false, &w, &error), &error);
	must(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 65536, 1, NULL, &error), &error);
	limit = (struct rlimit){100000, old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 4 && status == MOTE_OK; i++)
		status = mote_writer_write(w, data, sizeof data, &error);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(status, MOTE_ERROR_IO);
	assert_non_null(strstr(error.message, "cannot write: File too large"));
	mote_writer_discard(w);
	assert_files(0);
}

static void test_misuse(void **state)
{
	static const uint8_t data[512];
	struct mote_writer *w;
	struct mote_error error = {0};
	cJSON *object = cJSON_CreateObject(), *array = cJSON_CreateArray();
	char *text;

	(void)state;
	must(mote_writer_open(target, false, &w, &error), &error);
	assert_int_equal(mote_writer_write(w, data, 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_add_tensor(w, "", 1, MOTE_F32, 1, 1, NULL, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_writer_add_tensor(w, "a\nb", 1, MOTE_F32, 1, 1, NULL, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_writer_add_tensor(w, "\xff", 1, MOTE_F32, 1, 1, NULL, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_writer_add_tensor(w, "v", 1, MOTE_F16, 1, 1, NULL, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 1, 2, NULL, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_add_tensor(w, "v", 3, MOTE_F32, 1, 1, NULL, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_add_tensor(w, "v", 2, MOTE_F32, 0, 1, NULL, NULL), MOTE_ERROR_CORRUPT);
	assert_int_equal(mote_writer_add_tensor(w, "v", 2, MOTE_F32, 1, UINT64_MAX, NULL, NULL), MOTE_ERROR_CORRUPT);
	must(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 2, 1, NULL, &error), &error);
	must(mote_writer_add_tensor(w, "v", 1, MOTE_F32, 2, 1, NULL, &error), &error);
	assert_int_equal(mote_writer_set_codebook(w, 0, data, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_set_codebook(w, 2, data, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_write(w, data, 9, NULL), MOTE_ERROR_ARGUMENT); /* across the end */
	must(mote_writer_write(w, data, 8, &error), &error);
	assert_int_equal(mote_writer_finish(w, &error), MOTE_ERROR_ARGUMENT);
	assert_non_null(strstr(error.message, "tensor \"v\" is not written")); /* the second */
	error = (struct mote_error){0};
	must(mote_writer_write(w, data, 8, &error), &error);
	assert_int_equal(mote_writer_write(w, data, 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_finish(w, NULL), MOTE_ERROR_ARGUMENT); /* no metadata */
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_METADATA, array, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_RECEIPTS, object, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_TOKENIZER, object, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_put_section(w, MOTE_SECTION_METADATA, data, 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_put_section(w, MOTE_SECTION_TENSORS, data, 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, data, 0, NULL), MOTE_ERROR_ARGUMENT);
	text = malloc((4 << 20) + 1);
	memset(text, 'x', 4 << 20);
	text[4 << 20] = 0;
	cJSON_AddStringToObject(object, "long", text);
	free(text);
	assert_int_equal(mote_writer_put_json(w, MOTE_SECTION_METADATA, object, NULL), MOTE_ERROR_LIMIT);
	put_metadata(w, "{}");
	assert_int_equal(mote_writer_finish(w, NULL), MOTE_ERROR_CORRUPT); /* two of a name */
	mote_writer_discard(w);
	assert_files(0);
	cJSON_Delete(object);
	cJSON_Delete(array);
}

/* As --vocab-only makes: no tensors at all. */
static void test_no_tensors(void **state)
{
	struct mote_writer *w;
	struct mote_container *c;
	struct mote_error error = {0};
	uint64_t offset, bytes;

	(void)state;
	must(mote_writer_open(target, false, &w, &error), &error);
	put_metadata(w, "{}");
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
	must(mote_container_open(target, &c, &error), &error);
	assert_int_equal(mote_container_tensor_count(c), 0);
	assert_null(mote_container_find(c, "x"));
	mote_container_data_range(c, &offset, &bytes);
	assert_int_equal(bytes, 0);
	must(mote_container_verify(c, NULL, &error), &error);
	mote_container_close(c);
	unlink(target);
}

static void test_same_bytes(void **state)
{
	char other[80], *a, *b;
	size_t a_bytes, b_bytes;

	(void)state;
	snprintf(other, sizeof other, "%s/other.mote", folder);
	assert_int_equal(mote_writer_commit(small_file(target, false), NULL), MOTE_OK);
	assert_int_equal(mote_writer_commit(small_file(other, false), NULL), MOTE_OK);
	mote_console_read_file(target, 1 << 20, &a, &a_bytes, NULL);
	mote_console_read_file(other, 1 << 20, &b, &b_bytes, NULL);
	assert_int_equal(a_bytes, b_bytes);
	assert_memory_equal(a, b, a_bytes);
	free(a);
	free(b);
	unlink(target);
	unlink(other);
}

static void test_stamp(void **state)
{
	uint8_t codebook[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3}, data[320];
	struct mote_error error = {0};
	struct mote_container *c;
	struct mote_writer *w;
	struct mote_hash128 hash, again;
	cJSON *array = cJSON_CreateArray();
	FILE *f;

	(void)state;
	memset(data, 5, sizeof data);
	must(mote_writer_open(target, false, &w, &error), &error);
	must(mote_writer_add_tensor(w, "m", 2, MOTE_Q4, 2, 2, NULL, &error), &error);
	must(mote_writer_add_tensor(w, "n", 2, MOTE_Q3, 2, 2, NULL, &error), &error);
	must(mote_writer_write(w, data, sizeof data, &error), &error);
	must(mote_writer_write(w, data, 256, &error), &error);
	must(mote_writer_set_codebook(w, 0, codebook, &error), &error);
	must(mote_writer_set_codebook(w, 1, codebook, &error), &error); /* the first 8 */
	must(mote_writer_put_section(w, MOTE_SECTION_TOKENIZER, "tok", 3, &error), &error);
	put_metadata(w, "{\"n\":12345678901234567890}");
	must(mote_writer_finish(w, &error), &error);
	must(mote_writer_commit(w, &error), &error);
	must(mote_container_open(target, &c, &error), &error);
	hash = mote_container_tensors_hash(c);
	mote_container_close(c);

	cJSON_AddItemToArray(array, cJSON_CreateString("one"));
	for (int i = 1; i <= 2; i++) { /* stored, then replaced */
		size_t bytes;

		must(mote_container_stamp(target, MOTE_SECTION_RECEIPTS, array, &error), &error);
		must(mote_container_open(target, &c, &error), &error);
		must(mote_container_verify(c, NULL, &error), &error);
		assert_int_equal(cJSON_GetArraySize(mote_container_receipts(c)), i);
		again = mote_container_tensors_hash(c);
		assert_true(again.low == hash.low && again.high == hash.high);
		assert_memory_equal(mote_container_tensor(c, 0)->matrix.codebook, codebook, 16);
		assert_memory_equal(mote_container_tensor(c, 1)->matrix.codebook, codebook, 8);
		assert_memory_equal(mote_container_tensor(c, 0)->matrix.data, data, sizeof data);
		assert_memory_equal(mote_container_section(c, MOTE_SECTION_TOKENIZER, &bytes), "tok", 3);
		assert_string_equal(mote_json_get(mote_container_metadata(c), "n")->valuestring,
				    "12345678901234567890");
		mote_container_close(c);
		cJSON_AddItemToArray(array, cJSON_CreateString("two"));
	}

	/* Stamping must not give damaged tensors new checksums. */
	f = fopen(target, "r+");
	fseek(f, 4096 + 100, SEEK_SET);
	fputc(77, f);
	fclose(f);
	assert_int_equal(mote_container_stamp(target, MOTE_SECTION_RECEIPTS, array, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "tensor \"m\": checksum"));
	must(mote_container_open(target, &c, NULL), &error);
	assert_int_equal(cJSON_GetArraySize(mote_container_receipts(c)), 2);
	mote_container_close(c);
	assert_files(1);
	unlink(target);
	cJSON_Delete(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_appears_at_commit), cmocka_unit_test(test_discard_leaves_nothing),
		cmocka_unit_test(test_never_overwrites_without_force), cmocka_unit_test(test_modes),
		cmocka_unit_test(test_special_targets),	 cmocka_unit_test(test_failed_write),
		cmocka_unit_test(test_misuse),		 cmocka_unit_test(test_no_tensors),
		cmocka_unit_test(test_same_bytes),	 cmocka_unit_test(test_stamp),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
