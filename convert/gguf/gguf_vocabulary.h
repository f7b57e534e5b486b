/* A GGUF file's tokenizer, written as the tokenizer.json that makes the same ids: from there on it is compiled like any
 * other. What "tokenizer.ggml.pre" or ".model" says and mote does not know is refused by name.
 */
#ifndef MOTE_CONVERT_GGUF_VOCABULARY_H
#define MOTE_CONVERT_GGUF_VOCABULARY_H

#include "convert/gguf/gguf_read.h"

enum mote_gguf_token { /* of "tokenizer.ggml.token_type"; numbers of the format */
	MOTE_GGUF_TOKEN_NORMAL = 1, MOTE_GGUF_TOKEN_UNKNOWN, MOTE_GGUF_TOKEN_CONTROL, MOTE_GGUF_TOKEN_USER_DEFINED,
	MOTE_GGUF_TOKEN_UNUSED, MOTE_GGUF_TOKEN_BYTE
};

struct mote_gguf_vocabulary {
	struct mote_gguf_text *token; /* [tokens]; each UTF-8 without NUL */
	uint8_t *type;                /* [tokens] */
	float *score;                 /* [tokens]; NULL: there are none */
	uint32_t tokens;              /* without the unused ones at the end, which pad the vocabulary */
};

/* MOTE_ERROR_CORRUPT: absent, or not what it should be. On error *out is zeroed. */
enum mote_status mote_gguf_vocabulary_read(const struct mote_gguf *g, struct mote_gguf_vocabulary *out,
					   struct mote_error *error);
void mote_gguf_vocabulary_free(struct mote_gguf_vocabulary *v);

/* *json is allocated, the caller frees it; not NUL-terminated. */
enum mote_status mote_gguf_vocabulary_write(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
					    char **json, size_t *bytes, struct mote_error *error);

/* Which pieces a text is cut into, by the name that "tokenizer.ggml.pre" has: the members "normalizer" and
 * "pre_tokenizer" of tokenizer.json. */
struct mote_gguf_pre {
	const char *name;
	const char *normalizer, *pre_tokenizer; /* JSON */
	bool ignore_merges;
	bool adds_bos;                /* unless the file says otherwise */
};
/* NULL: not known. The first that is listed for a pair of members is the name under which it is exported. */
const struct mote_gguf_pre *mote_gguf_pre_find(const char *name, size_t bytes);
const struct mote_gguf_pre *mote_gguf_pre_at(size_t index); /* NULL behind the last */

#endif
