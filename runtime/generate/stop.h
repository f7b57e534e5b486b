/* Stop: finds given texts in a text that comes piece by piece. What may be the beginning of one is held back until
 * the next piece decides, so that nothing of a stop string is ever shown. Texts are valid UTF-8 and so are the
 * pieces: what is held back or cut off then begins and ends between characters.
 */
#ifndef MOTE_RUNTIME_STOP_H
#define MOTE_RUNTIME_STOP_H

#include <stddef.h>

#include "format/status.h"

struct mote_stop;

/* texts are copied. MOTE_ERROR_ARGUMENT: an empty one, or one that is not UTF-8. MOTE_ERROR_MEMORY. */
enum mote_status mote_stop_open(const char *const *texts, size_t count, struct mote_stop **out,
			       struct mote_error *error);
void mote_stop_close(struct mote_stop *s); /* NULL is fine */

/* The next text begins, behind what was found last: the blanks and line feeds before its first other character are no
 * part of it, and only the texts from `first` on are looked for in it. */
void mote_stop_begin(struct mote_stop *s, size_t first);

/* Takes a piece. *found is the index of the text that was found first in what came, the longest where several begin
 * there, or -1. *text [*bytes] is what may be shown: all before the found text, or all that cannot be the beginning
 * of one. After a find, call again with an empty piece for what lies behind it, until none is found. *text is valid
 * until the next call. MOTE_ERROR_MEMORY. */
enum mote_status mote_stop_next(struct mote_stop *s, const char *piece, size_t piece_bytes, int *found,
				const char **text, size_t *bytes, struct mote_error *error);

/* What is held back, when nothing more comes. */
const char *mote_stop_flush(struct mote_stop *s, size_t *bytes);

#endif
