/* The scheduler: answers side by side are bit for bit what each is alone, whatever the slices, the order and the
 * company; prompts wait, share what a sequence holds, end and are cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/generate/scheduler_state.h"
#include "tests/random_model.h"

enum { VOCAB = 50, CONTEXT = 120, ANSWERS = 8, TOKENS = 12 };

static const struct mote_config config = {
	.hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .ffn = 96, .vocab = VOCAB,
	.max_positions = 300, .norm_eps = 1e-5f, .tied_embeddings = true, .rope_theta = 10000, .bos = -1};
static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};
static struct random_model model;

static int open_model(void **state)
{
	(void)state;
	random_model_init(&model, &config, types, 7);
	return 0;
}

static int close_model(void **state)
{
	(void)state;
	random_model_free(&model);
	return 0;
}

/* An answer that keeps every row of logits. */
struct listener {
	int32_t prompt[CONTEXT];
	uint32_t prompt_tokens, most, count;
	int32_t id[CONTEXT];
	float logits[CONTEXT][VOCAB];
	uint64_t ticket;
	struct mote_scheduler *scheduler;
	uint64_t victim;       /* to cancel when the second row comes */
};

static int32_t listen(void *user, const float *logits)
{
	struct listener *l = user;
	int32_t best = 0;

	assert_true(l->count < l->most);
	memcpy(l->logits[l->count], logits, sizeof *l->logits);
	for (int32_t i = 1; i < VOCAB; i++)
		best = logits[i] > logits[best] ? i : best;
	l->id[l->count++] = best;
	if (l->count == 2 && l->victim)
		mote_scheduler_cancel(l->scheduler, l->victim);
	return l->count == l->most ? MOTE_ENDED : best;
}

static void make_prompt(struct listener *l, uint32_t tokens, uint64_t seed)
{
	*l = (struct listener){.prompt_tokens = tokens, .most = TOKENS};
	for (uint32_t i = 0; i < tokens; i++)
		l->prompt[i] = (int32_t)(random_bits(&seed) % VOCAB);
}

static struct mote_session *open_session(uint32_t sequences, uint32_t batch_rows)
{
	struct mote_session_options o = {.context_tokens = CONTEXT, .sequences = sequences, .logit_rows = sequences,
					 .batch_rows = batch_rows, .threads = 2};
	struct mote_session *session;

	assert_int_equal(mote_session_open(&model.model, &o, &session, NULL), MOTE_OK);
	return session;
}

static void add(struct mote_scheduler *s, struct listener *l)
{
	struct mote_error error = {0};

	l->scheduler = s;
	if (mote_scheduler_add(s, l->prompt, l->prompt_tokens, (struct mote_taker){listen, l}, &l->ticket, &error))
		fail_msg("%s", error.message);
}

static void run(struct mote_scheduler *s)
{
	struct mote_error error = {0};
	int steps = 0;

	while (mote_scheduler_answers(s)) {
		if (mote_scheduler_step(s, &error))
			fail_msg("%s", error.message);
		assert_true(++steps < 10000);
	}
}

static const uint32_t lengths[ANSWERS] = {3, 100, 1, 17, 64, 2, 33, 90};

/* What each answer is alone, in a session of its own. */
static struct listener *answers_alone(void)
{
	struct listener *alone = calloc(ANSWERS, sizeof *alone);

	assert_non_null(alone);
	for (uint32_t i = 0; i < ANSWERS; i++) {
		struct mote_session *session = open_session(1, 0);
		struct mote_scheduler *s;

		make_prompt(&alone[i], lengths[i], i + 1);
		assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
		add(s, &alone[i]);
		run(s);
		assert_int_equal(alone[i].count, TOKENS);
		mote_scheduler_close(s);
		mote_session_close(session);
	}
	return alone;
}

static void same_answer(const struct listener *a, const struct listener *b)
{
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->id, b->id, a->count * sizeof *a->id);
	assert_memory_equal(a->logits, b->logits, a->count * sizeof *a->logits);
}

