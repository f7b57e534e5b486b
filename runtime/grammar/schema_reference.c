/* $ref: what a pointer into the schema points to, and its rule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/schema.h"

/* 0 to 15, or 16. */
static unsigned digit(char c)
{
	return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 :
	       c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

/* One step of a pointer, with ~1, ~0 and %XX undone. False: it is too long or ill-formed. */
static bool read_step(const char **at, char *out, size_t room)
{
	const char *p = *at;
	size_t n = 0;

	for (; *p && *p != '/'; p++) {
		if (n + 1 == room)
			return false;
		if (*p == '~' && (p[1] == '0' || p[1] == '1')) {
			out[n++] = *++p == '0' ? '~' : '/';
		} else if (*p == '%') {
			if (digit(p[1]) > 15 || digit(p[2]) > 15 || !(digit(p[1]) | digit(p[2])))
				return false;
			out[n++] = (char)(digit(p[1]) << 4 | digit(p[2]));
			p += 2;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = 0;
	*at = p;
	return true;
}

static const cJSON *item_at(struct schema_reader *r, const cJSON *list, const char *step)
{
	const cJSON *item = list->child;
	char *end;
	long index = strtol(step, &end, 10);

	if (*step < '0' || *step > '9' || *end)
		return NULL;
	for (; index > 0 && item && !mote_schema_failed(r); index--) {
		mote_schema_spend(r, 1);
		item = item->next;
	}
	return item;
}

const cJSON *mote_schema_find(struct schema_reader *r, const char *pointer)
{
	const cJSON *at = r->root;
	const char *p = pointer + 1;
	char step[300];

	if (*pointer != '#' || (*p && *p != '/')) {
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "$ref: %.200s: only pointers into the schema itself (#/...) are supported", pointer);
		return NULL;
	}
	while (at && *p) {
		p++;
		if (!read_step(&p, step, sizeof step))
			at = NULL;
		else if (cJSON_IsArray(at))
			at = item_at(r, at, step);
		else
			at = mote_schema_member(r, at, step);
	}
	if (!at)
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "$ref: %.200s: there is nothing", pointer);
	return at;
}

/* The pointer of a schema that is nothing but a reference, or NULL. */
const char *mote_schema_lone_reference(struct schema_reader *r, const cJSON *schema)
{
	const cJSON *item = mote_schema_member(r, schema, "$ref");

	if (!item)
		return NULL;
	if (!cJSON_IsString(item)) {
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "$ref: expected a text");
		return NULL;
	}
	for (const cJSON *other = schema->child; other; other = other->next) {
		mote_schema_spend(r, 1);
		if (mote_schema_failed(r) || (other != item && !mote_schema_is_annotation(other->string)))
			return NULL;
	}
	return item->valuestring;
}

const cJSON *mote_schema_resolve(struct schema_reader *r, const cJSON *schema)
{
	const char *pointer;

	for (int steps = 0; schema && (pointer = mote_schema_lone_reference(r, schema)); steps++) {
		if (steps == SCHEMA_MAX_DEPTH) {
			mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
					 "$ref: %.200s: a reference that leads back to itself", pointer);
			return NULL;
		}
		schema = mote_schema_find(r, pointer);
	}
	return mote_schema_failed(r) ? NULL : schema;
}

/* The rule of what is referred to, which is built later. */
uint32_t mote_schema_reference(struct schema_reader *r, const char *pointer)
{
	const cJSON *schema = mote_schema_find(r, pointer);
	struct schema_reference *grown;
	char name[400];
	uint32_t rule;

	if (!schema)
		return 0;
	for (size_t i = 0; i < r->references; i++)
		if (r->reference[i].schema == schema)
			return r->reference[i].rule;
	mote_schema_spend(r, r->references);
	if (r->references == r->reference_room) {
		grown = realloc(r->reference, (r->references + 64) * 2 * sizeof *grown);
		if (!grown) {
			mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory");
			return 0;
		}
		r->reference = grown;
		r->reference_room = (r->references + 64) * 2;
	}
	snprintf(name, sizeof name, "%.100s: %.200s", r->name, pointer);
	rule = mote_network_rule(r->g, name, strlen(name));
	r->reference[r->references] = (struct schema_reference){schema, rule, strdup(pointer + 1)};
	if (!r->reference[r->references++].pointer)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory");
	return rule;
}
