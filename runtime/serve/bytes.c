#include "runtime/serve/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct mote_bytes *b, size_t bytes)
{
	size_t room = (b->count + bytes + 1) * 2;
	char *grown;

	if (b->failed || bytes < b->room - b->count)
		return !b->failed;
	grown = bytes < SIZE_MAX / 4 ? realloc(b->text, room) : NULL;
	if (!grown) {
		b->failed = true;
		return false;
	}
	b->text = grown;
	b->room = room;
	return true;
}

void mote_bytes_add(struct mote_bytes *b, const char *text, size_t bytes)
{
	if (!reserve(b, bytes))
		return;
	if (bytes)
		memcpy(b->text + b->count, text, bytes);
	b->count += bytes;
	b->text[b->count] = 0;
}

void mote_bytes_add_text(struct mote_bytes *b, const char *text, size_t bytes)
{
	const char *nul;

	for (; bytes && (nul = memchr(text, 0, bytes)); bytes -= (size_t)(nul + 1 - text), text = nul + 1) {
		mote_bytes_add(b, text, (size_t)(nul - text));
		mote_bytes_add(b, "\xef\xbf\xbd", 3);
	}
	mote_bytes_add(b, text, bytes);
}

void mote_bytes_print(struct mote_bytes *b, const char *format, ...)
{
	va_list list;
	int bytes;

	va_start(list, format);
	bytes = vsnprintf(NULL, 0, format, list);
	va_end(list);
	if (bytes < 0 || !reserve(b, (size_t)bytes)) {
		b->failed = true;
		return;
	}
	va_start(list, format);
	vsnprintf(b->text + b->count, (size_t)bytes + 1, format, list);
	va_end(list);
	b->count += (size_t)bytes;
}

void mote_bytes_add_json(struct mote_bytes *b, cJSON *json)
{
	size_t bytes = 0;
	char *text = json ? mote_json_print(json, &bytes) : NULL;

	if (text)
		mote_bytes_add(b, text, bytes);
	else
		b->failed = true;
	free(text);
	cJSON_Delete(json);
}

void mote_bytes_free(struct mote_bytes *b)
{
	free(b->text);
	*b = (struct mote_bytes){0};
}
