/* Parts of a measurement: computed, stored, read again at every size that the reader's room has a step at, and refused
 * when a byte is missing or changed; the shards that a text names; a run in parts that is stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quant/team/share.h"

static char folder[] = "/tmp/test_part_XXXXXX", path[64], other[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/a", folder);
	snprintf(other, sizeof other, "%s/b", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(folder);
}

static void test_shards(void **state)
{
	static const char *const wrong[] = {"", "1", "/", "1/", "/2", "0/2", "3/2", "0/0", "1/65537", "1/2x",
					    "x1/2", "-1/2", "1/-2", " 1/2", "1 /2", "1/2/3", "1.0/2", "100000/100000"};
	struct mote_shard shard;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (mote_shard_parse(wrong[i], &shard, NULL) != MOTE_ERROR_ARGUMENT)
			fail_msg("%s", wrong[i]);
	assert_int_equal(mote_shard_parse("65536/65536", &shard, NULL), MOTE_OK);
	assert_int_equal(shard.index, 65536);
	assert_int_equal(mote_shard_parse("1/1", &shard, NULL), MOTE_OK);
	assert_int_equal(mote_shard_parse("2/3", &shard, NULL), MOTE_OK);
	assert_int_equal(shard.index, 2);
	assert_int_equal(shard.count, 3);
	for (uint32_t n = 0; n < 20; n++) { /* all items, each once, as evenly as can be */
		assert_int_equal(mote_shard_end(shard, 0, n), 0);
		assert_int_equal(mote_shard_end(shard, 3, n), n);
		for (uint32_t i = 1; i <= 3; i++) {
			uint32_t share = mote_shard_end(shard, i, n) - mote_shard_end(shard, i - 1, n);

			assert_true(share == n / 3 || share == n / 3 + 1);
		}
	}
	assert_int_equal(mote_shard_end((struct mote_shard){1, 2}, 1, UINT32_MAX), UINT32_MAX / 2);
}

static enum mote_status pad(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
			    struct mote_error *error)
{
	(void)shard;
	(void)error;
	mote_json_add_text(b, part, "pad", user);
	return MOTE_OK;
}

/* A part of a pad of so many letters. */
static size_t compute(struct mote_shard shard, const char *inputs, size_t letters, char **text)
{
	char *padding = malloc(letters + 1);
	cJSON *in = cJSON_Parse(inputs);
	struct mote_whole whole = {.tool = "t", .inputs = in, .compute = pad, .user = padding};
	size_t bytes;

	memset(padding, 'x', letters);
	padding[letters] = 0;
	assert_int_equal(mote_part_compute(&whole, shard, text, &bytes, NULL), MOTE_OK);
	cJSON_Delete(in);
	free(padding);
	return bytes;
}

