/* The tools' command lines: one table a tool, from which come parsing, --help, --version, shell completion and the one
 * way to refuse wrong usage. Linked into the tools, never into the library; prints, and keeps nothing.
 *
 * Understood are --name VALUE, --name=VALUE, unambiguous beginnings of names, -x VALUE, -xVALUE, letters of flags
 * together (-qf), llama.cpp's names behind one dash (-ctk q8), and -- before operands that begin with a dash. Options
 * and operands may come in any order. Of an option that is given twice the last one counts.
 */
#ifndef MOTE_FORMAT_TOOL_OPTIONS_H
#define MOTE_FORMAT_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

/* What -t takes in every tool, and --seed: larger ones would not survive JSON, whose numbers are doubles. */
#define MOTE_OPTION_MAX_THREADS 256
#define MOTE_OPTION_MAX_SEED 9007199254740992.0 /* 2^53 */

enum { MOTE_OPTION_MAX_COUNTS = 16 };

/* What a row is, and what lies at its offset .at in the tool's struct. */
enum mote_option_kind {
	MOTE_OPTION_HEADING,  /* nothing: .help is a heading of --help */
	MOTE_OPTION_FLAG,     /* bool, becomes true */
	MOTE_OPTION_CLEAR,    /* bool, becomes false */
	MOTE_OPTION_TEXT,     /* const char *, borrowed from argv; with .choices one of them */
	MOTE_OPTION_COUNT,    /* uint32_t from .min to .max; with .minus_one -1 is understood and becomes 0 */
	MOTE_OPTION_COUNTS,   /* struct mote_option_counts, each from .min to .max */
	MOTE_OPTION_FLOAT,    /* float from .min to .max */
	MOTE_OPTION_DOUBLE,   /* double from .min to .max; .max 0: any positive number */
	MOTE_OPTION_SIZE,     /* uint64_t bytes: 80MB, 1.5GiB, 500000 */
	MOTE_OPTION_SEED,     /* struct mote_option_seed, 0 to 2^53; -1 draws one */
	MOTE_OPTION_TAKE,     /* .take decides */
	MOTE_OPTION_OPERAND,  /* const char *: the next argument that is no option, unless an option has filled it;
			       * may be missing where .argument begins with '[' */
	MOTE_OPTION_OPERANDS  /* struct mote_option_operands: all that are left */
};

struct mote_option_counts {
	uint32_t value[MOTE_OPTION_MAX_COUNTS], count;
};

struct mote_option_seed {
	uint64_t value;
	bool given;
};

struct mote_option_operands {
	char *const *value;
	uint32_t count;
};

struct mote_option {
	enum mote_option_kind kind;
	const char *brief;    /* behind one dash: "p", "ctk"; or NULL */
	const char *names;    /* behind two, blanks between: the first is shown, the others are understood */
	const char *argument; /* its argument's name, NULL for flags */
	const char *help;     /* one paragraph; NULL hides the option */
	size_t at;
	double min, max;
	const char *choices;  /* words with blanks between: for TEXT, for completion, and for TAKE's message */
	const char *missing;  /* the argument may be left out, and is this then; else it comes behind '=' */
	bool minus_one;
	/* Takes text (NULL for a flag) to *at. MOTE_ERROR_ARGUMENT with an error left alone says: none of .choices. The
	 * option and the text are put before a message. */
	enum mote_status (*take)(void *at, const char *text, struct mote_error *error);
};

struct mote_tool {
	const char *name;     /* "mote-run" */
	const char *about;    /* --help before the options: usage and what the tool does */
	const char *epilog;   /* and behind them: exit codes; or NULL */
	const struct mote_option *options; /* --help, --version and --completion are not among them */
	size_t count;
};

/* Reads the command line into *values, which holds the defaults. Negative: go on. Else everything is said, help or
 * what was wrong, and this is the exit code. argv is reordered. */
int mote_options_parse(const struct mote_tool *tool, int argc, char **argv, void *values);

/* "mote-x: MESSAGE", how to get help, and exit code 2. */
int mote_options_refuse(const struct mote_tool *tool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* For mote_options_parse(): --help and --completion, to standard output. False: no such shell. */
void mote_options_print_help(const struct mote_tool *tool);
bool mote_options_print_completion(const struct mote_tool *tool, const char *shell);
/* The options that every tool has: "help", "version", "completion". */
extern const struct mote_option mote_options_common[3];

#endif