static void test_company(void **state)
{
	static const struct {
		uint32_t sequences, batch_rows, slice_rows;
	} shape[] = {{8, 0, 0}, {8, 9, 3}, {8, 8, 0}, {3, 16, 5}, {1, 7, 0}};
	struct listener *alone = answers_alone(), *together = calloc(ANSWERS, sizeof *together);

	(void)state;
	assert_non_null(together);
	for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
		struct mote_session *session = open_session(shape[k].sequences, shape[k].batch_rows);
		struct mote_scheduler_options o = {.slice_rows = shape[k].slice_rows};
		struct mote_scheduler *s;

		assert_int_equal(mote_scheduler_open(session, &o, &s, NULL), MOTE_OK);
		for (uint32_t i = 0; i < ANSWERS; i++) {
			make_prompt(&together[i], lengths[i], i + 1);
			add(s, &together[i]);
			if (i % 3 == 2) /* some come while others are being written */
				assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
		}
		run(s);
		for (uint32_t i = 0; i < ANSWERS; i++)
			same_answer(&together[i], &alone[i]);
		assert_int_equal(mote_scheduler_free(s), shape[k].sequences);
		mote_scheduler_close(s);
		mote_session_close(session);
	}
	free(alone);
	free(together);
}

/* An answer that is being written gets its token in every pass while a long prompt is computed in slices. */
static void test_slices(void **state)
{
	struct mote_session *session = open_session(2, 0);
	struct mote_scheduler_options o = {.slice_rows = 10};
	struct listener *l = calloc(2, sizeof *l);
	struct mote_scheduler *s;

	(void)state;
	assert_non_null(l);
	make_prompt(&l[0], 5, 1);
	make_prompt(&l[1], 95, 2);
	assert_int_equal(mote_scheduler_open(session, &o, &s, NULL), MOTE_OK);
	add(s, &l[0]);
	assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	add(s, &l[1]);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(l[1].count, 0);
		assert_int_equal(l[0].count, 1 + i);
		assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	}
	assert_int_equal(l[1].count, 1);
	run(s);
	mote_scheduler_close(s);
	mote_session_close(session);
	free(l);
}

/* Beside an answer that is being written, a pass stays short where that was asked for. */
static void test_steady(void **state)
{
	struct mote_session *session = open_session(2, 0);
	struct mote_scheduler_options o = {.steady = true};
	struct listener *l = calloc(2, sizeof *l);
	uint64_t rows = 0;
	struct mote_scheduler *s;

	(void)state;
	assert_non_null(l);
	make_prompt(&l[0], 5, 1);
	make_prompt(&l[1], 95, 2);
	l[0].most = 100;
	assert_int_equal(mote_scheduler_open(session, &o, &s, NULL), MOTE_OK);
	add(s, &l[0]);
	assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	assert_int_equal(mote_scheduler_counts(s).rows, 5);
	add(s, &l[1]);
	while (!l[1].count) {
		rows = mote_scheduler_counts(s).rows;
		assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
		assert_in_range(mote_scheduler_counts(s).rows - rows, 2, 1 + 9);
	}
	mote_scheduler_close(s);
	mote_session_close(session);
	free(l);
}

/* The next turn of a chat computes only what is new, in whichever sequence the last one was. */
static void test_shared(void **state)
{
	struct listener *alone = answers_alone(), *l = calloc(3, sizeof *l);
	struct mote_session *session = open_session(2, 0);
	struct mote_scheduler_counts before, after;
	struct mote_scheduler *s;

	(void)state;
	assert_non_null(l);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
	make_prompt(&l[0], 17, 4);
	make_prompt(&l[1], 64, 5);
	add(s, &l[0]);
	add(s, &l[1]);
	run(s);
	before = mote_scheduler_counts(s);
	make_prompt(&l[2], 64, 5);
	l[2].prompt[60] = (l[2].prompt[60] + 1) % VOCAB;
	add(s, &l[2]);
	run(s);
	after = mote_scheduler_counts(s);
	assert_int_equal(after.shared_rows - before.shared_rows, 60);
	assert_int_equal(after.rows - before.rows, 4 + TOKENS - 1);
	/* The whole prompt is held: its last id is computed anyway. */
	make_prompt(&l[0], 17, 4);
	add(s, &l[0]);
	run(s);
	assert_int_equal(mote_scheduler_counts(s).shared_rows - after.shared_rows, 16);
	same_answer(&l[0], &alone[3]);
	mote_scheduler_close(s);
	mote_session_close(session);
	free(alone);
	free(l);
}

