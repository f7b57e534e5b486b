/* Penalties: logits made smaller for tokens that have occurred, before a sampler looks at them.
 *
 * Repetition: Keskar and others, "CTRL" (2019), as transformers does it: the logit of a token that has occurred is
 * divided by the penalty where it is positive and multiplied where it is negative, however often it occurred.
 * Presence and frequency, as OpenAI's API defines them for tokens that were sampled: presence is taken off once,
 * frequency once for each time; what is only in the prompt costs nothing. DRY ("don't repeat yourself", as in
 * llama.cpp): a token which would prolong a repeated sequence of n tokens, n >= dry_allowed, loses
 * dry_multiplier * dry_base^(n - dry_allowed).
 *
 * All look at the last `window` tokens of prompt and answer. In this order: repetition, frequency and presence, DRY.
 */
#ifndef MOTE_RUNTIME_PENALTIES_H
#define MOTE_RUNTIME_PENALTIES_H

#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

/* All 0: none. */
struct mote_penalties_options {
	float repetition;          /* 0 or 1: none; 0.01 to 100 */
	float presence, frequency; /* -100 to 100 */
	uint32_t window;           /* tokens looked back; 0: all, as transformers does (llama.cpp: 64) */
	float dry_multiplier;      /* 0: no DRY; to 100 */
	float dry_base;            /* 1 to 100, usually 1.75 */
	uint32_t dry_allowed;      /* usually 2 */
	const int32_t *dry_breaker; /* [dry_breakers] a repeated sequence does not reach beyond these; copied */
	size_t dry_breakers;
};

struct mote_penalties;

/* *out is NULL when the options ask for nothing. MOTE_ERROR_ARGUMENT names what is out of range; MOTE_ERROR_MEMORY. */
enum mote_status mote_penalties_open(const struct mote_penalties_options *options, uint32_t vocab,
				     struct mote_penalties **out, struct mote_error *error);
void mote_penalties_close(struct mote_penalties *p); /* NULL is fine */

/* Forgets what was, and remembers a prompt. Ids beyond the vocabulary are passed over. MOTE_ERROR_MEMORY. */
enum mote_status mote_penalties_begin(struct mote_penalties *p, const int32_t *ids, size_t count,
				      struct mote_error *error);
/* A token that was sampled. MOTE_ERROR_MEMORY. */
enum mote_status mote_penalties_accept(struct mote_penalties *p, int32_t id, struct mote_error *error);

void mote_penalties_apply(struct mote_penalties *p, float *logits);

#endif
