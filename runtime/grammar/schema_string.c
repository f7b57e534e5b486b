/* Strings of a schema: of a length, a format or a pattern. */
#include <string.h>

#include "runtime/grammar/schema.h"

/* What formats allow, as patterns; of dates those that every year has. */
static const char *format_pattern(const char *name)
{
#define DATE "[12][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
#define TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define BYTE "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
	static const char *const formats[][2] = {
		{"date", "^" DATE "$"},
		{"time", "^" TIME "$"},
		{"date-time", "^" DATE "T" TIME "$"},
		{"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
		{"ipv4", "^(" BYTE "\\.){3}" BYTE "$"},
		{"email", "^[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,3}@([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\\.){"
			  "1,3}[a-z]{2,10}$"}};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(name, formats[i][0]))
			return formats[i][1];
	return NULL;
}

void mote_schema_build_string(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *pattern = mote_json_get(schema, "pattern"), *format = mote_json_get(schema, "format");
	uint32_t min = mote_schema_count(r, schema, "minLength", 0),
		 max = mote_schema_count(r, schema, "maxLength", MOTE_GRAMMAR_MANY);
	uint32_t inside = mote_network_state(r->g), end = mote_network_state(r->g);

	if ((pattern && !cJSON_IsString(pattern)) || (format && !cJSON_IsString(format)))
		mote_schema_fail(r, MOTE_ERROR_CORRUPT, "%s: expected a text", pattern ? "pattern" : "format");
	if (pattern && format)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "format beside pattern is not supported");
	if ((pattern || format) && (min > 0 || max != MOTE_GRAMMAR_MANY))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "minLength and maxLength beside %s are not supported",
				 pattern ? "pattern" : "format");
	if (max < min)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no string fits: maxLength is less than minLength");
	if (mote_schema_failed(r))
		return;
	if (format && !format_pattern(format->valuestring)) {
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "format: %.60s is not supported (date, time, date-time, uuid, ipv4 and email "
				 "are)",
				 format->valuestring);
	} else if (!pattern && !format && min == 0 && max == MOTE_GRAMMAR_MANY) {
		mote_schema_call(r, from, RULE_STRING, to);
	} else {
		mote_network_byte(r->g, from, '"', '"', inside);
		if (pattern || format)
			mote_schema_build_pattern(
				r, pattern ? pattern->valuestring : format_pattern(format->valuestring), inside, end);
		else
			mote_network_repeat(r->g, inside, mote_schema_rule(r, RULE_CHARACTER), min, max, end);
		mote_network_byte(r->g, end, '"', '"', to);
	}
}
