/* Parsing of command lines: see options.h. */
#include "format/tool/options.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/tool/console.h"
#include "format/tool/options_value.h"
#include "format/word_list.h"

enum { MAX_NAME = 40 };

/* One command line on its way. */
struct line {
	const struct mote_tool *tool;
	char **argv;
	int argc, next;  /* the argument to look at next */
	int operands;    /* so many have been moved to argv[1] and on */
	void *values;
	int exit_code;   /* negative: go on */
};

const struct mote_option mote_options_common[3] = {
	{.kind = MOTE_OPTION_FLAG, .brief = "h", .names = "help", .help = "print this text"},
	{.kind = MOTE_OPTION_FLAG, .names = "version", .help = "print the version"},
	{.kind = MOTE_OPTION_TEXT, .names = "completion", .argument = "SHELL", .choices = "bash zsh",
	 .help = "print the completion of this tool's options for bash or zsh"},
};

int mote_options_refuse(const struct mote_tool *tool, const char *format, ...)
{
	struct mote_error error = {.code = MOTE_ERROR_ARGUMENT};
	va_list list;

	va_start(list, format);
	vsnprintf(error.message, sizeof error.message, format, list);
	va_end(list);
	mote_console_fail(tool->name, &error);
	fprintf(stderr, "Try '%s --help'.\n", tool->name);
	return 2;
}

/* ---- finding options ---- */

static size_t count_options(const struct mote_tool *tool)
{
	return tool->count + sizeof mote_options_common / sizeof *mote_options_common;
}

static const struct mote_option *option_at(const struct mote_tool *tool, size_t i)
{
	return i < tool->count ? tool->options + i : mote_options_common + (i - tool->count);
}

