/* See share_out.h: which piece of the work on many rows is a thread's next. */
#include "runtime/model/share_out.h"

bool mote_share_turn(struct mote_pass *p, struct mote_turns *t, struct mote_turn *turn)
{
	for (; t->helped < t->groups; t->helped++) {
		uint32_t list = (p->at.rank + t->helped) % t->groups;
		uint32_t begin = (uint32_t)((uint64_t)t->rows * list / t->groups);
		uint32_t end = (uint32_t)((uint64_t)t->rows * (list + 1) / t->groups);
		uint32_t tiles = (end - begin + t->step - 1) / t->step, i = mote_pool_claim_from(p->s->pool, list);

		if (i < tiles * t->items) {
			turn->item = i / tiles;
			turn->row = begin + i % tiles * t->step;
			turn->row_end = turn->row + t->step < end ? turn->row + t->step : end;
			return true;
		}
	}
	return false;
}
