#include "format/json_build.h"

#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

static cJSON *checked(struct mote_json_builder *b, cJSON *item)
{
	b->failed |= !item;
	return item;
}

cJSON *mote_json_new_object(struct mote_json_builder *b)
{
	return checked(b, cJSON_CreateObject());
}

cJSON *mote_json_new_array(struct mote_json_builder *b)
{
	return checked(b, cJSON_CreateArray());
}

/* item in parent, or NULL and item freed. */
static cJSON *put(struct mote_json_builder *b, cJSON *parent, const char *key, cJSON *item)
{
	bool added = item && parent &&
		     (key ? cJSON_AddItemToObject(parent, key, item) : cJSON_AddItemToArray(parent, item));

	if (added)
		return item;
	cJSON_Delete(item);
	return checked(b, NULL);
}

cJSON *mote_json_add_object(struct mote_json_builder *b, cJSON *parent, const char *key)
{
	return put(b, parent, key, cJSON_CreateObject());
}

cJSON *mote_json_add_array(struct mote_json_builder *b, cJSON *parent, const char *key)
{
	return put(b, parent, key, cJSON_CreateArray());
}

void mote_json_add_number(struct mote_json_builder *b, cJSON *parent, const char *key, double value)
{
	put(b, parent, key, cJSON_CreateNumber(value));
}

void mote_json_add_bool(struct mote_json_builder *b, cJSON *parent, const char *key, bool value)
{
	put(b, parent, key, cJSON_CreateBool(value));
}

void mote_json_add_null(struct mote_json_builder *b, cJSON *parent, const char *key)
{
	put(b, parent, key, cJSON_CreateNull());
}

/* JSON is UTF-8, and the name of a file may be any bytes: what no reader would take becomes U+FFFD. */
static cJSON *new_text(const char *text)
{
	size_t bytes = text ? strlen(text) : 0, used = 0, step, bad;
	cJSON *item;
	char *clean;

	if (mote_utf8_valid(text, bytes) == bytes)
		return cJSON_CreateString(text);
	clean = malloc(3 * bytes + 1);
	if (!clean)
		return NULL;
	for (size_t at = 0; at < bytes; at += step ? step : bad ? bad : bytes - at) {
		step = mote_utf8_step(text + at, bytes - at, &bad);
		memcpy(clean + used, step ? text + at : "\xef\xbf\xbd", step ? step : 3);
		used += step ? step : 3;
	}
	clean[used] = 0;
	item = cJSON_CreateString(clean);
	free(clean);
	return item;
}

void mote_json_add_text(struct mote_json_builder *b, cJSON *parent, const char *key, const char *text)
{
	put(b, parent, key, new_text(text));
}

void mote_json_add_item(struct mote_json_builder *b, cJSON *parent, const char *key, cJSON *item)
{
	put(b, parent, key, item);
}

enum mote_status mote_json_finish(struct mote_json_builder *b, cJSON **json, const char *what, struct mote_error *error)
{
	if (!b->failed && *json)
		return MOTE_OK;
	cJSON_Delete(*json);
	*json = NULL;
	return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for %s", what);
}
