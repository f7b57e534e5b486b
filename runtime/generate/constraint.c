#include "runtime/generate/constraint.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BLANKS = 2 }; /* bytes of white space between a thought and the text */

struct mote_constraint {
	struct mote_matcher *matcher;
	const struct mote_token_trie *tokens;
	const struct mote_config *config;
	int32_t open, close; /* ids of the tags; -1: none */
	bool began;             /* a token of the text came */
	uint32_t blanks;        /* bytes of white space before it */
	uint64_t *allowed; /* [words] */
};

enum mote_status mote_constraint_open(const struct mote_grammar *grammar, const struct mote_token_trie *tokens,
				      const struct mote_config *config, const struct mote_reasoning *reasoning,
				      struct mote_constraint **out, struct mote_error *error)
{
	struct mote_constraint *c = calloc(1, sizeof *c);
	enum mote_status status;

	*out = NULL;
	if (!c || !(c->allowed = malloc(mote_token_trie_words(tokens) * sizeof *c->allowed))) {
		mote_constraint_close(c);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory to follow a grammar");
	}
	c->tokens = tokens;
	c->config = config;
	c->open = reasoning->open;
	c->close = reasoning->close;
	if ((status = mote_matcher_open(grammar, tokens, &c->matcher, error))) {
		mote_constraint_close(c);
		return status;
	}
	*out = c;
	return MOTE_OK;
}

void mote_constraint_close(struct mote_constraint *c)
{
	if (!c)
		return;
	mote_matcher_close(c->matcher);
	free(c->allowed);
	free(c);
}

static void set(struct mote_constraint *c, int32_t id, bool may)
{
	if (id < 0 || (uint32_t)id >= c->tokens->vocab)
		return;
	c->allowed[id / 64] &= ~(UINT64_C(1) << (id % 64));
	c->allowed[id / 64] |= (uint64_t)may << (id % 64);
}

/* Nothing but a few blanks and line breaks. */
static bool is_blank(const struct mote_constraint *c, const struct token_node *n)
{
	return (n->byte == ' ' || n->byte == '\n') && n->depth + c->blanks <= MOST_BLANKS;
}

static void allow_blanks(struct mote_constraint *c)
{
	const struct mote_token_trie *t = c->tokens;

	for (uint32_t i = 0; i < t->nodes; i = is_blank(c, &t->node[i]) ? i + 1 : t->node[i].skip)
		for (uint32_t k = t->node[i].ids; is_blank(c, &t->node[i]) && k < t->node[i + 1].ids; k++)
			set(c, t->id[k], true);
}

enum mote_status mote_constraint_mask(struct mote_constraint *c, bool inside, bool after_marker,
				      const uint64_t **allowed, struct mote_error *error)
{
	size_t bytes = mote_token_trie_words(c->tokens) * sizeof *c->allowed;
	const uint64_t *mask;
	enum mote_status status;

	if (inside) {
		memset(c->allowed, 0xff, bytes);
	} else {
		if ((status = mote_matcher_mask(c->matcher, &mask, error)))
			return status;
		memcpy(c->allowed, mask, bytes);
		if (!c->began && after_marker)
			allow_blanks(c);
		/* A thought may come before anything else, once. */
		set(c, c->open, !c->began && !after_marker);
		set(c, c->close, false);
	}
	for (uint32_t i = 0; i < c->config->n_eos; i++)
		set(c, c->config->eos[i], !inside && mote_matcher_may_end(c->matcher));
	*allowed = c->allowed;
	return MOTE_OK;
}

enum mote_status mote_constraint_take(struct mote_constraint *c, int32_t id, bool after_marker,
				      struct mote_error *error)
{
	const struct mote_token_trie *t = c->tokens;
	uint32_t begin, end;

	for (uint32_t i = 0; i < c->config->n_eos; i++)
		if (c->config->eos[i] == id)
			return MOTE_OK;
	if (id >= 0 && (uint32_t)id < t->vocab && after_marker && !c->began) {
		begin = t->offset[id];
		end = t->offset[id + 1];
		while (begin < end && (t->text[begin] == ' ' || t->text[begin] == '\n'))
			begin++;
		if (begin == end && end - t->offset[id] + c->blanks <= MOST_BLANKS) {
			c->blanks += end - t->offset[id];
			return MOTE_OK;
		}
	}
	c->began = true;
	return mote_matcher_take_id(c->matcher, id, error);
}

bool mote_constraint_began(const struct mote_constraint *c)
{
	return c->began;
}

bool mote_constraint_is_over(const struct mote_constraint *c)
{
	return c->began && mote_matcher_is_over(c->matcher);
}
