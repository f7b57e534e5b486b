/* Grammars for mote.h. The vocabulary as a trie is made for a model's first grammar and kept with the model; a mutex
 * lets several threads ask for it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/api.h"
#include "runtime/grammar/grammar.h"

struct mote_api_tokens {
	pthread_mutex_t lock;
	struct mote_token_trie *trie;
};

struct mote_api_tokens *mote_api_tokens_open(void)
{
	struct mote_api_tokens *t = calloc(1, sizeof *t);

	if (t && pthread_mutex_init(&t->lock, NULL)) {
		free(t);
		return NULL;
	}
	return t;
}

void mote_api_tokens_close(struct mote_api_tokens *t)
{
	if (!t)
		return;
	mote_token_trie_close(t->trie);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static enum mote_status find_tokens(const struct mote_lm *lm, const struct mote_token_trie **trie,
				    struct mote_error *error)
{
	enum mote_status status = MOTE_OK;

	pthread_mutex_lock(&lm->tokens->lock);
	if (!lm->tokens->trie)
		status = mote_token_trie_open(lm->tokenizer, lm->model->config.vocab, &lm->tokens->trie, error);
	*trie = lm->tokens->trie;
	pthread_mutex_unlock(&lm->tokens->lock);
	return status;
}

static enum mote_status read_grammar(const struct mote_lm_grammar_options *o, struct mote_grammar **out,
				     struct mote_error *error)
{
	static const char *const names[] = {"the grammar", "the schema", "", "tools"};
	const char *name = o->name ? o->name : names[o->kind], *text = o->text ? o->text : "";
	size_t bytes = o->text ? o->bytes : 0;
	cJSON *json = NULL;
	enum mote_status status;

	if (o->kind == MOTE_LM_GRAMMAR_GBNF)
		return mote_grammar_read_gbnf(text, bytes, name, out, error);
	if (o->kind == MOTE_LM_GRAMMAR_JSON_OBJECT)
		return mote_grammar_any_object(out, error);
	if ((status = mote_json_parse(text, bytes, name, &json, error)))
		return status;
	status = o->kind == MOTE_LM_GRAMMAR_JSON_SCHEMA
			 ? mote_grammar_read_schema(json, name, out, error)
			 : mote_grammar_tool_calls(json, o->tool, o->several != 0, out, error);
	cJSON_Delete(json);
	return status;
}

int mote_lm_grammar_open(const struct mote_lm *lm, const struct mote_lm_grammar_options *options,
			 struct mote_lm_grammar **out, struct mote_lm_error *error)
{
	struct mote_lm_grammar_options o = MOTE_LM_GRAMMAR_OPTIONS_INIT;
	struct mote_error own = {0};
	struct mote_lm_grammar *g;

	*out = NULL;
	if (!options || !mote_api_options(&o, sizeof o, options) || (unsigned)o.kind > MOTE_LM_GRAMMAR_TOOL_CALLS)
		return mote_api_refuse(error, MOTE_ERROR_ARGUMENT,
				       "mote_lm_grammar_open: options without their size or kind");
	g = calloc(1, sizeof *g);
	if (!g)
		return mote_api_refuse(error, MOTE_ERROR_MEMORY, "no memory for a grammar");
	if (read_grammar(&o, &g->grammar, &own) || find_tokens(lm, &g->tokens, &own)) {
		mote_lm_grammar_close(g);
		return mote_api_fail(error, &own);
	}
	*out = g;
	return MOTE_LM_OK;
}

void mote_lm_grammar_close(struct mote_lm_grammar *g)
{
	if (!g)
		return;
	mote_grammar_close(g->grammar);
	free(g);
}
