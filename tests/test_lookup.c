/* Lookup: guesses change nothing but the number of passes. Answers that quote their prompt, repeat themselves, turn
 * away in the middle of it or are new get the same logits with and without, alone and side by side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/generate/lookup.h"
#include "runtime/generate/scheduler.h"
#include "tests/random_model.h"

enum { VOCAB = 50, CONTEXT = 200, ANSWERS = 8, TOKENS = 60 };

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

/* An answer whose ids are known beforehand, whatever the logits, which are kept. */
struct teller {
	int32_t prompt[CONTEXT], id[TOKENS];
	uint32_t prompt_tokens, most, count;
	float logits[TOKENS][VOCAB];
	struct mote_guess_counts guesses;
	struct mote_scheduler *scheduler;
	uint64_t ticket;
};

static int32_t tell(void *user, const float *logits)
{
	struct teller *l = user;

	assert_true(l->count < l->most);
	memcpy(l->logits[l->count], logits, sizeof *l->logits);
	l->guesses = mote_scheduler_guesses(l->scheduler, l->ticket);
	return ++l->count == l->most ? MOTE_ENDED : l->id[l->count - 1];
}

/* 0: quotes its prompt; 1: repeats itself, but for every eleventh id; 2: quotes in pieces; 3: says nothing twice that
 * was said once. */
static void make_teller(struct teller *l, uint32_t i)
{
	uint64_t seed = i + 1;

	*l = (struct teller){.prompt_tokens = 3 + 11 * i, .most = TOKENS - 3 * i};
	for (uint32_t k = 0; k < l->prompt_tokens; k++)
		l->prompt[k] = (int32_t)(random_bits(&seed) % VOCAB);
	for (uint32_t k = 0; k < TOKENS; k++) {
		int32_t any = (int32_t)(random_bits(&seed) % VOCAB);
		uint32_t kind = i % 4;

		l->id[k] = kind == 0 ? l->prompt[k % l->prompt_tokens]
			 : kind == 1 ? (k >= 7 && k % 11 ? l->id[k - 7] : any)
			 : kind == 2 ? (k % 9 ? l->prompt[(k / 9 * 5 + k) % l->prompt_tokens] : any)
				     : any;
	}
}

static void run(struct teller *l, uint32_t answers, struct mote_session_options o, bool lookup,
		struct mote_scheduler_counts *counts)
{
	struct mote_scheduler_options options = {.lookup = lookup, .slice_rows = 20};
	struct mote_error error = {0};
	struct mote_session *session;
	struct mote_scheduler *s;

	assert_int_equal(mote_session_open(&model.model, &o, &session, NULL), MOTE_OK);
	assert_int_equal(mote_scheduler_open(session, &options, &s, NULL), MOTE_OK);
	for (uint32_t i = 0; i < answers; i++) {
		l[i].scheduler = s;
		if (mote_scheduler_add(s, l[i].prompt, l[i].prompt_tokens, (struct mote_taker){tell, &l[i]},
				       &l[i].ticket, &error))
			fail_msg("%s", error.message);
		if (i % 3 == 2)
			assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
	}
	while (mote_scheduler_answers(s))
		if (mote_scheduler_step(s, &error))
			fail_msg("%s", error.message);
	*counts = mote_scheduler_counts(s);
	mote_scheduler_close(s);
	mote_session_close(session);
}

static void test_same(void **state)
{
	static const struct mote_session_options shape[] = {
		{.sequences = 8, .logit_rows = 23}, {.sequences = 8, .logit_rows = 10, .batch_rows = 11},
		{.sequences = 3, .logit_rows = 18, .kv_k = MOTE_KV_Q8, .kv_v = MOTE_KV_Q8},
		{.sequences = 1, .logit_rows = 16, .kv_k = MOTE_KV_F32}};
	struct teller *plain = calloc(ANSWERS, sizeof *plain), *l = calloc(ANSWERS, sizeof *l);

	(void)state;
	for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
		struct mote_session_options o = shape[k], alone = {.logit_rows = 1, .kv_k = o.kv_k, .kv_v = o.kv_v};
		struct mote_scheduler_counts counts, with;

		alone.context_tokens = o.context_tokens = CONTEXT;
		alone.threads = o.threads = 2;
		for (uint32_t i = 0; i < ANSWERS; i++) {
			make_teller(&plain[i], i);
			make_teller(&l[i], i);
			run(&plain[i], 1, alone, false, &counts);
			assert_int_equal(counts.guesses.made, 0);
		}
		run(l, ANSWERS, o, true, &with);
		for (uint32_t i = 0; i < ANSWERS; i++) {
			assert_int_equal(l[i].count, plain[i].count);
			assert_memory_equal(l[i].logits, plain[i].logits, l[i].count * sizeof *l->logits);
		}
		assert_true(with.guesses.right > 0 && with.guesses.right < with.guesses.made);
	}
	free(plain);
	free(l);
}

