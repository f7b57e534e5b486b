/* Parts of an evaluation: see eval_part.h. */
#include "quant/eval/eval_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/eval/task_json.h"
#include "quant/receipt/receipt.h"

void mote_eval_table_free(struct mote_eval_table *t)
{
	for (uint32_t i = 0; i < MOTE_EVAL_TASKS; i++) {
		mote_task_free(&t->task[i]);
		for (uint32_t m = 0; m < MOTE_EVAL_MODELS; m++) {
			mote_outcome_free(&t->cell[m][i].outcome);
			cJSON_Delete(t->cell[m][i].lines);
		}
	}
	for (uint32_t i = 0; t->part && i < t->parts; i++)
		cJSON_Delete(t->part[i]);
	free(t->part);
	*t = (struct mote_eval_table){0};
}

struct mote_task mote_eval_slice(const struct mote_task *task, struct mote_shard shard)
{
	struct mote_task slice = *task;

	if (shard.count) {
		uint32_t begin = mote_shard_end(shard, shard.index - 1, task->items);

		slice.item += begin;
		slice.items = mote_shard_end(shard, shard.index, task->items) - begin;
	}
	return slice;
}

/* ---- writing ---- */

static enum mote_status hash_model(const char *path, char hex[33], struct mote_error *error)
{
	struct mote_container *c = NULL;
	enum mote_status status = mote_container_open(path, &c, error);

	if (!status)
		mote_part_hash_model(c, hex);
	mote_container_close(c);
	return status;
}

enum mote_status mote_eval_inputs(const struct mote_eval_table *t, uint32_t limit, uint32_t most_tokens, cJSON **out,
				  struct mote_error *error)
{
	struct mote_json_builder b = {0};
	cJSON *inputs = mote_json_new_object(&b), *list = mote_json_add_array(&b, inputs, "models");
	enum mote_status status = MOTE_OK;
	char hex[33];

	for (uint32_t m = 0; m < t->models && !status; m++) {
		status = hash_model(t->path[m], hex, error);
		if (!status)
			mote_json_add_text(&b, list, NULL, hex);
	}
	mote_json_add_bool(&b, inputs, "reference", t->reference);
	mote_json_add_bool(&b, inputs, "chat", t->chat);
	mote_json_add_number(&b, inputs, "limit", limit);
	mote_json_add_number(&b, inputs, "max_tokens", most_tokens);
	list = mote_json_add_array(&b, inputs, "tasks");
	for (uint32_t i = 0; i < t->tasks; i++) {
		cJSON *task = mote_json_add_object(&b, list, NULL);

		mote_hash_to_hex(t->task[i].hash, hex);
		mote_json_add_text(&b, task, "task", t->task[i].row->name);
		mote_json_add_text(&b, task, "files_xxh3", hex);
		mote_json_add_number(&b, task, "items", t->task[i].items);
		mote_json_add_number(&b, task, "few_shot", t->task[i].few);
		if (t->task[i].drawn)
			mote_json_add_number(&b, task, "seed", (double)t->task[i].seed);
		if (t->task[i].file)
			mote_json_add_text(&b, task, "definition", mote_task_file_text(t->task[i].file));
	}
	if (status)
		cJSON_Delete(inputs);
	else
		status = mote_json_finish(&b, &inputs, "inputs", error);
	*out = status ? NULL : inputs;
	return status;
}

static void add_items(struct mote_json_builder *b, cJSON *list, const struct mote_task *slice)
{
	cJSON *items = mote_json_add_array(b, list, NULL);

	for (uint32_t i = 0; i < slice->items; i++) {
		cJSON *item = mote_json_add_object(b, items, NULL);

		mote_json_add_number(b, item, "choices", slice->item[i].choices);
		mote_json_add_number(b, item, "gold", slice->item[i].gold);
		if (slice->item[i].compared)
			mote_json_add_text(b, item, "compared", slice->item[i].compared);
		if (slice->item[i].constants)
			mote_json_add_number(b, item, "constants", slice->item[i].constants);
		if (slice->item[i].group)
			mote_json_add_text(b, item, "group", slice->item[i].group);
	}
}

