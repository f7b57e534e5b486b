/* Expressions: from tree to value. */
#include "runtime/template/template_internal.h"

#include <stdio.h>

/* ---- variables ---- */

static struct jinja_value lookup(struct jinja *j, uint32_t name, const struct jinja_scope *scope)
{
	struct jinja_value v = { .kind = JINJA_ABSENT };

	for (; scope; scope = scope->parent) {
		for (uint32_t i = scope->count; i--;) {
			if (scope->bindings[i].name != name)
				continue;
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
	scope->bindings[scope->count++] = (struct jinja_binding){ .name = name, .value = v };
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
		owner = lookup(j, target->name, scope);
		if (owner.kind != JINJA_NAMESPACE)
			mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "cannot assign an attribute to what is no namespace");
		mote_jinja_set(j, owner.dict, target->value, v);
		break;
	default:
		unpack(j, target, v, scope);
		break;
	}
}

/* ---- attributes and elements ---- */

static struct jinja_value unsafe(struct jinja *j, struct jinja_value v, const struct jinja_text *name)
{
	struct jinja_builder b;

	mote_jinja_begin(&b, j);
	mote_jinja_put_string(&b, "access to attribute '", false);
	mote_jinja_put(&b, name->at, name->bytes, false);
	mote_jinja_put_string(&b, "' of '", false);
	mote_jinja_put_string(&b, mote_jinja_type(v), false);
	mote_jinja_put_string(&b, "' object is unsafe", false);
	mote_jinja_put(&b, "", 1, false);
	return mote_jinja_undefined(j, mote_jinja_end(&b)->at, name, (enum jinja_kind)v.kind);
}

static struct jinja_value cycler_attribute(struct jinja_value v, const struct jinja_text *name)
{
	if (mote_jinja_text_is(name, "current"))
		return v.cycle->items->items[v.cycle->next];
	if (mote_jinja_text_is(name, "items"))
		return mote_jinja_tuple(v.cycle->items);
	if (mote_jinja_text_is(name, "pos"))
		return mote_jinja_int((int64_t)v.cycle->next);
	return (struct jinja_value){ .kind = JINJA_ABSENT };
}

static struct jinja_value range_attribute(const struct jinja_range *r, const struct jinja_text *name)
{
	if (mote_jinja_text_is(name, "start"))
		return mote_jinja_int(r->start);
	if (mote_jinja_text_is(name, "stop"))
		return mote_jinja_int(r->stop);
	if (mote_jinja_text_is(name, "step"))
		return mote_jinja_int(r->step);
	return (struct jinja_value){ .kind = JINJA_ABSENT };
}

/* What Python's getattr() finds, or ABSENT. */
static struct jinja_value attribute(struct jinja *j, struct jinja_value v, const struct jinja_text *name)
{
	struct jinja_value found = { .kind = JINJA_ABSENT };
	const struct jinja_value *member;
	const struct jinja_builtin *method;

	if (v.kind == JINJA_NAMESPACE) {
		member = mote_jinja_get(j, v.dict, mote_jinja_string(name));
		return member ? *member : found;
	}
	if (v.kind == JINJA_LOOP)
		found = mote_jinja_loop_attribute(j, v.loop, name);
	else if (v.kind == JINJA_CYCLER)
		found = cycler_attribute(v, name);
	else if (v.kind == JINJA_RANGE)
		found = range_attribute(v.range, name);
	else if (v.kind == JINJA_MACRO && mote_jinja_text_is(name, "name") && v.macro->name)
		found = mote_jinja_string(v.macro->name);
	else if (v.kind == JINJA_TUPLE && v.list->group && mote_jinja_text_is(name, "grouper"))
		found = v.list->items[0];
	else if (v.kind == JINJA_TUPLE && v.list->group && mote_jinja_text_is(name, "list"))
		found = v.list->items[1];
	if (found.kind != JINJA_ABSENT)
		return found;
	if (mote_jinja_mutates(v, name))
		return unsafe(j, v, name);
	method = mote_jinja_find_method(v, name);
	if (method)
		return mote_jinja_bound(j, method, v);
	return found;
}