/* What pays: quotes take a fraction of the passes; what is new takes no row more. */
static void test_pays(void **state)
{
	struct teller *l = calloc(1, sizeof *l);
	struct mote_scheduler_counts counts;

	(void)state;
	for (uint32_t i = 0; i < ANSWERS; i++) {
		make_teller(l, i);
		run(l, 1, (struct mote_session_options){.context_tokens = CONTEXT, .logit_rows = 16, .threads = 1},
		    true, &counts);
		if (counts.guesses.made) {
			assert_true(l->guesses.right <= l->guesses.made);
			assert_int_equal(l->guesses.right, counts.guesses.right);
		}
		if (i % 4 == 0 && i)
			assert_true(counts.passes < l->most / 2);
		if (i % 4 == 3)
			assert_true(counts.guesses.made <= 3);
	}
	free(l);
}

struct watched {
	uint32_t count, beside_guesses; /* positions; those that came in a pass with guesses */
	float logits[CONTEXT][VOCAB];
};

static void see(void *user, uint32_t position, const float *logits)
{
	struct watched *w = user;

	assert_int_equal(position, w->count);
	memcpy(w->logits[w->count++], logits, sizeof *w->logits);
}

/* The logits of a prompt that joins answers which are being written, or none. */
static void watch_prompt(struct teller *l, uint32_t answers, struct watched *w)
{
	struct mote_session_options o = {.context_tokens = CONTEXT, .sequences = 3, .logit_rows = 9, .threads = 2};
	struct mote_scheduler_options options = {.lookup = true, .slice_rows = 20};
	struct mote_prompt_watch watch = {.logits = see, .user = w};
	struct mote_session *session;
	struct mote_scheduler *s;

	*w = (struct watched){0};
	assert_int_equal(mote_session_open(&model.model, &o, &session, NULL), MOTE_OK);
	assert_int_equal(mote_scheduler_open(session, &options, &s, NULL), MOTE_OK);
	for (uint32_t i = 0; i <= answers; i++) {
		make_teller(&l[i], i < answers ? 4 : 7);
		l[i].scheduler = s;
		if (i == answers && i > 0)
			while (mote_scheduler_counts(s).guesses.made == 0)
				assert_int_equal(mote_scheduler_step(s, NULL), MOTE_OK);
		if (mote_scheduler_add(s, l[i].prompt, l[i].prompt_tokens, (struct mote_taker){tell, &l[i]},
				       &l[i].ticket, NULL))
			fail();
	}
	assert_int_equal(mote_scheduler_watch(s, l[answers].ticket, watch, NULL), MOTE_OK);
	while (mote_scheduler_answers(s)) {
		uint64_t guesses = mote_scheduler_counts(s).guesses.made;
		uint32_t seen = w->count;
		struct mote_error error = {0};

		if (mote_scheduler_step(s, &error))
			fail_msg("%s", error.message);
		w->beside_guesses += mote_scheduler_counts(s).guesses.made > guesses ? w->count - seen : 0;
	}
	assert_int_equal(w->count, l[answers].prompt_tokens);
	mote_scheduler_close(s);
	mote_session_close(session);
}

/* Guesses and a prompt whose logits are watched share the rows of logits that there are. */
static void test_watched_beside_guesses(void **state)
{
	struct teller *l = calloc(3, sizeof *l);
	struct watched *alone = calloc(1, sizeof *alone), *w = calloc(1, sizeof *w);

	(void)state;
	watch_prompt(l, 0, alone);
	assert_int_equal(alone->beside_guesses, 0);
	for (uint32_t answers = 1; answers < 3; answers++) {
		watch_prompt(l, answers, w);
		assert_memory_equal(w->logits, alone->logits, alone->count * sizeof *w->logits);
		assert_true(w->beside_guesses > 0);
	}
	free(alone);
	free(w);
	free(l);
}

