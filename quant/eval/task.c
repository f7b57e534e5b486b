/* Items from records: see task.h. */
#include "quant/eval/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/eval/answer_match.h"
#include "quant/eval/ifeval.h"
#include "quant/eval/task_json.h"
#include "quant/eval/task_template.h"

static void free_item(struct mote_item *item)
{
	free(item->id);
	free(item->group);
	free(item->description);
	free(item->context);
	free(item->answer);
	free(item->compared);
	for (uint32_t c = 0; c < item->choices; c++)
		free(item->choice[c]);
	cJSON_Delete(item->record);
	*item = (struct mote_item){0};
}

void mote_task_free(struct mote_task *t)
{
	for (uint32_t i = 0; i < t->items; i++)
		free_item(&t->item[i]);
	free(t->item);
	mote_task_file_close(t->file);
	*t = (struct mote_task){0};
}

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
}

/* ---- items ---- */

static enum mote_status make_choices(const struct mote_task_row *row, const struct mote_record *r,
				     struct mote_item *item, struct mote_error *error)
{
	const char *text[MOTE_TASK_CHOICES];
	uint32_t n = 0;
	enum mote_status status = MOTE_OK;

	if (row->choices)
		status = mote_task_list_texts(r, row->choices, text, &n, error);
	for (uint32_t c = 0; c < n && !status; c++) {
		item->choice[c] = strdup(text[c]);
		if (!item->choice[c])
			return no_memory(error);
		item->choices++;
	}
	for (uint32_t c = 0; !row->choices && row->choice[c] && !status; c++) {
		status = mote_task_render(row->choice[c], r, &item->choice[c], error);
		item->choices += !status;
	}
	if (!status && item->choices < 2)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: %u choices; expected two or more", r->place,
					item->choices);
	for (uint32_t c = 0; c < item->choices && !status; c++)
		if (!*item->choice[c])
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: choice %u is empty", r->place, c + 1);
	return status;
}

static enum mote_status find_gold(const struct mote_task_row *row, const struct mote_record *r, struct mote_item *item,
				  struct mote_error *error)
{
	const char *name[MOTE_TASK_CHOICES];
	char *gold;
	uint32_t n = 0;
	enum mote_status status = mote_task_render(row->gold, r, &gold, error);

	if (!status && row->gold_names)
		status = mote_task_list_texts(r, row->gold_names, name, &n, error);
	for (; !status && !row->gold_names && row->gold_name[n]; n++)
		name[n] = row->gold_name[n];
	if (!status) {
		for (item->gold = 0; item->gold < n && strcmp(name[item->gold], gold) != 0; item->gold++)
			;
		if (item->gold >= n || item->gold >= item->choices)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT,
						"%s: the answer \"%s\" is none of the choices", r->place, gold);
	}
	free(gold);
	return status;
}

/* Takes the record's fields over. */
static enum mote_status make_item(const struct mote_task_row *row, struct mote_record *r, uint32_t number,
				  struct mote_item *item, struct mote_error *error)
{
	char counted[16];
	enum mote_status status;

	item->record = r->fields;
	snprintf(counted, sizeof counted, "%u", number);
	status = mote_task_render(row->id ? row->id : counted, r, &item->id, error);
	if (!status)
		status = mote_task_render(row->group, r, &item->group, error);
	if (!status)
		status = mote_task_render(row->description, r, &item->description, error);
	if (!status)
		status = mote_task_render(row->context, r, &item->context, error);
	if (!status && row->kind == MOTE_TASK_CHOICE)
		status = make_choices(row, r, item, error);
	if (!status && row->kind == MOTE_TASK_CHOICE)
		status = find_gold(row, r, item, error);
	else if (!status && row->kind == MOTE_TASK_INSTRUCTIONS)
		status = mote_ifeval_validate(r->fields, r->place, error);
	else if (!status)
		status = mote_task_render(row->gold, r, &item->answer, error);
	if (!status && row->kind == MOTE_TASK_INSTRUCTIONS)
		status = mote_ifeval_constants(r->fields, &item->constants, error);
	r->fields = NULL;
	return status;
}

static bool same_group(const struct mote_item *a, const struct mote_item *b)
{
	return !a->group || !b->group || strcmp(a->group, b->group) == 0;
}

