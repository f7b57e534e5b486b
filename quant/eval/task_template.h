/* Templates over the fields of records, as struct mote_task_row has them. For task.c and task_json.c. */
#ifndef MOTE_QUANT_TASK_TEMPLATE_H
#define MOTE_QUANT_TASK_TEMPLATE_H

#include "quant/eval/task_files.h"

/* A text that grows; failed once memory is gone. Zero-initialize; free text. */
struct mote_task_text {
	char *text;
	size_t bytes;
	bool failed;
};
void mote_task_append(struct mote_task_text *b, const char *text, size_t bytes);

/* Stores the text that a template makes of a record; template NULL: stores NULL. MOTE_ERROR_CORRUPT: the record's place
 * and the field. */
enum mote_status mote_task_render(const char *template, const struct mote_record *r, char **out,
				  struct mote_error *error) MOTE_CHECKED;

/* What is wrong with a template, or NULL. */
const char *mote_task_template_fault(const char *template);

/* The texts of an array's elements, "question.choices[].text": at most MOTE_TASK_CHOICES, borrowed. */
enum mote_status mote_task_list_texts(const struct mote_record *r, const char *path, const char **text, uint32_t *count,
				      struct mote_error *error) MOTE_CHECKED;

#endif
