/* What a table of options prints about itself: help, and completion for shells. */
#include "format/tool/options.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 26, HELP_WIDTH = 100 };

/* Columns that UTF-8 text takes, one a character. */
static int columns(const char *text, size_t bytes)
{
	int n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* Words of a paragraph, broken between them; the cursor is in HELP_COLUMN. */
static void print_paragraph(const char *text)
{
	int at = HELP_COLUMN;

	while (*text) {
		size_t word = strcspn(text, " ");
		int wide = columns(text, word);

		if (at > HELP_COLUMN && at + 1 + wide > HELP_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		} else if (at > HELP_COLUMN) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)word, text);
		at += wide;
		text += word + strspn(text + word, " ");
	}
	putchar('\n');
}

static void print_option(const struct mote_option *o)
{
	char left[120];
	int used = 0, name = (int)strcspn(o->names, " ");

	if (o->brief)
		used = snprintf(left, sizeof left, "  -%s, --%.*s", o->brief, name, o->names);
	else
		used = snprintf(left, sizeof left, "      --%.*s", name, o->names);
	if (o->argument && used < (int)sizeof left)
		used += snprintf(left + used, sizeof left - (size_t)used, o->missing ? "[=%s]" : " %s", o->argument);
	fputs(left, stdout);
	if (used + 2 > HELP_COLUMN)
		printf("\n%*s", HELP_COLUMN, "");
	else
		printf("%*s", HELP_COLUMN - used, "");
	print_paragraph(o->help);
}

static bool is_shown(const struct mote_option *o)
{
	return o->names && o->help;
}

void mote_options_print_help(const struct mote_tool *tool)
{
	bool below = false; /* an option */

	fputs(tool->about, stdout);
	putchar('\n');
	for (size_t i = 0; i < tool->count; i++) {
		if (tool->options[i].kind == MOTE_OPTION_HEADING)
			printf("%s%s\n", below ? "\n" : "", tool->options[i].help);
		else if (is_shown(tool->options + i))
			print_option(tool->options + i);
		below |= is_shown(tool->options + i);
	}
	putchar('\n');
	for (size_t i = 0; i < sizeof mote_options_common / sizeof *mote_options_common; i++)
		print_option(mote_options_common + i);
	if (tool->epilog)
		printf("\n%s", tool->epilog);
}

/* ---- completion ---- */

/* Arguments that name a file or a folder say so. */
static bool names_file(const struct mote_option *o)
{
	static const char *const words[] = {"FILE", "DIR", "FOLDER", "PART", ".mote"};

	for (size_t i = 0; o->argument && i < sizeof words / sizeof *words; i++)
		if (strstr(o->argument, words[i]))
			return true;
	return false;
}

/* "-p|--prompt" */
static void print_alternatives(const struct mote_option *o)
{
	if (o->brief)
		printf("-%s|", o->brief);
	for (const char *at = o->names; *at; at += strspn(at, " ")) {
		int length = (int)strcspn(at, " ");

		printf("%s--%.*s", at == o->names ? "" : "|", length, at);
		at += length;
	}
}

static const struct mote_option *shown_at(const struct mote_tool *tool, size_t i)
{
	const struct mote_option *o = i < tool->count ? tool->options + i : mote_options_common + (i - tool->count);

	return is_shown(o) ? o : NULL;
}

static void print_bash(const struct mote_tool *tool)
{
	size_t all = tool->count + sizeof mote_options_common / sizeof *mote_options_common;
	int prefix = (int)strcspn(tool->name, "-");

	printf("# bash completion for %s\n_%.*s_%s() {\n", tool->name, prefix, tool->name, tool->name + prefix + 1);
	printf("\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n\tcase $before in\n");
	for (size_t i = 0; i < all; i++) {
		const struct mote_option *o = shown_at(tool, i);

		if (!o || !o->argument || o->missing)
			continue;
		printf("\t");
		print_alternatives(o);
		if (o->choices)
			printf(") COMPREPLY=($(compgen -W '%s' -- \"$current\")); return ;;\n", o->choices);
		else
			printf(") COMPREPLY=(); return ;;\n");
	}
	printf("\tesac\n\tcase $current in\n\t-*) COMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < all; i++) {
		const struct mote_option *o = shown_at(tool, i);

		if (o)
			printf("%s--%.*s", i ? " " : "", (int)strcspn(o->names, " "), o->names);
	}
	printf("' -- \"$current\")) ;;\n\t*) COMPREPLY=() ;;\n\tesac\n}\n");
	/* where nothing is found, the shell completes names of files, which may have blanks */
	printf("complete -o default -F _%.*s_%s %s\n", prefix, tool->name, tool->name + prefix + 1, tool->name);
}

/* Help inside '...[...]' of zsh's _arguments. */
static void print_zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void print_zsh(const struct mote_tool *tool)
{
	size_t all = tool->count + sizeof mote_options_common / sizeof *mote_options_common;

	printf("#compdef %s\n_arguments -s", tool->name);
	for (size_t i = 0; i < all; i++) {
		const struct mote_option *o = shown_at(tool, i);
		int name = o ? (int)strcspn(o->names, " ") : 0;
		const char *value = !o || !o->argument ? "" : o->missing ? "=-" : "="; /* =-: behind = alone */

		if (!o)
			continue;
		printf(" \\\n  ");
		if (o->brief)
			printf("'(-%s --%.*s)'{-%s,--%.*s%s}'[", o->brief, name, o->names, o->brief, name, o->names,
			       value);
		else
			printf("'--%.*s%s[", name, o->names, value);
		print_zsh_text(o->help);
		putchar(']');
		if (o->argument) {
			fputs(o->missing ? "::" : ":", stdout);
			print_zsh_text(o->argument);
			if (o->choices)
				printf(":(%s)", o->choices);
			else
				fputs(names_file(o) ? ":_files" : ":", stdout);
		}
		putchar('\'');
	}
	printf(" \\\n  '*:file:_files'\n");
}

bool mote_options_print_completion(const struct mote_tool *tool, const char *shell)
{
	if (!strcmp(shell, "bash"))
		print_bash(tool);
	else if (!strcmp(shell, "zsh"))
		print_zsh(tool);
	else
		return false;
	return true;
}