/* What an answer that is being written began with is forked for another that begins so. */
static void test_fork(void **state)
{
	struct listener *alone = answers_alone(), *l = calloc(3, sizeof *l);
	struct mote_session *session = open_session(3, 0);
	struct mote_scheduler *s;

	(void)state;
	assert_non_null(l);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
	for (int i = 0; i < 3; i++)
		make_prompt(&l[i], 100, 2);
	l[2].prompt[40] = (l[2].prompt[40] + 1) % VOCAB;
	add(s, &l[0]);
	assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	add(s, &l[1]);
	add(s, &l[2]);
	run(s);
	assert_int_equal(mote_scheduler_counts(s).shared_rows, 99 + 40);
	same_answer(&l[0], &alone[1]);
	same_answer(&l[1], &alone[1]);
	assert_int_equal(l[2].count, TOKENS);
	mote_scheduler_close(s);
	mote_session_close(session);
	free(alone);
	free(l);
}

/* Twice a layer is asked. */
static bool mostly(void *user)
{
	return ++*(int *)user % 7 != 0;
}

/* An interrupted pass is done again. */
static void test_interrupted(void **state)
{
	struct listener *alone = answers_alone(), *l = calloc(1, sizeof *l);
	struct mote_session *session = open_session(1, 0);
	int asked = 0;
	struct mote_scheduler_options o = {.proceed = mostly, .user = &asked};
	struct mote_scheduler *s;
	unsigned interrupted = 0;

	(void)state;
	assert_non_null(l);
	make_prompt(l, lengths[3], 4);
	assert_int_equal(mote_scheduler_open(session, &o, &s, NULL), MOTE_OK);
	add(s, l);
	while (mote_scheduler_answers(s)) {
		enum mote_status status = mote_scheduler_step(s, NULL);

		if (status) {
			assert_int_equal(status, MOTE_ERROR_INTERRUPTED);
			interrupted++;
		}
	}
	assert_in_range(interrupted, 4, 20);
	same_answer(l, &alone[3]);
	mote_scheduler_close(s);
	mote_session_close(session);
	free(alone);
	free(l);
}

static void test_cancel(void **state)
{
	struct listener *alone = answers_alone(), *l = calloc(4, sizeof *l);
	struct mote_session *session = open_session(2, 0);
	struct mote_scheduler *s;

	(void)state;
	assert_non_null(l);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
	for (uint32_t i = 0; i < 4; i++) {
		make_prompt(&l[i], lengths[i], i + 1);
		add(s, &l[i]);
	}
	mote_scheduler_cancel(s, l[2].ticket); /* waiting */
	mote_scheduler_cancel(s, 12345);
	l[0].victim = l[1].ticket; /* running, from within a take() */
	run(s);
	assert_int_equal(l[2].count, 0);
	assert_in_range(l[1].count, 1, 2);
	same_answer(&l[0], &alone[0]);
	same_answer(&l[3], &alone[3]);
	mote_scheduler_cancel(s, l[0].ticket); /* has ended */
	make_prompt(&l[1], 5, 9);
	add(s, &l[1]);
	mote_scheduler_cancel(s, l[1].ticket);
	assert_int_equal(mote_scheduler_answers(s), 0);
	add(s, &l[2]); /* the last in the queue again, behind one that is gone */
	run(s);
	same_answer(&l[2], &alone[2]);
	mote_scheduler_close(s);
	mote_session_close(session);
	free(alone);
	free(l);
}

