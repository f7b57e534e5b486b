/* Statements: output, scopes, loops, macros. Scopes nest as Jinja2's do: loop bodies, macros, blocks that
 * capture and "with" have one of their own, "if" has none; what is set in one is gone after it.
 */
#include "runtime/template/template_internal.h"

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

static enum flow run(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope);

static void bind_missing(struct jinja *j, struct jinja_scope *scope, const struct jinja_missing *missing)
{
	for (uint32_t i = 0; i < missing->count; i++)
		mote_jinja_bind(j, scope, missing->names[i], (struct jinja_value){ .kind = JINJA_ABSENT });
}

static struct jinja_scope *new_scope(struct jinja *j, struct jinja_scope *parent, const struct jinja_missing *missing)
{
	struct jinja_scope *scope = mote_jinja_alloc(j, sizeof *scope);

	scope->parent = parent;
	if (missing)
		bind_missing(j, scope, missing);
	return scope;
}

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

static bool advance(struct jinja *j, struct jinja_loop *l, struct jinja_value *out)
{
	struct jinja_scope *scope;

	while (mote_jinja_next(j, &l->iter, out)) {
		if (!l->stmt->test)
			return true;
		scope = new_scope(j, l->outer, NULL);
		mote_jinja_assign(j, l->stmt->target, *out, scope);
		if (mote_jinja_truth(j, mote_jinja_eval(j, l->stmt->test, scope)))
			return true;
	}
	return false;
}

static bool peek(struct jinja *j, struct jinja_loop *l)
{
	if (l->after.kind == JINJA_ABSENT && !advance(j, l, &l->after))
		l->after.kind = JINJA_ABSENT;
	return l->after.kind != JINJA_ABSENT;
}

/* Of an iterable without a length, the rest is taken now. */
static int64_t loop_length(struct jinja *j, struct jinja_loop *l)
{
	struct jinja_list *rest;
	struct jinja_value v;

	if (l->length >= 0)
		return l->length;
	if (!l->stmt->test)
		l->length = mote_jinja_length(j, l->iter.of);
	if (l->length >= 0)
		return l->length;
	rest = mote_jinja_new_list(j, 0);
	while (advance(j, l, &v))
		mote_jinja_append(j, rest, v);
	l->length = (int64_t)rest->count + l->index0 + 1 + (l->after.kind != JINJA_ABSENT);
	l->iter = (struct jinja_iter){ .of = mote_jinja_list(rest) };
	return l->length;
}

static struct jinja_value cycle(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	int64_t count = (int64_t)args->count - 1;

	(void)b;
	if (count < 1)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "no items for cycling given");
	return args->values[1 + args->values[0].loop->index0 % count];
}

static struct jinja_value changed(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	struct jinja_loop *l = args->values[0].loop;
	struct jinja_list *now = mote_jinja_new_list(j, args->count);
	struct jinja_value v;

	(void)b;
	for (size_t i = 1; i < args->count; i++)
		mote_jinja_append(j, now, args->values[i]);
	v = mote_jinja_tuple(now);
	if (l->changed.kind != JINJA_ABSENT && mote_jinja_equal(j, l->changed, v))
		return mote_jinja_bool(false);
	l->changed = v;
	return mote_jinja_bool(true);
}

struct jinja_value mote_jinja_loop_attribute(struct jinja *j, struct jinja_loop *l, const struct jinja_text *name)
{
	static const struct jinja_builtin cycle_method = { .name = "cycle", .raw = cycle };
	static const struct jinja_builtin changed_method = { .name = "changed", .raw = changed };
	struct jinja_value self = { .kind = JINJA_LOOP, .loop = l };

