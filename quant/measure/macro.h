/* Macro averages: the figures of one model over several texts, each text weighing the same whatever its length. */
#ifndef MOTE_QUANT_MACRO_H
#define MOTE_QUANT_MACRO_H

#include "quant/measure/figures.h"

/* The means of n texts' figures, n at least 1. Means of logarithms are averaged, so perplexity and perplexity_ratio are
 * geometric means; delta_p_rms is the root of the mean square. Texts are independent: an error is the root of the sum
 * of the texts' squared errors, over n. Quantiles, extremes and the correlation have no macro average and stay zero. */
void mote_macro_average(const struct mote_figures *const *text, uint32_t n, struct mote_figures *out);

/* An object with the figures that mote_macro_average() sets. NULL when memory is gone. */
cJSON *mote_macro_to_json(const struct mote_figures *f);

#endif
