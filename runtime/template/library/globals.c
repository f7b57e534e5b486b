/* The global functions of transformers' environment. A template finds one where the context has no variable of that
 * name.
 */
#include <time.h>

#include "runtime/template/library/library.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

#define MAX_RANGE 100000 /* items: Jinja2's sandbox */

static struct jinja_value make_range(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_range *r = mote_jinja_alloc(j, sizeof *r);
	struct jinja_value v = {.kind = JINJA_RANGE, .range = r};
	int64_t first = mote_jinja_need_int(j, args[1], "range() argument"), low, high;
	uint64_t distance, step;

	(void)b;
	*r = (struct jinja_range){.start = 0, .stop = first, .step = 1};
	if (args[2].kind != JINJA_ABSENT) {
		r->start = first;
		r->stop = mote_jinja_need_int(j, args[2], "range() argument");
	}
	if (args[3].kind != JINJA_ABSENT)
		r->step = mote_jinja_need_int(j, args[3], "range() argument");
	if (!r->step)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "range() step must not be zero");
	low = r->step > 0 ? r->start : r->stop;
	high = r->step > 0 ? r->stop : r->start;
	if (low < high) {
		distance = (uint64_t)high - (uint64_t)low - 1;
		step = r->step > 0 ? (uint64_t)r->step : 0 - (uint64_t)r->step;
		if (distance / step >= MAX_RANGE)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "range too big: more than %d items", MAX_RANGE);
		r->count = (int64_t)(distance / step) + 1;
	}
	return v;
}

/* dict(mapping or pairs, **more); namespace() likewise */
static struct jinja_value make_dict(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	struct jinja_value v = mote_jinja_dict(mote_jinja_new_dict(j)), item, pair[3];
	struct jinja_iter it, inner;
	size_t n;

	if (args->count > 2)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s expected at most 1 argument, got %zu", b->name,
				args->count - 1);
	if (args->count == 2 && args->values[1].kind == JINJA_DICT) {
		v = mote_jinja_copy_dict(j, args->values[1].dict, args->values[1].plain);
	} else if (args->count == 2) {
		if (args->values[1].kind == JINJA_UNDEFINED)
			mote_jinja_fail_undefined(j, args->values[1]);
		for (it = mote_jinja_iterate(j, args->values[1]); mote_jinja_next(j, &it, &item);) {
			inner = mote_jinja_iterate(j, item);
			for (n = 0; n < 3 && mote_jinja_next(j, &inner, &pair[n]); n++)
				;
			if (n != 2)
				mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s expects pairs", b->name);
			mote_jinja_set(j, v.dict, pair[0], pair[1]);
		}
	}
	for (size_t i = 0; i < args->n_keywords; i++)
		mote_jinja_set(j, v.dict, mote_jinja_string(args->keywords[i].name), args->keywords[i].value);
	if (b->detail)
		v.kind = JINJA_NAMESPACE;
	return v;
}

static struct jinja_value make_cycler(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args)
{
	struct jinja_cycle *c = mote_jinja_alloc(j, sizeof *c);
	struct jinja_list *items = mote_jinja_new_list(j, args->count);

	(void)b;
	if (args->count < 2 || args->n_keywords)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "cycler needs at least one item");
	for (size_t i = 1; i < args->count; i++)
		mote_jinja_append(j, items, args->values[i]);
	c->items = items;
	return (struct jinja_value){.kind = JINJA_CYCLER, .cycle = c};
}

static struct jinja_value make_joiner(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_cycle *c = mote_jinja_alloc(j, sizeof *c);
	struct jinja_list *items = mote_jinja_new_list(j, 1);

	(void)b;
	mote_jinja_append(j, items, args[1].kind == JINJA_ABSENT ? mote_jinja_literal(j, ", ") : args[1]);
	c->items = items;
	return (struct jinja_value){.kind = JINJA_JOINER, .cycle = c};
}

static struct jinja_value raise_exception(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	const struct jinja_text *t = mote_jinja_str(j, args[1]);

	(void)b;
	mote_jinja_fail_bare(j, MOTE_ERROR_ARGUMENT, "the chat template refuses: %.*s",
			     (int)(t->bytes < 600 ? t->bytes : 600), t->at);
}

/* As datetime.now().strftime(): the time of day where the machine is (TZ), which knows no zone, so that the zone's
 * directives are empty. The others are the C library's, one at a time: a directive may come out empty (%p in some
 * locales), so each has a character before it, and nothing at all means that the field did not fit. */
static const struct jinja_text *strftime_text(struct jinja *j, const struct jinja_text *format)
{
	time_t now = (time_t)j->now;
	struct jinja_builder b;
	size_t at = 0, end, n;
	char directive[20] = "|", out[256];
	struct tm tm;

	if (!localtime_r(&now, &tm))
		mote_jinja_fail(j, MOTE_ERROR_ARGUMENT, "strftime_now: no such time");
	mote_jinja_begin(&b, j);
	while (at < format->bytes) {
		mote_jinja_charge(j, 4);
		for (end = at; end < format->bytes && format->at[end] != '%'; end++)
			;
		mote_jinja_put_slice(&b, format, at, end);
		at = end;
		if (at == format->bytes)
			break;
		end++;
		while (end < format->bytes && format->at[end] && strchr("_-^#EO0123456789", format->at[end]))
			end++;
		end += end < format->bytes;
		if (end - at < 2) { /* a last % stays */
			mote_jinja_put_slice(&b, format, at, end);
			break;
		}
		if (end - at > sizeof directive - 2)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "strftime_now: a directive of %zu characters", end - at);
		memcpy(directive + 1, format->at + at, end - at);
		directive[1 + end - at] = 0;
		if (format->at[end - 1] == 'f') {
			mote_jinja_put(&b, "000000", 6, false);
		} else if (format->at[end - 1] != 'z' && format->at[end - 1] != 'Z') {
			n = strftime(out, sizeof out, directive, &tm);
			if (!n)
				mote_jinja_fail(j, MOTE_ERROR_LIMIT,
						"strftime_now: '%s' makes more than %zu characters", directive + 1,
						sizeof out - 2);
			mote_jinja_put(&b, out + 1, n - 1, false);
		}
		at = end;
	}
	return mote_jinja_end(&b);
}

static struct jinja_value strftime_now(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	(void)b;
	return mote_jinja_string(strftime_text(j, mote_jinja_need_text(j, args[1], "format")));
}

struct jinja_value mote_jinja_global(struct jinja *j, const struct jinja_text *name)
{
	static const struct jinja_builtin globals[] = {
		{.name = "range", .call = make_range, .parameters = "start stop step", .required = 1,
		 .positional = true},
		{.name = "dict", .raw = make_dict},
		{.name = "namespace", .raw = make_dict, .detail = 1},
		{.name = "cycler", .raw = make_cycler},
		{.name = "joiner", .call = make_joiner, .parameters = "sep"},
		{.name = "raise_exception", .call = raise_exception, .parameters = "message", .required = 1},
		{.name = "strftime_now", .call = strftime_now, .parameters = "format", .required = 1},
	};
	struct jinja_value none = {.kind = JINJA_ABSENT};
	const struct jinja_builtin *b;

	b = mote_jinja_lookup(globals, sizeof globals / sizeof globals[0], name->at, name->bytes);
	return b ? mote_jinja_bound(j, b, none) : none;
}
