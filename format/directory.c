/* The tensor directory of a container: reads, checks and indexes it; see docs/container-format.md.
 *
 * Invariant afterwards: every tensor lies inside the file's data range, tensors follow each other in
 * directory order without holes, names are unique. Not here: the checksums of tensor data. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "format/cursor.h"
#include "format/layout.h"

/* Of equal names the one that comes first in the file. */
static int by_name(const void *a, const void *b)
{
	const struct mote_tensor *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);

	return order ? order : (*x > *y) - (*x < *y);
}

/* Sorted, not hashed: names are chosen by whoever wrote the file. */
static enum mote_status index_names(struct mote_directory *d, struct mote_cursor *names)
{
	for (uint32_t i = 0; i < d->n_tensors; i++)
		d->by_name[i] = d->tensors + i;
	qsort(d->by_name, d->n_tensors, sizeof *d->by_name, by_name);
	for (uint32_t i = 1; i < d->n_tensors; i++)
		if (strcmp(d->by_name[i - 1]->name, d->by_name[i]->name) == 0) {
			names->at = (size_t)(d->by_name[i]->name - (const char *)names->data);
			return mote_cursor_fail(names, MOTE_ERROR_CORRUPT, "two tensors have the name \"%s\"",
						d->by_name[i]->name);
		}
	return MOTE_OK;
}

/* Fills t from its entry; the cursor stands behind the entry. end: of the tensor before it. */
static enum mote_status check_tensor(struct mote_cursor *cursor, const uint8_t *file,
				     const struct mote_layout_tensor *entry, uint64_t end, uint64_t limit,
				     struct mote_tensor *t)
{
	const uint8_t *record = cursor->data + cursor->at - sizeof *entry;
	uint64_t expected_offset, bytes = 0;
	struct mote_cursor padding;

	*t = (struct mote_tensor){ .name = t->name, .rank = entry->rank, .rows = entry->rows, .cols = entry->cols,
				   .type = (enum mote_type)entry->type, .offset = entry->offset,
				   .bytes = entry->bytes, .hash = entry->hash };
	if (!mote_type_name(t->type))
		return mote_cursor_fail(cursor, MOTE_ERROR_UNSUPPORTED,
					"tensor \"%s\" has type number %u, which this mote does not know", t->name,
					entry->type);
	if (entry->zero != 0)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"tensor \"%s\": reserved field: found %u, expected 0", t->name, entry->zero);
	for (uint32_t i = mote_type_has_codebook(t->type) ? mote_type_levels(t->type) : 0; i < sizeof entry->codebook;
	     i++)
		if (entry->codebook[i] != 0)
			return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
						"tensor \"%s\" of type %s: byte %u of its codebook: found %u, expected "
						"0", t->name, mote_type_name(t->type), i, entry->codebook[i]);
	if (t->rank == 1) {
		if (t->type != MOTE_F32 || t->cols != 1 || t->rows < 1 || t->rows > MOTE_MAX_ROWS)
			return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
						"vector \"%s\": found %u x %u %s, expected 1..%u x 1 f32", t->name,
						t->rows, t->cols, mote_type_name(t->type), MOTE_MAX_ROWS);
		bytes = (uint64_t)t->rows * 4;
	} else if (t->rank == 2) {
		struct mote_error why = {0};
		const uint8_t *codebook = mote_type_has_codebook(t->type) ?
			record + offsetof(struct mote_layout_tensor, codebook) : NULL;

		if (mote_matrix_init(&t->matrix, t->type, t->rows, t->cols, NULL, codebook, &bytes, &why) != MOTE_OK)
			return mote_cursor_fail(cursor, why.code, "tensor \"%s\": %s", t->name, why.message);
	} else {
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT, "tensor \"%s\": rank: found %u, expected 1 or 2",
					t->name, t->rank);
	}
	if (t->bytes != bytes)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT, "tensor \"%s\": size: found %llu, expected %llu",
					t->name, (unsigned long long)t->bytes, (unsigned long long)bytes);
	if (!mote_checked_round_up(end, MOTE_LAYOUT_ALIGNMENT, &expected_offset) || t->offset != expected_offset ||
	    t->offset > limit || t->bytes > limit - t->offset)
		return mote_cursor_fail(cursor, MOTE_ERROR_CORRUPT,
					"tensor \"%s\": found %llu bytes at %llu, expected at %llu and within %llu",
					t->name, (unsigned long long)t->bytes, (unsigned long long)t->offset,
					(unsigned long long)expected_offset, (unsigned long long)limit);
	/* At most 63 bytes, and none in most files: this does not read the tensors' pages. */
	padding = mote_cursor(file + end, t->offset - end, end, "padding", cursor->error);
	mote_cursor_zeros(&padding, t->offset - end, "before a tensor");
	if (t->rank == 1)
		t->vector = (const float *)(const void *)(file + t->offset);
	else
		t->matrix.data = file + t->offset;
	return cursor->status = padding.status;
}

