/* Scores against long double and libm, statistics against numbers worked out by hand, the walk against itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "quant/measure/logits.h"
#include "quant/measure/macro.h"
#include "quant/measure/score.h"
#include "quant/measure/validate.h"
#include "quant/receipt/receipt.h"
#include "quant/receipt/report_curve.h"

static uint64_t random_state = 88172645463325252u;

static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) * 0x1p-53;
}

static void assert_near(double value, double expected, double tolerance)
{
	if (!(fabs(value - expected) <= tolerance))
		fail_msg("%.17g, expected %.17g within %g", value, expected, tolerance);
}

static long double log_sum(const float *x, uint32_t n)
{
	long double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += expl((long double)x[i] - 50);
	return logl(sum) + 50;
}

static void rows_score_as_in_long_double(void **state)
{
	static const uint32_t sizes[] = {1, 2, 7, 8, 9, 16, 31, 33, 506, 4099};
	static const double spreads[] = {0.0, 1e-3, 1.0, 8.0, 40.0};

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (size_t k = 0; k < sizeof spreads / sizeof *spreads; k++) {
			uint32_t n = sizes[s], target = (uint32_t)(uniform() * n), top_x = 0, top_y = 0;
			float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
			long double lx, ly, kld = 0;
			struct mote_score score;

			for (uint32_t i = 0; i < n; i++) {
				x[i] = (float)(30.0 * uniform() - 15.0);
				y[i] = x[i] + (float)(spreads[k] * (uniform() - 0.5));
				top_x = x[i] > x[top_x] ? i : top_x;
				top_y = y[i] > y[top_y] ? i : top_y;
			}
			lx = log_sum(x, n);
			ly = log_sum(y, n);
			for (uint32_t i = 0; i < n; i++)
				kld += expl((long double)x[i] - lx) *
				       (((long double)x[i] - lx) - ((long double)y[i] - ly));
			assert_true(mote_score_row(y, x, n, (int32_t)target, &score));
			assert_near(score.nll, (double)(ly - (long double)y[target]), 1e-13);
			assert_near(score.reference_nll, (double)(lx - (long double)x[target]), 1e-13);
			assert_near(score.kld, (double)kld, 1e-13);
			assert_int_equal(score.top1_same, top_x == top_y);
			assert_int_equal(score.target, target);
			if (spreads[k] == 0.0)
				assert_true(score.kld == 0.0);
			free(x);
			free(y);
		}
}

static void extreme_logits_score(void **state)
{
	/* One token has all the probability: e^-1000 is nothing in double, but its logarithm is plain. */
	float certain[9] = {0, 0, 0, 1000, 0, 0, 0, 0, 0}, even[9] = {0};
	float broken[9] = {0};
	struct mote_score score;

	(void)state;
	assert_true(mote_score_row(certain, NULL, 9, 3, &score));
	assert_near(score.nll, 0.0, 0.0);
	assert_true(mote_score_row(certain, NULL, 9, 0, &score));
	assert_near(score.nll, 1000.0, 1e-12);
	/* D(even || certain) = sum 1/9 (ln 1/9 - ln q) = -ln 9 + 8/9 * 1000 */
	assert_true(mote_score_row(certain, even, 9, 0, &score));
	assert_near(score.kld, 8000.0 / 9.0 - log(9.0), 1e-9);
	/* Equal maxima: the first counts on both sides. */
	assert_true(mote_score_row(even, even, 9, 0, &score));
	assert_true(score.top1_same);
	for (int i = 0; i < 9; i++) {
		static const float bad[] = {NAN, INFINITY, -INFINITY};

		for (int k = 0; k < 3; k++) {
			broken[i] = bad[k];
			assert_false(mote_score_row(broken, NULL, 9, 0, &score));
			assert_false(mote_score_row(even, broken, 9, 0, &score));
			broken[i] = 0;
		}
	}
}

