/* Statements: output, scopes, loops, macros. Scopes nest as Jinja2's do: loop bodies, macros, blocks that
 * capture and "with" have one of their own, "if" has none; what is set in one is gone after it.
 *
 * Output goes to j->out. What captures (a macro, {% set %}, {% filter %}) puts a builder of its own there and the old
 * one back afterwards; nothing in between can leave it there, since a failure ends the whole run.
 */
#include "runtime/template/run/execute.h"

#include "runtime/template/parse/tree.h"
#include "runtime/template/run/call.h"
#include "runtime/template/run/evaluate.h"
#include "runtime/template/run/loop.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

static enum flow run(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope);

/* Runs body; *out is what it printed. */
static enum flow capture(struct jinja *j, const struct jinja_stmt *body, struct jinja_scope *scope,
			 const struct jinja_text **out)
{
	struct jinja_builder *outer = j->out, b;
	enum flow flow;

	mote_jinja_begin(&b, j);
	j->out = &b;
	flow = run(j, body, scope);
	j->out = outer;
	*out = mote_jinja_end(&b);
	return flow;
}

/* What blocks write goes out as it is: a filter that made a number of the text is an error, as in Jinja2. */
static void write_text(struct jinja *j, struct jinja_value v)
{
	mote_jinja_put_text(j->out, mote_jinja_need_text(j, v, "what a block writes"));
}

/* ---- loops ---- */

/* Returns what break or continue in the "else" part means for the loop around. */
static enum flow run_loop(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope,
			  struct jinja_value of, int64_t depth0)
{
	struct jinja_loop *l = mote_jinja_alloc(j, sizeof *l);
	struct jinja_scope *inner = mote_jinja_new_scope(j, scope, NULL);
	struct jinja_value v;
	enum flow flow = FLOW_NEXT;
	bool completed = false;

	*l = (struct jinja_loop){ .stmt = s, .outer = scope, .iter = mote_jinja_iterate(j, of), .index0 = -1,
				  .length = -1, .depth0 = depth0 };
	while (flow != FLOW_BREAK) {
		if (l->after.kind != JINJA_ABSENT) {
			v = l->after;
			l->after.kind = JINJA_ABSENT;
		} else if (!mote_jinja_advance(j, l, &v)) {
			break;
		}
		l->index0++;
		l->before = l->current;
		l->current = v;
		if (s->captures) /* a macro defined in the body keeps this round's scope */
			inner = mote_jinja_new_scope(j, scope, NULL);
		inner->count = 0;
		mote_jinja_bind_missing(j, inner, &s->missing);
		mote_jinja_bind(j, inner, JINJA_NAME_LOOP, (struct jinja_value){.kind = JINJA_LOOP, .loop = l});
		mote_jinja_assign(j, s->target, v, inner);
		flow = run(j, s->body, inner);
		completed = completed || flow == FLOW_NEXT;
	}
	/* Jinja2 notes at the end of the body that there was a round: one left by break or continue does not count. */
	return completed || !s->orelse ? FLOW_NEXT
				       : run(j, s->orelse, mote_jinja_new_scope(j, scope, &s->else_missing));
}

const struct jinja_text *mote_jinja_recurse(struct jinja *j, struct jinja_loop *l, struct jinja_value of)
{
	struct jinja_builder *outer = j->out, b;

	if (!l->stmt->recursive)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "the loop must be marked 'recursive' to be called");
	mote_jinja_begin(&b, j);
	j->out = &b;
	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	run_loop(j, l->stmt, l->outer, of, l->depth0 + 1);
	j->depth--;
	j->out = outer;
	return mote_jinja_end(&b);
}

/* ---- macros ---- */

static struct jinja_value take_keyword(struct jinja_args *args, const struct jinja_text *name)
{
	struct jinja_value v = {.kind = JINJA_ABSENT};

	for (size_t i = 0; i < args->n_keywords; i++) {
		const struct jinja_text *key = args->keywords[i].name;

		if (key->bytes != name->bytes || memcmp(key->at, name->at, name->bytes))
			continue;
		v = args->keywords[i].value;
		memmove(&args->keywords[i], &args->keywords[i + 1],
			(args->n_keywords - i - 1) * sizeof *args->keywords);
		args->n_keywords--;
		break;
	}
	return v;
}

