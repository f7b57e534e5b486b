/* Expressions: from tree to value.
 *
 * One switch over the node's operator. mote_jinja_eval() notes the node's place for messages, charges a step and
 * counts the depth; whoever has evaluated operands sets j->at again before it does what can fail. Evaluating,
 * calling, executing, loops and attributes call each other because templates do: a macro is called in an expression
 * and executes statements.
 */
#include "runtime/template/run/evaluate.h"

#include "runtime/template/parse/tree.h"
#include "runtime/template/run/arithmetic.h"
#include "runtime/template/run/attribute.h"
#include "runtime/template/run/call.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

static struct jinja_value optional(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	return e ? mote_jinja_eval(j, e, scope) : (struct jinja_value){.kind = JINJA_ABSENT};
}

static bool compare(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how)
{
	switch (how) {
	case JINJA_EQ:
		return mote_jinja_equal(j, a, b);
	case JINJA_NE:
		return !mote_jinja_equal(j, a, b);
	case JINJA_IN:
		return mote_jinja_contains(j, b, a);
	case JINJA_NOT_IN:
		return !mote_jinja_contains(j, b, a);
	default:
		return mote_jinja_order(j, a, b, how);
	}
}

static struct jinja_value comparison(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_value left = mote_jinja_eval(j, e->list[0], scope), right;
	bool holds = true;

	for (uint32_t i = 1; i < e->n_list && holds; i++) {
		right = mote_jinja_eval(j, e->list[i]->a, scope);
		j->at = e->at;
		holds = compare(j, left, right, e->list[i]->compare);
		left = right;
	}
	return mote_jinja_bool(holds);
}

static struct jinja_value concat(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_value *parts = mote_jinja_alloc_array(j, e->n_list, sizeof *parts);
	struct jinja_builder b;

	for (uint32_t i = 0; i < e->n_list; i++)
		parts[i] = mote_jinja_eval(j, e->list[i], scope);
	mote_jinja_begin(&b, j);
	for (uint32_t i = 0; i < e->n_list; i++)
		mote_jinja_print(&b, parts[i]);
	return mote_jinja_string(mote_jinja_end(&b));
}

static struct jinja_value collect(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_list *l = mote_jinja_new_list(j, e->n_list);

	for (uint32_t i = 0; i < e->n_list; i++)
		mote_jinja_append(j, l, mote_jinja_eval(j, e->list[i], scope));
	return e->op == JINJA_MAKE_LIST ? mote_jinja_list(l) : mote_jinja_tuple(l);
}

static struct jinja_value make_dict(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_dict *d = mote_jinja_new_dict(j);
	struct jinja_value key, value;

	for (uint32_t i = 0; i < e->n_list; i += 2) {
		key = mote_jinja_eval(j, e->list[i], scope);
		value = mote_jinja_eval(j, e->list[i + 1], scope);
		j->at = e->list[i]->at;
		mote_jinja_set(j, d, key, value);
	}
	return mote_jinja_dict(d);
}

/* A filter or test applied to v; its arguments come from the expression. */
static struct jinja_value apply(struct jinja *j, const struct jinja_expr *e, struct jinja_value v,
				struct jinja_scope *scope)
{
	const char *kind = e->op == JINJA_FILTER ? "filter" : "test";
	struct jinja_args args;

	mote_jinja_eval_args(j, e->args, scope, v, &args);
	j->at = e->at;
	if (!e->builtin)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "no %s named '%s' found", kind, e->value.text->at);
	return mote_jinja_invoke(j, e->builtin, kind, &args);
}

struct jinja_value mote_jinja_apply_filter(struct jinja *j, const struct jinja_expr *e, struct jinja_value v,
					   struct jinja_scope *scope)
{
	return apply(j, e, e->a ? mote_jinja_apply_filter(j, e->a, v, scope) : v, scope);
}

static struct jinja_value call(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_value callee = mote_jinja_eval(j, e->a, scope);
	struct jinja_args args;

	mote_jinja_eval_args(j, e->args, scope, (struct jinja_value){.kind = JINJA_ABSENT}, &args);
	j->at = e->at;
	return mote_jinja_call(j, callee, &args);
}

static struct jinja_value eval(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_value a, b, c, d;

	switch (e->op) {
	case JINJA_CONST:
		return e->value;
	case JINJA_NAME:
		return mote_jinja_variable(j, e->name, scope);
	case JINJA_MAKE_TUPLE:
	case JINJA_MAKE_LIST:
		return collect(j, e, scope);
	case JINJA_MAKE_DICT:
		return make_dict(j, e, scope);
	case JINJA_NOT:
		return mote_jinja_bool(!mote_jinja_truth(j, mote_jinja_eval(j, e->a, scope)));
	case JINJA_NEG:
	case JINJA_POS:
		a = mote_jinja_eval(j, e->a, scope);
		j->at = e->at;
		return mote_jinja_negate(j, a, e->op == JINJA_NEG);
	case JINJA_AND:
		a = mote_jinja_eval(j, e->a, scope);
		return mote_jinja_truth(j, a) ? mote_jinja_eval(j, e->b, scope) : a;
	case JINJA_OR:
		a = mote_jinja_eval(j, e->a, scope);
		return mote_jinja_truth(j, a) ? a : mote_jinja_eval(j, e->b, scope);
	case JINJA_CONCAT:
		return concat(j, e, scope);
	case JINJA_COMPARE:
		return comparison(j, e, scope);
	case JINJA_COND:
		if (mote_jinja_truth(j, mote_jinja_eval(j, e->a, scope)))
			return mote_jinja_eval(j, e->b, scope);
		if (e->c)
			return mote_jinja_eval(j, e->c, scope);
		return mote_jinja_undefined(
			j, "the inline if-expression evaluated to false and no else section was defined", NULL,
			JINJA_ABSENT);
	case JINJA_ATTRIBUTE:
		a = mote_jinja_eval(j, e->a, scope);
		j->at = e->at;
		return mote_jinja_getattr(j, a, e->value);
	case JINJA_ITEM:
		a = mote_jinja_eval(j, e->a, scope);
		b = mote_jinja_eval(j, e->b, scope);
		j->at = e->at;
		return mote_jinja_getitem(j, a, b);
	case JINJA_SLICE:
		a = mote_jinja_eval(j, e->a, scope);
		b = optional(j, e->b, scope);
		c = optional(j, e->c, scope);
		d = optional(j, e->d, scope);
		j->at = e->at;
		return mote_jinja_slice_value(j, a, b, c, d);
	case JINJA_CALL:
		return call(j, e, scope);
	case JINJA_FILTER:
	case JINJA_TEST:
		a = mote_jinja_eval(j, e->a, scope);
		return apply(j, e, a, scope);
	default:
		a = mote_jinja_eval(j, e->a, scope);
		b = mote_jinja_eval(j, e->b, scope);
		j->at = e->at;
		return mote_jinja_arithmetic(j, (enum jinja_calculation)e->op, a, b);
	}
}

struct jinja_value mote_jinja_eval(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	struct jinja_value v;

	j->at = e->at;
	mote_jinja_charge(j, 1);
	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	v = eval(j, e, scope);
	j->depth--;
	return v;
}