static void figures_by_hand(void **state)
{
	const struct mote_score s[4] = {
		{.nll = 1, .reference_nll = 1, .kld = 0.1, .top1_same = true},
		{.nll = 2, .reference_nll = 1, .kld = 0.4, .top1_same = false},
		{.nll = 3, .reference_nll = 3, .kld = 0.2, .top1_same = true},
		{.nll = 6, .reference_nll = 5, .kld = 0.3, .top1_same = true}
	};
	const double dp1 = exp(-2.0) - exp(-1.0), dp3 = exp(-6.0) - exp(-5.0);
	struct mote_figures f;
	struct mote_error error = {0};

	(void)state;
	assert_int_equal(mote_figures_from_scores(s, 4, 2, true, &f, &error), MOTE_OK);
	assert_int_equal(f.tokens_scored, 4);
	/* Mean 3; deviations -2 -1 0 3, squares 14: sqrt(14 / (4 * 3)). Chunk means 1.5 and 4.5: sqrt(4.5 / 2). */
	assert_near(f.nll.value, 3.0, 0.0);
	assert_near(f.nll.independent, 1.0801234497346435, 1e-15);
	assert_near(f.nll.block, 1.5, 1e-15);
	assert_near(f.perplexity.value, 20.085536923187668, 1e-13);
	assert_near(f.perplexity.independent, 20.085536923187668 * 1.0801234497346435, 1e-12);
	/* Differences 0 1 0 1: mean 1/2, sqrt(1 / 12); both chunks have mean 1/2. */
	assert_near(f.log_ratio.value, 0.5, 0.0);
	assert_near(f.log_ratio.independent, 0.28867513459481287, 1e-15);
	assert_near(f.log_ratio.block, 0.0, 0.0);
	assert_near(f.perplexity_ratio.value, 1.6487212707001282, 1e-15);
	/* Losses 1 2 3 6 and 1 1 3 5: covariance 3 + 1.5 + 0 + 7.5 = 12... of squares 14 and 11. */
	assert_near(f.correlation, 12.0 / sqrt(14.0 * 11.0), 1e-15);
	assert_near(f.reference_nll.value, 2.5, 0.0);
	assert_near(f.kld_mean.value, 0.25, 1e-16);
	assert_near(f.kld_mean.independent, sqrt(0.05 / 12.0), 1e-16);
	assert_near(f.kld_min, 0.1, 0.0);
	assert_near(f.kld_median, 0.25, 1e-16);
	assert_near(f.kld_p90, 0.37, 1e-15);   /* rank 2.7 of 0.1 0.2 0.3 0.4 */
	assert_near(f.kld_p999, 0.3997, 1e-15);
	assert_near(f.kld_max, 0.4, 0.0);
	/* A share of 3/4: sqrt(p (1 - p) / (n - 1)), as llama.cpp has it. */
	assert_near(f.top1_agreement.value, 0.75, 0.0);
	assert_near(f.top1_agreement.independent, 0.25, 1e-16);
	assert_near(f.delta_p_mean.value, (dp1 + dp3) / 4, 1e-15);
	assert_near(f.delta_p_rms.value, sqrt((dp1 * dp1 + dp3 * dp3) / 4), 1e-15);
	assert_near(f.delta_p_min, dp1, 1e-15);
	assert_near(f.delta_p_max, 0.0, 0.0);
}

