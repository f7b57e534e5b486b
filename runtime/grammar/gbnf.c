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
#include "runtime/grammar/gbnf.h"

enum { MAX_DEPTH = 100, MAX_RULES = 2000 };

/* Where a place is, as "name: line 3, column 7"; columns count characters. */
static void place_of(struct gbnf_reader *r, const char *at, char *out, size_t room)
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

void mote_gbnf_fail_at(struct gbnf_reader *r, const char *at, enum mote_status status, const char *what)
{
	char place[300];

	if (r->g->error.code)
		return;
	place_of(r, at, place, sizeof place);
	mote_network_fail(r->g, status, "%s: %s", place, what);
}

void mote_gbnf_fail(struct gbnf_reader *r, const char *what)
{
	mote_gbnf_fail_at(r, r->at, MOTE_ERROR_CORRUPT, what);
}

bool mote_gbnf_failed(const struct gbnf_reader *r)
{
	return r->g->error.code != MOTE_OK;
}

/* Over a sign that must be here. */
void mote_gbnf_expect(struct gbnf_reader *r, char sign, const char *begin, const char *what)
{
	if (mote_gbnf_failed(r))
		return;
	if (mote_gbnf_peek(r) == sign)
		r->at++;
	else
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, what);
}

static void skip_blanks(struct gbnf_reader *r, bool lines)
{
	for (;; r->at++) {
		if (mote_gbnf_peek(r) == '#')
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
static uint32_t read_name(struct gbnf_reader *r)
{
	const char *begin = r->at;
	size_t bytes;
	uint32_t rule;

	while (in_name(mote_gbnf_peek(r)))
		r->at++;
	bytes = (size_t)(r->at - begin);
	for (uint32_t i = 0; i < r->g->rules; i++)
		if (!strncmp(r->g->rule[i].name, begin, bytes) && !r->g->rule[i].name[bytes])
			return i;
	if (r->g->rules >= MAX_RULES)
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 2000 rules, counting repetitions");
	rule = mote_network_rule(r->g, begin, bytes);
	if (!mote_gbnf_failed(r))
		r->g->rule[rule].at = (size_t)(begin - r->text);
	return rule;
}

static uint32_t read_number(struct gbnf_reader *r)
{
	uint32_t n = 0;

	if (mote_gbnf_peek(r) < '0' || mote_gbnf_peek(r) > '9')
		mote_gbnf_fail(r, "expected a number");
	for (; mote_gbnf_peek(r) >= '0' && mote_gbnf_peek(r) <= '9'; r->at++)
		n = n > 100000000 ? n : n * 10 + (uint32_t)(*r->at - '0');
	return n;
}

/* {m}, {m,} and {m,n}: the item becomes a rule of its own that is called so often. */
static void read_counts(struct gbnf_reader *r, uint32_t from, uint32_t start, uint32_t end, uint32_t to)
{
	const char *begin = r->at++;
	uint32_t min, max, rule;

	skip_blanks(r, false);
	min = max = mote_gbnf_peek(r) == ',' ? 0 : read_number(r);
	skip_blanks(r, false);
	if (mote_gbnf_peek(r) == ',') {
		r->at++;
		skip_blanks(r, false);
		max = mote_gbnf_peek(r) == '}' ? MOTE_GRAMMAR_MANY : read_number(r);
		skip_blanks(r, false);
	}
	mote_gbnf_expect(r, '}', r->at, "expected }");
	if (max < min)
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, "the most repetitions are fewer than the least");
	if (min > MOTE_GRAMMAR_MAX_REPEAT || (max != MOTE_GRAMMAR_MANY && max > MOTE_GRAMMAR_MAX_REPEAT))
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_LIMIT, "more than 100000 repetitions");
	rule = mote_network_rule(r->g, "", 0);
	if (mote_gbnf_failed(r))
		return;
	r->g->rule[rule].defined = true;
	r->g->rule[rule].at = (size_t)(begin - r->text);
	mote_network_empty(r->g, r->g->rule[rule].start, start);
	mote_network_empty(r->g, end, r->g->rule[rule].end);
	mote_network_repeat(r->g, from, rule, min, max, to);
}

static void read_alternatives(struct gbnf_reader *r, uint32_t from, uint32_t to, bool nested);

/* An item without what repeats it. */
static void read_atom(struct gbnf_reader *r, uint32_t from, uint32_t to)
{
	static const struct grammar_range any = {0, 0x10ffff};

	if (mote_gbnf_peek(r) == '"') {
		mote_gbnf_literal(r, from, to);
	} else if (mote_gbnf_peek(r) == '[') {
		mote_gbnf_class(r, from, to);
	} else if (mote_gbnf_peek(r) == '.') {
		r->at++;
		mote_network_characters(r->g, from, &any, 1, to);
	} else if (mote_gbnf_peek(r) == '(') {
		const char *begin = r->at++;

		if (++r->depth > MAX_DEPTH)
			mote_gbnf_fail(r, "more than 100 groups inside of each other");
		else
			read_alternatives(r, from, to, true);
		r->depth--;
		mote_gbnf_expect(r, ')', begin, "a group without its closing parenthesis");
	} else if (in_name(mote_gbnf_peek(r))) {
		mote_network_call(r->g, from, read_name(r), to);
	} else if (mote_gbnf_peek(r) == '<' || mote_gbnf_peek(r) == '!') {
		mote_gbnf_fail_at(r, r->at, MOTE_ERROR_UNSUPPORTED,
				  "tokens (<...> and !<...>) in a grammar are not supported");
	} else {
		mote_gbnf_fail(r, "expected a literal, a class, a rule's name or a group");
	}
}