/* Answers that count on from their prompts to the end of their last page. */
struct counter {
	uint32_t prompt, most, count;
};

static int32_t count_on(void *user, const float *logits)
{
	struct counter *c = user;

	(void)logits;
	c->count++;
	return c->count == c->most ? MOTE_ENDED : (int32_t)((c->prompt + c->count - 1) % 7);
}

/* Where a guess would take a page and none is free, the pass goes without guesses. */
static void test_no_page_for_guesses(void **state)
{
	enum { PAGE = 256, ANSWERS_HERE = 2 };
	struct mote_session_options o = {.context_tokens = 300, .sequences = ANSWERS_HERE, .pages = ANSWERS_HERE,
					 .logit_rows = 18, .threads = 1};
	struct mote_scheduler_options options = {.lookup = true};
	struct counter c[ANSWERS_HERE] = {{.prompt = PAGE - 41, .most = 42}, {.prompt = PAGE - 40, .most = 41}};
	struct mote_error error = {0};
	struct mote_session *session;
	struct mote_scheduler *s;
	int32_t prompt[PAGE];

	(void)state;
	for (int32_t i = 0; i < PAGE; i++)
		prompt[i] = i % 7;
	assert_int_equal(mote_session_open(&model.model, &o, &session, NULL), MOTE_OK);
	assert_int_equal(mote_session_page_positions(session), PAGE);
	assert_int_equal(mote_scheduler_open(session, &options, &s, NULL), MOTE_OK);
	for (int i = 0; i < ANSWERS_HERE; i++)
		if (mote_scheduler_add(s, prompt, c[i].prompt, (struct mote_taker){count_on, &c[i]}, NULL, &error))
			fail_msg("%s", error.message);
	while (mote_scheduler_answers(s))
		if (mote_scheduler_step(s, &error))
			fail_msg("%s", error.message);
	assert_true(c[0].count == c[0].most && c[1].count == c[1].most);
	assert_true(mote_scheduler_counts(s).guesses.right > 0);
	mote_scheduler_close(s);
	mote_session_close(session);
}

static void test_search(void **state)
{
	static const int32_t ids[] = {1, 2, 3, 4, 9, 2, 3, 4, 7, 1, 2, 3, 4};
	static const int32_t other[] = {1, 2, 3, 4, 9, 2, 3, 4, 7, 1, 2, 3, 4, 8};
	struct mote_lookup l;
	(void)state;

	mote_lookup_begin(&l);
	assert_false(mote_lookup_find(&l, ids, 1));
	assert_false(mote_lookup_find(&l, ids, 5));
	assert_true(mote_lookup_find(&l, ids, 13)); /* the longest, not the latest */
	assert_int_equal(l.match, 4);
	assert_int_equal(mote_lookup_guess(&l, ids, 0), 9);
	assert_true(mote_lookup_find(&l, ids, 8)); /* 2 3 4 */
	assert_int_equal(l.match, 3);
	assert_int_equal(l.from, 4);
	assert_true(mote_lookup_find(&l, ids, 12) && mote_lookup_find(&l, ids, 13));
	assert_true(mote_lookup_find(&l, other, 14)); /* a difference: on from where it was */
	assert_int_equal(l.match, 1);
	assert_int_equal(mote_lookup_guess(&l, other, 0), 2);
	assert_true(mote_lookup_find(&l, ids, 8));
	for (int i = 0; i < 40; i++)
		mote_lookup_learn(&l, 0, false);
	assert_true(mote_lookup_rate(&l, 0) < 0.01f && mote_lookup_rate(&l, 1) == 0.5f);
	for (int i = 0; i < 40; i++)
		mote_lookup_learn(&l, 1, true);
	assert_true(mote_lookup_rate(&l, 1) > 0.99f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search), cmocka_unit_test(test_same), cmocka_unit_test(test_pays),
		cmocka_unit_test(test_watched_beside_guesses),
		cmocka_unit_test(test_no_page_for_guesses),
	};
	return cmocka_run_group_tests(tests, open_model, close_model);
}
