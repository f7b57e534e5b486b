/* Reads GBNF: rules of alternatives of sequences of literals, classes, names and groups, each of which may be
 * repeated.
 *
 * One pass from left to right. A rule is made when it is first named, wherever that is; whether all were defined is
 * known at the end. An item lies between two new states, so that what repeats it can be read behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/grammar/network.h"

enum { MAX_DEPTH = 100, MAX_RANGES = 1024, MAX_RULES = 2000 };

struct reader {
	struct mote_grammar *g;
	const char *name, *text, *at, *end;
	int depth;
	const char *counted; /* up to here lines and columns have been counted: */
	unsigned line, column;
	struct grammar_range range[MAX_RANGES + 1], other[MAX_RANGES + 2]; /* of a class */
};

/* Where a place is, as "name: line 3, column 7"; columns count characters. */
static void place_of(struct reader *r, const char *at, char *out, size_t room)
{
	if (!r->counted || at < r->counted) {
		r->counted = r->text;
		r->line = r->column = 1;
	}
	for (; r->counted < at; r->counted++) {
		r->column = *r->counted == '\n' ? 1 : r->column + !mote_utf8_continues(*r->counted);
		r->line += *r->counted == '\n';
	}
	snprintf(out, room, "%.200s: line %u, column %u", r->name, r->line, r->column);
}

static void fail_at(struct reader *r, const char *at, enum mote_status status, const char *what)
{
	char place[300];

	if (r->g->error.code)
		return;
	place_of(r, at, place, sizeof place);
	mote_network_fail(r->g, status, "%s: %s", place, what);
}

static void fail(struct reader *r, const char *what)
{
	fail_at(r, r->at, MOTE_ERROR_CORRUPT, what);
}

static bool failed(const struct reader *r)
{
	return r->g->error.code != MOTE_OK;
}

static char peek(const struct reader *r)
{
	return r->at < r->end ? *r->at : 0;
}

/* Over a sign that must be here. */
static void expect(struct reader *r, char sign, const char *begin, const char *what)
{
	if (failed(r))
		return;
	if (peek(r) == sign)
		r->at++;
	else
		fail_at(r, begin, MOTE_ERROR_CORRUPT, what);
}

static void skip_blanks(struct reader *r, bool lines)
{
	for (;; r->at++) {
		if (peek(r) == '#')
			while (r->at < r->end && *r->at != '\n')
				r->at++;
		if (r->at == r->end ||
		    !(*r->at == ' ' || *r->at == '\t' || (lines && (*r->at == '\n' || *r->at == '\r'))))
			return;
	}
}

