/* Regular expressions of "pattern", as far as they are regular: characters, classes, groups, alternatives,
 * repetitions, ^ at the beginning and $ at the end. What comes out is the inside of a JSON string, so quotes,
 * backslashes and control characters are written as escapes there. The character of number 0 never comes: JSON
 * readers refuse it. */
#include <stdio.h>
#include <string.h>

#include "format/utf8.h"
#include "runtime/grammar/schema.h"

enum { MAX_RANGES = 256, MAX_DEPTH = 50 };

/* A set of characters that grows. */
struct characters {
	struct grammar_range range[2 * MAX_RANGES + 2];
	size_t n;
};

struct pattern {
	struct schema_reader *r;
	struct mote_grammar *g;
	const char *text, *at;
	int depth;
	struct characters set; /* of the atom at hand */
};

static bool failed(const struct pattern *p)
{
	return mote_schema_failed(p->r);
}

static void fail(const struct pattern *p, enum mote_status status, const char *what)
{
	mote_schema_fail(p->r, status, "pattern: byte %zu: %s", (size_t)(p->at - p->text), what);
}

static void put(struct pattern *p, struct characters *c, uint32_t low, uint32_t high)
{
	if (c->n >= MAX_RANGES)
		fail(p, MOTE_ERROR_LIMIT, "more than 256 ranges in a class");
	else
		c->range[c->n++] = (struct grammar_range){low, high};
}

static void invert(struct characters *c)
{
	struct grammar_range other[MAX_RANGES + 2];
	size_t n = mote_ranges_normalize(c->range, c->n);

	c->n = mote_ranges_invert(c->range, n, other);
	memcpy(c->range, other, c->n * sizeof *other);
}

