/* Values as text, as Python prints them. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_PRINT_VALUE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_PRINT_VALUE_H

#include "runtime/template/value/value.h"

void mote_jinja_print(struct jinja_builder *b, struct jinja_value v); /* str(v) */
void mote_jinja_repr(struct jinja_builder *b, struct jinja_value v);
const struct jinja_text *mote_jinja_str(struct jinja *j, struct jinja_value v);
const struct jinja_text *mote_jinja_soft_str(struct jinja *j, struct jinja_value v); /* keeps Markup */
const struct jinja_text *mote_jinja_escape(struct jinja *j, struct jinja_value v);   /* Markup */
void mote_jinja_put_number(struct jinja_builder *b, struct jinja_value v);           /* of a number */

#endif
