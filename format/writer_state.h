/* What the files that write containers share; nobody else includes it. */
#ifndef MOTE_FORMAT_WRITER_STATE_H
#define MOTE_FORMAT_WRITER_STATE_H

#include <xxhash.h>

#include "format/layout.h"
#include "format/output.h"
#include "format/writer.h"

struct writer_section {
	uint32_t kind, flags;
	uint64_t raw_bytes;
	size_t bytes;
	void *data; /* as stored; owned */
};

struct mote_writer {
	struct mote_output *output;
	const char *target;          /* of the output */
	struct mote_layout_tensor *tensors;
	char **names;
	uint32_t n_tensors, tensors_room;
	uint64_t data_end;           /* of the tensors planned so far, not rounded */
	uint32_t current;            /* the tensor being written, == n_tensors when all are */
	uint64_t current_bytes;      /* written of it */
	uint64_t handed;             /* the disk has been given the data up to here */
	XXH3_state_t *hash;          /* of the current tensor */
	struct writer_section sections[MOTE_LAYOUT_MAX_SECTIONS]; /* ascending kinds; the directory is not among them */
	uint32_t n_sections;
	bool finished;               /* nothing has changed since finish */
};

enum mote_status mote_writer_fail_memory(const struct mote_writer *w, struct mote_error *error);

/* Stores or replaces a section, in memory. Takes data over, also on error. */
enum mote_status mote_writer_put_stored(struct mote_writer *w, uint32_t kind, uint32_t flags, void *data, size_t bytes,
					uint64_t raw_bytes, struct mote_error *error);

#endif