static void test_full(void **state)
{
	struct mote_session *session = open_session(1, 0);
	struct listener *l = calloc(1, sizeof *l);
	struct mote_scheduler *s;
	struct mote_error error = {0};
	int32_t beyond = VOCAB;

	(void)state;
	assert_non_null(l);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
	make_prompt(l, CONTEXT - 3, 1);
	l->most = CONTEXT;
	add(s, l);
	run(s);
	assert_int_equal(l->count, 4); /* the last of them was not computed any more */
	assert_int_equal(mote_scheduler_add(s, l->prompt, 0, (struct mote_taker){listen, l}, NULL, NULL),
			 MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_scheduler_add(s, l->prompt, CONTEXT + 1, (struct mote_taker){listen, l}, NULL, &error),
			 MOTE_ERROR_ARGUMENT);
	assert_non_null(strstr(error.message, "context of 120"));
	assert_int_equal(mote_scheduler_add(s, &beyond, 1, (struct mote_taker){listen, l}, NULL, NULL),
			 MOTE_ERROR_ARGUMENT);
	assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	add(s, l);
	mote_scheduler_close(s); /* with one that waits */
	mote_session_close(session);
	assert_int_equal(mote_session_open(&model.model, &(struct mote_session_options){.sequences = 2},
					   &session, NULL),
			 MOTE_OK);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL),
			 MOTE_ERROR_ARGUMENT); /* logits of one row only */
	mote_session_close(session);
	free(l);
}

/* ---- states ---- */

struct file {
	uint8_t data[1 << 18];
	size_t bytes, at;
};

static enum mote_status file_write(void *user, const void *data, size_t bytes, struct mote_error *error)
{
	struct file *f = user;

	(void)error;
	assert_true(bytes <= sizeof f->data - f->bytes);
	memcpy(f->data + f->bytes, data, bytes);
	f->bytes += bytes;
	return MOTE_OK;
}

static enum mote_status file_read(void *user, void *data, size_t bytes, struct mote_error *error)
{
	struct file *f = user;

	if (bytes > f->bytes - f->at)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "file ends");
	memcpy(data, f->data + f->at, bytes);
	f->at += bytes;
	return MOTE_OK;
}

/* What a prompt and its answer left is saved, as far as it is wanted, and goes on in another scheduler, beside others,
 * as if it had never left; a file that is cut leaves nothing behind. */
static void test_state(void **state)
{
	struct listener *alone = answers_alone(), *l = calloc(3, sizeof *l);
	struct mote_session *session = open_session(1, 0), *other = open_session(2, 0);
	struct file *f = calloc(1, sizeof *f);
	struct mote_scheduler *s, *t;

	(void)state;
	assert_non_null(l);
	assert_non_null(f);
	assert_int_equal(mote_scheduler_open(session, NULL, &s, NULL), MOTE_OK);
	assert_int_equal(mote_scheduler_open(other, NULL, &t, NULL), MOTE_OK);
	make_prompt(&l[0], 100, 2);
	add(s, &l[0]);
	assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	assert_int_equal(mote_scheduler_save(s, l->prompt, 80, file_write, f, NULL), MOTE_ERROR_ARGUMENT); /* in use */
	run(s);
	assert_int_equal(mote_scheduler_save(s, l->prompt, 80, file_write, f, NULL), MOTE_OK);
	make_prompt(&l[2], 17, 4);
	add(t, &l[2]);
	assert_int_equal(mote_scheduler_step(t, NULL), MOTE_OK);
	for (size_t cut = f->bytes; cut--; cut -= cut > 5000 ? 4999 : 0) {
		struct file *part = memcpy(malloc(sizeof *part), f, sizeof *part);

		part->bytes = cut;
		assert_int_equal(mote_scheduler_load(t, file_read, part, NULL), MOTE_ERROR_CORRUPT);
		free(part);
	}
	assert_int_equal(mote_scheduler_load(t, file_read, f, NULL), MOTE_OK);
	make_prompt(&l[1], 100, 2);
	add(t, &l[1]);
	run(t);
	assert_int_equal(mote_scheduler_counts(t).shared_rows, 80);
	same_answer(&l[1], &alone[1]);
	same_answer(&l[2], &alone[3]);
	mote_scheduler_close(s);
	mote_scheduler_close(t);
	mote_session_close(session);
	mote_session_close(other);
	free(alone);
	free(l);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_company), cmocka_unit_test(test_slices), cmocka_unit_test(test_steady),
		cmocka_unit_test(test_shared), cmocka_unit_test(test_fork),
		cmocka_unit_test(test_interrupted), cmocka_unit_test(test_cancel), cmocka_unit_test(test_full),
		cmocka_unit_test(test_state),
	};
	return cmocka_run_group_tests(tests, open_model, close_model);
}
