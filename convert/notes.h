/* What a conversion did that its user should hear of, though it is no error: collected here as plain sentences, since
 * library code prints nothing.
 */
#ifndef MOTE_CONVERT_NOTES_H
#define MOTE_CONVERT_NOTES_H

#include <stdint.h>

#include "format/status.h"

struct mote_notes { /* zero-initialize */
	char **note;       /* [notes], in the order in which they were made */
	uint32_t notes;
};

/* Adds a sentence without a final period; notes may be NULL: nothing is kept. MOTE_ERROR_MEMORY. */
enum mote_status mote_notes_add(struct mote_notes *notes, struct mote_error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void mote_notes_free(struct mote_notes *notes);

#endif
