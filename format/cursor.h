/* A bounded cursor over hostile bytes, and arithmetic that cannot wrap.
 *
 * Every read is checked against what is left. The first failure sticks: from then on reads give
 * zeros (or NULL), the position stays, and only that first message is kept. So a parser reads a
 * whole record and asks for .status once. Messages carry the byte offset in the file.
 */
#ifndef MOTE_FORMAT_CURSOR_H
#define MOTE_FORMAT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

struct mote_cursor {
	const uint8_t *data;  /* borrowed */
	size_t bytes, at;     /* at <= bytes */
	uint64_t base;        /* file offset of data[0], for messages */
	const char *name;     /* what the bytes are ("tensor directory"), borrowed */
	struct mote_error *error;
	enum mote_status status; /* MOTE_OK until the first failure */
	bool cut;             /* that failure is: more was to be read than is left */
};

static inline struct mote_cursor mote_cursor(const void *data, size_t bytes, uint64_t base,
					     const char *name, struct mote_error *error)
{
	return (struct mote_cursor){data, bytes, 0, base, name, error, MOTE_OK, false};
}

static inline size_t mote_cursor_left(const struct mote_cursor *c)
{
	return c->bytes - c->at;
}

/* Fails with "NAME: byte OFFSET: " before the message, unless it has failed already. Returns the
 * cursor's (first) status. */
enum mote_status mote_cursor_fail(struct mote_cursor *c, enum mote_status code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The next n bytes in place, or NULL (also for n = 0 after a failure). "what" is for the message. */
const void *mote_cursor_take(struct mote_cursor *c, size_t n, const char *what);
/* Copies the next n bytes to out; zeros after a failure. */
void mote_cursor_read(struct mote_cursor *c, void *out, size_t n, const char *what);
/* Little-endian integers. */
uint8_t mote_cursor_u8(struct mote_cursor *c, const char *what);
uint16_t mote_cursor_u16(struct mote_cursor *c, const char *what);
uint32_t mote_cursor_u32(struct mote_cursor *c, const char *what);
uint64_t mote_cursor_u64(struct mote_cursor *c, const char *what);
/* The next n bytes must be zero. */
void mote_cursor_zeros(struct mote_cursor *c, size_t n, const char *what);
/* Nothing may be left. Returns the cursor's status. */
enum mote_status mote_cursor_end(struct mote_cursor *c);

/* False when the result does not fit; then *out is not to be used. */
static inline bool mote_checked_add(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool mote_checked_multiply(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* alignment: a power of two */
static inline bool mote_checked_round_up(uint64_t a, uint64_t alignment, uint64_t *out)
{
	if (!mote_checked_add(a, alignment - 1, out))
		return false;
	*out &= ~(alignment - 1);
	return true;
}

#endif
