/* A container as a GGUF file that llama.cpp reads: the same weights, the same ids for a text, the chat templates.
 */
#ifndef MOTE_CONVERT_GGUF_WRITE_H
#define MOTE_CONVERT_GGUF_WRITE_H

#include "convert/notes.h"
#include "format/container.h"

struct mote_gguf_write_options {
	bool keep_types;           /* blocks and floats as they are, see tensor_rows.h; else all matrices in .type */
	enum mote_type type;       /* f32, f16 or bf16 */
	bool force;                /* replace an existing output */
	struct mote_progress progress; /* in bytes written; .update may be NULL */
};

/* Writes path, which appears when it is complete, or not at all. Whatever the blocks' type, the values stay the same
 * unless a type is asked for; what becomes larger by that is said in a note.
 * MOTE_ERROR_UNSUPPORTED: a model or a tokenizer that GGUF has no name for, by name; MOTE_ERROR_CORRUPT: a tensor that
 * does not match its checksum, metadata that are not as the format has them; MOTE_ERROR_ARGUMENT: path exists;
 * MOTE_ERROR_INTERRUPTED, _IO, _MEMORY. *bytes: of the file. */
enum mote_status mote_gguf_write(const struct mote_container *c, const char *path,
				 const struct mote_gguf_write_options *options, struct mote_notes *notes,
				 uint64_t *bytes, struct mote_error *error);

#endif