static void bind_rest(struct jinja *j, const struct jinja_macro *m, struct jinja_args *args,
		      struct jinja_scope *scope)
{
	const struct jinja_signature *sig = &m->stmt->signature;
	const char *name = m->name ? m->name->at : "caller";
	const struct jinja_text *unknown;
	struct jinja_value v;
	struct jinja_list *l;

	if (sig->uses_caller) {
		v = take_keyword(args, j->names[JINJA_NAME_CALLER]);
		if (v.kind == JINJA_ABSENT || v.kind == JINJA_NONE)
			v = mote_jinja_undefined(j, "no caller defined", NULL, JINJA_ABSENT);
		mote_jinja_bind(j, scope, JINJA_NAME_CALLER, v);
	}
	if (sig->uses_kwargs) {
		v = mote_jinja_dict(mote_jinja_new_dict(j));
		for (size_t i = 0; i < args->n_keywords; i++)
			mote_jinja_set(j, v.dict, mote_jinja_string(args->keywords[i].name), args->keywords[i].value);
		mote_jinja_bind(j, scope, JINJA_NAME_KWARGS, v);
	} else if (args->n_keywords) {
		unknown = args->keywords[0].name;
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "macro '%s' takes no keyword argument '%.*s'", name,
				(int)(unknown->bytes < 200 ? unknown->bytes : 200), unknown->at);
	}
	if (sig->uses_varargs) {
		l = mote_jinja_new_list(j, 0);
		for (size_t i = sig->count; i < args->count; i++)
			mote_jinja_append(j, l, args->values[i]);
		mote_jinja_bind(j, scope, JINJA_NAME_VARARGS, mote_jinja_tuple(l));
	} else if (args->count > sig->count) {
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "macro '%s' takes not more than %u argument(s)", name,
				sig->count);
	}
}

static struct jinja_value not_provided(struct jinja *j, uint32_t name)
{
	struct jinja_builder b;

	mote_jinja_begin(&b, j);
	mote_jinja_put_string(&b, "parameter '", false);
	mote_jinja_put_text(&b, j->names[name]);
	mote_jinja_put_string(&b, "' was not provided", false);
	mote_jinja_put(&b, "", 1, false);
	return mote_jinja_undefined(j, mote_jinja_end(&b)->at, j->names[name], JINJA_ABSENT);
}

struct jinja_value mote_jinja_call_macro(struct jinja *j, const struct jinja_macro *m, const struct jinja_args *given)
{
	const struct jinja_signature *sig = &m->stmt->signature;
	struct jinja_scope *scope = mote_jinja_new_scope(j, m->scope, NULL);
	struct jinja_args args = *given;
	const struct jinja_text *text;
	struct jinja_value v;

	args.keywords = mote_jinja_alloc_array(j, given->n_keywords, sizeof *args.keywords);
	if (given->n_keywords)
		memcpy(args.keywords, given->keywords, given->n_keywords * sizeof *args.keywords);
	for (uint32_t i = 0; i < sig->count; i++) {
		if (i < args.count)
			v = args.values[i];
		else
			v = take_keyword(&args, j->names[sig->names[i]]);
		mote_jinja_bind(j, scope, sig->names[i], v);
	}
	bind_rest(j, m, &args, scope);
	mote_jinja_bind_missing(j, scope, &m->stmt->missing);
	for (uint32_t i = 0; i < sig->count; i++) { /* a default may use the arguments before it */
		if (scope->bindings[i].value.kind != JINJA_ABSENT)
			continue;
		v = sig->defaults[i] ? mote_jinja_eval(j, sig->defaults[i], scope) : not_provided(j, sig->names[i]);
		scope->bindings[i].value = v;
	}
	capture(j, m->stmt->body, scope, &text);
	return mote_jinja_string(text);
}

static struct jinja_value new_macro(struct jinja *j, const struct jinja_stmt *s, const struct jinja_text *name,
				    struct jinja_scope *scope)
{
	struct jinja_macro *m = mote_jinja_alloc(j, sizeof *m);

	*m = (struct jinja_macro){.stmt = s, .name = name, .scope = scope};
	return (struct jinja_value){.kind = JINJA_MACRO, .macro = m};
}

