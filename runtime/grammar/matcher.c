/* See matcher.h.
 *
 * Stacks of return states are lists that share their tails, each pair {state, rest} once, so that equal stacks are
 * one number; places are pairs {state, stack}, and a set of places is a sorted array of those before an edge that
 * takes a byte. Sets are numbered; next[set * classes + class] is the set behind a byte.
 */
#include "runtime/grammar/matcher.h"

#include <stdlib.h>
#include <string.h>

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

static uint32_t mix(uint32_t a, uint32_t b)
{
	uint64_t z = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(z >> 32 ^ z >> 13);
}

static bool reserve(struct mote_matcher *m, void *list, uint32_t need, uint32_t *room, size_t item)
{
	uint32_t more = *room ? *room : 256;
	void **memory = list, *grown;

	if (need <= *room)
		return true;
	while (more < need)
		more *= 2;
	grown = realloc(*memory, more * item);
	if (!grown) {
		m->status = MOTE_ERROR_MEMORY;
		return false;
	}
	*memory = grown;
	*room = more;
	return true;
}

/* ---- places ---- */

static uint32_t push(struct mote_matcher *m, uint32_t state, uint32_t rest)
{
	uint32_t *slot = &m->stack_slot[mix(state, rest) % HASH_SLOTS];

	for (uint32_t i = *slot; i; i = m->stack[i].next)
		if (m->stack[i].state == state && m->stack[i].rest == rest)
			return i;
	if (m->stacks >= MAX_STACKS || ++m->effort > MAX_EFFORT) {
		m->status = MOTE_ERROR_LIMIT;
		return 0;
	}
	if (!reserve(m, &m->stack, m->stacks + 1, &m->stack_room, sizeof *m->stack))
		return 0;
	m->stack[m->stacks] = (struct stack){state, rest, *slot};
	*slot = m->stacks;
	return m->stacks++;
}

/* A place of the set that is being made; once. */
static void add_place(struct mote_matcher *m, uint32_t state, uint32_t stack)
{
	uint32_t at = mix(state, stack) % SEEN_SLOTS;

	for (; m->seen_mark[at] == m->marks; at = (at + 1) % SEEN_SLOTS)
		if (m->seen[at].state == state && m->seen[at].stack == stack)
			return;
	if (m->works == MAX_PLACES || ++m->effort > MAX_EFFORT) {
		m->status = MOTE_ERROR_LIMIT;
		return;
	}
	m->seen_mark[at] = m->marks;
	m->seen[at] = m->work[m->works++] = (struct place){state, stack};
}

static void begin_set(struct mote_matcher *m)
{
	m->works = 0;
	m->work_ends = false;
	if (++m->marks == 0) {
		memset(m->seen_mark, 0, SEEN_SLOTS * sizeof *m->seen_mark);
		m->marks = 1;
	}
}

static int by_place(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	return (a->stack > b->stack) - (a->stack < b->stack);
}

/* Adds all that can be reached without a byte, and keeps those places from which a byte leads on. */
static void close_set(struct mote_matcher *m)
{
	const struct mote_grammar *g = m->g;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->works && !m->status; i++) {
		struct place p = m->work[i];
		bool takes = false;

		for (uint32_t k = g->state[p.state].first; k && !m->status; k = g->edge[k].next) {
			const struct grammar_edge *e = &g->edge[k];

			takes |= e->kind == EDGE_BYTE;
			if (e->kind == EDGE_EMPTY)
				add_place(m, e->to, p.stack);
			else if (e->kind == EDGE_RULE)
				add_place(m, g->rule[e->rule].start,
					  g->state[e->to].tail ? p.stack : push(m, e->to, p.stack));
		}
		if (g->state[p.state].end && p.stack)
			add_place(m, m->stack[p.stack].state, m->stack[p.stack].rest);
		else if (g->state[p.state].end)
			m->work_ends = true;
		if (takes)
			m->work[kept++] = p;
	}
	m->works = kept;
	if (kept > 1)
		qsort(m->work, kept, sizeof *m->work, by_place);
}

