/* A task's definition: see task_json.h. */
#include "quant/eval/task_json.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "quant/eval/answer_match.h"
#include "quant/eval/task_template.h"

struct mote_task_file {
	char *text;
	cJSON *json; /* the row's strings are borrowed from it */
	struct mote_task_row row;
	char *stripped[MOTE_TASK_FILTERS];
};

struct reading {
	struct mote_task_file *f;
	const char *name;  /* of the file */
	const char *field; /* that is read */
};

/* The line on which a member of the outermost object begins; 1 for what is not there. */
static uint32_t line_of(const char *text, const char *key)
{
	uint32_t line = 1, depth = 0;
	size_t length = strlen(key);

	for (const char *at = text; *at; at++) {
		if (*at == '\n')
			line++;
		else if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		if (*at != '"')
			continue;
		if (depth == 1 && strncmp(at + 1, key, length) == 0 && at[1 + length] == '"' &&
		    at[2 + length + strspn(at + 2 + length, " \t\r\n")] == ':')
			return line;
		for (at++; *at != '"'; at++) /* strings hold no raw line ends, and every one is closed */
			at += *at == '\\';
	}
	return 1;
}

static enum mote_status refuse(const struct reading *r, const char *expected, struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line %u, field \"%s\": expected %s", r->name,
			      line_of(r->f->text, r->field), r->field, expected);
}

/* ---- kinds of fields ---- */

static enum mote_status text_at(const struct reading *r, const cJSON *value, const char **out, struct mote_error *error)
{
	if (!cJSON_IsString(value) || !*value->valuestring)
		return refuse(r, "a text that is not empty", error);
	*out = value->valuestring;
	return MOTE_OK;
}

static enum mote_status template_at(const struct reading *r, const cJSON *value, const char **out,
				    struct mote_error *error)
{
	enum mote_status status = text_at(r, value, out, error);
	const char *fault = status ? NULL : mote_task_template_fault(*out);

	return fault ? refuse(r, fault, error) : status;
}

static enum mote_status pattern_at(const struct reading *r, const cJSON *value, const char **out,
				   struct mote_error *error)
{
	enum mote_status status = text_at(r, value, out, error);

	if (!status)
		status = mote_answer_match_check(*out, error);
	if (status)
		mote_error_prefix(error, "%s, line %u, field \"%s\"", r->name, line_of(r->f->text, r->field), r->field);
	return status;
}

/* An array of 1 to most elements, each read by take. */
static enum mote_status array_at(const struct reading *r, const cJSON *value, int most,
				 enum mote_status (*take)(const struct reading *r, const cJSON *value, const char **out,
							  struct mote_error *error),
				 const char **out, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	if (!cJSON_IsArray(value) || !value->child || cJSON_GetArraySize(value) > most)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line %u, field \"%s\": expected an array of 1 to "
				      "%d elements", r->name, line_of(r->f->text, r->field), r->field, most);
	for (const cJSON *e = value->child; e && !status; e = e->next)
		status = take(r, e, out++, error);
	return status;
}

static enum mote_status number_at(const struct reading *r, const cJSON *value, uint32_t least, uint32_t most,
				  uint32_t *out, struct mote_error *error)
{
	int64_t number;

	if (!mote_json_integer(value, &number) || number < least || number > most)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line %u, field \"%s\": expected a whole number "
				      "from %u to %u", r->name, line_of(r->f->text, r->field), r->field, least, most);
	*out = (uint32_t)number;
	return MOTE_OK;
}

/* Templates, or the path of an array of the record. */
static enum mote_status list_at(const struct reading *r, const cJSON *value, bool templates, const char **list,
				const char **path, struct mote_error *error)
{
	if (cJSON_IsArray(value))
		return array_at(r, value, MOTE_TASK_CHOICES, templates ? template_at : text_at, list, error);
	if (!cJSON_IsString(value) || !strstr(value->valuestring, "[]"))
		return refuse(r, "an array of texts, or the path of an array like \"options[].text\"", error);
	*path = value->valuestring;
	return MOTE_OK;
}

/* ---- fields ---- */

static enum mote_status take_name(struct reading *r, const cJSON *value, struct mote_error *error)
{
	enum mote_status status = text_at(r, value, &r->f->row.name, error);
	const char *name = r->f->row.name;

	if (status)
		return status;
	if (strlen(name) > 60 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
		return refuse(r, "at most 60 small letters, digits and underscores", error);
	return mote_task_row_find(name) ? refuse(r, "a name that no built-in task has", error) : MOTE_OK;
}

static enum mote_status take_kind(struct reading *r, const cJSON *value, struct mote_error *error)
{
	const char *kind = cJSON_IsString(value) ? value->valuestring : "";

