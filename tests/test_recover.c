/* Recovery on the fixture: what helps is kept and packed as it was measured, what does not leaves everything as it was;
 * a text that is too short is refused, and asking to stop stops it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert/checkpoint.h"
#include "quant/train/recover.h"

#define ADDER "tests/fixtures/adder"

/* Everything quantized by rounding, and a copy of its bytes. */
struct setting {
	char folder[32], path[64];
	struct mote_model *model;
	struct mote_rule rule[2];
	struct mote_recipe recipe;
	struct mote_quantizer q;
	struct mote_text text;
	uint8_t *before[512];
};

static void read_text(struct mote_text *t, size_t bytes)
{
	FILE *f = fopen(ADDER "/calibration.txt", "rb");

	assert_non_null(f);
	t->data = calloc(1, bytes + 1);
	t->bytes = fread(t->data, 1, bytes, f);
	fclose(f);
}

/* Layer 1 has byte scales: steps this few need not move one to its neighbour. */
enum { BYTE_MATRICES = 7 };

static void setting_open(struct setting *s, size_t text_bytes)
{
	const struct mote_checkpoint_options options = {.tool = "test 1", .type = MOTE_BF16};
	struct mote_checkpoint_report report;

	memset(s, 0, sizeof *s);
	snprintf(s->folder, sizeof s->folder, "/tmp/test_recover_XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	snprintf(s->path, sizeof s->path, "%s/f.mote", s->folder);
	assert_int_equal(mote_checkpoint_convert(ADDER, s->path, &options, &report, NULL), MOTE_OK);
	assert_int_equal(mote_model_open(s->path, MOTE_WEIGHTS_MAPPED, &s->model, NULL), MOTE_OK);
	s->rule[0] = (struct mote_rule){"*", MOTE_Q3};
	s->rule[1] = (struct mote_rule){"*.1.*", MOTE_Q3B};
	s->recipe = (struct mote_recipe){.type = MOTE_Q3, .encoder = MOTE_ENCODER_ROUND, .rules = s->rule,
					 .n_rules = 2};
	assert_int_equal(mote_quantizer_init(&s->q, s->model->container, &s->recipe, 2, NULL), MOTE_OK);
	assert_int_equal(mote_quantizer_encode(&s->q, NULL, NULL), MOTE_OK);
	read_text(&s->text, text_bytes);
	for (uint32_t i = 0; i < s->q.tensors; i++) {
		if (!s->q.encoded[i].data)
			continue;
		s->before[i] = malloc(s->q.target[i].bytes);
		memcpy(s->before[i], s->q.encoded[i].data, s->q.target[i].bytes);
	}
}

static void setting_close(struct setting *s)
{
	for (uint32_t i = 0; i < s->q.tensors; i++)
		free(s->before[i]);
	mote_quantizer_free(&s->q);
	mote_model_close(s->model);
	mote_text_free(&s->text);
	unlink(s->path);
	rmdir(s->folder);
}

/* How many tensors are not what they were. */
static uint32_t changed(const struct setting *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->q.tensors; i++)
		n += !s->before[i] ? s->q.encoded[i].data != NULL :
				     memcmp(s->before[i], s->q.encoded[i].data, s->q.target[i].bytes) != 0;
	return n;
}

static void test_kept(void **state)
{
	struct mote_recover_options options = {.tokens = 4095, .threads = 2};
	struct mote_recover_result first, again;
	struct setting s;

	(void)state;
	setting_open(&s, 20000);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &first, NULL), MOTE_OK);
	assert_true(first.kept && first.after < 0.95 * first.before && first.tokens == 4096);
	assert_in_range(changed(&s), s.q.tensors - BYTE_MATRICES, s.q.tensors);
	/* Packed and taken apart again it is what was measured. */
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &again, NULL), MOTE_OK);
	assert_true(again.before == first.after);
	setting_close(&s);
}