/* Python's names with two underscores exist on every object, and the sandbox keeps them. */
static bool is_private(const struct jinja_text *name)
{
	return name->bytes > 4 && !memcmp(name->at, "__", 2) && !memcmp(name->at + name->bytes - 2, "__", 2);
}

static bool element(struct jinja *j, struct jinja_value v, struct jinja_value key, struct jinja_value *out)
{
	const struct jinja_value *member;
	const struct jinja_text *t;
	int64_t i, length;
	uint64_t hash;
	size_t from;

	if (v.kind == JINJA_DICT) {
		if (!mote_jinja_hash(j, key, &hash))
			return false;
		member = mote_jinja_get(j, v.dict, key);
		if (member)
			*out = *member;
		return member != NULL;
	}
	if (!mote_jinja_integral(key, &i))
		return false;
	if (v.kind != JINJA_LIST && v.kind != JINJA_TUPLE && v.kind != JINJA_STRING && v.kind != JINJA_RANGE)
		return false;
	length = mote_jinja_length(j, v);
	if (i < -length || i >= length)
		return false;
	if (i < 0)
		i += length;
	if (v.kind == JINJA_STRING) {
		from = mote_jinja_byte_of(j, v.text, (size_t)i);
		t = mote_jinja_slice(j, v.text, from, from + 1);
		while (from + t->bytes < v.text->bytes && ((unsigned char)v.text->at[from + t->bytes] & 0xc0) == 0x80)
			t = mote_jinja_slice(j, v.text, from, from + t->bytes + 1);
		*out = mote_jinja_string(t);
	} else if (v.kind == JINJA_RANGE) {
		*out = mote_jinja_int(v.range->start + i * v.range->step);
	} else {
		*out = v.list->items[i];
	}
	return true;
}

struct jinja_value mote_jinja_getattr(struct jinja *j, struct jinja_value v, struct jinja_value name)
{
	struct jinja_value found;

	if (v.kind == JINJA_UNDEFINED && !is_private(name.text))
		mote_jinja_fail_undefined(j, v);
	found = attribute(j, v, name.text);
	if (found.kind != JINJA_ABSENT)
		return found;
	if (v.kind == JINJA_DICT && element(j, v, name, &found))
		return found;
	if (is_private(name.text))
		return unsafe(j, v, name.text);
	return mote_jinja_undefined(j, NULL, name.text, (enum jinja_kind)v.kind);
}

struct jinja_value mote_jinja_getitem(struct jinja *j, struct jinja_value v, struct jinja_value key)
{
	struct jinja_value found;

	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	if (element(j, v, key, &found))
		return found;
	if (key.kind != JINJA_STRING)
		return mote_jinja_undefined(j, NULL, NULL, (enum jinja_kind)v.kind);
	found = attribute(j, v, key.text);
	if (found.kind != JINJA_ABSENT)
		return found;
	if (is_private(key.text))
		return unsafe(j, v, key.text);
	return mote_jinja_undefined(j, NULL, key.text, (enum jinja_kind)v.kind);
}

/* ---- slices ---- */

static int64_t slice_index(struct jinja *j, struct jinja_value v, int64_t absent)
{
	return v.kind == JINJA_NONE || v.kind == JINJA_ABSENT ? absent : mote_jinja_need_int(j, v, "slice index");
}

static int64_t clamp(int64_t i, int64_t length, int64_t low, int64_t high)
{
	if (i < 0)
		i = i < -length ? low : i + length;
	return i < low ? low : i > high ? high : i;
}

