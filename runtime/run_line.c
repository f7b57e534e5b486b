#include "runtime/run_line.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "format/tool/console.h"
#include "format/utf8.h"

enum { HISTORY_LINES = 1000 };
#define INITIAL_KEY "\x1b[999~" /* that no keyboard has */

struct run_line_reader {
	EditLine *edit;
	History *history;
	const char *const *commands;
	const char *prompt;
	const char *initial;    /* what the line is to begin with, until it does */
	bool terminal;          /* else lines are read as they are */
	bool interrupted, no_memory;
	char *text;             /* what was read */
	size_t bytes, room;
	char *line;             /* of getline(), where there is no terminal */
	size_t line_room;
};

static char *show_prompt(EditLine *edit)
{
	struct run_line_reader *r;

	el_get(edit, EL_CLIENTDATA, &r);
	return (char *)(uintptr_t)r->prompt;
}

/* Waits for input; false: a signal came. One that comes just before the wait is seen a tenth of a second later. */
static bool wait_for_input(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	while (!mote_console_interrupted())
		if (poll(&in, 1, 100) > 0)
			return true;
	return false;
}

/* One character, of UTF-8 whatever the locale is: libedit's own reading would swallow the first interruption. */
static int read_character(EditLine *edit, wchar_t *character)
{
	struct run_line_reader *r;
	char bytes[4];
	size_t count = 0, length;

	el_get(edit, EL_CLIENTDATA, &r);
	do {
		ssize_t n = -1;

		if (!wait_for_input() || (n = read(STDIN_FILENO, bytes + count, 1)) < 0)
			r->interrupted = true;
		if (n <= 0)
			return (int)n;
		count++;
		length = mote_utf8_length(bytes[0]);
	} while (count < length);
	if (el_wline(edit)->lastchar == el_wline(edit)->buffer) /* else libedit forgets what it has drawn of the line */
		el_resize(edit);
	*character = length && mote_utf8_valid(bytes, count) == count ? (wchar_t)mote_utf8_decode(bytes, &length)
								      : L'?';
	return 1;
}

/* ESC [ 200 ~: what follows up to ESC [ 201 ~ was pasted, and is put into the line as it is. */
static unsigned char take_paste(EditLine *edit, wint_t key)
{
	static const wchar_t end[] = L"\x1b[201~";
	size_t count = 0, room = 0, matched = 0;
	struct run_line_reader *r;
	wchar_t *text = NULL, c;

	(void)key;
	el_get(edit, EL_CLIENTDATA, &r);
	while (matched < 6 && read_character(edit, &c) == 1) {
		wchar_t *grown = text;

		if (count + 2 > room) {
			room = room * 2 + 256;
			grown = realloc(text, room * sizeof *text);
			if (!grown) {
				free(text);
				r->no_memory = true;
				return CC_EOF;
			}
			text = grown;
		}
		text[count++] = c == L'\r' ? L'\n' : c;
		matched = c == end[matched] ? matched + 1 : c == end[0];
	}
	if (matched == 6)
		count -= 6;
	if (text) {
		while (count && text[count - 1] == L'\n') /* a last newline sends nothing yet */
			count--;
		text[count] = 0;
		el_winsertstr(edit, text);
	}
	free(text);
	return CC_REFRESH;
}

/* What the line begins with is text, from a file perhaps: as keys, a newline in it would send what follows, a command
 * say. */
static unsigned char take_initial(EditLine *edit, wint_t key)
{
	struct run_line_reader *r;
	const char *at;
	wchar_t *text;
	size_t count = 0, length;

	(void)key;
	el_get(edit, EL_CLIENTDATA, &r);
	at = r->initial ? r->initial : "";
	r->initial = NULL;
	text = malloc((strlen(at) + 1) * sizeof *text);
	if (!text) {
		r->no_memory = true;
		return CC_EOF;
	}
	for (; *at; at += length)
		text[count++] = (wchar_t)mote_utf8_decode(at, &length);
	text[count] = 0;
	el_winsertstr(edit, text);
	free(text);
	return CC_REFRESH;
}

static unsigned char complete(EditLine *edit, wint_t key)
{
	const LineInfo *line = el_line(edit);
	size_t typed = (size_t)(line->cursor - line->buffer), common = 0;
	struct run_line_reader *r;
	const char *found = NULL;

	(void)key;
	el_get(edit, EL_CLIENTDATA, &r);
	if (typed == 0 || line->buffer[0] != '/')
		return CC_ERROR;
	for (size_t i = 0; r->commands[i]; i++) {
		const char *c = r->commands[i];

		if (strncmp(c, line->buffer, typed))
			continue;
		if (!found) {
			found = c;
			common = strlen(c);
		}
		while (strncmp(c, found, common))
			common--;
	}
	if (!found || common <= typed)
		return CC_ERROR;
	for (size_t i = typed; i < common; i++)
		el_insertstr(edit, (char[2]){found[i], 0});
	return CC_REFRESH;
}