static void add_cell(struct mote_json_builder *b, cJSON *list, const struct mote_eval_cell *c)
{
	const struct mote_outcome *o = &c->outcome;
	cJSON *cell = mote_json_add_object(b, list, NULL), *values = mote_json_add_array(b, cell, "metrics");

	for (uint32_t k = 0; k < o->metrics; k++)
		mote_json_add_text(b, values, NULL, o->metric[k]);
	values = mote_json_add_array(b, cell, "marks"); /* metric behind metric */
	for (uint32_t k = 0; k < o->metrics; k++)
		for (uint32_t i = 0; i < o->items; i++)
			mote_json_add_number(b, values, NULL, o->mark[k][i]);
	values = mote_json_add_array(b, cell, "weights"); /* of those metrics that have some */
	for (uint32_t k = 0; k < o->metrics; k++)
		for (uint32_t i = 0; o->weight[k] && i < o->items; i++)
			mote_json_add_number(b, values, NULL, o->weight[k][i]);
	values = mote_json_add_array(b, cell, "weighted");
	for (uint32_t k = 0; k < o->metrics; k++)
		mote_json_add_bool(b, values, NULL, o->weight[k] != NULL);
	values = o->choice ? mote_json_add_array(b, cell, "choice") : NULL;
	for (uint32_t i = 0; o->choice && i < o->items; i++)
		mote_json_add_number(b, values, NULL, o->choice[i]);
	mote_json_add_item(b, cell, "lines", c->lines ? cJSON_Duplicate(c->lines, true) : cJSON_CreateArray());
}

void mote_eval_part_add(const struct mote_eval_table *t, struct mote_shard shard, struct mote_json_builder *b,
			cJSON *part)
{
	cJSON *list = mote_json_add_array(b, part, "models");

	for (uint32_t m = 0; m < t->models; m++)
		mote_json_add_text(b, list, NULL, t->path[m]);
	list = mote_json_add_array(b, part, "items");
	for (uint32_t i = 0; i < t->tasks; i++) {
		struct mote_task slice = mote_eval_slice(&t->task[i], shard);

		add_items(b, list, &slice);
	}
	list = mote_json_add_array(b, part, "cells"); /* model behind model, each with all tasks */
	for (uint32_t m = 0; m < t->models; m++)
		for (uint32_t i = 0; i < t->tasks; i++)
			add_cell(b, list, &t->cell[m][i]);
}

/* ---- joining ---- */

/* A whole number from 0 to most. */
static bool small(const cJSON *item, int64_t most, uint32_t *out)
{
	int64_t value = -1;

	if (!mote_json_integer(item, &value) || value < 0 || value > most)
		return false;
	*out = (uint32_t)value;
	return true;
}

static enum mote_status bad(struct mote_error *error, const cJSON *part, const char *what)
{
	const cJSON *shard = mote_json_get(part, "shard");

	return mote_error_set(error, MOTE_ERROR_CORRUPT, "the part of shard %s: %s are not what inputs says",
			      shard && shard->valuestring ? shard->valuestring : "?", what);
}

/* All that is known of a task without its files. */
static enum mote_status join_task(const cJSON *task, struct mote_task *into, const cJSON *part,
				  struct mote_error *error)
{
	const char *name = "", *hash = "", *definition = NULL;
	uint32_t items = 0;
	double seed = 0;
	unsigned long long high = 0, low = 0;
	enum mote_status status = mote_json_need_string(task, "task", "inputs", &name, error);

	if (!status)
		status = mote_json_need_string(task, "files_xxh3", "inputs", &hash, error);
	if (!status)
		status = mote_json_want_string(task, "definition", NULL, "inputs", &definition, error);
	if (!status)
		status = mote_json_need_u32(task, "items", 0, UINT32_MAX - 1, "inputs", &items, error);
	if (!status)
		status = mote_json_need_u32(task, "few_shot", 0, UINT32_MAX, "inputs", &into->few, error);
	if (!status)
		status = mote_json_want_double(task, "seed", 0, 9007199254740992.0, 0, "inputs", &seed, error);
	into->drawn = mote_json_get(task, "seed") != NULL;
	into->seed = (uint64_t)seed;
	if (!status && definition)
		status = mote_task_file_parse(definition, strlen(definition), name, &into->file, error);
	if (status)
		return status;
	into->row = into->file ? mote_task_file_row(into->file) : mote_task_row_find(name);
	if (!into->row || sscanf(hash, "%16llx%16llx", &high, &low) != 2)
		return bad(error, part, "tasks");
	into->hash = (struct mote_hash128){.low = low, .high = high};
	into->item = calloc(items + 1u, sizeof *into->item);
	if (!into->item)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for items");
	into->items = items;
	return MOTE_OK;
}

