/* Schemas made of several: what fits all of them as one schema (allOf, and what stands beside anyOf or $ref), and
 * whether two exclude each other (oneOf). Merged schemas borrow their members from those that they are made of. */
#include <math.h>
#include <string.h>

#include "runtime/grammar/schema.h"

/* ---- types ---- */

static unsigned type_named(const char *name)
{
	static const struct {
		const char *name;
		unsigned type;
	} types[] = {{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"integer", TYPE_INTEGER},
		     {"number", TYPE_NUMBER}, {"string", TYPE_STRING},	 {"array", TYPE_ARRAY},
		     {"object", TYPE_OBJECT}};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(name, types[i].name))
			return types[i].type;
	return 0;
}

unsigned mote_schema_types(struct schema_reader *r, const cJSON *schema)
{
	const cJSON *type = mote_schema_member(r, schema, "type");
	unsigned all = 0;

	if (!type)
		return TYPE_ALL;
	for (const cJSON *item = cJSON_IsArray(type) ? type->child : type; item;
	     item = cJSON_IsArray(type) && !mote_schema_failed(r) ? item->next : NULL) {
		unsigned one = cJSON_IsString(item) ? type_named(item->valuestring) : 0;

		if (!one)
			mote_schema_fail(
				r, MOTE_ERROR_CORRUPT,
				"type: expected null, boolean, integer, number, string, array, object or a list "
				"of these");
		mote_schema_spend(r, 1);
		all |= one;
	}
	return all;
}

unsigned mote_schema_type_of(const cJSON *value)
{
	if (cJSON_IsNumber(value)) /* 1.0 is an integer, too */
		return value->valuedouble == floor(value->valuedouble) ? TYPE_INTEGER : TYPE_FRACTION;
	return cJSON_IsNull(value)     ? TYPE_NULL
	       : cJSON_IsBool(value)   ? TYPE_BOOLEAN
	       : cJSON_IsString(value) ? TYPE_STRING
	       : cJSON_IsArray(value)  ? TYPE_ARRAY
				       : TYPE_OBJECT;
}

/* ---- merging ---- */

static cJSON *new_schema(struct schema_reader *r)
{
	cJSON *made = cJSON_CreateObject();

	if (!r->made)
		r->made = cJSON_CreateArray();
	if (++r->merged > SCHEMA_MAX_MERGED) {
		mote_schema_fail(r, MOTE_ERROR_LIMIT, "more than %d schemas that are made of several",
				 SCHEMA_MAX_MERGED);
	} else if (made && r->made && cJSON_AddItemToArray(r->made, made)) {
		return made;
	} else {
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a schema");
	}
	cJSON_Delete(made);
	return NULL;
}

/* The item stays its owner's. key NULL: to is an array. */
static void lend(struct schema_reader *r, cJSON *to, const char *key, const cJSON *item)
{
	cJSON *lent = (cJSON *)(uintptr_t)item; /* cJSON only copies its head, but does not say so in its type */

	if (++r->lent > SCHEMA_MAX_LENT)
		mote_schema_fail(r, MOTE_ERROR_LIMIT, "more than %d members in schemas that are made of several",
				 SCHEMA_MAX_LENT);
	else if (!(key ? cJSON_AddItemReferenceToObject(to, key, lent) : cJSON_AddItemReferenceToArray(to, lent)))
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a schema");
}

static cJSON *add(struct schema_reader *r, cJSON *to, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(to, key, item))
		return item;
	cJSON_Delete(item);
	mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a schema");
	return NULL;
}

const cJSON *mote_schema_without(struct schema_reader *r, const cJSON *schema, const char *key)
{
	cJSON *rest = new_schema(r);

	for (const cJSON *item = schema->child; item && rest && !mote_schema_failed(r); item = item->next)
		if (strcmp(item->string, key) != 0)
			lend(r, rest, item->string, item);
	return mote_schema_failed(r) ? NULL : rest;
}

/* {"allOf": [a, b]}, to be merged when it is come to. */
static void merge_later(struct schema_reader *r, cJSON *to, const char *key, const cJSON *a, const cJSON *b)
{
	cJSON *both = add(r, to, key, cJSON_CreateObject()),
	      *list = both ? add(r, both, "allOf", cJSON_CreateArray()) : NULL;

	if (list && (!cJSON_AddItemReferenceToArray(list, (cJSON *)(uintptr_t)a) ||
		     !cJSON_AddItemReferenceToArray(list, (cJSON *)(uintptr_t)b)))
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a schema");
}

