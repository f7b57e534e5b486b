/* What the handles of mote.h hold, shared by the files of this room. The room translates: handles to the library's own
 * objects, one error struct to the other, JSON text to trees. What things mean is decided in the rooms below.
 */
#ifndef MOTE_RUNTIME_API_H
#define MOTE_RUNTIME_API_H

#include "format/json.h"
#include "format/status.h"
#include "runtime/api/mote.h"
#include "runtime/grammar/token_trie.h"
#include "runtime/model/model.h"
#include "runtime/tokenizer/tokenizer.h"

struct mote_lm {
	struct mote_model *model;
	struct mote_tokenizer *tokenizer;
	const cJSON *metadata;           /* the container's */
	const char **stop;               /* [stops] what its makers want answers to stop at */
	struct mote_api_tokens *tokens;  /* the vocabulary as grammars want it, from the first one on */
	uint32_t stops, max_tokens;      /* and after how many tokens; 0: no limit */
};

/* api_grammar.c */
struct mote_api_tokens *mote_api_tokens_open(void); /* NULL: no memory */
void mote_api_tokens_close(struct mote_api_tokens *t);
struct mote_lm_grammar {
	struct mote_grammar *grammar;
	const struct mote_token_trie *tokens;
};

/* An internal error becomes the caller's, who may have none; returns the status. */
int mote_api_fail(struct mote_lm_error *out, const struct mote_error *error);

/* For calls that fail by themselves. Returns the status. */
int mote_api_refuse(struct mote_lm_error *out, enum mote_status status, const char *message);

/* Options that a caller gave, or none: as many bytes as both know are copied into *own [own_bytes], whose defaults are
 * there already. False: their size says that they were never initialized. */
int mote_api_options(void *own, size_t own_bytes, const void *given);

#endif