/* The number of each item's group, in the order in which they first appear, and how many items each has. */
static enum mote_status number_groups(const struct mote_task *t, uint32_t *number, uint32_t *count,
				      struct mote_error *error)
{
	const char *name[MOTE_TASK_GROUPS];
	uint32_t groups = 0, at = 0;

	for (uint32_t i = 0; i < t->items; i++) {
		const char *group = t->item[i].group;

		if (groups == 0 || strcmp(name[at], group) != 0)
			for (at = 0; at < groups && strcmp(name[at], group) != 0; at++)
				;
		if (at == MOTE_TASK_GROUPS)
			return mote_error_set(error, MOTE_ERROR_LIMIT, "more than %d groups", MOTE_TASK_GROUPS);
		if (at == groups)
			name[groups++] = group;
		number[i] = at;
		count[at]++;
	}
	return MOTE_OK;
}

/* Puts the items of each group together, otherwise in their order. */
static enum mote_status gather_groups(struct mote_task *t, struct mote_error *error)
{
	uint32_t *number = malloc((t->items + 1u) * sizeof *number), count[MOTE_TASK_GROUPS] = {0};
	struct mote_item *sorted = malloc((t->items + 1u) * sizeof *sorted);
	enum mote_status status = number && sorted ? number_groups(t, number, count, error) : no_memory(error);

	if (!status) {
		for (uint32_t g = 0, begin = 0, n; g < MOTE_TASK_GROUPS; g++, begin += n) {
			n = count[g];
			count[g] = begin;
		}
		for (uint32_t i = 0; i < t->items; i++)
			sorted[count[number[i]]++] = t->item[i];
		memcpy(t->item, sorted, t->items * sizeof *sorted);
	}
	free(sorted);
	free(number);
	return status;
}

/* Leaves the first `limit` items of each group. */
static void cut_groups(struct mote_task *t, uint32_t limit)
{
	uint32_t kept = 0, in_group = 0;

	for (uint32_t i = 0; i < t->items; i++) {
		in_group = kept > 0 && same_group(&t->item[kept - 1], &t->item[i]) ? in_group + 1 : 1;
		if (in_group > limit) {
			free_item(&t->item[i]);
			continue;
		}
		if (i > kept) {
			t->item[kept] = t->item[i];
			t->item[i] = (struct mote_item){0};
		}
		kept++;
	}
	t->items = kept;
}

/* Items of all records, group by group; with a limit, the first so many of each. */
static enum mote_status make_items(const struct mote_task_row *row, struct mote_records *records, uint32_t limit,
				   struct mote_task *t, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	t->item = calloc(records->count ? records->count : 1, sizeof *t->item);
	if (!t->item)
		return no_memory(error);
	for (uint32_t i = 0; i < records->count && !status; i++) {
		status = make_item(row, &records->record[i], i, &t->item[i], error);
		t->items++; /* also a half-made one, which is freed like any */
	}
	if (!status && row->group)
		status = gather_groups(t, error);
	if (!status && limit)
		cut_groups(t, limit);
	return status;
}

/* The right answers as they are compared. */
static enum mote_status reduce_answers(struct mote_task *t, struct mote_error *error)
{
	struct mote_answer_match *m;
	enum mote_status status = mote_answer_match_open(t->row, &m, error);

	for (uint32_t i = 0; i < t->items && !status; i++)
		status = mote_answer_match_reduce(m, t->item[i].answer, &t->item[i].compared, error);
	mote_answer_match_close(m);
	return status;
}

/* ---- examples ---- */

/* "context answer\n\n" of one example. */
static void append_example(struct mote_task_text *b, const struct mote_item *example)
{
	const char *answer = example->answer ? example->answer : example->choice[example->gold];

	mote_task_append(b, example->context, strlen(example->context));
	mote_task_append(b, " ", 1);
	mote_task_append(b, answer, strlen(answer));
	mote_task_append(b, "\n\n", 2);
}

/* SplitMix64: a step and its number. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Of the item's group, and not its question, whose answer would be given away. */
static bool may_show(const struct mote_item *example, const struct mote_item *item)
{
	bool same = strcmp(example->context, item->context) == 0 && example->choices == item->choices;

	for (uint32_t c = 0; same && c < item->choices; c++)
		same = strcmp(example->choice[c], item->choice[c]) == 0;
	return same_group(example, item) && !same;
}

