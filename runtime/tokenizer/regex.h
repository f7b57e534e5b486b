/* Regular expressions of tokenizers, run by PCRE2. */
#ifndef MOTE_RUNTIME_TOKENIZER_REGEX_H
#define MOTE_RUNTIME_TOKENIZER_REGEX_H

#include "runtime/tokenizer/encode_state.h"

/* Patterns are written for Oniguruma with Ruby's syntax, as the reference runs them.
 * MOTE_ERROR_UNSUPPORTED: a construct that PCRE2 would read differently, by name; MOTE_ERROR_CORRUPT: no pattern. */
enum mote_status mote_tokenizer_regex_open(const char *pattern, size_t bytes, struct regex **out,
					   struct mote_error *error);
/* regex_rewrite.c: the pattern as PCRE2 reads it; *out is freed with free() whatever the status, NULL for no bytes. */
enum mote_status mote_tokenizer_regex_rewrite(const char *pattern, size_t bytes, char **out, size_t *out_bytes,
					      struct mote_error *error);
void mote_tokenizer_regex_close(struct regex *regex);
/* Walks over the matches of a text as the reference does: an empty match right behind the last match is no match.
 * Zero-initialize. next() is false when there is none left, or on failure in r->status. */
struct regex_walk {
	size_t at, last_end;
	bool matched;
};
bool mote_tokenizer_regex_next(struct run *r, const struct regex *regex, const char *text, size_t bytes,
			       struct regex_walk *walk, size_t *begin, size_t *end);
void mote_tokenizer_regex_scratch_free(struct regex_scratch *scratch);

#endif
