/* Places in a grammar, the sets that they make up, and where bytes lead from these: see matcher_places.h. */
#include "runtime/grammar/matcher_places.h"

#include <stdlib.h>
#include <string.h>

static uint32_t mix(uint32_t a, uint32_t b)
{
	uint64_t z = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(z >> 32 ^ z >> 13);
}

bool mote_matcher_reserve(struct mote_matcher *m, void *list, uint32_t need, uint32_t *room, size_t item)
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
	if (!mote_matcher_reserve(m, &m->stack, m->stacks + 1, &m->stack_room, sizeof *m->stack))
		return 0;
	m->stack[m->stacks] = (struct stack){state, rest, *slot};
	*slot = m->stacks;
	return m->stacks++;
}

/* A place of the set that is being made; once. */
void mote_matcher_add_place(struct mote_matcher *m, uint32_t state, uint32_t stack)
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

void mote_matcher_begin_set(struct mote_matcher *m)
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
void mote_matcher_close_set(struct mote_matcher *m)
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
				mote_matcher_add_place(m, e->to, p.stack);
			else if (e->kind == EDGE_RULE)
				mote_matcher_add_place(m, g->rule[e->rule].start,
						       g->state[e->to].tail ? p.stack : push(m, e->to, p.stack));
		}
		if (g->state[p.state].end && p.stack)
			mote_matcher_add_place(m, m->stack[p.stack].state, m->stack[p.stack].rest);
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
uint32_t mote_matcher_find_set(struct mote_matcher *m)
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
	if (!mote_matcher_reserve(m, &m->set, m->sets + 1, &m->set_room, sizeof *m->set) ||
	    !mote_matcher_reserve(m, &m->next, (m->sets + 1) * m->g->classes, &m->next_room, sizeof *m->next) ||
	    !mote_matcher_reserve(m, &m->place, m->places + m->works, &m->place_room, sizeof *m->place))
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
uint32_t mote_matcher_find_next(struct mote_matcher *m, uint32_t from, uint8_t byte)
{
	uint32_t first = m->set[from].first, count = m->set[from].count, to;

	mote_matcher_begin_set(m);
	for (uint32_t i = 0; i < count; i++) {
		struct place p = m->place[first + i];

		for (uint32_t k = m->g->state[p.state].first; k; k = m->g->edge[k].next) {
			const struct grammar_edge *e = &m->g->edge[k];

			if (e->kind == EDGE_BYTE && e->low <= byte && byte <= e->high)
				mote_matcher_add_place(m, e->to, p.stack);
		}
	}
	mote_matcher_close_set(m);
	to = mote_matcher_find_set(m);
	if (m->status)
		return DEAD;
	m->next[from * m->g->classes + m->g->class_of[byte]] = to;
	return to;
}

/* ---- forgetting ---- */

void mote_matcher_forget_all(struct mote_matcher *m)
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
void mote_matcher_forget(struct mote_matcher *m)
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
		mote_matcher_forget_all(m);
		mote_matcher_begin_set(m);
		for (uint32_t i = 0; i < count && !m->status; i++)
			mote_matcher_add_place(m, place[i].state, copy_stack(m, old, place[i].stack, states));
		m->work_ends = ends;
		if (m->works > 1)
			qsort(m->work, m->works, sizeof *m->work, by_place);
		m->now = mote_matcher_find_set(m);
	} else {
		m->status = MOTE_ERROR_MEMORY;
	}
	free(place);
	free(old);
	free(states);
}
