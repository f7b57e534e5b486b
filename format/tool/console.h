/* What every tool's main() shares: the only room of the library's tree that prints, and it is linked
 * into the tools alone. Results go to standard output, everything else to standard error.
 */
#ifndef MOTE_FORMAT_CONSOLE_H
#define MOTE_FORMAT_CONSOLE_H

#include <stdio.h>

#include "format/container.h"
#include "format/status.h"
#include "format/version.h"

/* Text from a file, for a terminal: control characters (ESC, C1), what turns the direction of writing, and bytes that
 * are no UTF-8 become \u001b and \xff; newlines and tabs stay when lines are wanted. */
void mote_console_put(FILE *to, const char *text, size_t bytes, bool lines);
/* Data for standard output: as they are, but on a terminal as above, with lines. */
void mote_console_put_data(const char *text, size_t bytes);
/* "tool: warning: message" to standard error, escaped. */
void mote_console_warn(const char *tool, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints "tool: message", escaped, to standard error and returns the exit code for the error. */
int mote_console_fail(const char *tool, const struct mote_error *error);

/* To the error of opening a model: what the file or folder is instead, and the command that helps. */
void mote_console_hint_model(const char *path, struct mote_error *error);
/* To the error of an output that exists: which option would replace it. */
void mote_console_hint_force(bool force, struct mote_error *error);

/* Whether a terminal may be steered: neither NO_COLOR (no-color.org) nor TERM=dumb. That it is one is the caller's. */
bool mote_console_styles(void);

/* From now on SIGINT, SIGTERM and SIGHUP set a flag instead of killing (a second one kills). */
void mote_console_catch_signals(void);
bool mote_console_interrupted(void);
/* Forgets a SIGINT and catches the next one, for tools in which it ends a piece of work only. False when another
 * signal came, which is for the tool as a whole. */
bool mote_console_resume(void);

/* A progress bar with rate (in the unit's plural, NULL: none) and time left on standard error; silent when that is no
 * terminal. Of several stages it says which one this is, and estimates the whole. .update stops the operation when a
 * signal came. */
struct mote_console_bar {
	const char *label, *unit;
	unsigned stage, stages; /* set after mote_console_progress(); 0: there are none */
	double whole_started;   /* the same, when share is not 0: seconds */
	double before, share;   /* the same: of the whole's time, what lay before this bar and what it takes;
				 * 0: it is all */
	double started;         /* when the first count came: what is prepared before that says nothing of the rate */
	uint64_t first;         /* that count */
	bool counting;
	double shown;      /* when the bar was last drawn, seconds */
	bool terminal;
	bool drawn;
};
struct mote_progress mote_console_progress(struct mote_console_bar *bar, const char *label, const char *unit);
/* Seconds that are left at `now` of what the bar stands for, by the rate since its first count; of the whole, with
 * the time that its other parts took so far. Negative: too early to say. */
double mote_console_time_left(const struct mote_console_bar *bar, double now, uint64_t done, uint64_t total);
/* Clears the line. */
void mote_console_progress_end(struct mote_console_bar *bar);

/* Whole file into memory (path "-": standard input), caller frees; a terminating NUL follows the bytes
 * and is not counted. MOTE_ERROR_IO; MOTE_ERROR_LIMIT beyond max_bytes. */
enum mote_status mote_console_read_file(const char *path, size_t max_bytes, char **data, size_t *bytes,
					struct mote_error *error);

/* What was printed to standard output has arrived there, or MOTE_ERROR_IO. Every tool ends with it. */
enum mote_status mote_console_flush(struct mote_error *error);

/* --help, --version: prints the text to standard output; the exit code. */
int mote_console_print(const char *tool, const char *text);

/* Prints JSON to standard output, compact, with a newline. Numbers print so that they read back exactly.
 * MOTE_ERROR_IO when standard output fails. */
enum mote_status mote_console_print_json(const cJSON *json, struct mote_error *error);


#endif