static enum mote_status join_heads(struct mote_eval_table *t, struct mote_error *error)
{
	const cJSON *inputs = mote_json_get(t->part[0], "inputs"), *paths = mote_json_get(t->part[0], "models");
	const cJSON *tasks = mote_json_get(inputs, "tasks"), *path;
	enum mote_status status = mote_json_want_bool(inputs, "reference", false, "inputs", &t->reference, error);

	if (!status)
		status = mote_json_want_bool(inputs, "chat", false, "inputs", &t->chat, error);
	if (status)
		return status;
	if (!cJSON_IsArray(paths) || !cJSON_IsArray(tasks) || cJSON_GetArraySize(paths) < 1 ||
	    cJSON_GetArraySize(paths) > MOTE_EVAL_MODELS || cJSON_GetArraySize(tasks) > MOTE_EVAL_TASKS)
		return bad(error, t->part[0], "models or tasks");
	cJSON_ArrayForEach(path, paths) {
		if (!cJSON_IsString(path))
			return bad(error, t->part[0], "models");
		t->path[t->models++] = path->valuestring;
	}
	for (const cJSON *task = tasks->child; task && !status; task = task->next)
		status = join_task(task, &t->task[t->tasks++], t->part[0], error);
	return status;
}

static enum mote_status join_items(struct mote_task *slice, const cJSON *part, const cJSON *items,
				   struct mote_error *error)
{
	const cJSON *from = items ? items->child : NULL;
	uint32_t i = 0;

	for (; from && i < slice->items; i++, from = from->next) {
		struct mote_item *item = &slice->item[i];
		const char *compared = NULL, *group = NULL;
		uint32_t constants = 0;
		enum mote_status status = mote_json_want_string(from, "compared", NULL, "item", &compared, error);

		if (!status)
			status = mote_json_want_string(from, "group", NULL, "item", &group, error);
		if (!status)
			status = mote_json_want_u32(from, "constants", 0, UINT8_MAX, 0, "item", &constants, error);
		if (status)
			return status;
		item->constants = (uint8_t)constants;
		if (!small(mote_json_get(from, "choices"), MOTE_TASK_CHOICES, &item->choices) ||
		    !small(mote_json_get(from, "gold"), item->choices ? item->choices - 1 : 0, &item->gold) ||
		    (slice->row->group && !group))
			return bad(error, part, "items");
		item->compared = compared ? strdup(compared) : NULL;
		item->group = group ? strdup(group) : NULL;
		if ((compared && !item->compared) || (group && !item->group))
			return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for items");
	}
	return from || i < slice->items ? bad(error, part, "items") : MOTE_OK;
}

/* Names and room, from the first part that has items; the names live as long as the parts. */
static enum mote_status open_outcome(struct mote_outcome *o, uint32_t items, const cJSON *part, const cJSON *cell,
				     struct mote_error *error)
{
	const char *metric[MOTE_OUTCOME_METRICS];
	const cJSON *names = mote_json_get(cell, "metrics"), *weighted = mote_json_get(cell, "weighted");
	uint32_t n = 0;
	enum mote_status status;

	for (const cJSON *name = names ? names->child : NULL; name; name = name->next) {
		if (n == MOTE_OUTCOME_METRICS || !cJSON_IsString(name))
			return bad(error, part, "metrics");
		metric[n++] = name->valuestring;
	}
	if (!n || !cJSON_IsArray(weighted) || (uint32_t)cJSON_GetArraySize(weighted) != n)
		return bad(error, part, "metrics");
	status = mote_outcome_init(o, items, metric, n, mote_json_get(cell, "choice") != NULL, error);
	weighted = weighted->child;
	for (uint32_t k = 0; k < n && !status; k++, weighted = weighted->next)
		if (cJSON_IsTrue(weighted))
			status = mote_outcome_weigh(o, k, error);
	return status;
}

/* The next n numbers of a list to values; *at moves on. */
static bool take_bytes(const cJSON **at, uint32_t n, uint32_t most, uint8_t *values)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < n; i++, *at = (*at)->next) {
		if (!*at || !small(*at, most, &value))
			return false;
		values[i] = (uint8_t)value;
	}
	return true;
}

