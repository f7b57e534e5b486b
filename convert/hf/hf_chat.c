#include "convert/hf/hf_chat.h"

#include <string.h>

#include "format/json_build.h"
#include "runtime/template/template.h"

static const char mark[] = "zqAssistantSpeaksHereqz";

/* A user's and an assistant's message, and the variables that every template may use. */
static cJSON *make_context(const cJSON *variables)
{
	static const char *const role[] = {"user", "assistant"}, *const content[] = {"Hello", mark};
	struct mote_json_builder b = {0};
	cJSON *context = mote_json_new_object(&b), *messages = mote_json_add_array(&b, context, "messages");

	for (int i = 0; i < 2; i++) {
		cJSON *message = mote_json_add_object(&b, messages, NULL);

		mote_json_add_text(&b, message, "role", role[i]);
		mote_json_add_text(&b, message, "content", content[i]);
	}
	mote_json_add_bool(&b, context, "add_generation_prompt", false);
	mote_json_add_null(&b, context, "tools");
	mote_json_add_null(&b, context, "documents");
	for (const cJSON *item = variables ? variables->child : NULL; item; item = item->next)
		mote_json_add_item(&b, context, item->string, cJSON_Duplicate(item, true));
	return mote_json_finish(&b, &context, "the template's variables", NULL) ? NULL : context;
}

/* The first token of a text, behind white space, if it is special; else -1. */
static enum mote_status first_special(const struct mote_tokenizer *tokenizer, const char *text, int32_t *id)
{
	struct mote_ids ids = {0};
	enum mote_status status;

	text += strspn(text, " \t\r\n");
	status = mote_tokenizer_encode(tokenizer, text, strlen(text), 0, &ids, NULL);
	if (!status && ids.count && mote_tokenizer_is_special(tokenizer, ids.id[0]))
		*id = ids.id[0];
	mote_ids_free(&ids);
	return status;
}

enum mote_status mote_hf_turn_end(const char *template, const cJSON *variables, const struct mote_tokenizer *tokenizer,
				  int32_t *id, struct mote_error *error)
{
	struct mote_template_options options = mote_template_options_default();
	struct mote_template_limits limits = {0};
	struct mote_rendered rendered = {0};
	struct mote_template *t = NULL;
	cJSON *context = template ? make_context(variables) : NULL;
	enum mote_status status = template && !context ? MOTE_ERROR_MEMORY : MOTE_OK;

	*id = -1;
	if (context && !(status = mote_template_open(template, strlen(template), &options, &t, NULL)) &&
	    !(status = mote_template_render(t, context, NULL, &limits, &rendered, NULL))) {
		const char *place = strstr(rendered.text, mark);

		if (place)
			status = first_special(tokenizer, place + strlen(mark), id);
	}
	mote_rendered_free(&rendered);
	mote_template_close(t);
	cJSON_Delete(context);
	/* every other failure is the template's, which has no end of a turn then */
	return status == MOTE_ERROR_MEMORY ? mote_error_set(error, status, "a chat template's end of a turn: out of "
							    "memory") : MOTE_OK;
}

bool mote_hf_reasoning_tags(const char *template, const struct mote_tokenizer *tokenizer, const char **open,
			    const char **close)
{
	static const char *const pair[][2] = {
		{"<think>", "</think>"}, {"[THINK]", "[/THINK]"}, {"<reasoning>", "</reasoning>"},
		{"<thinking>", "</thinking>"}, {"<thought>", "</thought>"}, {"<reason>", "</reason>"},
		{"<|begin_of_thought|>", "<|end_of_thought|>"}, {"<|START_THINKING|>", "<|END_THINKING|>"},
		{"<seed:think>", "</seed:think>"}, {"\xe2\x97\x81think\xe2\x96\xb7", "\xe2\x97\x81/think\xe2\x96\xb7"},
	};
	enum { PAIRS = sizeof pair / sizeof *pair };

	/* A template may name the closing tag alone, to cut off what lies before it. */
	for (int i = 0; i < 2 * PAIRS; i++) {
		const char *first = pair[i % PAIRS][0], *second = pair[i % PAIRS][1];
		bool found = i < PAIRS ? template && strstr(template, second) != NULL
				       : mote_tokenizer_find(tokenizer, first, strlen(first)) >= 0 &&
						 mote_tokenizer_find(tokenizer, second, strlen(second)) >= 0;

		if (found) {
			*open = first;
			*close = second;
			return true;
		}
	}
	return false;
}
