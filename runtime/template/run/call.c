/* Calls: arguments evaluated, and what can be called. Positional arguments are evaluated first, then * and **, then
 * keywords; nothing is called before all of them are there.
 */
#include "runtime/template/run/call.h"

#include "runtime/template/parse/tree.h"
#include "runtime/template/run/evaluate.h"
#include "runtime/template/run/execute.h"
#include "runtime/template/value/container_value.h"

/* ---- arguments ---- */

static void add_keyword(struct jinja *j, struct jinja_args *args, const struct jinja_text *name, struct jinja_value v)
{
	mote_jinja_charge(j, 1 + args->n_keywords);
	for (size_t i = 0; i < args->n_keywords; i++)
		if (args->keywords[i].name->bytes == name->bytes &&
		    !memcmp(args->keywords[i].name->at, name->at, name->bytes))
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "multiple values for keyword argument");
	args->keywords[args->n_keywords].name = name;
	args->keywords[args->n_keywords++].value = v;
}

/* first, unless it is ABSENT, goes before the others: what a filter or test is applied to. */
void mote_jinja_eval_args(struct jinja *j, const struct jinja_call_args *from, struct jinja_scope *scope,
			  struct jinja_value first, struct jinja_args *out)
{
	struct jinja_value star = {.kind = JINJA_ABSENT}, star_star = star, *positional;
	size_t offset = first.kind != JINJA_ABSENT, n_keywords = 0;
	struct jinja_list *rest = NULL;

	*out = (struct jinja_args){0};
	if (!from) {
		out->values = mote_jinja_alloc_array(j, 1, sizeof *out->values);
		out->values[0] = first;
		out->count = offset;
		return;
	}
	out->values = mote_jinja_alloc_array(j, offset + from->count + 1, sizeof *out->values);
	if (offset)
		out->values[out->count++] = first;
	for (uint32_t i = 0; i < from->count; i++)
		out->values[out->count++] = mote_jinja_eval(j, from->values[i], scope);
	if (from->star)
		rest = mote_jinja_collect(j, star = mote_jinja_eval(j, from->star, scope));
	if (from->star_star) {
		star_star = mote_jinja_eval(j, from->star_star, scope);
		if (star_star.kind != JINJA_DICT)
			mote_jinja_fail_type(j, "argument after ** must be a mapping", star_star);
		n_keywords = star_star.dict->count;
	}
	if (rest && rest->count) {
		positional = out->values;
		out->values = mote_jinja_alloc_array(j, out->count + rest->count, sizeof *out->values);
		memcpy(out->values, positional, out->count * sizeof *positional);
		memcpy(out->values + out->count, rest->items, rest->count * sizeof *positional);
		out->count += rest->count;
	}
	out->keywords = mote_jinja_alloc_array(j, n_keywords + from->n_keywords, sizeof *out->keywords);
	for (uint32_t i = 0; i < from->n_keywords; i++)
		add_keyword(j, out, from->keyword_names[i], mote_jinja_eval(j, from->keywords[i], scope));
	for (size_t i = 0; i < n_keywords; i++)
		add_keyword(j, out, mote_jinja_need_text(j, star_star.dict->entries[i].key, "keyword"),
			    star_star.dict->entries[i].value);
}

static struct jinja_value joined(struct jinja *j, struct jinja_value joiner, const struct jinja_args *args)
{
	if (args->count || args->n_keywords)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "a joiner takes no arguments");
	if (joiner.cycle->next++)
		return joiner.cycle->items->items[0];
	return mote_jinja_literal(j, "");
}

struct jinja_value mote_jinja_call(struct jinja *j, struct jinja_value callee, const struct jinja_args *args)
{
	struct jinja_args with_self = *args;
	struct jinja_value v;

	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	switch (callee.kind) {
	case JINJA_MACRO:
		v = mote_jinja_call_macro(j, callee.macro, args);
		break;
	case JINJA_FUNCTION: /* the object goes first; a global has none there */
		with_self.values = mote_jinja_alloc_array(j, args->count + 1, sizeof *with_self.values);
		with_self.values[0] = callee.function->self;
		if (args->count)
			memcpy(with_self.values + 1, args->values, args->count * sizeof *args->values);
		with_self.count++;
		v = mote_jinja_invoke(j, callee.function->builtin, "function", &with_self);
		break;
	case JINJA_JOINER:
		v = joined(j, callee, args);
		break;
	case JINJA_LOOP:
		if (args->count != 1 || args->n_keywords)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "loop() takes one argument");
		v = mote_jinja_string(mote_jinja_recurse(j, callee.loop, args->values[0]));
		break;
	case JINJA_UNDEFINED:
		mote_jinja_fail_undefined(j, callee);
	default:
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' object is not callable", mote_jinja_type(callee));
	}
	j->depth--;
	return v;
}
