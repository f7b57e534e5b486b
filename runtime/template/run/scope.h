/* Scopes of a run: variables by name, macros and loops that hold on to a scope. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_SCOPE_H
#define MOTE_RUNTIME_TEMPLATE_RUN_SCOPE_H

#include "runtime/template/value/value.h"

struct jinja_expr;
struct jinja_missing;
struct jinja_stmt;

struct jinja_binding {
	uint32_t name;
	struct jinja_value value;
};
/* The root scope is jinja.root, indexed by name; inner ones are short lists. */
struct jinja_scope {
	struct jinja_scope *parent; /* NULL: the root follows */
	struct jinja_binding *bindings;
	uint32_t count, capacity;
};

struct jinja_macro {
	const struct jinja_stmt *stmt;
	const struct jinja_text *name; /* NULL: the body of a call block */
	struct jinja_scope *scope;
};

struct jinja_loop {
	const struct jinja_stmt *stmt;
	struct jinja_scope *outer;
	struct jinja_iter iter;
	struct jinja_value after, current, before, changed;
	int64_t index0, length, depth0; /* length -1: not known yet */
};

/* missing: the variables that start out undefined, or NULL. */
struct jinja_scope *mote_jinja_new_scope(struct jinja *j, struct jinja_scope *parent,
					 const struct jinja_missing *missing);
void mote_jinja_bind_missing(struct jinja *j, struct jinja_scope *scope, const struct jinja_missing *missing);
struct jinja_value mote_jinja_variable(struct jinja *j, uint32_t name, const struct jinja_scope *scope);
void mote_jinja_bind(struct jinja *j, struct jinja_scope *scope, uint32_t name, struct jinja_value v);
/* To a name, a namespace's attribute, or a tuple of such. */
void mote_jinja_assign(struct jinja *j, const struct jinja_expr *target, struct jinja_value v,
		       struct jinja_scope *scope);

#endif
