/* A sequence's state on disk: the keys and values of its positions, so that a long text need not be read again.
 *
 * The ids are not in it; who saves a state keeps them beside it. A state belongs to one model (its tensors, its config
 * and, where its RoPE follows the context, the frequencies), one pair of KV types and one page size: it is refused
 * elsewhere. A state that is loaded gives the same logits as the sequence that was saved, bit for bit, on every
 * machine.
 *
 *   header   88 bytes, little-endian: "MOTEKEYS", version 1, XXH3-128 of the model, KV types of keys and values
 *            (enum mote_kv_type), positions a page, positions held, pages, bytes a page; XXH3-64 of all that
 *   pages    in order, as they lie in memory (kv_cache.h); positions of the last page that are not held are those of a
 *            key and a value of zeros
 *   XXH3-128 of header and pages
 */
#ifndef MOTE_RUNTIME_SESSION_STATE_H
#define MOTE_RUNTIME_SESSION_STATE_H

#include "runtime/model/session.h"

/* Bytes that mote_session_state_save() writes. 0: no such sequence. */
uint64_t mote_session_state_bytes(const struct mote_session *s, uint32_t sequence);

/* Writes a sequence's state by calls of write(user, data, bytes), which fill a file in order. A status of write() that
 * is not MOTE_OK ends it and is returned. MOTE_ERROR_ARGUMENT: no such sequence; MOTE_ERROR_MEMORY. */
enum mote_status mote_session_state_save(const struct mote_session *s, uint32_t sequence,
					 enum mote_status (*write)(void *user, const void *data, size_t bytes,
								   struct mote_error *error),
					 void *user, struct mote_error *error);

/* Gives the sequence the state that read(user, data, bytes) delivers: it fills all bytes or returns a status, which is
 * returned. The sequence gives up what it held; after an error it holds nothing.
 *   MOTE_ERROR_CORRUPT      no state, or one that has been damaged
 *   MOTE_ERROR_UNSUPPORTED  a state of another model, of other KV types or pages, of a later version
 *   MOTE_ERROR_ARGUMENT     more positions than the session's context; no such sequence
 *   MOTE_ERROR_LIMIT        not as many pages are free
 *   MOTE_ERROR_MEMORY */
enum mote_status mote_session_state_load(struct mote_session *s, uint32_t sequence,
					 enum mote_status (*read)(void *user, void *data, size_t bytes,
								  struct mote_error *error),
					 void *user, struct mote_error *error);

#endif
