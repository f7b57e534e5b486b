/* How the work of a forward pass is shared out among threads: products, the projections to queries, keys and values,
 * and attention. Every thread calls the same functions in the same order. Internal to runtime/model.
 *
 * No sum depends on how the work is cut (kernels.h). For few rows a thread knows most of its share beforehand and
 * claims only a rest; for many rows threads claim all pieces.
 */
#ifndef MOTE_RUNTIME_SHARE_OUT_H
#define MOTE_RUNTIME_SHARE_OUT_H

#include "runtime/model/workspace.h"

/* One thread's view of a forward pass. */
struct mote_pass {
	struct mote_session *s;
	const struct mote_config *config;
	const struct mote_kernels *k;
	struct mote_scratch *own;
	struct mote_pool_member at;     /* at.thread 0 is the calling one */
	bool left;                      /* this thread is no member any more */
	uint32_t rows;
	bool few;                       /* rows <= MOTE_FEW_ROWS */
};

/* 0, 1, 2 ... each to one thread, between two barriers. */
static inline uint32_t mote_share_claim(struct mote_pass *p)
{
	return mote_pool_claim(p->s->pool);
}

static inline void mote_share_barrier(struct mote_pass *p)
{
	mote_pool_barrier(p->s->pool, p->at.thread);
}

/* Work on many rows: they belong to the threads, some each, and a thread takes what is to be done for its own rows
 * first, as it wrote what is read then, and another core's caches are far; then it helps the others. */
struct mote_turns {
	uint32_t rows, groups;  /* groups: of rows, each the list of one thread */
	uint32_t step, items;   /* a piece is one of so many items, for so many rows */
	uint32_t helped;        /* lists that are done, as far as this thread knows */
};

struct mote_turn {
	uint32_t item, row, row_end;
};

/* Groups of rows, such that each has enough of them to make use of a weight that is unpacked. */
static inline uint32_t mote_share_groups(const struct mote_pass *p, uint32_t rows)
{
	uint32_t most = rows / MOTE_GROUP_ROWS;

	return most == 0 ? 1 : most < p->at.members ? most : p->at.members;
}

/* One by one. */
static inline struct mote_turns mote_share_rows(const struct mote_pass *p, uint32_t rows)
{
	return (struct mote_turns){.rows = rows, .groups = mote_share_groups(p, rows), .step = 1, .items = 1};
}

/* The next piece for this thread; false: there is none. */
bool mote_share_turn(struct mote_pass *p, struct mote_turns *t, struct mote_turn *turn);

/* This thread's share of a product of n rows. No barrier. */
void mote_share_multiply(struct mote_pass *p, const struct mote_matmul *job, uint32_t n);

/* query = rope(Wq x) and cache = rope(Wk x), Wv x. Ends with a barrier. */
void mote_share_project(struct mote_pass *p, uint32_t layer, const struct mote_activations *x);

/* softmax(q K^T / sqrt(head_dim)) V of all rows, quantized where a quantized matrix reads it: valid on this thread,
 * as attention to few rows is merged by each for itself. Barriers inside. */
const struct mote_activations *mote_share_attend(struct mote_pass *p, uint32_t layer, bool quantized);

#endif
