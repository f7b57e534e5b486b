/* What the scheduler's files share: scheduler.c takes answers in, scheduler_slots.c gives them sequences,
 * scheduler_pass.c computes.
 *
 * A slot is a sequence of the session and the ids in it: ids[0..held) are in the KV cache, ids[held..count) are to be
 * computed. A slot that is writing has one id to compute, one under prefill more. What a slot held when its answer
 * ended stays, for a later prompt that begins with it.
 *
 * During a pass, ids[count..count + guesses) are guesses of how a writing slot goes on, computed behind its one id.
 */
#ifndef MOTE_RUNTIME_SCHEDULER_INTERNAL_H
#define MOTE_RUNTIME_SCHEDULER_INTERNAL_H

#include "runtime/generate/lookup.h"
#include "runtime/generate/scheduler.h"

struct mote_slot {
	struct mote_taker taker;
	struct mote_prompt_watch watch;
	uint64_t ticket;        /* 0: free */
	uint64_t last_used;     /* ticket of the last answer in it */
	int32_t *ids;           /* [context] */
	uint32_t held, count;
	uint32_t shared;        /* of its prompt, held already when it was admitted */
	uint32_t prompt;        /* ids of it */
	uint32_t guesses;       /* of this pass, behind ids[count) of its beginning */
	uint32_t confirmed;     /* ids that the pass computed and that are right: rows behind them count for nothing */
	struct mote_lookup lookup;
	struct mote_guess_counts guess_counts;
	bool cancelled;         /* freed at the beginning of the next step */
};

struct waiting {
	struct waiting *next;
	struct mote_taker taker;
	struct mote_prompt_watch watch;
	uint64_t ticket;
	uint32_t count;
	int32_t ids[];
};

struct mote_scheduler {
	struct mote_session *session;
	bool (*proceed)(void *user);
	void *user;
	uint32_t vocab, hidden, context, slots, batch_rows, slice_rows;
	bool lookup, steady;
	float row_cost;                /* of one more row, as part of a pass of one */
	uint32_t spare_logits;         /* logit rows beside one for each slot */
	struct mote_slot *slot;             /* [slots] */
	uint32_t *running, n_running;  /* [slots] slots in use, the oldest answer first */
	struct waiting *first, **last;
	uint32_t n_waiting, n_cancelled;
	uint64_t tickets;
	struct mote_scheduler_counts counts;
	int32_t *token;                /* [batch_rows], like all below */
	uint32_t *position, *sequence;
	uint8_t *want;
	float *states;                 /* [batch_rows][hidden], from the first prompt on whose states are watched */
};

/* Frees the slots of cancelled answers. */
void mote_scheduler_sweep(struct mote_scheduler *s);
/* Gives free slots to those that wait. */
void mote_scheduler_admit(struct mote_scheduler *s);
/* Gives up what the free slot holds that was not used for longest. False: free slots hold nothing. */
bool mote_scheduler_give_up(struct mote_scheduler *s);
/* The slot's sequence. */
uint32_t mote_scheduler_sequence(const struct mote_scheduler *s, const struct mote_slot *slot);

#endif
