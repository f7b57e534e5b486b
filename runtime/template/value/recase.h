/* Texts by what their characters are: another case, other digits, without what stands at the ends. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_RECASE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_RECASE_H

#include "runtime/template/value/text_value.h"

enum jinja_case { JINJA_TO_UPPER, JINJA_TO_LOWER, JINJA_CAPITALIZE, JINJA_TITLECASE, JINJA_SWAP, JINJA_FOLD };
const struct jinja_text *mote_jinja_recase(struct jinja *j, const struct jinja_text *t, enum jinja_case how);
const struct jinja_text *mote_jinja_ascii_digits(struct jinja *j, const struct jinja_text *t); /* every script's */
/* Offsets of t without the white space (chars NULL) or the characters at its ends. */
void mote_jinja_strip(struct jinja *j, const struct jinja_text *t, const struct jinja_text *chars, bool left,
		      bool right, size_t *from, size_t *to);

#endif
