/* See network.h. */
#include "runtime/grammar/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/utf8.h"

struct mote_grammar *mote_network_open(struct mote_error *error)
{
	struct mote_grammar *g = calloc(1, sizeof *g);

	if (!g)
		(void)mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for a grammar");
	else
		g->states = g->edges = 1;
	return g;
}

void mote_grammar_close(struct mote_grammar *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->rules; i++)
		free(g->rule[i].name);
	free(g->rule);
	free(g->state);
	free(g->edge);
	free(g);
}

uint32_t mote_network_fail(struct mote_grammar *g, enum mote_status status, const char *format, ...)
{
	char message[900];
	va_list list;

	va_start(list, format);
	vsnprintf(message, sizeof message, format, list);
	va_end(list);
	(void)mote_error_set(&g->error, status, "%s", message);
	return 0;
}

/* Makes room for one more. False: an error is set. */
static bool reserve(struct mote_grammar *g, void *list, uint32_t count, uint32_t *room, uint32_t most, size_t item)
{
	uint32_t more = *room ? *room * 2 : 256;
	void **memory = list, *grown;

	if (g->error.code)
		return false;
	if (count < *room)
		return true;
	if (count >= most) {
		mote_network_fail(g, MOTE_ERROR_LIMIT, "the grammar is too large: it has more than %u parts", most);
		return false;
	}
	grown = realloc(*memory, more * item);
	if (!grown) {
		mote_network_fail(g, MOTE_ERROR_MEMORY, "no memory for a grammar");
		return false;
	}
	*memory = grown;
	*room = more;
	return true;
}

uint32_t mote_network_state(struct mote_grammar *g)
{
	if (!reserve(g, &g->state, g->states, &g->state_room, MOTE_GRAMMAR_MAX_EDGES, sizeof *g->state))
		return 0;
	g->state[g->states] = (struct grammar_state){0};
	return g->states++;
}

uint32_t mote_network_rule(struct mote_grammar *g, const char *name, size_t bytes)
{
	struct grammar_rule r = {0};

	if (!reserve(g, &g->rule, g->rules, &g->rule_room, MOTE_GRAMMAR_MAX_RULES, sizeof *g->rule))
		return 0;
	r.start = mote_network_state(g);
	r.end = mote_network_state(g);
	if (!r.end)
		return 0;
	r.name = strndup(name, bytes);
	if (!r.name)
		return mote_network_fail(g, MOTE_ERROR_MEMORY, "no memory for a grammar");
	g->state[r.end].end = true;
	g->rule[g->rules] = r;
	return g->rules++;
}

static void add_edge(struct mote_grammar *g, uint32_t from, struct grammar_edge e)
{
	if (!reserve(g, &g->edge, g->edges, &g->edge_room, MOTE_GRAMMAR_MAX_EDGES, sizeof *g->edge))
		return;
	e.next = g->state[from].first;
	g->state[from].first = g->edges;
	g->edge[g->edges++] = e;
}

void mote_network_empty(struct mote_grammar *g, uint32_t from, uint32_t to)
{
	add_edge(g, from, (struct grammar_edge){.kind = EDGE_EMPTY, .to = to});
}

void mote_network_byte(struct mote_grammar *g, uint32_t from, uint8_t low, uint8_t high, uint32_t to)
{
	add_edge(g, from, (struct grammar_edge){.kind = EDGE_BYTE, .low = low, .high = high, .to = to});
}

void mote_network_call(struct mote_grammar *g, uint32_t from, uint32_t rule, uint32_t to)
{
	add_edge(g, from, (struct grammar_edge){.kind = EDGE_RULE, .rule = rule, .to = to});
}

void mote_network_text(struct mote_grammar *g, uint32_t from, const char *text, size_t bytes, uint32_t to)
{
	if (bytes == 0)
		mote_network_empty(g, from, to);
	for (size_t i = 0; i < bytes; i++) {
		uint32_t next = i + 1 == bytes ? to : mote_network_state(g);

		mote_network_byte(g, from, (uint8_t)text[i], (uint8_t)text[i], next);
		from = next;
	}
}

/* One path for characters low..high, whose encodings are equally long and differ so that each byte has a range of
 * its own. */
static void add_path(struct mote_grammar *g, uint32_t from, uint32_t low, uint32_t high, uint32_t to)
{
	char a[4], b[4];
	size_t n = mote_utf8_encode(low, a);

	(void)mote_utf8_encode(high, b);
	for (size_t i = 0; i < n; i++) {
		uint32_t next = i + 1 == n ? to : mote_network_state(g);

		mote_network_byte(g, from, (uint8_t)a[i], (uint8_t)b[i], next);
		from = next;
	}
}

/* Cuts a range where the length of encodings changes, and then so that behind the first byte in which low and high
 * differ all bytes take all their values (as RE2 does). */
