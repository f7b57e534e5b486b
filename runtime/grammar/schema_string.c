/* Strings of a schema: of a length, a format or a pattern. */
#include <string.h>

#include "runtime/grammar/schema.h"

/* A format's texts as a pattern, and of how many characters the shortest and the longest are. */
struct format {
	const char *name, *pattern;
	uint32_t least, most;
};

/* What formats allow; of dates those that every year has. */
static const struct format *find_format(const char *name)
{
#define DATE "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
#define TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define HOST "([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.){1,3}[a-z]{2,10}"
#define IN_PATH "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})"
#define HEX "[0-9a-f]{1,4}"
#define MANY "[0-9]{1,4}"
#define MINUTES MANY "M(" MANY "S)?"
#define HOURS "T(" MANY "H(" MINUTES ")?|" MINUTES "|" MANY "S)"
#define MONTHS MANY "M(" MANY "D)?"
	static const struct format formats[] = {
		{"date", "^" DATE "$", 10, 10},
		{"time", "^" TIME "$", 9, 21},
		{"date-time", "^" DATE "T" TIME "$", 20, 32},
		{"duration", "^P((" MANY "Y(" MONTHS ")?|" MONTHS "|" MANY "D)(" HOURS ")?|" HOURS "|" MANY "W)$",
		 3, 32},
		{"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", 36, 36},
		{"ipv4", "^(" BYTE "\\.){3}" BYTE "$", 7, 15},
		{"ipv6", "^((" HEX ":){7}" HEX "|(" HEX ":){1,7}:|:(:" HEX "){1,7}|::|(" HEX ":){1,3}(:" HEX "){1,4})$",
		 2, 39},
		{"hostname", "^" HOST "$", 4, 79},
		{"email", "^[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,3}@" HOST "$", 6, 163},
		{"uri", "^https?://" HOST "(:[1-9][0-9]{1,3})?(/" IN_PATH "{0,40}){0,8}(\\?(" IN_PATH
			"|/){0,150})?(#(" IN_PATH "|/){0,50})?$", 11, 1662}};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(name, formats[i].name))
			return &formats[i];
	return NULL;
}

/* The inside of a string as a network of its own: of a pattern, or of so many characters. NULL with an error. */
static struct mote_grammar *make_part(struct schema_reader *r, const char *pattern, uint32_t min, uint32_t max)
{
	struct schema_reader part;
	uint32_t from, to;

	mote_schema_begin_part(r, &part, &from, &to);
	if (pattern && !mote_schema_failed(r))
		mote_schema_build_pattern(&part, pattern, from, to);
	else if (!mote_schema_failed(r))
		mote_network_repeat(part.g, from, mote_schema_rule(&part, RULE_CHARACTER), min, max, to);
	return mote_schema_end_part(r, &part);
}

/* The pattern of "format"; NULL: none, or an error. What is not known says nothing beside a pattern. */
static const struct format *read_format(struct schema_reader *r, const cJSON *schema)
{
	const cJSON *pattern = mote_json_get(schema, "pattern"), *name = mote_json_get(schema, "format");
	const struct format *format = cJSON_IsString(name) ? find_format(name->valuestring) : NULL;

	if ((pattern && !cJSON_IsString(pattern)) || (name && !cJSON_IsString(name)))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "%s: expected a text", pattern ? "pattern" : "format");
	else if (name && !pattern && !format)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "format: %.60s is not supported (date, time, date-time, "
				 "duration, uuid, ipv4, ipv6, hostname, email and uri are)", name->valuestring);
	return format;
}

void mote_schema_build_string(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const struct format *format = read_format(r, schema);
	const cJSON *pattern = mote_json_get(schema, "pattern");
	uint32_t min = mote_schema_count(r, schema, "minLength", 0),
		 max = mote_schema_count(r, schema, "maxLength", MOTE_GRAMMAR_MANY);
	uint32_t inside = mote_network_state(r->g), end = mote_network_state(r->g);
	bool counted = format ? min > format->least || max < format->most : min > 0 || max != MOTE_GRAMMAR_MANY;
	struct mote_grammar *part[3];
	int parts = 0;

	if (max < min)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no string fits: maxLength is less than minLength");
	if (mote_schema_failed(r))
		return;
	if (!pattern && !format && !counted) {
		mote_schema_call(r, from, RULE_STRING, to);
		return;
	}
	mote_network_byte(r->g, from, '"', '"', inside);
	mote_network_byte(r->g, end, '"', '"', to);
	if (!!pattern + !!format + counted == 1) {
		if (counted)
			mote_network_repeat(r->g, inside, mote_schema_rule(r, RULE_CHARACTER), min, max, end);
		else
			mote_schema_build_pattern(r, pattern ? pattern->valuestring : format->pattern, inside, end);
		return;
	}
	if (pattern)
		part[parts++] = make_part(r, pattern->valuestring, 0, 0);
	if (format)
		part[parts++] = make_part(r, format->pattern, 0, 0);
	if (counted)
		part[parts++] = make_part(r, NULL, min, max);
	if (!mote_schema_failed(r))
		mote_schema_build_both(r, part, parts, inside, end);
	while (parts-- > 0)
		mote_grammar_close(part[parts]);
}
