/* What the parts of an evaluation share: for evaluation.c and evaluation_answers.c. */
#ifndef MOTE_QUANT_EVALUATION_STATE_H
#define MOTE_QUANT_EVALUATION_STATE_H

#include "format/json_build.h"
#include "quant/eval/answer_match.h"
#include "quant/eval/evaluation.h"
#include "quant/eval/generated.h"

/* What is open while a task is evaluated. */
struct evaluation {
	const struct mote_model *model;
	const char *name;
	const struct mote_task *task;
	const struct mote_evaluate_options *o;
	struct mote_tokenizer *tokenizer;
	struct mote_requests *requests;                      /* [items] */
	struct mote_likelihood (*likelihood)[MOTE_TASK_CHOICES]; /* [items], CHOICE */
	struct mote_generated *generated;                    /* [items], others */
	struct mote_answer_match *match;
	struct mote_outcome *outcome;
};

/* What every line of log begins with; and the end, which hands the line on and frees it. */
void mote_evaluation_begin_line(const struct evaluation *e, uint32_t i, struct mote_json_builder *b, cJSON *line);
enum mote_status mote_evaluation_end_line(const struct evaluation *e, struct mote_json_builder *b, cJSON *line,
					  struct mote_error *error) MOTE_CHECKED;

/* All items of a task whose answers are generated. */
enum mote_status mote_evaluation_answer(struct evaluation *e, struct mote_error *error) MOTE_CHECKED;

#endif