	if (mote_jinja_text_is(name, "index"))
		return mote_jinja_int(l->index0 + 1);
	if (mote_jinja_text_is(name, "index0"))
		return mote_jinja_int(l->index0);
	if (mote_jinja_text_is(name, "first"))
		return mote_jinja_bool(l->index0 == 0);
	if (mote_jinja_text_is(name, "last"))
		return mote_jinja_bool(!peek(j, l));
	if (mote_jinja_text_is(name, "length"))
		return mote_jinja_int(loop_length(j, l));
	if (mote_jinja_text_is(name, "revindex"))
		return mote_jinja_int(loop_length(j, l) - l->index0);
	if (mote_jinja_text_is(name, "revindex0"))
		return mote_jinja_int(loop_length(j, l) - l->index0 - 1);
	if (mote_jinja_text_is(name, "depth"))
		return mote_jinja_int(l->depth0 + 1);
	if (mote_jinja_text_is(name, "depth0"))
		return mote_jinja_int(l->depth0);
	if (mote_jinja_text_is(name, "previtem"))
		return l->index0 ? l->before : mote_jinja_undefined(j, "there is no previous item", NULL, JINJA_LOOP);
	if (mote_jinja_text_is(name, "nextitem"))
		return peek(j, l) ? l->after : mote_jinja_undefined(j, "there is no next item", NULL, JINJA_LOOP);
	if (mote_jinja_text_is(name, "cycle"))
		return mote_jinja_bound(j, &cycle_method, self);
	if (mote_jinja_text_is(name, "changed"))
		return mote_jinja_bound(j, &changed_method, self);
	return (struct jinja_value){ .kind = JINJA_ABSENT };
}

/* Returns what break or continue in the "else" part means for the loop around. */
static enum flow run_loop(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope,
			  struct jinja_value of, int64_t depth0)
{
	struct jinja_loop *l = mote_jinja_alloc(j, sizeof *l);
	struct jinja_scope *inner = new_scope(j, scope, NULL);
	struct jinja_value v;
	enum flow flow = FLOW_NEXT;
	bool completed = false;

	*l = (struct jinja_loop){ .stmt = s, .outer = scope, .iter = mote_jinja_iterate(j, of), .index0 = -1, .length = -1,
				  .depth0 = depth0 };
	while (flow != FLOW_BREAK) {
		if (l->after.kind != JINJA_ABSENT) {
			v = l->after;
			l->after.kind = JINJA_ABSENT;
		} else if (!advance(j, l, &v)) {
			break;
		}
		l->index0++;
		l->before = l->current;
		l->current = v;
		if (s->captures) /* a macro defined in the body keeps this round's scope */
			inner = new_scope(j, scope, NULL);
		inner->count = 0;
		bind_missing(j, inner, &s->missing);
		mote_jinja_bind(j, inner, JINJA_NAME_LOOP, (struct jinja_value){ .kind = JINJA_LOOP, .loop = l });
		mote_jinja_assign(j, s->target, v, inner);
		flow = run(j, s->body, inner);
		completed = completed || flow == FLOW_NEXT;
	}
	/* Jinja2 notes at the end of the body that there was a round: one left by break or continue does not count. */
	return completed || !s->orelse ? FLOW_NEXT : run(j, s->orelse, new_scope(j, scope, &s->else_missing));
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
	struct jinja_value v = { .kind = JINJA_ABSENT };

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
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "macro '%s' takes no keyword argument '%.*s'", name,
				(int)(args->keywords[0].name->bytes & 255), args->keywords[0].name->at);
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
	struct jinja_scope *scope = new_scope(j, m->scope, NULL);
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
	bind_missing(j, scope, &m->stmt->missing);
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

	*m = (struct jinja_macro){ .stmt = s, .name = name, .scope = scope };
	return (struct jinja_value){ .kind = JINJA_MACRO, .macro = m };
}

static void call_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_value callee = mote_jinja_eval(j, s->expr->a, scope);
	struct jinja_keyword *keywords;
	struct jinja_args args;

	mote_jinja_eval_args(j, s->expr->args, scope, (struct jinja_value){ .kind = JINJA_ABSENT }, &args);
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

/* ---- the rest ---- */

static enum flow run_with(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = new_scope(j, scope, &s->missing);

	for (uint32_t i = 0; i < s->n_list; i++)
		mote_jinja_assign(j, s->targets[i], mote_jinja_eval(j, s->values[i], scope), inner);
	return run(j, s->body, inner);
}

static enum flow filter_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = new_scope(j, scope, &s->missing);
	const struct jinja_text *text;
	enum flow flow = capture(j, s->body, inner, &text);

	if (flow == FLOW_NEXT)
		write_text(j, mote_jinja_apply_filter(j, s->expr, mote_jinja_string(text), inner));
	return flow;
}

static enum flow set_block(struct jinja *j, const struct jinja_stmt *s, struct jinja_scope *scope)
{
	struct jinja_scope *inner = new_scope(j, scope, &s->missing);
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
	case JINJA_GENERATION: /* transformers makes it a call block, so that its body is a macro's */
		write_text(j, mote_jinja_call_macro(j, new_macro(j, s, NULL, scope).macro, &(struct jinja_args){ 0 }));
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
