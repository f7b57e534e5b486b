/* The engine's thread: jobs take places, passes are made, pieces are handed out. See engine_internal.h. */
#include "format/clock.h"
#include "runtime/serve/engine_internal.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* ---- handing out ---- */

static struct mote_piece *new_piece(uint32_t choice, enum mote_piece_kind kind, const char *text, size_t bytes)
{
	struct mote_piece *p = calloc(1, sizeof *p + bytes + 1);

	if (!p)
		return NULL;
	p->choice = choice;
	p->kind = kind;
	p->bytes = bytes;
	if (bytes)
		memcpy(p->text, text, bytes);
	return p;
}

/* Under the lock. Where there was no memory for a piece its choice ends; that the end lacks says so. */
static void hand_out(struct mote_job *job, struct mote_piece *p)
{
	if (p) {
		*job->last = p;
		job->last = &p->next;
	}
	pthread_cond_signal(job->signal);
}

/* Tokens from..to of an answer, or of its prompt, if they were asked for. False: no memory. */
static bool copy_scored(const struct mote_lm_answer *a, int of_prompt, size_t from, size_t to, struct mote_scored **out,
			size_t *count)
{
	struct mote_lm_logprobs l;

	if (to <= from || !mote_lm_answer_logprobs(a, of_prompt, from, &l))
		return true;
	*out = calloc(to - from, sizeof **out);
	for (; *out && *count < to - from && mote_lm_answer_logprobs(a, of_prompt, from + *count, &l); ++*count) {
		struct mote_scored *s = &(*out)[*count];

		s->id = l.token.id;
		s->logprob = l.token.logprob;
		s->tops = l.tops;
		memcpy(s->top, l.top, l.tops * sizeof *l.top);
	}
	return *out != NULL;
}

/* What goes with the end of a choice. */
static bool describe_end(struct run *r, struct mote_piece *p)
{
	struct mote_lm_answer_info info;

	mote_lm_answer_describe(r->answer, &info);
	mote_lm_answer_guesses(r->answer, &p->guessed, &p->guessed_right);
	p->stop_text = mote_lm_answer_stop_text(r->answer);
	p->tokens = info.tokens;
	p->prompt_tokens = info.prompt_tokens;
	p->cached_tokens = info.prompt_tokens - info.prompt_computed;
	p->prompt_seconds = info.prompt_seconds;
	p->predict_seconds = info.predict_seconds;
	p->ids = malloc((info.tokens + 1) * sizeof *p->ids);
	if (p->ids && info.tokens)
		memcpy(p->ids, info.ids, info.tokens * sizeof *p->ids);
	return p->ids && (!r->job->options.prompt_logprobs ||
			  copy_scored(r->answer, 1, 0, info.prompt_tokens, &p->prompt, &p->n_prompt));
}

/* NULL: no memory. */
static struct mote_piece *make_piece(struct run *r, const struct mote_lm_event *event)
{
	enum mote_piece_kind kind = event->kind == MOTE_LM_EVENT_TEXT ? MOTE_PIECE_TEXT :
				    event->kind == MOTE_LM_EVENT_REASONING ? MOTE_PIECE_REASONING : MOTE_PIECE_END;
	struct mote_piece *p = new_piece(r->choice, kind, event->text, event->bytes);

	if (!p)
		return NULL;
	p->finish = event->finish;
	p->tokens = event->tokens;
	if (!copy_scored(r->answer, 0, r->scored, event->tokens, &p->scored, &p->n_scored) ||
	    (kind == MOTE_PIECE_END && !describe_end(r, p))) {
		mote_piece_free(p);
		return NULL;
	}
	r->scored = event->tokens;
	return p;
}

/* ---- places ---- */

/* Under the lock: the place is free, and its job one choice nearer to its end. */
static void leave(struct mote_engine *e, struct run *r)
{
	struct mote_lm_answer_info info;
	uint64_t guessed, right;

	mote_lm_answer_describe(r->answer, &info);
	mote_lm_answer_guesses(r->answer, &guessed, &right);
	e->figures.guessed += guessed;
	e->figures.guessed_right += right;
	e->figures.tokens += info.tokens;
	e->figures.prompt_tokens += info.prompt_computed;
	e->figures.cached_tokens += info.prompt_tokens - info.prompt_computed;
	e->figures.prompt_seconds += info.prompt_seconds;
	e->figures.predict_seconds += info.predict_seconds;
	mote_lm_answer_close(r->answer);
	free(r->sum);
	r->job->running--;
	r->job->ended++;
	pthread_cond_signal(r->job->signal);
	e->place[r - e->run] = (struct mote_place){0};
	*r = (struct run){0};
	e->running--;
}

