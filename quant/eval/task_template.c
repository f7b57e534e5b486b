/* Templates over the fields of records: see task_template.h. */
#include "quant/eval/task_template.h"

#include <stdlib.h>
#include <string.h>

#include "quant/eval/ifeval_text.h"

static enum mote_status no_memory(struct mote_error *error)
{
	return mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task");
}

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

void mote_task_append(struct mote_task_text *b, const char *text, size_t bytes)
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

/* A string, a number as it is spelled, or true and false. NULL: none of these. */
static const char *text_of(const cJSON *value)
{
	return cJSON_IsString(value) || cJSON_IsNumber(value) ? value->valuestring : cJSON_IsBool(value) ?
	       cJSON_IsTrue(value) ? "true" : "false" : NULL;
}

static enum mote_status append_field(struct mote_task_text *b, const struct mote_record *r, const char *name,
				     size_t length, struct mote_error *error)
{
	const char *bar = memchr(name, '|', length);
	size_t path = bar ? (size_t)(bar - name) : length;
	const char *text = text_of(field_at(r->fields, name, path));
	struct mote_span span;

	if (!text)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected a text in field \"%.*s\"", r->place,
				      (int)path, name);
	span = mote_span_of(text);
	if (bar && length - path == 6 && memcmp(bar, "|strip", 6) == 0)
		span = mote_span_strip(span);
	else if (bar)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "unknown filter in template field \"%.*s\"",
				      (int)length, name);
	mote_task_append(b, span.at, span.bytes);
	return MOTE_OK;
}

enum mote_status mote_task_render(const char *template, const struct mote_record *r, char **out,
				  struct mote_error *error)
{
	struct mote_task_text b = {0};
	enum mote_status status = MOTE_OK;

	*out = NULL;
	if (!template)
		return MOTE_OK;
	mote_task_append(&b, "", 0);
	for (const char *at = template; *at && !status;) {
		size_t plain = strcspn(at, "{");
		const char *end;

		mote_task_append(&b, at, plain);
		at += plain;
		if (at[0] == '{' && at[1] == '{') {
			mote_task_append(&b, "{", 1);
			at += 2;
		} else if (*at == '{') {
			end = strchr(at, '}');
			status = end ? append_field(&b, r, at + 1, (size_t)(end - at - 1), error) :
				       mote_error_set(error, MOTE_ERROR_CORRUPT,
						      "template \"%s\": a brace is not closed", template);
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

enum mote_status mote_task_list_texts(const struct mote_record *r, const char *path, const char **text, uint32_t *count,
				      struct mote_error *error)
{
	const char *brackets = strstr(path, "[]");
	size_t length = brackets ? (size_t)(brackets - path) : strlen(path);
	const char *rest = brackets && brackets[2] == '.' ? brackets + 3 : "";
	const cJSON *array = field_at(r->fields, path, length);

	*count = 0;
	if (!cJSON_IsArray(array))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected an array in field \"%.*s\"", r->place,
				      (int)length, path);
	for (const cJSON *e = array->child; e; e = e->next) {
		if (*count == MOTE_TASK_CHOICES)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: more than %d elements in field \"%.*s\"",
					      r->place, MOTE_TASK_CHOICES, (int)length, path);
		text[*count] = text_of(field_at(e, rest, strlen(rest)));
		if (!text[*count])
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: expected texts in field \"%s\"",
					      r->place, path);
		++*count;
	}
	return MOTE_OK;
}

const char *mote_task_template_fault(const char *template)
{
	const char *at = template;

	while ((at = strchr(at, '{'))) {
		const char *end = strchr(at, '}'), *bar;

		if (at[1] == '{') {
			at += 2;
			continue;
		}
		if (!end)
			return "a brace that is closed";
		bar = memchr(at, '|', (size_t)(end - at));
		if ((bar ? bar : end) == at + 1)
			return "a field's name between braces";
		if (bar && (end - bar != 6 || memcmp(bar, "|strip", 6) != 0))
			return "no filter but \"|strip\" behind a field's name";
		at = end + 1;
	}
	return NULL;
}
