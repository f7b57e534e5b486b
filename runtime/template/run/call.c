/* Calls: arguments, what can be called, and the global functions of transformers' environment. */
#include "runtime/template/template_internal.h"

#include <time.h>

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
	struct jinja_value star = { .kind = JINJA_ABSENT }, star_star = star, *positional;
	size_t offset = first.kind != JINJA_ABSENT, n_keywords = 0;
	struct jinja_list *rest = NULL;

	*out = (struct jinja_args){ 0 };
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

/* Index of name in a list "a b c", or -1. */
static int parameter(const char *parameters, const struct jinja_text *name)
{
	int index = 0;
	size_t n;

	for (; *parameters; index++) {
		n = strcspn(parameters, " ");
		if (n == name->bytes && !memcmp(parameters, name->at, n))
			return index;
		parameters += n + (parameters[n] == ' ');
	}
	return -1;
}

static int count_parameters(const char *parameters)
{
	int n = *parameters != 0;

	for (; *parameters; parameters++)
		n += *parameters == ' ';
	return n;
}

struct jinja_value mote_jinja_invoke(struct jinja *j, const struct jinja_builtin *b, const char *kind,
				     const struct jinja_args *args)
{
	struct jinja_value bound[JINJA_MAX_PARAMETERS + 1] = { 0 };
	int n, at;

	if (b->raw)
		return b->raw(j, b, args);
	n = count_parameters(b->parameters);
	if (args->count > (size_t)n + 1)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s '%s' takes at most %d arguments, got %zu", kind,
				b->name, n, args->count - 1);
	for (size_t i = 0; i < args->count; i++)
		bound[i] = args->values[i];
	for (size_t i = 0; i < args->n_keywords; i++) {
		const struct jinja_text *name = args->keywords[i].name;

		at = b->positional ? -1 : parameter(b->parameters, name);
		if (at < 0)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s '%s' has no keyword argument '%.*s'", kind,
					b->name, (int)(name->bytes < 100 ? name->bytes : 100), name->at);
		if (bound[at + 1].kind != JINJA_ABSENT)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s '%s' got an argument twice", kind, b->name);
		bound[at + 1] = args->keywords[i].value;
	}
	for (int i = 1; i <= b->required; i++)
		if (bound[i].kind == JINJA_ABSENT)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "%s '%s' needs %u argument(s)", kind, b->name,
					b->required);
	return b->call(j, b, bound);
}

struct jinja_value mote_jinja_bound(struct jinja *j, const struct jinja_builtin *b, struct jinja_value self)
{
	struct jinja_function *f = mote_jinja_alloc(j, sizeof *f);

	*f = (struct jinja_function){ .builtin = b, .self = self };
	return (struct jinja_value){ .kind = JINJA_FUNCTION, .function = f };
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

/* ---- globals ---- */

static struct jinja_value make_range(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_range *r = mote_jinja_alloc(j, sizeof *r);
	struct jinja_value v = { .kind = JINJA_RANGE, .range = r };
	int64_t first = mote_jinja_need_int(j, args[1], "range() argument"), low, high;
	uint64_t distance, step;

	(void)b;
	*r = (struct jinja_range){ .start = 0, .stop = first, .step = 1 };
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
		if (distance / step >= JINJA_MAX_RANGE)
			mote_jinja_fail(j, MOTE_ERROR_LIMIT, "range too big: more than %d items", JINJA_MAX_RANGE);
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
	return (struct jinja_value){ .kind = JINJA_CYCLER, .cycle = c };
}

static struct jinja_value make_joiner(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	struct jinja_cycle *c = mote_jinja_alloc(j, sizeof *c);
	struct jinja_list *items = mote_jinja_new_list(j, 1);

	(void)b;
	mote_jinja_append(j, items, args[1].kind == JINJA_ABSENT ? mote_jinja_literal(j, ", ") : args[1]);
	c->items = items;
	return (struct jinja_value){ .kind = JINJA_JOINER, .cycle = c };
}

static struct jinja_value raise_exception(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)
{
	const struct jinja_text *t = mote_jinja_str(j, args[1]);

	(void)b;
	mote_jinja_fail_bare(j, MOTE_ERROR_ARGUMENT, "the chat template refuses: %.*s",
			     (int)(t->bytes < 600 ? t->bytes : 600), t->at);
}

/* As datetime.strftime of a time without zone: directives of the C library, zone ones empty. */
static const struct jinja_text *strftime_text(struct jinja *j, const struct jinja_text *format)
{
	time_t now = (time_t)j->now;
	struct jinja_builder b;
	size_t at = 0, end, n;
	char directive[16], out[256];
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		mote_jinja_fail(j, MOTE_ERROR_ARGUMENT, "strftime_now: no such time");
	mote_jinja_begin(&b, j);
	while (at < format->bytes) {
		for (end = at; end < format->bytes && format->at[end] != '%'; end++)
			;
		mote_jinja_put_slice(&b, format, at, end);
		at = end;
		if (at == format->bytes)
			break;
		for (end++; end < format->bytes && format->at[end] && strchr("_-0^#EO", format->at[end]); end++)
			;
		end += end < format->bytes;
		if (end - at >= sizeof directive || end - at < 2) {
			mote_jinja_put_slice(&b, format, at, end);
			at = end;
			continue;
		}
		memcpy(directive, format->at + at, end - at);
		directive[end - at] = 0;
		if (format->at[end - 1] == 'f') {
			mote_jinja_put(&b, "000000", 6, false);
		} else if (format->at[end - 1] != 'z' && format->at[end - 1] != 'Z') {
			n = strftime(out, sizeof out, directive, &tm);
			mote_jinja_put(&b, out, n, false);
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
		{ .name = "range", .call = make_range, .parameters = "start stop step", .required = 1, .positional = true },
		{ .name = "dict", .raw = make_dict },
		{ .name = "namespace", .raw = make_dict, .detail = 1 },
		{ .name = "cycler", .raw = make_cycler },
		{ .name = "joiner", .call = make_joiner, .parameters = "sep" },
		{ .name = "raise_exception", .call = raise_exception, .parameters = "message", .required = 1 },
		{ .name = "strftime_now", .call = strftime_now, .parameters = "format", .required = 1 },
	};
	struct jinja_value none = { .kind = JINJA_ABSENT };
	const struct jinja_builtin *b;

	b = mote_jinja_lookup(globals, sizeof globals / sizeof globals[0], name->at, name->bytes);
	return b ? mote_jinja_bound(j, b, none) : none;
}