/* The number of the set that was made. */
static uint32_t find_set(struct mote_matcher *m)
{
	uint32_t hash = m->work_ends, *slot;

	if (m->status || (m->works == 0 && !m->work_ends))
		return DEAD;
	for (uint32_t i = 0; i < m->works; i++)
		hash = mix(hash ^ m->work[i].state, m->work[i].stack);
	slot = &m->set_slot[hash % HASH_SLOTS];
	for (uint32_t i = *slot; i; i = m->set[i].next)
		if (m->set[i].count == m->works && m->set[i].may_end == m->work_ends &&
		    (m->works == 0 || !memcmp(m->place + m->set[i].first, m->work, m->works * sizeof *m->work)))
			return i;
	if (m->sets * m->g->classes >= MAX_STEPS || m->places + m->works > MAX_ALL_PLACES) {
		m->status = MOTE_ERROR_LIMIT;
		return DEAD;
	}
	if (!reserve(m, &m->set, m->sets + 1, &m->set_room, sizeof *m->set) ||
	    !reserve(m, &m->next, (m->sets + 1) * m->g->classes, &m->next_room, sizeof *m->next) ||
	    !reserve(m, &m->place, m->places + m->works, &m->place_room, sizeof *m->place))
		return DEAD;
	memset(m->next + m->sets * m->g->classes, 0xff, m->g->classes * sizeof *m->next);
	m->set[m->sets] = (struct set){m->places, m->works, *slot, UNKNOWN, m->work_ends};
	*slot = m->sets;
	if (m->works)
		memcpy(m->place + m->places, m->work, m->works * sizeof *m->work);
	m->places += m->works;
	return m->sets++;
}

/* The set behind a byte that was not asked for before. */
static uint32_t find_next(struct mote_matcher *m, uint32_t from, uint8_t byte)
{
	uint32_t first = m->set[from].first, count = m->set[from].count, to;

	begin_set(m);
	for (uint32_t i = 0; i < count; i++) {
		struct place p = m->place[first + i];

		for (uint32_t k = m->g->state[p.state].first; k; k = m->g->edge[k].next) {
			const struct grammar_edge *e = &m->g->edge[k];

			if (e->kind == EDGE_BYTE && e->low <= byte && byte <= e->high)
				add_place(m, e->to, p.stack);
		}
	}
	close_set(m);
	to = find_set(m);
	if (m->status)
		return DEAD;
	m->next[from * m->g->classes + m->g->class_of[byte]] = to;
	return to;
}

static inline uint32_t step(struct mote_matcher *m, uint32_t from, uint8_t byte)
{
	uint32_t to = m->next[from * m->g->classes + m->g->class_of[byte]];

	return to == UNKNOWN ? find_next(m, from, byte) : to;
}

/* ---- forgetting ---- */

static void forget_all(struct mote_matcher *m)
{
	m->stacks = 1;
	m->sets = 1;
	m->places = 0;
	memset(m->stack_slot, 0, HASH_SLOTS * sizeof *m->stack_slot);
	memset(m->set_slot, 0, HASH_SLOTS * sizeof *m->set_slot);
	memset(m->mask_set, 0, m->mask_slots * sizeof *m->mask_set);
	memset(m->next, 0, m->g->classes * sizeof *m->next); /* DEAD leads to DEAD */
	m->set[DEAD] = (struct set){.mask = UNKNOWN};
}

/* A stack of the old list in the new one: from the bottom, since each holds what lies below it. */
static uint32_t copy_stack(struct mote_matcher *m, const struct stack *old, uint32_t at, uint32_t *states)
{
	uint32_t depth = 0, copy = 0;

	for (; at; at = old[at].rest)
		states[depth++] = old[at].state;
	while (depth && !m->status)
		copy = push(m, states[--depth], copy);
	return copy;
}

