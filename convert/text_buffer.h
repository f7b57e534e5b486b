/* A growing text: JSON and file parts that are written from their beginning to their end. The first failed allocation
 * sticks; whoever is done looks at .failed once.
 */
#ifndef MOTE_CONVERT_TEXT_BUFFER_H
#define MOTE_CONVERT_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct mote_text_buffer { /* zero-initialize; free .text */
	char *text;            /* not NUL-terminated */
	size_t bytes, room;
	bool failed;
};

void mote_text_buffer_add(struct mote_text_buffer *b, const void *data, size_t bytes);
void mote_text_buffer_print(struct mote_text_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; text is UTF-8 without NUL. */
void mote_text_buffer_quote(struct mote_text_buffer *b, const char *text, size_t bytes);

#endif
