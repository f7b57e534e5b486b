/* Numbers and texts in fields of a width, and % formatting (percent_format.c). */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_FIELD_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_FIELD_H

#include "runtime/template/value/value.h"

#define JINJA_MAX_WIDTH 100000 /* of a field, and of a precision */

/* A field's layout, in Python's format mini-language; % formatting is mapped to it. */
struct jinja_layout {
	const struct jinja_text *fill;
	char align;      /* < > = ^, or 0: as the type has it */
	char sign;       /* + or space, or 0 */
	bool alternate;
	bool zero;       /* %: the flag; format: zeros fill up to the width, and are grouped */
	char grouping;   /* , or _, or 0 */
	int64_t width, precision; /* precision -1: none */
	char type;       /* 0: none */
};
void mote_jinja_put_text_field(struct jinja_builder *b, const struct jinja_layout *l, const struct jinja_text *t);
/* digits: what stands behind sign and prefix */
void mote_jinja_put_number_field(struct jinja_builder *b, const struct jinja_layout *l, bool negative,
				 const char *prefix, const char *digits, size_t bytes, bool plain);
void mote_jinja_put_int(struct jinja_builder *b, const struct jinja_layout *l, struct jinja_value v);
void mote_jinja_put_float(struct jinja_builder *b, const struct jinja_layout *l, double x, bool plain);
const struct jinja_text *mote_jinja_percent(struct jinja *j, const struct jinja_text *format,
					    struct jinja_value args);

#endif
