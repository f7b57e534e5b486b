/* Objects and arrays of a schema. Properties come in the schema's order, those that it does not name behind them. */
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/grammar/schema.h"

static const struct grammar_range plain[] = {{' ', '!'}, {'#', '['}, {']', 0x10ffff}};

enum { MAX_PROPERTIES = 2000, MAX_NAME_BYTES = 200 };

/* ": " and a value. schema NULL: any. */
static void build_member(struct schema_reader *r, uint32_t from, const cJSON *schema, uint32_t to)
{
	uint32_t colon = mote_network_state(r->g), value = mote_network_state(r->g);

	mote_network_byte(r->g, from, ':', ':', colon);
	mote_schema_call(r, colon, RULE_BLANKS, value);
	if (schema)
		mote_schema_build(r, schema, value, to);
	else
		mote_schema_call(r, value, RULE_VALUE, to);
}

/* A name as JSON writes it. */
static void build_name(struct schema_reader *r, uint32_t from, const char *name, uint32_t to)
{
	cJSON *text = cJSON_CreateString(name);

	if (text)
		mote_schema_build_literal(r, text, from, to);
	else
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a name");
	cJSON_Delete(text);
}

/* ---- names that the schema does not name ---- */

/* What is common to all steps of building them. */
struct others {
	struct schema_reader *r;
	const char **name; /* [names] sorted */
	uint32_t free, to; /* the name differs already; behind its closing quote */
};

/* Characters low..high as far as names have them without escapes: then the name differs. */
static void build_free(struct others *o, uint32_t from, uint32_t low, uint32_t high)
{
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		struct grammar_range both = {low > plain[i].low ? low : plain[i].low,
					     high < plain[i].high ? high : plain[i].high};

		if (both.low <= both.high)
			mote_network_characters(o->r->g, from, &both, 1, o->free);
	}
}

/* A name that is none of name[low..high), which share their first `at` bytes; from is behind these. Sorted as bytes,
 * names are sorted by characters, too: between two of them lies what none goes on with. */
