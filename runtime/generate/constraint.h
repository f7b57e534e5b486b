/* Constraint: how an answer obeys a grammar.
 *
 * The grammar speaks of the answer's text alone: a thought before it is free, but cannot end the answer. White space
 * between a thought and the text, which only separates them, may come: two bytes of it. The model may end where the
 * grammar may, and where nothing else can follow the answer is over without that.
 */
#ifndef MOTE_RUNTIME_CONSTRAINT_H
#define MOTE_RUNTIME_CONSTRAINT_H

#include "runtime/chat/reasoning.h"
#include "runtime/grammar/matcher.h"
#include "runtime/model/config.h"

struct mote_constraint;

/* Grammar, tokens and config are borrowed. reasoning: how the answer begins, and the ids of its tags.
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_constraint_open(const struct mote_grammar *grammar, const struct mote_token_trie *tokens,
				      const struct mote_config *config, const struct mote_reasoning *reasoning,
				      struct mote_constraint **out, struct mote_error *error);
void mote_constraint_close(struct mote_constraint *c); /* NULL is fine */

/* What may come next, a bit for each id, valid until the next call. inside: of a thought; after_marker: behind one,
 * and no text since. Statuses as mote_matcher_mask(). */
enum mote_status mote_constraint_mask(struct mote_constraint *c, bool inside, bool after_marker,
				      const uint64_t **allowed, struct mote_error *error);

/* A token outside of thoughts that is no tag came. Statuses as mote_matcher_take_id(). */
enum mote_status mote_constraint_take(struct mote_constraint *c, int32_t id, bool after_marker,
				      struct mote_error *error);

bool mote_constraint_began(const struct mote_constraint *c); /* its text has */
bool mote_constraint_is_over(const struct mote_constraint *c); /* nothing can follow */

#endif
