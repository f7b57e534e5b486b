/* mote-tokenize --messages: what the model's chat template makes of a conversation. */
#include "runtime/tokenize.h"

#include <stdlib.h>
#include <time.h>

#include "format/json_build.h"
#include "format/tool/console.h"
#include "runtime/chat/chat.h"
#include "runtime/tokenizer/ids_diff.h"

struct conversation {
	cJSON *messages, *tools, *context; /* owned */
	struct mote_chat_request request;
};

static void free_conversation(struct conversation *c)
{
	cJSON_Delete(c->messages);
	cJSON_Delete(c->tools);
	cJSON_Delete(c->context);
}

static enum mote_status read_json(struct tokenize *t, const char *path, cJSON **json)
{
	char *text = NULL;
	size_t bytes;
	enum mote_status status = mote_console_read_file(path, MOST_INPUT, &text, &bytes, &t->error);

	if (status == MOTE_OK)
		status = mote_json_parse(text, bytes, path, json, &t->error);
	free(text);
	return status;
}

/* Variables of "from" join those of "to" and win. */
static bool merge_variables(cJSON *to, const cJSON *from)
{
	struct mote_json_builder b = {0};

	for (const cJSON *item = from ? from->child : NULL; item; item = item->next) {
		cJSON_DeleteItemFromObjectCaseSensitive(to, item->string);
		mote_json_add_item(&b, to, item->string, cJSON_Duplicate(item, true));
	}
	return !b.failed;
}

/* Files into a request: an object around the messages brings variables, --template-context overrides them. */
static enum mote_status read_conversation(struct tokenize *t, struct conversation *c)
{
	const struct tokenize_options *o = &t->options;
	cJSON *root = NULL, *variables = NULL;
	enum mote_status status = read_json(t, o->messages, &root);

	if (status == MOTE_OK && o->tools)
		status = read_json(t, o->tools, &c->tools);
	if (status == MOTE_OK && o->context)
		status = read_json(t, o->context, &variables);
	if (status == MOTE_OK && variables && !cJSON_IsObject(variables))
		status = mote_error_set(&t->error, MOTE_ERROR_CORRUPT, "%s: expected an object", o->context);
	if (status == MOTE_OK && c->tools && !cJSON_IsArray(c->tools) && !cJSON_IsNull(c->tools))
		status = mote_error_set(&t->error, MOTE_ERROR_CORRUPT, "%s: expected a list of tools", o->tools);
	if (status == MOTE_OK) {
		c->messages = cJSON_IsObject(root) ? cJSON_DetachItemFromObjectCaseSensitive(root, "messages") : root;
		c->context = cJSON_CreateObject();
		if (!cJSON_IsArray(c->messages))
			status = mote_error_set(&t->error, MOTE_ERROR_CORRUPT,
						"%s: expected a list of messages, or an object with "
						"\"messages\"",
						o->messages);
		else if (!c->context || (root != c->messages && !merge_variables(c->context, root)) ||
			 !merge_variables(c->context, variables))
			status = mote_error_set(&t->error, MOTE_ERROR_MEMORY, "out of memory");
	}
	if (root != c->messages)
		cJSON_Delete(root);
	cJSON_Delete(variables);
	if (status)
		return status;
	c->request = (struct mote_chat_request){
		.messages = c->messages,
		.tools = cJSON_IsArray(c->tools) ? c->tools : mote_json_get(c->context, "tools"),
		.context = c->context,
		.no_generation_prompt = o->no_generation_prompt,
		.now = (int64_t)time(NULL)};
	if (!cJSON_IsArray(c->request.tools))
		c->request.tools = NULL;
	return MOTE_OK;
}

static void print_rendered(const struct mote_rendered *r, const struct mote_ids *ids)
{
	mote_console_put_data(r->text, r->bytes);
	puts(r->bytes && r->text[r->bytes - 1] == '\n' ? "" : "\n");
	for (size_t i = 0; i < r->n_spans; i++) {
		printf("%8zu %8zu  %s  ", r->spans[i].begin, r->spans[i].end,
		       r->spans[i].plain ? "message " : "template");
		mote_tokenize_print_json_text(r->text + r->spans[i].begin, r->spans[i].end - r->spans[i].begin);
		putchar('\n');
	}
	putchar('\n');
	mote_tokenize_print_ids(ids, ' ');
	putchar('\n');
	mote_tokenize_warn_dropped(ids);
}

