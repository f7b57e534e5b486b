/* Truth, length, equality and order, as Python has them. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_COMPARE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_COMPARE_H

#include "runtime/template/value/value.h"

enum jinja_compare { JINJA_EQ, JINJA_NE, JINJA_LT, JINJA_LE, JINJA_GT, JINJA_GE, JINJA_IN, JINJA_NOT_IN };

bool mote_jinja_truth(struct jinja *j, struct jinja_value v);
bool mote_jinja_same(struct jinja_value a, struct jinja_value b); /* Python's "is" */
bool mote_jinja_equal(struct jinja *j, struct jinja_value a, struct jinja_value b);
/* a < b, a > b, ...; unlike types fail. how: JINJA_LT, _LE, _GT, _GE */
bool mote_jinja_order(struct jinja *j, struct jinja_value a, struct jinja_value b, enum jinja_compare how);
bool mote_jinja_contains(struct jinja *j, struct jinja_value container, struct jinja_value v);
/* len(), or -1 when v has none */
int64_t mote_jinja_length(struct jinja *j, struct jinja_value v);

#endif
