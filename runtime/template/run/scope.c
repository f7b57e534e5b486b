/* Scopes: variables, and assigning to them.
 *
 * The root scope is an array over all names of the template. An inner one is a short list, searched from its end, and
 * then its parent. A binding that is there but JINJA_ABSENT hides what the scopes around have: such a variable is
 * undefined until it is assigned to (parse/analyse_scopes.c decides which).
 */
#include "runtime/template/run/scope.h"

#include "runtime/template/parse/tree.h"
#include "runtime/template/value/container_value.h"

void mote_jinja_bind_missing(struct jinja *j, struct jinja_scope *scope, const struct jinja_missing *missing)
{
	for (uint32_t i = 0; i < missing->count; i++)
		mote_jinja_bind(j, scope, missing->names[i], (struct jinja_value){.kind = JINJA_ABSENT});
}

struct jinja_scope *mote_jinja_new_scope(struct jinja *j, struct jinja_scope *parent,
					 const struct jinja_missing *missing)
{
	struct jinja_scope *scope = mote_jinja_alloc(j, sizeof *scope);

	scope->parent = parent;
	if (missing)
		mote_jinja_bind_missing(j, scope, missing);
	return scope;
}

struct jinja_value mote_jinja_variable(struct jinja *j, uint32_t name, const struct jinja_scope *scope)
{
	struct jinja_value v = {.kind = JINJA_ABSENT};

	for (; scope; scope = scope->parent) {
		for (uint32_t i = scope->count; i--;) {
			if (scope->bindings[i].name != name)
				continue;
			mote_jinja_charge(j, (scope->count - i) / 8);
			v = scope->bindings[i].value;
			goto found;
		}
		mote_jinja_charge(j, 1 + scope->count / 4);
	}
	v = j->root[name];
found:
	return v.kind == JINJA_ABSENT ? mote_jinja_undefined(j, NULL, j->names[name], JINJA_ABSENT) : v;
}

void mote_jinja_bind(struct jinja *j, struct jinja_scope *scope, uint32_t name, struct jinja_value v)
{
	struct jinja_binding *grown;

	if (!scope) {
		j->root[name] = v;
		return;
	}
	mote_jinja_charge(j, 1 + scope->count / 4);
	for (uint32_t i = 0; i < scope->count; i++) {
		if (scope->bindings[i].name == name) {
			scope->bindings[i].value = v;
			return;
		}
	}
	if (scope->count == scope->capacity) {
		scope->capacity = scope->capacity ? scope->capacity * 2 : 4;
		grown = mote_jinja_alloc_array(j, scope->capacity, sizeof *grown);
		if (scope->count)
			memcpy(grown, scope->bindings, scope->count * sizeof *grown);
		scope->bindings = grown;
	}
	scope->bindings[scope->count++] = (struct jinja_binding){.name = name, .value = v};
}

static void unpack(struct jinja *j, const struct jinja_expr *target, struct jinja_value v, struct jinja_scope *scope)
{
	struct jinja_iter it = mote_jinja_iterate(j, v);
	struct jinja_value *items = mote_jinja_alloc_array(j, target->n_list, sizeof *items), more;

	for (uint32_t i = 0; i < target->n_list; i++)
		if (!mote_jinja_next(j, &it, &items[i]))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT,
					"not enough values to unpack: %u expected, %u found", target->n_list,
					i);
	if (mote_jinja_next(j, &it, &more))
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "too many values to unpack: %u expected", target->n_list);
	for (uint32_t i = 0; i < target->n_list; i++)
		mote_jinja_assign(j, target->list[i], items[i], scope);
}

void mote_jinja_assign(struct jinja *j, const struct jinja_expr *target, struct jinja_value v,
		       struct jinja_scope *scope)
{
	struct jinja_value owner;

	j->at = target->at;
	switch (target->op) {
	case JINJA_NAME:
		mote_jinja_bind(j, scope, target->name, v);
		break;
	case JINJA_NAMESPACE_TARGET:
		owner = mote_jinja_variable(j, target->name, scope);
		if (owner.kind != JINJA_NAMESPACE)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "cannot assign an attribute to what is no namespace");
		mote_jinja_set(j, owner.dict, target->value, v);
		break;
	default:
		unpack(j, target, v, scope);
		break;
	}
}
