/* Text that grows, for what is sent: it remembers that memory ran out, so that nothing is checked in between. */
#ifndef MOTE_RUNTIME_SERVE_BYTES_H
#define MOTE_RUNTIME_SERVE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

#include "format/json.h"

/* Zero-initialize. text has a NUL behind it once something was added, and is NULL before. */
struct mote_bytes {
	char *text;
	size_t count, room;
	bool failed;
};

void mote_bytes_add(struct mote_bytes *b, const char *text, size_t bytes);
/* For a JSON text, which ends at a NUL here: that becomes U+FFFD. */
void mote_bytes_add_text(struct mote_bytes *b, const char *text, size_t bytes);
void mote_bytes_print(struct mote_bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The tree as compact JSON; it is freed. NULL counts as out of memory. */
void mote_bytes_add_json(struct mote_bytes *b, cJSON *json);
void mote_bytes_free(struct mote_bytes *b);

#endif
