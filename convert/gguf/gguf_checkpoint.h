/* A GGUF file, shown as the Hugging Face checkpoint of the same model: config, tokenizer, chat templates, and weights
 * by the names that transformers gives them. From there on it is converted like any other.
 */
#ifndef MOTE_CONVERT_GGUF_CHECKPOINT_H
#define MOTE_CONVERT_GGUF_CHECKPOINT_H

#include "convert/gguf/gguf_read.h"
#include "convert/hf/hf_directory.h"
#include "convert/hf/hf_weights.h"
#include "convert/notes.h"

/* Opens the file of this name in the source and fills in what mote_hf_directory_read() and mote_hf_weights_open() read
 * of a directory. vocab_only: the file may be without weights, and weights stays empty. g has to live as long as the
 * rest. Types that mote does not have are decoded, which a note says.
 * MOTE_ERROR_CORRUPT, _UNSUPPORTED, _LIMIT, _IO, _MEMORY: as mote_gguf_open() and what it says of keys; an
 * architecture, a RoPE scaling or a type that is not supported, by name. On error everything is zeroed. */
enum mote_status mote_gguf_checkpoint_open(struct mote_source *source, const char *name, bool vocab_only,
					   struct mote_gguf *g, struct mote_hf_directory *directory,
					   struct mote_hf_weights *weights, struct mote_notes *notes,
					   struct mote_error *error);

#endif
