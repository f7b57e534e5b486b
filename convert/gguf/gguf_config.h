/* A GGUF file's key-values as config.json, generation_config.json and tokenizer_config.json would say them.
 */
#ifndef MOTE_CONVERT_GGUF_CONFIG_H
#define MOTE_CONVERT_GGUF_CONFIG_H

#include "convert/gguf/gguf_families.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "convert/hf/hf_directory.h"

/* config.json; freed with cJSON_Delete(). MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED: by key. */
enum mote_status mote_gguf_config_read(const struct mote_gguf *g, const struct mote_source *source,
				       const struct mote_gguf_family *family, cJSON **out, struct mote_error *error);

/* Token ids, special tokens' texts, chat templates and settings for sampling: directory's generation, tokenizer_config
 * and templates, which have to be NULL. Whatever happens they are the directory's to free. */
enum mote_status mote_gguf_tokens_read(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				       struct mote_hf_directory *directory, struct mote_error *error);

/* "general.sampling.…", under the names of generation_config.json; what is no number there is passed over. */
enum mote_status mote_gguf_sampling_read(const struct mote_gguf *g, cJSON *generation, struct mote_error *error);

#endif
