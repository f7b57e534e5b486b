/* Bounds and memory of a template run. Every byte that a template makes lies in an arena of chunks with a cap, every
 * piece of work is charged to a budget of steps: that, and the depth, is what keeps a hostile template small. Nothing
 * is freed before the end. An allocation is charged and checked before it is made, so a size that no machine has is
 * refused like any other; what comes back is zeroed, so that half-built values hold no garbage when a failure
 * unwinds.
 */
#include "runtime/template/value/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u << 10)
#define ALIGNMENT 16u

struct jinja_chunk {
	struct jinja_chunk *next;
	size_t bytes; /* keeps what follows aligned */
};

static void fail(struct jinja *j, enum mote_status status, const char *place, const char *format, va_list list)
{
	char message[700];

	vsnprintf(message, sizeof message, format, list);
	j->status = status;
	(void)mote_error_set(j->error, status, "%s%s", place, message);
	longjmp(j->unwind, 1);
}

_Noreturn void mote_jinja_fail_bare(struct jinja *j, enum mote_status status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fail(j, status, "", format, list);
	va_end(list);
	abort(); /* not reached: fail() jumps; the compiler cannot know */
}

_Noreturn void mote_jinja_fail(struct jinja *j, enum mote_status status, const char *format, ...)
{
	size_t line = 1, column = 1, at = j->at < j->source_bytes ? j->at : j->source_bytes;
	char place[64];
	va_list list;

	for (size_t i = 0; i < at; i++) {
		if (j->source[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)j->source[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	snprintf(place, sizeof place, "line %zu, column %zu: ", line, column);
	va_start(list, format);
	fail(j, status, place, format, list);
	va_end(list);
	abort(); /* not reached */
}

void mote_jinja_charge(struct jinja *j, uint64_t steps)
{
	if (steps > j->steps)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more steps than allowed");
	j->steps -= steps;
}

void mote_jinja_enter(struct jinja *j, unsigned max)
{
	if (j->depth >= max)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "nested deeper than %u", max);
	j->depth++;
}

void *mote_jinja_alloc(struct jinja *j, size_t bytes)
{
	struct jinja_chunk *chunk;
	size_t need, size;
	char *at;

	if (bytes > SIZE_MAX / 4 || bytes > j->memory)
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
	need = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (need > j->free_bytes) {
		size = need > CHUNK_BYTES / 4 ? need : CHUNK_BYTES;
		if (size > j->memory)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
		chunk = malloc(sizeof *chunk + size);
		if (!chunk)
			mote_jinja_fail(j, MOTE_ERROR_MEMORY, "out of memory");
		j->memory -= size;
		chunk->next = j->chunks;
		chunk->bytes = size;
		j->chunks = chunk;
		at = (char *)(chunk + 1);
		mote_jinja_charge(j, size >> 8);
		if (size != CHUNK_BYTES) /* a big one: the current chunk goes on being filled */
			return memset(at, 0, need);
		j->free_at = at;
		j->free_bytes = size;
	}
	at = j->free_at;
	j->free_at += need;
	j->free_bytes -= need;
	return memset(at, 0, need);
}

void *mote_jinja_alloc_array(struct jinja *j, size_t count, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(count, bytes, &total))
		mote_jinja_fail(j, MOTE_ERROR_LIMIT, "the template takes more memory than allowed");
	return mote_jinja_alloc(j, total);
}

void mote_jinja_free_all(struct jinja *j)
{
	struct jinja_chunk *chunk = j->chunks, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	j->chunks = NULL;
	j->free_bytes = 0;
}
