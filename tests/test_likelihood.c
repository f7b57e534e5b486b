/* Likelihoods of continuations against the same ids run one by one through a session of their own: sums, tokens,
 * greediness, and how many positions are computed where choices begin alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "quant/eval/likelihood.h"
#include "tests/random_model.h"

enum { VOCAB = 50, ITEMS = 3, LONGEST = 16 };

static const struct mote_config config = {
	.hidden = 64, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 16, .ffn = 96, .vocab = VOCAB,
	.max_positions = 40, .norm_eps = 1e-5f, .tied_embeddings = true, .rope_theta = 10000, .bos = -1};
static const enum mote_type types[4] = {MOTE_Q8, MOTE_Q4, MOTE_Q4, MOTE_Q8};

/* Ids that begin alike for so many, then differ by the choice. */
static void fill(int32_t *id, uint32_t count, uint32_t alike, uint64_t item, uint64_t choice)
{
	uint64_t seed = 100 * item, own = 100 * item + choice + 1;

	for (uint32_t i = 0; i < count; i++)
		id[i] = (int32_t)((i < alike ? random_bits(&seed) : random_bits(&own)) % VOCAB);
	if (alike < count)
		id[alike] = (int32_t)choice;
}

/* One position a pass, logits in double precision. */
static struct mote_likelihood alone(const struct mote_model *model, const struct mote_request *r, uint32_t context)
{
	struct mote_session_options o = {.context_tokens = context, .threads = 1, .kv_k = MOTE_KV_F32,
					 .kv_v = MOTE_KV_F32};
	struct mote_likelihood out = {.is_greedy = true};
	struct mote_session *session;

	assert_int_equal(mote_session_open(model, &o, &session, NULL), MOTE_OK);
	for (uint32_t i = 0; i + 1 < r->count; i++) {
		uint32_t position = i, best = 0;
		struct mote_batch batch = {.rows = 1, .token = &r->id[i], .position = &position};
		const float *logits;
		double sum = 0;

		assert_int_equal(mote_session_forward(session, &batch, &logits, NULL), MOTE_OK);
		if (i + 1 < r->context)
			continue;
		for (uint32_t k = 0; k < VOCAB; k++) {
			sum += exp((double)logits[k]);
			best = logits[k] > logits[best] ? k : best;
		}
		out.logprob += (double)logits[r->id[i + 1]] - log(sum);
		out.tokens++;
		out.is_greedy = out.is_greedy && (int32_t)best == r->id[i + 1];
	}
	mote_session_close(session);
	return out;
}

/* Ends a request with what the model likes best, so that one choice at least is greedy. */
static void make_greedy(const struct mote_model *model, struct mote_request *r)
{
	uint32_t last = r->count - 1;

	for (r->id[last] = 0; r->id[last] < VOCAB && !alone(model, r, LONGEST).is_greedy;)
		r->id[last]++;
	assert_true(r->id[last] < VOCAB);
}

/* Of a RoPE that follows the context, each item has that of its own length. */
static void check_together(const struct mote_config *of)
{
	static const struct {
		uint32_t choices, alike, context, count[3];
	} item[ITEMS] = {{1, 5, 3, {5}}, {3, 8, 8, {9, 12, 16}}, {2, 4, 6, {8, 7}}};
	static int32_t id[ITEMS][3][LONGEST];
	struct mote_requests requests[ITEMS] = {0};
	struct mote_likelihood (*out)[MOTE_TASK_CHOICES] = calloc(ITEMS, sizeof *out);
	struct mote_likelihood_counts counts = {0};
	struct random_model model;
	uint64_t rows = 0;

	assert_non_null(out);
	random_model_init(&model, of, types, 7);
	for (uint32_t i = 0; i < ITEMS; i++) {
		requests[i].count = item[i].choices;
		for (uint32_t c = 0; c < item[i].choices; c++) {
			fill(id[i][c], item[i].count[c], item[i].alike, i, c);
			requests[i].request[c] = (struct mote_request){.id = id[i][c], .context = item[i].context,
								       .count = item[i].count[c]};
			/* The last id is only predicted; what choices have in common is computed once. */
			rows += item[i].count[c] - 1 - (c > 0 ? item[i].alike : 0);
		}
	}
	make_greedy(&model.model, &requests[1].request[0]);
	if (mote_likelihoods(&model.model, requests, ITEMS, 2, NULL, out, &counts, NULL))
		fail();
	assert_true(counts.rows == rows && counts.passes >= 1 && counts.passes <= rows);
	for (uint32_t i = 0; i < ITEMS; i++)
		for (uint32_t c = 0; c < requests[i].count; c++) {
			uint32_t longest = item[i].count[requests[i].count == 3 ? 2 : 0];
			struct mote_likelihood want = alone(&model.model, &requests[i].request[c], longest);

			assert_true(fabs(out[i][c].logprob - want.logprob) < 1e-4);
			assert_int_equal(out[i][c].tokens, want.tokens);
			assert_int_equal(out[i][c].is_greedy, want.is_greedy);
		}
	assert_true(out[1][0].is_greedy);
	random_model_free(&model);
	free(out);
}

static void test_alone_and_together(void **state)
{
	struct mote_config dynamic = config;

	(void)state;
	check_together(&config);
	dynamic.rope_kind = MOTE_ROPE_DYNAMIC;
	dynamic.rope_factor = 8;
	dynamic.rope_original_positions = 6;
	check_together(&dynamic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_alone_and_together)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
