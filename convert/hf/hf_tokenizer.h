/* Compiles a Hugging Face tokenizer.json into the container's tokenizer section, whose layout is in
 * docs/tokenizer-section.md and whose reader is runtime/tokenizer/tokenizer.h.
 *
 * What the section cannot express exactly is refused by name, never approximated.
 */
#ifndef MOTE_CONVERT_HF_TOKENIZER_H
#define MOTE_CONVERT_HF_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

struct cJSON; /* <cjson/cJSON.h> */

/* What a converter wants to tell its user, and what it needs for the metadata. */
struct mote_hf_tokenizer_info {
	uint32_t vocab_size;          /* highest id + 1; a model's vocab_size may be larger, never smaller */
	uint32_t added_tokens;
	uint32_t special_tokens;      /* of the added tokens */
	bool adds_bos, adds_eos;      /* the post-processor puts ids before / after a single text */
	int32_t unk;                  /* -1: none */
	/* Bytes that the vocabulary has no way to express and that are dropped when they are met (byte-level
	 * vocabularies without a symbol for them); ascending. Warn of them. */
	uint32_t n_inexpressible;
	uint8_t inexpressible[256];
	/* Added tokens beyond the model's rows, which are left out. Warn of them. */
	uint32_t n_dropped;
	uint32_t dropped_id;          /* the lowest, and its text, shortened */
	char dropped_text[64];
};

struct mote_hf_tokenizer_source {
	const char *json;             /* tokenizer.json */
	size_t bytes;
	const char *config;           /* tokenizer_config.json, or NULL: flags of added tokens, special tokens that
				       * tokenizer.json does not declare, and add_bos_token / add_eos_token /
				       * add_prefix_space override tokenizer.json where transformers lets them */
	size_t config_bytes;
	uint32_t model_ids;           /* the model's vocab_size: added tokens from this id on are dropped;
				       * 0: none are */
	/* special_tokens_map.json and added_tokens.json, or NULL: they count while tokenizer_config.json has no
	 * added_tokens_decoder. */
	const struct cJSON *map, *added;
	const char *bos, *eos;        /* texts of these tokens, as mote_hf_special_token() has them from all files;
				       * NULL: as config has them */
};

/* An id between others that no token has (a vocabulary with unused ids) is never found in a text and decodes to
 * nothing. Tokens have the ids that the file gives them.
 * section  allocated with malloc, caller frees; NULL on error. Same input, same bytes.
 * info     may be NULL
 * MOTE_ERROR_CORRUPT: malformed, two tokens of one id, a merge of unknown tokens, ... (names the key);
 * MOTE_ERROR_UNSUPPORTED: a component that is left out, by name; MOTE_ERROR_MEMORY. */
enum mote_status mote_hf_tokenizer_compile(const struct mote_hf_tokenizer_source *source, uint8_t **section,
					   size_t *section_bytes,
					   struct mote_hf_tokenizer_info *info, struct mote_error *error);

#endif
