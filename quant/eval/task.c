/* Items from records: see task.h. */
#include "quant/eval/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/eval/ifeval.h"
#include "quant/eval/task_files.h"

static void free_item(struct mote_item *item)
{
	free(item->id);
	free(item->group);
	free(item->description);
	free(item->context);
	free(item->answer);
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
	*t = (struct mote_task){0};
}

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
}

/* ---- fields and templates ---- */

/* The member of an object at path "a.b", [length]; NULL when there is none. */
static const cJSON *field_at(const cJSON *object, const char *path, size_t length)
{
	while (object && length > 0) {
		const char *dot = memchr(path, '.', length);
		size_t step = dot ? (size_t)(dot - path) : length;
		char key[128];

		if (step >= sizeof key)
			return NULL;
		memcpy(key, path, step);
		key[step] = 0;
		object = mote_json_get(object, key);
		step += dot != NULL;
		path += step;
		length -= step;
	}
	return object;
}

/* A text that grows; failed once memory is gone. */
struct builder {
	char *text;
	size_t bytes;
	bool failed;
};

static void append(struct builder *b, const char *text, size_t bytes)
{
	char *grown = b->failed ? NULL : realloc(b->text, b->bytes + bytes + 1);

	if (!grown) {
		b->failed = true;
		return;
	}
	memcpy(grown + b->bytes, text, bytes);
	b->text = grown;
	b->bytes += bytes;
	grown[b->bytes] = 0;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A string, a number as it is spelled, or true and false. NULL: none of these. */
static const char *text_of(const cJSON *value)
{
	return cJSON_IsString(value) || cJSON_IsNumber(value) ? value->valuestring : cJSON_IsBool(value) ?
	       cJSON_IsTrue(value) ? "true" : "false" : NULL;
}

static enum mote_status append_field(struct builder *b, const struct mote_record *r, const char *name, size_t length,
				     struct mote_error *error)
{
	const char *bar = memchr(name, '|', length);
	size_t path = bar ? (size_t)(bar - name) : length;
	const char *text = text_of(field_at(r->fields, name, path));
	size_t bytes;

	if (!text)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected a text in field \"%.*s\"", r->place, (int)path, name);
	bytes = strlen(text);
	if (bar && length - path == 6 && memcmp(bar, "|strip", 6) == 0) {
		while (bytes > 0 && is_space(text[bytes - 1]))
			bytes--;
		while (bytes > 0 && is_space(*text)) {
			text++;
			bytes--;
		}
	} else if (bar) {
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "unknown filter in template field \"%.*s\"", (int)length, name);
	}
	append(b, text, bytes);
	return MOTE_OK;
}

/* Stores the text that a template makes of a record; template NULL: stores NULL. */
static enum mote_status render(const char *template, const struct mote_record *r, char **out, struct mote_error *error)
{
	struct builder b = {0};
	enum mote_status status = MOTE_OK;

	*out = NULL;
	if (!template)
		return MOTE_OK;
	append(&b, "", 0);
	for (const char *at = template; *at && !status;) {
		size_t plain = strcspn(at, "{");
		const char *end;

		append(&b, at, plain);
		at += plain;
		if (at[0] == '{' && at[1] == '{') {
			append(&b, "{", 1);
			at += 2;
		} else if (*at == '{') {
			end = strchr(at, '}');
			status = end ? append_field(&b, r, at + 1, (size_t)(end - at - 1), error) :
				       mote_error_set(error, MOTE_ERROR_CORRUPT, "template \"%s\": a brace is not closed", template);
			at = end ? end + 1 : "";
		}
	}
	if (!status && b.failed)
		status = no_memory(error);
	if (status)
		free(b.text);
	else
		*out = b.text;
	return status;
}

/* The texts of an array's elements, "question.choices[].text": at most MOTE_TASK_CHOICES, borrowed. */
static enum mote_status list_texts(const struct mote_record *r, const char *path, const char **text, uint32_t *count,
				   struct mote_error *error)
{
	const char *brackets = strstr(path, "[]");
	size_t length = brackets ? (size_t)(brackets - path) : strlen(path);
	const char *rest = brackets && brackets[2] == '.' ? brackets + 3 : "";
	const cJSON *array = field_at(r->fields, path, length);

	*count = 0;
	if (!cJSON_IsArray(array))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array in field \"%.*s\"", r->place, (int)length, path);
	for (const cJSON *e = array->child; e; e = e->next) {
		if (*count == MOTE_TASK_CHOICES)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: more than %d elements in field \"%.*s\"", r->place,
					      MOTE_TASK_CHOICES, (int)length, path);
		text[*count] = text_of(field_at(e, rest, strlen(rest)));
		if (!text[*count])
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected texts in field \"%s\"", r->place, path);
		++*count;
	}
	return MOTE_OK;
}

/* ---- items ---- */

static enum mote_status make_choices(const struct mote_task_row *row, const struct mote_record *r, struct mote_item *item,
				     struct mote_error *error)
{
	const char *text[MOTE_TASK_CHOICES];
	uint32_t n = 0;
	enum mote_status status = MOTE_OK;

	if (row->choices)
		status = list_texts(r, row->choices, text, &n, error);
	for (uint32_t c = 0; c < n && !status; c++) {
		item->choice[c] = strdup(text[c]);
		if (!item->choice[c])
			return no_memory(error);
		item->choices++;
	}
	for (uint32_t c = 0; !row->choices && row->choice[c] && !status; c++) {
		status = render(row->choice[c], r, &item->choice[c], error);
		item->choices += !status;
	}
	if (!status && item->choices < 2)
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: %u choices; expected two or more", r->place, item->choices);
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
	enum mote_status status = render(row->gold, r, &gold, error);

