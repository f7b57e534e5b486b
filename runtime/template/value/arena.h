/* What every room of the template engine hands on: the state of one parsing or rendering, with its bounds and memory.
 *
 * Failure unwinds: parsing and rendering each have one setjmp, in template.c, and mote_jinja_fail() jumps there.
 * Everything between owns no resource but arena memory, which the setjmp's owner frees. So functions here and in the
 * rooms above return values, not statuses; whatever they return is whole.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_ARENA_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_ARENA_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

#define JINJA_MAX_NESTING 200u        /* of parentheses and blocks in a template */
#define JINJA_MAX_DEPTH 1500u         /* nodes under evaluation at once */

struct jinja_builder;
struct jinja_chunk;
struct jinja_library;
struct jinja_text;
struct jinja_value;

struct jinja {
	jmp_buf unwind;
	struct mote_error *error;
	enum mote_status status;
	const char *source;       /* normalised, for positions */
	size_t source_bytes;
	uint32_t at;              /* offset of the node in work */
	uint32_t depth;
	uint64_t steps;           /* left */
	size_t memory;            /* left */
	struct jinja_chunk *chunks;
	char *free_at;
	size_t free_bytes;
	const struct jinja_library *library; /* filters, tests and methods by name */

	/* rendering */
	const struct jinja_text **names; /* of the template */
	uint32_t n_names;
	struct jinja_value *root;        /* [n_names] */
	struct jinja_builder *out;
	int64_t now;
	/* repr() of a macro or a loop, which belong to the run */
	void (*put_object)(struct jinja_builder *b, struct jinja_value v);
};

/* Message with line and column of j->at before it; and without them. */
_Noreturn void mote_jinja_fail(struct jinja *j, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void mote_jinja_fail_bare(struct jinja *j, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void mote_jinja_charge(struct jinja *j, uint64_t steps);           /* fails when none are left */
void *mote_jinja_alloc(struct jinja *j, size_t bytes);             /* zeroed, aligned */
void *mote_jinja_alloc_array(struct jinja *j, size_t count, size_t bytes);
void mote_jinja_free_all(struct jinja *j);
void mote_jinja_enter(struct jinja *j, unsigned max);              /* depth + 1, checked; leave: j->depth-- */

#endif
