/* What callers ask of a tree: a member by its key, of the type and in the range they need (json.h). */
#include "format/json.h"

#include <math.h>
#include <string.h>

#define MAX_INTEGER 9007199254740992.0 /* 2^53 */

const cJSON *mote_json_get(const cJSON *object, const char *key)
{
	if (!cJSON_IsObject(object))
		return NULL;
	for (const cJSON *child = object->child; child; child = child->next)
		if (strcmp(child->string, key) == 0)
			return child;
	return NULL;
}

static bool take_step(uint64_t *steps)
{
	*steps -= *steps > 0;
	return *steps > 0;
}

const cJSON *mote_json_find(const cJSON *object, const char *key, uint64_t *steps)
{
	if (!cJSON_IsObject(object))
		return NULL;
	for (const cJSON *child = object->child; child && take_step(steps); child = child->next)
		if (strcmp(child->string, key) == 0)
			return child;
	return NULL;
}

static bool equal_texts(const char *a, const char *b, uint64_t *steps)
{
	size_t n = 0;

	for (; a[n] == b[n] && a[n]; n++)
		if (n % 64 == 63 && !take_step(steps))
			return false;
	return a[n] == b[n];
}

bool mote_json_equal(const cJSON *a, const cJSON *b, uint64_t *steps)
{
	const cJSON *left, *right;

	if (!take_step(steps) || !a || !b || (a->type & 0xff) != (b->type & 0xff))
		return false;
	if (cJSON_IsNumber(a))
		return a->valuedouble == b->valuedouble;
	if (cJSON_IsString(a))
		return equal_texts(a->valuestring, b->valuestring, steps);
	if (!cJSON_IsArray(a) && !cJSON_IsObject(a))
		return true;
	for (left = a->child, right = b->child; left && right; left = left->next, right = right->next) {
		/* No key comes twice, so that as many members of which each is found are the same ones. */
		const cJSON *other = cJSON_IsArray(a) || !strcmp(left->string, right->string)
					     ? right : mote_json_find(b, left->string, steps);

		if (!mote_json_equal(left, other, steps))
			return false;
	}
	return !left && !right;
}

bool mote_json_integer(const cJSON *item, int64_t *value)
{
	double x;

	if (!cJSON_IsNumber(item))
		return false;
	x = item->valuedouble;
	if (item->valuestring && strpbrk(item->valuestring, ".eE"))
		return false;
	/* 2^53 + 1 rounds to 2^53: the text decides. */
	if (!(fabs(x) <= MAX_INTEGER) || floor(x) != x)
		return false;
	if (fabs(x) == MAX_INTEGER && item->valuestring && !strstr(item->valuestring, "9007199254740992"))
		return false;
	*value = (int64_t)x;
	return true;
}

/* What an item is, for messages. */
static const char *kind(const cJSON *item)
{
	return !item ? "nothing" : cJSON_IsNull(item) ? "null" : cJSON_IsBool(item) ? "a boolean" :
	       cJSON_IsString(item) ? "a string" : cJSON_IsArray(item) ? "an array" :
	       cJSON_IsObject(item) ? "an object" : item->valuestring ? item->valuestring : "a number";
}

static bool absent(const cJSON *item)
{
	return !item || cJSON_IsNull(item);
}

enum mote_status mote_json_need_u32(const cJSON *object, const char *key, uint32_t min, uint32_t max,
				    const char *where, uint32_t *value, struct mote_error *error)
{
	const cJSON *item = mote_json_get(object, key);
	int64_t integer;

	if (!mote_json_integer(item, &integer) || integer < min || integer > max)
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": found %s, expected an integer %u..%u",
				      where, key, kind(item), min, max);
	*value = (uint32_t)integer;
	return MOTE_OK;
}

enum mote_status mote_json_want_u32(const cJSON *object, const char *key, uint32_t min, uint32_t max,
				    uint32_t fallback, const char *where, uint32_t *value,
				    struct mote_error *error)
{
	if (!absent(mote_json_get(object, key)))
		return mote_json_need_u32(object, key, min, max, where, value, error);
	*value = fallback;
	return MOTE_OK;
}

enum mote_status mote_json_want_double(const cJSON *object, const char *key, double min, double max,
				       double fallback, const char *where, double *value,
				       struct mote_error *error)
{
	const cJSON *item = mote_json_get(object, key);

	if (absent(item)) {
		*value = fallback;
		return MOTE_OK;
	}
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= min && item->valuedouble <= max))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": found %s, expected a number %g..%g",
				      where, key, kind(item), min, max);
	*value = item->valuedouble;
	return MOTE_OK;
}

enum mote_status mote_json_want_bool(const cJSON *object, const char *key, bool fallback,
				     const char *where, bool *value, struct mote_error *error)
{
	const cJSON *item = mote_json_get(object, key);

	if (!absent(item) && !cJSON_IsBool(item))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": found %s, expected a boolean",
				      where, key, kind(item));
	*value = absent(item) ? fallback : cJSON_IsTrue(item);
	return MOTE_OK;
}

enum mote_status mote_json_need_string(const cJSON *object, const char *key, const char *where,
				       const char **value, struct mote_error *error)
{
	const cJSON *item = mote_json_get(object, key);

	if (!cJSON_IsString(item))
		return mote_error_set(error, MOTE_ERROR_CORRUPT, "%s: \"%s\": found %s, expected a string",
				      where, key, kind(item));
	*value = item->valuestring;
	return MOTE_OK;
}

enum mote_status mote_json_want_string(const cJSON *object, const char *key, const char *fallback,
				       const char *where, const char **value, struct mote_error *error)
{
	if (!absent(mote_json_get(object, key)))
		return mote_json_need_string(object, key, where, value, error);
	*value = fallback;
	return MOTE_OK;
}
