/* The library: filters, tests, methods and global functions, table by table. */
#ifndef MOTE_RUNTIME_TEMPLATE_LIBRARY_LIBRARY_H
#define MOTE_RUNTIME_TEMPLATE_LIBRARY_LIBRARY_H

#include "runtime/template/value/builtin.h"

/* Head of a function that a table names: arguments bound to parameters, args[0] the value or object. */
#define JINJA_BUILTIN(name) \
	static struct jinja_value name(struct jinja *j, const struct jinja_builtin *b, struct jinja_value *args)

/* library.c: what jinja.library points to. */
extern const struct jinja_library mote_jinja_library;

struct jinja_value mote_jinja_global(struct jinja *j, const struct jinja_text *name); /* ABSENT: none */

/* Of a table, one a file; NULL: none of that name. */
const struct jinja_builtin *mote_jinja_find_sequence_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_lazy_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_text_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_markup_filter(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_number_filter(const char *name, size_t bytes);
extern const struct jinja_builtin mote_jinja_tojson;
const struct jinja_builtin *mote_jinja_find_test(const char *name, size_t bytes);
const struct jinja_builtin *mote_jinja_find_method(struct jinja_value v, const struct jinja_text *name);
bool mote_jinja_mutates(struct jinja_value v, const struct jinja_text *name); /* a method the sandbox forbids */

#define MOTE_JINJA_STR_METHODS 44
extern const struct jinja_builtin mote_jinja_str_methods[MOTE_JINJA_STR_METHODS];
/* str_format.c: format and format_map of str */
struct jinja_value mote_jinja_format(struct jinja *j, const struct jinja_builtin *b, const struct jinja_args *args);

#endif
