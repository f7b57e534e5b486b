/* mote-tokenize: text to token ids and back, and what a chat template makes of messages. */
#include <stdlib.h>
#include <string.h>

#include "format/clock.h"
#include "format/tool/console.h"
#include "format/tool/options.h"
#include "runtime/tokenize.h"

static const char about[] =
	"Usage: mote-tokenize [OPTION]... MODEL.mote [-]\n"
	"Turns text into the token ids which the model's own tokenizer gives, or ids into text. Without -f and -p\n"
	"the input is standard input; it is taken as it is, with its last newline if it has one.\n";

static const char epilog[] =
	"Bytes which the vocabulary cannot express and the tokenizer drops are counted (dropped_bytes).\n"
	"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 corrupt or refused input.\n";

/* ---- output; a text may hold any character, U+0000 too, which a cJSON string could not */

void mote_tokenize_print_json_text(const char *text, size_t bytes)
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
void mote_tokenize_print_ids(const struct mote_ids *ids, char between)
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

enum mote_status mote_tokenize_print_token(struct tokenize *t, const char *lead, int32_t id)
{
	char *text;
	size_t bytes;
	enum mote_status status = mote_tokenizer_decode_within(t->tokenizer, &id, 1, &text, &bytes, &t->error);

	if (status)
		return status;
	printf("%s%7d  ", lead, (int)id);
	mote_tokenize_print_json_text(text, bytes);
	putchar('\n');
	free(text);
	return MOTE_OK;
}

void mote_tokenize_warn_dropped(const struct mote_ids *ids)
{
	if (ids->dropped_bytes)
		fprintf(stderr,
			"mote-tokenize: warning: %llu bytes have no token in this vocabulary and were dropped\n",
			(unsigned long long)ids->dropped_bytes);
}

/* ---- text to ids, ids to text */

static enum mote_status read_input(struct tokenize *t, char **data, size_t *bytes)
{
	const struct tokenize_options *o = &t->options;

	if (o->prompt) {
		*data = strdup(o->prompt);
		*bytes = strlen(o->prompt);
		return *data ? MOTE_OK : mote_error_set(&t->error, MOTE_ERROR_MEMORY, "out of memory");
	}
	return mote_console_read_file(o->file ? o->file : "-", MOST_INPUT, data, bytes, &t->error);
}

static enum mote_status encode(struct tokenize *t, const char *text, size_t bytes)
{
	const struct tokenize_options *o = &t->options;
	unsigned flags = (o->plain ? MOTE_ENCODE_PLAIN : 0) | (o->add_special ? MOTE_ENCODE_ADD_SPECIAL : 0) |
			 (o->no_cache ? MOTE_ENCODE_NO_CACHE : 0);
	struct mote_ids ids = {0};
	double started = mote_clock_seconds(), seconds;
	enum mote_status status = mote_tokenizer_encode(t->tokenizer, text, bytes, flags, &ids, &t->error);

	seconds = mote_clock_seconds() - started;
	if (o->time)
		fprintf(stderr, "opened in %.2f ms; %zu bytes to %zu ids in %.2f ms, %.1f MB/s\n",
			1e3 * t->open_seconds, bytes, ids.count, 1e3 * seconds, (double)bytes / 1e6 / seconds);
	if (status == MOTE_OK && o->json) {
		fputs("{\"ids\":[", stdout);
		mote_tokenize_print_ids(&ids, ',');
		printf("],\"dropped_bytes\":%llu}\n", (unsigned long long)ids.dropped_bytes);
	} else if (status == MOTE_OK) {
		if (o->show)
			for (size_t i = 0; i < ids.count && status == MOTE_OK; i++)
				status = mote_tokenize_print_token(t, "", ids.id[i]);
		else
			mote_tokenize_print_ids(&ids, ' ');
		if (!o->show)
			putchar('\n');
		mote_tokenize_warn_dropped(&ids);
	}
	mote_ids_free(&ids);
	return status;
}

/* "[1, 2]", or "1 2", or "1,2": digits, and between them nothing but blanks, commas and brackets. */
static enum mote_status parse_ids(struct tokenize *t, const char *text, size_t bytes, int32_t **ids, size_t *count)
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

static enum mote_status decode(struct tokenize *t, const char *input, size_t input_bytes)
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
		mote_tokenize_print_json_text(text, bytes);
		fputs("}\n", stdout);
	} else if (status == MOTE_OK) {
		mote_console_put_data(text, bytes);
	}
	free(text);
	free(ids);
	return status;
}

/* ---- command line */

static enum mote_status open_model(struct tokenize *t)
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
	started = mote_clock_seconds();
	status = mote_tokenizer_open(section, bytes, &t->tokenizer, &t->error);
	t->open_seconds = mote_clock_seconds() - started;
	if (status)
		mote_error_prefix(&t->error, "%s", t->options.model);
	return status;
}

static enum mote_status work(struct tokenize *t)
{
	enum mote_status status = open_model(t);
	char *input = NULL;
	size_t bytes;

