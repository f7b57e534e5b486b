/* Values that are not made of others: literals, numbers within bounds, and the rules that many schemas share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/schema.h"

enum { MOST_BLANKS = 20, MOST_DIGITS = 15 };
#define MOST_INTEGER INT64_C(999999999999999) /* of MOST_DIGITS, which doubles hold exactly */
#define MOST_BEFORE_POINT INT64_C(10000000)

/* ---- shared rules ---- */

static void build_blanks(struct mote_grammar *g, uint32_t from, uint32_t to)
{
	uint32_t at = mote_network_state(g);

	mote_network_empty(g, from, to);
	mote_network_byte(g, from, ' ', ' ', to);
	mote_network_byte(g, from, '\n', '\n', at);
	for (int i = 0; i < MOST_BLANKS; i++) {
		uint32_t next = mote_network_state(g);

		mote_network_empty(g, at, to);
		mote_network_byte(g, at, ' ', ' ', next);
		mote_network_byte(g, at, '\t', '\t', next);
		at = next;
	}
	mote_network_empty(g, at, to);
}

/* Four hexadecimal digits that are a character: neither 0, which no reader takes, nor half of a pair. */
static void build_escaped_number(struct mote_grammar *g, uint32_t from, uint32_t to)
{
	uint32_t digit[4] = {to}, zero = from;

	for (int i = 1; i < 4; i++) { /* digit[i]: i more digits of any kind */
		digit[i] = mote_network_state(g);
		mote_network_byte(g, digit[i], '0', '9', digit[i - 1]);
		mote_network_byte(g, digit[i], 'a', 'f', digit[i - 1]);
		mote_network_byte(g, digit[i], 'A', 'F', digit[i - 1]);
	}
	for (int i = 3; i >= 0; i--) { /* zero: only zeros so far, i digits behind the next */
		bool first = i == 3;
		uint32_t next = i ? mote_network_state(g) : 0;

		mote_network_byte(g, zero, '1', '9', digit[i]);
		mote_network_byte(g, zero, 'a', first ? 'c' : 'f', digit[i]);
		mote_network_byte(g, zero, 'A', first ? 'C' : 'F', digit[i]);
		if (first) {
			uint32_t low = mote_network_state(g);

			mote_network_byte(g, zero, 'e', 'f', digit[i]);
			mote_network_byte(g, zero, 'E', 'F', digit[i]);
			mote_network_byte(g, zero, 'd', 'd', low);
			mote_network_byte(g, zero, 'D', 'D', low);
			mote_network_byte(g, low, '0', '7', digit[2]);
		}
		if (i)
			mote_network_byte(g, zero, '0', '0', next);
		zero = next;
	}
}

static const struct grammar_range plain[] = {{' ', '!'}, {'#', '['}, {']', 0x10ffff}};

static void build_character(struct mote_grammar *g, uint32_t from, uint32_t to)
{
	static const char signs[] = "\"\\/bfnrt";
	uint32_t escape = mote_network_state(g), number = mote_network_state(g);

	mote_network_characters(g, from, plain, 3, to);
	mote_network_byte(g, from, '\\', '\\', escape);
	for (const char *c = signs; *c; c++)
		mote_network_byte(g, escape, (uint8_t)*c, (uint8_t)*c, to);
	mote_network_byte(g, escape, 'u', 'u', number);
	build_escaped_number(g, number, to);
}

static void build_quoted(struct schema_reader *r, bool key, uint32_t from, uint32_t to)
{
	uint32_t inside = mote_network_state(r->g);

	mote_network_byte(r->g, from, '"', '"', inside);
	if (key) /* without escapes: there is one way to write it */
		mote_network_characters(r->g, inside, plain, 3, inside);
	else
		mote_schema_call(r, inside, RULE_CHARACTER, inside);
	mote_network_byte(r->g, inside, '"', '"', to);
}

/* Digits in number: min to max of them. */
static void build_digits(struct mote_grammar *g, uint32_t from, int min, int max, uint32_t to)
{
	for (int i = 0; i < max; i++) {
		uint32_t next = i + 1 == max ? to : mote_network_state(g);

		if (i >= min)
			mote_network_empty(g, from, to);
		mote_network_byte(g, from, '0', '9', next);
		from = next;
	}
}

static void build_any_number(struct mote_grammar *g, bool integer, uint32_t from, uint32_t to)
{
	uint32_t first = mote_network_state(g), more = mote_network_state(g), whole = mote_network_state(g);
	uint32_t point = mote_network_state(g), fraction = mote_network_state(g), sign = mote_network_state(g);
	uint32_t power = mote_network_state(g);

	mote_network_empty(g, from, first);
	mote_network_byte(g, from, '-', '-', first);
	mote_network_byte(g, first, '0', '0', whole);
	mote_network_byte(g, first, '1', '9', more);
	mote_network_empty(g, more, whole);
	build_digits(g, more, 1, MOST_DIGITS - 1, whole);
	mote_network_empty(g, whole, to);
	if (integer)
		return;
	mote_network_byte(g, whole, '.', '.', point);
	build_digits(g, point, 1, MOST_DIGITS, fraction);
	mote_network_empty(g, fraction, to);
	for (int i = 0; i < 2; i++) {
		uint32_t at = i ? fraction : whole;

		mote_network_byte(g, at, 'e', 'e', sign);
		mote_network_byte(g, at, 'E', 'E', sign);
	}
	mote_network_byte(g, sign, '-', '-', power);
	mote_network_byte(g, sign, '+', '+', power);
	mote_network_empty(g, sign, power);
	build_digits(g, power, 1, 2, to);
}

