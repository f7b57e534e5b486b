/* A token drawn from logits, as the options' temperature, top-k, top-p, min-p and typical-p want it: the same id from
 * the same seed on every machine. */
#ifndef MOTE_RUNTIME_DRAW_H
#define MOTE_RUNTIME_DRAW_H

#include <stdbool.h>

#include "runtime/generate/sampler.h"

struct mote_draw;

/* The caller closes *out, also after an error. MOTE_ERROR_MEMORY; MOTE_ERROR_ARGUMENT, MOTE_ERROR_UNSUPPORTED:
 * MOTE_ISA in the environment. */
enum mote_status mote_draw_open(uint32_t vocab, uint64_t seed, struct mote_draw **out, struct mote_error *error);
/* NULL does nothing. */
void mote_draw_close(struct mote_draw *d);

/* logits: [vocab], minus infinity for what is ruled out, no NaN; the options' temperature above 0. False, and nothing
 * drawn: the largest logit by the temperature is not finite, as all tokens are ruled out or the temperature is so low
 * that only the first can come. */
bool mote_draw_id(struct mote_draw *d, const struct mote_sampler_options *options, const float *logits, int32_t *id);

#endif