static void figures_of_little(void **state)
{
	const struct mote_score one = {.nll = 2}, broken = {.nll = 1000};
	struct mote_figures f;
	struct mote_error error = {0};
	cJSON *json;

	(void)state;
	assert_int_equal(mote_figures_from_scores(&one, 1, 1, false, &f, &error), MOTE_OK);
	assert_true(isnan(f.nll.independent) && isnan(f.nll.block));
	json = mote_figures_to_json(&f);
	assert_true(cJSON_IsNull(mote_json_get(json, "perplexity_error")));
	assert_null(mote_json_get(json, "kld_mean"));
	cJSON_Delete(json);
	/* e^1000 is no number; a receipt that says so holds. */
	assert_int_equal(mote_figures_from_scores(&broken, 1, 1, false, &f, &error), MOTE_OK);
	json = cJSON_CreateObject();
	cJSON_AddItemToObject(json, "figures", mote_figures_to_json(&f));
	assert_true(cJSON_IsNull(mote_json_get(mote_json_get(json, "figures"), "perplexity")));
	assert_int_equal(mote_receipt_compare(json, &f, &error), MOTE_OK);
	cJSON_Delete(json);
	/* Nothing varies with anything. */
	assert_int_equal(mote_figures_from_scores(&one, 1, 1, true, &f, &error), MOTE_OK);
	json = mote_figures_to_json(&f);
	assert_true(cJSON_IsNull(mote_json_get(json, "correlation")));
	cJSON_Delete(json);
	assert_int_equal(mote_figures_from_scores(&one, 0, 1, false, &f, &error), MOTE_ERROR_ARGUMENT);
	error = (struct mote_error){0};
	assert_int_equal(mote_figures_from_scores(&one, 1, 2, false, &f, &error), MOTE_ERROR_ARGUMENT);
}

/* Of two texts; errors of means add as squares, and what has none in one text has none in the mean. */
static void macro_by_hand(void **state)
{
	const struct mote_figures a = {.tokens_scored = 5, .paired = true, .nll = {1, 0.3, 0.6},
				       .reference_nll = {1, 0, 0}, .delta_p_rms = {0.3, 0.02, 0.04},
				       .kld_mean = {0.1, 0.03, NAN}};
	struct mote_figures b = {.tokens_scored = 7, .paired = true, .nll = {2, 0.4, 0.8},
				 .reference_nll = {3, 0, 0}, .delta_p_rms = {0.4, 0.05, 0.06},
				 .kld_mean = {0.5, 0.04, 0.01}}, mean;
	const struct mote_figures *const texts[] = {&a, &b}, *const still[] = {&b, &b};

	(void)state;
	mote_macro_average(texts, 2, &mean);
	assert_int_equal(mean.tokens_scored, 12);
	assert_near(mean.nll.value, 1.5, 0.0);
	assert_near(mean.nll.independent, 0.25, 1e-15);
	assert_near(mean.perplexity.value, exp(1.5), 1e-14);
	assert_near(mean.perplexity.block, 0.5 * exp(1.5), 1e-14);
	assert_near(mean.reference_perplexity.value, exp(2.0), 1e-14);
	assert_near(mean.kld_mean.value, 0.3, 1e-16);
	assert_near(mean.kld_mean.independent, 0.025, 1e-16);
	assert_true(isnan(mean.kld_mean.block));
	/* Squares 0.09 and 0.16, of errors 2 0.3 0.02 and 2 0.4 0.05; half of the root's over the root. */
	assert_near(mean.delta_p_rms.value, sqrt(0.125), 1e-16);
	assert_near(mean.delta_p_rms.independent, hypot(0.012, 0.04) / 2 / 2 / sqrt(0.125), 1e-16);
	b.delta_p_rms = (struct mote_estimate){0, 0, NAN};
	mote_macro_average(still, 2, &mean);
	assert_true(mean.delta_p_rms.value == 0 && mean.delta_p_rms.independent == 0 && isnan(mean.delta_p_rms.block));
}

/* A model so broken that its perplexity is no number is not drawn, and nothing waits for it. */
static void curve_of_broken(void **state)
{
	struct mote_figures f[2] = {{.perplexity = {3, 0.1, NAN}}, {.perplexity = {INFINITY, INFINITY, NAN}}};
	struct mote_report_model model[2] = {{.name = "fine", .file_bytes = 1000, .figures = &f[0]},
					     {.name = "broken", .file_bytes = 900, .figures = &f[1]}};
	struct mote_report r = {.model = model, .n = 2};
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	mote_report_curve(out, &r);
	fclose(out);
	assert_non_null(strstr(text, ">fine<"));
	assert_true(!strstr(text, "broken") && !strstr(text, "nan") && !strstr(text, "inf"));
	free(text);
}

