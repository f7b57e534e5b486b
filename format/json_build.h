/* Building JSON: every result is looked at, once, at the end.
 *
 * A builder remembers that memory ran out, wherever it did; what is added afterwards or below something that could
 * not be added is dropped. So nothing is checked in between, and mote_json_finish() gives the whole tree or an error,
 * never a tree with holes.
 */
#ifndef MOTE_FORMAT_JSON_BUILD_H
#define MOTE_FORMAT_JSON_BUILD_H

#include "format/json.h"

/* Zero-initialize. */
struct mote_json_builder {
	bool failed;
};

/* A new tree, to be given to mote_json_finish(). NULL like all results here when memory ran out; NULL is a fine parent
 * for everything below. */
cJSON *mote_json_new_object(struct mote_json_builder *b);
cJSON *mote_json_new_array(struct mote_json_builder *b);

/* Adds to parent: with a key to an object, with key NULL to an array. Texts are copied; what is no UTF-8 in them
 * becomes U+FFFD. Keys must be UTF-8. */
cJSON *mote_json_add_object(struct mote_json_builder *b, cJSON *parent, const char *key);
cJSON *mote_json_add_array(struct mote_json_builder *b, cJSON *parent, const char *key);
void mote_json_add_number(struct mote_json_builder *b, cJSON *parent, const char *key, double value);
void mote_json_add_bool(struct mote_json_builder *b, cJSON *parent, const char *key, bool value);
void mote_json_add_null(struct mote_json_builder *b, cJSON *parent, const char *key);
void mote_json_add_text(struct mote_json_builder *b, cJSON *parent, const char *key, const char *text);
/* Takes over item, also when it fails; item NULL counts as out of memory. */
void mote_json_add_item(struct mote_json_builder *b, cJSON *parent, const char *key, cJSON *item);

/* *json as it is, or MOTE_ERROR_MEMORY with *json freed and NULL. what names it in the message. */
enum mote_status mote_json_finish(struct mote_json_builder *b, cJSON **json, const char *what,
				  struct mote_error *error);

#endif
