/* A chorus: several lists of tokens that grow side by side, each in a sequence of one session, so that a forward
 * pass reads the weights once for all of them. Logits do not depend on the company, so each grows as it would alone.
 */
#ifndef MOTE_QUANT_CHORUS_H
#define MOTE_QUANT_CHORUS_H

#include "runtime/model/session.h"

#define MOTE_VOICES 8u

/* One list, owned by the caller. */
struct mote_voice {
	const int32_t *ids;
	uint32_t count; /* 0: silent */
	uint32_t run;   /* ids that the session has seen; 0 to start over with other ids */
};

struct mote_chorus;

/* context: the longest list. Statuses as mote_session_open(). */
enum mote_status mote_chorus_open(const struct mote_model *m, uint32_t context, uint32_t threads,
				  struct mote_chorus **out, struct mote_error *error);
void mote_chorus_close(struct mote_chorus *c); /* NULL is fine */

/* One forward pass over ids that were not run yet (long lists in several passes). For each voice that has none left,
 * calls take(user, voice, logits [vocab]), which may change any field of that voice. At least one voice must have
 * ids to run. Stops at the first status that is not MOTE_OK. */
enum mote_status mote_chorus_step(struct mote_chorus *c, struct mote_voice voice[MOTE_VOICES],
				  enum mote_status (*take)(void *user, uint32_t voice, const float *logits,
							   struct mote_error *error),
				  void *user, struct mote_error *error);

#endif
