/* Growing texts: see text_buffer.h. */
#include "convert/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mote_text_buffer_add(struct mote_text_buffer *b, const void *data, size_t bytes)
{
	if (b->room - b->bytes < bytes && !b->failed) {
		size_t room = b->room * 2 > b->bytes + bytes + 256 ? b->room * 2 : b->bytes + bytes + 256;
		char *grown = realloc(b->text, room);

		if (grown) {
			b->text = grown;
			b->room = room;
		}
		b->failed = !grown;
	}
	if (b->failed || !bytes)
		return;
	memcpy(b->text + b->bytes, data, bytes);
	b->bytes += bytes;
}

void mote_text_buffer_print(struct mote_text_buffer *b, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (n < 0 || (size_t)n >= sizeof text)
		b->failed = true;
	else
		mote_text_buffer_add(b, text, (size_t)n);
}

void mote_text_buffer_quote(struct mote_text_buffer *b, const char *text, size_t bytes)
{
	size_t plain = 0; /* where what is not yet added begins */

	mote_text_buffer_add(b, "\"", 1);
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		mote_text_buffer_add(b, text + plain, i - plain);
		plain = i + 1;
		if (c < 0x20)
			mote_text_buffer_print(b, "\\u%04x", c);
		else
			mote_text_buffer_print(b, "\\%c", c);
	}
	mote_text_buffer_add(b, text + plain, bytes - plain);
	mote_text_buffer_add(b, "\"", 1);
}
