/* Values of a template, as Python has them: what they are, making them, and asking them for what is needed.
 * Lists and dicts are in container_value.h, what is equal or less in compare.h, text of them in print_value.h.
 */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_VALUE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_VALUE_H

#include "runtime/template/value/text_value.h"

struct jinja_builtin;

enum jinja_kind {
	JINJA_ABSENT, /* no value at all: an argument not given, a variable not set */
	JINJA_UNDEFINED,
	JINJA_NONE,
	JINJA_BOOL,
	JINJA_INT,
	JINJA_BIG, /* integer beyond 64 bits: text only, no arithmetic */
	JINJA_FLOAT,
	JINJA_STRING,
	JINJA_LIST,
	JINJA_TUPLE,
	JINJA_DICT,
	JINJA_VIEW, /* dict.keys(), .values(), .items() */
	JINJA_RANGE,
	JINJA_GENERATOR,
	JINJA_NAMESPACE,
	JINJA_MACRO,
	JINJA_FUNCTION, /* a global, or a method bound to its object */
	JINJA_LOOP,
	JINJA_CYCLER,
	JINJA_JOINER
};

struct jinja_value {
	uint8_t kind;
	bool plain; /* scalars and containers: out of the context's data */
	union {
		bool boolean;
		int64_t integer;
		double real;
		const struct jinja_text *text; /* string, big */
		const struct jinja_list *list; /* list, tuple */
		struct jinja_dict *dict;       /* dict, namespace */
		const struct jinja_undefined *undefined;
		const struct jinja_view *view;
		const struct jinja_range *range;
		struct jinja_generator *generator;
		const struct jinja_macro *macro;
		const struct jinja_function *function;
		struct jinja_loop *loop;
		struct jinja_cycle *cycle;     /* cycler, joiner */
	};
};

struct jinja_list {
	size_t count, capacity;
	struct jinja_value *items;
	bool group; /* a tuple of groupby, with .grouper and .list */
};

struct jinja_entry {
	uint64_t hash;
	struct jinja_value key, value;
};

/* In order of insertion; found through open addressing once there are more than a few. */
struct jinja_dict {
	struct jinja_entry *entries;
	uint32_t count, capacity;
	uint32_t *slots, n_slots; /* entry + 1, or 0 */
};

struct jinja_undefined {
	const char *hint;              /* the whole message, or NULL: made from the rest */
	const struct jinja_text *name; /* of the variable or attribute; NULL for an element */
	uint8_t owner;                 /* kind of the object asked, JINJA_ABSENT for a variable */
};

enum jinja_view_of { JINJA_KEYS, JINJA_VALUES, JINJA_ITEMS };
struct jinja_view {
	const struct jinja_dict *dict;
	enum jinja_view_of of;
	bool plain;
};

struct jinja_range {
	int64_t start, stop, step, count;
};

/* Arguments of a call. */
struct jinja_keyword {
	const struct jinja_text *name;
	struct jinja_value value;
};
struct jinja_args {
	struct jinja_value *values;
	size_t count;
	struct jinja_keyword *keywords;
	size_t n_keywords;
};

/* What Python's generator filters return: has no length, is consumed once, and whatever is wrong with its
 * arguments shows when it is first asked for an element. */
struct jinja_generator {
	const char *type; /* as it prints */
	void (*run)(struct jinja *j, struct jinja_generator *g); /* fills list; NULL once it did */
	struct jinja_list list;
	size_t next;
	struct jinja_args args; /* of the filter, value first */
	const struct jinja_builtin *builtin;
};

struct jinja_iter {
	struct jinja_value of;
	size_t at;
};

struct jinja_function {
	const struct jinja_builtin *builtin;
	struct jinja_value self; /* JINJA_ABSENT for a global */
};

struct jinja_cycle {
	const struct jinja_list *items;
	size_t next;
};

struct jinja_value mote_jinja_none(void);
struct jinja_value mote_jinja_bool(bool b);
struct jinja_value mote_jinja_int(int64_t i);
struct jinja_value mote_jinja_float(double f);
struct jinja_value mote_jinja_string(const struct jinja_text *t);
struct jinja_value mote_jinja_list(const struct jinja_list *l);
struct jinja_value mote_jinja_tuple(const struct jinja_list *l);
struct jinja_value mote_jinja_dict(struct jinja_dict *d);
struct jinja_value mote_jinja_literal(struct jinja *j, const char *s);
struct jinja_value mote_jinja_undefined(struct jinja *j, const char *hint, const struct jinja_text *name,
					enum jinja_kind owner);
_Noreturn void mote_jinja_fail_undefined(struct jinja *j, struct jinja_value v);
_Noreturn void mote_jinja_fail_type(struct jinja *j, const char *what, struct jinja_value v); /* "what, not TYPE" */
const char *mote_jinja_type(struct jinja_value v);            /* as Python calls it */
bool mote_jinja_is_number(struct jinja_value v);              /* int, float, bool, big */
bool mote_jinja_integral(struct jinja_value v, int64_t *i);   /* int or bool */
int64_t mote_jinja_need_int(struct jinja *j, struct jinja_value v, const char *what);
const struct jinja_text *mote_jinja_need_text(struct jinja *j, struct jinja_value v, const char *what);

static inline bool mote_jinja_given(struct jinja_value v) /* an argument that is there, and not None */
{
	return v.kind != JINJA_ABSENT && v.kind != JINJA_NONE;
}

#endif
