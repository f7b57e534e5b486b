/* An evaluation as a whole, or as a part of one: the table of models and tasks,
 * written to a part and joined from parts. */
#ifndef MOTE_QUANT_EVAL_PART_H
#define MOTE_QUANT_EVAL_PART_H

#include "quant/eval/likelihood.h"
#include "quant/eval/outcome.h"
#include "quant/measure/part.h"

enum { MOTE_EVAL_TASKS = 16, MOTE_EVAL_MODELS = 17 }; /* most; the reference is a model too */

/* One model on one task. */
struct mote_eval_cell {
	struct mote_outcome outcome;  /* of the items that were evaluated */
	struct mote_likelihood_counts counts;
	double seconds;
	cJSON *lines;                 /* array of the log's lines, an item each; or NULL */
};

/* Zero-initialize; free with mote_eval_table_free(). */
struct mote_eval_table {
	struct mote_task task[MOTE_EVAL_TASKS]; /* whole ones */
	struct mote_eval_cell cell[MOTE_EVAL_MODELS][MOTE_EVAL_TASKS]; /* the reference is the first,
									* where there is one */
	const char *path[MOTE_EVAL_MODELS]; /* borrowed; after a join from part */
	uint32_t tasks, models;
	bool reference, chat;
	cJSON **part;                 /* [parts], after a join */
	uint32_t parts;
};
void mote_eval_table_free(struct mote_eval_table *t);

/* The items of task that are the shard's, borrowed; never to be freed. */
struct mote_task mote_eval_slice(const struct mote_task *task, struct mote_shard shard);

/* All that decides the results, as a part's "inputs": opens the models for their hashes, not their tensors. */
enum mote_status mote_eval_inputs(const struct mote_eval_table *t, uint32_t limit, uint32_t most_tokens, cJSON **out,
				  struct mote_error *error) MOTE_CHECKED;

/* Adds to a part: a table whose cells hold the shard's items and lines. */
void mote_eval_part_add(const struct mote_eval_table *t, struct mote_shard shard, struct mote_json_builder *b,
			cJSON *part);

/* Fills t, which is zero before, from all parts of a whole. Of tasks are known then: row, few, hash, and each item's
 * choices, gold, answer and group, which is what results are made of. Statuses as mote_parts_read(); MOTE_ERROR_CORRUPT
 * also: a field. */
enum mote_status mote_eval_join(char *const *path, uint32_t n, struct mote_eval_table *t,
				struct mote_error *error) MOTE_CHECKED;
/* The same from parts [n] that were read; takes them and the array over, also on error. */
enum mote_status mote_eval_join_parts(cJSON **parts, uint32_t n, struct mote_eval_table *t,
				      struct mote_error *error) MOTE_CHECKED;

#endif
