/* Reports of a measurement: the table for a terminal, and a self-contained HTML page (report_html.c) with the
 * size-quality curve and the worst tokens in their context. Written to a stream that the caller owns.
 */
#ifndef MOTE_QUANT_REPORT_H
#define MOTE_QUANT_REPORT_H

#include <stdio.h>

#include "quant/measure/answers.h"
#include "quant/measure/figures.h"
#include "quant/measure/plan.h"

struct mote_report_model {
	const char *name;                      /* the file's name without its folder */
	uint64_t file_bytes;
	double bits_per_weight;                /* over matrices */
	const struct mote_figures *figures;
	const struct mote_score *scores;       /* [mote_plan_rows(plan)] */
	const struct mote_behaviour *behaviour;/* or NULL */
};

/* Everything is borrowed. */
struct mote_report {
	const struct mote_text *text;
	const struct mote_plan *plan;
	const struct mote_tokenizer *tokenizer;
	const char *reference;                 /* name, or NULL: measured alone */
	double reference_bits_per_weight;      /* 0: unknown */
	uint64_t reference_bytes;              /* 0: unknown */
	const struct mote_behaviour *reference_behaviour;
	const struct mote_report_model *model; /* [n] */
	uint32_t n;
};

/* A figure for people: so many digits behind the point while it is of a size at which they say something, else six in
 * all and an exponent; "" for NaN, which stands for what does not exist. */
enum { MOTE_REPORT_NUMBER_BYTES = 32 };
const char *mote_report_number(char text[MOTE_REPORT_NUMBER_BYTES], double value, int digits);

/* Bits a weight over all matrices of a container. */
double mote_report_bits_per_weight(const struct mote_container *c);

/* Plain text, UTF-8: one model in full, several as a table. */
void mote_report_print(FILE *out, const struct mote_report *r);

/* The pages' style sheet: light and dark. */
extern const char mote_report_style[];

/* An HTML page without scripts or outside parts, light and dark. MOTE_ERROR_MEMORY. */
enum mote_status mote_report_html(FILE *out, const struct mote_report *r, struct mote_error *error) MOTE_CHECKED;

#endif
