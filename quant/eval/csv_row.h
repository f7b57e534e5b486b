/* A row of CSV (RFC 4180), whose columns have names that the file does not say. */
#ifndef MOTE_QUANT_EVAL_CSV_ROW_H
#define MOTE_QUANT_EVAL_CSV_ROW_H

#include "format/json.h"

/* Adds the row's fields to an object, under the names of the columns, which blanks part; *at moves behind the row. The
 * text, up to end, where a NUL stands, is changed in place.
 * MOTE_ERROR_CORRUPT: a quote that is not closed, too few or too many columns, or no UTF-8, with place, which says
 * where the row is; MOTE_ERROR_MEMORY. */
enum mote_status mote_csv_row(char **at, char *end, const char *columns, const char *place, cJSON *fields,
			      struct mote_error *error) MOTE_CHECKED;

#endif