	if (!status && row->gold_names)
		status = list_texts(r, row->gold_names, name, &n, error);
	for (; !status && !row->gold_names && row->gold_name[n]; n++)
		name[n] = row->gold_name[n];
	if (!status) {
		for (item->gold = 0; item->gold < n && strcmp(name[item->gold], gold) != 0; item->gold++)
			;
		if (item->gold >= n || item->gold >= item->choices)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: the answer \"%s\" is none of the choices", r->place, gold);
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
	status = render(row->id ? row->id : counted, r, &item->id, error);
	if (!status)
		status = render(row->group, r, &item->group, error);
	if (!status)
		status = render(row->description, r, &item->description, error);
	if (!status)
		status = render(row->context, r, &item->context, error);
	if (!status && row->kind == MOTE_TASK_CHOICE)
		status = make_choices(row, r, item, error);
	if (!status && row->kind == MOTE_TASK_CHOICE)
		status = find_gold(row, r, item, error);
	else if (!status && row->kind == MOTE_TASK_INSTRUCTIONS)
		status = mote_ifeval_validate(r->fields, r->place, error);
	else if (!status)
		status = render(row->gold, r, &item->answer, error);
	r->fields = NULL;
	return status;
}

static bool same_group(const struct mote_item *a, const struct mote_item *b)
{
	return !a->group || !b->group || strcmp(a->group, b->group) == 0;
}

/* Items of all records; with a limit, the first so many of each group. */
static enum mote_status make_items(const struct mote_task_row *row, struct mote_records *records, uint32_t limit,
				   struct mote_task *t, struct mote_error *error)
{
	uint32_t in_group = 0;
	enum mote_status status = MOTE_OK;

	t->item = calloc(records->count ? records->count : 1, sizeof *t->item);
	if (!t->item)
		return no_memory(error);
	for (uint32_t i = 0; i < records->count && !status; i++) {
		struct mote_item *item = &t->item[t->items];

		status = make_item(row, &records->record[i], i, item, error);
		t->items++; /* also a half-made one, which is freed like any */
		in_group = t->items > 1 && same_group(item - 1, item) ? in_group + 1 : 1;
		if (!status && limit && in_group > limit) {
			free_item(item);
			t->items--;
		}
	}
	return status;
}

/* ---- examples ---- */

/* "context answer\n\n" of one example. */
static void append_example(struct builder *b, const struct mote_item *example)
{
	const char *answer = example->answer ? example->answer : example->choice[example->gold];

	append(b, example->context, strlen(example->context));
	append(b, " ", 1);
	append(b, answer, strlen(answer));
	append(b, "\n\n", 2);
}

/* Puts the description and the first `few` examples of its group before an item's context. */
static enum mote_status prepend(struct mote_item *item, const struct mote_task *examples, uint32_t few, struct mote_error *error)
{
	struct builder b = {0};
	uint32_t found = 0;

	append(&b, item->description ? item->description : "", item->description ? strlen(item->description) : 0);
	for (uint32_t i = 0; i < examples->items && found < few; i++)
		if (same_group(&examples->item[i], item)) {
			append_example(&b, &examples->item[i]);
			found++;
		}
	append(&b, item->context, strlen(item->context));
	if (b.failed) {
		free(b.text);
		return no_memory(error);
	}
	free(item->context);
	item->context = b.text;
	return found == few ? MOTE_OK : mote_error_set(error, MOTE_ERROR_ARGUMENT, "%u examples are wanted, there are %u%s%s", few,
						       found, item->group ? " of " : "", item->group ? item->group : "");
}

enum mote_status mote_task_read(const struct mote_task_row *row, const char *path, const struct mote_task_options *options,
				struct mote_task *out, struct mote_error *error)
{
	const char *shots = options->shots_path ? options->shots_path : row->shots ? path : NULL;
	struct mote_records records = {0}, example_records = {0};
	struct mote_task examples = {0};
	enum mote_status status = mote_records_read(row, path, "_test.csv", &records, error);

	*out = (struct mote_task){.row = row, .hash = records.hash};
	out->few = options->few >= 0 ? (uint32_t)options->few : options->shots_path ? row->few : 0;
	if (!status)
		status = make_items(row, &records, options->limit, out, error);
	if (!status && out->few > 0 && row->kind == MOTE_TASK_INSTRUCTIONS)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s takes no examples", row->name);
	if (!status && out->few > 0 && !shots)
		status = mote_error_set(error, MOTE_ERROR_ARGUMENT, "%s: no place to take %u examples from", row->name, out->few);
	if (!status && out->few > 0)
		status = mote_records_read(row, shots, "_dev.csv", &example_records, error);
	if (!status && out->few > 0)
		status = make_items(row, &example_records, out->few, &examples, error);
	if (out->few > 0) {
		out->hash.low ^= example_records.hash.low;
		out->hash.high += example_records.hash.high;
	}
	for (uint32_t i = 0; i < out->items && !status; i++)
		status = prepend(&out->item[i], &examples, out->few, error);
	if (status)
		mote_error_prefix(error, "task %s", row->name);
	mote_task_free(&examples);
	mote_records_free(&example_records);
	mote_records_free(&records);
	if (status)
		mote_task_free(out);
	return status;
}
