/* mote-tokenize: text to token ids and back, and what a chat template makes of messages. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/json_build.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/chat/chat.h"
#include "runtime/tokenizer/ids_diff.h"
#include "runtime/tokenizer/tokenizer.h"

static const char about[] =
	"Usage: mote-tokenize [OPTION]... MODEL.mote [-]\n"
	"Turns text into the token ids which the model's own tokenizer gives, or ids into text. Without -f and -p\n"
	"the input is standard input; it is taken as it is, with its last newline if it has one.\n";

static const char epilog[] =
	"Bytes which the vocabulary cannot express and the tokenizer drops are counted (dropped_bytes).\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input.\n";

#define MOST_INPUT ((size_t)1 << 31)

struct options {
	const char *model, *dash, *file, *prompt, *messages, *tools, *context, *diff;
	bool decode, skip_special, plain, add_special, no_cache, time, show, json, no_generation_prompt;
};

struct tool {
	struct options options;
	struct mote_container *container;
	struct mote_tokenizer *tokenizer;
	struct mote_error error;
	double open_seconds;
};

/* ---- output; a text may hold any character, U+0000 too, which a cJSON string could not */

static void print_json_text(const char *text, size_t bytes)
{
	size_t plain = 0;

	putchar('"');
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		mote_console_put_data(text + plain, i - plain);
		plain = i + 1;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n')
			fputs("\\n", stdout);
		else
			printf("\\u%04x", c);
	}
	mote_console_put_data(text + plain, bytes - plain);
	putchar('"');
}

/* Hundreds of thousands of them for a book: printf would take longer than encoding it. */
static void print_ids(const struct mote_ids *ids, char between)
{
	for (size_t i = 0; i < ids->count; i++) {
		uint32_t id = (uint32_t)ids->id[i];
		char digits[12];
		size_t at = sizeof digits;

		do
			digits[--at] = (char)('0' + id % 10);
		while (id /= 10);
		if (i)
			digits[--at] = between;
		fwrite(digits + at, 1, sizeof digits - at, stdout);
	}
}

static enum mote_status print_token(struct tool *t, const char *lead, int32_t id)
{
	char *text;
	size_t bytes;
	enum mote_status status = mote_tokenizer_decode(t->tokenizer, &id, 1, false, &text, &bytes, &t->error);

	if (status)
		return status;
	printf("%s%7d  ", lead, (int)id);
	print_json_text(text, bytes);
	putchar('\n');
	free(text);
	return MOTE_OK;
}

static void warn_dropped(const struct mote_ids *ids)
{
	if (ids->dropped_bytes)
		fprintf(stderr,
			"mote-tokenize: warning: %llu bytes have no token in this vocabulary and were dropped\n",
			(unsigned long long)ids->dropped_bytes);
}

/* ---- text to ids, ids to text */

static enum mote_status read_input(struct tool *t, char **data, size_t *bytes)
{
	const struct options *o = &t->options;

	if (o->prompt) {
		*data = strdup(o->prompt);
		*bytes = strlen(o->prompt);
		return *data ? MOTE_OK : mote_error_set(&t->error, MOTE_ERROR_MEMORY, "out of memory");
	}
	return mote_console_read_file(o->file ? o->file : "-", MOST_INPUT, data, bytes, &t->error);
}

static enum mote_status encode(struct tool *t, const char *text, size_t bytes)
{
	const struct options *o = &t->options;
	unsigned flags = (o->plain ? MOTE_ENCODE_PLAIN : 0) | (o->add_special ? MOTE_ENCODE_ADD_SPECIAL : 0) |
			 (o->no_cache ? MOTE_ENCODE_NO_CACHE : 0);
	struct mote_ids ids = {0};
	double started = mote_console_seconds(), seconds;
	enum mote_status status = mote_tokenizer_encode(t->tokenizer, text, bytes, flags, &ids, &t->error);

	seconds = mote_console_seconds() - started;
	if (o->time)
		fprintf(stderr, "opened in %.2f ms; %zu bytes to %zu ids in %.2f ms, %.1f MB/s\n", 1e3 * t->open_seconds,
			bytes, ids.count, 1e3 * seconds, (double)bytes / 1e6 / seconds);
	if (status == MOTE_OK && o->json) {
		fputs("{\"ids\":[", stdout);
		print_ids(&ids, ',');
		printf("],\"dropped_bytes\":%llu}\n", (unsigned long long)ids.dropped_bytes);
	} else if (status == MOTE_OK) {
		if (o->show)
			for (size_t i = 0; i < ids.count && status == MOTE_OK; i++)
				status = print_token(t, "", ids.id[i]);
		else
			print_ids(&ids, ' ');
		if (!o->show)
			putchar('\n');
		warn_dropped(&ids);
	}
	mote_ids_free(&ids);
	return status;
}

