/* One output file of a tool: whole under its name, or not there at all.
 *
 *   open -> write_at ... or fprintf(stream) ... -> commit, or discard
 *
 * Until commit nothing is at path, or what was there before. Where the file system can, the file has no name until then
 * (O_TMPFILE); else, and for the moment in which it replaces another, it has a temporary one beside path: ".NAME",
 * MOTE_OUTPUT_PART and eight random letters. What a process that was killed leaves under such a name the next output to
 * the same path removes: whoever writes one holds its lock (flock). Not thread-safe.
 */
#ifndef MOTE_FORMAT_OUTPUT_H
#define MOTE_FORMAT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "format/status.h"

#define MOTE_OUTPUT_PART ".mote-part."

struct mote_output;

/* The file gets the mode of any new file, or of the one which it will replace. With replace a symbolic link is
 * followed: the file that it names is replaced, and the link stays.
 * MOTE_ERROR_ARGUMENT: path exists and !replace; is "-" or the file behind standard output or error; is no regular
 * file; is a link to what is none or does not exist. MOTE_ERROR_IO, MOTE_ERROR_MEMORY. */
enum mote_status mote_output_open(const char *path, bool replace, struct mote_output **out, struct mote_error *error);

/* Whether there is something at path, be it a link to nothing. Not to be able to tell is MOTE_ERROR_IO, as what is
 * there must not be lost. */
enum mote_status mote_output_exists(const char *path, bool *exists, struct mote_error *error) MOTE_CHECKED;

/* MOTE_ERROR_ARGUMENT when path and input are one file, by whatever names: an output never replaces what it is made
 * from. Either may be NULL or not exist, which is fine; MOTE_ERROR_IO: it cannot be told. */
enum mote_status mote_output_refuse_input(const char *path, const char *input, struct mote_error *error);

/* MOTE_ERROR_ARGUMENT when two outputs have one path. Either may be NULL. */
enum mote_status mote_output_refuse_same(const char *a, const char *b, struct mote_error *error) MOTE_CHECKED;

/* Every byte, or MOTE_ERROR_IO. */
enum mote_status mote_output_write_at(struct mote_output *o, const void *data, size_t bytes, uint64_t offset,
				      struct mote_error *error);
/* For text: a stream at the file's start, closed by commit, which reports what failed to be written.
 * NULL: no memory. */
FILE *mote_output_stream(struct mote_output *o);
/* The open file, for what else a caller needs to do with it. */
int mote_output_descriptor(const struct mote_output *o);
/* A path under which the file as written so far can be opened, while o exists. */
const char *mote_output_open_path(const struct mote_output *o);
/* Where it will be: path, or what the link at path names. */
const char *mote_output_target(const struct mote_output *o);

/* Sets MOTE_ERROR_IO with errno's reason and returns it. */
enum mote_status mote_output_fail(const struct mote_output *o, const char *what, struct mote_error *error);

/* Syncs, gives the file its name, syncs the folder. o is freed in every case; on error path is as it was.
 * MOTE_ERROR_ARGUMENT: without replace, something has come to be at path since open. MOTE_ERROR_IO. */
enum mote_status mote_output_commit(struct mote_output *o, struct mote_error *error);
/* Nothing is left. NULL is fine. */
void mote_output_discard(struct mote_output *o);

/* For reading a file and replacing it by what follows from it: *lock is a descriptor that excludes others who call this
 * until it is closed. Waits for them. Where the file system knows no locks there is none. MOTE_ERROR_IO. */
enum mote_status mote_output_lock(const char *path, int *lock, struct mote_error *error);

#endif
