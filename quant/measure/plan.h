/* A plan: which tokens of a text are scored, by llama.cpp's rule.
 *
 * The whole text is tokenized and cut into chunks of n_ctx without overlap (the rest is dropped); a model that adds a
 * bos gets it in place of each chunk's first token; the first n_ctx/2 positions are context, and the positions
 * n_ctx/2 .. n_ctx-2 each predict the token that follows them.
 */
#ifndef MOTE_QUANT_PLAN_H
#define MOTE_QUANT_PLAN_H

#include "quant/measure/text.h"
#include "runtime/model/model.h"

#define MOTE_VALIDATE_CONTEXT 512u     /* llama.cpp's n_ctx */

struct mote_plan_options {
	uint32_t context_tokens;       /* n_ctx; 0: MOTE_VALIDATE_CONTEXT, or the model's positions if fewer */
	uint32_t max_chunks;           /* 0: all */
	bool all_positions;            /* one context from the text's start, as long as context_tokens (0: the model's
					* positions) allows; every position but the first is scored */
	bool plain;                    /* added tokens in the text are ordinary text, as llama-perplexity has it */
};

/* Which tokens are scored. Zero-initialize; free with mote_plan_free(). */
struct mote_plan {
	int32_t *ids;                  /* [chunks * context] what the model reads, bos in place */
	uint32_t context;              /* tokens a chunk */
	uint32_t chunks;
	uint32_t first;                /* first position of a chunk whose prediction is scored */
	uint32_t chunk_rows;           /* predictions scored in a chunk */
	uint32_t vocab;
	uint64_t text_tokens;          /* before cutting */
	bool all_positions, plain;
	struct mote_hash128 ids_hash;  /* XXH3-128 of ids as little-endian i32 */
};

/* Tokenizes text with m's tokenizer and lays out the chunks. MOTE_ERROR_ARGUMENT: fewer than two chunks
 * of tokens (llama.cpp's minimum), or a context that the model cannot hold; the message says both numbers.
 * MOTE_ERROR_UNSUPPORTED: the container has no tokenizer. */
enum mote_status mote_plan_init(const struct mote_model *m, const struct mote_text *text,
				const struct mote_plan_options *options, struct mote_plan *out,
				struct mote_error *error) MOTE_CHECKED;
void mote_plan_free(struct mote_plan *p);

/* A text as m's tokenizer reads it. */
struct mote_text_ids {
	int32_t *id;                   /* [count] owned: free() */
	size_t count;
	bool bos;                      /* the tokenizer puts a bos before a text */
};
/* The whole of it, bos and all; plain as in the options. MOTE_ERROR_UNSUPPORTED: the container has no tokenizer;
 * MOTE_ERROR_CORRUPT: it gives an id that the weights have no row for. */
enum mote_status mote_text_encode(const struct mote_model *m, const struct mote_text *text, bool plain,
				  struct mote_text_ids *out, struct mote_error *error) MOTE_CHECKED;

/* The token that scored row r (0 .. chunks*chunk_rows - 1) predicts. */
int32_t mote_plan_target(const struct mote_plan *p, uint64_t row);
static inline uint64_t mote_plan_rows(const struct mote_plan *p)
{
	return (uint64_t)p->chunks * p->chunk_rows;
}

#endif