static void test_not_kept(void **state)
{
	struct mote_recover_options options = {.tokens = 1, .threads = 2,
					       .rates = {.code = 50, .scale = 5, .vector = 5}};
	struct mote_recover_result result;
	struct setting s;

	(void)state;
	setting_open(&s, 20000);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &result, NULL), MOTE_OK);
	assert_true(!result.kept && !(result.after < result.before));
	assert_int_equal(changed(&s), 0);
	setting_close(&s);
}

/* What is measured is the mean of all that is held out, also when it is more than a step's passages: with a third of
 * the passages, as few measures them, it is about as much. */
static void test_held_out(void **state)
{
	struct mote_recover_options options = {.tokens = 1, .threads = 2,
					       .rates = {.code = 50, .scale = 5, .vector = 5}};
	struct mote_recover_result few, many;
	struct setting s;

	(void)state;
	setting_open(&s, 20000);
	s.model->config.max_positions = 16;
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &many, NULL), MOTE_OK);
	s.text.bytes = 5000;
	s.text.data[s.text.bytes] = 0;
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &few, NULL), MOTE_OK);
	assert_true(many.before > 0.8 * few.before && many.before < 2.5 * few.before);
	setting_close(&s);
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
	(void)user;
	assert_true(done <= total);
	return done == 0;
}

static void test_refused(void **state)
{
	const struct mote_progress progress = {.update = stop};
	struct mote_recover_options options = {.tokens = 100000, .threads = 1, .progress = &progress};
	struct mote_recover_result result;
	struct mote_error error = {0};
	struct setting s;

	(void)state;
	setting_open(&s, 20000);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &result, &error), MOTE_ERROR_INTERRUPTED);
	assert_int_equal(changed(&s), 0);
	s.text.data[300] = 0;
	s.text.bytes = 300;
	error = (struct mote_error){0};
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &result, &error), MOTE_ERROR_ARGUMENT);
	assert_non_null(strstr(error.message, "calibration text"));
	setting_close(&s);
}

/* Stops at the n-th question, or at the second that is asked when so much is done. */
struct countdown {
	uint32_t left, asked;
	uint64_t planned, until, total;
};

static bool count_down(void *user, uint64_t done, uint64_t total)
{
	struct countdown *c = user;

	assert_true(done <= total);
	c->total = total;
	if (c->until && done >= c->until && ++c->asked == 2)
		return false;
	return !c->left || --c->left;
}

static void note_plan(void *user, uint64_t tokens, double tokens_a_second)
{
	((struct countdown *)user)->planned = tokens;
	assert_true(tokens_a_second >= 0);
}

/* Gone on from wherever it was stopped, as often as it was, a recovery ends as one that was never stopped; with tokens
 * and, once planned, with time. */