	if (strcmp(kind, "choice") != 0 && strcmp(kind, "answer") != 0)
		return refuse(r, "\"choice\" or \"answer\"", error);
	r->f->row.kind = *kind == 'c' ? MOTE_TASK_CHOICE : MOTE_TASK_ANSWER;
	return MOTE_OK;
}

static enum mote_status take_metric(struct reading *r, const cJSON *value, struct mote_error *error)
{
	static const char *const names[] = {"acc", "acc_norm", "acc_bytes", "exact", "contains"};
	const char *text = cJSON_IsString(value) ? value->valuestring : "";
	struct mote_task_row *row = &r->f->row;
	bool choice = row->kind == MOTE_TASK_CHOICE;
	int i = 0;

	while (i < 5 && strcmp(names[i], text) != 0)
		i++;
	if (i == 5 || (i < 3) != choice)
		return refuse(r, choice ? "\"acc\", \"acc_norm\" or \"acc_bytes\"" : "\"exact\" or \"contains\"",
			      error);
	row->length = choice ? (enum mote_task_length)i : MOTE_LENGTH_NONE;
	row->contains = i == 4;
	return MOTE_OK;
}

static enum mote_status take_labels(struct reading *r, const cJSON *value, struct mote_error *error)
{
	enum mote_status status = text_at(r, value, &r->f->row.labels, error);

	return !status && strchr(r->f->row.labels, '/') ? refuse(r, "a file's name without folders", error) : status;
}

static enum mote_status take_choices(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return list_at(r, value, true, r->f->row.choice, &r->f->row.choices, error);
}

static enum mote_status take_gold_names(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return list_at(r, value, false, r->f->row.gold_name, &r->f->row.gold_names, error);
}

static enum mote_status take_until(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return array_at(r, value, 7, text_at, r->f->row.until, error);
}

static enum mote_status take_ignore(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return array_at(r, value, 7, pattern_at, r->f->row.ignore, error);
}

static enum mote_status take_filter(struct reading *r, const cJSON *value, uint32_t i, struct mote_error *error)
{
	static const char suffix[] = "_stripped";
	struct mote_task_filter *filter = &r->f->row.filter[i];
	const cJSON *take = mote_json_get(value, "take");
	enum mote_status status;

	for (const cJSON *member = value->child; member; member = member->next)
		if (strcmp(member->string, "name") != 0 && strcmp(member->string, "pattern") != 0 &&
		    strcmp(member->string, "take") != 0)
			return refuse(r, "filters of \"name\", \"pattern\" and \"take\" alone", error);
	if (take && (!cJSON_IsString(take) ||
		     (strcmp(take->valuestring, "first") != 0 && strcmp(take->valuestring, "last") != 0)))
		return refuse(r, "\"first\" or \"last\" as a filter's \"take\"", error);
	status = text_at(r, mote_json_get(value, "name"), &filter->name, error);
	if (!status)
		status = pattern_at(r, mote_json_get(value, "pattern"), &filter->pattern, error);
	for (uint32_t k = 0; k < i && !status; k++)
		if (strcmp(r->f->row.filter[k].name, filter->name) == 0)
			status = refuse(r, "filters of different names", error);
	if (!status && strlen(filter->name) >= strlen(suffix) &&
	    strcmp(filter->name + strlen(filter->name) - strlen(suffix), suffix) == 0)
		status = refuse(r, "filters whose names do not end in \"_stripped\", as those of answers without their "
				"reasoning do", error);
	filter->last = take && strcmp(take->valuestring, "last") == 0;
	return status;
}

static enum mote_status take_filters(struct reading *r, const cJSON *value, struct mote_error *error)
{
	const cJSON *filter = value->child;
	enum mote_status status = MOTE_OK;

