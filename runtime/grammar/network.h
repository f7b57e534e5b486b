/* The network that a grammar is compiled to: rules, each a piece of a state machine over bytes, that call each
 * other.
 *
 * An edge takes nothing, a byte of a range, or a whole rule. What is added lies between two states that the caller
 * gives, from -> to, so that pieces are joined by sharing states: a sequence goes through new states, alternatives
 * lie side by side, a loop leads from a state back to itself. The end of a rule has no edges. Nothing here follows a
 * network; that is matcher.c's.
 *
 * Errors are sticky: after one, everything returns state 0 and adds nothing, and mote_network_finish() gives it
 * back.
 */
#ifndef MOTE_RUNTIME_NETWORK_H
#define MOTE_RUNTIME_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/grammar/grammar.h"

enum { MOTE_GRAMMAR_MAX_EDGES = 1 << 20, MOTE_GRAMMAR_MAX_RULES = 1 << 16, MOTE_GRAMMAR_MAX_REPEAT = 100000 };
#define MOTE_GRAMMAR_NONE UINT32_MAX
#define MOTE_GRAMMAR_MANY UINT32_MAX /* repetitions without end */

enum grammar_edge_kind { EDGE_EMPTY, EDGE_BYTE, EDGE_RULE };

struct grammar_edge {
	uint32_t next; /* the next edge of the same state; 0: none */
	uint32_t to;
	uint32_t rule; /* of EDGE_RULE */
	uint8_t kind, low, high;
};

struct grammar_state {
	uint32_t first; /* edge; 0: none */
	bool end; /* of its rule */
	bool tail; /* nothing but the end of its rule is left: what is called before it need not return */
};

struct grammar_rule {
	char *name;
	uint32_t start, end;
	bool defined;
	size_t at; /* where it was first named, for messages; its meaning is the reader's */
};

struct mote_grammar {
	struct grammar_state *state; /* [states], 0 is none */
	struct grammar_edge *edge; /* [edges], 0 is none */
	struct grammar_rule *rule; /* [rules] */
	uint32_t states, state_room, edges, edge_room, rules, rule_room;
	uint32_t root;
	uint8_t class_of[256]; /* bytes that no edge tells apart are of one class */
	uint32_t classes;
	struct mote_error error; /* while it is built */
};

/* A range of code points. */
struct grammar_range {
	uint32_t low, high;
};

struct mote_grammar *mote_network_open(struct mote_error *error); /* NULL: no memory */

/* The first error stays. Returns 0. */
uint32_t mote_network_fail(struct mote_grammar *g, enum mote_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

uint32_t mote_network_state(struct mote_grammar *g);
/* A rule with its start and end; the name is copied and serves messages. defined is false until the caller says so. */
uint32_t mote_network_rule(struct mote_grammar *g, const char *name, size_t bytes);

void mote_network_empty(struct mote_grammar *g, uint32_t from, uint32_t to);
void mote_network_byte(struct mote_grammar *g, uint32_t from, uint8_t low, uint8_t high, uint32_t to);
void mote_network_call(struct mote_grammar *g, uint32_t from, uint32_t rule, uint32_t to);
/* This very text. */
void mote_network_text(struct mote_grammar *g, uint32_t from, const char *text, size_t bytes, uint32_t to);
/* One character of the ranges, which may overlap; surrogates are none. */
void mote_network_characters(struct mote_grammar *g, uint32_t from, const struct grammar_range *range, size_t ranges,
			     uint32_t to);
/* The rule min to max times, or min times and more: MOTE_GRAMMAR_MANY. */
void mote_network_repeat(struct mote_grammar *g, uint32_t from, uint32_t rule, uint32_t min, uint32_t max, uint32_t to);

/* Sorts ranges and joins what overlaps or touches; returns how many are left. */
size_t mote_ranges_normalize(struct grammar_range *range, size_t ranges);
/* Whether any of them is a character: surrogates are none. */
bool mote_ranges_any(const struct grammar_range *range, size_t ranges);
/* All other characters: at most ranges + 1, into out. The ranges are normalized. */
size_t mote_ranges_invert(const struct grammar_range *range, size_t ranges, struct grammar_range *out);

/* Checks what was built and makes what matchers want to know. On an error the grammar is closed and *out NULL. */
enum mote_status mote_network_finish(struct mote_grammar *g, struct mote_grammar **out, struct mote_error *error);

/* network_check.c: every rule comes to an end, none is left recursive. */
void mote_network_check(struct mote_grammar *g);

#endif
