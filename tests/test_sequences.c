/* Sequences of a session: pages that they take, share, copy and give back, and that none of it changes a bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <xxhash.h>

#include "runtime/model/session_state.h"
#include "tests/same_bits.h"

enum { LONG = 600, PAGE = 256 };

static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};
static const enum mote_kv_type kv_types[][2] = {
	{MOTE_KV_F16, MOTE_KV_F16}, {MOTE_KV_Q8, MOTE_KV_Q8}, {MOTE_KV_F32, MOTE_KV_F32}, {MOTE_KV_Q8, MOTE_KV_F16}};

enum { KV_TYPES = sizeof kv_types / sizeof *kv_types };

static struct random_model *shared;
static int32_t text[2][LONG]; /* they have the first PAGE + 100 tokens in common */

static int setup(void **state)
{
	uint64_t random = 77;

	(void)state;
	shared = malloc(sizeof *shared);
	random_model_init(shared, &wide_config, types, 4);
	for (uint32_t i = 0; i < LONG; i++) {
		text[0][i] = (int32_t)(random_bits(&random) % wide_config.vocab);
		text[1][i] = i < PAGE + 100 ? text[0][i] : (int32_t)(random_bits(&random) % wide_config.vocab);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	random_model_free(shared);
	free(shared);
	return 0;
}

static struct mote_session *open_session(struct mote_session_options options)
{
	struct mote_session *s;
	struct mote_error error = {0};

	options.threads = 2;
	options.batch_rows = LONG;
	if (mote_session_open(&shared->model, &options, &s, &error))
		fail_msg("%s", error.message);
	return s;
}

/* Runs positions [begin, end) of a text in a sequence; the last row's logits. */
static enum mote_status run(struct mote_session *s, uint32_t sequence, const int32_t *tokens, uint32_t begin,
			    uint32_t end, const float **logits, struct mote_error *error)
{
	uint32_t position[LONG], sequences[LONG];

	for (uint32_t i = begin; i < end; i++) {
		position[i - begin] = i;
		sequences[i - begin] = sequence;
	}
	return mote_session_forward(s, &(struct mote_batch){.rows = end - begin, .token = tokens + begin,
				    .position = position, .sequence = sequences}, logits, error);
}

static void must_run(struct mote_session *s, uint32_t sequence, const int32_t *tokens, uint32_t begin, uint32_t end,
		     const float **logits)
{
	struct mote_error error = {0};

	if (run(s, sequence, tokens, begin, end, logits, &error))
		fail_msg("%s", error.message);
}

/* The logits after the last of n tokens, in a session that nothing else has used. */
static void alone(const int32_t *tokens, uint32_t n, const enum mote_kv_type kv[2], float *logits)
{
	struct mote_session *s = open_session((struct mote_session_options){.kv_k = kv[0], .kv_v = kv[1]});
	const float *out;

	must_run(s, 0, tokens, 0, n, &out);
	memcpy(logits, out, wide_config.vocab * sizeof *out);
	mote_session_close(s);
}

static void expect(const float *found, const int32_t *tokens, uint32_t n, const enum mote_kv_type kv[2])
{
	float expected[130];

	assert_true(wide_config.vocab <= 130);
	alone(tokens, n, kv, expected);
	assert_memory_equal(found, expected, wide_config.vocab * sizeof *found);
}

/* Two texts that begin alike: computed once, forked, each goes on by itself. */
static void test_fork(void **state)
{
	const uint32_t common = PAGE + 100;

	(void)state;
	for (int t = 0; t < KV_TYPES; t++) {
		const enum mote_kv_type *kv = kv_types[t];
		struct mote_session *s = open_session((struct mote_session_options){.sequences = 3, .kv_k = kv[0],
										    .kv_v = kv[1]});
		uint32_t pages = mote_session_free_pages(s);
		const float *out;

		must_run(s, 0, text[0], 0, common, &out);
		assert_int_equal(mote_session_free_pages(s), pages - 2);
		assert_int_equal(mote_session_fork(s, 0, 1, common, NULL), MOTE_OK);
		assert_int_equal(mote_session_fork(s, 0, 2, PAGE, NULL), MOTE_OK);
		assert_int_equal(mote_session_filled(s, 1), common);
		assert_int_equal(mote_session_filled(s, 2), PAGE);
		assert_int_equal(mote_session_free_pages(s), pages - 2); /* a fork takes none */
		must_run(s, 1, text[1], common, common + 50, &out);      /* copies the second */
		assert_int_equal(mote_session_free_pages(s), pages - 3);
		expect(out, text[1], common + 50, kv);
		must_run(s, 0, text[0], common, common + 1, &out);       /* now alone in its second */
		assert_int_equal(mote_session_free_pages(s), pages - 3);
		expect(out, text[0], common + 1, kv);
		must_run(s, 2, text[0], PAGE, common + 2, &out);         /* shares only a whole page */
		assert_int_equal(mote_session_free_pages(s), pages - 4);
		expect(out, text[0], common + 2, kv);
		must_run(s, 1, text[1], 30, 40, &out);                   /* back into the page that all three share */
		assert_int_equal(mote_session_free_pages(s), pages - 4); /* one copied, one given back */
		expect(out, text[1], 40, kv);
		must_run(s, 2, text[0], common + 2, LONG, &out);
		expect(out, text[0], LONG, kv);
		must_run(s, 0, text[0], common + 1, LONG, &out);
		expect(out, text[0], LONG, kv);
		mote_session_close(s);
	}
}

/* A position taken back is as if it had never been, also in pages that others used before. */
static void test_trim(void **state)
{
	(void)state;
	for (int t = 0; t < KV_TYPES; t++) {
		const enum mote_kv_type *kv = kv_types[t];
		struct mote_session *s = open_session((struct mote_session_options){.sequences = 2, .kv_k = kv[0],
										    .kv_v = kv[1]});
		uint32_t pages = mote_session_free_pages(s);
		const float *out;

		must_run(s, 0, text[0], 0, LONG, &out);
		assert_int_equal(mote_session_free_pages(s), pages - 3);
		assert_int_equal(mote_session_trim(s, 0, PAGE + 7, NULL), MOTE_OK);
		assert_int_equal(mote_session_free_pages(s), pages - 2);
		assert_int_equal(mote_session_filled(s, 0), PAGE + 7);
		must_run(s, 1, text[1], 0, 20, &out); /* in the page just given back */
		expect(out, text[1], 20, kv);
		must_run(s, 0, text[0], PAGE + 7, PAGE + 90, &out);
		expect(out, text[0], PAGE + 90, kv);
		assert_int_equal(mote_session_trim(s, 0, 0, NULL), MOTE_OK);
		assert_int_equal(mote_session_trim(s, 1, 0, NULL), MOTE_OK);
		assert_int_equal(mote_session_free_pages(s), pages);
		must_run(s, 1, text[1], 0, LONG, &out);
		expect(out, text[1], LONG, kv);
		mote_session_close(s);
	}
}

/* Three sequences on four pages: who finds none free is told so, and nothing has changed. */
static void test_budget(void **state)
{
	const enum mote_kv_type *kv = kv_types[0];
	struct mote_session *s = open_session((struct mote_session_options){.sequences = 3, .pages = 4});
	struct mote_error error = {0};
	const float *out;

	(void)state;
	assert_int_equal(mote_session_page_positions(s), PAGE);
	assert_int_equal(mote_session_free_pages(s), 4);
	must_run(s, 0, text[0], 0, PAGE, &out);
	must_run(s, 1, text[1], 0, PAGE + 1, &out);
	assert_int_equal(run(s, 2, text[0], 0, LONG, &out, &error), MOTE_ERROR_LIMIT);
	assert_non_null(strstr(error.message, "no page is free"));
	assert_int_equal(mote_session_free_pages(s), 1);
	assert_int_equal(mote_session_filled(s, 2), 0);
	must_run(s, 0, text[0], PAGE, PAGE + 1, &out); /* the last one */
	expect(out, text[0], PAGE + 1, kv);
	/* Both in one batch, of which only the first finds room: neither has changed. */
	mote_session_trim(s, 0, PAGE, NULL);
	assert_int_equal(mote_session_forward(s, &(struct mote_batch){.rows = 2,
								      .token = (int32_t[]){text[0][PAGE], text[0][0]},
								      .position = (uint32_t[]){PAGE, 0},
								      .sequence = (uint32_t[]){0, 2}}, &out, NULL),
			 MOTE_ERROR_LIMIT);
	assert_int_equal(mote_session_filled(s, 0), PAGE);
	assert_int_equal(mote_session_free_pages(s), 1);
	mote_session_trim(s, 1, 0, NULL);
	must_run(s, 2, text[0], 0, PAGE + 3, &out);
	expect(out, text[0], PAGE + 3, kv);
	must_run(s, 0, text[0], PAGE, PAGE + 1, &out);
	expect(out, text[0], PAGE + 1, kv);
	/* A shared page to write into, and none free for the copy. */
	assert_int_equal(mote_session_fork(s, 0, 1, PAGE + 1, NULL), MOTE_OK);
	assert_int_equal(run(s, 1, text[0], PAGE + 1, PAGE + 2, &out, NULL), MOTE_ERROR_LIMIT);
	assert_int_equal(mote_session_filled(s, 1), PAGE + 1);
	mote_session_trim(s, 0, 0, NULL); /* what was shared is its own now */
	must_run(s, 1, text[0], PAGE + 1, PAGE + 2, &out);
	expect(out, text[0], PAGE + 2, kv);
	mote_session_close(s);
}

static void test_refusals(void **state)
{
	struct mote_session *s = open_session((struct mote_session_options){.sequences = 2, .pages = 1000});
	const float *out;

	(void)state;
	assert_int_equal(mote_session_free_pages(s), 6); /* no more than they could fill */
	must_run(s, 0, text[0], 0, 10, &out);
	assert_int_equal(mote_session_trim(s, 0, 11, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_trim(s, 2, 0, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_fork(s, 0, 2, 1, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_fork(s, 2, 0, 0, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_fork(s, 0, 1, 11, NULL), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_fork(s, 0, 0, 4, NULL), MOTE_OK);
	assert_int_equal(mote_session_filled(s, 0), 4);
	assert_int_equal(mote_session_filled(s, 2), 0);
	mote_session_close(s);
}

/* ---- states ---- */

enum { HEADER = 88 };

struct file {
	uint8_t *data;
	size_t bytes, at, limit; /* limit: no byte is read or written beyond */
};

static enum mote_status file_write(void *user, const void *data, size_t bytes, struct mote_error *error)
{
	struct file *f = user;

	if (f->bytes + bytes > f->limit)
		return mote_error_set(error, MOTE_ERROR_IO, "disk full");
	memcpy(f->data + f->bytes, data, bytes);
	f->bytes += bytes;
	return MOTE_OK;
}

static enum mote_status file_read(void *user, void *data, size_t bytes, struct mote_error *error)
{
	struct file *f = user;

	if (f->at + bytes > f->bytes)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "file ends");
	memcpy(data, f->data + f->at, bytes);
	f->at += bytes;
	return MOTE_OK;
}

static void save(struct mote_session *s, uint32_t sequence, struct file *f)
{
	struct mote_error error = {0};

	f->limit = mote_session_state_bytes(s, sequence);
	f->data = malloc(f->limit);
	f->bytes = 0;
	if (mote_session_state_save(s, sequence, file_write, f, &error))
		fail_msg("%s", error.message);
	assert_int_equal(f->bytes, f->limit);
}

static enum mote_status load(struct mote_session *s, uint32_t sequence, struct file *f, struct mote_error *error)
{
	f->at = 0;
	*error = (struct mote_error){0};
	return mote_session_state_load(s, sequence, file_read, f, error);
}

/* Saved and loaded into another session, in which other pages are taken: the same logits from there on; and the same
 * bytes whatever the page held before. */
static void test_state(void **state)
{
	static const uint32_t lengths[] = {PAGE + 100, PAGE, 5, 0};

	(void)state;
	for (int t = 0; t < KV_TYPES * 4; t++) {
		const enum mote_kv_type *kv = kv_types[t / 4];
		struct mote_session_options options = {.sequences = 2, .kv_k = kv[0], .kv_v = kv[1]};
		struct mote_session *s = open_session(options), *other = open_session(options);
		uint32_t n = lengths[t % 4], pages = mote_session_free_pages(s);
		struct file first = {0}, second = {0};
		struct mote_error error;
		const float *out;

		if (n)
			must_run(s, 0, text[1], 0, n, &out);
		save(s, 0, &first);
		must_run(other, 1, text[0], 0, LONG, &out);
		must_run(other, 0, text[0], 0, 20, &out);
		assert_int_equal(load(other, 1, &first, &error), MOTE_OK);
		assert_int_equal(first.at, first.bytes);
		assert_int_equal(mote_session_filled(other, 1), n);
		assert_int_equal(mote_session_free_pages(other), pages - 1 - (n + PAGE - 1) / PAGE);
		save(other, 1, &second);
		assert_int_equal(first.bytes, second.bytes);
		assert_memory_equal(first.data, second.data, first.bytes);
		must_run(other, 1, text[1], n, n + 3, &out);
		expect(out, text[1], n + 3, kv);
		free(first.data);
		free(second.data);
		mote_session_close(s);
		mote_session_close(other);
	}
}

/* The header's checksum after one of its fields was changed. */
static void seal(struct file *f)
{
	uint64_t check = XXH3_64bits(f->data, HEADER - 8);

	memcpy(f->data + HEADER - 8, &check, sizeof check);
}

static void test_state_refusals(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		enum mote_status status;
		const char *says;
	} fields[] = {{8, 2, MOTE_ERROR_UNSUPPORTED, "version 2"}, {16, 1, MOTE_ERROR_UNSUPPORTED, "another model"},
		      {24, 1, MOTE_ERROR_UNSUPPORTED, "another model"}, {32, 2, MOTE_ERROR_UNSUPPORTED, "keys"},
		      {40, 1, MOTE_ERROR_UNSUPPORTED, "values"},
		      {48, 100, MOTE_ERROR_UNSUPPORTED, "pages of 100 positions"},
		      {56, 641, MOTE_ERROR_ARGUMENT, "641 positions"},
		      {56, UINT64_MAX, MOTE_ERROR_ARGUMENT, "positions"},
		      {56, 257, MOTE_ERROR_CORRUPT, "pages for 257"}, {64, 3, MOTE_ERROR_CORRUPT, "3 pages"},
		      {72, 64, MOTE_ERROR_UNSUPPORTED, "bytes a page"}};
	struct mote_session *s = open_session((struct mote_session_options){.sequences = 2, .pages = 3});
	struct mote_error error;
	struct file f = {0};
	const float *out;
	size_t bytes;

	(void)state;
	must_run(s, 0, text[0], 0, 200, &out);
	save(s, 0, &f);
	bytes = f.bytes;
	for (size_t i = 0; i < bytes; i += i < HEADER + 8 || i + 20 > bytes ? 1 : 1009) {
		f.bytes = i; /* cut off */
		assert_int_equal(load(s, 1, &f, &error), MOTE_ERROR_CORRUPT);
		f.bytes = bytes;
		f.data[i] ^= 4; /* damaged */
		assert_int_equal(load(s, 1, &f, &error), MOTE_ERROR_CORRUPT);
		f.data[i] ^= 4;
		assert_int_equal(mote_session_filled(s, 1), 0);
		assert_int_equal(mote_session_free_pages(s), 2);
	}
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		uint64_t before;

		memcpy(&before, f.data + fields[i].at, sizeof before);
		memcpy(f.data + fields[i].at, &fields[i].value, sizeof before);
		seal(&f);
		assert_int_equal(load(s, 1, &f, &error), fields[i].status);
		if (!strstr(error.message, fields[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error.message, fields[i].says);
		memcpy(f.data + fields[i].at, &before, sizeof before);
		seal(&f);
	}
	assert_int_equal(load(s, 1, &f, &error), MOTE_OK);
	assert_int_equal(load(s, 2, &f, &error), MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_session_state_bytes(s, 2), 0);
	mote_session_trim(s, 1, 0, NULL);
	must_run(s, 0, text[0], 200, LONG, &out); /* all pages are taken */
	assert_int_equal(load(s, 1, &f, &error), MOTE_ERROR_LIMIT);
	assert_int_equal(mote_session_filled(s, 1), 0);
	f.limit = 1000; /* a full disk is the caller's error */
	f.bytes = 0;
	assert_int_equal(mote_session_state_save(s, 0, file_write, &f, &error), MOTE_ERROR_IO);
	free(f.data);
	mote_session_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_state_refusals),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