	if (status == MOTE_OK && t->options.messages) {
		status = mote_tokenize_messages(t);
	} else if (status == MOTE_OK) {
		status = read_input(t, &input, &bytes);
		if (status == MOTE_OK)
			status = t->options.decode ? decode(t, input, bytes) : encode(t, input, bytes);
	}
	free(input);
	return status ? status : mote_console_flush(&t->error);
}

#define AT(field) .at = offsetof(struct tokenize_options, field)

static const struct mote_option options[] = {
	{MOTE_OPTION_TEXT, "m", "model", "FILE", "the model (-m may be left out)", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "MODEL.mote", AT(model)},
	{MOTE_OPTION_OPERAND, .argument = "[-]", AT(dash)},
	{MOTE_OPTION_TEXT, "f", "file", "FILE", "text from a file (- for standard input)", AT(file)},
	{MOTE_OPTION_TEXT, "p", "prompt", "TEXT", "text from the command line", AT(prompt)},
	{MOTE_OPTION_FLAG, NULL, "add-special", NULL, "with the tokens that the tokenizer puts around a text "
	 "(bos, eos)", AT(add_special)},
	{MOTE_OPTION_FLAG, NULL, "plain", NULL, "text like \"<|im_end|>\" is ordinary text, not a control token",
	 AT(plain)},
	{MOTE_OPTION_FLAG, NULL, "no-cache", NULL, "encode every word anew: the same ids, more slowly", AT(no_cache)},
	{MOTE_OPTION_FLAG, NULL, "time", NULL, "print to standard error how long opening and encoding took", AT(time)},
	{MOTE_OPTION_FLAG, NULL, "show", NULL, "one line for each token: its id and its text", AT(show)},
	{MOTE_OPTION_FLAG, NULL, "decode", NULL, "the input is ids, as a JSON list or separated by spaces; print "
	 "their text", AT(decode)},
	{MOTE_OPTION_FLAG, NULL, "skip-special", NULL, "with --decode: leave special tokens out", AT(skip_special)},

	{MOTE_OPTION_HEADING, .help = "Messages"},
	{MOTE_OPTION_TEXT, NULL, "messages", "FILE.json", "render the model's chat template with these messages (a "
	 "list, or an object with \"messages\" and further variables), print the text, which parts of it are messages, "
	 "and the ids: text of messages never becomes a control token", AT(messages)},
	{MOTE_OPTION_TEXT, NULL, "tools", "FILE.json", "with --messages: a list of tools", AT(tools)},
	{MOTE_OPTION_TEXT, NULL, "template-context", "FILE.json", "with --messages: an object of further variables; "
	 "they override all others", AT(context)},
	{MOTE_OPTION_FLAG, NULL, "no-generation-prompt", NULL, "with --messages: do not ask for an answer",
	 AT(no_generation_prompt)},
	{MOTE_OPTION_TEXT, NULL, "diff", "chatml", "with --messages: compare the ids with those of plain ChatML, token "
	 "by token", AT(diff), .choices = "chatml"},

	{MOTE_OPTION_HEADING, .help = "Output"},
	{MOTE_OPTION_FLAG, NULL, "json", NULL, "print one JSON object", AT(json)},
};

static const struct mote_tool program = {"mote-tokenize", about, epilog, options, sizeof options / sizeof *options};

/* Negative: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct tokenize_options *o)
{
	int code = mote_options_parse(&program, argc, argv, o);

	if (code >= 0)
		return code;
	if (o->dash && (strcmp(o->dash, "-") != 0 || o->file || o->prompt))
		return mote_options_refuse(&program, "unexpected argument: %s", o->dash);
	if (!!o->file + !!o->prompt + !!o->messages > 1)
		return mote_options_refuse(&program, "only one of -f, -p and --messages can be the input");
	if (!o->messages && (o->tools || o->context || o->diff || o->no_generation_prompt))
		return mote_options_refuse(&program, "--tools, --template-context, --no-generation-prompt and "
					   "--diff need --messages");
	if (o->skip_special && !o->decode)
		return mote_options_refuse(&program, "--skip-special needs --decode");
	if (o->decode && o->messages)
		return mote_options_refuse(&program, "--decode and --messages exclude each other");
	if ((o->decode || o->messages) && (o->add_special || o->plain || o->no_cache || o->time || o->show))
		return mote_options_refuse(&program, "--add-special, --plain, --no-cache, --time and --show are of "
					   "text, and go with neither --decode nor --messages");
	if (o->json && o->show)
		return mote_options_refuse(&program, "--show and --json exclude each other");
	return -1;
}

int main(int argc, char **argv)
{
	struct tokenize t = {0};
	int code = parse_options(argc, argv, &t.options);

	if (code >= 0)
		return code;
	code = work(&t) ? mote_console_fail(program.name, &t.error) : 0;
	mote_tokenizer_close(t.tokenizer);
	mote_container_close(t.container);
	return code;
}
