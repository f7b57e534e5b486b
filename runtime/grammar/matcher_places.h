/* A matcher as its two files see it; nobody else includes this.
 *
 * Stacks of return states are lists that share their tails, each pair {state, rest} once, so that equal stacks are
 * one number; places are pairs {state, stack}, and a set of places is a sorted array of those before an edge that
 * takes a byte. Sets are numbered; next[set * classes + class] is the set behind a byte.
 */
#ifndef MOTE_RUNTIME_MATCHER_PLACES_H
#define MOTE_RUNTIME_MATCHER_PLACES_H

#include "runtime/grammar/matcher.h"
#include "runtime/grammar/network.h"

enum {
	DEAD = 0, /* the set without places */
	MAX_PLACES = 4096, /* while a set is made */
	SEEN_SLOTS = 4 * MAX_PLACES,
	/* What is kept is forgotten when it is more than KEPT, between two tokens; it is never more than MAX. */
	KEPT_STEPS = 1 << 21,
	MAX_STEPS = 1 << 24,
	KEPT_PLACES = 1 << 20,
	MAX_ALL_PLACES = 1 << 23,
	KEPT_STACKS = 200000,
	MAX_STACKS = 2000000,
	MAX_EFFORT = 1 << 24, /* places and stacks looked at for one token: about a second */
	KEPT_MASK_BYTES = 4 << 20
};
#define UNKNOWN UINT32_MAX

struct place {
	uint32_t state, stack;
};

struct stack {
	uint32_t state, rest; /* where to return to, and the stack then; 0: the empty one */
	uint32_t next; /* of the same hash */
};

struct set {
	uint32_t first, count; /* places */
	uint32_t next; /* of the same hash */
	uint32_t mask; /* slot, if that is still its own */
	bool may_end;
};

struct mote_matcher {
	const struct mote_grammar *g;
	const struct mote_token_trie *tokens;
	uint32_t now; /* set */
	struct stack *stack; /* 0 is the empty one */
	struct set *set; /* 0 is DEAD */
	struct place *place; /* of all sets */
	uint32_t *next; /* [sets][classes] */
	uint32_t stacks, stack_room, sets, set_room, places, place_room, next_room;
	uint32_t *stack_slot, *set_slot; /* [HASH_SLOTS] by hash, the first of its list; 0: none */
	/* what one set is made of */
	struct place *work; /* [MAX_PLACES] */
	uint32_t works;
	bool work_ends;
	struct place *seen; /* [SEEN_SLOTS], taken when seen_mark is this set's number */
	uint32_t *seen_mark, marks;
	/* masks of the sets seen last */
	uint64_t *mask; /* [mask_slots][words] */
	uint32_t *mask_set; /* [mask_slots] */
	uint32_t mask_slots, mask_next, words;
	uint32_t *path; /* [longest + 1] sets along a token */
	uint32_t effort;
	uint32_t kept_stacks; /* so many before it is worth to forget: what must be kept counts twice */
	enum mote_status status; /* sticky, of what runs deep inside */
};

enum { HASH_SLOTS = 1 << 14 };

/* Makes room for so many; false: the status says so. */
bool mote_matcher_reserve(struct mote_matcher *m, void *list, uint32_t need, uint32_t *room, size_t item);

/* The set under way: begun, filled with places, completed by what can be reached without a byte, and found by what is
 * in it. */
void mote_matcher_begin_set(struct mote_matcher *m);
void mote_matcher_add_place(struct mote_matcher *m, uint32_t state, uint32_t stack);
void mote_matcher_close_set(struct mote_matcher *m);
uint32_t mote_matcher_find_set(struct mote_matcher *m);

/* The set behind a byte that was not asked for before. */
uint32_t mote_matcher_find_next(struct mote_matcher *m, uint32_t from, uint8_t byte);

static inline uint32_t mote_matcher_step(struct mote_matcher *m, uint32_t from, uint8_t byte)
{
	uint32_t to = m->next[from * m->g->classes + m->g->class_of[byte]];

	return to == UNKNOWN ? mote_matcher_find_next(m, from, byte) : to;
}

/* Everything, or all but the set at which the text stands. */
void mote_matcher_forget_all(struct mote_matcher *m);
void mote_matcher_forget(struct mote_matcher *m);

#endif
