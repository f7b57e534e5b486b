/* Builtins: filters, tests, global functions and methods, and how they are called. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_BUILTIN_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_BUILTIN_H

#include "runtime/template/value/value.h"

/* A filter, test, global function or method. Arguments are bound to names before the call: args[0] is the
 * filtered value or the object, then one for each parameter; JINJA_ABSENT where not given. */
struct jinja_builtin {
	const char *name;
	struct jinja_value (*call)(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args);
	const char *parameters; /* names after the first argument, separated by spaces; NULL: uses raw */
	uint8_t required;       /* of the parameters */
	bool positional;        /* takes no keywords, as C-implemented methods do */
	uint8_t detail;         /* for functions that serve several names */
	struct jinja_value (*raw)(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args);
};
#define JINJA_MAX_PARAMETERS 8

/* Look-ups by name, NULL: none. The library fills it in, and parse and run reach it through jinja.library: they know
 * that names exist, and not which. */
struct jinja_library {
	const struct jinja_builtin *(*find_filter)(const char *name, size_t bytes);
	const struct jinja_builtin *(*find_test)(const char *name, size_t bytes);
	const struct jinja_builtin *(*find_method)(struct jinja_value v, const struct jinja_text *name);
	bool (*mutates)(struct jinja_value v, const struct jinja_text *name); /* a method the sandbox forbids */
};

const struct jinja_builtin *mote_jinja_lookup(const struct jinja_builtin *table, size_t count, const char *name,
					      size_t bytes);
/* Calls b with arguments of which the first is the filtered value or the object; kind is for messages. */
struct jinja_value mote_jinja_invoke(struct jinja *j, const struct jinja_builtin *b, const char *kind,
				     const struct jinja_args *args);
struct jinja_value mote_jinja_bound(struct jinja *j, const struct jinja_builtin *b, struct jinja_value self);

#endif