static void add_range(struct mote_grammar *g, uint32_t from, uint32_t low, uint32_t high, uint32_t to)
{
	static const uint32_t cuts[] = {0x80, 0x800, 0xd800, 0xe000, 0x10000};

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
		if (low < cuts[i] && high >= cuts[i]) {
			add_range(g, from, low, cuts[i] - 1, to);
			add_range(g, from, cuts[i], high, to);
			return;
		}
	if (low >= 0xd800 && low < 0xe000)
		return;
	for (int bits = 6; low >= 0x80 && bits <= 18; bits += 6) {
		uint32_t rest = (1u << bits) - 1;

		if ((low & ~rest) == (high & ~rest))
			break;
		if (low & rest) {
			add_range(g, from, low, low | rest, to);
			add_range(g, from, (low | rest) + 1, high, to);
			return;
		}
		if ((high & rest) != rest) {
			add_range(g, from, low, (high & ~rest) - 1, to);
			add_range(g, from, high & ~rest, high, to);
			return;
		}
	}
	add_path(g, from, low, high, to);
}

void mote_network_characters(struct mote_grammar *g, uint32_t from, const struct grammar_range *range, size_t ranges,
			     uint32_t to)
{
	for (size_t i = 0; i < ranges; i++)
		add_range(g, from, range[i].low, range[i].high, to);
}

void mote_network_repeat(struct mote_grammar *g, uint32_t from, uint32_t rule, uint32_t min, uint32_t max, uint32_t to)
{
	uint32_t last = max == MOTE_GRAMMAR_MANY ? min : max, at = from;

	if ((min > MOTE_GRAMMAR_MAX_REPEAT || last > MOTE_GRAMMAR_MAX_REPEAT) && !g->error.code)
		mote_network_fail(g, MOTE_ERROR_LIMIT, "%u repetitions are more than can be counted (%d)",
				  min > last ? min : last, MOTE_GRAMMAR_MAX_REPEAT);
	for (uint32_t i = 0; i < last && !g->error.code; i++) {
		uint32_t next = mote_network_state(g);

		if (i >= min)
			mote_network_empty(g, at, to);
		mote_network_call(g, at, rule, next);
		at = next;
	}
	if (max == MOTE_GRAMMAR_MANY) {
		uint32_t loop = mote_network_state(g);

		mote_network_empty(g, at, loop);
		mote_network_call(g, loop, rule, loop);
		at = loop;
	}
	mote_network_empty(g, at, to);
}

static int by_low(const void *a, const void *b)
{
	const struct grammar_range *x = a, *y = b;

	return (x->low > y->low) - (x->low < y->low);
}

size_t mote_ranges_normalize(struct grammar_range *range, size_t ranges)
{
	size_t n = 0;

	if (ranges)
		qsort(range, ranges, sizeof *range, by_low);
	for (size_t i = 0; i < ranges; i++) {
		if (n && range[i].low <= range[n - 1].high + 1)
			range[n - 1].high = range[i].high > range[n - 1].high ? range[i].high : range[n - 1].high;
		else
			range[n++] = range[i];
	}
	return n;
}

bool mote_ranges_any(const struct grammar_range *range, size_t ranges)
{
	for (size_t i = 0; i < ranges; i++)
		if (range[i].low < 0xd800 || range[i].high >= 0xe000)
			return true;
	return false;
}

size_t mote_ranges_invert(const struct grammar_range *range, size_t ranges, struct grammar_range *out)
{
	uint32_t low = 0;
	size_t n = 0;

	for (size_t i = 0; i < ranges; i++) {
		if (range[i].low > low)
			out[n++] = (struct grammar_range){low, range[i].low - 1};
		low = range[i].high + 1;
	}
	if (low <= 0x10ffff)
		out[n++] = (struct grammar_range){low, 0x10ffff};
	return n;
}

/* A class begins wherever a range of some edge begins or has just ended. */
static void number_classes(struct mote_grammar *g)
{
	bool begins[257] = {true};

	for (uint32_t i = 1; i < g->edges; i++)
		if (g->edge[i].kind == EDGE_BYTE)
			begins[g->edge[i].low] = begins[g->edge[i].high + 1] = true;
	g->classes = 0;
	for (unsigned byte = 0; byte < 256; byte++) {
		g->classes += begins[byte];
		g->class_of[byte] = (uint8_t)(g->classes - 1);
	}
}

/* A state is a tail if only empty edges, one from each state, lead from it to the end of its rule. */
static void mark_tails(struct mote_grammar *g)
{
	for (uint32_t i = 1; i < g->states; i++) {
		uint32_t at = i;

		/* Such chains are short; a loop of empty edges must not hold us up. */
		for (int steps = 0; steps < 8 && !g->state[at].end; steps++) {
			const struct grammar_edge *e = &g->edge[g->state[at].first];

			if (!g->state[at].first || e->next || e->kind != EDGE_EMPTY)
				break;
			at = e->to;
		}
		g->state[i].tail = g->state[at].end;
	}
}

enum mote_status mote_network_finish(struct mote_grammar *g, struct mote_grammar **out, struct mote_error *error)
{
	if (!g->error.code)
		mote_network_check(g);
	*out = NULL;
	if (g->error.code) {
		enum mote_status status = mote_error_set(error, g->error.code, "%s", g->error.message);

		mote_grammar_close(g);
		return status;
	}
	number_classes(g);
	mark_tails(g);
	*out = g;
	return MOTE_OK;
}
