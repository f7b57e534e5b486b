/* The container's metadata object, made of what the directory says. Its keys are specified in
 * docs/container-format.md.
 */
#ifndef MOTE_CONVERT_HF_METADATA_H
#define MOTE_CONVERT_HF_METADATA_H

#include "convert/hf/hf_config.h"
#include "convert/hf/hf_directory.h"
#include "convert/hf/hf_tokenizer.h"
#include "convert/notes.h"
#include "runtime/tokenizer/tokenizer.h"

struct mote_hf_metadata_inputs {
	const struct mote_source *source;         /* complete, with its hashes: becomes the lineage */
	const struct mote_hf_directory *directory;
	const struct mote_hf_config *config;      /* NULL: no model, vocabulary only */
	const struct mote_tokenizer *tokenizer;
	const struct mote_hf_tokenizer_info *tokenizer_info;
	const char *tool;                         /* "mote-convert 0.1.0" */
	const char *dtype;                        /* "keep", "f16" ...; NULL: no model */
	struct mote_notes *notes;                 /* what the user should know; may be NULL */
	const cJSON *lora;                        /* adapters that were merged, for the lineage; NULL: none */
};

/* Ids of bos, eos and pad for which the model has no row are left out (the tokenizer's words are asked instead), which
 * a note says. MOTE_ERROR_CORRUPT: a tokenizer larger than the model's vocabulary. *out is
 * freed with cJSON_Delete(); NULL on error. */
enum mote_status mote_hf_metadata_build(const struct mote_hf_metadata_inputs *in, cJSON **out,
					struct mote_error *error);

#endif