static void build_others(struct others *o, size_t low, size_t high, size_t at, uint32_t from)
{
	struct mote_grammar *g = o->r->g;
	uint32_t least = 0;

	if (low < high && !o->name[low][at])
		low++; /* the name itself must not end here */
	else
		mote_network_byte(g, from, '"', '"', o->to);
	while (low < high && !mote_schema_failed(o->r)) {
		size_t bytes, end = low + 1;
		uint32_t c = mote_utf8_decode(o->name[low] + at, &bytes), next = mote_network_state(g);
		struct grammar_range one = {c, c};

		while (end < high && !memcmp(o->name[end] + at, o->name[low] + at, bytes))
			end++;
		if (c > least)
			build_free(o, from, least, c - 1);
		least = c + 1;
		mote_network_characters(g, from, &one, 1, next);
		build_others(o, low, end, at + bytes, next);
		low = end;
	}
	build_free(o, from, least, 0x10ffff);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names are written without escapes, so those which need some cannot be met. */
static bool is_plain(const char *name)
{
	for (; *name; name++)
		if ((uint8_t)*name < ' ' || *name == '"' || *name == '\\')
			return false;
	return true;
}

static void build_other_name(struct schema_reader *r, const char *const *names, size_t count, uint32_t from,
			     uint32_t to)
{
	struct others o = {
		.r = r, .to = to, .name = malloc((count + 1) * sizeof *o.name), .free = mote_network_state(r->g)};
	uint32_t inside = mote_network_state(r->g);
	size_t n = 0;

	for (size_t i = 0; o.name && i < count; i++) {
		if (strlen(names[i]) > MAX_NAME_BYTES)
			mote_schema_fail(r, MOTE_ERROR_LIMIT, "a name of more than %d bytes beside other properties",
					 MAX_NAME_BYTES);
		if (is_plain(names[i]))
			o.name[n++] = names[i];
	}
	if (!o.name)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for names");
	if (!mote_schema_failed(r)) {
		qsort(o.name, n, sizeof *o.name, by_text);
		mote_network_byte(r->g, from, '"', '"', inside);
		mote_network_characters(r->g, o.free, plain, 3, o.free);
		mote_network_byte(r->g, o.free, '"', '"', to);
		build_others(&o, 0, n, 0, inside);
	}
	free(o.name);
}

/* ---- objects ---- */

/* An object under way: from "first" on nothing was written yet, from "later" on something was. */
struct members {
	uint32_t first, later;
	const char **name; /* [names] that were built */
	size_t names;
};

/* Where a member begins, behind its comma if it needs one. */
static uint32_t begin_member(struct schema_reader *r, struct members *m)
{
	uint32_t member = mote_network_state(r->g), comma = mote_network_state(r->g);

	if (m->first)
		mote_network_empty(r->g, m->first, member);
	if (m->later) {
		mote_network_byte(r->g, m->later, ',', ',', comma);
		mote_schema_call(r, comma, RULE_BLANKS, member);
	}
	return member;
}

static void build_property(struct schema_reader *r, struct members *m, const char *name, const cJSON *schema,
			   bool required)
{
	uint32_t member = begin_member(r, m), colon = mote_network_state(r->g), later = mote_network_state(r->g);
	size_t before = mote_schema_enter(r, "properties"), inner = mote_schema_enter(r, name);

	build_name(r, member, name, colon);
	build_member(r, colon, schema, later);
	if (m->later && !required)
		mote_network_empty(r->g, m->later, later);
	if (required) {
		m->first = 0;
	} else if (m->first) {
		uint32_t first = mote_network_state(r->g);

		mote_network_empty(r->g, m->first, first);
		m->first = first;
	}
	m->later = later;
	m->name[m->names++] = name;
	mote_schema_leave(r, inner);
	mote_schema_leave(r, before);
}

/* Any number of members with other names. */
static void build_more(struct schema_reader *r, struct members *m, const cJSON *schema)
{
	uint32_t later = mote_network_state(r->g), colon = mote_network_state(r->g), member;
	size_t before = mote_schema_enter(r, "additionalProperties");

	if (m->later)
		mote_network_empty(r->g, m->later, later);
	m->later = later;
	member = begin_member(r, m);
	if (m->names)
		build_other_name(r, m->name, m->names, member, colon);
	else
		mote_schema_call(r, member, RULE_KEY, colon);
	build_member(r, colon, schema, later);
	mote_schema_leave(r, before);
}

/* The list of all names, where "propertyNames" has one; that, and that they are strings, is all that is understood of
 * it. */
static const cJSON *list_of_names(struct schema_reader *r, const cJSON *schema)
{
	const cJSON *rule = mote_json_get(schema, "propertyNames"), *names = rule ? mote_schema_resolve(r, rule) : NULL;
	const cJSON *list = mote_json_get(names, "enum");
	bool good = !rule || cJSON_IsObject(names) || cJSON_IsTrue(names);

	for (const cJSON *item = names ? names->child : NULL; item; item = item->next)
		good &= item == list || mote_schema_is_annotation(item->string) ||
			(!strcmp(item->string, "type") && mote_schema_types(r, names) == TYPE_STRING);
	good &= !list || (cJSON_IsArray(list) && cJSON_GetArraySize(list) <= MAX_PROPERTIES);
	for (const cJSON *item = good && list ? list->child : NULL; item; item = item->next)
		good &= cJSON_IsString(item) != 0;
	if (!good || (list && mote_json_get(schema, "properties")))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "propertyNames: expected the type string, or an enum of "
				 "strings without properties beside it; nothing else is supported");
	return list;
}

static void build_properties(struct schema_reader *r, const cJSON *schema, const cJSON *names, struct members *m)
{
	const cJSON *properties = mote_json_get(schema, "properties"), *required = mote_json_get(schema, "required");
	const cJSON *more = mote_json_get(schema, "additionalProperties");
	bool closed = names || cJSON_IsFalse(more), open = !closed && (more || !properties);

	for (const cJSON *item = names ? names->child : NULL; item && !mote_schema_failed(r) && !cJSON_IsFalse(more);
	     item = item->next)
		build_property(r, m, item->valuestring, cJSON_IsObject(more) ? more : NULL,
			       mote_schema_requires(r, schema, item->valuestring));
	for (const cJSON *item = properties ? properties->child : NULL; item && !mote_schema_failed(r);
	     item = item->next)
		build_property(r, m, item->string, item, mote_schema_requires(r, schema, item->string));
	for (const cJSON *item = required ? required->child : NULL; item && !mote_schema_failed(r); item = item->next) {
		bool built = false;

		for (size_t i = 0; i < m->names && cJSON_IsString(item); i++)
			built |= !strcmp(m->name[i], item->valuestring);
		if (!cJSON_IsString(item))
			mote_schema_fail(r, MOTE_ERROR_CORRUPT, "required: expected a list of names");
		else if (!built && closed)
			mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
					 "no object fits: %.100s is required and not allowed", item->valuestring);
		else if (!built)
			build_property(r, m, item->valuestring, cJSON_IsObject(more) ? more : NULL, true);
	}
	if (open && !mote_schema_failed(r))
		build_more(r, m, cJSON_IsObject(more) ? more : NULL);
}

static size_t count_of(const cJSON *list)
{
	return list ? (size_t)cJSON_GetArraySize(list) : 0;
}

