/* A loop's iteration, and the variable "loop". */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_LOOP_H
#define MOTE_RUNTIME_TEMPLATE_RUN_LOOP_H

#include "runtime/template/run/scope.h"

/* The next item that passes the loop's test; false at the end. */
bool mote_jinja_advance(struct jinja *j, struct jinja_loop *l, struct jinja_value *out);
struct jinja_value mote_jinja_loop_attribute(struct jinja *j, struct jinja_loop *l,
					     const struct jinja_text *name); /* ABSENT: none */

#endif
