/* A loop's iteration, and the variable "loop".
 *
 * "after" holds the item that loop.last or loop.nextitem looked ahead to, JINJA_ABSENT when none did; run_loop()
 * takes it before it advances. A length that nobody asks for is never counted.
 */
#include "runtime/template/run/loop.h"

#include "runtime/template/parse/tree.h"
#include "runtime/template/run/evaluate.h"
#include "runtime/template/value/builtin.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"

bool mote_jinja_advance(struct jinja *j, struct jinja_loop *l, struct jinja_value *out)
{
	struct jinja_scope *scope;

	while (mote_jinja_next(j, &l->iter, out)) {
		if (!l->stmt->test)
			return true;
		scope = mote_jinja_new_scope(j, l->outer, NULL);
		mote_jinja_assign(j, l->stmt->target, *out, scope);
		if (mote_jinja_truth(j, mote_jinja_eval(j, l->stmt->test, scope)))
			return true;
	}
	return false;
}

static bool peek(struct jinja *j, struct jinja_loop *l)
{
	if (l->after.kind == JINJA_ABSENT && !mote_jinja_advance(j, l, &l->after))
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
	while (mote_jinja_advance(j, l, &v))
		mote_jinja_append(j, rest, v);
	l->length = (int64_t)rest->count + l->index0 + 1 + (l->after.kind != JINJA_ABSENT);
	l->iter = (struct jinja_iter){.of = mote_jinja_list(rest)};
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
	static const struct jinja_builtin cycle_method = {.name = "cycle", .raw = cycle};
	static const struct jinja_builtin changed_method = {.name = "changed", .raw = changed};
	struct jinja_value self = {.kind = JINJA_LOOP, .loop = l};

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
	return (struct jinja_value){.kind = JINJA_ABSENT};
}
