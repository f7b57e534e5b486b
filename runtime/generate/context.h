/* Context: the ids that one sequence of a session holds, so that a prompt which begins like the last one (the next
 * turn of a chat) is computed only from where they part.
 */
#ifndef MOTE_RUNTIME_CONTEXT_H
#define MOTE_RUNTIME_CONTEXT_H

#include "runtime/model/session.h"

struct mote_context;

/* The session is borrowed; only this context uses its sequence. MOTE_ERROR_MEMORY. */
enum mote_status mote_context_open(struct mote_session *session, uint32_t sequence, uint32_t batch_rows,
				   struct mote_context **out, struct mote_error *error);
void mote_context_close(struct mote_context *c); /* NULL is fine */

/* Makes ids[count] the context and returns the logits [vocab] after its last id, valid until the session's next
 * forward pass. At least the last id is computed, whatever is held already.
 *   computed  how many ids were not held, may be NULL
 *   proceed   asked before each batch, may be NULL; false gives MOTE_ERROR_INTERRUPTED
 * MOTE_ERROR_ARGUMENT: no ids, more than the session's context, or an id beyond the vocabulary. */
enum mote_status mote_context_set(struct mote_context *c, const int32_t *ids, size_t count, bool (*proceed)(void),
				  const float **logits, size_t *computed, struct mote_error *error);

/* Appends one id. MOTE_ERROR_LIMIT when the session's context is full. */
enum mote_status mote_context_append(struct mote_context *c, int32_t id, const float **logits, struct mote_error *error);

bool mote_context_full(const struct mote_context *c);

#endif
