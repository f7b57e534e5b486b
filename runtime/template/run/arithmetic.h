/* Operators between any two values. */
#ifndef MOTE_RUNTIME_TEMPLATE_RUN_ARITHMETIC_H
#define MOTE_RUNTIME_TEMPLATE_RUN_ARITHMETIC_H

#include "runtime/template/value/number.h"

struct jinja_value mote_jinja_arithmetic(struct jinja *j, enum jinja_calculation op, struct jinja_value a,
					 struct jinja_value b);

#endif
