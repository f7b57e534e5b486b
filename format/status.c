/* Status and error: see status.h. Nothing here allocates, so it works when memory is gone. */
#include "format/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages quote names from hostile files; a terminal must not obey what they contain. */
static void escape_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

enum mote_status mote_error_set(struct mote_error *e, enum mote_status code, const char *format, ...)
{
	if (e && e->code == MOTE_OK) {
		va_list args;
		e->code = code;
		va_start(args, format);
		vsnprintf(e->message, sizeof e->message, format, args);
		va_end(args);
		escape_controls(e->message);
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
	escape_controls(e->message);
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