/* A source whose row r favours token r mod vocab by `lean`. */
struct made_source {
	struct mote_logits base;
	float lean, *logits;
	bool spoil;
};

static enum mote_status read_made(struct mote_logits *base, uint32_t rows, const float **logits,
				  struct mote_error *error)
{
	struct made_source *s = (struct made_source *)base;
	uint32_t vocab = base->plan->vocab;

	(void)error;
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t i = 0; i < vocab; i++)
			s->logits[r * vocab + i] = (base->row + r) % vocab == i ? s->lean : 0.01f * (float)i;
	if (s->spoil)
		s->logits[0] = NAN;
	*logits = s->logits;
	return MOTE_OK;
}

static void close_made(struct mote_logits *base)
{
	free(((struct made_source *)base)->logits);
}

static void open_made(struct made_source *s, const struct mote_plan *p, float lean)
{
	*s = (struct made_source){.lean = lean};
	mote_logits_init(&s->base, p);
	s->base.read = read_made;
	s->base.close = close_made;
	s->base.portion_rows = 3; /* does not divide the 7 rows of a chunk */
	s->logits = malloc(3 * p->vocab * sizeof(float));
}

static void walk_scores_every_row_once(void **state)
{
	enum { CONTEXT = 16, CHUNKS = 5, VOCAB = 11, ROWS = CHUNKS * 7 };
	int32_t ids[CONTEXT * CHUNKS];
	struct mote_plan p = {.ids = ids, .context = CONTEXT, .chunks = CHUNKS, .first = 8, .chunk_rows = 7,
			      .vocab = VOCAB};
	struct made_source a, b;
	struct mote_logits *model, *remembered = NULL;
	struct mote_score scores[ROWS], again[ROWS];
	struct mote_figures f, g;
	struct mote_error error = {0};

	(void)state;
	for (int i = 0; i < CONTEXT * CHUNKS; i++)
		ids[i] = i * 7 % VOCAB;
	open_made(&a, &p, 2.0f);
	open_made(&b, &p, 3.0f);
	model = &a.base;
	assert_int_equal(mote_validate(&p, model, &b.base, 1, NULL, scores, &f, &error), MOTE_OK);
	assert_int_equal(f.tokens_scored, ROWS);
	for (int r = 0; r < ROWS; r++) {
		int chunk = r / 7, position = 8 + r % 7;
		float row[VOCAB];
		struct mote_score one;

		assert_int_equal(scores[r].target, ids[chunk * CONTEXT + position + 1]);
		for (int i = 0; i < VOCAB; i++)
			row[i] = r % VOCAB == i ? 2.0f : 0.01f * (float)i;
		assert_true(mote_score_row(row, NULL, VOCAB, scores[r].target, &one));
		assert_true(one.nll == scores[r].nll);
	}
	/* More threads, and the model from memory: the same bits. */
	assert_int_equal(mote_logits_remember(model, NULL, &remembered, &error), MOTE_OK);
	remembered->portion_rows = 3;
	assert_int_equal(mote_validate(&p, remembered, &b.base, 3, NULL, again, &g, &error), MOTE_OK);
	assert_memory_equal(&f, &g, sizeof f);
	for (int r = 0; r < ROWS; r++)
		assert_true(scores[r].kld == again[r].kld && scores[r].nll == again[r].nll);
	a.spoil = true;
	assert_int_equal(mote_validate(&p, model, NULL, 2, NULL, NULL, &f, &error), MOTE_ERROR_CORRUPT);
	assert_non_null(strstr(error.message, "row 0"));
	mote_logits_close(remembered);
	mote_logits_close(&a.base);
	mote_logits_close(&b.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_score_as_in_long_double),
		cmocka_unit_test(extreme_logits_score),
		cmocka_unit_test(figures_by_hand),
		cmocka_unit_test(figures_of_little),
		cmocka_unit_test(macro_by_hand),
		cmocka_unit_test(curve_of_broken),
		cmocka_unit_test(walk_scores_every_row_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
