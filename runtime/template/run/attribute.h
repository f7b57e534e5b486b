/* Attributes and elements of values; operators between any two values; what only a run can print. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_ATTRIBUTE_H
#define MOTE_RUNTIME_TEMPLATE_RUN_ATTRIBUTE_H

#include "runtime/template/value/value.h"

/* v.name and v[key], each as Jinja2 has them: the other is tried when the first finds nothing. */
struct jinja_value mote_jinja_getattr(struct jinja *j, struct jinja_value v, struct jinja_value name);
struct jinja_value mote_jinja_getitem(struct jinja *j, struct jinja_value v, struct jinja_value key);
void mote_jinja_put_object(struct jinja_builder *b, struct jinja_value v); /* repr() of a macro or a loop */

#endif