static void test_resumed(void **state)
{
	struct countdown c = {0};
	const struct mote_progress progress = {.update = count_down, .user = &c};
	struct mote_recover_options options = {.tokens = 12288, .threads = 2, .progress = &progress,
					       .planned = note_plan, .planned_user = &c};
	struct mote_recover_result whole, parts;
	struct mote_error error = {0};
	struct setting s, t;
	uint32_t stops[5] = {0}, layers;
	char path[80];

	(void)state;
	setting_open(&s, 20000);
	setting_open(&t, 20000);
	layers = s.model->config.layers;
	/* while it is measured: a question a layer of both models, and one behind them */
	stops[0] = layers;
	stops[1] = 3 * layers + 2;      /* in the first step's pass through the student */
	stops[2] = layers / 2 + 1;      /* there again, with nothing learnt */
	stops[3] = 3 * layers + 2;      /* in the second step */
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &whole, NULL), MOTE_OK);
	assert_true(whole.kept && c.planned == 12288);
	snprintf(path, sizeof path, "%s/state", t.folder);
	options.state = path;
	for (int i = 0; i < 5; i++) {
		c.left = stops[i];
		assert_int_equal(mote_recover(&t.q, t.model, &t.text, &options, &parts, NULL),
				 stops[i] ? MOTE_ERROR_INTERRUPTED : MOTE_OK);
		assert_int_equal(access(path, F_OK), i == 0 ? -1 : 0); /* nothing was planned yet: nothing to keep */
		assert_in_range(changed(&t), stops[i] ? 0 : t.q.tensors - BYTE_MATRICES, stops[i] ? 0 : t.q.tensors);
	}
	assert_true(parts.tokens == whole.tokens && parts.before == whole.before && parts.after == whole.after);
	for (uint32_t i = 0; i < s.q.tensors; i++)
		assert_memory_equal(s.q.encoded[i].data, t.q.encoded[i].data, s.q.target[i].bytes);
	/* What it began with is another now. */
	assert_int_equal(mote_recover(&t.q, t.model, &t.text, &options, &parts, &error), MOTE_ERROR_UNSUPPORTED);
	assert_non_null(strstr(error.message, "another recovery"));
	assert_int_equal(truncate(path, 5000), 0);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &parts, NULL), MOTE_ERROR_UNSUPPORTED);
	unlink(path);
	setting_close(&s);
	setting_close(&t);
}

/* Stopped when all is learnt and is measured once more, nothing of it is lost. */
static void test_resumed_at_the_end(void **state)
{
	struct countdown c = {0};
	const struct mote_progress progress = {.update = count_down, .user = &c};
	struct mote_recover_options options = {.tokens = 12288, .threads = 2, .progress = &progress};
	struct mote_recover_result whole, parts;
	struct mote_error error = {0};
	struct setting s, t;
	char path[80];

	(void)state;
	setting_open(&s, 20000);
	setting_open(&t, 20000);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &whole, NULL), MOTE_OK);
	snprintf(path, sizeof path, "%s/state", t.folder);
	options.state = path;
	c.until = options.tokens + (c.total - options.tokens) / 2; /* asked behind the last step, then by a layer */
	assert_int_equal(mote_recover(&t.q, t.model, &t.text, &options, &parts, &error), MOTE_ERROR_INTERRUPTED);
	assert_non_null(strstr(error.message, "at step 3 of 3"));
	c.until = 0;
	assert_int_equal(mote_recover(&t.q, t.model, &t.text, &options, &parts, NULL), MOTE_OK);
	assert_true(parts.before == whole.before && parts.after == whole.after);
	for (uint32_t i = 0; i < s.q.tensors; i++)
		assert_memory_equal(s.q.encoded[i].data, t.q.encoded[i].data, s.q.target[i].bytes);
	unlink(path);
	setting_close(&s);
	setting_close(&t);
}

/* A time becomes tokens, of which only whole steps are planned; as many asked for give the same. */
static void test_timed(void **state)
{
	struct countdown c = {0};
	struct mote_recover_options options = {.seconds = 0.01, .threads = 1, .planned = note_plan, .planned_user = &c};
	struct mote_recover_result timed, counted;
	struct setting s, t;

	(void)state;
	setting_open(&s, 20000);
	setting_open(&t, 20000);
	assert_int_equal(mote_recover(&s.q, s.model, &s.text, &options, &timed, NULL), MOTE_OK);
	assert_true(timed.tokens == c.planned && c.planned % mote_recover_step_tokens(&s.model->config) == 0);
	options.tokens = timed.tokens;
	assert_int_equal(mote_recover(&t.q, t.model, &t.text, &options, &counted, NULL), MOTE_OK);
	assert_true(timed.before == counted.before && timed.after == counted.after);
	for (uint32_t i = 0; i < s.q.tensors && timed.kept; i++)
		assert_memory_equal(s.q.encoded[i].data, t.q.encoded[i].data, s.q.target[i].bytes);
	setting_close(&s);
	setting_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_held_out),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_resumed_at_the_end),
		cmocka_unit_test(test_timed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