/* The names follow the entries; each tensor's is checked. */
static enum mote_status read_names(struct mote_directory *d, struct mote_cursor *entries,
				   struct mote_cursor *names)
{
	for (uint32_t i = 0; i < d->n_tensors; i++) {
		struct mote_layout_tensor entry;
		const char *name;
		size_t bytes;

		mote_cursor_read(entries, &entry, sizeof entry, "entry");
		bytes = (size_t)entry.name_bytes + 1; /* with its NUL */
		name = mote_cursor_take(names, bytes, "a tensor's name");
		if (!name)
			return names->status;
		names->at -= bytes; /* where messages point */
		if (name[entry.name_bytes] != 0 || !mote_layout_name_ok(name, entry.name_bytes))
			return mote_cursor_fail(names, MOTE_ERROR_CORRUPT,
						"name of tensor %u: expected 1..%u bytes of UTF-8 without control "
						"characters", i, MOTE_MAX_TENSOR_NAME);
		d->tensors[i].name = name;
		names->at += bytes;
	}
	return mote_cursor_end(names) ? names->status : index_names(d, names);
}

static enum mote_status hash_tensors(struct mote_directory *d, const uint8_t *entries, const uint8_t *names,
				     size_t names_bytes, struct mote_error *error)
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t hash;

	if (!state)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");
	XXH3_128bits_reset(state);
	for (uint32_t i = 0; i < d->n_tensors; i++)
		XXH3_128bits_update(state,
				    entries + i * sizeof(struct mote_layout_tensor) + MOTE_LAYOUT_TENSOR_IDENTITY,
				    sizeof(struct mote_layout_tensor) - MOTE_LAYOUT_TENSOR_IDENTITY);
	XXH3_128bits_update(state, names, names_bytes);
	hash = XXH3_128bits_digest(state);
	XXH3_freeState(state);
	d->hash = (struct mote_hash128){hash.low64, hash.high64};
	return MOTE_OK;
}

enum mote_status mote_directory_read(struct mote_directory *d, const uint8_t *file,
				     const struct mote_section_info *s, struct mote_error *error)
{
	uint64_t entries_bytes, end = MOTE_LAYOUT_DATA_OFFSET, limit = s->offset;
	struct mote_cursor cursor, entries, names, padding;
	const uint8_t *records;

	cursor = mote_cursor(file + s->offset, s->stored_bytes, s->offset, "tensor directory", error);
	d->n_tensors = mote_cursor_u32(&cursor, "number of tensors");
	mote_cursor_zeros(&cursor, 4, "reserved field");
	entries_bytes = (uint64_t)d->n_tensors * sizeof(struct mote_layout_tensor); /* cannot wrap: 32 by 7 bits */
	records = mote_cursor_take(&cursor, entries_bytes, "entries");
	if (cursor.status != MOTE_OK)
		return cursor.status;

	/* The entries exist in the file, so what is allocated is in proportion to its size. */
	d->tensors = calloc(d->n_tensors + (size_t)1, sizeof *d->tensors);
	d->by_name = calloc(d->n_tensors + (size_t)1, sizeof *d->by_name);
	if (!d->tensors || !d->by_name)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory");

	entries = mote_cursor(records, entries_bytes, s->offset + 8, "tensor directory", error);
	names = mote_cursor(records + entries_bytes, mote_cursor_left(&cursor), s->offset + 8 + entries_bytes,
			    "tensor directory", error);
	if (read_names(d, &entries, &names) != MOTE_OK)
		return names.status;
	entries.at = 0;
	for (uint32_t i = 0; i < d->n_tensors; i++) {
		struct mote_layout_tensor entry;

		mote_cursor_read(&entries, &entry, sizeof entry, "entry");
		if (check_tensor(&entries, file, &entry, end, limit, d->tensors + i) != MOTE_OK)
			return entries.status;
		end = entry.offset + entry.bytes;
	}
	if (limit - end >= MOTE_LAYOUT_ALIGNMENT)
		return mote_cursor_fail(&entries, MOTE_ERROR_CORRUPT,
					"tensors end at %llu, expected the first section there: found it at %llu",
					(unsigned long long)end, (unsigned long long)limit);
	padding = mote_cursor(file + end, limit - end, end, "padding", error);
	mote_cursor_zeros(&padding, limit - end, "behind the last tensor");
	if (padding.status != MOTE_OK)
		return padding.status;
	return hash_tensors(d, records, names.data, names.bytes, error);
}

const struct mote_tensor *mote_directory_find(const struct mote_directory *d, const char *name)
{
	uint32_t low = 0, high = d->n_tensors;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(d->by_name[middle]->name, name);

		if (order == 0)
			return d->by_name[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void mote_directory_free(struct mote_directory *d)
{
	free(d->tensors);
	free(d->by_name);
}
