/* Calls. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_CALL_H
#define MOTE_RUNTIME_TEMPLATE_RUN_CALL_H

#include "runtime/template/run/scope.h"

struct jinja_call_args;

struct jinja_value mote_jinja_call(struct jinja *j, struct jinja_value callee, const struct jinja_args *args);
void mote_jinja_eval_args(struct jinja *j, const struct jinja_call_args *from, struct jinja_scope *scope,
			  struct jinja_value first, struct jinja_args *out);

#endif