static void print_rendered_json(const struct mote_rendered *r, const struct mote_ids *ids)
{
	fputs("{\"text\":", stdout);
	mote_tokenize_print_json_text(r->text, r->bytes);
	fputs(",\"spans\":[", stdout);
	for (size_t i = 0; i < r->n_spans; i++)
		printf("%s{\"begin\":%zu,\"end\":%zu,\"plain\":%s}", i ? "," : "", r->spans[i].begin, r->spans[i].end,
		       r->spans[i].plain ? "true" : "false");
	fputs("],\"ids\":[", stdout);
	mote_tokenize_print_ids(ids, ',');
	printf("],\"dropped_bytes\":%llu}\n", (unsigned long long)ids->dropped_bytes);
}

/* A template of plain ChatML, rendered by the same engine. Content may be a list of parts. */
static const char chatml[] =
	"{% for m in messages %}<|im_start|>{{ m.role }}\n"
	"{% if m.content is string %}{{ m.content }}{% elif m.content %}"
	"{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|im_end|>\n"
	"{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

static enum mote_status chatml_ids(struct tokenize *t, const struct mote_chat_request *request, struct mote_ids *ids)
{
	struct mote_json_builder b = {0};
	cJSON *metadata = mote_json_new_object(&b), *item;
	struct mote_rendered rendered = {0};
	enum mote_status status;
	struct mote_chat_request plain = *request;

	plain.tools = plain.context = NULL;
	item = mote_json_add_object(&b, mote_json_add_array(&b, metadata, "chat_templates"), NULL);
	mote_json_add_text(&b, item, "name", "default");
	mote_json_add_text(&b, item, "template", chatml);
	status = mote_json_finish(&b, &metadata, "plain ChatML", &t->error);
	if (status == MOTE_OK)
		status = mote_chat_render(metadata, &plain, &rendered, &t->error);
	if (status == MOTE_OK)
		status = mote_tokenizer_encode_spans(t->tokenizer, rendered.text, rendered.spans, rendered.n_spans,
						     0, ids, &t->error);
	mote_rendered_free(&rendered);
	cJSON_Delete(metadata);
	return status;
}

static enum mote_status print_edits_json(struct tokenize *t, const struct mote_edit *edits, size_t count,
					 size_t differences)
{
	static const char *const names[] = {"same", "chatml", "model"};

	printf("{\"differences\":%zu,\"tokens\":[", differences);
	for (size_t i = 0; i < count; i++) {
		char *text;
		size_t bytes;
		enum mote_status status = mote_tokenizer_decode_within(t->tokenizer, &edits[i].id, 1, &text, &bytes,
								       &t->error);

		if (status)
			return status;
		printf("%s{\"in\":\"%s\",\"id\":%d,\"text\":", i ? "," : "", names[edits[i].kind], (int)edits[i].id);
		mote_tokenize_print_json_text(text, bytes);
		putchar('}');
		free(text);
	}
	puts("]}");
	return MOTE_OK;
}

static enum mote_status diff_chatml(struct tokenize *t, const struct mote_chat_request *request,
				    const struct mote_ids *ids)
{
	static const char *const leads[] = {"  ", "- ", "+ "};
	struct mote_ids plain = {0};
	struct mote_edit *edits = NULL;
	size_t count = 0, differences = 0;
	enum mote_status status = chatml_ids(t, request, &plain);

	if (status == MOTE_OK)
		status = mote_ids_diff(&plain, ids, &edits, &count, &t->error);
	for (size_t i = 0; i < count; i++)
		differences += edits[i].kind != MOTE_EDIT_SAME;
	if (status == MOTE_OK && t->options.json) {
		status = print_edits_json(t, edits, count, differences);
	} else if (status == MOTE_OK) {
		puts("--- plain ChatML\n+++ this model's template");
		for (size_t i = 0; i < count && status == MOTE_OK; i++)
			status = mote_tokenize_print_token(t, leads[edits[i].kind], edits[i].id);
		printf("%zu of %zu tokens differ\n", differences, count);
	}
	free(edits);
	mote_ids_free(&plain);
	return status;
}

enum mote_status mote_tokenize_messages(struct tokenize *t)
{
	struct conversation c = {0};
	struct mote_rendered rendered = {0};
	struct mote_ids ids = {0};
	enum mote_status status = read_conversation(t, &c);

	if (status == MOTE_OK)
		status = mote_chat_render(mote_container_metadata(t->container), &c.request, &rendered, &t->error);
	if (status == MOTE_OK)
		status = mote_tokenizer_encode_spans(t->tokenizer, rendered.text, rendered.spans, rendered.n_spans,
						     0, &ids, &t->error);
	if (status == MOTE_OK && t->options.diff)
		status = diff_chatml(t, &c.request, &ids);
	else if (status == MOTE_OK && t->options.json)
		print_rendered_json(&rendered, &ids);
	else if (status == MOTE_OK)
		print_rendered(&rendered, &ids);
	mote_ids_free(&ids);
	mote_rendered_free(&rendered);
	free_conversation(&c);
	return status;
}
