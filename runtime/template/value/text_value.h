/* Texts of a template run, and building them. Each byte remembers where it came from: the template itself, or plain,
 * i.e. out of the context's data, where no control token may be read.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_TEXT_VALUE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_TEXT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/template/value/arena.h"

/* Bytes of valid UTF-8, each of them either the template's own or plain. Immutable and shared: a slice points into
 * what it was cut from. */
struct jinja_text {
	const char *at;
	size_t bytes;
	size_t chars;       /* code points; SIZE_MAX: not counted yet */
	const uint8_t *map; /* [bytes] 1 where plain; NULL: all as "plain" says */
	bool plain;
	bool markup;        /* Python's Markup, made by escape and safe */
};

struct jinja_builder {
	struct jinja *j;
	char *at;
	uint8_t *map;       /* NULL while all bytes are of one kind */
	size_t bytes, capacity, limit;
	bool plain;         /* that kind */
};
void mote_jinja_begin(struct jinja_builder *b, struct jinja *j);
void mote_jinja_put(struct jinja_builder *b, const char *at, size_t bytes, bool plain);
void mote_jinja_put_string(struct jinja_builder *b, const char *s, bool plain);
void mote_jinja_put_text(struct jinja_builder *b, const struct jinja_text *t);
void mote_jinja_put_slice(struct jinja_builder *b, const struct jinja_text *t, size_t from, size_t to);
void mote_jinja_put_fill(struct jinja_builder *b, const struct jinja_text *fill, size_t times);
void mote_jinja_put_code(struct jinja_builder *b, uint32_t code, bool plain);
const struct jinja_text *mote_jinja_end(struct jinja_builder *b);

const struct jinja_text *mote_jinja_text(struct jinja *j, const char *at, size_t bytes, bool plain); /* copies */
const struct jinja_text *mote_jinja_slice(struct jinja *j, const struct jinja_text *t, size_t from, size_t to);
const struct jinja_text *mote_jinja_as_markup(struct jinja *j, const struct jinja_text *t, bool markup);
static inline bool mote_jinja_plain_at(const struct jinja_text *t, size_t byte)
{
	return t->map ? t->map[byte] != 0 : t->plain;
}
size_t mote_jinja_chars(struct jinja *j, const struct jinja_text *t);
size_t mote_jinja_byte_of(struct jinja *j, const struct jinja_text *t, size_t chars); /* offset of a code point */
bool mote_jinja_text_is(const struct jinja_text *t, const char *s);
/* Offset of needle in t[from..to), or SIZE_MAX. Linear time. */
size_t mote_jinja_find(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
		       const struct jinja_text *needle);
size_t mote_jinja_find_last(struct jinja *j, const struct jinja_text *t, size_t from, size_t to,
			    const struct jinja_text *needle);

#endif
