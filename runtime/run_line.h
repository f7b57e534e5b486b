/* Lines that a user types at a terminal: edited by libedit, with history and completion of commands; of any length.
 * What is pasted (bracketed paste) is one piece of text, whatever newlines it has; a line that ends in a backslash, or
 * begins with three quotes, goes on in the next.
 */
#ifndef MOTE_RUNTIME_RUN_LINE_H
#define MOTE_RUNTIME_RUN_LINE_H

#include <stdbool.h>

#include "format/status.h"

enum run_line { RUN_LINE, RUN_LINE_END, RUN_LINE_INTERRUPTED, RUN_LINE_FAILED };

struct run_line_reader;

/* commands: words that Tab completes at a line's beginning, NULL at the end; borrowed. MOTE_ERROR_MEMORY. */
enum mote_status run_line_open(const char *const *commands, struct run_line_reader **out, struct mote_error *error);
void run_line_close(struct run_line_reader *r); /* NULL is fine; gives the terminal back as it was */
bool run_line_edits(const struct run_line_reader *r); /* false: a dumb terminal, or none */

/* Shows a prompt on standard error and reads a line or several; *text is valid until the next call, without its last
 * newline. initial: text that is there already, where lines are edited; or NULL. INTERRUPTED: a signal came, and what
 * had been typed is gone. FAILED: errno says why. */
enum run_line run_line_read(struct run_line_reader *r, const char *prompt, const char *initial, const char **text);

#endif
