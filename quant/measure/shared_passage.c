/* Shared passages: see shared_passage.h.
 *
 * b is cut into windows of half the length that counts, so that a run of that length contains a whole window
 * wherever it begins. A rolling hash (Rabin and Karp) looks each place of a up among them, and what it finds is
 * compared byte by byte. A window that b has twice is a form that its parts share, such as the system prompt of
 * every conversation, and is not held against a. */
#include "quant/measure/shared_passage.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MULTIPLIER 0x9e3779b97f4a7c15u

struct table {
	const char *b;
	size_t window;
	size_t *place;       /* [mask + 1] window's start in b, or SIZE_MAX */
	uint64_t *hash;
	bool *repeated;      /* the window occurs elsewhere in b too: a form, not a passage */
	size_t mask;
};

static uint64_t hash_window(const char *text, size_t bytes)
{
	uint64_t h = 0;

	for (size_t i = 0; i < bytes; i++)
		h = h * MULTIPLIER + (unsigned char)text[i];
	return h;
}

/* The slot of the window with this hash, or the empty slot where it would be. */
static size_t find(const struct table *t, uint64_t hash)
{
	size_t slot = (size_t)(hash >> 32 ^ hash) & t->mask;

	while (t->place[slot] != SIZE_MAX && t->hash[slot] != hash)
		slot = (slot + 1) & t->mask;
	return slot;
}

static bool fill(struct table *t, size_t b_bytes)
{
	size_t slots = 16;

	while (slots < b_bytes / t->window * 2)
		slots *= 2;
	t->mask = slots - 1;
	t->place = malloc(slots * sizeof *t->place);
	t->hash = malloc(slots * sizeof *t->hash);
	t->repeated = calloc(slots, sizeof *t->repeated);
	if (!t->place || !t->hash || !t->repeated)
		return false;
	memset(t->place, 0xff, slots * sizeof *t->place);
	for (size_t i = 0; i + t->window <= b_bytes; i += t->window) {
		uint64_t hash = hash_window(t->b + i, t->window);
		size_t slot = find(t, hash);

		if (t->place[slot] == SIZE_MAX) {
			t->place[slot] = i;
			t->hash[slot] = hash;
		}
	}
	return true;
}

/* Looks every place of text up. In b itself (mark): notes which windows occur more than once. In another text: returns
 * the first place of a window that does not. */
static size_t scan(struct table *t, const char *text, size_t bytes, bool mark)
{
	uint64_t hash = hash_window(text, t->window), leave = 1;

	for (size_t i = 1; i < t->window; i++)
		leave *= MULTIPLIER;
	for (size_t i = 0;; i++) {
		size_t slot = find(t, hash), place = t->place[slot];

		if (place != SIZE_MAX && memcmp(text + i, t->b + place, t->window) == 0) {
			if (mark)
				t->repeated[slot] |= place != i;
			else if (!t->repeated[slot])
				return i;
		}
		if (i + t->window == bytes)
			return SIZE_MAX;
		hash = (hash - (unsigned char)text[i] * leave) * MULTIPLIER + (unsigned char)text[i + t->window];
	}
}

enum mote_status mote_shared_passage_find(const char *a, size_t a_bytes, const char *b, size_t b_bytes, size_t *place,
				   struct mote_error *error)
{
	struct table t = {.b = b, .window = MOTE_SHARED_PASSAGE_BYTES / 2};
	size_t shorter = a_bytes < b_bytes ? a_bytes : b_bytes;
	enum mote_status status = MOTE_OK;

	*place = SIZE_MAX;
	if (shorter == 0)
		return MOTE_OK;
	if (shorter <= t.window || (a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0)) {
		const char *inside = b_bytes > a_bytes ? memmem(b, b_bytes, a, a_bytes)
						       : memmem(a, a_bytes, b, b_bytes);

		if (inside)
			*place = b_bytes > a_bytes ? 0 : (size_t)(inside - a);
		return MOTE_OK;
	}
	if (fill(&t, b_bytes)) {
		scan(&t, b, b_bytes, true);
		*place = scan(&t, a, a_bytes, false);
	} else {
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for comparing texts");
	}
	free(t.place);
	free(t.hash);
	free(t.repeated);
	return status;
}
