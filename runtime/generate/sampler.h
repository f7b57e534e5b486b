/* Sampler: logits to the next token.
 *
 * The order is that of transformers, for which models' recommended settings are given: temperature, top-k, top-p,
 * min-p, then a draw. Candidates are ordered by falling probability, then by rising id (by id alone when no option
 * leaves any out); every sum is taken in a fixed order and every exponential is the library's own, so a seed gives
 * the same tokens on every machine.
 */
#ifndef MOTE_RUNTIME_SAMPLER_H
#define MOTE_RUNTIME_SAMPLER_H

#include <stdint.h>

#include "format/json.h"
#include "format/status.h"

struct mote_sampler_options {
	float temperature; /* 0: greedy, and nothing below matters */
	uint32_t top_k;    /* keep the k most probable; 0: all */
	float top_p;       /* keep the fewest whose probabilities reach p; 1: all */
	float min_p;       /* keep those at least min_p times as probable as the first; 0: all */
	uint64_t seed;
};

/* A model's own settings (the metadata's "generation", or NULL) where they are in range; else temperature 0.6,
 * top-p 0.95 and nothing more. The seed is 0. */
struct mote_sampler_options mote_sampler_recommended(const cJSON *generation);

struct mote_sampler;

/* MOTE_ERROR_ARGUMENT names the option out of range (temperature 0..100, top_p and min_p 0..1).
 * All memory is taken here. */
enum mote_status mote_sampler_open(const struct mote_sampler_options *options, uint32_t vocab,
				   struct mote_sampler **out, struct mote_error *error);
void mote_sampler_close(struct mote_sampler *s); /* NULL is fine */

/* The next token for logits[vocab]; at least one candidate always remains. NaN is never chosen unless all are.
 * Advances the random state by one draw, none when greedy. */
int32_t mote_sampler_next(struct mote_sampler *s, const float *logits);

/* All logits, the largest first, the lowest id first among equals; the caller frees. NULL: out of memory. */
struct mote_logit {
	int32_t id;
	float logit;
};
struct mote_logit *mote_sampler_sorted(const float *logits, uint32_t vocab);

/* The id of the largest logit, the lowest id among equals: what temperature 0 chooses. */
int32_t mote_sampler_argmax(const float *logits, uint32_t vocab);

#endif