/* One character that the set has, as a JSON string writes it. */
static void emit(struct pattern *p, struct characters *c, uint32_t from, uint32_t to)
{
	static const struct grammar_range plain[] = {{' ', '!'}, {'#', '['}, {']', 0x10ffff}};
	static const char signs[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	bool any = false;

	c->n = mote_ranges_normalize(c->range, c->n);
	for (size_t i = 0; i < c->n && !failed(p); i++) {
		uint32_t low = c->range[i].low, high = c->range[i].high;

		for (size_t k = 0; k < 3; k++) {
			struct grammar_range both = {low > plain[k].low ? low : plain[k].low,
						     high < plain[k].high ? high : plain[k].high};

			if (both.low <= both.high)
				mote_network_characters(p->g, from, &both, 1, to);
			any |= both.low <= both.high && mote_ranges_any(&both, 1);
		}
		for (uint32_t character = low > 1 ? low : 1; character <= high && character <= '\\'; character++) {
			const char *sign = strchr(signs, (int)character);
			char text[8];
			int n = sign ? snprintf(text, sizeof text, "\\%c", names[sign - signs])
				     : snprintf(text, sizeof text, "\\u%04x", (unsigned)character);

			if (sign || character < ' ') {
				mote_network_text(p->g, from, text, (size_t)n, to);
				any = true;
			}
		}
	}
	if (!any)
		fail(p, MOTE_ERROR_UNSUPPORTED, "no character fits");
}

/* ---- atoms ---- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* \d \w \s and their opposites, which are ASCII here, where engines do not agree beyond. False: another letter. */
static bool put_named(struct pattern *p, struct characters *c, char name)
{
	struct characters set = {.n = 0};

	if ((name | 0x20) == 'd' || (name | 0x20) == 'w')
		put(p, &set, '0', '9');
	if ((name | 0x20) == 'w') {
		put(p, &set, 'A', 'Z');
		put(p, &set, 'a', 'z');
		put(p, &set, '_', '_');
	}
	if ((name | 0x20) == 's') {
		put(p, &set, '\t', '\r');
		put(p, &set, ' ', ' ');
	}
	if (set.n == 0)
		return false;
	if (!(name & 0x20)) {
		put(p, &set, 0, name == 'S' ? ' ' : 0x1f);
		put(p, &set, 0x7f, 0x10ffff);
		invert(&set);
	}
	for (size_t i = 0; i < set.n; i++)
		put(p, c, set.range[i].low, set.range[i].high);
	return true;
}

/* Behind a backslash: one character, or a named set which is put into *c; then true. */
static bool read_escape(struct pattern *p, struct characters *c, uint32_t *character)
{
	static const char names[] = "nrtfv", values[] = "\n\r\t\f\v";
	char name = *p->at;
	const char *found = name ? strchr(names, name) : NULL;
	int digits = name == 'x' ? 2 : name == 'u' ? 4 : 0;

	if (put_named(p, c, name)) {
		p->at++;
		return true;
	}
	*character = found ? (uint32_t)values[found - names] : (uint8_t)name;
	if ((!found && !digits && ((name >= '0' && name <= '9') || ((name | 0x20) >= 'a' && (name | 0x20) <= 'z'))) ||
	    (uint8_t)name >= 0x80 || !name) {
		fail(p, MOTE_ERROR_UNSUPPORTED, "this escape (a reference, a boundary or a property) is not supported");
		return false;
	}
	p->at++;
	if (digits)
		*character = 0;
	for (int i = 0; i < digits; i++, p->at++) {
		if (digit_of(*p->at) < 0) {
			fail(p, MOTE_ERROR_CORRUPT, "expected a hexadecimal digit");
			return false;
		}
		*character = *character * 16 + (uint32_t)digit_of(*p->at);
	}
	if (*character >= 0xd800 && *character < 0xe000)
		fail(p, MOTE_ERROR_UNSUPPORTED, "half of a surrogate pair is not supported");
	return false;
}

static uint32_t read_plain(struct pattern *p)
{
	size_t n;
	uint32_t c = mote_utf8_decode(p->at, &n);

	p->at += n;
	return c;
}

/* One end of a range. True: it was a named set. */
static bool read_member(struct pattern *p, struct characters *c, uint32_t *character)
{
	if (*p->at != '\\') {
		*character = read_plain(p);
		return false;
	}
	p->at++;
	if (*p->at == 'b') {
		p->at++;
		*character = '\b';
		return false;
	}
	return read_escape(p, c, character);
}

static void read_class(struct pattern *p, uint32_t from, uint32_t to)
{
	struct characters *c = &p->set;
	bool inverted = *++p->at == '^';

	c->n = 0;
	p->at += inverted;
	while (!failed(p) && *p->at != ']') {
		uint32_t low = 0, high;

		if (!*p->at) {
			fail(p, MOTE_ERROR_CORRUPT, "a class without its closing bracket");
			return;
		}
		if (read_member(p, c, &low) || failed(p))
			continue;
		high = low;
		if (*p->at == '-' && p->at[1] && p->at[1] != ']') {
			p->at++;
			if (read_member(p, c, &high))
				fail(p, MOTE_ERROR_CORRUPT, "a set of characters as the end of a range");
		}
		if (high < low)
			fail(p, MOTE_ERROR_CORRUPT, "a range ends before it begins");
		put(p, c, low, high);
	}
	if (failed(p))
		return;
	p->at++;
	if (inverted)
		invert(c);
	emit(p, c, from, to);
}

static void read_alternatives(struct pattern *p, bool top, uint32_t from, uint32_t to);

static void read_group(struct pattern *p, uint32_t from, uint32_t to)
{
	p->at++;
	if (p->at[0] == '?' && p->at[1] == ':') {
		p->at += 2;
	} else if (p->at[0] == '?') {
		fail(p, MOTE_ERROR_UNSUPPORTED, "looking ahead or behind, names and flags are not supported");
		return;
	}
	if (++p->depth > MAX_DEPTH)
		fail(p, MOTE_ERROR_LIMIT, "more than 50 groups inside of each other");
	else
		read_alternatives(p, false, from, to);
	p->depth--;
	if (!failed(p) && *p->at != ')')
		fail(p, MOTE_ERROR_CORRUPT, "a group without its closing parenthesis");
	p->at += !failed(p);
}

static void read_atom(struct pattern *p, uint32_t from, uint32_t to)
{
	struct characters *c = &p->set;
	uint32_t character = 0;

	if (*p->at == '(') {
		read_group(p, from, to);
		return;
	}
	if (*p->at == '[') {
		read_class(p, from, to);
		return;
	}
	if (strchr("*+?{^$", *p->at)) {
		fail(p, MOTE_ERROR_UNSUPPORTED,
		     *p->at == '^' || *p->at == '$' ? "^ and $ are supported at the ends only" : "nothing to repeat");
		return;
	}
	c->n = 0;
	if (*p->at == '.') {
		p->at++;
		put(p, c, '\n', '\n');
		put(p, c, '\r', '\r');
		put(p, c, 0x2028, 0x2029);
		invert(c);
	} else if (*p->at == '\\') {
		p->at++;
		if (!read_escape(p, c, &character))
			put(p, c, character, character);
	} else {
		character = read_plain(p);
		put(p, c, character, character);
	}
	if (!failed(p))
		emit(p, c, from, to);
}

/* ---- what they are put together to ---- */

static uint32_t read_number(struct pattern *p)
{
	uint32_t n = 0;

	if (*p->at < '0' || *p->at > '9')
		fail(p, MOTE_ERROR_CORRUPT, "expected a number of repetitions");
	for (; *p->at >= '0' && *p->at <= '9'; p->at++)
		n = n > 100000000 ? n : n * 10 + (uint32_t)(*p->at - '0');
	return n;
}

static void read_counts(struct pattern *p, uint32_t from, uint32_t start, uint32_t end, uint32_t to)
{
	uint32_t min, max, rule;

	p->at++;
	min = max = read_number(p);
	if (*p->at == ',') {
		p->at++;
		max = *p->at == '}' ? MOTE_GRAMMAR_MANY : read_number(p);
	}
	if (!failed(p) && (*p->at != '}' || max < min))
		fail(p, MOTE_ERROR_CORRUPT, "expected {m}, {m,} or {m,n}");
	p->at += !failed(p);
	rule = mote_network_rule(p->g, "a part of a pattern", 19);
	if (failed(p))
		return;
	mote_network_empty(p->g, p->g->rule[rule].start, start);
	mote_network_empty(p->g, end, p->g->rule[rule].end);
	mote_network_repeat(p->g, from, rule, min, max, to);
}

static void read_item(struct pattern *p, uint32_t from, uint32_t to)
{
	uint32_t start = mote_network_state(p->g), end = mote_network_state(p->g);
	char sign;

	read_atom(p, start, end);
	if (failed(p))
		return;
	sign = *p->at;
	if (sign == '{') {
		read_counts(p, from, start, end, to);
	} else {
		mote_network_empty(p->g, from, start);
		mote_network_empty(p->g, end, to);
		if (sign == '?' || sign == '*')
			mote_network_empty(p->g, start, end);
		if (sign == '*' || sign == '+')
			mote_network_empty(p->g, end, start);
		p->at += sign == '?' || sign == '*' || sign == '+';
	}
	if (!failed(p) && (sign == '{' || sign == '?' || sign == '*' || sign == '+') && *p->at == '?')
		p->at++; /* lazily: the same texts */
}

static void read_sequence(struct pattern *p, bool top, uint32_t from, uint32_t to)
{
	uint32_t open = mote_network_state(p->g);

	if (top && *p->at == '^') {
		p->at++;
		mote_network_empty(p->g, from, open);
	} else if (top) {
		mote_schema_call(p->r, open, RULE_CHARACTER, open); /* it may begin anywhere */
		mote_network_empty(p->g, from, open);
	} else {
		mote_network_empty(p->g, from, open);
	}
	from = open;
	while (!failed(p) && *p->at && *p->at != '|' && *p->at != ')' && !(top && *p->at == '$')) {
		uint32_t next = mote_network_state(p->g);

		read_item(p, from, next);
		from = next;
	}
	if (top && *p->at == '$') {
		p->at++;
	} else if (top) {
		open = mote_network_state(p->g);
		mote_network_empty(p->g, from, open);
		mote_schema_call(p->r, open, RULE_CHARACTER, open);
		from = open;
	}
	mote_network_empty(p->g, from, to);
}

static void read_alternatives(struct pattern *p, bool top, uint32_t from, uint32_t to)
{
	read_sequence(p, top, from, to);
	while (!failed(p) && *p->at == '|') {
		p->at++;
		read_sequence(p, top, from, to);
	}
}

void mote_schema_build_pattern(struct schema_reader *r, const char *pattern, uint32_t from, uint32_t to)
{
	struct pattern p = {.r = r, .g = r->g, .text = pattern, .at = pattern};

	read_alternatives(&p, true, from, to);
	if (!failed(&p) && *p.at)
		fail(&p, MOTE_ERROR_UNSUPPORTED,
		     *p.at == ')' ? "a parenthesis that was not opened" : "^ and $ are supported at the ends only");
}
