/* The small files of a Hugging Face directory: configs, tokenizer and chat templates, read and parsed but not yet
 * understood; and what transformers' rules of precedence make of the chat templates and the named special tokens.
 */
#ifndef MOTE_CONVERT_HF_DIRECTORY_H
#define MOTE_CONVERT_HF_DIRECTORY_H

#include "convert/source.h"

struct mote_hf_directory {
	cJSON *config;             /* config.json */
	cJSON *generation;         /* generation_config.json */
	cJSON *tokenizer_config;   /* tokenizer_config.json */
	cJSON *special_tokens_map; /* special_tokens_map.json */
	cJSON *added_tokens;       /* added_tokens.json; each of these five NULL when absent */
	char *tokenizer;           /* tokenizer.json, as text */
	size_t tokenizer_bytes;
	char *tokenizer_config_text;
	size_t tokenizer_config_bytes;
	cJSON *templates;          /* array of {"name", "template"}, "default" first; may be empty */
};

/* vocab_only: config.json may be absent. tokenizer.json never may. MOTE_ERROR_CORRUPT: malformed, not UTF-8, or
 * required and absent. On error *out is zeroed. */
enum mote_status mote_hf_directory_read(struct mote_source *source, bool vocab_only, struct mote_hf_directory *out,
					struct mote_error *error);
void mote_hf_directory_free(struct mote_hf_directory *d); /* a zeroed struct is fine */

/* The text of "bos_token", "eos_token", "unk_token" or "pad_token" as transformers would set it; *text is borrowed,
 * or NULL when the tokenizer has none. MOTE_ERROR_CORRUPT: neither a string nor an object with "content". */
enum mote_status mote_hf_special_token(const struct mote_hf_directory *d, const char *key, const char **text,
				       struct mote_error *error);

#endif