static struct jinja_value slice_text(struct jinja *j, const struct jinja_text *t, int64_t start, int64_t step,
				     int64_t count)
{
	bool ascii = mote_jinja_chars(j, t) == t->bytes;
	struct jinja_builder b;
	size_t from, to, *offsets, n = 0;

	if (step == 1 || count == 0) {
		from = mote_jinja_byte_of(j, t, (size_t)start);
		to = count ? mote_jinja_byte_of(j, t, (size_t)(start + count)) : from;
		return mote_jinja_string(mote_jinja_slice(j, t, from, to));
	}
	offsets = mote_jinja_alloc_array(j, t->chars + 1, sizeof *offsets);
	for (size_t i = 0; i < t->bytes; i++)
		if (ascii || ((unsigned char)t->at[i] & 0xc0) != 0x80)
			offsets[n++] = i;
	offsets[n] = t->bytes;
	mote_jinja_begin(&b, j);
	mote_jinja_charge(j, (uint64_t)count);
	for (int64_t k = 0; k < count; k++)
		mote_jinja_put_slice(&b, t, offsets[start + k * step], offsets[start + k * step + 1]);
	return mote_jinja_string(mote_jinja_as_markup(j, mote_jinja_end(&b), t->markup));
}

static struct jinja_value slice(struct jinja *j, struct jinja_value v, struct jinja_value a, struct jinja_value b,
				struct jinja_value c)
{
	int64_t length, start, stop, step, count = 0;
	struct jinja_range *range;
	struct jinja_list *l;

	if (v.kind == JINJA_UNDEFINED)
		mote_jinja_fail_undefined(j, v);
	if (v.kind != JINJA_STRING && v.kind != JINJA_LIST && v.kind != JINJA_TUPLE && v.kind != JINJA_RANGE)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "'%s' object cannot be sliced", mote_jinja_type(v));
	length = mote_jinja_length(j, v);
	step = slice_index(j, c, 1);
	if (!step)
		mote_jinja_fail(j, MOTE_ERROR_CORRUPT, "slice step cannot be zero");
	if (step > 0) {
		start = clamp(slice_index(j, a, 0), length, 0, length);
		stop = clamp(slice_index(j, b, length), length, 0, length);
		if (start < stop)
			count = (stop - start - 1) / step + 1;
	} else {
		start = a.kind == JINJA_NONE || a.kind == JINJA_ABSENT ? length - 1 :
			clamp(slice_index(j, a, 0), length, -1, length - 1);
		stop = b.kind == JINJA_NONE || b.kind == JINJA_ABSENT ? -1 :
			clamp(slice_index(j, b, 0), length, -1, length - 1);
		if (step < -length - 1)
			step = -length - 1;
		if (stop < start)
			count = (start - stop - 1) / -step + 1;
	}
	if (v.kind == JINJA_STRING)
		return slice_text(j, v.text, start, step, count);
	if (v.kind == JINJA_RANGE) {
		range = mote_jinja_alloc(j, sizeof *range);
		*range = (struct jinja_range){ v.range->start + start * v.range->step, 0, v.range->step * step, count };
		range->stop = v.range->start + stop * v.range->step;
		v.range = range;
		return v;
	}
	l = mote_jinja_new_list(j, (size_t)count);
	for (int64_t k = 0; k < count; k++)
		mote_jinja_append(j, l, v.list->items[start + k * step]);
	v.list = l;
	return v;
}

/* ---- the rest ---- */

static struct jinja_value optional(struct jinja *j, const struct jinja_expr *e, struct jinja_scope *scope)
{
	return e ? mote_jinja_eval(j, e, scope) : (struct jinja_value){ .kind = JINJA_ABSENT };
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

	mote_jinja_eval_args(j, e->args, scope, (struct jinja_value){ .kind = JINJA_ABSENT }, &args);
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
		return lookup(j, e->name, scope);
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
		return slice(j, a, b, c, d);
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
		return mote_jinja_arithmetic(j, (enum jinja_op)e->op, a, b);
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