static void merge_properties(struct schema_reader *r, cJSON *to, const cJSON *a, const cJSON *b)
{
	cJSON *all = add(r, to, "properties", cJSON_CreateObject());

	for (const cJSON *item = a->child; item && all && !mote_schema_failed(r); item = item->next) {
		const cJSON *other = mote_schema_member(r, b, item->string);

		if (!other || mote_schema_equal(r, item, other))
			lend(r, all, item->string, item);
		else
			merge_later(r, all, item->string, item, other);
	}
	for (const cJSON *item = b->child; item && all && !mote_schema_failed(r); item = item->next)
		if (!mote_schema_member(r, a, item->string))
			lend(r, all, item->string, item);
}

static void merge_required(struct schema_reader *r, cJSON *to, const cJSON *a, const cJSON *b)
{
	cJSON *all = add(r, to, "required", cJSON_CreateArray());

	for (int i = 0; i < 2 && all; i++)
		for (const cJSON *item = (i ? b : a)->child; item && !mote_schema_failed(r); item = item->next)
			lend(r, all, NULL, item);
}

static void merge_types(struct schema_reader *r, cJSON *to, const cJSON *a, const cJSON *b)
{
	static const char *const names[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
	unsigned types = mote_schema_types(r, a) & mote_schema_types(r, b);
	cJSON *all = add(r, to, "type", cJSON_CreateArray());

	for (size_t i = 0; i < sizeof names / sizeof *names && all; i++) {
		unsigned type = type_named(names[i]);
		cJSON *name = (types & type) == type ? cJSON_CreateString(names[i]) : NULL;

		if ((types & type) == type && (!name || !cJSON_AddItemToArray(all, name))) {
			cJSON_Delete(name);
			mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a schema");
		}
	}
}

/* 1: of two bounds the larger holds; -1: the smaller one; 0: no bound. */
static int bound(const char *key)
{
	static const char *const lower[] = {"minimum", "exclusiveMinimum", "minLength", "minItems"};
	static const char *const upper[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems"};

	for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
		if (!strcmp(key, lower[i]) || !strcmp(key, upper[i]))
			return strcmp(key, lower[i]) ? -1 : 1;
	return 0;
}

static void merge_keyword(struct schema_reader *r, cJSON *to, const cJSON *a, const cJSON *b, const cJSON *in_a,
			  const cJSON *in_b)
{
	const char *key = in_b->string;
	int side = bound(key);

	if (mote_schema_equal(r, in_a, in_b))
		lend(r, to, key, in_a);
	else if (!strcmp(key, "properties"))
		merge_properties(r, to, in_a, in_b);
	else if (!strcmp(key, "required"))
		merge_required(r, to, in_a, in_b);
	else if (!strcmp(key, "type"))
		merge_types(r, to, a, b);
	else if (side && cJSON_IsNumber(in_a) && cJSON_IsNumber(in_b))
		lend(r, to, key, (in_a->valuedouble > in_b->valuedouble) == (side > 0) ? in_a : in_b);
	else
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "%.100s in several schemas that must all fit is not supported", key);
}

/* {"additionalProperties": false} forbids what the other names. */
static void check_closed(struct schema_reader *r, const cJSON *closed, const cJSON *other)
{
	const cJSON *may = mote_json_get(closed, "additionalProperties"), *own = mote_json_get(closed, "properties");
	const cJSON *names = mote_json_get(other, "properties");

	for (const cJSON *item = may && !cJSON_IsTrue(may) && names ? names->child : NULL;
	     item && !mote_schema_failed(r); item = item->next)
		if (!mote_schema_member(r, own, item->string))
			mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
					 "additionalProperties of one schema for property %.100s of another that "
					 "must fit, too, is not supported",
					 item->string);
}

/* "items" of a schema without prefixItems says of all items, also of those that the other's prefixItems describe. */
static void check_items(struct schema_reader *r, const cJSON *all, const cJSON *other)
{
	const cJSON *items = mote_json_get(all, "items");

	if (items && !cJSON_IsTrue(items) && !mote_json_get(all, "prefixItems") && mote_json_get(other, "prefixItems"))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "items of one schema for prefixItems of another that must fit, too, is not supported");
}

const cJSON *mote_schema_merge(struct schema_reader *r, const cJSON *a, const cJSON *b)
{
	cJSON *all;

	a = mote_schema_resolve(r, a);
	b = mote_schema_resolve(r, b);
	if (!a || !b)
		return NULL;
	if (cJSON_IsTrue(a) || cJSON_IsFalse(b))
		return b;
	if (cJSON_IsTrue(b) || cJSON_IsFalse(a))
		return a;
	if (!cJSON_IsObject(a) || !cJSON_IsObject(b))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "expected a schema: an object, true or false");
	all = mote_schema_failed(r) ? NULL : new_schema(r);
	if (!all)
		return NULL;
	check_closed(r, a, b);
	check_closed(r, b, a);
	check_items(r, a, b);
	check_items(r, b, a);
	for (const cJSON *item = a->child; item && !mote_schema_failed(r); item = item->next)
		if (!mote_schema_member(r, b, item->string) || mote_schema_is_annotation(item->string))
			lend(r, all, item->string, item);
	for (const cJSON *item = b->child; item && !mote_schema_failed(r); item = item->next) {
		const cJSON *in_a = mote_schema_member(r, a, item->string);

		if (!in_a)
			lend(r, all, item->string, item);
		else if (!mote_schema_is_annotation(item->string))
			merge_keyword(r, all, a, b, in_a, item);
	}
	return mote_schema_failed(r) ? NULL : all;
}

