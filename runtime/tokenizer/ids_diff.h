/* How one list of token ids departs from another: a shortest edit script. */
#ifndef MOTE_RUNTIME_IDS_DIFF_H
#define MOTE_RUNTIME_IDS_DIFF_H

#include "runtime/tokenizer/tokenizer.h"

enum mote_edit_kind { MOTE_EDIT_SAME, MOTE_EDIT_REMOVED, MOTE_EDIT_ADDED };

struct mote_edit {
	enum mote_edit_kind kind;
	int32_t id;
};

/* The edits that turn a into b, in order; of neighbours, removals come before additions. *edits is allocated,
 * caller frees. MOTE_ERROR_LIMIT: what lies between common beginning and end is longer than a table of 64 million
 * cells can compare. MOTE_ERROR_MEMORY. */
enum mote_status mote_ids_diff(const struct mote_ids *a, const struct mote_ids *b, struct mote_edit **edits,
			       size_t *count, struct mote_error *error);

#endif
