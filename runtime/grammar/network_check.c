/* Checks of a whole network: that every rule comes to an end, so that no state is a dead end, and that none begins
 * with itself, so that a matcher never enters rules without end.
 *
 * Both ask which states can be reached from the start of their rule: by any edges, or by those that need take no
 * byte. A call leads on once the called rule's end has been reached, so calls of the others wait for them; every
 * edge is looked at once or twice.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/network.h"

struct walk {
	const struct mote_grammar *g;
	bool bytes; /* edges of bytes lead on, too */
	uint32_t *owner; /* [states] rule of a state that was reached, or NONE */
	uint32_t *todo, n; /* [states] reached and not looked at */
	bool *ends; /* [rules] its end was reached */
	uint32_t *waiting; /* [rules] the first edge that waits for the rule; 0: none */
	uint32_t *next; /* [edges] and those after it */
	uint32_t *waiter; /* [edges] the rule to which the waiting edge belongs */
};

static bool open_walk(struct walk *w, const struct mote_grammar *g, bool bytes)
{
	*w = (struct walk){.g = g, .bytes = bytes};
	w->owner = malloc(g->states * sizeof *w->owner);
	w->todo = malloc(g->states * sizeof *w->todo);
	w->ends = calloc(g->rules, sizeof *w->ends);
	w->waiting = calloc(g->rules, sizeof *w->waiting);
	w->next = calloc(g->edges, sizeof *w->next);
	w->waiter = calloc(g->edges, sizeof *w->waiter);
	if (w->owner)
		memset(w->owner, 0xff, g->states * sizeof *w->owner);
	return w->owner && w->todo && w->ends && w->waiting && w->next && w->waiter;
}

static void close_walk(struct walk *w)
{
	free(w->owner);
	free(w->todo);
	free(w->ends);
	free(w->waiting);
	free(w->next);
	free(w->waiter);
}

static void reach(struct walk *w, uint32_t state, uint32_t rule)
{
	if (w->owner[state] != MOTE_GRAMMAR_NONE)
		return;
	w->owner[state] = rule;
	w->todo[w->n++] = state;
}

static void look_at(struct walk *w, uint32_t state)
{
	const struct mote_grammar *g = w->g;
	uint32_t rule = w->owner[state];

	if (g->state[state].end && !w->ends[rule]) {
		w->ends[rule] = true;
		for (uint32_t i = w->waiting[rule]; i; i = w->next[i])
			reach(w, g->edge[i].to, w->waiter[i]);
	}
	for (uint32_t i = g->state[state].first; i; i = g->edge[i].next) {
		const struct grammar_edge *e = &g->edge[i];

		if (e->kind == EDGE_EMPTY || (e->kind == EDGE_BYTE && w->bytes) ||
		    (e->kind == EDGE_RULE && w->ends[e->rule])) {
			reach(w, e->to, rule);
		} else if (e->kind == EDGE_RULE) {
			w->waiter[i] = rule;
			w->next[i] = w->waiting[e->rule];
			w->waiting[e->rule] = i;
		}
	}
}

static void run_walk(struct walk *w)
{
	for (uint32_t i = 0; i < w->g->rules; i++)
		reach(w, w->g->rule[i].start, i);
	while (w->n)
		look_at(w, w->todo[--w->n]);
}

/* Depth first over "begins with", from a rule; colours: 0 new, 1 under way, 2 done. The path needs no more room than
 * there are rules. Returns a rule that begins with itself, or NONE. */
static uint32_t find_cycle(const uint32_t *begin, const uint32_t *called, uint32_t from, uint8_t *colour,
			   uint32_t *path, uint32_t *cursor)
{
	uint32_t depth = 0;

	path[0] = from;
	cursor[0] = begin[from];
	colour[from] = 1;
	for (;;) {
		uint32_t rule = path[depth];

		if (cursor[depth] == begin[rule + 1]) {
			colour[rule] = 2;
			if (depth-- == 0)
				return MOTE_GRAMMAR_NONE;
			continue;
		}
		rule = called[cursor[depth]++];
		if (colour[rule] == 1)
			return rule;
		if (colour[rule] == 0) {
			colour[rule] = 1;
			path[++depth] = rule;
			cursor[depth] = begin[rule];
		}
	}
}

/* The rules that each rule may call before it has taken a byte: called[begin[rule]..begin[rule + 1]), without the last
 * bound, which is returned. */
static uint32_t list_calls(const struct mote_grammar *g, const struct walk *w, uint32_t *begin, uint32_t *called)
{
	uint32_t calls = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t s = 1; s < g->states; s++)
			for (uint32_t i = w->owner[s] != MOTE_GRAMMAR_NONE ? g->state[s].first : 0; i;
			     i = g->edge[i].next)
				if (g->edge[i].kind == EDGE_RULE && pass == 0)
					begin[w->owner[s] + 1]++;
				else if (g->edge[i].kind == EDGE_RULE)
					called[--begin[w->owner[s] + 1]] = g->edge[i].rule;
		for (uint32_t r = 0; pass == 0 && r < g->rules; r++)
			begin[r + 1] += begin[r];
		if (pass == 0)
			calls = begin[g->rules];
	}
	/* begin[rule + 1] was counted down to where the rule's calls begin */
	memmove(begin, begin + 1, g->rules * sizeof *begin);
	return calls;
}

/* False: no memory. */
static bool find_left_recursion(const struct mote_grammar *g, const struct walk *w, uint32_t *found)
{
	uint32_t *begin = calloc((size_t)g->rules + 2, sizeof *begin), *called = malloc(g->edges * sizeof *called);
	uint32_t *path = malloc((g->rules + 1) * sizeof *path), *cursor = malloc((g->rules + 1) * sizeof *cursor);
	uint8_t *colour = calloc((size_t)g->rules + 1, 1);
	bool memory = begin && called && path && cursor && colour;

	if (memory) {
		uint32_t calls = list_calls(g, w, begin, called);

		begin[g->rules] = calls;
		for (uint32_t r = 0; r < g->rules && *found == MOTE_GRAMMAR_NONE; r++)
			if (colour[r] == 0)
				*found = find_cycle(begin, called, r, colour, path, cursor);
	}
	free(begin);
	free(called);
	free(path);
	free(cursor);
	free(colour);
	return memory;
}

static bool check_ends(struct mote_grammar *g)
{
	struct walk w;
	bool memory = open_walk(&w, g, true);

	if (memory) {
		run_walk(&w);
		for (uint32_t r = 0; r < g->rules; r++)
			if (!w.ends[r])
				mote_network_fail(g, MOTE_ERROR_UNSUPPORTED, "%s never comes to an end",
						  g->rule[r].name);
	}
	close_walk(&w);
	return memory;
}

static bool check_recursion(struct mote_grammar *g)
{
	uint32_t found = MOTE_GRAMMAR_NONE;
	struct walk w;
	bool memory = open_walk(&w, g, false);

	if (memory) {
		run_walk(&w);
		memory = find_left_recursion(g, &w, &found);
	}
	if (found != MOTE_GRAMMAR_NONE)
		mote_network_fail(g, MOTE_ERROR_UNSUPPORTED,
				  "%s is left recursive: it can begin with itself, which is not supported",
				  g->rule[found].name);
	close_walk(&w);
	return memory;
}

void mote_network_check(struct mote_grammar *g)
{
	if (!check_ends(g) || (!g->error.code && !check_recursion(g)))
		mote_network_fail(g, MOTE_ERROR_MEMORY, "no memory for a grammar");
}