void mote_schema_build_object(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *properties = mote_json_get(schema, "properties"), *required = mote_json_get(schema, "required");
	const cJSON *names = list_of_names(r, schema);
	size_t most = count_of(properties) + count_of(required) + count_of(names);
	uint32_t open = mote_network_state(r->g), before_end = mote_network_state(r->g), end = mote_network_state(r->g);
	struct members m = {.first = mote_network_state(r->g), .name = malloc((most + 1) * sizeof *m.name)};

	if ((properties && !cJSON_IsObject(properties)) || (required && !cJSON_IsArray(required)) ||
	    most > MAX_PROPERTIES)
		mote_schema_fail(r, MOTE_ERROR_CORRUPT,
				 "expected an object of properties and a list of those required, up to %d",
				 MAX_PROPERTIES);
	if (!m.name)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for an object");
	if (!mote_schema_failed(r)) {
		mote_network_byte(r->g, from, '{', '{', open);
		mote_schema_call(r, open, RULE_BLANKS, m.first);
		build_properties(r, schema, names, &m);
		if (m.first) /* nothing in it */
			mote_network_byte(r->g, m.first, '}', '}', to);
		if (m.later) {
			mote_network_empty(r->g, m.later, before_end);
			mote_schema_call(r, before_end, RULE_BLANKS, end);
			mote_network_byte(r->g, end, '}', '}', to);
		}
	}
	free(m.name);
}

/* ---- arrays ---- */

/* Item after item until the array may end; "ends" gets an empty edge from wherever it may. */
struct items {
	uint32_t at, ends;
	uint32_t count, min;
};

static uint32_t begin_item(struct schema_reader *r, struct items *i)
{
	uint32_t comma, item;

	if (i->count == 0)
		return i->at;
	if (i->count >= i->min)
		mote_network_empty(r->g, i->at, i->ends);
	comma = mote_network_state(r->g);
	item = mote_network_state(r->g);
	mote_network_byte(r->g, i->at, ',', ',', comma);
	mote_schema_call(r, comma, RULE_BLANKS, item);
	return item;
}

static void build_items(struct schema_reader *r, struct items *i, const cJSON *schema, uint32_t max)
{
	uint32_t rule = schema ? mote_network_rule(r->g, "the items of an array", 21) : mote_schema_rule(r, RULE_VALUE);
	size_t before = mote_schema_enter(r, "items");

	if (schema && !mote_schema_failed(r))
		mote_schema_build(r, schema, r->g->rule[rule].start, r->g->rule[rule].end);
	mote_schema_leave(r, before);
	/* One by one as long as they are counted; then the last one leads back to itself. */
	while (!mote_schema_failed(r) &&
	       (max == MOTE_GRAMMAR_MANY ? i->count < i->min || i->count == 0 : i->count < max)) {
		uint32_t item = begin_item(r, i), next = mote_network_state(r->g);

		mote_network_call(r->g, item, rule, next);
		i->at = next;
		i->count++;
	}
	if (max == MOTE_GRAMMAR_MANY && !mote_schema_failed(r))
		mote_network_call(r->g, begin_item(r, i), rule, i->at);
}

void mote_schema_build_array(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *prefix = mote_json_get(schema, "prefixItems"), *items = mote_json_get(schema, "items");
	uint32_t min = mote_schema_count(r, schema, "minItems", 0),
		 max = mote_schema_count(r, schema, "maxItems", MOTE_GRAMMAR_MANY);
	uint32_t open = mote_network_state(r->g), start = mote_network_state(r->g), end = mote_network_state(r->g);
	struct items i = {.at = start, .ends = mote_network_state(r->g), .min = min};
	size_t before = mote_schema_enter(r, "prefixItems");
	bool more = items ? !cJSON_IsFalse(items) : !prefix;

	if ((prefix && !cJSON_IsArray(prefix)) || cJSON_IsArray(items))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "expected a list as prefixItems and no list as items");
	for (const cJSON *item = prefix ? prefix->child : NULL; item && i.count < max && !mote_schema_failed(r);
	     item = item->next) {
		uint32_t at = begin_item(r, &i), next = mote_network_state(r->g);

		mote_schema_build(r, item, at, next);
		i.at = next;
		i.count++;
	}
	mote_schema_leave(r, before);
	if (max < min || (!more && i.count < min))
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no array fits: it must have more items than it may");
	if (mote_schema_failed(r))
		return;
	mote_network_byte(r->g, from, '[', '[', open);
	mote_schema_call(r, open, RULE_BLANKS, start);
	if (min == 0) /* nothing in it */
		mote_network_byte(r->g, start, ']', ']', to);
	if (more && max > i.count)
		build_items(r, &i, cJSON_IsTrue(items) ? NULL : items, max);
	if (i.count == 0)
		return;
	mote_network_empty(r->g, i.at, i.ends);
	mote_schema_call(r, i.ends, RULE_BLANKS, end);
	mote_network_byte(r->g, end, ']', ']', to);
}
