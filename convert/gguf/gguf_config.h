/* A GGUF file's key-values as config.json, generation_config.json and tokenizer_config.json would say them.
 */
#ifndef MOTE_CONVERT_GGUF_CONFIG_H
#define MOTE_CONVERT_GGUF_CONFIG_H

#include "convert/gguf/gguf_read.h"
#include "convert/gguf/gguf_vocabulary.h"
#include "convert/hf/hf_directory.h"

struct mote_gguf_family {
	const char *name;              /* of "general.architecture" */
	const char *architecture, *model_type; /* of config.json */
	bool permuted;                 /* rows of q and k, see weight_rows.c */
};

/* MOTE_ERROR_CORRUPT: no architecture; MOTE_ERROR_UNSUPPORTED: one that is not known, by name. */
enum mote_status mote_gguf_family_read(const struct mote_gguf *g, const struct mote_gguf_family **out,
				       struct mote_error *error);
const struct mote_gguf_family *mote_gguf_family_of(const char *model_type); /* or NULL */

/* config.json; freed with cJSON_Delete(). MOTE_ERROR_CORRUPT, MOTE_ERROR_UNSUPPORTED: by key. */
enum mote_status mote_gguf_config_read(const struct mote_gguf *g, const struct mote_source *source,
				       const struct mote_gguf_family *family, cJSON **out, struct mote_error *error);

/* Token ids, special tokens' texts and chat templates: directory's generation, tokenizer_config and templates, which have
 * to be NULL. Whatever happens they are the directory's to free. */
enum mote_status mote_gguf_tokens_read(const struct mote_gguf *g, const struct mote_gguf_vocabulary *v,
				       struct mote_hf_directory *directory, struct mote_error *error);

#endif