static void build_any_value(struct schema_reader *r, uint32_t from, uint32_t to)
{
	mote_network_text(r->g, from, "null", 4, to);
	mote_network_text(r->g, from, "true", 4, to);
	mote_network_text(r->g, from, "false", 5, to);
	mote_schema_call(r, from, RULE_STRING, to);
	mote_schema_call(r, from, RULE_NUMBER, to);
	mote_schema_build_array(r, NULL, from, to);
	mote_schema_build_object(r, NULL, from, to);
}

uint32_t mote_schema_rule(struct schema_reader *r, enum schema_rule which)
{
	static const char *const names[] = {"blanks",	  "a character", "a string", "a key",
					    "an integer", "a number",	 "a value"};
	uint32_t rule, from, to;

	if (r->shared[which] || mote_schema_failed(r))
		return r->shared[which] ? r->shared[which] - 1 : 0;
	rule = mote_network_rule(r->g, names[which], strlen(names[which]));
	if (mote_schema_failed(r))
		return 0;
	r->shared[which] = rule + 1; /* already: a value is made of values */
	from = r->g->rule[rule].start;
	to = r->g->rule[rule].end;
	if (which == RULE_BLANKS)
		build_blanks(r->g, from, to);
	else if (which == RULE_CHARACTER)
		build_character(r->g, from, to);
	else if (which == RULE_STRING || which == RULE_KEY)
		build_quoted(r, which == RULE_KEY, from, to);
	else if (which == RULE_INTEGER || which == RULE_NUMBER)
		build_any_number(r->g, which == RULE_INTEGER, from, to);
	else
		build_any_value(r, from, to);
	return rule;
}

void mote_schema_call(struct schema_reader *r, uint32_t from, enum schema_rule which, uint32_t to)
{
	uint32_t rule = mote_schema_rule(r, which);

	mote_network_call(r->g, from, rule, to);
}

void mote_schema_build_literal(struct schema_reader *r, const cJSON *value, uint32_t from, uint32_t to)
{
	size_t bytes = 0;
	char *text = mote_json_print(value, &bytes);

	if (text)
		mote_network_text(r->g, from, text, bytes, to);
	else
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for a value");
	free(text);
}

/* ---- numbers within bounds ---- */

/* Ways of writing numbers of one length; any[n]: n more digits of any kind. */
struct digits {
	struct mote_grammar *g;
	int n;
	char low[24], high[24];
	uint32_t any[24];
};

static void add_digit(struct digits *d, uint32_t from, char low, char high, uint32_t to)
{
	if (low <= high)
		mote_network_byte(d->g, from, (uint8_t)low, (uint8_t)high, to);
}

/* The rest of a number that must not fall below (or rise above) its bound. */
static void build_edge(struct digits *d, bool lower, int at, uint32_t from, uint32_t to)
{
	for (; at < d->n; at++) {
		uint32_t next = at + 1 == d->n ? to : mote_network_state(d->g);

		if (lower)
			add_digit(d, from, (char)(d->low[at] + 1), '9', d->any[d->n - at - 1]);
		else
			add_digit(d, from, '0', (char)(d->high[at] - 1), d->any[d->n - at - 1]);
		add_digit(d, from, lower ? d->low[at] : d->high[at], lower ? d->low[at] : d->high[at], next);
		from = next;
	}
}

/* Numbers low..high of n digits each. */
static void build_length(struct digits *d, uint32_t from, uint32_t to)
{
	int at = 0;

	while (at < d->n && d->low[at] == d->high[at]) {
		uint32_t next = at + 1 == d->n ? to : mote_network_state(d->g);

		add_digit(d, from, d->low[at], d->low[at], next);
		from = next;
		at++;
	}
	if (at == d->n)
		return;
	add_digit(d, from, (char)(d->low[at] + 1), (char)(d->high[at] - 1), d->any[d->n - at - 1]);
	for (int side = 0; side < 2; side++) {
		uint32_t next = at + 1 == d->n ? to : mote_network_state(d->g);

		add_digit(d, from, side ? d->high[at] : d->low[at], side ? d->high[at] : d->low[at], next);
		build_edge(d, side == 0, at + 1, next, to);
	}
}