/* Keeps only the set at which the text stands. */
static void forget(struct mote_matcher *m)
{
	uint32_t count = m->set[m->now].count, depth = m->stacks;
	struct place *place = malloc((count + 1) * sizeof *place);
	struct stack *old = malloc(m->stacks * sizeof *old);
	uint32_t *states = malloc(depth * sizeof *states);
	bool ends = m->set[m->now].may_end;

	if (place && old && states) {
		if (count)
			memcpy(place, m->place + m->set[m->now].first, count * sizeof *place);
		memcpy(old, m->stack, m->stacks * sizeof *old);
		forget_all(m);
		begin_set(m);
		for (uint32_t i = 0; i < count && !m->status; i++)
			add_place(m, place[i].state, copy_stack(m, old, place[i].stack, states));
		m->work_ends = ends;
		if (m->works > 1)
			qsort(m->work, m->works, sizeof *m->work, by_place);
		m->now = find_set(m);
	} else {
		m->status = MOTE_ERROR_MEMORY;
	}
	free(place);
	free(old);
	free(states);
}

/* ---- opening ---- */

static bool take_memory(struct mote_matcher *m)
{
	m->words = m->tokens ? mote_token_trie_words(m->tokens) : 1;
	m->mask_slots = m->tokens ? KEPT_MASK_BYTES / (m->words * (uint32_t)sizeof *m->mask) : 1;
	m->mask_slots = m->mask_slots < 4 ? 4 : m->mask_slots > 512 ? 512 : m->mask_slots;
	m->stack_slot = malloc(HASH_SLOTS * sizeof *m->stack_slot);
	m->set_slot = malloc(HASH_SLOTS * sizeof *m->set_slot);
	m->work = malloc(MAX_PLACES * sizeof *m->work);
	m->seen = malloc(SEEN_SLOTS * sizeof *m->seen);
	m->seen_mark = calloc(SEEN_SLOTS, sizeof *m->seen_mark);
	m->mask = malloc((size_t)m->mask_slots * m->words * sizeof *m->mask);
	m->mask_set = calloc(m->mask_slots, sizeof *m->mask_set);
	m->path = malloc(((m->tokens ? m->tokens->longest : 0) + 1) * sizeof *m->path);
	return reserve(m, &m->stack, 1, &m->stack_room, sizeof *m->stack) &&
	       reserve(m, &m->set, 1, &m->set_room, sizeof *m->set) &&
	       reserve(m, &m->next, m->g->classes, &m->next_room, sizeof *m->next) && m->stack_slot && m->set_slot &&
	       m->work && m->seen && m->seen_mark && m->mask && m->mask_set && m->path;
}

enum mote_status mote_matcher_open(const struct mote_grammar *grammar, const struct mote_token_trie *tokens,
				   struct mote_matcher **out, struct mote_error *error)
{
	struct mote_matcher *m = calloc(1, sizeof *m);

	*out = NULL;
	if (m) {
		m->g = grammar;
		m->tokens = tokens;
		m->kept_stacks = KEPT_STACKS;
	}
	if (!m || !take_memory(m)) {
		mote_matcher_close(m);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to follow a grammar");
	}
	forget_all(m);
	begin_set(m);
	add_place(m, grammar->rule[grammar->root].start, 0);
	close_set(m);
	m->now = find_set(m);
	*out = m; /* what failed here fails again with the first token, and is told there */
	return MOTE_OK;
}

void mote_matcher_close(struct mote_matcher *m)
{
	if (!m)
		return;
	free(m->stack);
	free(m->set);
	free(m->place);
	free(m->next);
	free(m->stack_slot);
	free(m->set_slot);
	free(m->work);
	free(m->seen);
	free(m->seen_mark);
	free(m->mask);
	free(m->mask_set);
	free(m->path);
	free(m);
}

/* ---- following ---- */

static enum mote_status tell(const struct mote_matcher *m, struct mote_error *error)
{
	if (m->status == MOTE_ERROR_MEMORY)
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to follow the grammar");
	return mote_error_set(error, m->status,
			      "the grammar is too ambiguous or too deep to be followed: too many of its "
			      "places come into question at once");
}

