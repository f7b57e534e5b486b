/* What a scheduler's sequence holds, on disk: its ids and their keys and values, so that a long text need not be read
 * again by another process.
 *
 *   header   40 bytes, little-endian: "MOTETEXT", version 1, number of ids, XXH3-64 of the ids; XXH3-64 of all that
 *   ids      int32 each
 *   state    of as many positions (session_state.h), with checksums of its own
 *
 * A state that is damaged, of another model or of a session of another kind is refused. One that is loaded lies in a
 * free sequence like what an answer left there: whoever adds a prompt that begins so goes on from it, with the same
 * bits.
 */
#ifndef MOTE_RUNTIME_SCHEDULER_STATE_H
#define MOTE_RUNTIME_SCHEDULER_STATE_H

#include "runtime/generate/scheduler.h"

/* Writes the longest beginning of ids[count] that a free sequence holds, which then holds no more than that. write()
 * gets the file's bytes in order; a status of it that is not MOTE_OK ends it and is returned.
 * MOTE_ERROR_ARGUMENT: no sequence is free. MOTE_ERROR_MEMORY. */
enum mote_status mote_scheduler_save(struct mote_scheduler *s, const int32_t *ids, size_t count,
				     enum mote_status (*write)(void *user, const void *data, size_t bytes,
							       struct mote_error *error),
				     void *user, struct mote_error *error);

/* Gives the free sequence that was not used for longest what read() delivers, which fills all bytes or returns a
 * status, which is returned. Statuses as mote_session_state_load(); MOTE_ERROR_ARGUMENT: no sequence is free, or more
 * ids than the session's context. After an error the sequence holds nothing. */
enum mote_status mote_scheduler_load(struct mote_scheduler *s,
				     enum mote_status (*read)(void *user, void *data, size_t bytes,
							      struct mote_error *error),
				     void *user, struct mote_error *error);

#endif
