/* What an evaluation found: as JSON, as a table for people, as a receipt. */
#ifndef MOTE_QUANT_EVAL_RESULTS_H
#define MOTE_QUANT_EVAL_RESULTS_H

#include <stdio.h>

#include "quant/eval/eval_part.h"

/* {"results": [...], "averages": [...]}: docs/evaluation.md has the fields. Results lie model behind model, each with
 * all tasks. MOTE_ERROR_MEMORY. */
enum mote_status mote_eval_results(const struct mote_eval_table *t, cJSON **out, struct mote_error *error) MOTE_CHECKED;

/* The table. UTF-8. */
void mote_eval_results_print(FILE *out, const struct mote_eval_table *t);

/* One result as a receipt's "evaluation", docs/receipts.md; limit and most_tokens: how it was asked.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_eval_receipt(const cJSON *result, uint32_t limit, uint32_t most_tokens, cJSON **out,
				   struct mote_error *error) MOTE_CHECKED;

#endif
