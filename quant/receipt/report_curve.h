/* The curve of size against quality as an inline SVG: part of the HTML report. */
#ifndef MOTE_QUANT_REPORT_CURVE_H
#define MOTE_QUANT_REPORT_CURVE_H

#include "quant/receipt/report.h"

/* A point for each model: megabytes to the right; upwards the mean KL divergence on a logarithmic scale, or the
 * perplexity when there is no reference. The line joins the models that no smaller one betters. */
void mote_report_curve(FILE *out, const struct mote_report *r);

/* Writes text so that HTML shows it, control characters made visible (report_html.c). */
void mote_report_escape(FILE *out, const char *text, size_t bytes);

#endif
