/* A team: processes that share one measurement. One alone, or (make MPI=1) the ranks of an MPI run; the tools read the
 * same without. Whoever is free claims a piece; the first of the team hands out and keeps what is done.
 *
 *   open -> begin -> claim, deliver, claim, deliver ... -> end -> close
 *
 * team_alone.c or team_mpi.c is behind this, share.c before it. One thread calls.
 */
#ifndef MOTE_QUANT_TEAM_H
#define MOTE_QUANT_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/status.h"

struct mote_team;

/* Alone, or with all others that were started together. MOTE_ERROR_MEMORY, MOTE_ERROR_UNSUPPORTED. */
enum mote_status mote_team_open(struct mote_team **out, struct mote_error *error) MOTE_CHECKED;
uint32_t mote_team_rank(const struct mote_team *t);
uint32_t mote_team_size(const struct mote_team *t);

/* What rank 0 does for all; never called by two threads at once. */
struct mote_team_desk {
	void *user;
	bool (*next)(void *user, uint32_t *piece); /* false: none is left */
	enum mote_status (*take)(void *user, uint32_t piece, const char *text, size_t bytes, struct mote_error *error);
};

/* desk lives until end; of other ranks than 0 it is not looked at. MOTE_ERROR_MEMORY. */
enum mote_status mote_team_begin(struct mote_team *t, const struct mote_team_desk *desk,
				 struct mote_error *error) MOTE_CHECKED;
/* The next piece; false when none is left, or when a rank has failed. */
bool mote_team_claim(struct mote_team *t, uint32_t *piece);
enum mote_status mote_team_deliver(struct mote_team *t, uint32_t piece, const char *text, size_t bytes,
				   struct mote_error *error) MOTE_CHECKED;
/* Of a rank that ended its share with this status. Rank 0 waits for all; it gets the first failure of any, with the
 * rank before the message. */
enum mote_status mote_team_end(struct mote_team *t, enum mote_status status, struct mote_error *error) MOTE_CHECKED;

/* Leaves, from wherever a rank is; status and error are what it ended with, which rank 0 is told if it has not been.
 * Returns what rank 0 ends with, MOTE_OK at other ranks: they have nothing to say. t NULL is fine. */
enum mote_status mote_team_close(struct mote_team *t, enum mote_status status, struct mote_error *error) MOTE_CHECKED;

#endif
