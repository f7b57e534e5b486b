/* The library as parse and run see it: look-ups by name, through all tables. Names are unique over the tables, so
 * their order is a matter of speed only.
 */
#include "runtime/template/library/library.h"

static const struct jinja_builtin *find_filter(const char *name, size_t bytes)
{
	static const struct jinja_builtin *(*const tables[])(const char *name, size_t bytes) = {
		mote_jinja_find_sequence_filter, mote_jinja_find_lazy_filter, mote_jinja_find_text_filter,
		mote_jinja_find_markup_filter, mote_jinja_find_number_filter
	};
	const struct jinja_builtin *found = mote_jinja_lookup(&mote_jinja_tojson, 1, name, bytes);

	for (size_t i = 0; !found && i < sizeof tables / sizeof tables[0]; i++)
		found = tables[i](name, bytes);
	return found;
}

const struct jinja_library mote_jinja_library = {
	.find_filter = find_filter,
	.find_test = mote_jinja_find_test,
	.find_method = mote_jinja_find_method,
	.mutates = mote_jinja_mutates
};
