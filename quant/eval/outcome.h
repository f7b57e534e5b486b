/* Outcomes: what a model did on each item of a task, and what that amounts to.
 *
 * Each item has a mark of 0 or 1 for each metric; a metric's value is their mean, its error that of a mean. Two models
 * on the same items are compared item by item: only those on which they differ say anything about the difference.
 */
#ifndef MOTE_QUANT_OUTCOME_H
#define MOTE_QUANT_OUTCOME_H

#include "quant/eval/task.h"

enum { MOTE_OUTCOME_METRICS = 8 };

/* Zero-initialize; free with mote_outcome_free(). */
struct mote_outcome {
	uint32_t items, metrics;
	const char *metric[MOTE_OUTCOME_METRICS]; /* names, borrowed from the task's row; the first is the main one */
	uint8_t *mark[MOTE_OUTCOME_METRICS];      /* [items] each */
	uint8_t *weight[MOTE_OUTCOME_METRICS];    /* [items] the most that a mark could be; NULL: 1 everywhere */
	int32_t *choice;                          /* [items] CHOICE: by the main metric; else NULL */
};
enum mote_status mote_outcome_init(struct mote_outcome *o, uint32_t items, const char *const *metrics, uint32_t n,
				   bool choices, struct mote_error *error) MOTE_CHECKED;
/* Room for the weights of a metric, zero. */
enum mote_status mote_outcome_weigh(struct mote_outcome *o, uint32_t metric, struct mote_error *error) MOTE_CHECKED;
void mote_outcome_free(struct mote_outcome *o);

struct mote_rate {
	double value, error; /* error: of the mean, NaN for one item */
};
/* Of a metric on n items from the first on. */
struct mote_rate mote_outcome_rate(const struct mote_outcome *o, uint32_t metric, uint32_t first, uint32_t n);
/* Of n marks of weight 1. */
struct mote_rate mote_rate_of(const uint8_t *mark, uint32_t n);

/* The plain mean of n rates, each as heavy as the others, n >= 1. */
struct mote_rate mote_rate_mean(const struct mote_rate *rate, uint32_t n);

/* What guessing at random scores, the mean of 1 / choices; and the best that one answer given to every item scores: of
 * CHOICE always the same place, of ANSWER always the same text as it is compared; of INSTRUCTIONS the best of a few
 * texts that follow many. *answer is that place's name or text, borrowed from task. */
double mote_task_chance(const struct mote_task *task);
double mote_task_best_constant(const struct mote_task *task, const char **answer);

/* A model beside its reference on the same items, by the first metric. */
struct mote_pairing {
	uint32_t to_wrong, to_right;  /* items that the reference had right and the model has wrong,
				       * and the other way */
	double p;                     /* McNemar's exact test: of so uneven a split, if both were as likely */
	double flips;                 /* share of items that changed either way */
	double agreement;             /* share of items with the same choice; of others, with the same mark */
};
struct mote_pairing mote_outcome_pair(const struct mote_outcome *model, const struct mote_outcome *reference);
/* The two-sided p of k and m flips. */
double mote_mcnemar_p(uint32_t k, uint32_t m);

#endif
