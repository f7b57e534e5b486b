/* The bounded cursor: see cursor.h. */
#include "format/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mote's files are little endian and are used as they lie: big-endian machines are not supported"
#endif

enum mote_status mote_cursor_fail(struct mote_cursor *c, enum mote_status code, const char *format, ...)
{
	char message[512];
	va_list args;

	if (c->status != MOTE_OK)
		return c->status;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	c->status = code;
	return mote_error_set(c->error, code, "%s: byte %llu: %s", c->name,
			      (unsigned long long)(c->base + c->at), message);
}

const void *mote_cursor_take(struct mote_cursor *c, size_t n, const char *what)
{
	const uint8_t *start = c->data + c->at;

	if (c->status != MOTE_OK)
		return NULL;
	if (n > c->bytes - c->at) {
		c->cut = true;
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "%s: found %zu bytes, expected %zu", what,
				 c->bytes - c->at, n);
		return NULL;
	}
	c->at += n;
	return start;
}

void mote_cursor_read(struct mote_cursor *c, void *out, size_t n, const char *what)
{
	const void *bytes = mote_cursor_take(c, n, what);

	if (bytes)
		memcpy(out, bytes, n);
	else
		memset(out, 0, n);
}

uint8_t mote_cursor_u8(struct mote_cursor *c, const char *what)
{
	uint8_t x;
	mote_cursor_read(c, &x, sizeof x, what);
	return x;
}

uint16_t mote_cursor_u16(struct mote_cursor *c, const char *what)
{
	uint16_t x;
	mote_cursor_read(c, &x, sizeof x, what);
	return x;
}

uint32_t mote_cursor_u32(struct mote_cursor *c, const char *what)
{
	uint32_t x;
	mote_cursor_read(c, &x, sizeof x, what);
	return x;
}

uint64_t mote_cursor_u64(struct mote_cursor *c, const char *what)
{
	uint64_t x;
	mote_cursor_read(c, &x, sizeof x, what);
	return x;
}

void mote_cursor_zeros(struct mote_cursor *c, size_t n, const char *what)
{
	const uint8_t *bytes = mote_cursor_take(c, n, what);

	for (size_t i = 0; bytes && i < n; i++)
		if (bytes[i]) {
			c->at -= n - i; /* the message names the byte that is not zero */
			(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT, "%s: found 0x%02x, expected 0", what, bytes[i]);
			return;
		}
}

enum mote_status mote_cursor_end(struct mote_cursor *c)
{
	if (c->status == MOTE_OK && c->at != c->bytes)
		(void)mote_cursor_fail(c, MOTE_ERROR_CORRUPT,
				       "found %zu more bytes, expected the end", c->bytes - c->at);
	return c->status;
}
