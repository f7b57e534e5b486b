/* The vocabulary as a trie over the bytes that tokens add to a text, laid out in the order of a walk.
 *
 * Node i is a beginning of tokens: its last byte, its length, and where the walk goes on when nothing begins so.
 * Special tokens, which leave no text, are not in it. Read-only once made.
 */
#ifndef MOTE_RUNTIME_TOKEN_TRIE_H
#define MOTE_RUNTIME_TOKEN_TRIE_H

#include <stdint.h>

#include "format/status.h"
#include "runtime/tokenizer/tokenizer.h"

struct token_node {
	uint32_t skip; /* the next node that is not below this one */
	uint32_t ids; /* trie->id[ids .. ids of the next node) are spelled so */
	uint16_t depth; /* bytes */
	uint8_t byte;
};

struct mote_token_trie {
	struct token_node *node; /* [nodes + 1], the last one bounds ids */
	uint32_t nodes, vocab, longest;
	int32_t *id;
	uint32_t *offset; /* [vocab + 1] of each id's bytes in text; none: it is not in the trie */
	char *text;
};

/* MOTE_ERROR_MEMORY. MOTE_ERROR_UNSUPPORTED: tokens of this tokenizer have no bytes of their own. vocab: as many
 * logits as the model gives; ids beyond it are left out. */
enum mote_status mote_token_trie_open(const struct mote_tokenizer *tokenizer, uint32_t vocab,
				      struct mote_token_trie **out, struct mote_error *error);
void mote_token_trie_close(struct mote_token_trie *t); /* NULL is fine */

static inline uint32_t mote_token_trie_words(const struct mote_token_trie *t)
{
	return (t->vocab + 63) / 64;
}

#endif
