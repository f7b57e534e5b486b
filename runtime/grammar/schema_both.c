/* Texts that fit several things at once: strings a pattern, a format and a length, integers bounds and a divisor. Each
 * is a network of its own; the sets of places at which a text stands in all of them are the states of the one that is
 * built. */
#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/matcher_places.h"
#include "runtime/grammar/schema.h"

/* PLACE_STEPS: to make and to check a place of a part takes as long as so many of the reader's steps. */
enum { MAX_PARTS = 3, MAX_NODES = 50000, SLOTS = 4096, MAX_DIVISOR = 1000, PLACE_STEPS = 8 };

/* Where a text stands in each part. */
struct node {
	uint32_t set[MAX_PARTS];
	uint32_t next;  /* of the same hash, + 1 */
	uint32_t state; /* of the network that is built */
	bool ends;      /* the text may, in all parts */
	bool useful;    /* or behind something more */
};

struct step {
	uint32_t from, to; /* nodes */
	uint8_t low, high;
};

struct both {
	struct schema_reader *r;
	struct mote_matcher *part[MAX_PARTS];
	int parts;
	struct node *node;
	struct step *step;
	size_t nodes, steps, step_room;
	uint32_t slot[SLOTS]; /* node + 1 */
};

/* The node of these sets, which is new unless it was met. */
static uint32_t find_node(struct both *b, const uint32_t set[MAX_PARTS])
{
	uint32_t hash = 0, *slot;
	struct node *n;

	for (int i = 0; i < b->parts; i++)
		hash = (hash ^ set[i]) * 0x9e3779b1u;
	slot = &b->slot[(hash >> 16) % SLOTS];
	for (uint32_t i = *slot; i; i = b->node[i - 1].next)
		if (!memcmp(b->node[i - 1].set, set, sizeof b->node->set))
			return i - 1;
	if (b->nodes == MAX_NODES) {
		mote_schema_fail(b->r, MOTE_ERROR_LIMIT, "keywords that must all fit have more than %d places together",
				 MAX_NODES);
		return 0;
	}
	n = &b->node[b->nodes];
	*n = (struct node){.next = *slot, .ends = true};
	memcpy(n->set, set, sizeof n->set);
	for (int i = 0; i < b->parts; i++)
		n->ends &= b->part[i]->set[set[i]].may_end;
	n->useful = n->ends;
	*slot = (uint32_t)++b->nodes;
	return *slot - 1;
}

/* Bytes that follow each other and lead to the same node are one step. */
static void add_step(struct both *b, uint32_t from, uint8_t byte, uint32_t to)
{
	struct step *last = b->steps ? &b->step[b->steps - 1] : NULL, *grown;

	if (last && last->from == from && last->to == to && last->high + 1 == byte) {
		last->high = byte;
		return;
	}
	if (b->steps == b->step_room) {
		b->step_room = b->step_room * 2 + 1024;
		if (!(grown = realloc(b->step, b->step_room * sizeof *grown))) {
			mote_schema_fail(b->r, MOTE_ERROR_MEMORY, "no memory for texts that fit several keywords");
			return;
		}
		b->step = grown;
	}
	b->step[b->steps++] = (struct step){from, to, byte, byte};
}

/* All that a byte can lead to from a node. */
static void explore(struct both *b, uint32_t from)
{
	size_t effort = 64;

	for (int i = 0; i < b->parts; i++)
		b->part[i]->effort = 0;
	for (unsigned byte = 0; byte < 256 && !mote_schema_failed(b->r); byte++) {
		uint32_t set[MAX_PARTS] = {0};
		bool dead = false;

		for (int i = 0; i < b->parts && !dead; i++) {
			set[i] = mote_matcher_step(b->part[i], b->node[from].set[i], (uint8_t)byte);
			dead = set[i] == DEAD;
			if (b->part[i]->status)
				mote_schema_fail(b->r, b->part[i]->status, "too ambiguous beside other keywords");
		}
		if (!dead)
			add_step(b, from, (uint8_t)byte, find_node(b, set));
	}
	for (int i = 0; i < b->parts; i++)
		effort += b->part[i]->effort;
	mote_schema_spend(b->r, effort);
}

/* What leads to a node from which a text can come to its end is useful, too. */
static void find_useful(struct both *b)
{
	for (bool more = true; more && !mote_schema_failed(b->r);) {
		more = false;
		for (size_t i = b->steps; i-- > 0;) {
			const struct step *s = &b->step[i];

			if (!b->node[s->from].useful && b->node[s->to].useful)
				more = b->node[s->from].useful = true;
		}
		mote_schema_spend(b->r, b->steps / 16 + 1);
	}
}

static void build(struct both *b, uint32_t from, uint32_t to)
{
	struct mote_grammar *g = b->r->g;

	for (size_t i = 0; i < b->nodes && !mote_schema_failed(b->r); i++) {
		b->node[i].state = i == 0 ? from : b->node[i].useful ? mote_network_state(g) : 0;
		if (b->node[i].ends)
			mote_network_empty(g, b->node[i].state, to);
	}
	for (size_t i = 0; i < b->steps && !mote_schema_failed(b->r); i++) {
		const struct step *s = &b->step[i];

		if (b->node[s->to].useful)
			mote_network_byte(g, b->node[s->from].state, s->low, s->high, b->node[s->to].state);
	}
}

