/* See schema.h: the ways in, references, and what a schema is made of. */
#include "runtime/grammar/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/word_list.h"

enum { MAX_ALTERNATIVES = 1000 };

void mote_schema_fail(struct schema_reader *r, enum mote_status status, const char *format, ...)
{
	char message[400];
	va_list list;

	if (mote_schema_failed(r))
		return;
	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	mote_network_fail(r->g, status, "%.100s: #%s: %s", r->name, r->path, message);
}

bool mote_schema_failed(const struct schema_reader *r)
{
	return r->g->error.code != MOTE_OK;
}

size_t mote_schema_enter(struct schema_reader *r, const char *key)
{
	size_t before = r->path_bytes, left = sizeof r->path - before;
	int n = snprintf(r->path + before, left, "/%.100s", key);

	r->path_bytes += n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
	return before;
}

void mote_schema_leave(struct schema_reader *r, size_t before)
{
	r->path_bytes = before;
	r->path[before] = 0;
}

/* Names and alternatives are compared with each other: what is allowed of each by itself is too much of both. */
void mote_schema_spend(struct schema_reader *r, size_t steps)
{
	r->steps -= steps < r->steps ? steps : r->steps;
	if (r->steps == 0)
		mote_schema_fail(r, MOTE_ERROR_LIMIT, "too much to compare: it is too large a schema");
}

const cJSON *mote_schema_member(struct schema_reader *r, const cJSON *schema, const char *key)
{
	const cJSON *found = mote_json_find(schema, key, &r->steps);

	mote_schema_spend(r, 0);
	return found;
}

bool mote_schema_equal(struct schema_reader *r, const cJSON *a, const cJSON *b)
{
	bool equal = mote_json_equal(a, b, &r->steps);

	mote_schema_spend(r, 0);
	return equal;
}

bool mote_schema_requires(struct schema_reader *r, const cJSON *schema, const char *name)
{
	const cJSON *list = mote_schema_member(r, schema, "required");

	for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item; item = item->next) {
		mote_schema_spend(r, 1);
		if (mote_schema_failed(r) || (cJSON_IsString(item) && !strcmp(item->valuestring, name)))
			return true;
	}
	return false;
}

bool mote_schema_is_annotation(const char *key)
{
	return mote_words_have("title description default examples example deprecated readOnly writeOnly $schema $id "
			       "id $comment $defs definitions discriminator contentEncoding contentMediaType "
			       "contentSchema",
			       key) ||
	       !strncmp(key, "x-", 2);
}

uint32_t mote_schema_count(struct schema_reader *r, const cJSON *schema, const char *key, uint32_t otherwise)
{
	const cJSON *item = mote_json_get(schema, key);
	int64_t value;

	if (!item)
		return otherwise;
	if (!mote_json_integer(item, &value) || value < 0) {
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "%s: expected a whole number from 0 on", key);
		return 0;
	}
	if (value > MOTE_GRAMMAR_MAX_REPEAT) {
		mote_schema_fail(r, MOTE_ERROR_LIMIT, "%s: more than %d is not counted", key, MOTE_GRAMMAR_MAX_REPEAT);
		return 0;
	}
	return (uint32_t)value;
}

/* ---- schemas ---- */

static void check_keywords(struct schema_reader *r, const cJSON *schema)
{
	static const char known[] =
		"type enum const properties required additionalProperties propertyNames items prefixItems minItems "
		"maxItems minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum "
		"multipleOf anyOf oneOf allOf $ref";

	for (const cJSON *item = schema->child; item; item = item->next) {
		bool no_effect =
			(!strcmp(item->string, "uniqueItems") && cJSON_IsFalse(item)) ||
			(!strcmp(item->string, "additionalItems") && !cJSON_IsArray(mote_json_get(schema, "items")));

		if (!mote_words_have(known, item->string) && !mote_schema_is_annotation(item->string) && !no_effect)
			mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "%.100s is not supported", item->string);
	}
}

static bool says_nothing(const cJSON *schema)
{
	for (const cJSON *item = schema->child; item; item = item->next)
		if (!mote_schema_is_annotation(item->string))
			return false;
	return true;
}

