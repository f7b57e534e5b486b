/* What GGUF calls tensors, and what transformers calls them.
 */
#ifndef MOTE_CONVERT_GGUF_NAMES_H
#define MOTE_CONVERT_GGUF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "convert/gguf/gguf_families.h"

#define MOTE_GGUF_NAME_ROOM 128

/* "blk.3.attn_q.weight" to "model.layers.3.self_attn.q_proj.weight", and back;
 * false when the family has no such pair. */
bool mote_gguf_name_to_hf(const struct mote_gguf_family *family, const char *name, size_t bytes,
			  char out[MOTE_GGUF_NAME_ROOM]);
bool mote_gguf_name_from_hf(const struct mote_gguf_family *family, const char *name, char out[MOTE_GGUF_NAME_ROOM]);

/* Of the name that transformers uses: whether its rows are those of queries, or of keys, which llama.cpp permutes. */
bool mote_gguf_name_is_query(const char *name);
bool mote_gguf_name_is_key(const char *name);

#endif
