/* Statements: from tree to text. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_EXECUTE_H
#define MOTE_RUNTIME_TEMPLATE_RUN_EXECUTE_H

#include "runtime/template/run/scope.h"

void mote_jinja_run(struct jinja *j, const struct jinja_stmt *s);
struct jinja_value mote_jinja_call_macro(struct jinja *j, const struct jinja_macro *m, const struct jinja_args *args);
const struct jinja_text *mote_jinja_recurse(struct jinja *j, struct jinja_loop *l, struct jinja_value of);

#endif
