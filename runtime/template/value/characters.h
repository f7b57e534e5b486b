/* What Python's str knows of characters. code is a valid code point throughout. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_CHARACTERS_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool mote_jinja_is_space(uint32_t code);
bool mote_jinja_is_line_break(uint32_t code);
bool mote_jinja_is_printable(uint32_t code);
bool mote_jinja_is_word(uint32_t code);   /* \w */
/* May stand in a Python identifier, or begin one: Unicode's XID_Continue, XID_Start (UAX 31). */
bool mote_jinja_is_identifier(uint32_t code, bool first);
enum jinja_class {
	JINJA_ALPHA, JINJA_ALNUM, JINJA_DIGIT, JINJA_DECIMAL, JINJA_NUMERIC, JINJA_LOWER, JINJA_UPPER,
	JINJA_TITLE, JINJA_CASED
};
bool mote_jinja_is(uint32_t code, enum jinja_class what);

#endif
