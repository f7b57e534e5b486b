/* Sampler: logits to the next token.
 *
 * The order is that of transformers, for which models' recommended settings are given: bias, penalties, mask,
 * temperature, top-k, top-p, min-p, typical-p, then a draw. Candidates are ordered by falling probability, then by
 * rising id (by id alone when no option leaves any out); every sum is taken in a fixed order and every exponential is
 * the library's own, so a seed gives the same tokens on every machine.
 */
#ifndef MOTE_RUNTIME_SAMPLER_H
#define MOTE_RUNTIME_SAMPLER_H

#include <stdint.h>

#include "format/json.h"
#include "format/status.h"
#include "runtime/generate/penalties.h"

/* Added to a token's logit; -INFINITY rules it out. */
struct mote_logit_bias {
	int32_t id;
	float bias;
};

struct mote_sampler_options {
	float temperature; /* 0: greedy, and top-k to typical-p do not matter */
	uint32_t top_k;    /* keep the k most probable; 0: all */
	float top_p;       /* keep the fewest whose probabilities reach p; 1: all */
	float min_p;       /* keep those at least min_p times as probable as the first; 0: all */
	float typical_p;   /* keep the fewest that reach p, those first whose surprise is next to the entropy (Meister
			    * and others, "Locally Typical Sampling", 2022); 0 or 1: all */
	uint64_t seed;
	struct mote_penalties_options penalties;
	const struct mote_logit_bias *bias; /* [biases], copied */
	size_t biases;
	/* May lower logits [vocab], which are the sampler's own copy, to -INFINITY: a grammar. It is the last before
	 * the temperature, so that nothing brings back what it ruled out. NULL: none. */
	void (*mask)(void *user, float *logits);
	void *mask_user;
};

/* A model's own settings (the metadata's "generation", or NULL) where they are in range; else temperature 0.6, top-p
 * 0.95 and nothing more. "do_sample": false is temperature 0, "repetition_penalty" and "typical_p" are taken, too.
 * The seed is 0. */
struct mote_sampler_options mote_sampler_recommended(const cJSON *generation);

struct mote_sampler;

/* MOTE_ERROR_ARGUMENT names the option out of range (temperature 0..100, top_p, min_p and typical_p 0..1, a bias that
 * is NaN or +infinity or for an id beyond the vocabulary, penalties as in penalties.h). All memory but the penalties'
 * history is taken here. */
enum mote_status mote_sampler_open(const struct mote_sampler_options *options, uint32_t vocab,
				   struct mote_sampler **out, struct mote_error *error);
void mote_sampler_close(struct mote_sampler *s); /* NULL is fine */

/* Begins an answer: what the penalties remember is ids[count], its prompt. The random state goes on.
 * MOTE_ERROR_MEMORY, only with penalties. */
enum mote_status mote_sampler_begin(struct mote_sampler *s, const int32_t *ids, size_t count, struct mote_error *error);

/* The next token for logits[vocab], which the penalties then remember; at least one candidate always remains.
 * Advances the random state by one draw, none when greedy.
 * MOTE_ERROR_CORRUPT: a logit is NaN or infinite (mote_logit_row_check()). MOTE_ERROR_ARGUMENT: bias and mask leave
 * no token.
 * MOTE_ERROR_MEMORY, only with penalties. */
enum mote_status mote_sampler_next(struct mote_sampler *s, const float *logits, int32_t *id, struct mote_error *error);

/* The same of those tokens only whose bits are set in allowed [(vocab + 63) / 64]: a grammar. NULL: of all. */
enum mote_status mote_sampler_next_of(struct mote_sampler *s, const float *logits, const uint64_t *allowed, int32_t *id,
				      struct mote_error *error);

/* A token that was not drawn but goes into the answer all the same. */
enum mote_status mote_sampler_accept(struct mote_sampler *s, int32_t id, struct mote_error *error);

#endif
