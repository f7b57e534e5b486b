/* A model's vocabulary, with the special tokens that a training adds to it: its tokenizer and metadata as the trained
 * file will have them. Without new ones they are the model's own. */
#ifndef MOTE_QUANT_VOCABULARY_GROWTH_H
#define MOTE_QUANT_VOCABULARY_GROWTH_H

#include "format/container.h"
#include "runtime/model/model.h"
#include "runtime/tokenizer/tokenizer.h"

/* Zero-initialize; free with mote_vocabulary_free(). */
struct mote_vocabulary {
	uint32_t first, added;       /* the new tokens' ids: first and how many */
	uint32_t rows;               /* of the embedding: the model's, or as many as the ids need */
	const void *section;         /* the compiled tokenizer */
	size_t section_bytes;
	uint8_t *own;                /* memory of section; NULL: the container's */
	cJSON *metadata;
	struct mote_tokenizer *tokenizer;
};

/* token[0..n): texts. The model is borrowed as long as the vocabulary is used.
 * MOTE_ERROR_UNSUPPORTED: the model has no tokenizer; MOTE_ERROR_ARGUMENT, MOTE_ERROR_LIMIT as
 * mote_tokenizer_section_extend(); MOTE_ERROR_MEMORY. */
enum mote_status mote_vocabulary_open(struct mote_vocabulary *v, const struct mote_model *model,
				      const char *const *token, uint32_t n, struct mote_error *error) MOTE_CHECKED;
void mote_vocabulary_free(struct mote_vocabulary *v);

#endif
