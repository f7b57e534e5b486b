/* A compiled tokenizer with further special tokens behind its last id: what transformers' add_special_tokens() makes,
 * and the same bytes as compiling its tokenizer.json would give. Ids,
 * merges and steps of the old tokenizer stay as they are. */
#ifndef MOTE_RUNTIME_TOKENIZER_SECTION_EXTEND_H
#define MOTE_RUNTIME_TOKENIZER_SECTION_EXTEND_H

#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

/* Token i gets the id old ids + i and is found in any text that is not plain, before everything else. Texts are
 * NUL-terminated UTF-8, no two the same. *out is allocated, the caller frees it.
 * MOTE_ERROR_ARGUMENT: a text is empty, longer than a token may be, no UTF-8, or a token of the vocabulary already;
 * MOTE_ERROR_LIMIT: more ids than a tokenizer may have; MOTE_ERROR_CORRUPT as mote_tokenizer_open();
 * MOTE_ERROR_MEMORY. */
enum mote_status mote_tokenizer_section_extend(const void *section, size_t bytes, const char *const *token, uint32_t n,
					       uint8_t **out, size_t *out_bytes, struct mote_error *error);

#endif
