#include "runtime/tokenizer/ids_diff.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CELLS (UINT64_C(64) << 20)

static void put(struct mote_edit *edits, size_t *count, enum mote_edit_kind kind, int32_t id)
{
	edits[(*count)++] = (struct mote_edit){.kind = kind, .id = id};
}

enum mote_status mote_ids_diff(const struct mote_ids *a, const struct mote_ids *b, struct mote_edit **edits,
			       size_t *count, struct mote_error *error)
{
	size_t begin = 0, a_end = a->count, b_end = b->count, rows, columns, i = 0, j = 0;
	uint32_t *length; /* [rows + 1][columns + 1]: of the longest common subsequence of what follows */
	struct mote_edit *out;

	*edits = NULL;
	*count = 0;
	while (begin < a_end && begin < b_end && a->id[begin] == b->id[begin])
		begin++;
	while (a_end > begin && b_end > begin && a->id[a_end - 1] == b->id[b_end - 1]) {
		a_end--;
		b_end--;
	}
	rows = a_end - begin;
	columns = b_end - begin;
	if (rows >= MOST_CELLS || columns >= MOST_CELLS || (uint64_t)(rows + 1) * (columns + 1) > MOST_CELLS)
		return mote_error_set(error, MOTE_ERROR_LIMIT, "comparing %zu with %zu ids is too much", rows,
				      columns);
	length = calloc((rows + 1) * (columns + 1), sizeof *length);
	out = malloc((a->count + b->count + 1) * sizeof *out);
	if (!length || !out) {
		free(length);
		free(out);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to compare %zu with %zu ids", rows,
				      columns);
	}
#define LENGTH(r, c) length[(r) * (columns + 1) + (c)]
	for (i = rows; i-- > 0;)
		for (j = columns; j-- > 0;)
			LENGTH(i, j) = a->id[begin + i] == b->id[begin + j] ? LENGTH(i + 1, j + 1) + 1
				: LENGTH(i + 1, j) > LENGTH(i, j + 1) ? LENGTH(i + 1, j) : LENGTH(i, j + 1);
	for (i = 0; i < begin; i++)
		put(out, count, MOTE_EDIT_SAME, a->id[i]);
	for (i = j = 0; i < rows || j < columns;) {
		if (i < rows && j < columns && a->id[begin + i] == b->id[begin + j]) {
			put(out, count, MOTE_EDIT_SAME, a->id[begin + i]);
			i++;
			j++;
		} else if (i < rows && (j == columns || LENGTH(i + 1, j) >= LENGTH(i, j + 1))) {
			put(out, count, MOTE_EDIT_REMOVED, a->id[begin + i++]);
		} else {
			put(out, count, MOTE_EDIT_ADDED, b->id[begin + j++]);
		}
	}
#undef LENGTH
	for (i = a_end; i < a->count; i++)
		put(out, count, MOTE_EDIT_SAME, a->id[i]);
	free(length);
	*edits = out;
	return MOTE_OK;
}