static bool in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The rule that is named here. */
static uint32_t read_name(struct reader *r)
{
	const char *begin = r->at;
	size_t bytes;
	uint32_t rule;

	while (in_name(peek(r)))
		r->at++;
	bytes = (size_t)(r->at - begin);
	for (uint32_t i = 0; i < r->g->rules; i++)
		if (strlen(r->g->rule[i].name) == bytes && !memcmp(r->g->rule[i].name, begin, bytes))
			return i;
	if (r->g->rules >= MAX_RULES)
		fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 2000 rules, counting repetitions");
	rule = mote_network_rule(r->g, begin, bytes);
	if (!failed(r))
		r->g->rule[rule].at = (size_t)(begin - r->text);
	return rule;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static uint32_t read_hex(struct reader *r, int digits)
{
	const char *begin = r->at - 2;
	uint32_t value = 0;

	for (int i = 0; i < digits; i++, r->at++) {
		if (digit_of(peek(r)) < 0) {
			fail(r, "expected a hexadecimal digit");
			return 0;
		}
		value = value * 16 + (uint32_t)digit_of(*r->at);
	}
	if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		fail_at(r, begin, MOTE_ERROR_CORRUPT, "no character has this number");
	return value;
}

/* One character of a literal or a class, escaped or not. */
static uint32_t read_character(struct reader *r)
{
	static const char names[] = "nrt\\\"'[]^-/", values[] = "\n\r\t\\\"'[]^-/";
	const char *found;
	uint32_t c;
	size_t n;

	if (r->at == r->end || *r->at == '\n') {
		fail(r, "the line ends inside of a literal or class");
		return 0;
	}
	c = mote_utf8_decode(r->at, &n);
	r->at += n;
	if (c != '\\')
		return c;
	c = (uint8_t)peek(r);
	r->at += r->at < r->end;
	if (c == 'x' || c == 'u' || c == 'U')
		return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	found = c ? strchr(names, (int)c) : NULL;
	if (found && c < 0x80)
		return (uint8_t)values[found - names];
	fail_at(r, r->at - 1, MOTE_ERROR_CORRUPT, "no escape of this name: expected n r t x u U or a sign");
	return 0;
}

static void read_literal(struct reader *r, uint32_t from, uint32_t to)
{
	const char *begin = r->at++;

	while (!failed(r) && peek(r) != '"') {
		char text[4];
		size_t n;
		uint32_t next;

		n = mote_utf8_encode(read_character(r), text);
		next = mote_network_state(r->g);
		mote_network_text(r->g, from, text, n, next);
		from = next;
	}
	expect(r, '"', begin, "a literal without its closing quote");
	mote_network_empty(r->g, from, to);
}

static void read_class(struct reader *r, uint32_t from, uint32_t to)
{
	struct grammar_range *range = r->range;
	const char *begin = r->at++;
	bool inverted = peek(r) == '^';
	size_t n = 0;

	r->at += inverted;
	while (!failed(r) && peek(r) != ']') {
		if (n == MAX_RANGES) {
			fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 1024 ranges in a class");
			return;
		}
		range[n].low = range[n].high = read_character(r);
		if (peek(r) == '-' && r->at + 1 < r->end && r->at[1] != ']') {
			r->at++;
			range[n].high = read_character(r);
			if (range[n].high < range[n].low)
				fail_at(r, begin, MOTE_ERROR_CORRUPT, "a range ends before it begins");
		}
		n++;
	}
	expect(r, ']', begin, "a class without its closing bracket");
	n = mote_ranges_normalize(range, n);
	if (inverted)
		n = mote_ranges_invert(range, n, r->other);
	if (!mote_ranges_any(inverted ? r->other : range, n))
		fail_at(r, begin, MOTE_ERROR_CORRUPT, "no character is of this class");
	mote_network_characters(r->g, from, inverted ? r->other : range, n, to);
}

static uint32_t read_number(struct reader *r)
{
	uint32_t n = 0;

	if (peek(r) < '0' || peek(r) > '9')
		fail(r, "expected a number");
	for (; peek(r) >= '0' && peek(r) <= '9'; r->at++)
		n = n > 100000000 ? n : n * 10 + (uint32_t)(*r->at - '0');
	return n;
}

/* {m}, {m,} and {m,n}: the item becomes a rule of its own that is called so often. */
static void read_counts(struct reader *r, uint32_t from, uint32_t start, uint32_t end, uint32_t to)
{
	const char *begin = r->at++;
	uint32_t min, max, rule;

	skip_blanks(r, false);
	min = max = peek(r) == ',' ? 0 : read_number(r);
	skip_blanks(r, false);
	if (peek(r) == ',') {
		r->at++;
		skip_blanks(r, false);
		max = peek(r) == '}' ? MOTE_GRAMMAR_MANY : read_number(r);
		skip_blanks(r, false);
	}
	expect(r, '}', r->at, "expected }");
	if (max < min)
		fail_at(r, begin, MOTE_ERROR_CORRUPT, "the most repetitions are fewer than the least");
	if (min > MOTE_GRAMMAR_MAX_REPEAT || (max != MOTE_GRAMMAR_MANY && max > MOTE_GRAMMAR_MAX_REPEAT))
		fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 100000 repetitions");
	rule = mote_network_rule(r->g, "", 0);
	if (failed(r))
		return;
	r->g->rule[rule].defined = true;
	r->g->rule[rule].at = (size_t)(begin - r->text);
	mote_network_empty(r->g, r->g->rule[rule].start, start);
	mote_network_empty(r->g, end, r->g->rule[rule].end);
	mote_network_repeat(r->g, from, rule, min, max, to);
}

static void read_alternatives(struct reader *r, uint32_t from, uint32_t to, bool nested);

/* An item without what repeats it. */
static void read_atom(struct reader *r, uint32_t from, uint32_t to)
{
	static const struct grammar_range any = {0, 0x10ffff};

	if (peek(r) == '"') {
		read_literal(r, from, to);
	} else if (peek(r) == '[') {
		read_class(r, from, to);
	} else if (peek(r) == '.') {
		r->at++;
		mote_network_characters(r->g, from, &any, 1, to);
	} else if (peek(r) == '(') {
		const char *begin = r->at++;

		if (++r->depth > MAX_DEPTH)
			fail(r, "more than 100 groups inside of each other");
		else
			read_alternatives(r, from, to, true);
		r->depth--;
		expect(r, ')', begin, "a group without its closing parenthesis");
	} else if (in_name(peek(r))) {
		mote_network_call(r->g, from, read_name(r), to);
	} else if (peek(r) == '<' || peek(r) == '!') {
		fail_at(r, r->at, MOTE_ERROR_UNSUPPORTED, "tokens (<...> and !<...>) in a grammar are not supported");
	} else {
		fail(r, "expected a literal, a class, a rule's name or a group");
	}
}

static void read_item(struct reader *r, uint32_t from, uint32_t to)
{
	uint32_t start = mote_network_state(r->g), end = mote_network_state(r->g);
	char sign;

	read_atom(r, start, end);
	sign = peek(r);
	if (failed(r))
		return;
	if (sign == '{') {
		read_counts(r, from, start, end, to);
	} else {
		mote_network_empty(r->g, from, start);
		mote_network_empty(r->g, end, to);
		if (sign == '?' || sign == '*')
			mote_network_empty(r->g, start, end);
		if (sign == '*' || sign == '+')
			mote_network_empty(r->g, end, start);
		r->at += sign == '?' || sign == '*' || sign == '+';
	}
	if (peek(r) && strchr("?*+{", peek(r)))
		fail(r, "nothing to repeat: put what is repeated already in parentheses");
}

/* At the end of a line outside of a group the rule ends, unless the next begins with '|'. */
static bool goes_on(struct reader *r, bool nested)
{
	const char *at = r->at;

	skip_blanks(r, true);
	if (nested || peek(r) == '|')
		return true;
	r->at = at;
	skip_blanks(r, false);
	return false;
}

static void read_sequence(struct reader *r, uint32_t from, uint32_t to, bool nested)
{
	(void)goes_on(r, nested);
	while (!failed(r) && r->at < r->end && !strchr("|)\n\r", *r->at)) {
		uint32_t next = mote_network_state(r->g);

		read_item(r, from, next);
		from = next;
		(void)goes_on(r, nested);
	}
	mote_network_empty(r->g, from, to);
}

static void read_alternatives(struct reader *r, uint32_t from, uint32_t to, bool nested)
{
	read_sequence(r, from, to, nested);
	while (!failed(r) && peek(r) == '|') {
		r->at++;
		skip_blanks(r, true);
		read_sequence(r, from, to, nested);
	}
}

static void read_rule(struct reader *r)
{
	const char *begin = r->at;
	uint32_t rule;

	if (!in_name(peek(r))) {
		fail(r, "expected the name of a rule");
		return;
	}
	rule = read_name(r);
	skip_blanks(r, false);
	if (failed(r))
		return;
	if (r->end - r->at < 3 || memcmp(r->at, "::=", 3)) {
		fail(r, "expected ::=");
		return;
	}
	r->at += 3;
	if (r->g->rule[rule].defined) {
		fail_at(r, begin, MOTE_ERROR_CORRUPT, "a rule of this name is there already");
		return;
	}
	r->g->rule[rule].defined = true;
	skip_blanks(r, true);
	read_alternatives(r, r->g->rule[rule].start, r->g->rule[rule].end, false);
	if (!failed(r) && r->at < r->end && *r->at != '\n' && *r->at != '\r')
		fail(r, "expected the end of the rule");
	skip_blanks(r, true);
}

static void finish_rules(struct reader *r)
{
	struct mote_grammar *g = r->g;
	uint32_t root = 0;

	while (root < g->rules && strcmp(g->rule[root].name, "root") != 0)
		root++;
	if (root == g->rules || !g->rule[root].defined)
		mote_network_fail(g, MOTE_ERROR_CORRUPT, "%.200s: no rule is called root", r->name);
	g->root = root;
	for (uint32_t i = 0; i < g->rules && !failed(r); i++) {
		char place[300], named[400];
		char *name = g->rule[i].name;

		if (!g->rule[i].defined)
			fail_at(r, r->text + g->rule[i].at, MOTE_ERROR_CORRUPT, "no rule has this name");
		place_of(r, r->text + g->rule[i].at, place, sizeof place);
		snprintf(named, sizeof named, "%s: rule %.60s", place, *name ? name : "of a repetition");
		g->rule[i].name = strdup(named); /* what messages of later checks say */
		free(name);
		if (!g->rule[i].name)
			mote_network_fail(g, MOTE_ERROR_MEMORY, "no memory for a grammar");
	}
}

enum mote_status mote_grammar_read_gbnf(const char *text, size_t bytes, const char *name, struct mote_grammar **out,
					struct mote_error *error)
{
	struct reader r = {.name = name, .text = text, .at = text, .end = text + bytes};

	*out = NULL;
	r.g = mote_network_open(error);
	if (!r.g)
		return MOTE_ERROR_MEMORY;
	if (mote_utf8_valid(text, bytes) != bytes)
		mote_network_fail(r.g, MOTE_ERROR_CORRUPT, "%.200s: byte %zu is not UTF-8", name,
				  mote_utf8_valid(text, bytes));
	skip_blanks(&r, true);
	while (!failed(&r) && r.at < r.end)
		read_rule(&r);
	if (!failed(&r))
		finish_rules(&r);
	return mote_network_finish(r.g, out, error);
}