/* Nobody holds a set's number but m->now. */
static void tidy(struct mote_matcher *m)
{
	if (m->sets * m->g->classes <= KEPT_STEPS && m->places <= KEPT_PLACES && m->stacks <= m->kept_stacks)
		return;
	m->effort = 0;
	forget(m);
	m->kept_stacks = 2 * m->stacks > KEPT_STACKS ? 2 * m->stacks : KEPT_STACKS;
}

enum mote_status mote_matcher_take(struct mote_matcher *m, const char *bytes, size_t count, struct mote_error *error)
{
	uint32_t at = m->now;

	m->effort = 0;
	for (size_t i = 0; i < count && !m->status; i++) {
		at = step(m, at, (uint8_t)bytes[i]);
		if (at == DEAD && !m->status)
			return mote_error_set(error, MOTE_ERROR_ARGUMENT,
					      "the grammar does not allow byte %zu of '%.*s'", i,
					      count < 60 ? (int)count : 60, bytes);
	}
	if (!m->status) {
		m->now = at;
		tidy(m);
	}
	return m->status ? tell(m, error) : MOTE_OK;
}

bool mote_matcher_may_take(struct mote_matcher *m, const char *bytes, size_t count)
{
	uint32_t at = m->now;

	m->effort = 0;
	for (size_t i = 0; i < count && at != DEAD; i++)
		at = step(m, at, (uint8_t)bytes[i]);
	return at != DEAD;
}

enum mote_status mote_matcher_take_id(struct mote_matcher *m, int32_t id, struct mote_error *error)
{
	const struct mote_token_trie *t = m->tokens;

	if (id < 0 || (uint32_t)id >= t->vocab || t->offset[id] == t->offset[id + 1])
		return mote_error_set(error, MOTE_ERROR_ARGUMENT,
				      "the grammar does not allow token %d, which has no text", id);
	return mote_matcher_take(m, t->text + t->offset[id], t->offset[id + 1] - t->offset[id], error);
}

bool mote_matcher_may_end(const struct mote_matcher *m)
{
	return m->set[m->now].may_end;
}

bool mote_matcher_is_over(const struct mote_matcher *m)
{
	return m->set[m->now].may_end && m->set[m->now].count == 0;
}

/* Walks the trie: path[n] is the set behind the first n bytes of the token at hand. False: no token may come. */
static bool walk(struct mote_matcher *m, uint64_t *mask)
{
	const struct mote_token_trie *t = m->tokens;
	bool any = false;

	m->effort = 0;
	memset(mask, 0, m->words * sizeof *mask);
	m->path[0] = m->now;
	for (uint32_t i = 0; i < t->nodes;) {
		const struct token_node *n = &t->node[i];
		uint32_t to = step(m, m->path[n->depth - 1], n->byte);

		if (to == DEAD) {
			if (m->status)
				return false;
			i = n->skip;
			continue;
		}
		m->path[n->depth] = to;
		for (uint32_t k = n->ids; k < n[1].ids; k++) {
			mask[t->id[k] / 64] |= UINT64_C(1) << (t->id[k] % 64);
			any = true;
		}
		i++;
	}
	return any;
}

enum mote_status mote_matcher_mask(struct mote_matcher *m, const uint64_t **mask, struct mote_error *error)
{
	uint32_t slot = m->set[m->now].mask;

	if (slot == UNKNOWN || m->mask_set[slot] != m->now) {
		slot = m->mask_next;
		m->mask_set[slot] = 0;
		if (m->status || (!walk(m, m->mask + (size_t)slot * m->words) && m->status))
			return tell(m, error);
		m->mask_next = (slot + 1) % m->mask_slots;
		m->mask_set[slot] = m->now;
		m->set[m->now].mask = slot;
	}
	*mask = m->mask + (size_t)slot * m->words;
	for (uint32_t i = 0; !m->set[m->now].may_end; i++) {
		if (i == m->words)
			return mote_error_set(error, MOTE_ERROR_UNSUPPORTED,
					      "no token of this vocabulary spells what the grammar asks for next");
		if ((*mask)[i])
			break;
	}
	return MOTE_OK;
}
