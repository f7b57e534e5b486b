/* Scheduler: any number of answers side by side over one session.
 *
 * Each answer grows in a sequence of its own. A forward pass reads the weights once for all of them: its batch holds
 * the next token of every answer that is being written, and a slice of the prompts that are not computed yet, so that
 * a long prompt does not make the others wait for all of it. Logits do not depend on the company, so each answer is
 * bit for bit what it would be alone.
 *
 * The scheduler knows nothing of sampling or text: whoever adds a prompt gets its logits and says which id is next.
 * Answers that find no free sequence wait and are taken in the order in which they came. One thread at a time.
 */
#ifndef MOTE_RUNTIME_SCHEDULER_H
#define MOTE_RUNTIME_SCHEDULER_H

#include "runtime/model/session.h"

struct mote_scheduler;

/* Enough to hide most of the time that reading the weights takes, without much of a KV cache: for tools that write many
 * texts and may choose. */
#define MOTE_SIDE_BY_SIDE 8u

/* What take() returns when there is no next id. */
#define MOTE_ENDED (-1)

/* Who gets the logits of one answer. */
struct mote_taker {
	/* logits [vocab] after the last id of its sequence, valid during the call. Returns the id to go on with, or
	 * MOTE_ENDED; then it is not called again, and the sequence is free for another answer. It may add and cancel
	 * answers, but not step. An answer that goes on although its sequence is full is ended, so count: a sequence
	 * takes mote_session_context() ids, prompt included. */
	int32_t (*take)(void *user, const float *logits);
	void *user;
};

/* Who sees what a pass gives at each id of a prompt, in order: scores of a text, embeddings. Each may be NULL; called
 * before the pass's logits are taken, with pointers that are valid during the call. */
struct mote_prompt_watch {
	void (*logits)(void *user, uint32_t position, const float *logits); /* [vocab] after the id at this position */
	void (*state)(void *user, uint32_t position, const float *state);   /* [hidden] behind the final norm */
	void *user;
};

struct mote_scheduler_options {
	uint32_t slice_rows; /* most rows of a pass that prompts get while other answers go on; 0: 64 */
	/* Fewer than these where a pass would take more than about two and a half times as long as without them: for
	 * readers of what is being written. Prompts take longer meanwhile. */
	bool steady;
	/* Guess how answers go on from where their last ids stood before, and compute guesses that are likely to be
	 * right in the same pass (lookup.h): take() is called with the same logits as without, several times a pass.
	 * Uses the session's logit rows beside one for each sequence, up to 15 a sequence. */
	bool lookup;
	/* Asked before each pass and between its layers; false ends it with MOTE_ERROR_INTERRUPTED, and the step may be
	 * done again. May be NULL. */
	bool (*proceed)(void *user);
	void *user;
};

struct mote_guess_counts {
	uint64_t made;        /* guesses that were computed */
	uint64_t right;       /* and came true */
};

/* Sums since it was opened. */
struct mote_scheduler_counts {
	uint64_t passes;      /* forward passes */
	uint64_t rows;        /* computed ids */
	uint64_t shared_rows; /* ids of prompts that a sequence held already */
	struct mote_guess_counts guesses;
};

/* The session is borrowed; nobody else uses it meanwhile. All its sequences are used; its logit_rows must be as many
 * as its sequences, and its batch_rows at least as many: MOTE_ERROR_ARGUMENT. options NULL: all 0. MOTE_ERROR_MEMORY.
 * All memory but that of waiting prompts is taken here. */
enum mote_status mote_scheduler_open(struct mote_session *session, const struct mote_scheduler_options *options,
				     struct mote_scheduler **out, struct mote_error *error);
void mote_scheduler_close(struct mote_scheduler *s); /* NULL is fine; what is running or waiting is dropped */

/* Adds an answer to ids[count], which are copied. A prompt that begins like what a sequence holds (the next turn of a
 * chat, the same instructions before another question) is computed only from where they part, but its last id always.
 * What a free sequence holds is gone on with, what one in use holds is forked.
 *   ticket  names the answer for mote_scheduler_cancel(), may be NULL
 * MOTE_ERROR_ARGUMENT: no ids, more than the session's context, or an id beyond the vocabulary. MOTE_ERROR_MEMORY. */
enum mote_status mote_scheduler_add(struct mote_scheduler *s, const int32_t *ids, size_t count,
				    struct mote_taker taker, uint64_t *ticket, struct mote_error *error);

/* Has the prompt of an answer watched, which was added since the last step. It is then computed whole, whatever
 * sequences hold; where logits are watched, in slices of as many ids as the session has logit rows to spare beside one
 * for each sequence. MOTE_ERROR_ARGUMENT: it does not wait. MOTE_ERROR_MEMORY. */
enum mote_status mote_scheduler_watch(struct mote_scheduler *s, uint64_t ticket, struct mote_prompt_watch watch,
				      struct mote_error *error);

/* Drops an answer, running or waiting: its take() is not called again. One that has ended is left alone. */
void mote_scheduler_cancel(struct mote_scheduler *s, uint64_t ticket);

/* One forward pass; nothing when there is no answer. Statuses as mote_session_forward(); on error nothing has been
 * taken, and it may be called again. When no page of the KV cache is free, free sequences give up theirs first. */
enum mote_status mote_scheduler_step(struct mote_scheduler *s, struct mote_error *error);

/* How many ids of a running answer's prompt its sequence held already; 0 for others. take() may ask. */
uint32_t mote_scheduler_shared(const struct mote_scheduler *s, uint64_t ticket);

/* Guesses for a running answer; 0 for others. take() may ask. */
struct mote_guess_counts mote_scheduler_guesses(const struct mote_scheduler *s, uint64_t ticket);

uint32_t mote_scheduler_answers(const struct mote_scheduler *s); /* running and waiting */
uint32_t mote_scheduler_free(const struct mote_scheduler *s);    /* how many more would run at once; may be 0 */
struct mote_scheduler_counts mote_scheduler_counts(const struct mote_scheduler *s);

#endif
