/* Between the files that read GBNF; nobody else includes this. */
#ifndef MOTE_RUNTIME_GBNF_H
#define MOTE_RUNTIME_GBNF_H

#include "runtime/grammar/network.h"

enum { GBNF_MAX_RANGES = 1024 };

struct gbnf_reader {
	struct mote_grammar *g;
	const char *name, *text, *at, *end;
	int depth;
	const char *counted; /* up to here lines and columns have been counted: */
	unsigned line, column;
	struct grammar_range range[GBNF_MAX_RANGES + 1], other[GBNF_MAX_RANGES + 2]; /* of a class */
};

/* The first error stays; with the place, or that at which the reader is. */
void mote_gbnf_fail_at(struct gbnf_reader *r, const char *at, enum mote_status status, const char *what);
void mote_gbnf_fail(struct gbnf_reader *r, const char *what);
bool mote_gbnf_failed(const struct gbnf_reader *r);
/* Over a sign that must be here; else an error at begin. */
void mote_gbnf_expect(struct gbnf_reader *r, char sign, const char *begin, const char *what);

static inline char mote_gbnf_peek(const struct gbnf_reader *r)
{
	return r->at < r->end ? *r->at : 0;
}

/* gbnf_text.c: "text" and [class] */
void mote_gbnf_literal(struct gbnf_reader *r, uint32_t from, uint32_t to);
void mote_gbnf_class(struct gbnf_reader *r, uint32_t from, uint32_t to);

#endif
