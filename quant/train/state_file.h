/* A training's state on disk: parts one behind the other, and a checksum of them all. Numbers as the machine has them:
 * little endian, as everything that mote runs on. The first part is a head of the owner's that says what the others
 * are.
 */
#ifndef MOTE_QUANT_STATE_FILE_H
#define MOTE_QUANT_STATE_FILE_H

#include <stdio.h>

#include "format/output.h"

/* Zero-initialize. The first error of put() is kept and makes the rest do nothing; close() gives the file its name or,
 * after an error, leaves what was there before. */
struct mote_state_writer {
	struct mote_output *output;
	void *hash;
	uint64_t at;
	enum mote_status status;
	struct mote_error *error;
};

void mote_state_create(struct mote_state_writer *w, const char *path, struct mote_error *error);
void mote_state_put(struct mote_state_writer *w, const void *data, size_t bytes);
enum mote_status mote_state_commit(struct mote_state_writer *w) MOTE_CHECKED;

/* Zero-initialize; close with mote_state_close() also after an error. */
struct mote_state_reader {
	FILE *file;
	const char *path;            /* borrowed */
	void *hash;
};

/* MOTE_ERROR_IO, MOTE_ERROR_MEMORY. */
enum mote_status mote_state_open(struct mote_state_reader *r, const char *path, struct mote_error *error) MOTE_CHECKED;
/* MOTE_ERROR_CORRUPT: the file ends before; MOTE_ERROR_IO. */
enum mote_status mote_state_get(struct mote_state_reader *r, void *data, size_t bytes,
				struct mote_error *error) MOTE_CHECKED;
/* Behind the last part. MOTE_ERROR_CORRUPT: the checksum does not match, or more follows. */
enum mote_status mote_state_check(struct mote_state_reader *r, struct mote_error *error) MOTE_CHECKED;
void mote_state_close(struct mote_state_reader *r);

#endif