/* Edits that make b of a, by Levenshtein; names of at most MAX_NAME. */
static size_t distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t row[MAX_NAME + 1];

	if (a_bytes > MAX_NAME || b_bytes > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= b_bytes; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		size_t corner = row[0]; /* row[j - 1] of the line above */

		row[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[b_bytes];
}

/* The option of this name; with beginnings also the only one whose names begin so. NULL: none, or *several. */
static const struct mote_option *find_name(const struct mote_tool *tool, const char *name, size_t bytes,
					   bool beginnings, bool *several)
{
	const struct mote_option *found = NULL;

	*several = false;
	for (size_t i = 0; i < count_options(tool); i++) {
		const struct mote_option *o = option_at(tool, i);

		if (mote_words_have_bytes(o->names, name, bytes) ||
		    (o->brief && strlen(o->brief) > 1 && mote_words_have_bytes(o->brief, name, bytes)))
			return o;
	}
	for (size_t i = 0; beginnings && bytes > 0 && i < count_options(tool); i++) {
		const struct mote_option *o = option_at(tool, i);

		for (const char *at = o->names; at && *at; at += strspn(at, " ")) {
			if (!strncmp(at, name, bytes)) {
				*several |= found && found != o;
				found = o;
			}
			at += strcspn(at, " ");
		}
	}
	return *several ? NULL : found;
}

/* llama.cpp's options that no tool has, and what to do about them. */
static const char *foreign_advice(const char *name, size_t bytes)
{
	static const char *const known[][2] = {
		{"ngl gpu-layers n-gpu-layers dev device sm split-mode ts tensor-split mg main-gpu",
		 "nothing runs on a GPU: leave it out"},
		{"fa flash-attn b batch-size ub ubatch-size mlock numa prio poll",
		 "mote sees to that itself: leave it out"},
		{"jinja", "every chat template is read as Jinja: leave it out"},
		{"color no-display-prompt simple-io", "leave it out"},
		{"i interactive cnv conversation", "without a prompt mote-run is a chat"},
		{"no-cnv no-conversation", "mote-run --raw goes on with a text"},
		{"hf hfr hf-repo hf-file mu model-url", "nothing is fetched: give a file"},
		{"lora", "mote-convert --lora merges an adapter"},
		{"imatrix", "mote-quantize --calibrate takes a text"},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (mote_words_have_bytes(known[i][0], name, bytes))
			return known[i][1];
	return NULL;
}

static int refuse_name(const struct mote_tool *tool, const char *given, size_t bytes, bool several)
{
	const char *name = given + strspn(given, "-"), *nearest = NULL;
	size_t length = bytes - (size_t)(name - given), best = 1 + (length + 2) / 3, nearest_bytes = 0;

	if (foreign_advice(name, length))
		return mote_options_refuse(tool, "%.*s: no such option; %s", (int)bytes, given,
					   foreign_advice(name, length));
	if (several)
		return mote_options_refuse(tool, "%.*s: more than one option begins so", (int)bytes, given);
	for (size_t i = 0; i < count_options(tool); i++) {
		const struct mote_option *o = option_at(tool, i);

		for (const char *at = o->help ? o->names : NULL; at && *at; at += strspn(at, " ")) {
			size_t word = strcspn(at, " "), far = distance(name, length, at, word);

			if (far < best) {
				best = far;
				nearest = at;
				nearest_bytes = word;
			}
			at += word;
		}
	}
	if (nearest)
		return mote_options_refuse(tool, "%.*s: no such option; the nearest is --%.*s", (int)bytes, given,
					   (int)nearest_bytes, nearest);
	return mote_options_refuse(tool, "%.*s: no such option", (int)bytes, given);
}

/* ---- the line ---- */

static int answer_common(const struct mote_tool *tool, const struct mote_option *o, const char *text)
{
	struct mote_error error = {0};

	if (o == &mote_options_common[0])
		mote_options_print_help(tool);
	else if (o == &mote_options_common[1])
		printf("%s %s\n", tool->name, MOTE_VERSION);
	else if (!mote_options_print_completion(tool, text))
		return mote_options_refuse(tool, "--completion %s: expected bash or zsh", text);
	return mote_console_flush(&error) ? mote_console_fail(tool->name, &error) : 0;
}

/* One option, spelled as given; text is NULL where none came with it. */
static void take_option(struct line *l, const struct mote_option *o, const char *given, size_t bytes, const char *text)
{
	struct mote_error error = {0};
	enum mote_status status;

	if (!o->argument && text) {
		l->exit_code = mote_options_refuse(l->tool, "%.*s takes no value", (int)bytes, given);
		return;
	}
	if (o->argument && !text && o->missing)
		text = o->missing;
	else if (o->argument && !text && l->next < l->argc)
		text = l->argv[l->next++];
	if (o->argument && !text)
		l->exit_code = mote_options_refuse(l->tool, "%.*s: %s is missing", (int)bytes, given, o->argument);
	else if (o >= mote_options_common && o < mote_options_common + 3)
		l->exit_code = answer_common(l->tool, o, text);
	else if ((status = mote_option_set(o, text, (char *)l->values + o->at, &error))) {
		if (status != MOTE_ERROR_ARGUMENT)
			l->exit_code = mote_console_fail(l->tool->name, &error);
		else if (text == given + bytes && isalpha((unsigned char)*text)) /* "-nx" */
			l->exit_code = mote_options_refuse(l->tool, "%s: no such option, nor %.*s with a value: %s",
							   given, (int)bytes, given, error.message);
		else
			l->exit_code = mote_options_refuse(l->tool, "%.*s%s%s: %s", (int)bytes, given, text ? " " : "",
							   text ? text : "", error.message);
	}
}

/* "-x", "-xVALUE", "-xyz" */
static void take_letters(struct line *l, const char *argument)
{
	for (const char *letter = argument + 1; *letter && l->exit_code < 0; letter++) {
		const struct mote_option *o = NULL;
		const char spelled[] = {'-', *letter, 0};

		for (size_t i = 0; !o && i < count_options(l->tool); i++) {
			const char *brief = option_at(l->tool, i)->brief;

			o = brief && brief[0] == *letter && !brief[1] ? option_at(l->tool, i) : NULL;
		}
		if (!o) {
			l->exit_code = refuse_name(l->tool, argument, strcspn(argument, "="), false);
		} else if (o->argument && letter[1]) {
			take_option(l, o, letter == argument + 1 ? argument : spelled, 2, letter + 1);
			return;
		} else {
			take_option(l, o, spelled, 2, NULL);
		}
	}
}

static void take_argument(struct line *l, const char *argument)
{
	bool two = argument[1] == '-', several;
	const char *name = argument + 1 + two;
	size_t bytes = strcspn(name, "=");
	const struct mote_option *o = bytes > 1 || two ? find_name(l->tool, name, bytes, two, &several) : NULL;

	if (!o && bytes > 1 && foreign_advice(name, bytes))
		l->exit_code = refuse_name(l->tool, argument, (size_t)(name - argument) + bytes, false);
	else if (o)
		take_option(l, o, argument, (size_t)(name - argument) + bytes, name[bytes] ? name + bytes + 1 : NULL);
	else if (two)
		l->exit_code = refuse_name(l->tool, argument, 2 + bytes, several);
	else
		take_letters(l, argument);
}

static void take_operands(struct line *l)
{
	int at = 1;

	for (size_t i = 0; i < l->tool->count && l->exit_code < 0; i++) {
		const struct mote_option *o = l->tool->options + i;
		char *place = (char *)l->values + o->at;

		if (o->kind == MOTE_OPTION_OPERANDS) {
			*(struct mote_option_operands *)(void *)place =
				(struct mote_option_operands){l->argv + at, (uint32_t)(l->operands + 1 - at)};
			at = l->operands + 1;
		} else if (o->kind == MOTE_OPTION_OPERAND && !*(const char **)(void *)place) {
			if (at <= l->operands)
				*(const char **)(void *)place = l->argv[at++];
			else if (o->argument[0] != '[')
				l->exit_code = mote_options_refuse(l->tool, "%s is missing", o->argument);
		}
	}
	if (l->exit_code < 0 && at <= l->operands)
		l->exit_code = mote_options_refuse(l->tool, "unexpected argument: %s", l->argv[at]);
}

int mote_options_parse(const struct mote_tool *tool, int argc, char **argv, void *values)
{
	struct line l = {.tool = tool, .argv = argv, .argc = argc, .next = 1, .values = values, .exit_code = -1};
	bool ended = false;

	while (l.next < argc && l.exit_code < 0) {
		char *argument = argv[l.next++];

		if (ended || argument[0] != '-' || !argument[1])
			argv[++l.operands] = argument; /* never beyond what was read */
		else if (!strcmp(argument, "--"))
			ended = true;
		else
			take_argument(&l, argument);
	}
	if (l.exit_code < 0)
		take_operands(&l);
	return l.exit_code;
}