static void fail(struct mote_engine *e, struct mote_job *job, uint32_t choice, int status, const char *message)
{
	struct mote_piece *p = new_piece(choice, MOTE_PIECE_FAILED, message, strlen(message));

	if (p)
		p->status = status;
	e->figures.failed++;
	hand_out(job, p);
}

static void add_state(void *user, uint32_t position, const float *state)
{
	struct run *r = user;
	(void)position;

	for (uint32_t i = 0; i < (uint32_t)r->sum[0]; i++)
		r->sum[1 + i] = (double)state[i] + (r->job->embedding_last ? 0 : r->sum[1 + i]);
}

/* The mean of the prompt's states, or its last one, of length 1. False: it is not finite. */
static bool give_embedding(struct mote_engine *e, struct run *r)
{
	float *out = r->job->embedding + (size_t)r->choice * e->hidden;
	double square = 0, scale;

	for (uint32_t i = 0; i < e->hidden; i++)
		square += r->sum[1 + i] * r->sum[1 + i];
	scale = square > 0 ? 1 / sqrt(square) : 0;
	for (uint32_t i = 0; i < e->hidden; i++)
		out[i] = (float)(r->sum[1 + i] * scale);
	return isfinite(square);
}

/* Under the lock: the next choice of a job takes a free place. */
static void enter(struct mote_engine *e, struct mote_job *job, struct run *r)
{
	const struct mote_job_prompt *prompt = &job->prompt[job->opened / job->copies];
	struct mote_lm_answer_options options = job->options;
	struct mote_lm_sampling sampling = job->sampling;
	struct mote_lm_error error = {0};
	uint32_t choice = job->opened++;

	*r = (struct run){.job = job, .choice = choice, .number = e->figures.jobs};
	sampling.seed += choice % job->copies;
	options.sampling = &sampling;
	options.prompt = prompt->ids;
	options.prompt_tokens = prompt->count;
	options.reasoning_open = prompt->reasoning_open;
	if (job->embedding && (r->sum = calloc(1 + (size_t)e->hidden, sizeof *r->sum))) {
		r->sum[0] = e->hidden;
		options.state = add_state;
		options.user = r;
	}
	if ((job->embedding && !r->sum) || mote_lm_answer_open(e->session, &options, &r->answer, &error)) {
		fail(e, job, choice, error.status ? error.status : MOTE_LM_MEMORY,
		     error.status ? error.message : "no memory");
		free(r->sum);
		*r = (struct run){0};
		job->ended++;
		return;
	}
	e->place[r - e->run] = (struct mote_place){true, r->number, prompt->count, 0};
	job->running++;
	e->running++;
}

static void unqueue(struct mote_engine *e, struct mote_job *job)
{
	struct mote_job **at = &e->first;

	while (*at && *at != job)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = job->next;
	if (!*at)
		e->last = at;
	job->queued = false;
	e->waiting--;
}

/* Under the lock: those who wait get the free places, in the order in which they came. Who waits for more of them is
 * the last one then, so that a request of many prompts does not keep the others waiting for all of these. */
static void admit(struct mote_engine *e)
{
	for (uint32_t i = 0; i < e->sequences && e->first; i++) {
		struct mote_job *job = e->first;

		if (e->run[i].job)
			continue;
		enter(e, job, &e->run[i]);
		if (job->opened == job->prompts * job->copies) {
			unqueue(e, job);
		} else if (job->next) {
			e->first = job->next;
			job->next = NULL;
			*e->last = job;
			e->last = &job->next;
		}
	}
}

void mote_engine_end_queued(struct mote_engine *e, struct mote_job *job, int status, const char *message)
{
	if (!job->queued)
		return;
	for (; job->opened < job->prompts * job->copies; job->opened++, job->ended++)
		fail(e, job, job->opened, status, message);
	unqueue(e, job);
}

