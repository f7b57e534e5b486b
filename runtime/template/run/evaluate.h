/* Expressions: from tree to value. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_EVALUATE_H
#define MOTE_RUNTIME_TEMPLATE_RUN_EVALUATE_H

#include "runtime/template/run/scope.h"

struct jinja_value mote_jinja_eval(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope);
struct jinja_value mote_jinja_apply_filter(struct jinja *j, const struct jinja_expr *e, struct jinja_value v,
					   struct jinja_scope *scope);

#endif
