/* Status and error: see status.h. Nothing here allocates, so it works when memory is gone. */
#include "format/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/utf8.h"

/* Messages quote names from hostile files: a terminal must not obey what they contain, and who reads them relies on
 * UTF-8. A quotation that a precision ("%.60s") or the end of the message cut inside a character ends before that
 * character; any other byte that is no UTF-8, and any control character, becomes a question mark. */
static void clean(char *text)
{
	size_t bytes = strlen(text), out = 0, step, bad;
	uint32_t c;

	for (size_t at = 0; at < bytes; at += step) {
		step = mote_utf8_step(text + at, bytes - at, &bad);
		if (!step) {
			bool begins = (unsigned char)text[at] >= 0xc2 && (unsigned char)text[at] <= 0xf4;

			step = bad ? bad : bytes - at;
			if (!begins || (text[at + step] && !strchr("\"'", text[at + step])))
				text[out++] = '?';
			continue;
		}
		c = mote_utf8_decode(text + at, &step);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			text[out++] = '?';
			continue;
		}
		memmove(text + out, text + at, step);
		out += step;
	}
	text[out] = 0;
}

enum mote_status mote_error_set(struct mote_error *e, enum mote_status code, const char *format, ...)
{
	if (e && e->code == MOTE_OK) {
		va_list args;
		e->code = code;
		va_start(args, format);
		vsnprintf(e->message, sizeof e->message, format, args);
		va_end(args);
		clean(e->message);
	}
	return code;
}

void mote_error_prefix(struct mote_error *e, const char *format, ...)
{
	char tail[sizeof e->message];
	va_list args;
	size_t used;

	if (!e || e->code == MOTE_OK)
		return;
	memcpy(tail, e->message, sizeof tail);
	va_start(args, format);
	vsnprintf(e->message, sizeof e->message, format, args);
	va_end(args);
	used = strlen(e->message);
	snprintf(e->message + used, sizeof e->message - used, ": %s", tail);
	clean(e->message);
}

int mote_status_exit_code(enum mote_status status)
{
	switch (status) {
	case MOTE_OK: return 0;
	case MOTE_ERROR_ARGUMENT: return 2;
	case MOTE_ERROR_CORRUPT:
	case MOTE_ERROR_UNSUPPORTED:
	case MOTE_ERROR_LIMIT: return 3;
	case MOTE_ERROR_QUALITY: return 4;
	case MOTE_ERROR_INTERRUPTED: return 130;
	case MOTE_ERROR_IO:
	case MOTE_ERROR_MEMORY: break;
	}
	return 1;
}
