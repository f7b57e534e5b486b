/* Lookup: guesses how a text goes on from where its last ids stood before, in the prompt (an answer that quotes it) or
 * in what was written (one that repeats itself). Guesses are checked by the model, several in one pass, so they change
 * nothing but the time.
 *
 * How often guesses came true, by the length of what matched, is learned from every id, whether one was computed on
 * trust or not. So nothing is tried in vain: where guesses do not pay, none is made. Behind an id that differed the
 * text may go on as before: then guesses come from where they came from, for a step or two.
 */
#ifndef MOTE_RUNTIME_LOOKUP_H
#define MOTE_RUNTIME_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

enum { MOTE_LOOKUP_KINDS = 5, MOTE_LOOKUP_MOST = 15 };

struct mote_lookup {
	float rate[MOTE_LOOKUP_KINDS]; /* share of guesses that came true: matches of 2, 3, 4 to 7, 8 ids and more;
					* behind a difference */
	uint32_t match, from;          /* of the last ids: length (0: none, 1: behind a difference), and where what
					* followed it begins */
	uint32_t seen, carried;        /* ids when it was found; steps since there was a match */
};

void mote_lookup_begin(struct mote_lookup *l);

/* Looks for the longest earlier match of the last of ids[count], the latest among equals. True: there is one. */
bool mote_lookup_find(struct mote_lookup *l, const int32_t *ids, uint32_t count);

/* The guess for ids[count + i] behind the match, i <= the number of those that are written there already: guesses may
 * go on with themselves, as a text with a period does. */
int32_t mote_lookup_guess(const struct mote_lookup *l, const int32_t *ids, uint32_t i);

/* How likely guess i is to be right when all before it are. */
float mote_lookup_rate(const struct mote_lookup *l, uint32_t i);

/* Guess i has been compared with what came. */
void mote_lookup_learn(struct mote_lookup *l, uint32_t i, bool right);

#endif
