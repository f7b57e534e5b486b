/* A compiled tokenizer as the tokenizer.json that compiles to it again.
 */
#ifndef MOTE_CONVERT_HF_TOKENIZER_WRITE_H
#define MOTE_CONVERT_HF_TOKENIZER_WRITE_H

#include <stddef.h>

#include "convert/text_buffer.h"
#include "format/status.h"

/* Adds tokenizer.json to out. config: the tokenizer_config.json that will lie beside it. Compiling both has to give the
 * section byte for byte; where it does not, or a step has no spelling there, it is MOTE_ERROR_UNSUPPORTED. */
enum mote_status mote_hf_tokenizer_write(const void *section, size_t bytes, const char *config, size_t config_bytes,
					 struct mote_text_buffer *out, struct mote_error *error);

#endif