/* Has the client closed its connection, or its sending half? */
static bool has_gone(const struct mote_job *job)
{
	struct pollfd watched = {.fd = job->fd, .events = POLLRDHUP};

	return job->fd >= 0 && poll(&watched, 1, 0) > 0;
}

/* Under the lock: why a job must end now, or NULL. */
static const char *overdue(struct mote_engine *e, struct mote_job *job, double now)
{
	if (e->stopping)
		return "the server is stopping";
	if (job->seconds > 0 && now - job->entered > job->seconds) {
		e->figures.late += !job->late;
		job->late = true;
		return "the request's time is up";
	}
	if (!job->gone && has_gone(job)) {
		e->figures.gone++;
		job->gone = true;
	}
	return job->gone ? "the client has gone" : NULL;
}

static int why(const struct mote_job *job)
{
	return job->late ? MOTE_LM_LIMIT : MOTE_LM_INTERRUPTED;
}

/* ---- the thread ---- */

static void give_up(struct mote_engine *e, struct run *r, int status, const char *message)
{
	fail(e, r->job, r->choice, status, message);
	leave(e, r);
}

/* Under the lock: hands out what a choice has, and lets it leave when it has ended or must. */
static void serve(struct mote_engine *e, struct run *r, double now)
{
	const char *reason = overdue(e, r->job, now);
	struct mote_lm_event event = {.kind = MOTE_LM_EVENT_TEXT};
	struct mote_lm_error error = {0};
	struct mote_lm_answer_info info;

	if (r->job->released) {
		leave(e, r);
		return;
	}
	if (reason) {
		give_up(e, r, why(r->job), reason);
		return;
	}
	while (event.kind == MOTE_LM_EVENT_TEXT || event.kind == MOTE_LM_EVENT_REASONING) {
		struct mote_piece *p;

		if (mote_lm_answer_poll(r->answer, &event, &error)) {
			give_up(e, r, error.status, error.message);
			return;
		}
		if (event.kind == MOTE_LM_EVENT_NONE)
			break;
		if (event.kind == MOTE_LM_EVENT_END && r->sum && !give_embedding(e, r)) {
			give_up(e, r, MOTE_LM_CORRUPT, "the model's states are infinite or not a number: no embedding "
				"can be made");
			return;
		}
		if (!(p = make_piece(r, &event))) {
			give_up(e, r, MOTE_LM_MEMORY, "no memory for a piece of the answer");
			return;
		}
		hand_out(r->job, p);
	}
	mote_lm_answer_describe(r->answer, &info);
	e->place[r - e->run].tokens = info.tokens;
	if (event.kind == MOTE_LM_EVENT_END)
		leave(e, r);
}

/* Under the lock: jobs that wait in vain. */
static void sweep_queue(struct mote_engine *e, double now)
{
	for (struct mote_job *job = e->first, *next; job; job = next) {
		const char *reason = overdue(e, job, now);

		next = job->next;
		if (job->released || reason)
			mote_engine_end_queued(e, job, why(job), reason ? reason : "released");
	}
}

/* Under the lock: what a pass brought to everyone. */
static void serve_all(struct mote_engine *e, const struct mote_lm_error *error)
{
	for (uint32_t i = 0; i < e->sequences; i++) {
		struct run *r = &e->run[i];

		if (r->job && error->status && error->status != MOTE_LM_INTERRUPTED)
			give_up(e, r, error->status, error->message);
		else if (r->job)
			serve(e, r, mote_clock_seconds());
	}
}

void *mote_engine_work(void *user)
{
	struct mote_engine *e = user;

	pthread_mutex_lock(&e->lock);
	for (;;) {
		struct mote_lm_error error = {0};
		double began;

		sweep_queue(e, mote_clock_seconds());
		admit(e);
		if (e->running) {
			pthread_mutex_unlock(&e->lock);
			began = mote_clock_seconds();
			mote_lm_session_step(e->session, &error);
			pthread_mutex_lock(&e->lock);
			e->figures.busy_seconds += mote_clock_seconds() - began;
			serve_all(e, &error);
		} else if (e->stopping) {
			break;
		} else if (!e->first) {
			pthread_cond_wait(&e->work, &e->lock);
		}
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}
