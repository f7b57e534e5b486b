/* A measurement in pieces, each a part in a folder when it is done: computed by a team, and taken up where an earlier
 * run, of whatever size, was cut off.
 */
#ifndef MOTE_QUANT_SHARE_H
#define MOTE_QUANT_SHARE_H

#include "format/container.h"
#include "quant/measure/part.h"
#include "quant/team/team.h"

struct mote_share {
	struct mote_team *team;
	const char *folder;   /* of the parts, made where it is not; NULL: TOOL.parts, and mote_share_forget()
			       * empties it */
	uint32_t pieces;      /* 1 to MOTE_PART_SHARDS */
	const struct mote_progress *progress; /* of pieces, or NULL; rank 0 */
	uint64_t key;         /* set by mote_share_compute(): parts' names begin with it */
};

/* Computes what is missing. Rank 0 gets all parts, shards 1 to pieces, which it frees with the array; *parts is NULL at
 * other ranks, which have done their share then. Finished parts stay, also on error. Statuses: compute's at any rank,
 * and those of parts. */
enum mote_status mote_share_compute(struct mote_share *s, const struct mote_whole *w, cJSON ***parts,
				    struct mote_error *error) MOTE_CHECKED;
/* When all is done: removes the parts that nobody has asked to keep. Where nothing was shared, s is all zeros. */
void mote_share_forget(const struct mote_share *s, const char *tool);

/* A number of pieces for so many units of work: a claim should be worth its part, and the last of them not long. */
uint32_t mote_share_pieces(uint32_t units, uint32_t units_a_piece);

#endif