	if (!cJSON_IsArray(value) || !filter || cJSON_GetArraySize(value) > MOTE_TASK_FILTERS)
		return refuse(r, "an array of 1 to 4 filters", error);
	for (uint32_t i = 0; filter && !status; filter = filter->next, i++)
		status = cJSON_IsObject(filter) ? take_filter(r, filter, i, error)
						: refuse(r, "filters that are objects", error);
	return status;
}

static enum mote_status take_few(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return number_at(r, value, 0, 64, &r->f->row.few, error);
}

static enum mote_status take_most_tokens(struct reading *r, const cJSON *value, struct mote_error *error)
{
	return number_at(r, value, 1, 1u << 20, &r->f->row.most_tokens, error);
}

static enum mote_status take_ignore_case(struct reading *r, const cJSON *value, struct mote_error *error)
{
	r->f->row.ignore_case = cJSON_IsTrue(value);
	return cJSON_IsBool(value) ? MOTE_OK : refuse(r, "true or false", error);
}

#define ROW(field) offsetof(struct mote_task_row, field)

enum { OF_CHOICE = 1, OF_ANSWER = 2, OF_BOTH = 3 };

/* In the order in which they are read: what others depend on first. */
static const struct {
	const char *key;
	int of;
	bool needed;
	size_t template;  /* without take: a template's place in the row */
	enum mote_status (*take)(struct reading *r, const cJSON *value, struct mote_error *error);
} fields[] = {
	{"name", OF_BOTH, true, 0, take_name}, {"kind", OF_BOTH, true, 0, take_kind},
	{"metric", OF_BOTH, false, 0, take_metric}, {"id", OF_BOTH, false, ROW(id), NULL},
	{"group", OF_BOTH, false, ROW(group), NULL}, {"description", OF_BOTH, false, ROW(description), NULL},
	{"context", OF_BOTH, true, ROW(context), NULL}, {"gold", OF_BOTH, true, ROW(gold), NULL},
	{"labels", OF_BOTH, false, 0, take_labels}, {"few_shot", OF_BOTH, false, 0, take_few},
	{"choices", OF_CHOICE, true, 0, take_choices}, {"gold_names", OF_CHOICE, false, 0, take_gold_names},
	{"until", OF_ANSWER, false, 0, take_until}, {"max_tokens", OF_ANSWER, false, 0, take_most_tokens},
	{"filters", OF_ANSWER, false, 0, take_filters}, {"ignore", OF_ANSWER, false, 0, take_ignore},
	{"ignore_case", OF_ANSWER, false, 0, take_ignore_case},
};

enum { FIELDS = sizeof fields / sizeof *fields };

static enum mote_status read_fields(struct reading *r, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	for (int i = 0; i < FIELDS && !status; i++) {
		const cJSON *value = mote_json_get(r->f->json, fields[i].key);
		bool of = fields[i].of & (r->f->row.kind == MOTE_TASK_CHOICE ? OF_CHOICE : OF_ANSWER);

		r->field = fields[i].key;
		if (!value && fields[i].needed && of)
			status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: field \"%s\" is missing", r->name,
						r->field);
		else if (value && !of)
			status = refuse(r, r->f->row.kind == MOTE_TASK_CHOICE ? "none, since the task's kind is "
					"\"choice\"" :
					"none, since the task's kind is \"answer\"", error);
		else if (value && fields[i].take)
			status = fields[i].take(r, value, error);
		else if (value)
			status = template_at(r, value, (const char **)(void *)((char *)&r->f->row + fields[i].template),
					     error);
	}
	for (const cJSON *member = r->f->json->child; member && !status; member = member->next) {
		int i = 0;

		while (i < FIELDS && strcmp(fields[i].key, member->string) != 0)
			i++;
		r->field = member->string;
		if (i == FIELDS)
			status = refuse(r, "no field of this name", error);
	}
	return status;
}

/* What is left out: places as names of choices; the whole answer as the only filter; 256 tokens. */
static enum mote_status complete(struct reading *r, struct mote_error *error)
{
	static const char *const places[MOTE_TASK_CHOICES] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10",
							      "11", "12", "13", "14", "15"};
	struct mote_task_row *row = &r->f->row;

	for (int i = 0; row->kind == MOTE_TASK_CHOICE && !mote_json_get(r->f->json, "gold_names") &&
	     i < MOTE_TASK_CHOICES; i++)
		row->gold_name[i] = places[i];
	if (row->kind == MOTE_TASK_CHOICE)
		return MOTE_OK;
	if (!row->filter[0].name)
		row->filter[0] = (struct mote_task_filter){.name = "answer", .pattern = "(?s)^(.*)$"};
	row->most_tokens = row->most_tokens ? row->most_tokens : 256;
	for (int i = 0; i < MOTE_TASK_FILTERS && row->filter[i].name; i++) {
		size_t bytes = strlen(row->filter[i].name);
		char *name = malloc(bytes + sizeof "_stripped");

		if (!name)
			return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
		memcpy(name, row->filter[i].name, bytes);
		strcpy(name + bytes, "_stripped");
		r->f->stripped[i] = name;
		row->filter[i].stripped = name;
	}
	return MOTE_OK;
}

enum mote_status mote_task_file_parse(const char *text, size_t bytes, const char *name, struct mote_task_file **out,
				      struct mote_error *error)
{
	struct mote_task_file *f = calloc(1, sizeof *f);
	struct reading r = {.f = f, .name = name, .field = "name"};
	XXH128_hash_t hash;
	enum mote_status status = MOTE_OK;

	*out = NULL;
	if (!f || !(f->text = strndup(text, bytes)))
		status = mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
	if (!status)
		status = mote_json_parse(text, bytes, name, &f->json, error);
	if (!status && !cJSON_IsObject(f->json))
		status = mote_error_set(error, MOTE_ERROR_CORRUPT, "%s, line 1: expected a JSON object", name);
	if (!status)
		status = read_fields(&r, error);
	if (!status)
		status = complete(&r, error);
	if (status) {
		mote_task_file_close(f);
		return status;
	}
	hash = XXH3_128bits(text, bytes);
	f->row.hash = (struct mote_hash128){hash.low64, hash.high64};
	*out = f;
	return MOTE_OK;
}

void mote_task_file_close(struct mote_task_file *f)
{
	if (!f)
		return;
	for (int i = 0; i < MOTE_TASK_FILTERS; i++)
		free(f->stripped[i]);
	cJSON_Delete(f->json);
	free(f->text);
	free(f);
}

const struct mote_task_row *mote_task_file_row(const struct mote_task_file *f)
{
	return &f->row;
}

const char *mote_task_file_text(const struct mote_task_file *f)
{
	return f->text;
}
