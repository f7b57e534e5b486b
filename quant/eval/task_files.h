/* The files of tasks as records: JSON lines, CSV tables, folders. For task.c. */
#ifndef MOTE_QUANT_TASK_FILES_H
#define MOTE_QUANT_TASK_FILES_H

#include "quant/eval/task.h"

/* A JSON object and the place that messages name. */
struct mote_record {
	cJSON *fields;  /* owned */
	char place[320];/* "arc.jsonl, line 12" */
};

/* Zero-initialize; free with mote_records_free(). */
struct mote_records {
	struct mote_record *record;
	uint32_t count, capacity;
	struct mote_hash128 hash;
	uint64_t bytes;
};
void mote_records_free(struct mote_records *r);

/* All records at path as the row has it. suffix: of TABLES' files, "_test.csv". Statuses as mote_task_read(). */
enum mote_status mote_records_read(const struct mote_task_row *row, const char *path, const char *suffix,
				   struct mote_records *out, struct mote_error *error) MOTE_CHECKED;

#endif