static const cJSON *first_of(const cJSON *cell, const char *key)
{
	const cJSON *list = mote_json_get(cell, key);

	return list ? list->child : NULL;
}

static enum mote_status join_cell(struct mote_outcome *o, uint32_t begin, uint32_t n, const cJSON *part,
				  const cJSON *cell, struct mote_error *error)
{
	const cJSON *name = first_of(cell, "metrics"), *mark = first_of(cell, "marks");
	const cJSON *weight = first_of(cell, "weights");
	const cJSON *choice = first_of(cell, "choice"), *lines = mote_json_get(cell, "lines");
	uint32_t value = 0;

	for (uint32_t k = 0; k < o->metrics; k++, name = name->next) {
		if (!name || !cJSON_IsString(name) || strcmp(name->valuestring, o->metric[k]) != 0)
			return bad(error, part, "metrics");
		if (!take_bytes(&mark, n, o->weight[k] ? UINT8_MAX : 1, o->mark[k] + begin) ||
		    (o->weight[k] && !take_bytes(&weight, n, UINT8_MAX, o->weight[k] + begin)))
			return bad(error, part, "marks");
	}
	for (uint32_t i = 0; o->choice && i < n; i++, choice = choice->next) {
		if (!choice || !small(choice, MOTE_TASK_CHOICES, &value))
			return bad(error, part, "choices");
		o->choice[begin + i] = (int32_t)value;
	}
	if (name || mark || weight || choice || !cJSON_IsArray(lines) || (uint32_t)cJSON_GetArraySize(lines) != n)
		return bad(error, part, "metrics, marks, choices or lines");
	return MOTE_OK;
}

static enum mote_status join_part(struct mote_eval_table *t, struct mote_shard shard, cJSON *part,
				  struct mote_error *error)
{
	const cJSON *items = mote_json_get(part, "items"), *cells = mote_json_get(part, "cells");
	const cJSON *at = items ? items->child : NULL;
	enum mote_status status = MOTE_OK;

	for (uint32_t i = 0; i < t->tasks && !status; i++, at = at ? at->next : NULL) {
		struct mote_task slice = mote_eval_slice(&t->task[i], shard);

		status = join_items(&slice, part, at, error);
	}
	at = cells ? cells->child : NULL;
	for (uint32_t k = 0; k < t->models * t->tasks && !status; k++, at = at ? at->next : NULL) {
		uint32_t i = k % t->tasks, begin = mote_shard_end(shard, shard.index - 1, t->task[i].items);
		uint32_t n = mote_shard_end(shard, shard.index, t->task[i].items) - begin;
		struct mote_eval_cell *cell = &t->cell[k / t->tasks][i];
		cJSON *lines;

		if (n == 0) /* it has no names either */
			continue;
		if (cell->outcome.metrics == 0)
			status = open_outcome(&cell->outcome, t->task[i].items, part, at, error);
		if (!status)
			status = join_cell(&cell->outcome, begin, n, part, at, error);
		if (status)
			return status;
		if (!cell->lines)
			cell->lines = cJSON_CreateArray();
		lines = cJSON_GetObjectItemCaseSensitive(at, "lines");
		while (cell->lines && lines->child)
			(void)cJSON_AddItemToArray(cell->lines, cJSON_DetachItemViaPointer(lines, lines->child));
		if (!cell->lines)
			status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for lines");
	}
	return status;
}

enum mote_status mote_eval_join_parts(cJSON **parts, uint32_t n, struct mote_eval_table *t, struct mote_error *error)
{
	enum mote_status status;

	t->part = parts;
	t->parts = n;
	status = join_heads(t, error);
	for (uint32_t i = 0; i < n && !status; i++)
		status = join_part(t, (struct mote_shard){i + 1, n}, t->part[i], error);
	return status;
}

enum mote_status mote_eval_join(char *const *path, uint32_t n, struct mote_eval_table *t, struct mote_error *error)
{
	cJSON **parts = calloc(n + 1u, sizeof *parts);
	enum mote_status status;

	if (!parts)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for parts");
	status = mote_parts_read(path, n, "mote-eval", parts, error);
	if (!status)
		return mote_eval_join_parts(parts, n, t, error);
	for (uint32_t i = 0; i < n; i++)
		cJSON_Delete(parts[i]);
	free(parts);
	return status;
}
