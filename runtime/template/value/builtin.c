/* Builtins: finding one in a table, and binding a call's arguments to its parameters.
 *
 * The function that a builtin names sees one array: the value or object first, then one value for each parameter,
 * JINJA_ABSENT where none was given. It may read all of them without looking how many there were.
 */
#include "runtime/template/value/builtin.h"

const struct jinja_builtin *mote_jinja_lookup(const struct jinja_builtin *table, size_t n, const char *name,
					      size_t bytes)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(table[i].name) == bytes && !memcmp(table[i].name, name, bytes))
			return &table[i];
	return NULL;
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
	struct jinja_value bound[JINJA_MAX_PARAMETERS + 1] = {0};
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

	*f = (struct jinja_function){.builtin = b, .self = self};
	return (struct jinja_value){.kind = JINJA_FUNCTION, .function = f};
}
