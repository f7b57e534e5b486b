/* Container writer: one pass over the tensor data into a temporary file beside the target, then
 * sections, header, sync, rename. Until commit the target is untouched; after discard (or a
 * crash before commit) there is no target.
 *
 *   open -> add_tensor for each (in file order) -> write for each, in that order and in any
 *   number of pieces -> put_section ... -> finish -> [inspect temp_path; put_section; finish]
 *   -> commit
 *
 * Same calls with the same bytes give the same file. Not thread-safe.
 */
#ifndef MOTE_FORMAT_WRITER_H
#define MOTE_FORMAT_WRITER_H

#include "format/container.h"

struct mote_writer;

/* Opens the output: see output.h for what is refused and what force does. */
enum mote_status mote_writer_open(const char *path, bool force, struct mote_writer **out,
				  struct mote_error *error);

/* Plans a tensor. rank 1: type must be MOTE_F32 and cols 1. codebook: for types that have one, an entry
 * for each level, copied; NULL: the linear one.
 * MOTE_ERROR_CORRUPT: a name or shape that no container can have (two equal names are found by finish).
 * MOTE_ERROR_ARGUMENT: rank, type and cols do not agree. */
enum mote_status mote_writer_add_tensor(struct mote_writer *w, const char *name, uint32_t rank,
					enum mote_type type, uint64_t rows, uint64_t cols,
					const uint8_t *codebook, struct mote_error *error);
/* A learned codebook may be known only when the tensor is encoded: replaces it; before finish. */
enum mote_status mote_writer_set_codebook(struct mote_writer *w, uint32_t tensor, const uint8_t *codebook,
					  struct mote_error *error);

/* Appends the next bytes of tensor data; padding between tensors is the writer's business.
 * A write never crosses a tensor's end. */
enum mote_status mote_writer_write(struct mote_writer *w, const void *data, size_t bytes,
				   struct mote_error *error);

/* Stores or replaces a section, which is copied: raw bytes, or JSON which is compressed. Sections are kept in memory
 * until finish. MOTE_ERROR_ARGUMENT: the kind does not take this content. MOTE_ERROR_LIMIT: JSON beyond 4 MiB, or of
 * more values than are read. MOTE_ERROR_CORRUPT: JSON that no reader would take (nested too deep, a key twice). */
enum mote_status mote_writer_put_section(struct mote_writer *w, enum mote_section kind, const void *data,
					 size_t bytes, struct mote_error *error);
enum mote_status mote_writer_put_json(struct mote_writer *w, enum mote_section kind, const cJSON *json,
				      struct mote_error *error);

/* Completes the temporary file so that mote_container_open(temp_path) works. May be called again after further
 * put_section calls. MOTE_ERROR_ARGUMENT: a tensor is not whole, or there are no metadata. */
enum mote_status mote_writer_finish(struct mote_writer *w, struct mote_error *error);
const char *mote_writer_temp_path(const struct mote_writer *w);

/* Syncs, renames to the target, syncs the folder, frees w. On error the temporary file is removed, and the target is
 * as it was. MOTE_ERROR_ARGUMENT: without force, when something has come to be at path since open. */
enum mote_status mote_writer_commit(struct mote_writer *w, struct mote_error *error);
/* Removes the temporary file and frees w; NULL is fine. */
void mote_writer_discard(struct mote_writer *w);

/* Rewrites the file at path with its tensors and sections copied and one JSON section stored or replaced
 * (temporary file, sync, rename): how a receipt is stamped into an existing file. Every checksum is compared on the
 * way: a damaged tensor is MOTE_ERROR_CORRUPT and leaves the file as it was. */
enum mote_status mote_container_stamp(const char *path, enum mote_section kind, const cJSON *json,
				      struct mote_error *error);

#endif
