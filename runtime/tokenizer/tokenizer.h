/* Tokenizer: text to ids and back, exactly as the reference (Hugging Face tokenizers) does it.
 * Works from the container's compiled tokenizer section; convert/hf/hf_tokenizer.c makes that section
 * from tokenizer.json. Thread-safe after open, except through one mote_encoder.
 */
#ifndef MOTE_RUNTIME_TOKENIZER_H
#define MOTE_RUNTIME_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

struct mote_tokenizer;

/* section is borrowed until close. Validates everything: a hostile section gets MOTE_ERROR_CORRUPT. */
enum mote_status mote_tokenizer_open(const void *section, size_t bytes, struct mote_tokenizer **out,
				     struct mote_error *error);
void mote_tokenizer_close(struct mote_tokenizer *t); /* NULL is fine */

uint32_t mote_tokenizer_vocab_size(const struct mote_tokenizer *t); /* highest id + 1 */
/* The id of a token by its exact vocabulary or added-token text, or -1. */
int32_t mote_tokenizer_find(const struct mote_tokenizer *t, const char *text, size_t bytes);
/* The raw text of an id as the vocabulary spells it; NULL for an id without one. */
const char *mote_tokenizer_token(const struct mote_tokenizer *t, int32_t id, size_t *bytes);
bool mote_tokenizer_is_special(const struct mote_tokenizer *t, int32_t id); /* special added token */

/* A growing list of ids. Zero-initialize; free with mote_ids_free(). */
struct mote_ids {
	int32_t *id;
	size_t count, capacity;
	uint64_t dropped_bytes; /* input bytes that the vocabulary cannot express and the reference drops */
};
void mote_ids_free(struct mote_ids *ids);

enum mote_encode_flags {
	MOTE_ENCODE_ADD_SPECIAL = 1, /* what the post-processor adds around a single text (bos, eos) */
	MOTE_ENCODE_PLAIN = 2,       /* added tokens in the text are ordinary text */
	MOTE_ENCODE_NO_CACHE = 4,    /* without the cache of pre-tokens; same ids */
	MOTE_ENCODE_ADD_BEFORE = 8   /* of ADD_SPECIAL only what goes before: of a text that is gone on with */
};

/* Appends the ids of text to out. Invalid UTF-8 is replaced by U+FFFD as Python's "replace" does.
 * MOTE_ERROR_MEMORY, MOTE_ERROR_LIMIT (a pattern's match limit). */
enum mote_status mote_tokenizer_encode(const struct mote_tokenizer *t, const char *text, size_t bytes,
				       unsigned flags, struct mote_ids *out, struct mote_error *error);

/* A run of text of one kind: template text (added tokens recognised) or plain (never a control token). */
struct mote_text_span {
	size_t begin, end; /* bytes of the text, contiguous, ascending */
	bool plain;
};
/* Encodes a text of which some spans are plain: like encode() of the whole text, except that no added token is
 * recognised that begins in, ends in or overlaps a plain span. */
enum mote_status mote_tokenizer_encode_spans(const struct mote_tokenizer *t, const char *text,
					     const struct mote_text_span *spans, size_t n_spans, unsigned flags,
					     struct mote_ids *out, struct mote_error *error);

/* Whole decode: *text is allocated (caller frees), NUL-terminated, bytes without the NUL. */
enum mote_status mote_tokenizer_decode(const struct mote_tokenizer *t, const int32_t *ids, size_t count,
				       bool skip_special, char **text, size_t *bytes, struct mote_error *error);
/* The same of tokens that stand within a text, special ones too: a space at its beginning is not taken off. */
enum mote_status mote_tokenizer_decode_within(const struct mote_tokenizer *t, const int32_t *ids, size_t count,
					      char **text, size_t *bytes, struct mote_error *error);

/* Streaming decode: the same text as decode() of all ids, piece by piece. Held back is what later ids may still
 * change: incomplete UTF-8, and with byte fallback a run of byte tokens until it ends (or reaches 1 KiB).
 * Zero-initialize; no memory to free; one tokenizer for one state. next() returns a pointer into the state, valid
 * until the next call, with a NUL behind its bytes. */
#define MOTE_DETOKENIZER_RUN 1024
#define MOTE_DETOKENIZER_PIECE 16384
struct mote_detokenizer {
	const struct mote_tokenizer *t;
	bool started; /* a token was shown; set it beforehand when the text continues an earlier one, so that the
		       * first token keeps its leading space */
	uint32_t n_run;
	uint32_t stripped;     /* characters taken off the beginning of the text */
	bool began;            /* nothing more will be taken off */
	bool raw;              /* bytes as they are: nothing is held back or replaced */
	size_t n_piece;
	char run[MOTE_DETOKENIZER_RUN];
	char piece[MOTE_DETOKENIZER_PIECE + 1];
};
/* skip_special: special added tokens are not shown. Ids that no token has are skipped. Cannot fail. */
const char *mote_detokenizer_next(struct mote_detokenizer *d, const struct mote_tokenizer *t, int32_t id,
				  bool skip_special, size_t *bytes);
/* What is still held back at the end, U+FFFD where it is incomplete. */
const char *mote_detokenizer_flush(struct mote_detokenizer *d, size_t *bytes);

/* The bytes that a token adds to a text which has begun, possibly a part of a character; none for special tokens and
 * ids without a token. For a state that serves nothing else. */
const char *mote_detokenizer_bytes(struct mote_detokenizer *d, const struct mote_tokenizer *t, int32_t id,
				   size_t *bytes);
/* False: a token's bytes depend on the tokens before it, even behind the first. */
bool mote_tokenizer_has_token_bytes(const struct mote_tokenizer *t);

#endif