/* ---- exclusion ---- */

static bool in_list(struct schema_reader *r, const cJSON *list, const cJSON *value)
{
	for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item && !mote_schema_failed(r);
	     item = item->next)
		if (mote_schema_equal(r, item, value))
			return true;
	return false;
}

/* Whether both list their values, and share none. */
static bool values_apart(struct schema_reader *r, const cJSON *a, const cJSON *b)
{
	const cJSON *one = mote_schema_member(r, a, "const"), *other = mote_schema_member(r, b, "const");
	const cJSON *many = mote_schema_member(r, a, "enum"), *others = mote_schema_member(r, b, "enum");

	if ((!one && !cJSON_IsArray(many)) || (!other && !cJSON_IsArray(others)))
		return false;
	if (one)
		return other ? !mote_schema_equal(r, one, other) : !in_list(r, others, one);
	for (const cJSON *item = many->child; item; item = item->next)
		if (other ? mote_schema_equal(r, item, other) : in_list(r, others, item))
			return false;
	return true;
}

/* Whether a requires a property whose values differ from those that b has for it. */
static bool property_apart(struct schema_reader *r, const cJSON *a, const cJSON *b)
{
	const cJSON *own = mote_schema_member(r, a, "properties"), *theirs = mote_schema_member(r, b, "properties");

	for (const cJSON *item = own ? own->child : NULL; item && !mote_schema_failed(r); item = item->next) {
		const cJSON *other = mote_schema_member(r, theirs, item->string);

		if (other && mote_schema_requires(r, a, item->string) &&
		    values_apart(r, mote_schema_resolve(r, item), mote_schema_resolve(r, other)))
			return true;
	}
	return false;
}

/* Whether no object that is built for a fits b: it lacks a property that b requires. a: with all that it is built of,
 * else it may have more. */
static bool lacks_required(struct schema_reader *r, const cJSON *a, const cJSON *b)
{
	static const char *const parts[] = {"$ref", "allOf", "anyOf", "oneOf"};
	const cJSON *own = mote_schema_member(r, a, "properties");
	const cJSON *more = mote_schema_member(r, a, "additionalProperties");
	const cJSON *required = mote_schema_member(r, b, "required");

	if (!own || (more && !cJSON_IsFalse(more)))
		return false;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (mote_schema_member(r, a, parts[i]))
			return false;
	for (const cJSON *item = cJSON_IsArray(required) ? required->child : NULL; item; item = item->next)
		if (cJSON_IsString(item) && !mote_schema_member(r, own, item->valuestring) &&
		    !mote_schema_requires(r, a, item->valuestring))
			return true;
	return false;
}

/* The types that a schema's values can have; more than they have where that takes more than a look. */
static unsigned types_of(struct schema_reader *r, const cJSON *schema)
{
	const cJSON *only = mote_schema_member(r, schema, "const"), *list = mote_schema_member(r, schema, "enum");
	unsigned types = 0;

	if (only)
		return mote_schema_type_of(only);
	for (const cJSON *item = cJSON_IsArray(list) ? list->child : NULL; item && !mote_schema_failed(r);
	     item = item->next) {
		types |= mote_schema_type_of(item);
		mote_schema_spend(r, 1);
	}
	return list ? types & mote_schema_types(r, schema) : mote_schema_types(r, schema);
}

bool mote_schema_are_apart(struct schema_reader *r, const cJSON *a, const cJSON *b, const cJSON *whole_a,
			   const cJSON *whole_b)
{
	unsigned common;

	if (cJSON_IsFalse(whole_a) || cJSON_IsFalse(whole_b))
		return true;
	if (!cJSON_IsObject(whole_a) || !cJSON_IsObject(whole_b))
		return false;
	common = types_of(r, whole_a) & types_of(r, whole_b);
	if (common == 0 || values_apart(r, whole_a, whole_b))
		return true;
	return common == TYPE_OBJECT &&
	       (property_apart(r, a, b) || property_apart(r, b, a) ||
		(lacks_required(r, whole_a, b) && lacks_required(r, whole_b, a)));
}
