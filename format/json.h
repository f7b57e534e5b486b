/* JSON, strictly: the only door to cJSON.
 *
 * cJSON itself accepts too much (invalid UTF-8, raw control characters, trailing
 * garbage), ignores case in keys, cuts strings at \u0000 and keeps duplicate keys.
 * What passes through here is valid RFC 8259 in valid UTF-8, without \u0000, without
 * duplicate keys in an object, at most MOTE_JSON_MAX_DEPTH deep, and ends where the
 * input ends. A leading UTF-8 byte order mark is refused.
 *
 * Objects are linked lists: for a big one (a vocabulary), walk ->child / ->next once.
 */
#ifndef MOTE_FORMAT_JSON_H
#define MOTE_FORMAT_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

#define MOTE_JSON_MAX_DEPTH 128
/* Values in one text, unless the caller says otherwise. A tree takes up to about 150 bytes for each beside the text
 * itself, so a text of two bytes a value would otherwise become eighty times as large. No config, list of special
 * tokens or index of a model that is known comes near. */
#define MOTE_JSON_MAX_VALUES ((size_t)1 << 18)

/* Parses text[0..bytes) into *out, which the caller frees with cJSON_Delete().
 *   name  what the text is, for messages ("config.json"); line and column are added
 * Each number item carries its exact source text in ->valuestring (so 1, 1.0 and
 * 12345678901234567890 can be told apart); ->valuedouble is its nearest double.
 * Numbers longer than 63 characters are refused, like everything else that cJSON misreads.
 * MOTE_ERROR_CORRUPT: not strict JSON. MOTE_ERROR_LIMIT: more than MOTE_JSON_MAX_VALUES values, found before anything
 * is built. MOTE_ERROR_MEMORY. On error *out is NULL. */
enum mote_status mote_json_parse(const char *text, size_t bytes, const char *name,
				 cJSON **out, struct mote_error *error);
/* Like mote_json_parse() with another limit: for vocabularies and lists of tensors. */
enum mote_status mote_json_parse_large(const char *text, size_t bytes, const char *name, size_t max_values,
				       cJSON **out, struct mote_error *error);
/* Like mote_json_parse() of one line of a file of JSON lines, whose number from 1 goes into messages. */
enum mote_status mote_json_parse_line(const char *text, size_t bytes, const char *name, size_t line,
				      cJSON **out, struct mote_error *error);

/* The member with exactly this key, or NULL (also when object is NULL or no object). */
const cJSON *mote_json_get(const cJSON *object, const char *key);
/* The same for who asks often about a stranger's text: *steps, counted down for each member that is looked at, is what
 * is left; at 0 nothing is found. */
const cJSON *mote_json_find(const cJSON *object, const char *key, uint64_t *steps);
/* Whether both are alike: numbers by their doubles, objects in any order of their members. (cJSON_Compare() takes twice
 * as long for each level of objects in objects.) With steps as above; at 0 it is false. */
bool mote_json_equal(const cJSON *a, const cJSON *b, uint64_t *steps);

/* Compact text of a tree, which the caller frees with free(); NULL when memory is gone. Numbers which
 * were parsed print as their source text (so do not change them with cJSON_SetNumberValue());
 * others print so that they read back to the same double. What JSON cannot say (NaN) prints as null,
 * text of cJSON_CreateRaw() as it is.
 *   bytes  receives the length without the terminating NUL */
char *mote_json_print(const cJSON *json, size_t *bytes);

/* True when the number is integral, written without '.' or exponent, and |value| <= 2^53. */
bool mote_json_integer(const cJSON *item, int64_t *value);

/* Typed members. "where" names the object in messages ("config.json").
 * need_*: absent, null or of the wrong type is MOTE_ERROR_CORRUPT with key, found, expected.
 * want_*: absent or null stores fallback; the wrong type is still an error.
 * Strings are borrowed from the tree. */
enum mote_status mote_json_need_u32(const cJSON *object, const char *key, uint32_t min, uint32_t max,
				    const char *where, uint32_t *value, struct mote_error *error);
enum mote_status mote_json_want_u32(const cJSON *object, const char *key, uint32_t min, uint32_t max,
				    uint32_t fallback, const char *where, uint32_t *value,
				    struct mote_error *error);
enum mote_status mote_json_want_double(const cJSON *object, const char *key, double min, double max,
				       double fallback, const char *where, double *value,
				       struct mote_error *error);
enum mote_status mote_json_want_bool(const cJSON *object, const char *key, bool fallback,
				     const char *where, bool *value, struct mote_error *error);
enum mote_status mote_json_need_string(const cJSON *object, const char *key, const char *where,
				       const char **value, struct mote_error *error);
enum mote_status mote_json_want_string(const cJSON *object, const char *key, const char *fallback,
				       const char *where, const char **value, struct mote_error *error);

#endif
