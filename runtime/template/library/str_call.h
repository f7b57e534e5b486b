/* Methods of str: what one works on, and those which str_methods.c, with the table, takes from other files. */
#ifndef MOTE_RUNTIME_TEMPLATE_LIBRARY_STR_CALL_H
#define MOTE_RUNTIME_TEMPLATE_LIBRARY_STR_CALL_H

#include "runtime/template/value/value.h"

/* What a method of str works on. Markup's methods return Markup. */
struct jinja_str_call {
	struct jinja *j;
	const struct jinja_text *t;
	struct jinja_value *args; /* after self */
	const char *name;
};

static inline const struct jinja_text *mote_jinja_str_text_arg(const struct jinja_str_call *c, int i)
{
	return mote_jinja_need_text(c->j, c->args[i], c->name);
}

static inline int64_t mote_jinja_str_int_arg(const struct jinja_str_call *c, int i, int64_t absent)
{
	return c->args[i].kind == JINJA_ABSENT ? absent : mote_jinja_need_int(c->j, c->args[i], c->name);
}

static inline struct jinja_value mote_jinja_str_done(struct jinja_builder *b)
{
	return mote_jinja_string(mote_jinja_end(b));
}

static inline struct jinja_value mote_jinja_str_part(const struct jinja_str_call *c, size_t from, size_t to)
{
	return mote_jinja_string(mote_jinja_slice(c->j, c->t, from, to));
}

/* str_split.c */
struct jinja_value mote_jinja_str_join(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_partition(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_replace(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_rpartition(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_rsplit(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_split(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_splitlines(const struct jinja_str_call *c);
size_t mote_jinja_str_skip(const struct jinja_str_call *c, size_t at, bool space);

/* str_questions.c */
struct jinja_value mote_jinja_str_isalnum(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isalpha(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isascii(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isdecimal(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isdigit(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isidentifier(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_islower(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isnumeric(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isprintable(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isspace(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_istitle(const struct jinja_str_call *c);
struct jinja_value mote_jinja_str_isupper(const struct jinja_str_call *c);

#endif
