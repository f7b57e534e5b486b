/* See matcher.h: opening, following a text, and the masks. Places and sets are matcher_places.c's. */
#include "runtime/grammar/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/grammar/matcher_places.h"

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
	return mote_matcher_reserve(m, &m->stack, 1, &m->stack_room, sizeof *m->stack) &&
	       mote_matcher_reserve(m, &m->set, 1, &m->set_room, sizeof *m->set) &&
	       mote_matcher_reserve(m, &m->next, m->g->classes, &m->next_room, sizeof *m->next) && m->stack_slot &&
	       m->set_slot && m->work && m->seen && m->seen_mark && m->mask && m->mask_set && m->path;
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
	mote_matcher_forget_all(m);
	mote_matcher_begin_set(m);
	mote_matcher_add_place(m, grammar->rule[grammar->root].start, 0);
	mote_matcher_close_set(m);
	m->now = mote_matcher_find_set(m);
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
	mote_matcher_forget(m);
	m->kept_stacks = 2 * m->stacks > KEPT_STACKS ? 2 * m->stacks : KEPT_STACKS;
}

enum mote_status mote_matcher_take(struct mote_matcher *m, const char *bytes, size_t count, struct mote_error *error)
{
	uint32_t at = m->now;

	m->effort = 0;
	for (size_t i = 0; i < count && !m->status; i++) {
		at = mote_matcher_step(m, at, (uint8_t)bytes[i]);
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
		at = mote_matcher_step(m, at, (uint8_t)bytes[i]);
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
		uint32_t to = mote_matcher_step(m, m->path[n->depth - 1], n->byte);

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