/* oneOf: none of its alternatives may share a value with another. whole: each with what stands beside oneOf. */
static void check_apart(struct schema_reader *r, const cJSON *list, const cJSON *const *whole)
{
	const cJSON *(*found)[2] = calloc(MAX_ALTERNATIVES, sizeof *found);
	int n = 0;

	if (!found)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for alternatives");
	for (const cJSON *item = list->child; item && !mote_schema_failed(r); item = item->next, n++) {
		char index[16];
		size_t outer;

		snprintf(index, sizeof index, "%d", n);
		outer = mote_schema_enter(r, index);
		found[n][0] = mote_schema_resolve(r, item);
		found[n][1] = whole[n] == item ? found[n][0] : whole[n];
		for (int i = 0; i < n && !mote_schema_failed(r); i++)
			if (!mote_schema_are_apart(r, found[i][0], found[n][0], found[i][1], found[n][1]))
				mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
						 "oneOf: it cannot be told that no value fits this one and "
						 "another alternative, too (anyOf does not need that)");
		mote_schema_leave(r, outer);
	}
	free(found);
}

static void build_alternatives(struct schema_reader *r, const cJSON *schema, const char *key, uint32_t from,
			       uint32_t to)
{
	const cJSON *list = mote_json_get(schema, key), *base = mote_schema_without(r, schema, key);
	const cJSON **whole = calloc(MAX_ALTERNATIVES, sizeof *whole);
	bool alone = base && says_nothing(base);
	size_t before = mote_schema_enter(r, key), outer;
	char index[16];
	int n = 0;

	if (!whole)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for alternatives");
	if (!cJSON_IsArray(list) || !list->child || cJSON_GetArraySize(list) > MAX_ALTERNATIVES)
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "expected a list of 1 to %d schemas", MAX_ALTERNATIVES);
	for (const cJSON *item = mote_schema_failed(r) ? NULL : list->child; item && !mote_schema_failed(r);
	     item = item->next, n++) {
		snprintf(index, sizeof index, "%d", n);
		outer = mote_schema_enter(r, index);
		whole[n] = alone ? item : mote_schema_merge(r, base, item);
		mote_schema_leave(r, outer);
	}
	if (!mote_schema_failed(r) && !strcmp(key, "oneOf"))
		check_apart(r, list, whole);
	for (int i = 0; i < n && !mote_schema_failed(r); i++) {
		snprintf(index, sizeof index, "%d", i);
		outer = mote_schema_enter(r, index);
		mote_schema_build(r, whole[i], from, to);
		mote_schema_leave(r, outer);
	}
	mote_schema_leave(r, before);
	free(whole);
}

static void build_all_of(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *list = mote_json_get(schema, "allOf"), *all = mote_schema_without(r, schema, "allOf");

	if (!cJSON_IsArray(list))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "allOf: expected a list of schemas");
	for (const cJSON *item = list->child; item && all; item = item->next)
		all = mote_schema_merge(r, all, item);
	mote_schema_build(r, all, from, to);
}

/* const and enum; what "type" rules out is left out. */
static void build_values(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *only = mote_json_get(schema, "const"), *list = mote_json_get(schema, "enum");
	unsigned types = mote_schema_types(r, schema);
	bool any = false;

	for (const cJSON *item = schema->child; item; item = item->next)
		if (!mote_words_have("const enum type", item->string) && !mote_schema_is_annotation(item->string))
			mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "%.100s beside %s is not supported", item->string,
					 only ? "const" : "enum");
	if (only && list)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "enum beside const is not supported");
	if (!only && !cJSON_IsArray(list))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "enum: expected a list");
	if (mote_schema_failed(r))
		return;
	for (const cJSON *item = only ? only : list->child; item; item = only ? NULL : item->next)
		if (types & mote_schema_type_of(item)) {
			mote_schema_build_literal(r, item, from, to);
			any = true;
		}
	if (!any)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no value fits: what %s lists is not of the type",
				 only ? "const" : "enum");
}

/* Without "type" the keywords say of what they speak; a value of that type fits. */
static unsigned speaks_of(const cJSON *schema)
{
	static const struct {
		const char *words;
		unsigned type;
	} kinds[] = {{"properties required additionalProperties propertyNames", TYPE_OBJECT},
		     {"items prefixItems minItems maxItems", TYPE_ARRAY},
		     {"minLength maxLength pattern format", TYPE_STRING},
		     {"minimum maximum exclusiveMinimum exclusiveMaximum multipleOf", TYPE_NUMBER}};
	unsigned types = 0;

	for (const cJSON *item = schema->child; item; item = item->next)
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (mote_words_have(kinds[i].words, item->string))
				types |= kinds[i].type;
	return types;
}