/* "[1, 2]", or "1 2", or "1,2": digits, and between them nothing but blanks, commas and brackets. */
static enum mote_status parse_ids(struct tool *t, const char *text, size_t bytes, int32_t **ids, size_t *count)
{
	uint32_t most = mote_tokenizer_vocab_size(t->tokenizer) - 1;
	size_t at = 0;

	*count = 0;
	*ids = malloc((bytes / 2 + 1) * sizeof **ids);
	if (!*ids)
		return mote_error_set(&t->error, MOTE_ERROR_MEMORY, "out of memory");
	while (at < bytes) {
		size_t begin = at;
		uint64_t id = 0;

		if (memchr(" \t\r\n,[]", text[at], 8)) {
			at++;
			continue;
		}
		if (text[at] < '0' || text[at] > '9')
			return mote_error_set(&t->error, MOTE_ERROR_CORRUPT,
					      "byte %zu of the input: found '%c', expected a token id", at,
					      text[at]);
		for (; at < bytes && text[at] >= '0' && text[at] <= '9'; at++)
			id = id > most ? id : id * 10 + (uint64_t)(text[at] - '0');
		if (id > most)
			return mote_error_set(&t->error, MOTE_ERROR_CORRUPT,
					      "byte %zu of the input: token id %.*s, the highest is %u", begin,
					      (int)(at - begin < 40 ? at - begin : 40), text + begin, most);
		(*ids)[(*count)++] = (int32_t)id;
	}
	return MOTE_OK;
}

static enum mote_status decode(struct tool *t, const char *input, size_t input_bytes)
{
	int32_t *ids = NULL;
	char *text = NULL;
	size_t count, bytes;
	enum mote_status status = parse_ids(t, input, input_bytes, &ids, &count);

	if (status == MOTE_OK)
		status = mote_tokenizer_decode(t->tokenizer, ids, count, t->options.skip_special, &text, &bytes,
					       &t->error);
	if (status == MOTE_OK && t->options.json) {
		fputs("{\"text\":", stdout);
		print_json_text(text, bytes);
		fputs("}\n", stdout);
	} else if (status == MOTE_OK) {
		mote_console_put_data(text, bytes);
	}
	free(text);
	free(ids);
	return status;
}

/* ---- messages */

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

static enum mote_status read_json(struct tool *t, const char *path, cJSON **json)
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
static enum mote_status read_conversation(struct tool *t, struct conversation *c)
{
	const struct options *o = &t->options;
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
		print_json_text(r->text + r->spans[i].begin, r->spans[i].end - r->spans[i].begin);
		putchar('\n');
	}
	putchar('\n');
	print_ids(ids, ' ');
	putchar('\n');
	warn_dropped(ids);
}

static void print_rendered_json(const struct mote_rendered *r, const struct mote_ids *ids)
{
	fputs("{\"text\":", stdout);
	print_json_text(r->text, r->bytes);
	fputs(",\"spans\":[", stdout);
	for (size_t i = 0; i < r->n_spans; i++)
		printf("%s{\"begin\":%zu,\"end\":%zu,\"plain\":%s}", i ? "," : "", r->spans[i].begin, r->spans[i].end,
		       r->spans[i].plain ? "true" : "false");
	fputs("],\"ids\":[", stdout);
	print_ids(ids, ',');
	printf("],\"dropped_bytes\":%llu}\n", (unsigned long long)ids->dropped_bytes);
}

/* A template of plain ChatML, rendered by the same engine. Content may be a list of parts. */
static const char chatml[] =
	"{% for m in messages %}<|im_start|>{{ m.role }}\n"
	"{% if m.content is string %}{{ m.content }}{% elif m.content %}"
	"{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|im_end|>\n"
	"{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

static enum mote_status chatml_ids(struct tool *t, const struct mote_chat_request *request, struct mote_ids *ids)
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

static enum mote_status print_edits_json(struct tool *t, const struct mote_edit *edits, size_t count, size_t differences)
{
	static const char *const names[] = {"same", "chatml", "model"};

	printf("{\"differences\":%zu,\"tokens\":[", differences);
	for (size_t i = 0; i < count; i++) {
		char *text;
		size_t bytes;
		enum mote_status status = mote_tokenizer_decode(t->tokenizer, &edits[i].id, 1, false, &text, &bytes, &t->error);

		if (status)
			return status;
		printf("%s{\"in\":\"%s\",\"id\":%d,\"text\":", i ? "," : "", names[edits[i].kind], (int)edits[i].id);
		print_json_text(text, bytes);
		putchar('}');
		free(text);
	}
	puts("]}");
	return MOTE_OK;
}

static enum mote_status diff_chatml(struct tool *t, const struct mote_chat_request *request,
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
			status = print_token(t, leads[edits[i].kind], edits[i].id);
		printf("%zu of %zu tokens differ\n", differences, count);
	}
	free(edits);
	mote_ids_free(&plain);
	return status;
}