/* Without waiting for the disk, as mote_part_store() does. */
static void store(const char *to, const char *text, size_t bytes)
{
	FILE *file = fopen(to, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
}

static void test_sizes(void **state)
{
	const struct mote_shard second = {2, 3};
	char *text;
	size_t least = compute(second, "{}", 0, &text);

	(void)state;
	free(text);
	for (size_t room = 1 << 16; room <= 1 << 18; room *= 2)
		for (size_t bytes = room - 1; bytes <= room + 1; bytes++) {
			struct mote_error error = {0};
			struct mote_shard shard;
			cJSON *part;

			assert_int_equal(compute(second, "{}", bytes - least, &text), bytes);
			store(path, text, bytes);
			free(text);
			if (mote_part_read(path, "t", &part, &shard, &error))
				fail_msg("%zu bytes: %s", bytes, error.message);
			assert_int_equal(shard.index, 2);
			assert_int_equal(shard.count, 3);
			assert_int_equal(strlen(mote_json_get(part, "pad")->valuestring), bytes - least);
			cJSON_Delete(part);
		}
}

static void refused(const char *text, size_t bytes, const char *tool, const char *words)
{
	struct mote_error error = {0};
	struct mote_shard shard;
	cJSON *part;

	store(path, text, bytes);
	assert_int_equal(mote_part_read(path, tool, &part, &shard, &error), MOTE_ERROR_CORRUPT);
	assert_null(part);
	if (!strstr(error.message, words) || !strstr(error.message, path))
		fail_msg("%s", error.message);
}

static void test_damaged(void **state)
{
	char *text;
	size_t bytes = compute((struct mote_shard){1, 2}, "{\"a\":1}", 5, &text);
	struct mote_shard shard;
	cJSON *part;

	(void)state;
	for (size_t n = 0; n < bytes; n++)
		refused(text, n, "t", "is no whole part");
	for (size_t i = 0; i < bytes; i++) {
		text[i] ^= 1;
		refused(text, bytes, "t", "is no whole part");
		text[i] ^= 1;
	}
	refused(text, bytes, "u", "is a part of t, expected u");
	free(text);
	assert_int_equal(mote_part_read("/nonexistent/part", "t", &part, &shard, NULL), MOTE_ERROR_IO);
}

/* All parts of a whole come in the order of shards; what is missing, twice there or of other inputs is named. */
static void test_together(void **state)
{
	static const struct {
		struct mote_shard first, second;
		const char *inputs; /* of the second */
		bool good;
	} pairs[] = {
		{{1, 2}, {2, 2}, "{\"a\":1}", true}, {{2, 2}, {1, 2}, "{\"a\":1}", true},
		{{1, 2}, {1, 2}, "{\"a\":1}", false}, {{1, 2}, {2, 3}, "{\"a\":1}", false},
		{{1, 3}, {2, 3}, "{\"a\":1}", false}, {{1, 2}, {2, 2}, "{\"a\":2}", false},
	};
	char *const paths[] = {path, other};

	(void)state;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct mote_error error = {0};
		cJSON *part[2] = {NULL, NULL};
		char *text;
		size_t bytes = compute(pairs[i].first, "{\"a\":1}", 3, &text);

		store(path, text, bytes);
		free(text);
		bytes = compute(pairs[i].second, pairs[i].inputs, 4, &text);
		assert_int_equal(mote_part_store(other, true, text, bytes, &error), MOTE_OK);
		free(text);
		assert_int_equal(mote_parts_read(paths, 2, "t", part, &error),
				 pairs[i].good ? MOTE_OK : MOTE_ERROR_CORRUPT);
		for (uint32_t k = 0; pairs[i].good && k < 2; k++)
			assert_int_equal(mote_json_get(part[k], "shard")->valueint, k + 1);
		cJSON_Delete(part[0]);
		cJSON_Delete(part[1]);
	}
}

struct watch {
	uint32_t calls, most; /* of progress, so many before it says stop */
	uint32_t computed;    /* parts */
};

static enum mote_status count_part(void *user, struct mote_shard shard, struct mote_json_builder *b, cJSON *part,
				   struct mote_error *error)
{
	struct watch *w = user;

	(void)error;
	w->computed++;
	mote_json_add_number(b, part, "of", shard.index);
	return MOTE_OK;
}

static bool watch(void *user, uint64_t done, uint64_t total)
{
	struct watch *w = user;

	assert_int_equal(done, w->computed);
	assert_int_equal(total, 3);
	return ++w->calls < w->most;
}

/* Progress is told after each piece and can stop the run there; what was finished is not computed again. */
static void test_stopped(void **state)
{
	char parts[64], name[128];
	struct watch w = {.most = 2};
	const struct mote_progress progress = {watch, &w};
	cJSON *inputs = cJSON_Parse("{}"), **part = NULL;
	const struct mote_whole whole = {.tool = "t", .inputs = inputs, .compute = count_part, .user = &w};
	struct mote_share share = {.folder = parts, .pieces = 3, .progress = &progress};
	struct mote_error error = {0};

	(void)state;
	snprintf(parts, sizeof parts, "%s/parts", folder);
	assert_int_equal(mote_team_open(&share.team, NULL), MOTE_OK);
	assert_int_equal(mote_share_compute(&share, &whole, &part, &error), MOTE_ERROR_INTERRUPTED);
	assert_string_equal(error.message, "interrupted");
	assert_null(part);
	assert_int_equal(w.computed, 2);
	w.most = UINT32_MAX;
	assert_int_equal(mote_share_compute(&share, &whole, &part, NULL), MOTE_OK);
	assert_int_equal(w.computed, 3);
	assert_int_equal(w.calls, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(mote_json_get(part[i], "of")->valueint, i + 1);
		cJSON_Delete(part[i]);
		snprintf(name, sizeof name, "%s/%016llx-%u-of-3.part", parts, (unsigned long long)share.key, i + 1);
		assert_int_equal(unlink(name), 0);
	}
	free(part);
	cJSON_Delete(inputs);
	assert_int_equal(mote_team_close(share.team, MOTE_OK, NULL), MOTE_OK);
	assert_int_equal(rmdir(parts), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shards), cmocka_unit_test(test_sizes), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_together), cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
