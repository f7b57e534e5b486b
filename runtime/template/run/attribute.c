/* Attributes and elements: v.name and v[key].
 *
 * Jinja2 has both mean nearly the same: what is not found one way is looked for the other way, and what is not found
 * at all is undefined, which is an error only when it is used. Methods come from the library, by way of j->library.
 */
#include "runtime/template/run/attribute.h"

#include <stdio.h>

#include "runtime/template/parse/tree.h"
#include "runtime/template/run/loop.h"
#include "runtime/template/value/builtin.h"
#include "runtime/template/value/compare.h"
#include "runtime/template/value/container_value.h"
#include "runtime/template/value/print_value.h"

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
	return (struct jinja_value){.kind = JINJA_ABSENT};
}

static struct jinja_value range_attribute(const struct jinja_range *r, const struct jinja_text *name)
{
	if (mote_jinja_text_is(name, "start"))
		return mote_jinja_int(r->start);
	if (mote_jinja_text_is(name, "stop"))
		return mote_jinja_int(r->stop);
	if (mote_jinja_text_is(name, "step"))
		return mote_jinja_int(r->step);
	return (struct jinja_value){.kind = JINJA_ABSENT};
}

static struct jinja_value macro_attribute(struct jinja *j, const struct jinja_macro *m, const struct jinja_text *name)
{
	const struct jinja_signature *s = &m->stmt->signature;
	bool explicit_caller = false;
	struct jinja_list *l;

	if (mote_jinja_text_is(name, "name"))
		return m->name ? mote_jinja_string(m->name) : mote_jinja_none();
	if (mote_jinja_text_is(name, "arguments")) {
		l = mote_jinja_new_list(j, s->count);
		for (uint32_t i = 0; i < s->count; i++)
			mote_jinja_append(j, l, mote_jinja_string(j->names[s->names[i]]));
		return mote_jinja_tuple(l);
	}
	if (mote_jinja_text_is(name, "catch_kwargs"))
		return mote_jinja_bool(s->uses_kwargs);
	if (mote_jinja_text_is(name, "catch_varargs"))
		return mote_jinja_bool(s->uses_varargs);
	for (uint32_t i = 0; i < s->count; i++)
		explicit_caller |= s->names[i] == JINJA_NAME_CALLER;
	if (mote_jinja_text_is(name, "caller")) /* a parameter of this name is taken to be used */
		return mote_jinja_bool(s->uses_caller || explicit_caller);
	return mote_jinja_text_is(name, "explicit_caller") ? mote_jinja_bool(explicit_caller)
							   : (struct jinja_value){.kind = JINJA_ABSENT};
}

/* What Python's getattr() finds, or ABSENT. */
static struct jinja_value attribute(struct jinja *j, struct jinja_value v, const struct jinja_text *name)
{
	struct jinja_value found = {.kind = JINJA_ABSENT};
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
	else if (v.kind == JINJA_MACRO)
		found = macro_attribute(j, v.macro, name);
	else if (v.kind == JINJA_TUPLE && v.list->group && mote_jinja_text_is(name, "grouper"))
		found = v.list->items[0];
	else if (v.kind == JINJA_TUPLE && v.list->group && mote_jinja_text_is(name, "list"))
		found = v.list->items[1];
	if (found.kind != JINJA_ABSENT)
		return found;
	if (j->library->mutates(v, name))
		return unsafe(j, v, name);
	method = j->library->find_method(v, name);
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

void mote_jinja_put_object(struct jinja_builder *b, struct jinja_value v)
{
	char out[100];

	if (v.kind == JINJA_LOOP) {
		mote_jinja_loop_attribute(b->j, v.loop, mote_jinja_text(b->j, "length", 6, false));
		snprintf(out, sizeof out, "<LoopContext %lld/%lld>", (long long)v.loop->index0 + 1,
			 (long long)v.loop->length);
		mote_jinja_put_string(b, out, false);
		return;
	}
	mote_jinja_put_string(b, "<Macro ", false);
	if (v.macro->name)
		mote_jinja_repr(b, mote_jinja_string(v.macro->name));
	else
		mote_jinja_put_string(b, "anonymous", false);
	mote_jinja_put(b, ">", 1, false);
}
