/* A user's own task: a row of data as a JSON object. docs/evaluation.md has the fields and an example. */
#ifndef MOTE_QUANT_TASK_JSON_H
#define MOTE_QUANT_TASK_JSON_H

#include "quant/eval/task.h"

/* A task's file and the row that it is read into. */
struct mote_task_file;

/* Reads a definition; name: the file's, for messages. MOTE_ERROR_CORRUPT: name, line, field, and what was expected;
 * MOTE_ERROR_MEMORY. text is copied. */
enum mote_status mote_task_file_parse(const char *text, size_t bytes, const char *name, struct mote_task_file **out,
				      struct mote_error *error) MOTE_CHECKED;
void mote_task_file_close(struct mote_task_file *f); /* NULL is fine */

/* Borrowed from f. */
const struct mote_task_row *mote_task_file_row(const struct mote_task_file *f);
/* The definition's text. */
const char *mote_task_file_text(const struct mote_task_file *f);

#endif
