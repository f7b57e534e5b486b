/* Finding an answer in generated text, and comparing it with the right one. */
#ifndef MOTE_QUANT_ANSWER_MATCH_H
#define MOTE_QUANT_ANSWER_MATCH_H

#include "quant/eval/task.h"

/* A row's patterns, compiled. */
struct mote_answer_match;

/* MOTE_ERROR_CORRUPT: a pattern is wrong, with the place; MOTE_ERROR_MEMORY. The row is borrowed. */
enum mote_status mote_answer_match_open(const struct mote_task_row *row, struct mote_answer_match **out,
					struct mote_error *error) MOTE_CHECKED;
void mote_answer_match_close(struct mote_answer_match *m); /* NULL is fine */

/* Whether a pattern is one: MOTE_ERROR_CORRUPT with the place; MOTE_ERROR_MEMORY. */
enum mote_status mote_answer_match_check(const char *pattern, struct mote_error *error) MOTE_CHECKED;

/* What filter f finds in text, owned by the caller: "[invalid]" when it finds nothing. NULL: out of memory. */
char *mote_answer_match_find(const struct mote_answer_match *m, uint32_t f, const char *text, size_t bytes);

/* text without what the row ignores, owned by the caller. MOTE_ERROR_MEMORY, or
 * MOTE_ERROR_LIMIT: a pattern takes too long. */
enum mote_status mote_answer_match_reduce(const struct mote_answer_match *m, const char *text, char **out,
					  struct mote_error *error) MOTE_CHECKED;

/* Whether found and right are equal (of a row that says so: found contains right, which is not empty) once what the row
 * ignores is taken out of both. *equal; MOTE_ERROR_MEMORY, or
 * MOTE_ERROR_LIMIT: a pattern takes too long. */
enum mote_status mote_answer_match_equal(const struct mote_answer_match *m, const char *found, const char *right,
					 bool *equal, struct mote_error *error) MOTE_CHECKED;

/* text up to the first of the row's texts that end an answer. */
size_t mote_answer_until(const struct mote_task_row *row, const char *text, size_t bytes);

#endif
