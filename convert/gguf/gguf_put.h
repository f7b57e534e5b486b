/* GGUF's key-values, written: what the files that make a GGUF file share.
 */
#ifndef MOTE_CONVERT_GGUF_PUT_H
#define MOTE_CONVERT_GGUF_PUT_H

#include "convert/gguf/gguf_read.h"
#include "convert/notes.h"
#include "convert/text_buffer.h"
#include "convert/tokenizer_parts.h"
#include "format/json.h"

struct mote_gguf_put { /* zero-initialize; free .b.text */
	struct mote_text_buffer b;
	uint32_t values;           /* written so far */
};

void mote_gguf_put_number(struct mote_text_buffer *b, uint64_t x, uint32_t bytes); /* little-endian */
void mote_gguf_put_bytes(struct mote_text_buffer *b, const char *text, size_t bytes); /* a length and so many bytes */
void mote_gguf_put_u32(struct mote_gguf_put *p, const char *key, uint32_t x);
void mote_gguf_put_f32(struct mote_gguf_put *p, const char *key, double x);
void mote_gguf_put_bool(struct mote_gguf_put *p, const char *key, bool x);
void mote_gguf_put_text(struct mote_gguf_put *p, const char *key, const char *text, size_t bytes);
/* The elements follow in .b. */
void mote_gguf_put_array(struct mote_gguf_put *p, const char *key, enum mote_gguf_kind kind, uint64_t count);

/* The keys "tokenizer.…" of a compiled tokenizer and of the container's metadata.
 * model_ids: rows of the embedding; ids that no token has are written as unused. Where
 * llama.cpp ends an answer or reads a text otherwise: a note.
 * MOTE_ERROR_UNSUPPORTED: a tokenizer that GGUF has no name for; MOTE_ERROR_MEMORY. */
enum mote_status mote_gguf_put_tokenizer(struct mote_gguf_put *p, const void *section, size_t bytes,
					 const cJSON *metadata, uint32_t model_ids, struct mote_notes *notes,
					 struct mote_error *error);

/* The first name for how a byte-level tokenizer cuts texts; *name NULL: there is none. MOTE_ERROR_MEMORY. */
enum mote_status mote_gguf_find_pre(const struct mote_tokenizer_parts *t, const char **name, struct mote_error *error);

/* A note of each thing that llama.cpp does not do as the tokenizer: spaces beside added tokens, added tokens of
 * normalized text, normal forms. */
enum mote_status mote_gguf_note_tokenizer(const struct mote_tokenizer_parts *t, struct mote_notes *notes,
					  struct mote_error *error);

/* The keys "general.sampling.…" of generation_config.json's settings, which may be NULL. */
void mote_gguf_put_sampling(struct mote_gguf_put *p, const cJSON *generation);

#endif
