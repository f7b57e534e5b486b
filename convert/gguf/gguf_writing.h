/* What writing a GGUF file keeps at hand: shared by gguf_write.c, gguf_plan.c and gguf_put_model.c.
 */
#ifndef MOTE_CONVERT_GGUF_WRITING_H
#define MOTE_CONVERT_GGUF_WRITING_H

#include "convert/fused_weights.h"
#include "convert/gguf/gguf_families.h"
#include "convert/gguf/gguf_names.h"
#include "convert/gguf/gguf_put.h"
#include "convert/gguf/gguf_write.h"
#include "runtime/model/config.h"

#define MOTE_GGUF_ALIGNMENT 32u

struct mote_gguf_planned {
	struct mote_fused_weights weights; /* no parts: rope[table] is the tensor */
	char name[MOTE_GGUF_NAME_ROOM];
	enum mote_gguf_type type;
	uint32_t table;
	uint32_t heads;            /* not 0: rows are permuted */
	uint64_t offset, bytes;    /* offset in the data */
};

struct mote_gguf_writing {
	const struct mote_container *c;
	const struct mote_gguf_write_options *options;
	struct mote_config config;
	const struct mote_gguf_family *family;
	struct mote_gguf_planned *plan;
	uint32_t tensors;
	float *rope[2];            /* tables of divisors, [rotated dimensions / 2]: llama3's,
				    * or longrope's short and long ones */
	struct mote_gguf_put put;
	struct mote_output *file;
	uint64_t data, done, total;
	struct mote_error *error;
};

enum mote_status mote_gguf_not_written(const struct mote_gguf_writing *w,
				       const char *what); /* MOTE_ERROR_UNSUPPORTED */

/* What the config says that the architecture has no words for: MOTE_ERROR_UNSUPPORTED, by the key in "model". What
 * llama.cpp reads and computes without: a note. */
enum mote_status mote_gguf_check_model(const struct mote_gguf_writing *w, struct mote_notes *notes);
/* Allocates the tables that RoPE's kind needs. */
enum mote_status mote_gguf_make_rope_tables(struct mote_gguf_writing *w);
void mote_gguf_put_model(struct mote_gguf_writing *w);

/* The tensors, with names, types and places; the rope tables come last. */
enum mote_status mote_gguf_plan(struct mote_gguf_writing *w);
/* Those that become larger than they were: a note. */
enum mote_status mote_gguf_note_types(const struct mote_gguf_writing *w, struct mote_notes *notes);

#endif
