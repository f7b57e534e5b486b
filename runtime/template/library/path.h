/* Attributes by path, "a.b.0", as filters on sequences take them. */
#ifndef MOTE_RUNTIME_TEMPLATE_LIBRARY_PATH_H
#define MOTE_RUNTIME_TEMPLATE_LIBRARY_PATH_H

#include "runtime/template/value/value.h"

struct jinja_path {
	struct jinja_value *parts;
	size_t count;
	struct jinja_value fallback; /* for what is undefined on the way, or ABSENT */
};

/* Of the text t, or of an index where t is NULL; empty where neither is given. */
struct jinja_path mote_jinja_make_path(struct jinja *j, const struct jinja_text *t, struct jinja_value index);
struct jinja_path mote_jinja_attribute_path(struct jinja *j, struct jinja_value attribute);
struct jinja_value mote_jinja_follow(struct jinja *j, const struct jinja_path *p, struct jinja_value v);
/* v, a text in lower case unless case_sensitive */
struct jinja_value mote_jinja_fold(struct jinja *j, struct jinja_value v, bool case_sensitive);

#endif
