#include "runtime/run_line.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

#include "format/utf8.h"

enum { END_OF_INPUT = 4, BACKSPACE = 8, KILL_LINE = 21, ESCAPE = 27, DELETE = 127 };

void mote_line_begin(struct mote_line_reader *r)
{
	struct termios raw;

	*r = (struct mote_line_reader){0};
	if (tcgetattr(STDIN_FILENO, &r->before))
		return;
	raw = r->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	r->changed = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void mote_line_end(struct mote_line_reader *r)
{
	if (r->changed)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r->before);
	free(r->text);
	*r = (struct mote_line_reader){0};
}

/* An echo that the terminal does not take at once is left out: a program that pastes much may not read before it has
 * written all. */
static void show(const struct mote_line_reader *r, const char *text, size_t bytes)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (r->changed && poll(&out, 1, 0) == 1 && write(STDERR_FILENO, text, bytes) < 0)
		return; /* no reason to stop */
}

static bool put(struct mote_line_reader *r, char c)
{
	if (r->room - r->bytes < 2) {
		size_t room = r->room * 2 + 256;
		char *grown = realloc(r->text, room);

		if (!grown)
			return false;
		r->text = grown;
		r->room = room;
	}
	r->text[r->bytes++] = c;
	r->text[r->bytes] = 0;
	return true;
}

/* Takes the last character off the line and off the screen. */
static void erase(struct mote_line_reader *r)
{
	size_t begin = r->bytes, length;
	int columns = 1;

	while (begin && mote_utf8_continues(r->text[--begin]))
		;
	if (mote_utf8_valid(r->text + begin, r->bytes - begin) == r->bytes - begin)
		columns = utf8proc_charwidth((utf8proc_int32_t)mote_utf8_decode(r->text + begin, &length));
	for (; columns > 0; columns--)
		show(r, "\b \b", 3);
	r->bytes = begin;
	r->text[begin] = 0;
}

/* Keys like the arrows send a sequence, which is passed over: ESC [ ... letter. state: where in one the reader is. */
static bool in_sequence(unsigned char c, int *state)
{
	if (*state == 0)
		*state = c == ESCAPE;
	else if (*state == 1)
		*state = c == '[' || c == 'O' ? 2 : 3;
	else if (c >= 0x40)
		*state = 3;
	if (*state == 3) {
		*state = 0;
		return true;
	}
	return *state > 0;
}

enum mote_line mote_line_read(struct mote_line_reader *r, const char *prompt)
{
	int state = 0;
	ssize_t written = write(STDERR_FILENO, prompt, strlen(prompt));

	(void)written;
	r->bytes = 0;
	if (r->text)
		r->text[0] = 0;
	for (;;) {
		char c;
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n < 0 && errno == EINTR)
			return MOTE_LINE_INTERRUPTED;
		/* NUL: Ctrl-D that was typed while the terminal still edited */
		if (n <= 0 || ((c == END_OF_INPUT || c == 0) && r->bytes == 0 && r->changed))
			return n <= 0 && r->bytes ? MOTE_LINE : MOTE_LINE_END;
		if (c == '\n') {
			show(r, "\n", 1);
			return put(r, 0) && r->bytes-- ? MOTE_LINE : MOTE_LINE_NO_MEMORY;
		}
		if (r->changed && in_sequence((unsigned char)c, &state))
			continue;
		if (r->changed && (c == BACKSPACE || c == DELETE)) {
			if (r->bytes)
				erase(r);
		} else if (r->changed && c == KILL_LINE) {
			while (r->bytes)
				erase(r);
		} else if ((unsigned char)c >= 0x20 || c == '\t') {
			if (!put(r, c))
				return MOTE_LINE_NO_MEMORY;
			show(r, &c, 1);
		}
	}
}
