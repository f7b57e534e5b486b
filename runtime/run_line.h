/* Lines that a user types at a terminal, of any length: a terminal that edits lines itself cuts them at 4,095 bytes
 * without a word. Backspace takes back a character, Ctrl-U the line, Ctrl-D on an empty line is the end.
 */
#ifndef MOTE_RUNTIME_RUN_LINE_H
#define MOTE_RUNTIME_RUN_LINE_H

#include <stddef.h>
#include <termios.h>

enum mote_line { MOTE_LINE, MOTE_LINE_END, MOTE_LINE_INTERRUPTED, MOTE_LINE_NO_MEMORY };

struct mote_line_reader {
	struct termios before; /* the terminal's settings, which mote_line_end() gives back */
	int changed;           /* and are these not */
	char *text;            /* of the last line, without its newline, NUL-terminated */
	size_t bytes, room;
};

/* From here to mote_line_end() standard input, when it is a terminal, neither echoes nor edits: what is pasted while
 * nobody reads is kept. Signals stay as they are. */
void mote_line_begin(struct mote_line_reader *r);
/* Shows prompt on standard error and reads a line into r->text. INTERRUPTED: a signal came. */
enum mote_line mote_line_read(struct mote_line_reader *r, const char *prompt);
void mote_line_end(struct mote_line_reader *r);

#endif
