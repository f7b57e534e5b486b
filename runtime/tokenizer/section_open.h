/* What the two files share that open a section: section_open.c and section_steps.c. */
#ifndef MOTE_RUNTIME_TOKENIZER_SECTION_OPEN_H
#define MOTE_RUNTIME_TOKENIZER_SECTION_OPEN_H

#include "runtime/tokenizer/tokenizer_internal.h"

/* MOTE_ERROR_CORRUPT with a message: something of an index is invalid, or a number is not the expected one. */
enum mote_status mote_tokenizer_section_bad(struct mote_error *error, const char *what, uint64_t index);
enum mote_status mote_tokenizer_section_found(struct mote_error *error, const char *what, uint64_t found,
					      uint64_t expected);
/* section_steps.c: the steps of all stages, with their arguments checked, and what the decoder will need. */
enum mote_status mote_tokenizer_open_steps(struct mote_tokenizer *t, struct mote_error *error);

static inline bool in_strings(const struct mote_tokenizer *t, uint32_t offset, uint32_t bytes)
{
	return offset <= t->part_bytes[PART_STRINGS] && bytes <= t->part_bytes[PART_STRINGS] - offset;
}

static inline const char *string_at(const struct mote_tokenizer *t, uint32_t offset)
{
	return (const char *)t->part[PART_STRINGS] + offset;
}

#endif
