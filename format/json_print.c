/* JSON output. cJSON's own printer compares doubles with a tolerance and so loses their last digits;
 * this one prints what reads back to the same bits, and the source text of what was parsed. */
#include "format/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/plain_locale.h"

struct output {
	char *text;
	size_t used, room;
	bool failed; /* out of memory: sticky, checked once at the end */
};

static void put(struct output *o, const char *text, size_t bytes)
{
	if (o->failed)
		return;
	if (o->room - o->used < bytes) {
		size_t room = o->room * 2 > o->used + bytes ? o->room * 2 : o->used + bytes + 256;
		char *grown = realloc(o->text, room);

		if (!grown) {
			o->failed = true;
			return;
		}
		o->text = grown;
		o->room = room;
	}
	memcpy(o->text + o->used, text, bytes);
	o->used += bytes;
}

static void put_string(struct output *o, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	put(o, "\"", 1);
	for (;;) {
		size_t plain = 0;
		unsigned char c;

		while ((c = (unsigned char)text[plain]) >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			plain++;
		put(o, text, plain);
		text += plain;
		if (!c)
			break;
		text++;
		if (c == '"' || c == '\\') {
			put(o, "\\", 1);
			put(o, text - 1, 1);
		} else if (c == '\n') {
			put(o, "\\n", 2);
		} else if (c == '\t') {
			put(o, "\\t", 2);
		} else if (c == '\r') {
			put(o, "\\r", 2);
		} else {
			char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
			put(o, escape, sizeof escape);
		}
	}
	put(o, "\"", 1);
}

static void put_number(struct output *o, const cJSON *item)
{
	double x = item->valuedouble;
	char text[40];

	if (item->valuestring) {
		put(o, item->valuestring, strlen(item->valuestring));
		return;
	}
	if (!isfinite(x)) {
		put(o, "null", 4);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	put(o, text, strlen(text));
}

/* Depth is bounded by the parser's limit, or by the code that built the tree. */
static void put_item(struct output *o, const cJSON *item)
{
	bool object = cJSON_IsObject(item);

	if (cJSON_IsString(item)) {
		put_string(o, item->valuestring);
	} else if (cJSON_IsNumber(item)) {
		put_number(o, item);
	} else if (cJSON_IsBool(item)) {
		put(o, cJSON_IsTrue(item) ? "true" : "false", cJSON_IsTrue(item) ? 4 : 5);
	} else if (object || cJSON_IsArray(item)) {
		put(o, object ? "{" : "[", 1);
		for (const cJSON *child = item->child; child; child = child->next) {
			if (object) {
				put_string(o, child->string);
				put(o, ":", 1);
			}
			put_item(o, child);
			if (child->next)
				put(o, ",", 1);
		}
		put(o, object ? "}" : "]", 1);
	} else if (cJSON_IsRaw(item)) {
		put(o, item->valuestring, strlen(item->valuestring));
	} else {
		put(o, "null", 4);
	}
}

char *mote_json_print(const cJSON *json, size_t *bytes)
{
	struct mote_plain_locale locale;
	struct output o = {0};

	if (!mote_plain_locale_begin(&locale))
		return NULL;
	put_item(&o, json);
	put(&o, "", 1);
	mote_plain_locale_end(&locale);
	if (o.failed) {
		free(o.text);
		return NULL;
	}
	*bytes = o.used - 1;
	return o.text;
}
