/* Do two texts share a passage? A model must not be measured on what it was calibrated on. */
#ifndef MOTE_QUANT_SHARED_PASSAGE_H
#define MOTE_QUANT_SHARED_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "format/status.h"

/* The shared run of bytes that counts as an overlap: every run of at least this length is found, and no
 * shorter one than half of it. A phrase may come back in honest text, a passage does not; forms that come
 * back within b itself (the system prompt of each conversation) do not count. */
#define MOTE_SHARED_PASSAGE_BYTES 512u

/* Stores the place in a of a shared passage, or SIZE_MAX. When a text is no longer than MOTE_SHARED_PASSAGE_BYTES / 2,
 * it counts when the other contains the whole of it. MOTE_ERROR_MEMORY. */
enum mote_status mote_shared_passage_find(const char *a, size_t a_bytes, const char *b, size_t b_bytes, size_t *place,
				   struct mote_error *error) MOTE_CHECKED;

#endif
