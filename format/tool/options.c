/* Parsing of command lines: see options.h. */
#include "format/tool/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/portable.h"
#include "format/tool/console.h"

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

/* ---- values ---- */

static enum mote_status read_number(const struct mote_option *o, const char *text, double *value,
				    struct mote_error *error)
{
	char *end;
	bool positive = o->kind == MOTE_OPTION_DOUBLE && o->max == 0;

	*value = strtod(text, &end);
	if (end != text && !*end && (positive ? *value > 0 && *value < 1e300 : *value >= o->min && *value <= o->max))
		return MOTE_OK;
	if (positive)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a positive number");
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a number from %g to %g", o->min, o->max);
}

/* An integer at text, which ends where *end says. */
static bool read_integer(const struct mote_option *o, const char *text, const char **end, uint64_t *value)
{
	char *behind;

	errno = 0;
	*value = *text >= '0' && *text <= '9' ? strtoull(text, &behind, 10) : 0;
	*end = *text >= '0' && *text <= '9' ? behind : text;
	return *end != text && !errno && *value >= (uint64_t)o->min && *value <= (uint64_t)o->max;
}

static enum mote_status read_count(const struct mote_option *o, const char *text, uint64_t *value,
				   struct mote_error *error)
{
	const char *end;

	if (read_integer(o, text, &end, value) && !*end)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected an integer from %.0f to %.0f", o->min, o->max);
}

static enum mote_status read_counts(const struct mote_option *o, const char *text, struct mote_option_counts *counts,
				    struct mote_error *error)
{
	*counts = (struct mote_option_counts){0};
	for (const char *end;; text = end + 1) {
		uint64_t value;

		if (counts->count == MOTE_OPTION_MAX_COUNTS || !read_integer(o, text, &end, &value) ||
		    (*end && *end != ','))
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "expected up to %d integers from %.0f to %.0f with commas between",
					      MOTE_OPTION_MAX_COUNTS, o->min, o->max);
		counts->value[counts->count++] = (uint32_t)value;
		if (!*end)
			return MOTE_OK;
	}
}

/* "80MB", "1.5GiB", "500000". */
static enum mote_status read_size(const char *text, uint64_t *bytes, struct mote_error *error)
{
	static const char letters[] = "kMGT";
	const char *letter;
	char *end;
	double x = strtod(text, &end), unit = 1;

	if (end != text && *end && (letter = strchr(letters, *end == 'K' ? 'k' : *end)) != NULL) {
		double step = end[1] == 'i' ? 1024 : 1000;

		for (long i = letter - letters; i >= 0; i--)
			unit *= step;
		end += end[1] == 'i' ? 2 : 1;
	}
	end += end != text && *end == 'B';
	if (end == text || *end || !(x > 0) || x * unit > 1e15)
		return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected a size such as 80MB or 76MiB");
	*bytes = (uint64_t)(x * unit);
	return MOTE_OK;
}

/* -1 draws a seed, short enough to be typed again. */
static enum mote_status read_seed(const char *text, struct mote_option_seed *seed, struct mote_error *error)
{
	const struct mote_option range = {.max = MOTE_OPTION_MAX_SEED};
	const char *end;
	uint32_t drawn;

	seed->given = true;
	if (!strcmp(text, "-1")) {
		if (!mote_portable_random(&drawn, sizeof drawn))
			return mote_error_set(error, MOTE_ERROR_IO, "no random number: %s", strerror(errno));
		seed->value = drawn;
		return MOTE_OK;
	}
	if (read_integer(&range, text, &end, &seed->value) && !*end)
		return MOTE_OK;
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected an integer from 0 to %.0f, or -1 for a random one",
			      MOTE_OPTION_MAX_SEED);
}

/* Whether one of the words between blanks is this one. */
static bool has_word(const char *words, const char *word, size_t bytes)
{
	for (const char *at = words; at && *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (length == bytes && !memcmp(at, word, bytes))
			return true;
		at += length;
	}
	return false;
}

/* "expected f16, q8 or f32" */
static enum mote_status none_of(const char *choices, struct mote_error *error)
{
	char text[200] = "";
	size_t used = 0;

	for (const char *at = choices; *at; at += strspn(at, " ")) {
		int length = (int)strcspn(at, " ");
		bool last = !at[length];

		used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", used == 0 ? "" : last ? " or " :
					 ", ", length, at);
		if (used >= sizeof text)
			break;
		at += length;
	}
	return mote_error_set(error, MOTE_ERROR_ARGUMENT, "expected %s", text);
}

static enum mote_status set_value(const struct mote_option *o, const char *text, void *at, struct mote_error *error)
{
	enum mote_status status = MOTE_OK;
	uint64_t count = 0;
	double number = 0;

	switch (o->kind) {
	case MOTE_OPTION_FLAG: *(bool *)at = true; break;
	case MOTE_OPTION_CLEAR: *(bool *)at = false; break;
	case MOTE_OPTION_TEXT:
		*(const char **)at = text;
		return !o->choices || has_word(o->choices, text, strlen(text)) ? MOTE_OK : none_of(o->choices, error);
	case MOTE_OPTION_COUNT:
		if (!o->minus_one || strcmp(text, "-1") != 0)
			status = read_count(o, text, &count, error);
		*(uint32_t *)at = (uint32_t)count;
		break;
	case MOTE_OPTION_COUNTS: return read_counts(o, text, at, error);
	case MOTE_OPTION_FLOAT:
		status = read_number(o, text, &number, error);
		*(float *)at = (float)number;
		break;
	case MOTE_OPTION_DOUBLE: return read_number(o, text, at, error);
	case MOTE_OPTION_SIZE: return read_size(text, at, error);
	case MOTE_OPTION_SEED: return read_seed(text, at, error);
	case MOTE_OPTION_TAKE:
		status = o->take(at, text, error);
		return status && !error->code && o->choices ? none_of(o->choices, error) : status;
	case MOTE_OPTION_HEADING:
	case MOTE_OPTION_OPERAND:
	case MOTE_OPTION_OPERANDS: break;
	}
	return status;
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

		if (has_word(o->names, name, bytes) ||
		    (o->brief && strlen(o->brief) > 1 && has_word(o->brief, name, bytes)))
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

static int refuse_name(const struct mote_tool *tool, const char *given, size_t bytes, bool several)
{
	const char *name = given + strspn(given, "-"), *nearest = NULL;
	size_t length = bytes - (size_t)(name - given), best = 1 + (length + 2) / 3, nearest_bytes = 0;

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
	else if ((status = set_value(o, text, (char *)l->values + o->at, &error))) {
		if (status != MOTE_ERROR_ARGUMENT)
			l->exit_code = mote_console_fail(l->tool->name, &error);
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
			take_option(l, o, spelled, 2, letter + 1);
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

	if (o)
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
