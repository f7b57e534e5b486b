/* The page about an evaluation: scores with their errors beside chance and the best constant, several models side by
 * side, paired flips, groups. */
#ifndef MOTE_QUANT_EVAL_REPORT_H
#define MOTE_QUANT_EVAL_REPORT_H

#include <stdio.h>

#include "format/json.h"

/* results: what mote-eval --json prints, {"results": [...], "averages": [...]}, as docs/evaluation.md has it; built by
 * this program, so that its shape is not checked; of so many tasks. An HTML page without scripts or outside parts,
 * light and dark. The reference is the first model where there is one. */
void mote_eval_report_html(FILE *out, const cJSON *results, int tasks);

/* For eval_report.c: a chart of one task's n results, a model each; and of how items moved against the first. */
void mote_eval_report_scores(FILE *out, const cJSON *const *row, int n);
void mote_eval_report_flips(FILE *out, const cJSON *const *row, int n);
/* A model's name without its folder, escaped. */
void mote_eval_report_name(FILE *out, const cJSON *result);

#endif