static int print_digits(int64_t value, char *out)
{
	char reversed[24];
	int n = 0;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (int i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	return n;
}

/* Whole numbers low..high, 0 <= low, without a sign; none when low > high. False: there are none. */
static bool build_range(struct mote_grammar *g, int64_t low, int64_t high, uint32_t from, uint32_t to)
{
	struct digits d = {.g = g, .any = {to}};
	bool any = false;
	int64_t first = 0, last = 9;

	for (int n = 1; n <= 18; n++) {
		int64_t l = low > first ? low : first, h = high < last ? high : last;

		if (l <= h) {
			d.n = print_digits(l, d.low);
			(void)print_digits(h, d.high);
			build_length(&d, from, to);
			any = true;
		}
		d.any[n] = mote_network_state(g);
		mote_network_byte(g, d.any[n], '0', '9', d.any[n - 1]);
		first = last + 1;
		last = n < 18 ? last * 10 + 9 : last;
	}
	return any;
}

/* A value's bounds as far as it has some. */
struct bounds {
	bool below, above; /* there is a lower, an upper one */
	bool without_low, without_high;
	double low, high;
};

static void read_bound(struct schema_reader *r, const cJSON *schema, const char *key, bool lower, bool excluded,
		       struct bounds *b)
{
	const cJSON *item = mote_json_get(schema, key);
	double value = item ? item->valuedouble : 0;

	if (!item)
		return;
	if (!cJSON_IsNumber(item) || !(fabs(value) <= 0x1p53)) {
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "%s: expected a number up to 2^53", key);
		return;
	}
	if (lower && (!b->below || value > b->low || (value == b->low && excluded))) {
		b->low = value;
		b->without_low = excluded;
		b->below = true;
	} else if (!lower && (!b->above || value < b->high || (value == b->high && excluded))) {
		b->high = value;
		b->without_high = excluded;
		b->above = true;
	}
}

/* Numbers of one sign whose magnitude lies between whole numbers. without_*: the bound itself is none of them. */
static bool build_magnitude(struct mote_grammar *g, int64_t low, bool without_low, int64_t high, bool without_high,
			    bool integer, uint32_t from, uint32_t to)
{
	bool any = build_range(g, low + without_low, high - without_high, from, to);
	int64_t most = high < MOST_BEFORE_POINT ? high : MOST_BEFORE_POINT;
	char digit[24];
	int room = MOST_DIGITS - print_digits(most, digit);
	uint32_t whole, point, last;

	/* Fractions of so few digits that a double tells them from the bound.
	 * The last is not 0: so is none of them whole. */
	if (integer || low >= most)
		return any;
	whole = mote_network_state(g);
	point = mote_network_state(g);
	last = mote_network_state(g);
	any |= build_range(g, low, most - 1, from, whole);
	mote_network_byte(g, whole, '.', '.', point);
	mote_network_empty(g, point, last);
	build_digits(g, point, 1, room - 1, last);
	mote_network_byte(g, last, '1', '9', to);
	return any;
}

void mote_schema_build_number(struct schema_reader *r, const cJSON *schema, bool integer, uint32_t from, uint32_t to)
{
	struct bounds b = {0};
	uint32_t minus = mote_network_state(r->g);
	int64_t low, high;
	bool any = false;

	if (mote_json_get(schema, "multipleOf")) {
		mote_schema_build_multiple(r, schema, from, to);
		return;
	}
	read_bound(r, schema, "minimum", true, false, &b);
	read_bound(r, schema, "exclusiveMinimum", true, true, &b);
	read_bound(r, schema, "maximum", false, false, &b);
	read_bound(r, schema, "exclusiveMaximum", false, true, &b);
	if (mote_schema_failed(r))
		return;
	if (!b.below && !b.above) {
		mote_schema_call(r, from, integer ? RULE_INTEGER : RULE_NUMBER, to);
		return;
	}
	if (integer) { /* the whole numbers between */
		b.low = b.without_low && b.low == floor(b.low) ? b.low + 1 : ceil(b.low);
		b.high = b.without_high && b.high == floor(b.high) ? b.high - 1 : floor(b.high);
		b.without_low = b.without_high = false;
	} else if (b.low != floor(b.low) || b.high != floor(b.high)) {
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "a bound that is not a whole number is supported for integers only");
		return;
	}
	low = b.below ? (int64_t)b.low : (int64_t)b.high - MOST_INTEGER;
	high = b.above ? (int64_t)b.high : (int64_t)b.low + MOST_INTEGER;
	if (!b.below && low > -MOST_INTEGER)
		low = -MOST_INTEGER;
	if (!b.above && high < MOST_INTEGER)
		high = MOST_INTEGER;
	if (high >= 0)
		any |= build_magnitude(r->g, low > 0 ? low : 0, low >= 0 && b.without_low, high, b.without_high,
				       integer, from, to);
	if (low < 0 && build_magnitude(r->g, high < 0 ? -high : 0, high >= 0 || b.without_high, -low, b.without_low,
				       integer, minus, to)) {
		mote_network_byte(r->g, from, '-', '-', minus);
		any = true;
	}
	if (!any)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "no number fits: the bounds exclude each other");
}
