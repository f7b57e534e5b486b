/* IFEval: whether an answer follows instructions that a program can verify (Zhou et al., arXiv 2311.07911).
 *
 * A record has "instruction_id_list", names of at most MOTE_IFEVAL_MOST of the 25 kinds, and "kwargs", an object of
 * arguments for each. What each kind asks is that of the authors' published verifiers, with these differences: three
 * kinds are approximations (mote_ifeval_approximate()); arguments are literal texts, no patterns; a letter to be
 * counted may be any character; a missing argument is an error and not drawn at random; JSON is strict (no NaN, no key
 * twice).
 */
#ifndef MOTE_QUANT_IFEVAL_H
#define MOTE_QUANT_IFEVAL_H

#include "format/json.h"

enum { MOTE_IFEVAL_MOST = 16 };

struct mote_ifeval_marks {
	uint32_t count;  /* instructions */
	/* strict: the answer follows it. loose: one of eight versions does: the answer, without its first line, without
	 * its last, without both, and each of these without asterisks. Blank text follows nothing. */
	bool strict[MOTE_IFEVAL_MOST], loose[MOTE_IFEVAL_MOST];
};

/* MOTE_ERROR_CORRUPT: place, field, and what was expected. */
enum mote_status mote_ifeval_validate(const cJSON *record, const char *place, struct mote_error *error) MOTE_CHECKED;

/* record: one that has been validated; answer: UTF-8. MOTE_ERROR_MEMORY; MOTE_ERROR_LIMIT: a search takes too long. */
enum mote_status mote_ifeval_check(const cJSON *record, const char *answer, struct mote_ifeval_marks *out,
				   struct mote_error *error) MOTE_CHECKED;

/* Answers that are tried as constant ones; i from 0, NULL behind the last. */
enum { MOTE_IFEVAL_CONSTANTS = 4 };
const char *mote_ifeval_constant(uint32_t i);
/* Which of them follow all instructions of a validated record by the strict rule, the i-th as bit i. Statuses as
 * mote_ifeval_check(). */
enum mote_status mote_ifeval_constants(const cJSON *record, uint8_t *mask, struct mote_error *error) MOTE_CHECKED;

/* Instructions of a validated record, and the i-th's kind. */
uint32_t mote_ifeval_count(const cJSON *record);
const char *mote_ifeval_kind(const cJSON *record, uint32_t i);

/* Whether this kind is verified approximately: the original asks statistical models, langdetect for languages and
 * NLTK's punkt for sentences and words in capitals, for which rules stand in here. */
bool mote_ifeval_approximate(const char *kind);

#endif
