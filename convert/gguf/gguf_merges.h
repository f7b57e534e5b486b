/* The merges of a SentencePiece vocabulary, which GGUF files leave out: every way to put a token together from two
 * others is one, and the token's score says when.
 */
#ifndef MOTE_CONVERT_GGUF_MERGES_H
#define MOTE_CONVERT_GGUF_MERGES_H

#include "convert/gguf/gguf_vocabulary.h"
#include "convert/text_buffer.h"

/* Adds the elements of tokenizer.json's "merges", in the order in which transformers derives them: by score, highest
 * first; of one score the longer left part, then the longer right part first, counted in characters; then as the
 * vocabulary has them. v has scores. MOTE_ERROR_MEMORY, MOTE_ERROR_LIMIT. */
enum mote_status mote_gguf_merges_write(struct mote_text_buffer *b, const struct mote_gguf_vocabulary *v,
					struct mote_error *error);

/* How many there are. */
enum mote_status mote_gguf_merges_count(const struct mote_gguf_vocabulary *v, uint32_t *count,
					struct mote_error *error);

#endif
