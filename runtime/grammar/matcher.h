/* Matcher: where a text that grows stands in a grammar, and which tokens may come next.
 *
 * A place in a grammar is a state and the states to which the rules around it return; a text may be at several
 * places at once. Each set of places that occurs is kept with where each byte leads from it, so that the network
 * itself is followed once for each set and byte, and the tokens that may come are kept for the sets seen last. Which
 * tokens may come is found by walking the vocabulary as a trie, all beginnings of tokens once.
 *
 * What is kept stays within some megabytes: beyond, it is forgotten and found again. One thread at a time.
 */
#ifndef MOTE_RUNTIME_MATCHER_H
#define MOTE_RUNTIME_MATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/grammar/grammar.h"
#include "runtime/grammar/token_trie.h"

struct mote_matcher;

/* At the beginning of a text. The grammar is borrowed, and so are the tokens; NULL: there are none, texts are
 * matched only. MOTE_ERROR_MEMORY. */
enum mote_status mote_matcher_open(const struct mote_grammar *grammar, const struct mote_token_trie *tokens,
				   struct mote_matcher **out, struct mote_error *error);
void mote_matcher_close(struct mote_matcher *m); /* NULL is fine */

/* The text goes on with these bytes. MOTE_ERROR_ARGUMENT: the grammar does not allow them; the place stays.
 * MOTE_ERROR_LIMIT: too many places at once, or rules too deep inside of each other. MOTE_ERROR_MEMORY. */
enum mote_status mote_matcher_take(struct mote_matcher *m, const char *bytes, size_t count, struct mote_error *error);
/* Whether it may; nothing changes. */
bool mote_matcher_may_take(struct mote_matcher *m, const char *bytes, size_t count);
/* With this token's bytes. */
enum mote_status mote_matcher_take_id(struct mote_matcher *m, int32_t id, struct mote_error *error);

/* Whether the text may end here, and whether it must. */
bool mote_matcher_may_end(const struct mote_matcher *m);
bool mote_matcher_is_over(const struct mote_matcher *m);

/* Which tokens may come next: *mask is a bit for each id, mote_token_trie_words() words, valid until the next call.
 * Statuses as mote_matcher_take(); MOTE_ERROR_UNSUPPORTED: none, since the vocabulary cannot spell what must follow. */
enum mote_status mote_matcher_mask(struct mote_matcher *m, const uint64_t **mask, struct mote_error *error);

#endif
