/* What mote-eval's files share: mote-eval.c has the command line and the order of things, eval_run.c runs models,
 * alone, in shards, or with others.
 */
#ifndef MOTE_QUANT_EVAL_H
#define MOTE_QUANT_EVAL_H

#include <stdio.h>

#include "format/output.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "quant/eval/eval_part.h"
#include "quant/team/share.h"

#define MOTE_EVAL "mote-eval"

enum { EVAL_MAX_TASKS = MOTE_EVAL_TASKS, EVAL_MAX_MODELS = MOTE_EVAL_MODELS - 1, EVAL_MAX_DEFINITION_BYTES = 1 << 20,
       EVAL_ITEMS_A_PIECE = 16 };

struct named_paths {
	const char *text[EVAL_MAX_TASKS]; /* NAME=PATH */
	uint32_t count;
};

struct eval_arguments {
	struct mote_option_operands models;
	struct named_paths tasks, shots;
	const char *parts, *reference, *log, *part, *report;
	struct mote_shard shard;
	struct mote_option_seed seed;
	uint32_t few, limit, max_tokens, threads, print_requests;
	bool zero_shot, chat, json, force, merge, stamp;
};

struct eval_run {
	const struct eval_arguments *a;
	struct mote_eval_table t;
	struct mote_output *log, *report; /* and their streams */
	FILE *lines, *page;
	struct mote_hash128 tensors[MOTE_EVAL_MODELS];
	struct mote_eval_cell *at; /* what is evaluated */
	struct mote_shard shard;   /* that is computed; 0 of 0: all, and lines go to the log at once */
	struct mote_model *open[EVAL_MAX_MODELS + 1]; /* where pieces are computed */
	struct mote_team *team;
	bool sharing;              /* progress is counted in pieces */
	struct mote_console_bar bar;
};

const char *eval_base_name(const char *path);
/* A line of the log, if there is one. */
enum mote_status eval_write_log(struct eval_run *r, const cJSON *line, struct mote_error *error);
/* The lines of a table that was joined. */
enum mote_status eval_write_lines(struct eval_run *r, struct mote_error *error);

/* Adds the first n requests of each task, as one model reads them, to the array. */
enum mote_status eval_make_requests(struct eval_run *r, uint32_t model, uint32_t n, cJSON *array,
				    struct mote_error *error);
/* Makes a request of each task with every model, so that one that cannot be opened or asked is found out before hours
 * are spent on those before it. */
enum mote_status eval_check_models(struct eval_run *r, struct mote_error *error);
/* One model on all tasks. */
enum mote_status eval_run_model(struct eval_run *r, uint32_t model, struct mote_error *error);
/* --shard: writes a part, unless it is there. */
enum mote_status eval_run_shard(struct eval_run *r, struct mote_error *error);
/* Whether the evaluation is cut in pieces: others are there to share it, or finished ones are to be kept. */
bool eval_shares(const struct eval_run *r);
/* Evaluates with all who share; the table is whole where there is somebody to go on: *goes_on. */
enum mote_status eval_share(struct eval_run *r, struct mote_share *s, bool *goes_on, struct mote_error *error);

#endif