static enum mote_status messages(struct tool *t)
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

/* ---- command line */

static enum mote_status open_model(struct tool *t)
{
	enum mote_status status = mote_container_open(t->options.model, &t->container, &t->error);
	const void *section;
	double started;
	size_t bytes;

	if (status) {
		mote_console_hint_model(t->options.model, &t->error);
		return status;
	}
	section = mote_container_section(t->container, MOTE_SECTION_TOKENIZER, &bytes);
	if (!section)
		return mote_error_set(&t->error, MOTE_ERROR_UNSUPPORTED, "%s: has no tokenizer", t->options.model);
	started = mote_console_seconds();
	status = mote_tokenizer_open(section, bytes, &t->tokenizer, &t->error);
	t->open_seconds = mote_console_seconds() - started;
	if (status)
		mote_error_prefix(&t->error, "%s", t->options.model);
	return status;
}

static enum mote_status work(struct tool *t)
{
	enum mote_status status = open_model(t);
	char *input = NULL;
	size_t bytes;

	if (status == MOTE_OK && t->options.messages) {
		status = messages(t);
	} else if (status == MOTE_OK) {
		status = read_input(t, &input, &bytes);
		if (status == MOTE_OK)
			status = t->options.decode ? decode(t, input, bytes) : encode(t, input, bytes);
	}
	free(input);
	return status ? status : mote_console_flush(&t->error);
}

#define AT(field) .at = offsetof(struct options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "MODEL.mote", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "[-]", AT(dash)},
	{MOTE_OPTION_TEXT, "f", "file", "FILE", "text from a file (- for standard input)", AT(file)},
	{MOTE_OPTION_TEXT, "p", "prompt", "TEXT", "text from the command line", AT(prompt)},
	{MOTE_OPTION_FLAG, NULL, "add-special", NULL, "with the tokens that the tokenizer puts around a text (bos, eos)",
	 AT(add_special)},
	{MOTE_OPTION_FLAG, NULL, "plain", NULL, "text like \"<|im_end|>\" is ordinary text, not a control token", AT(plain)},
	{MOTE_OPTION_FLAG, NULL, "no-cache", NULL, "encode every word anew: the same ids, more slowly", AT(no_cache)},
	{MOTE_OPTION_FLAG, NULL, "time", NULL, "print to standard error how long opening and encoding took", AT(time)},
	{MOTE_OPTION_FLAG, NULL, "show", NULL, "one line for each token: its id and its text", AT(show)},
	{MOTE_OPTION_FLAG, NULL, "decode", NULL, "the input is ids, as a JSON list or separated by spaces; print their text",
	 AT(decode)},
	{MOTE_OPTION_FLAG, NULL, "skip-special", NULL, "with --decode: leave special tokens out", AT(skip_special)},

	{MOTE_OPTION_HEADING, .help = "Messages"},
	{MOTE_OPTION_TEXT, NULL, "messages", "FILE.json", "render the model's chat template with these messages (a list, or an "
	 "object with \"messages\" and further variables), print the text, which parts of it are messages, and the ids: text "
	 "of messages never becomes a control token", AT(messages)},
	{MOTE_OPTION_TEXT, NULL, "tools", "FILE.json", "with --messages: a list of tools", AT(tools)},
	{MOTE_OPTION_TEXT, NULL, "template-context", "FILE.json", "with --messages: an object of further variables; they override "
	 "all others", AT(context)},
	{MOTE_OPTION_FLAG, NULL, "no-generation-prompt", NULL, "with --messages: do not ask for an answer",
	 AT(no_generation_prompt)},
	{MOTE_OPTION_TEXT, NULL, "diff", "chatml", "with --messages: compare the ids with those of plain ChatML, token by token",
	 AT(diff), .choices = "chatml"},

	{MOTE_OPTION_HEADING, .help = "Output"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print one JSON object", AT(json)},
};

static const struct mote_tool program = {"mote-tokenize", about, epilog, options, sizeof options / sizeof *options};

/* Negative: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int code = mote_options_parse(&program, argc, argv, o);

	if (code >= 0)
		return code;
	if (o->dash && (strcmp(o->dash, "-") != 0 || o->file || o->prompt))
		return mote_options_refuse(&program, "unexpected argument: %s", o->dash);
	if (!!o->file + !!o->prompt + !!o->messages > 1)
		return mote_options_refuse(&program, "only one of -f, -p and --messages can be the input");
	if (!o->messages && (o->tools || o->context || o->diff || o->no_generation_prompt))
		return mote_options_refuse(&program, "--tools, --template-context, --no-generation-prompt and --diff need "
					   "--messages");
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {0};
	int code = parse_options(argc, argv, &t.options);

	if (code >= 0)
		return code;
	code = work(&t) ? mote_console_fail(program.name, &t.error) : 0;
	mote_tokenizer_close(t.tokenizer);
	mote_container_close(t.container);
	return code;
}