/* false: no memory. */
static bool set_up(struct run_line_reader *r)
{
	static const char *const keys[][2] = {
		{"\x1b[200~", "mote-paste"}, {INITIAL_KEY, "mote-initial"}, {"\t", "mote-complete"},
		{"^R", "em-inc-search-prev"}, {"\x1b[1~", "ed-move-to-beg"}, {"\x1b[H", "ed-move-to-beg"},
		{"\x1b[4~", "ed-move-to-end"}, {"\x1b[F", "ed-move-to-end"}, {"\x1b[3~", "ed-delete-next-char"}};
	HistEvent event;

	if (el_set(r->edit, EL_CLIENTDATA, r) || el_set(r->edit, EL_PROMPT, show_prompt) ||
	    el_set(r->edit, EL_EDITOR, "emacs") || el_set(r->edit, EL_SIGNAL, 0) ||
	    el_wset(r->edit, EL_GETCFN, read_character) ||
	    /* while the model answers, what is typed is neither echoed nor cut into lines of 4,095 bytes */
	    el_set(r->edit, EL_SETTY, "-x", "-icanon", "-echo", NULL) ||
	    history(r->history, &event, H_SETSIZE, HISTORY_LINES) || history(r->history, &event, H_SETUNIQUE, 1) ||
	    el_set(r->edit, EL_HIST, history, r->history) ||
	    /* the wide calls: the narrow ones leak copies of the names */
	    el_wset(r->edit, EL_ADDFN, L"mote-paste", L"takes pasted text", take_paste) ||
	    el_wset(r->edit, EL_ADDFN, L"mote-initial", L"takes the text to begin with", take_initial) ||
	    el_wset(r->edit, EL_ADDFN, L"mote-complete", L"completes a command", complete))
		return false;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (el_set(r->edit, EL_BIND, keys[i][0], keys[i][1], NULL))
			return false;
	return true;
}

enum mote_status run_line_open(const char *const *commands, struct run_line_reader **out, struct mote_error *error)
{
	struct run_line_reader *r = calloc(1, sizeof *r);
	const char *term = getenv("TERM");

	*out = NULL;
	if (!r)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a line");
	r->commands = commands;
	r->terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
	if (r->terminal) {
		if (!setlocale(LC_CTYPE, "") || !strcmp(setlocale(LC_CTYPE, NULL), "C"))
			setlocale(LC_CTYPE, "C.UTF-8"); /* models speak UTF-8 */
		r->edit = el_init("mote-run", stdin, stderr, stderr);
		r->history = history_init();
		if (!r->edit || !r->history || !set_up(r)) {
			run_line_close(r);
			return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for line editing");
		}
		fputs("\x1b[?2004h", stderr);
	}
	*out = r;
	return MOTE_OK;
}

void run_line_close(struct run_line_reader *r)
{
	if (!r)
		return;
	if (r->terminal)
		fputs("\x1b[?2004l", stderr);
	if (r->history)
		history_end(r->history);
	if (r->edit)
		el_end(r->edit);
	free(r->text);
	free(r->line);
	free(r);
}

bool run_line_edits(const struct run_line_reader *r)
{
	return r->terminal;
}

static bool put(struct run_line_reader *r, const char *text, size_t n)
{
	if (r->room < r->bytes + n + 1) {
		size_t room = r->bytes + 2 * n + 256;
		char *grown = realloc(r->text, room);

		if (!grown)
			return false;
		r->text = grown;
		r->room = room;
	}
	memcpy(r->text + r->bytes, text, n);
	r->bytes += n;
	r->text[r->bytes] = 0;
	return true;
}

/* Appends one line, without its newline, to the text. */
static enum run_line read_one(struct run_line_reader *r, const char *prompt, const char *initial)
{
	const char *line;
	int n = 0;

	r->prompt = prompt;
	r->interrupted = false;
	if (r->terminal) {
		r->initial = initial;
		if (initial)
			el_push(r->edit, INITIAL_KEY);
		line = el_gets(r->edit, &n);
		if (r->no_memory) {
			errno = ENOMEM;
			return RUN_LINE_FAILED;
		}
		if (r->interrupted || mote_console_interrupted()) {
			el_reset(r->edit);
			return RUN_LINE_INTERRUPTED;
		}
	} else {
		ssize_t got;

		fputs(prompt, stderr);
		got = getline(&r->line, &r->line_room, stdin);
		if (got < 0 && mote_console_interrupted()) {
			clearerr(stdin);
			return RUN_LINE_INTERRUPTED;
		}
		if (got < 0 && !feof(stdin))
			return RUN_LINE_FAILED;
		line = got < 0 ? NULL : r->line;
		n = (int)got;
	}
	if (!line || n <= 0)
		return RUN_LINE_END;
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	return put(r, line, (size_t)n) ? RUN_LINE : RUN_LINE_FAILED;
}

static size_t quotes_at_end(const struct run_line_reader *r, size_t begin)
{
	return r->bytes - begin >= 3 && !memcmp(r->text + r->bytes - 3, "\"\"\"", 3) ? 3 : 0;
}

/* A line that goes on: behind a backslash, or between three quotes and three quotes. */
static enum run_line read_rest(struct run_line_reader *r)
{
	enum run_line got = RUN_LINE;
	bool quoted = !strncmp(r->text, "\"\"\"", 3);

	if (quoted) {
		memmove(r->text, r->text + 3, r->bytes - 2);
		r->bytes -= 3;
	}
	while (got == RUN_LINE) {
		size_t close = quoted ? quotes_at_end(r, 0) : 0;
		bool goes_on = quoted ? !close : r->bytes && r->text[r->bytes - 1] == '\\';

		if (!goes_on) {
			r->bytes -= close;
			r->text[r->bytes] = 0;
			break;
		}
		r->bytes -= !quoted;
		if (!put(r, "\n", 1))
			return RUN_LINE_FAILED;
		got = read_one(r, "... ", NULL);
	}
	return got;
}

enum run_line run_line_read(struct run_line_reader *r, const char *prompt, const char *initial, const char **text)
{
	HistEvent event;
	enum run_line got;

	r->bytes = 0;
	if (!put(r, "", 0))
		return RUN_LINE_FAILED;
	got = read_one(r, prompt, initial);
	if (got == RUN_LINE)
		got = read_rest(r);
	*text = r->text;
	if (got == RUN_LINE && r->terminal && r->bytes)
		history(r->history, &event, H_ENTER, r->text);
	return got;
}
