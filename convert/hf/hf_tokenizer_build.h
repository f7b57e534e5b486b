/* What the files that compile tokenizer.json share; nobody else includes it. */
#ifndef MOTE_CONVERT_HF_TOKENIZER_BUILD_H
#define MOTE_CONVERT_HF_TOKENIZER_BUILD_H

#include <stdbool.h>

#include "convert/hf/hf_tokenizer.h"
#include "format/json.h"
#include "runtime/tokenizer/tokenizer_section.h"

#define TOKENIZER_JSON "tokenizer.json"
#define MODEL_KEY TOKENIZER_JSON ": model"

struct bytes { /* growing; zero-initialize */
	uint8_t *data;
	size_t size, room;
};
enum mote_status mote_hf_bytes_add(struct bytes *b, const void *data, size_t size, struct mote_error *error);

struct token {
	const char *text;      /* borrowed from a JSON tree; NULL: no token has this id, which the section spells
				* as an empty text */
	uint32_t bytes;
	bool in_model;
	uint32_t added;        /* index in added[] + 1; 0: not an added token */
};

struct added_token {
	const char *content;
	uint32_t id;
	bool special, single_word, lstrip, rstrip, normalized;
	bool in_model;
	bool looked_for;       /* no other token has the same pattern and comes first */
	char *pattern;         /* normalized content; NULL: the content itself */
	size_t pattern_bytes;
};

struct builder {
	const cJSON *json, *config;        /* roots; config may be NULL */
	const cJSON *map, *more_added;     /* special_tokens_map.json and added_tokens.json where they count, or NULL */
	const char *bos, *eos;             /* texts, or NULL: as config has them */
	struct mote_error *error;
	enum tokenizer_model model;
	uint32_t flags, unk;
	uint32_t id_bits, bucket_bits;     /* of the merge table */
	const char *prefix, *suffix;       /* BPE affixes, "" for none */

	struct token *token;               /* [n_ids] */
	uint32_t n_ids, ids_room;
	uint32_t *slot, slot_mask;         /* all tokens by text: id + 1, 0 free */
	uint64_t seed;                     /* of the texts' hashes */
	struct added_token *added;
	uint32_t n_added;
	uint32_t model_ids;                /* 0: any; added tokens from here on are dropped */
	uint32_t n_dropped;
	struct added_token dropped;        /* the first of them by id */

	struct bytes part[PARTS];
};

/* hf_tokenizer_vocab.c */
enum mote_status mote_hf_out_of_memory(struct builder *b);
enum mote_status mote_hf_read_vocab(struct builder *b);   /* model and its tokens */
/* A token that is not the model's, and is findable then. */
enum mote_status mote_hf_insert_token(struct builder *b, uint32_t id, const char *text);
int64_t mote_hf_find_token(const struct builder *b, const char *text, size_t bytes); /* of the model; -1: none */
/* The id of a model or added token; -1: none. */
int64_t mote_hf_find_any(const struct builder *b, const char *text);

/* hf_tokenizer_added.c: behind the model's */
enum mote_status mote_hf_read_added(struct builder *b);

/* hf_tokenizer_tables.c */
enum mote_status mote_hf_read_merges(struct builder *b);
enum mote_status mote_hf_write_vocab(struct builder *b);  /* texts and trie */

/* hf_tokenizer_steps.c */
enum mote_status mote_hf_read_steps(struct builder *b);

/* hf_tokenizer_post.c */
enum mote_status mote_hf_read_post_processor(struct builder *b);

#endif
