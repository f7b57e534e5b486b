/* A row of logits: what everything that chooses a token from them needs. */
#ifndef MOTE_RUNTIME_LOGIT_ROW_H
#define MOTE_RUNTIME_LOGIT_ROW_H

#include <stdint.h>

#include "format/status.h"

/* MOTE_ERROR_CORRUPT names the first logit that is NaN or infinite: no token can be chosen from such a row, and what
 * computed it is broken. */
enum mote_status mote_logit_row_check(const float *logits, uint32_t vocab, struct mote_error *error);

/* The id of the largest logit, the lowest id among equals: what temperature 0 chooses. NaN is passed over. */
int32_t mote_logit_row_argmax(const float *logits, uint32_t vocab);

/* All logits, the largest first, the lowest id first among equals; the caller frees. NULL: out of memory. */
struct mote_logit {
	int32_t id;
	float logit;
};
struct mote_logit *mote_logit_row_sorted(const float *logits, uint32_t vocab);

/* log of the sum of exp(logit), so that logit - it is a log-probability. In eight lanes with the library's own exp and
 * log: the same everywhere. NaN where a logit is. */
double mote_logit_row_log_sum(const float *logits, uint32_t vocab);
/* The `most` largest logits in falling order, the lowest id first among equals; returns how many there are. */
uint32_t mote_logit_row_top(const float *logits, uint32_t vocab, uint32_t most, struct mote_logit *top);

#endif
