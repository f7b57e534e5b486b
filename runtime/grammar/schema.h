/* Reading a JSON schema into a network: what the files schema_*.c share; nobody else includes this.
 *
 * Whatever is built lies between two states. JSON is written with little freedom: a blank, or a line break and up to 20
 * blanks, where white space may be; properties in the schema's order.
 */
#ifndef MOTE_RUNTIME_SCHEMA_H
#define MOTE_RUNTIME_SCHEMA_H

#include "runtime/grammar/network.h"

enum { SCHEMA_MAX_DEPTH = 100, SCHEMA_MAX_MERGED = 5000, SCHEMA_MAX_LENT = 500000, SCHEMA_MAX_STEPS = 50000000 };

/* Rules that many schemas need, made when the first one does. */
enum schema_rule {
	RULE_BLANKS,
	RULE_CHARACTER,
	RULE_STRING,
	RULE_KEY,
	RULE_INTEGER,
	RULE_NUMBER,
	RULE_VALUE,
	SCHEMA_RULES
};

struct schema_reference {
	const cJSON *schema;
	uint32_t rule;
	char *pointer;
};

struct schema_reader {
	struct mote_grammar *g;
	const cJSON *root; /* what "#" means */
	const char *name;
	char path[512]; /* JSON pointer of what is read, for messages */
	size_t path_bytes;
	int depth;
	uint32_t shared[SCHEMA_RULES]; /* rule + 1; 0: not made */
	struct schema_reference *reference; /* [references], of which [built] are built */
	size_t references, built, reference_room;
	cJSON *made; /* array of schemas that were merged out of others */
	int merged, lent; /* such schemas, and members in them: both are bounded */
	uint64_t steps; /* members that may still be looked at where schemas are compared, merged and searched; places
			 * where keywords meet count, too */
};

/* schema.c. status _UNSUPPORTED: "name: #/path: message"; the first error stays. */
void mote_schema_fail(struct schema_reader *r, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool mote_schema_failed(const struct schema_reader *r);
/* Goes down into a member for messages; mote_schema_leave() with what it returned. */
size_t mote_schema_enter(struct schema_reader *r, const char *key);
void mote_schema_leave(struct schema_reader *r, size_t before);
void mote_schema_build(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to);
/* Everything between "root is set" and "all that it refers to is built". */
void mote_schema_build_root(struct schema_reader *r, const cJSON *root, uint32_t from, uint32_t to);
void mote_schema_close(struct schema_reader *r);
/* A count from 0 on, or otherwise when there is none. */
uint32_t mote_schema_count(struct schema_reader *r, const cJSON *schema, const char *key, uint32_t otherwise);
bool mote_schema_is_annotation(const char *key);
/* So many of the reader's steps; fails when none is left. */
void mote_schema_spend(struct schema_reader *r, size_t steps);
/* mote_json_find() and mote_json_equal() with the reader's steps. */
const cJSON *mote_schema_member(struct schema_reader *r, const cJSON *schema, const char *key);
bool mote_schema_equal(struct schema_reader *r, const cJSON *a, const cJSON *b);
bool mote_schema_requires(struct schema_reader *r, const cJSON *schema, const char *name); /* by "required" */

/* schema_reference.c */
/* What a pointer ("#/$defs/x") points to; NULL with an error. */
const cJSON *mote_schema_find(struct schema_reader *r, const char *pointer);
/* The pointer of a schema that is nothing but a reference, or NULL. */
const char *mote_schema_lone_reference(struct schema_reader *r, const cJSON *schema);
/* The rule of what is referred to, which is built later. */
uint32_t mote_schema_reference(struct schema_reader *r, const char *pointer);
/* The schema behind any $ref that stands alone; NULL with an error. */
const cJSON *mote_schema_resolve(struct schema_reader *r, const cJSON *schema);

/* schema_value.c */
uint32_t mote_schema_rule(struct schema_reader *r, enum schema_rule which);
void mote_schema_call(struct schema_reader *r, uint32_t from, enum schema_rule which, uint32_t to);
void mote_schema_build_literal(struct schema_reader *r, const cJSON *value, uint32_t from, uint32_t to);
/* integer: of whole numbers only. */
void mote_schema_build_number(struct schema_reader *r, const cJSON *schema, bool integer, uint32_t from, uint32_t to);

/* schema_string.c, schema_pattern.c */
void mote_schema_build_string(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to);
/* The inside of a string that a regular expression finds something in. */
void mote_schema_build_pattern(struct schema_reader *r, const char *pattern, uint32_t from, uint32_t to);

/* schema_both.c */
/* A network of its own, which *part builds between *from and *to; it is r's error if that fails. */
void mote_schema_begin_part(struct schema_reader *r, struct schema_reader *part, uint32_t *from, uint32_t *to);
/* What was built, the caller's; NULL with r's error. */
struct mote_grammar *mote_schema_end_part(struct schema_reader *r, struct schema_reader *part);
/* What fits up to three of them at once. */
void mote_schema_build_both(struct schema_reader *r, struct mote_grammar *const *part, int parts, uint32_t from,
			    uint32_t to);
/* The integers of a schema with multipleOf. */
void mote_schema_build_multiple(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to);

/* schema_object.c */
void mote_schema_build_object(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to);
void mote_schema_build_array(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to);

/* schema_merge.c */
enum {
	TYPE_NULL = 1,
	TYPE_BOOLEAN = 2,
	TYPE_INTEGER = 4,
	TYPE_FRACTION = 8,
	TYPE_STRING = 16,
	TYPE_ARRAY = 32,
	TYPE_OBJECT = 64,
	TYPE_NUMBER = TYPE_INTEGER | TYPE_FRACTION,
	TYPE_ALL = 127
};
/* The types that "type" names; TYPE_ALL without it. */
unsigned mote_schema_types(struct schema_reader *r, const cJSON *schema);
unsigned mote_schema_type_of(const cJSON *value);
/* The schema of what fits both; part of r->made. NULL with an error. */
const cJSON *mote_schema_merge(struct schema_reader *r, const cJSON *a, const cJSON *b);
/* The schema without one of its keywords. */
const cJSON *mote_schema_without(struct schema_reader *r, const cJSON *schema, const char *key);
/* Whether nothing that is built for one alternative fits another: what oneOf needs. All are resolved; whole_*: the
 * alternatives with what stands beside oneOf. */
bool mote_schema_are_apart(struct schema_reader *r, const cJSON *a, const cJSON *b, const cJSON *whole_a,
			   const cJSON *whole_b);

#endif
