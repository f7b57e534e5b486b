/* Steps of a compiled tokenizer as the components of tokenizer.json that compile to them.
 */
#ifndef MOTE_CONVERT_HF_STEPS_WRITE_H
#define MOTE_CONVERT_HF_STEPS_WRITE_H

#include "convert/text_buffer.h"
#include "convert/tokenizer_parts.h"

/* Adds the component of a stage: null, one object, or a Sequence.
 * MOTE_ERROR_UNSUPPORTED: a step that no component makes. */
enum mote_status mote_hf_steps_write(const struct mote_tokenizer_parts *t, enum tokenizer_stage stage,
				     struct mote_text_buffer *out, struct mote_error *error);

#endif
