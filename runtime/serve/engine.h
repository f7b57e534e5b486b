/* Engine: the one thread that owns the session and steps it, for all requests together.
 *
 * Threads that speak with clients hand in jobs and wait for pieces of their answers. Jobs wait in a queue of bounded
 * length until places (sequences of the session) are free; a job of several choices takes a place for each, one
 * after the other where not enough are free. Answers advance together, a token each a pass; prompts are cut into
 * slices, so that those who are being answered go on. A job whose client goes away, whose time is up or that is
 * released leaves its places before the next pass.
 */
#ifndef MOTE_RUNTIME_SERVE_ENGINE_H
#define MOTE_RUNTIME_SERVE_ENGINE_H

#include <stdbool.h>

#include "runtime/api/mote.h"

struct mote_engine;

struct mote_engine_options {
	uint32_t sequences, context_tokens, threads;
	const char *kv_keys, *kv_values;
	uint32_t queue; /* most jobs that wait */
	bool no_lookup;
};

/* What came of one choice. */
enum mote_piece_kind { MOTE_PIECE_TEXT, MOTE_PIECE_REASONING, MOTE_PIECE_END, MOTE_PIECE_FAILED };

struct mote_scored {
	float logprob; /* NaN: unknown */
	int32_t id;
	uint32_t tops;
	struct mote_lm_logprob top[MOTE_LM_MAX_TOP];
};

struct mote_piece {
	struct mote_piece *next;
	uint32_t choice;
	enum mote_piece_kind kind;
	enum mote_lm_finish finish;     /* of END */
	int stop_text;                  /* of END: mote_lm_answer_stop_text() */
	int status;                     /* of FAILED, enum mote_lm_status; the text is its message */
	struct mote_scored *scored;     /* [n_scored] tokens that are spoken for with it, where the job wants them */
	size_t n_scored;
	struct mote_scored *prompt;     /* [n_prompt], of END, where the job wants them */
	size_t n_prompt;
	size_t tokens;                  /* sampled when its last text came; of END: all */
	int32_t *ids;                   /* of END: [tokens] */
	size_t prompt_tokens, cached_tokens; /* of END */
	uint64_t guessed, guessed_right;     /* of END: tokens, by lookup */
	double prompt_seconds, predict_seconds;
	size_t bytes;
	char text[];                    /* [bytes + 1] */
};
void mote_piece_free(struct mote_piece *list); /* NULL is fine */

struct mote_job_prompt {
	int32_t *ids;
	size_t count;
	int reasoning_open;
};

/* Zero-initialize, fill in what is above the line; all of it is borrowed until mote_engine_release(). */
struct mote_job {
	struct mote_lm_answer_options options; /* prompt and sampling apart */
	struct mote_lm_sampling sampling;      /* the seed of choice i is sampling.seed + i % copies */
	const struct mote_job_prompt *prompt;  /* [prompts] */
	uint32_t prompts, copies;              /* choices: prompts * copies, those of one prompt side by side */
	float *embedding;                      /* NULL, or [prompts][hidden]: the mean of the prompts' states, or */
	bool embedding_last;                   /* the last one; of length 1 */
	int fd;                                /* the client's socket, watched; or -1 */
	double seconds;                        /* most, waiting included; 0: no limit */
	/* ---- */
	struct mote_job *next;                 /* in the queue */
	uint32_t opened, running, ended;       /* choices */
	bool queued, released, gone, late;
	double entered;
	struct mote_piece *first, **last;
	void *signal;                          /* pthread_cond_t */
};

/* Opens the session and starts the thread. The model is borrowed. */
int mote_engine_open(const struct mote_lm *lm, const struct mote_engine_options *options, struct mote_engine **out,
		     struct mote_lm_error *error);
/* Refuses jobs from now on; those that run or wait may end. */
void mote_engine_drain(struct mote_engine *e);
bool mote_engine_idle(struct mote_engine *e);
/* Ends all jobs with MOTE_LM_INTERRUPTED and the thread. Jobs stay to be released. */
void mote_engine_stop(struct mote_engine *e);
void mote_engine_close(struct mote_engine *e); /* NULL is fine; after all jobs were released */

enum mote_engine_entry { MOTE_ENTRY_TAKEN, MOTE_ENTRY_FULL, MOTE_ENTRY_STOPPING, MOTE_ENTRY_MEMORY };
enum mote_engine_entry mote_engine_submit(struct mote_engine *e, struct mote_job *job);
/* Waits for the next pieces, in order, which the caller frees. NULL: all choices have ended and been given. */
struct mote_piece *mote_engine_wait(struct mote_engine *e, struct mote_job *job);
/* The job gives up its places, if it has not ended, and is the caller's again. */
void mote_engine_release(struct mote_engine *e, struct mote_job *job);

struct mote_place {
	bool busy;
	uint64_t number;   /* of the job, counted from 1 */
	size_t prompt_tokens, tokens;
};
struct mote_engine_figures {
	uint64_t jobs, refused, gone, late, failed;          /* since the start */
	uint64_t prompt_tokens, cached_tokens, tokens, guessed, guessed_right;
	double prompt_seconds, predict_seconds, busy_seconds;
	uint32_t sequences, running, waiting, context_tokens, threads;
	uint64_t bytes;
	const char *isa;
};
/* A moment's figures; place [sequences] may be NULL. */
void mote_engine_look(struct mote_engine *e, struct mote_engine_figures *figures, struct mote_place *place);

#endif
