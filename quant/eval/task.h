/* Tasks of an evaluation: what is asked of a model, read from the files in which benchmarks are distributed.
 *
 * A task is a row of data: where its records lie, how a context, the choices and the right answer are made of a record,
 * and how an answer is read. The seven rows of task_rows.c and a user's own (task_json.c) are treated alike. Nothing
 * here knows of a model.
 */
#ifndef MOTE_QUANT_TASK_H
#define MOTE_QUANT_TASK_H

#include "format/container.h"
#include "format/json.h"

enum { MOTE_TASK_CHOICES = 16, MOTE_TASK_FILTERS = 4, MOTE_TASK_EXAMPLES = 64, MOTE_TASK_GROUPS = 512 }; /* most */

enum mote_task_kind {
	MOTE_TASK_CHOICE,      /* the likeliest of several continuations */
	MOTE_TASK_ANSWER,      /* text is generated, and an answer found in it */
	MOTE_TASK_INSTRUCTIONS /* text is generated, and instructions are checked (IFEval) */
};

enum mote_task_layout {
	MOTE_LAYOUT_LINES,     /* a JSON object a line */
	MOTE_LAYOUT_TABLES,    /* a folder of CSV files without headers, NAME_test.csv;
				* the record's "subject" is NAME with blanks */
	MOTE_LAYOUT_BBH        /* a folder with bbh/NAME.json and cot-prompts/NAME.txt;
				* the record's "prompt" is the latter */
};

/* How an answer is found in generated text: the first or the last match of a pattern (PCRE2), its first group that is
 * not empty. */
struct mote_task_filter {
	const char *name, *pattern;
	const char *stripped; /* name of the metric on answers without their reasoning */
	bool last;
};

/* What a choice's log-probability is divided by. */
enum mote_task_length { MOTE_LENGTH_NONE, MOTE_LENGTH_CHARACTERS, MOTE_LENGTH_BYTES };

/* Templates name a record's fields: "{question.stem}"; "|strip" behind one takes white space off both ends; "{{" is a
 * brace. Lists end at NULL. */
struct mote_task_row {
	const char *name;
	enum mote_task_kind kind;
	enum mote_task_layout layout;
	const char *columns;                          /* TABLES: names of the columns, blanks between */
	const char *labels;                           /* a file beside the records' with a label a line: the record's
						       * "label" */
	const char *id;                               /* template; NULL: counted from 0 */
	const char *group;                            /* template: items are scored by group too; or NULL */
	const char *description, *context;            /* templates; the description stands once before all examples */
	const char *choice[MOTE_TASK_CHOICES + 1];    /* templates, or ... */
	const char *choices;                          /* ... the field that is an array of them:
						       * "question.choices[].text" */
	const char *gold;                             /* template; CHOICE: one of ... */
	const char *gold_name[MOTE_TASK_CHOICES + 1]; /* ... these, or ... */
	const char *gold_names;                       /* ... of this array; ANSWER: the right answer */
	enum mote_task_length length;                 /* CHOICE: of the main metric */
	const char *shots;                            /* TABLES: the folder beside the records' with examples ("dev");
						       * or NULL */
	uint32_t few;                                 /* examples when there are any to take */
	const char *until[8];                         /* texts that end an answer; NULL ends them,
						       * as in every array here */
	uint32_t most_tokens;
	struct mote_task_filter filter[MOTE_TASK_FILTERS]; /* ends at name NULL */
	const char *ignore[8];                        /* patterns that are taken out of both answers before they are
						       * compared */
	bool ignore_case;
	bool contains;                                /* the right answer need only stand in what a filter finds */
	struct mote_hash128 hash;                     /* of a user's definition; 0 of a built-in row */
};

/* The built-in row of this name, or NULL. mote_task_row_at(i): the i-th, NULL behind the last. */
const struct mote_task_row *mote_task_row_find(const char *name);
const struct mote_task_row *mote_task_row_at(uint32_t i);

/* All strings owned. */
struct mote_item {
	char *id, *group;         /* group may be NULL */
	char *description, *context;
	char *choice[MOTE_TASK_CHOICES];
	uint32_t choices;
	uint32_t gold;            /* CHOICE: index of the right choice */
	char *answer;             /* ANSWER: the right one; else NULL */
	char *compared;           /* ANSWER: that without what the row ignores */
	uint8_t constants;        /* INSTRUCTIONS: which of mote_ifeval_constant() follow them all */
	cJSON *record;            /* what it was made of */
};

/* Zero-initialize; free with mote_task_free(). */
struct mote_task {
	const struct mote_task_row *row;  /* borrowed */
	struct mote_item *item;           /* [items], those of a group behind each other */
	uint32_t items;
	uint32_t few;                     /* examples before each item's context */
	bool drawn;                       /* the examples, by seed */
	uint64_t seed;
	struct mote_hash128 hash;         /* of all files that were read, in order */
	struct mote_task_file *file;      /* owned: what row is borrowed from, of a user's task; or NULL */
};
void mote_task_free(struct mote_task *t);

struct mote_task_options {
	uint32_t limit;          /* the first so many items (of each group, where there are groups); 0: all */
	int few;                 /* examples; negative: the row's, where there are any */
	bool draw;               /* examples at random, each item's by this seed and the item's place,
				  * instead of the first ones */
	uint64_t seed;
	const char *shots_path;  /* where examples are read, laid out as the records; NULL: the row's own place,
				  * if it has one */
};

/* Reads the task's files at path. MOTE_ERROR_IO; MOTE_ERROR_CORRUPT: file, line or record, and field, with what was
 * expected;
 * MOTE_ERROR_ARGUMENT: more examples than there are. */
enum mote_status mote_task_read(const struct mote_task_row *row, const char *path,
				const struct mote_task_options *options, struct mote_task *out,
				struct mote_error *error) MOTE_CHECKED;

#endif
