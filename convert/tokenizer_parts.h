/* A compiled tokenizer taken apart again, for writers of other formats: tokens, merges in order, steps.
 */
#ifndef MOTE_CONVERT_TOKENIZER_PARTS_H
#define MOTE_CONVERT_TOKENIZER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/tokenizer/tokenizer_section.h"

struct mote_tokenizer_merge {
	uint32_t rank, left, right, result; /* ids */
};

struct mote_tokenizer_parts {
	const uint8_t *part[PARTS];       /* in the section; borrowed */
	uint32_t bytes[PARTS];
	uint32_t ids, model, flags, unk;  /* as in the section's header */
	const char *prefix, *suffix;      /* BPE's affixes, not NUL-terminated */
	uint32_t prefix_bytes, suffix_bytes;
	struct tokenizer_added *added;    /* [n_added], in the section's order */
	uint32_t n_added;
	uint32_t *added_of;               /* [ids]: index in added[] + 1; 0: no added token */
	struct tokenizer_step *step;      /* [steps] */
	uint32_t steps;
	struct mote_tokenizer_merge *merge; /* [merges], by rank */
	uint32_t merges;
};

/* section is borrowed until free. Errors are those of mote_tokenizer_open(), which checks it. */
enum mote_status mote_tokenizer_parts_read(const void *section, size_t bytes, struct mote_tokenizer_parts *out,
					   struct mote_error *error);
void mote_tokenizer_parts_free(struct mote_tokenizer_parts *p);

/* An id's spelling; *bytes may be 0: no token has the id. */
const char *mote_tokenizer_parts_text(const struct mote_tokenizer_parts *p, uint32_t id, uint32_t *bytes);
/* An argument of a step. */
const char *mote_tokenizer_parts_string(const struct mote_tokenizer_parts *p, uint32_t offset);
/* The steps of a stage: the first's index, and how many. */
uint32_t mote_tokenizer_parts_stage(const struct mote_tokenizer_parts *p, enum tokenizer_stage stage, uint32_t *count);

#endif