static void read_item(struct gbnf_reader *r, uint32_t from, uint32_t to)
{
	uint32_t start = mote_network_state(r->g), end = mote_network_state(r->g);
	char sign;

	read_atom(r, start, end);
	sign = mote_gbnf_peek(r);
	if (mote_gbnf_failed(r))
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
	if (mote_gbnf_peek(r) && strchr("?*+{", mote_gbnf_peek(r)))
		mote_gbnf_fail(r, "nothing to repeat: put what is repeated already in parentheses");
}

/* At the end of a line outside of a group the rule ends, unless the next begins with '|'. */
static bool goes_on(struct gbnf_reader *r, bool nested)
{
	const char *at = r->at;

	skip_blanks(r, true);
	if (nested || mote_gbnf_peek(r) == '|')
		return true;
	r->at = at;
	skip_blanks(r, false);
	return false;
}

static void read_sequence(struct gbnf_reader *r, uint32_t from, uint32_t to, bool nested)
{
	(void)goes_on(r, nested);
	while (!mote_gbnf_failed(r) && r->at < r->end && !strchr("|)\n\r", *r->at)) {
		uint32_t next = mote_network_state(r->g);

		read_item(r, from, next);
		from = next;
		(void)goes_on(r, nested);
	}
	mote_network_empty(r->g, from, to);
}

static void read_alternatives(struct gbnf_reader *r, uint32_t from, uint32_t to, bool nested)
{
	read_sequence(r, from, to, nested);
	while (!mote_gbnf_failed(r) && mote_gbnf_peek(r) == '|') {
		r->at++;
		skip_blanks(r, true);
		read_sequence(r, from, to, nested);
	}
}

static void read_rule(struct gbnf_reader *r)
{
	const char *begin = r->at;
	uint32_t rule;

	if (!in_name(mote_gbnf_peek(r))) {
		mote_gbnf_fail(r, "expected the name of a rule");
		return;
	}
	rule = read_name(r);
	skip_blanks(r, false);
	if (mote_gbnf_failed(r))
		return;
	if (r->end - r->at < 3 || memcmp(r->at, "::=", 3)) {
		mote_gbnf_fail(r, "expected ::=");
		return;
	}
	r->at += 3;
	if (r->g->rule[rule].defined) {
		mote_gbnf_fail_at(r, begin, MOTE_ERROR_CORRUPT, "a rule of this name is there already");
		return;
	}
	r->g->rule[rule].defined = true;
	skip_blanks(r, true);
	read_alternatives(r, r->g->rule[rule].start, r->g->rule[rule].end, false);
	if (!mote_gbnf_failed(r) && r->at < r->end && *r->at != '\n' && *r->at != '\r')
		mote_gbnf_fail(r, "expected the end of the rule");
	skip_blanks(r, true);
}

static void finish_rules(struct gbnf_reader *r)
{
	struct mote_grammar *g = r->g;
	uint32_t root = 0;

	while (root < g->rules && strcmp(g->rule[root].name, "root") != 0)
		root++;
	if (root == g->rules || !g->rule[root].defined)
		mote_network_fail(g, MOTE_ERROR_CORRUPT, "%.200s: no rule is called root", r->name);
	g->root = root;
	for (uint32_t i = 0; i < g->rules && !mote_gbnf_failed(r); i++) {
		char place[300], named[400];
		char *name = g->rule[i].name;

		if (!g->rule[i].defined)
			mote_gbnf_fail_at(r, r->text + g->rule[i].at, MOTE_ERROR_CORRUPT, "no rule has this name");
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
	struct gbnf_reader r = {.name = name, .text = text, .at = text, .end = text + bytes};

	*out = NULL;
	r.g = mote_network_open(error);
	if (!r.g)
		return MOTE_ERROR_MEMORY;
	if (mote_utf8_valid(text, bytes) != bytes)
		mote_network_fail(r.g, MOTE_ERROR_CORRUPT, "%.200s: byte %zu is not UTF-8", name,
				  mote_utf8_valid(text, bytes));
	skip_blanks(&r, true);
	while (!mote_gbnf_failed(&r) && r.at < r.end)
		read_rule(&r);
	if (!mote_gbnf_failed(&r))
		finish_rules(&r);
	return mote_network_finish(r.g, out, error);
}