static void build_types(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	unsigned types = mote_schema_types(r, schema), spoken = speaks_of(schema);

	if (!mote_json_get(schema, "type")) {
		if (!spoken) {
			mote_schema_call(r, from, RULE_VALUE, to);
			return;
		}
		types = spoken;
	}
	if (types == 0)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no value fits: the types exclude each other");
	if (types & TYPE_NULL)
		mote_network_text(r->g, from, "null", 4, to);
	if (types & TYPE_BOOLEAN) {
		mote_network_text(r->g, from, "true", 4, to);
		mote_network_text(r->g, from, "false", 5, to);
	}
	if (types & TYPE_NUMBER)
		mote_schema_build_number(r, schema, !(types & TYPE_FRACTION), from, to);
	if (types & TYPE_STRING)
		mote_schema_build_string(r, schema, from, to);
	if (types & TYPE_ARRAY)
		mote_schema_build_array(r, schema, from, to);
	if (types & TYPE_OBJECT)
		mote_schema_build_object(r, schema, from, to);
}

static void build_object_schema(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const char *pointer = mote_schema_lone_reference(r, schema);
	const cJSON *target;

	check_keywords(r, schema);
	if (mote_schema_failed(r))
		return;
	if (pointer) {
		mote_network_call(r->g, from, mote_schema_reference(r, pointer), to);
	} else if (mote_json_get(schema, "$ref")) {
		target = mote_schema_find(r, mote_json_get(schema, "$ref")->valuestring);
		mote_schema_build(r,
				  target ? mote_schema_merge(r, mote_schema_without(r, schema, "$ref"), target) : NULL,
				  from, to);
	} else if (mote_json_get(schema, "allOf")) {
		build_all_of(r, schema, from, to);
	} else if (mote_json_get(schema, "anyOf")) {
		build_alternatives(r, schema, "anyOf", from, to);
	} else if (mote_json_get(schema, "oneOf")) {
		build_alternatives(r, schema, "oneOf", from, to);
	} else if (mote_json_get(schema, "const") || mote_json_get(schema, "enum")) {
		build_values(r, schema, from, to);
	} else {
		build_types(r, schema, from, to);
	}
}

void mote_schema_build(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	if (mote_schema_failed(r))
		return;
	if (++r->depth > SCHEMA_MAX_DEPTH)
		mote_schema_fail(r, MOTE_ERROR_LIMIT, "schemas more than %d deep inside of each other",
				 SCHEMA_MAX_DEPTH);
	else if (cJSON_IsTrue(schema))
		mote_schema_call(r, from, RULE_VALUE, to);
	else if (cJSON_IsFalse(schema))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no value fits: the schema is false");
	else if (!cJSON_IsObject(schema))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "expected a schema: an object, true or false");
	else
		build_object_schema(r, schema, from, to);
	r->depth--;
}

void mote_schema_build_root(struct schema_reader *r, const cJSON *root, uint32_t from, uint32_t to)
{
	r->root = root;
	r->path_bytes = 0;
	r->path[0] = 0;
	mote_schema_build(r, root, from, to);
	for (; r->built < r->references && !mote_schema_failed(r); r->built++) {
		const struct schema_reference *at = &r->reference[r->built];
		const struct grammar_rule *rule = &r->g->rule[at->rule];

		r->path_bytes = (size_t)snprintf(r->path, sizeof r->path, "%.400s", at->pointer);
		mote_schema_build(r, at->schema, rule->start, rule->end);
	}
}

void mote_schema_close(struct schema_reader *r)
{
	for (size_t i = 0; i < r->references; i++)
		free(r->reference[i].pointer);
	free(r->reference);
	cJSON_Delete(r->made);
}

enum mote_status mote_grammar_read_schema(const cJSON *schema, const char *name, struct mote_grammar **out,
					  struct mote_error *error)
{
	struct schema_reader r = {.name = name, .g = mote_network_open(error), .steps = SCHEMA_MAX_STEPS};
	char named[200];

	*out = NULL;
	if (!r.g)
		return MOTE_ERROR_MEMORY;
	snprintf(named, sizeof named, "%.100s: the schema", name);
	r.g->root = mote_network_rule(r.g, named, strlen(named));
	if (!mote_schema_failed(&r))
		mote_schema_build_root(&r, schema, r.g->rule[r.g->root].start, r.g->rule[r.g->root].end);
	mote_schema_close(&r);
	return mote_network_finish(r.g, out, error);
}

enum mote_status mote_grammar_any_object(struct mote_grammar **out, struct mote_error *error)
{
	static const char text[] = "{\"type\":\"object\"}";
	cJSON *schema = NULL;
	enum mote_status status = mote_json_parse(text, sizeof text - 1, "a JSON object", &schema, error);

	*out = NULL;
	if (status == MOTE_OK)
		status = mote_grammar_read_schema(schema, "a JSON object", out, error);
	cJSON_Delete(schema);
	return status;
}
