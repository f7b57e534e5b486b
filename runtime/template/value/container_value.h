/* Lists and dicts, slices of sequences, and iteration over all that can be iterated. */
#ifndef MOTE_RUNTIME_TEMPLATE_VALUE_CONTAINER_VALUE_H
#define MOTE_RUNTIME_TEMPLATE_VALUE_CONTAINER_VALUE_H

#include "runtime/template/value/value.h"

struct jinja_list *mote_jinja_new_list(struct jinja *j, size_t capacity);
void mote_jinja_append(struct jinja *j, struct jinja_list *l, struct jinja_value v);
struct jinja_value mote_jinja_pair(struct jinja *j, struct jinja_value a, struct jinja_value b);
struct jinja_dict *mote_jinja_new_dict(struct jinja *j);
bool mote_jinja_hash(struct jinja *j, struct jinja_value v, uint64_t *hash); /* false: unhashable */
const struct jinja_value *mote_jinja_get(struct jinja *j, const struct jinja_dict *d,
					 struct jinja_value key); /* or NULL */
void mote_jinja_set(struct jinja *j, struct jinja_dict *d, struct jinja_value key, struct jinja_value value);
struct jinja_value mote_jinja_copy_dict(struct jinja *j, const struct jinja_dict *d, bool plain);

bool mote_jinja_iterable(struct jinja_value v);
struct jinja_iter mote_jinja_iterate(struct jinja *j, struct jinja_value v); /* fails when it is not */
bool mote_jinja_next(struct jinja *j, struct jinja_iter *it, struct jinja_value *out);
struct jinja_list *mote_jinja_collect(struct jinja *j, struct jinja_value v);  /* list(v) */
struct jinja_value mote_jinja_generator(struct jinja *j, const char *type,
					void (*run)(struct jinja *, struct jinja_generator *),
					const struct jinja_builtin *b, const struct jinja_args *args);
struct jinja_value mote_jinja_list_generator(struct jinja *j, const char *type, const struct jinja_list *l);
/* Stable; less(user, a, b) says whether a goes before b. */
void mote_jinja_sort(struct jinja *j, size_t *order, size_t count,
		     bool (*less)(struct jinja *j, void *user, size_t a, size_t b), void *user);

/* v[start:stop:step]; NONE or ABSENT where not given */
struct jinja_value mote_jinja_slice_value(struct jinja *j, struct jinja_value v, struct jinja_value a,
					  struct jinja_value b, struct jinja_value c);

#endif
