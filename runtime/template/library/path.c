/* Attributes by path. A part of digits only is an index, as in Jinja2; the others are names, which getitem looks for
 * as keys first.
 */
#include "runtime/template/library/path.h"

#include "runtime/template/run/attribute.h"
#include "runtime/template/value/number.h"
#include "runtime/template/value/recase.h"

struct jinja_path mote_jinja_make_path(struct jinja *j, const struct jinja_text *t, struct jinja_value index)
{
	struct jinja_path p = {.fallback = {.kind = JINJA_ABSENT}};
	size_t from = 0, to;
	struct jinja_value v;

	if (!t && !mote_jinja_given(index))
		return p;
	p.parts = mote_jinja_alloc_array(j, t ? t->bytes + 1 : 1, sizeof *p.parts);
	if (!t) {
		p.parts[p.count++] = index;
		return p;
	}
	for (;; from = to + 1) {
		for (to = from; to < t->bytes && t->at[to] != '.'; to++)
			;
		v = mote_jinja_string(mote_jinja_slice(j, t, from, to));
		for (size_t i = from; i < to && t->at[i] >= '0' && t->at[i] <= '9'; i++)
			if (i + 1 == to)
				mote_jinja_parse_int(j, t->at + from, to - from, 10, &v);
		p.parts[p.count++] = v;
		if (to == t->bytes)
			return p;
	}
}

struct jinja_path mote_jinja_attribute_path(struct jinja *j, struct jinja_value attribute)
{
	return mote_jinja_make_path(j, attribute.kind == JINJA_STRING ? attribute.text : NULL, attribute);
}

struct jinja_value mote_jinja_follow(struct jinja *j, const struct jinja_path *p, struct jinja_value v)
{
	for (size_t i = 0; i < p->count; i++) {
		mote_jinja_charge(j, 1);
		v = mote_jinja_getitem(j, v, p->parts[i]);
		if (v.kind == JINJA_UNDEFINED && mote_jinja_given(p->fallback))
			v = p->fallback;
	}
	return v;
}

struct jinja_value mote_jinja_fold(struct jinja *j, struct jinja_value v, bool case_sensitive)
{
	if (!case_sensitive && v.kind == JINJA_STRING)
		v.text = mote_jinja_recase(j, v.text, JINJA_TO_LOWER);
	return v;
}
