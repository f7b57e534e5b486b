/* Numbers as Python has them: arithmetic (number.c), and numbers as text (number_text.c). */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_NUMBER_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_NUMBER_H

#include "runtime/template/value/value.h"

/* The operators of a tree (parse/tree.h) go on counting where these end. */
enum jinja_calculation {
	JINJA_ADD, JINJA_SUB, JINJA_MUL, JINJA_DIV, JINJA_FLOORDIV, JINJA_MOD, JINJA_POW, JINJA_CALCULATIONS
};
struct jinja_value mote_jinja_calculate(struct jinja *j, enum jinja_calculation op, struct jinja_value a,
					struct jinja_value b); /* of two numbers */
struct jinja_value mote_jinja_negate(struct jinja *j, struct jinja_value v, bool negative);
int mote_jinja_compare_numbers(struct jinja_value a, struct jinja_value b); /* -1 0 1; 2: not ordered */
double mote_jinja_real(struct jinja *j, struct jinja_value v);              /* of a number */
size_t mote_jinja_float_repr(double x, char out[40]);
/* As Python's int(str, base); base 0: as a literal. */
bool mote_jinja_parse_int(struct jinja *j, const char *s, size_t bytes, int base, struct jinja_value *out);
bool mote_jinja_parse_float(struct jinja *j, const char *s, size_t bytes, double *out); /* as Python's float(str) */
struct jinja_value mote_jinja_to_int(struct jinja *j, double x);             /* truncated; fails for inf and nan */
struct jinja_value mote_jinja_round(struct jinja *j, struct jinja_value v, int64_t digits);
struct jinja_value mote_jinja_number(struct jinja *j, const char *json, bool plain); /* of a JSON number's text */

#endif