void mote_schema_build_both(struct schema_reader *r, struct mote_grammar *const *part, int parts, uint32_t from,
			    uint32_t to)
{
	struct both *b = calloc(1, sizeof *b);
	struct node *nodes = malloc(MAX_NODES * sizeof *nodes);
	uint32_t set[MAX_PARTS] = {0};
	struct mote_error error = {0};

	mote_schema_spend(r, SLOTS);
	if (!b || !nodes)
		mote_schema_fail(r, MOTE_ERROR_MEMORY, "no memory for texts that fit several keywords");
	if (b) {
		b->r = r;
		b->node = nodes;
	}
	for (; b && b->parts < parts && !mote_schema_failed(r); b->parts++) {
		if (mote_matcher_open(part[b->parts], NULL, &b->part[b->parts], &error))
			mote_schema_fail(r, error.code, "%s", error.message);
		else
			set[b->parts] = b->part[b->parts]->now;
	}
	if (!mote_schema_failed(r))
		find_node(b, set);
	for (size_t i = 0; !mote_schema_failed(r) && i < b->nodes; i++)
		explore(b, (uint32_t)i);
	if (!mote_schema_failed(r))
		find_useful(b);
	if (!mote_schema_failed(r) && !b->node[0].useful)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED,
				 "no value fits: the keywords exclude each other");
	if (!mote_schema_failed(r))
		build(b, from, to);
	for (int i = 0; b && i < parts; i++)
		mote_matcher_close(b->part[i]);
	if (b)
		free(b->step);
	free(nodes);
	free(b);
}

/* ---- the parts ---- */

void mote_schema_begin_part(struct schema_reader *r, struct schema_reader *part, uint32_t *from, uint32_t *to)
{
	struct mote_error error = {0};

	*part = *r;
	memset(part->shared, 0, sizeof part->shared);
	part->g = mote_schema_failed(r) ? NULL : mote_network_open(&error);
	if (!part->g) {
		if (!mote_schema_failed(r))
			mote_schema_fail(r, error.code, "%s", error.message);
		return;
	}
	part->g->root = mote_network_rule(part->g, "a part", 6);
	*from = mote_schema_failed(part) ? 0 : part->g->rule[part->g->root].start;
	*to = mote_schema_failed(part) ? 0 : part->g->rule[part->g->root].end;
}

struct mote_grammar *mote_schema_end_part(struct schema_reader *r, struct schema_reader *part)
{
	struct mote_error error = {0};
	struct mote_grammar *made = NULL;

	if (part->g)
		mote_schema_spend(r, ((size_t)part->g->states + part->g->edges) * PLACE_STEPS);
	if (part->g && mote_network_finish(part->g, &made, &error))
		mote_network_fail(r->g, error.code, "%s", error.message);
	return made;
}

/* The multiples of a number, as decimal digits with or without a sign: a state for each remainder. */
static struct mote_grammar *make_multiples(struct schema_reader *r, uint32_t of)
{
	struct schema_reader part;
	uint32_t from, to, first, remainder[MAX_DIVISOR];

	mote_schema_begin_part(r, &part, &from, &to);
	if (mote_schema_failed(r))
		return NULL;
	first = mote_network_state(part.g);
	mote_network_empty(part.g, from, first);
	mote_network_byte(part.g, from, '-', '-', first);
	for (uint32_t i = 0; i < of; i++)
		remainder[i] = mote_network_state(part.g);
	for (uint32_t digit = 0; digit < 10; digit++) {
		uint8_t byte = (uint8_t)('0' + digit);

		mote_network_byte(part.g, first, byte, byte, remainder[digit % of]);
		for (uint32_t i = 0; i < of; i++)
			mote_network_byte(part.g, remainder[i], byte, byte, remainder[(10 * i + digit) % of]);
	}
	mote_network_empty(part.g, remainder[0], to);
	return mote_schema_end_part(r, &part);
}

void mote_schema_build_multiple(struct schema_reader *r, const cJSON *schema, uint32_t from, uint32_t to)
{
	const cJSON *numbers = mote_schema_without(r, schema, "multipleOf");
	struct mote_grammar *part[2] = {NULL, NULL};
	struct schema_reader bounded;
	uint32_t start, end;
	int64_t of;

	if (!mote_json_integer(mote_json_get(schema, "multipleOf"), &of) || of < 1 || of > MAX_DIVISOR)
		mote_schema_fail(r, MOTE_ERROR_UNSUPPORTED, "multipleOf: expected a whole number from 1 to %d; nothing "
				 "else is supported", MAX_DIVISOR);
	if (mote_schema_failed(r))
		return;
	mote_schema_begin_part(r, &bounded, &start, &end);
	if (!mote_schema_failed(r))
		mote_schema_build_number(&bounded, numbers, true, start, end);
	part[0] = mote_schema_end_part(r, &bounded);
	part[1] = part[0] ? make_multiples(r, (uint32_t)of) : NULL;
	if (!mote_schema_failed(r))
		mote_schema_build_both(r, part, 2, from, to);
	mote_grammar_close(part[0]);
	mote_grammar_close(part[1]);
}