static void call_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_value callee = mote_jinja_eval(j, s->expr->a, scope);
	struct jinja_keyword *keywords;
	struct jinja_args args;

	mote_jinja_eval_args(j, s->expr->args, scope, (struct jinja_value){.kind = JINJA_ABSENT}, &args);
	keywords = mote_jinja_alloc_array(j, args.n_keywords + 1, sizeof *keywords);
	if (args.n_keywords)
		memcpy(keywords, args.keywords, args.n_keywords * sizeof *keywords);
	keywords[args.n_keywords].name = j->names[JINJA_NAME_CALLER];
	keywords[args.n_keywords].value = new_macro(j, s, NULL, scope);
	args.keywords = keywords;
	args.n_keywords++;
	j->at = s->expr->at;
	write_text(j, mote_jinja_call(j, callee, &args));
}

/* transformers makes it a call block, so that its body is a macro's. */
static void generate(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_value v = mote_jinja_call_macro(j, new_macro(j, s, NULL, scope).macro, &(struct jinja_args){0});

	mote_jinja_put_text(j->out, mote_jinja_as_generated(j, v.text));
}

/* ---- the rest ---- */

static enum flow run_with(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = mote_jinja_new_scope(j, scope, &s->missing);

	for (uint32_t i = 0; i < s->n_list; i++)
		mote_jinja_assign(j, s->targets[i], mote_jinja_eval(j, s->values[i], scope), inner);
	return run(j, s->body, inner);
}

static enum flow filter_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = mote_jinja_new_scope(j, scope, &s->missing);
	const struct jinja_text *text;
	enum flow flow = capture(j, s->body, inner, &text);

	if (flow == FLOW_NEXT)
		write_text(j, mote_jinja_apply_filter(j, s->expr, mote_jinja_string(text), inner));
	return flow;
}

static enum flow set_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = mote_jinja_new_scope(j, scope, &s->missing);
	const struct jinja_text *text;
	enum flow flow = capture(j, s->body, inner, &text);
	struct jinja_value v = mote_jinja_string(text);

	if (flow != FLOW_NEXT)
		return flow;
	if (s->expr)
		v = mote_jinja_apply_filter(j, s->expr, v, inner);
	mote_jinja_assign(j, s->target, v, scope);
	return FLOW_NEXT;
}

static enum flow run_if(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	for (;;) {
		if (mote_jinja_truth(j, mote_jinja_eval(j, s->expr, scope)))
			return run(j, s->body, scope);
		s = s->orelse;
		if (!s || s->op != JINJA_IF || !s->is_elif)
			return run(j, s, scope);
	}
}

static enum flow step(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	switch (s->op) {
	case JINJA_DATA:
		mote_jinja_put_text(j->out, s->data);
		break;
	case JINJA_OUTPUT:
		mote_jinja_print(j->out, mote_jinja_eval(j, s->expr, scope));
		break;
	case JINJA_FOR:
		return run_loop(j, s, scope, mote_jinja_eval(j, s->expr, scope), 0);
	case JINJA_IF:
		return run_if(j, s, scope);
	case JINJA_SET:
		mote_jinja_assign(j, s->target, mote_jinja_eval(j, s->expr, scope), scope);
		break;
	case JINJA_SET_BLOCK:
		return set_block(j, s, scope);
	case JINJA_MACRO_DEF:
		mote_jinja_bind(j, scope, s->name, new_macro(j, s, j->names[s->name], scope));
		break;
	case JINJA_CALL_BLOCK:
		call_block(j, s, scope);
		break;
	case JINJA_FILTER_BLOCK:
		return filter_block(j, s, scope);
	case JINJA_WITH:
		return run_with(j, s, scope);
	case JINJA_GENERATION:
		generate(j, s, scope);
		break;
	case JINJA_BREAK:
		return FLOW_BREAK;
	default:
		return FLOW_CONTINUE;
	}
	return FLOW_NEXT;
}

static enum flow run(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	enum flow flow = FLOW_NEXT;

	mote_jinja_enter(j, JINJA_MAX_DEPTH);
	for (; s && flow == FLOW_NEXT; s = s->next) {
		mote_jinja_charge(j, 1);
		j->at = s->at;
		flow = step(j, s, scope);
	}
	j->depth--;
	return flow;
}

void mote_jinja_run(struct jinja *j, const struct jinja_stmt *s)
{
	run(j, s, NULL);
}
