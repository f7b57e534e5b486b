#include "format/json_build.h"

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

void mote_json_add_text(struct mote_json_builder *b, cJSON *parent, const char *key, const char *text)
{
	put(b, parent, key, cJSON_CreateString(text));
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
