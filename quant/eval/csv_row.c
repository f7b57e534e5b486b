/* Rows of CSV: see csv_row.h. Every byte of them may be wrong. */
#include "quant/eval/csv_row.h"

#include <stdio.h>
#include <string.h>

#include "format/json_build.h"
#include "format/utf8.h"

/* The next field of CSV (RFC 4180) in place: *at moves behind it, *last tells whether the row ends with it. NULL: a
 * quote is not closed, or something follows a closing one. */
static char *next_field(char **at, char *end, bool *last)
{
	char *from = *at, *to = from, *field = from;

	if (from < end && *from == '"') {
		for (from++;; from++) {
			if (from == end)
				return NULL;
			if (*from == '"' && (from + 1 == end || from[1] != '"'))
				break;
			from += *from == '"';
			*to++ = *from;
		}
		from++;
		if (from < end && *from != ',' && *from != '\n' && *from != '\r')
			return NULL;
	} else {
		while (from < end && *from != ',' && *from != '\n' && *from != '\r')
			*to++ = *from++;
	}
	*last = from == end || *from != ',';
	from += from + 1 < end && *from == '\r' && from[1] == '\n';
	*at = from < end ? from + 1 : end;
	*to = 0; /* end is a NUL already, and anything before it has been read */
	return field;
}

enum mote_status mote_csv_row(char **at, char *end, const char *columns, const char *place, cJSON *fields,
			      struct mote_error *error)
{
	struct mote_json_builder b = {0};
	bool last = false;

	for (const char *name = columns; *name;) {
		size_t length = strcspn(name, " ");
		char key[64];
		char *field = last ? NULL : next_field(at, end, &last);

		snprintf(key, sizeof key, "%.*s", (int)length, name);
		if (!field)
			return mote_error_set(error, MOTE_ERROR_CORRUPT, last ? "%s: has no column for \"%s\"" :
					      "%s: the quotes of \"%s\" do not end", place, key);
		if (mote_utf8_valid(field, strlen(field)) != strlen(field))
			return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\" is not UTF-8", place, key);
		mote_json_add_text(&b, fields, key, field);
		name += length + (name[length] == ' ');
	}
	if (!last)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: more columns than \"%s\"", place, columns);
	return b.failed ? mote_error_set(error, MOTE_ERROR_MEMORY, "out of memory for a task") : MOTE_OK;
}
