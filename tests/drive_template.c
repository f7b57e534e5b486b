/* Test driver: renders templates from standard input, one JSON object a line:
 *   {"template": "...", "context": {...}, "trim_blocks": true, "lstrip_blocks": true,
 *    "keep_trailing_newline": false, "now": 0}
 * and writes {"output": "..."} or {"error": "...", "status": n} a line. With "spans": true, the output comes as a
 * list of [text, plain] as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json.h"
#include "runtime/template/template.h"

static bool flag(const cJSON *object, const char *key, bool fallback)
{
	const cJSON *item = mote_json_get(object, key);

	return item ? cJSON_IsTrue(item) : fallback;
}

static void add_spans(cJSON *answer, const struct mote_rendered *r)
{
	cJSON *spans = cJSON_AddArrayToObject(answer, "spans");

	for (size_t i = 0; i < r->n_spans; i++) {
		cJSON *span = cJSON_CreateArray();
		char *text = strndup(r->text + r->spans[i].begin, r->spans[i].end - r->spans[i].begin);

		cJSON_AddItemToArray(span, cJSON_CreateString(text));
		cJSON_AddItemToArray(span, cJSON_CreateBool(r->spans[i].plain));
		cJSON_AddItemToArray(spans, span);
		free(text);
	}
}

static void render(const cJSON *line, cJSON *answer)
{
	static const char *const trusted[] = {"bos_token", "eos_token", "unk_token", "pad_token", NULL};
	struct mote_template_options options = {
		.trim_blocks = flag(line, "trim_blocks", true),
		.lstrip_blocks = flag(line, "lstrip_blocks", true),
		.keep_trailing_newline = flag(line, "keep_trailing_newline", false)
	};
	struct mote_template_limits limits = {0};
	const cJSON *text = mote_json_get(line, "template"), *now = mote_json_get(line, "now");
	struct mote_error error = {0};
	struct mote_template *t = NULL;
	struct mote_rendered r = {0};
	enum mote_status status;

	limits.now = now ? (int64_t)now->valuedouble : 0;
	status = mote_template_open(text->valuestring, strlen(text->valuestring), &options, &t, &error);
	if (status == MOTE_OK)
		status = mote_template_render(t, mote_json_get(line, "context"), trusted, &limits, &r, &error);
	if (status == MOTE_OK) {
		if (memchr(r.text, 0, r.bytes))
			cJSON_AddStringToObject(answer, "error", "NUL in the output");
		else
			cJSON_AddStringToObject(answer, "output", r.text);
		if (flag(line, "spans", false))
			add_spans(answer, &r);
	} else {
		cJSON_AddStringToObject(answer, "error", error.message);
		cJSON_AddNumberToObject(answer, "status", status);
	}
	mote_rendered_free(&r);
	mote_template_close(t);
}

int main(void)
{
	struct mote_error error = {0};
	char *line = NULL, *printed;
	size_t capacity = 0;
	ssize_t n;
	cJSON *json, *answer;

	while ((n = getline(&line, &capacity, stdin)) > 0) {
		answer = cJSON_CreateObject();
		if (mote_json_parse(line, (size_t)n, "line", &json, &error) == MOTE_OK) {
			render(json, answer);
			cJSON_Delete(json);
		} else {
			cJSON_AddStringToObject(answer, "error", error.message);
			cJSON_AddNumberToObject(answer, "status", -1);
			error = (struct mote_error){0};
		}
		printed = cJSON_PrintUnformatted(answer);
		puts(printed);
		fflush(stdout);
		free(printed);
		cJSON_Delete(answer);
	}
	free(line);
	return 0;
}