/* The n-th example for an item, from 0; NULL: there are not so many. */
static const struct mote_item *example_at(const struct mote_task *examples, const struct mote_item *item, uint32_t n)
{
	for (uint32_t i = 0; i < examples->items; i++)
		if (may_show(&examples->item[i], item) && n-- == 0)
			return &examples->item[i];
	return NULL;
}

/* The places of `few` different examples of n, in the order of drawing. */
static void draw(uint64_t seed, uint32_t place, uint32_t n, uint32_t few, uint32_t *drawn)
{
	uint64_t state = seed ^ place * 0xd1342543de82ef95u;

	for (uint32_t i = 0; i < few;) {
		uint32_t at = (uint32_t)(next_random(&state) % n), k = 0;

		while (k < i && drawn[k] != at)
			k++;
		if (k == i)
			drawn[i++] = at;
	}
}

/* Puts the description and examples of its group, the first or drawn ones, before an item's context. */
static enum mote_status prepend(const struct mote_task *t, uint32_t place, const struct mote_task *examples,
				struct mote_error *error)
{
	struct mote_item *item = &t->item[place];
	struct mote_task_text b = {0};
	uint32_t found = 0, drawn[MOTE_TASK_EXAMPLES];

	for (uint32_t i = 0; i < examples->items; i++)
		found += may_show(&examples->item[i], item);
	if (found < t->few)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u examples are wanted, there are %u%s%s besides "
				      "item %s itself", t->few, found, item->group ? " of " : "",
				      item->group ? item->group : "", item->id);
	if (t->drawn)
		draw(t->seed, place, found, t->few, drawn);
	mote_task_append(&b, item->description ? item->description : "",
			 item->description ? strlen(item->description) : 0);
	for (uint32_t i = 0; i < t->few; i++)
		append_example(&b, example_at(examples, item, t->drawn ? drawn[i] : i));
	mote_task_append(&b, item->context, strlen(item->context));
	if (b.failed) {
		free(b.text);
		return no_memory(error);
	}
	free(item->context);
	item->context = b.text;
	return MOTE_OK;
}

enum mote_status mote_task_read(const struct mote_task_row *row, const char *path,
				const struct mote_task_options *options, struct mote_task *out,
				struct mote_error *error)
{
	const char *shots = options->shots_path ? options->shots_path : row->shots ? path : NULL;
	struct mote_records records = {0}, example_records = {0};
	struct mote_task examples = {0};
	enum mote_status status = mote_records_read(row, path, "_test.csv", &records, error);

	*out = (struct mote_task){.row = row, .hash = records.hash};
	out->few = options->few >= 0 ? (uint32_t)options->few : options->shots_path ? row->few : 0;
	if (!status)
		status = make_items(row, &records, options->limit, out, error);
	if (!status && row->kind == MOTE_TASK_ANSWER)
		status = reduce_answers(out, error);
	if (!status && out->few > MOTE_TASK_EXAMPLES)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "more than %d examples", MOTE_TASK_EXAMPLES);
	if (!status && out->few > 0 && row->kind == MOTE_TASK_INSTRUCTIONS)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s takes no examples", row->name);
	if (!status && out->few > 0 && !shots)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "no place to take %u examples from; name their "
					"file with --shots %s=FILE", out->few, row->name);
	if (!status && out->few > 0)
		status = mote_records_read(row, shots, "_dev.csv", &example_records, error);
	if (!status && out->few > 0)
		status = make_items(row, &example_records, 0, &examples, error);
	if (out->few > 0) {
		out->hash.low ^= example_records.hash.low;
		out->hash.high += example_records.hash.high;
	}
	out->hash.low ^= row->hash.low;
	out->hash.high += row->hash.high;
	out->drawn = options->draw && out->few > 0;
	out->seed = options->seed;
	for (uint32_t i = 0; i < out->items && !status; i++)
		status = prepend(out, i, &examples, error);
	if (status)
		mote_error_prefix(error, "task %s", row->name);
	mote_task_free(&examples);
	mote_records_free(&example_records);
	mote_records_free(&records);
	if (status)
		mote_task_free(out);
	return status;
}
