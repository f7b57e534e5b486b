/* See token_trie.h. Tokens are sorted by their bytes; each one's nodes are those behind what it shares with the one
 * before. */
#include "runtime/grammar/token_trie.h"

#include <stdlib.h>
#include <string.h>

struct token {
	const char *text;
	uint32_t bytes;
	int32_t id;
};

static int by_bytes(const void *left, const void *right)
{
	const struct token *a = left, *b = right;
	int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);

	if (order)
		return order;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

/* The bytes of all tokens, one after the other. */
static bool copy_texts(struct mote_token_trie *t, const struct mote_tokenizer *tokenizer)
{
	struct mote_detokenizer *d = calloc(1, sizeof *d);
	size_t count = 0, room = 0, bytes;
	bool ok;

	t->offset = calloc((size_t)t->vocab + 1, sizeof *t->offset);
	ok = d && t->offset;
	for (uint32_t id = 0; ok && id < t->vocab; id++) {
		const char *text = mote_detokenizer_bytes(d, tokenizer, (int32_t)id, &bytes);

		t->offset[id] = (uint32_t)count;
		if (count + bytes >= room) {
			size_t more = (count + bytes + 4096) * 2;
			char *grown = more <= UINT32_MAX ? realloc(t->text, more) : NULL;

			ok = grown != NULL;
			if (!ok)
				break;
			t->text = grown;
			room = more;
		}
		memcpy(t->text + count, text, bytes);
		count += bytes;
		t->offset[id + 1] = (uint32_t)count;
		t->longest = bytes > t->longest ? (uint32_t)bytes : t->longest;
	}
	free(d);
	return ok && t->text;
}

/* Puts sorted tokens into nodes. The last node of each length on the path to the token at hand waits for its skip. */
static bool make_nodes(struct mote_token_trie *t, const struct token *token, uint32_t tokens, uint32_t *path)
{
	const struct token *last = NULL;
	size_t most = 1;

	for (uint32_t i = 0; i < tokens; i++)
		most += token[i].bytes;
	t->node = malloc(most * sizeof *t->node);
	t->id = malloc(((size_t)tokens + 1) * sizeof *t->id);
	if (!t->node || !t->id)
		return false;
	for (uint32_t i = 0; i < tokens; i++) {
		uint32_t shared = 0, least = last && last->bytes < token[i].bytes ? last->bytes : token[i].bytes;

		while (last && shared < least && last->text[shared] == token[i].text[shared])
			shared++;
		for (uint32_t depth = last ? last->bytes : 0; depth > shared; depth--)
			t->node[path[depth - 1]].skip = t->nodes;
		for (uint32_t depth = shared + 1; depth <= token[i].bytes; depth++) {
			path[depth - 1] = t->nodes;
			/* Ids follow the last byte: nodes before it have none. */
			t->node[t->nodes++] = (struct token_node){
				.ids = i, .depth = (uint16_t)depth, .byte = (uint8_t)token[i].text[depth - 1]};
		}
		t->id[i] = token[i].id;
		last = &token[i];
	}
	for (uint32_t depth = last ? last->bytes : 0; depth > 0; depth--)
		t->node[path[depth - 1]].skip = t->nodes;
	t->node[t->nodes] = (struct token_node){.ids = tokens};
	return true;
}

enum mote_status mote_token_trie_open(const struct mote_tokenizer *tokenizer, uint32_t vocab,
				      struct mote_token_trie **out, struct mote_error *error)
{
	struct mote_token_trie *t = calloc(1, sizeof *t);
	struct token *token = NULL;
	uint32_t *path = NULL, tokens = 0;
	bool ok;

	*out = NULL;
	if (!mote_tokenizer_has_token_bytes(tokenizer)) {
		free(t);
		return mote_error_set(
			error, MOTE_ERROR_UNSUPPORTED,
			"grammars are not supported with this tokenizer, which puts spaces between tokens");
	}
	if (t)
		t->vocab = vocab;
	ok = t && copy_texts(t, tokenizer) && (token = malloc(((size_t)vocab + 1) * sizeof *token)) &&
	     (path = malloc(((size_t)t->longest + 1) * sizeof *path));
	for (uint32_t id = 0; ok && id < vocab; id++)
		if (t->offset[id + 1] > t->offset[id])
			token[tokens++] =
				(struct token){t->text + t->offset[id], t->offset[id + 1] - t->offset[id], (int32_t)id};
	if (ok) {
		qsort(token, tokens, sizeof *token, by_bytes);
		ok = make_nodes(t, token, tokens, path);
	}
	free(token);
	free(path);
	if (!ok) {
		mote_token_trie_close(t);
		return mote_error_set(error, MOTE_ERROR_MEMORY, "no memory for the vocabulary as a trie");
	}
	*out = t;
	return MOTE_OK;
}

void mote_token_trie_close(struct mote_token_trie *t)
{
	if (!t)
		return;
	free(t->node);
	free(t->id);
	free(t->offset);
	free(t->text);
	free(t);
}
