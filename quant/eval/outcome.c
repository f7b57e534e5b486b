/* Outcomes: see outcome.h. Everything in double, in the items' order. */
#include "quant/eval/outcome.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quant/eval/ifeval.h"
#include "runtime/kernels/exact.h"

enum mote_status mote_outcome_init(struct mote_outcome *o, uint32_t items, const char *const *metrics, uint32_t n,
				   bool choices, struct mote_error *error)
{
	bool ok;

	*o = (struct mote_outcome){.items = items, .metrics = n,
				   .choice = choices ? calloc(items + 1u, sizeof *o->choice) : NULL};
	ok = !choices || o->choice;
	for (uint32_t i = 0; i < n; i++) {
		o->metric[i] = metrics[i];
		o->mark[i] = calloc(items + 1u, 1);
		ok = ok && o->mark[i];
	}
	return ok ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for outcomes");
}

enum mote_status mote_outcome_weigh(struct mote_outcome *o, uint32_t metric, struct mote_error *error)
{
	o->weight[metric] = calloc(o->items + 1u, 1);
	return o->weight[metric] ? MOTE_OK : mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for outcomes");
}

void mote_outcome_free(struct mote_outcome *o)
{
	for (uint32_t i = 0; i < o->metrics; i++) {
		free(o->mark[i]);
		free(o->weight[i]);
	}
	free(o->choice);
	*o = (struct mote_outcome){0};
}

/* A ratio of sums. Its error is that of the mean of what each item adds to or takes off it, mark - value * weight; with
 * weights of 1 that is value * (1 - value) / (n - 1) under the root. */
static struct mote_rate rate_of(const uint8_t *mark, const uint8_t *weight, uint32_t n)
{
	struct mote_rate r = {.error = (double)__builtin_nanf("")};
	/* sums; the last three of squares and products */
	uint64_t right = 0, all = 0, marks = 0, both = 0, weights = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t w = weight ? weight[i] : 1;

		right += mark[i];
		all += w;
		marks += (uint64_t)mark[i] * mark[i];
		both += mark[i] * w;
		weights += w * w;
	}
	if (all == 0)
		return r;
	r.value = (double)right / (double)all;
	if (n > 1 && !weight)
		r.error = mote_exact_root(r.value * (1 - r.value) / (n - 1));
	else if (n > 1)
		r.error = mote_exact_root((double)n / (n - 1) *
			       ((double)marks - 2 * r.value * (double)both + r.value * r.value * (double)weights)) /
			  (double)all;
	return r;
}

struct mote_rate mote_rate_of(const uint8_t *mark, uint32_t n)
{
	return rate_of(mark, NULL, n);
}

struct mote_rate mote_outcome_rate(const struct mote_outcome *o, uint32_t metric, uint32_t first, uint32_t n)
{
	return rate_of(o->mark[metric] + first, o->weight[metric] ? o->weight[metric] + first : NULL, n);
}

struct mote_rate mote_rate_mean(const struct mote_rate *rate, uint32_t n)
{
	double values = 0, variances = 0;

	for (uint32_t i = 0; i < n; i++) {
		values += rate[i].value;
		variances += rate[i].error * rate[i].error; /* NaN, where one is of a single item */
	}
	return (struct mote_rate){values / n, variances == variances ? mote_exact_root(variances) / n : variances};
}

double mote_task_chance(const struct mote_task *task)
{
	double sum = 0;

	for (uint32_t i = 0; i < task->items; i++)
		sum += task->item[i].choices ? 1.0 / task->item[i].choices : 0;
	return task->items ? sum / task->items : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_letters(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* The commonest right answer's share. */
static double commonest_answer(const struct mote_task *task, const char **answer)
{
	int (*compare)(const void *, const void *) = task->row->ignore_case ? by_letters : by_text;
	const char **text = malloc((task->items + 1u) * sizeof *text);
	uint32_t n = 0, most = 0;

	*answer = "";
	for (uint32_t i = 0; text && i < task->items; i++)
		if (task->item[i].compared)
			text[n++] = task->item[i].compared;
	if (text)
		qsort(text, n, sizeof *text, compare);
	for (uint32_t i = 0, run = 0; i < n; i++) {
		run = i > 0 && compare(&text[i], &text[i - 1]) == 0 ? run + 1 : 1;
		if (run > most) {
			most = run;
			*answer = text[i];
		}
	}
	free(text);
	return task->items ? (double)most / task->items : 0;
}

/* Of answers to instructions: the best of those that are tried. */
static double best_tried(const struct mote_task *task, const char **answer)
{
	uint32_t count[MOTE_IFEVAL_CONSTANTS] = {0}, best = 0;

	for (uint32_t i = 0; i < task->items; i++)
		for (uint32_t c = 0; c < MOTE_IFEVAL_CONSTANTS; c++)
			count[c] += (uint32_t)task->item[i].constants >> c & 1u;
	for (uint32_t c = 1; c < MOTE_IFEVAL_CONSTANTS; c++)
		best = count[c] > count[best] ? c : best;
	*answer = mote_ifeval_constant(best);
	return task->items ? (double)count[best] / task->items : 0;
}

double mote_task_best_constant(const struct mote_task *task, const char **answer)
{
	static const char letters[][2] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N",
					  "O", "P"};
	uint32_t count[MOTE_TASK_CHOICES] = {0}, best = 0;

	if (task->row->kind == MOTE_TASK_INSTRUCTIONS)
		return best_tried(task, answer);
	if (task->row->kind != MOTE_TASK_CHOICE)
		return commonest_answer(task, answer);
	for (uint32_t i = 0; i < task->items; i++)
		count[task->item[i].gold]++;
	for (uint32_t c = 1; c < MOTE_TASK_CHOICES; c++)
		best = count[c] > count[best] ? c : best;
	/* The choice's text where it is always the same, else its place. */
	*answer = NULL;
	if (!task->row->choices && task->row->choice[best] && !strchr(task->row->choice[best], '{'))
		*answer = task->row->choice[best];
	else if (best < sizeof letters / sizeof *letters)
		*answer = letters[best];
	return task->items ? (double)count[best] / task->items : 0;
}

double mote_mcnemar_p(uint32_t k, uint32_t m)
{
	uint32_t n = k + m, less = k < m ? k : m;
	double log_choose = 0, p = 0; /* ln of n over i, from 0 up */

	if (k == m)
		return 1;
	for (uint32_t i = 0; i <= less; i++) {
		p += mote_exact_exp(log_choose - n * 0x1.62e42fefa39efp-1);
		log_choose += mote_exact_log((double)(n - i)) - mote_exact_log((double)(i + 1));
	}
	return 2 * p < 1 ? 2 * p : 1;
}

struct mote_pairing mote_outcome_pair(const struct mote_outcome *model, const struct mote_outcome *reference)
{
	struct mote_pairing p = {0};
	uint32_t agree = 0, n = model->items;

	for (uint32_t i = 0; i < n; i++) {
		bool now = model->mark[0][i], before = reference->mark[0][i];

		p.to_wrong += before && !now;
		p.to_right += now && !before;
		agree += model->choice && reference->choice ? model->choice[i] == reference->choice[i] : now == before;
	}
	p.p = mote_mcnemar_p(p.to_wrong, p.to_right);
	p.flips = n ? (double)(p.to_wrong + p.to_right) / n : 0;
	p.agreement = n ? (double)agree / n : 0;
	return p;
}
