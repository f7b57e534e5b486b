/* See engine.h.
 *
 * One mutex guards the queue, the jobs' fields below the line and the figures. The thread holds it while it takes jobs in
 * and hands pieces out, and not during a pass. A job is touched by the thread only while it is queued or has running
 * choices; mote_engine_release() waits for neither to be the case.
 */
#include "runtime/serve/engine.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROMPT_ROWS = 64, STACK_BYTES = 1 << 20 };

/* A choice in its place. */
struct run {
	struct mote_job *job;          /* NULL: the place is free */
	struct mote_lm_answer *answer;
	uint32_t choice;
	size_t scored;                 /* tokens whose log-probabilities were handed out */
	double *sum;                   /* [hidden] of the prompt's states, or NULL */
	uint64_t number;
};

struct mote_engine {
	const struct mote_lm *lm;
	struct mote_lm_session *session;
	uint32_t sequences, queue, hidden;
	pthread_t thread;
	bool started, draining, stopping;
	pthread_mutex_t lock;
	pthread_cond_t work;           /* something came, or it is time to stop */
	struct run *run;               /* [sequences] */
	struct mote_place *place;      /* [sequences] */
	struct mote_job *first, **last;
	uint32_t waiting, running;
	struct mote_engine_figures figures;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void mote_piece_free(struct mote_piece *list)
{
	for (struct mote_piece *next; list; list = next) {
		next = list->next;
		free(list->scored);
		free(list->prompt);
		free(list->ids);
		free(list);
	}
}

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

	mote_lm_answer_describe(r->answer, &info);
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
		r->sum[1 + i] += (double)state[i];
}

/* The mean of the prompt's states, of length 1. */
static void give_embedding(struct mote_engine *e, struct run *r)
{
	float *out = r->job->embedding + (size_t)r->choice * e->hidden;
	double square = 0, scale;

	for (uint32_t i = 0; i < e->hidden; i++)
		square += r->sum[1 + i] * r->sum[1 + i];
	scale = square > 0 ? 1 / sqrt(square) : 0;
	for (uint32_t i = 0; i < e->hidden; i++)
		out[i] = (float)(r->sum[1 + i] * scale);
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
		fail(e, job, choice, error.status ? error.status : MOTE_LM_MEMORY, error.status ? error.message : "no memory");
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

/* Under the lock: those who wait get the free places, in the order in which they came. */
static void admit(struct mote_engine *e)
{
	for (uint32_t i = 0; i < e->sequences && e->first; i++) {
		struct mote_job *job = e->first;

		if (e->run[i].job)
			continue;
		enter(e, job, &e->run[i]);
		if (job->opened == job->prompts * job->copies)
			unqueue(e, job);
	}
}

/* Under the lock: every choice that is not in a place ends without having begun. */
static void end_queued(struct mote_engine *e, struct mote_job *job, int status, const char *message)
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
		if (event.kind == MOTE_LM_EVENT_END && r->sum)
			give_embedding(e, r);
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
			end_queued(e, job, why(job), reason ? reason : "released");
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
			serve(e, r, seconds());
	}
}

static void *work(void *user)
{
	struct mote_engine *e = user;

	pthread_mutex_lock(&e->lock);
	for (;;) {
		struct mote_lm_error error = {0};
		double began;

		sweep_queue(e, seconds());
		admit(e);
		if (e->running) {
			pthread_mutex_unlock(&e->lock);
			began = seconds();
			mote_lm_session_step(e->session, &error);
			pthread_mutex_lock(&e->lock);
			e->figures.busy_seconds += seconds() - began;
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

static int open_session(struct mote_engine *e, const struct mote_engine_options *o, struct mote_lm_error *error)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;

	options.context_tokens = o->context_tokens;
	options.sequences = o->sequences;
	options.threads = o->threads;
	options.kv_keys = o->kv_keys;
	options.kv_values = o->kv_values;
	options.prompt_rows = PROMPT_ROWS;
	return mote_lm_session_open(e->lm, &options, &e->session, error);
}

int mote_engine_open(const struct mote_lm *lm, const struct mote_engine_options *options, struct mote_engine **out,
		     struct mote_lm_error *error)
{
	struct mote_engine *e = calloc(1, sizeof *e);
	struct mote_lm_info info;
	int status = MOTE_LM_MEMORY;

	*out = NULL;
	mote_lm_describe(lm, &info);
	if (e) {
		e->lm = lm;
		e->sequences = options->sequences;
		e->queue = options->queue;
		e->hidden = info.hidden;
		e->last = &e->first;
		pthread_mutex_init(&e->lock, NULL);
		pthread_cond_init(&e->work, NULL);
		e->run = calloc(e->sequences, sizeof *e->run);
		e->place = calloc(e->sequences, sizeof *e->place);
		status = open_session(e, options, error);
	}
	if (!status && e->run && e->place)
		e->started = pthread_create(&e->thread, NULL, work, e) == 0;
	if (!e || !e->started) {
		mote_engine_close(e);
		if (!status && error)
			*error = (struct mote_lm_error){MOTE_LM_MEMORY, "no memory or thread for the engine"};
		return status ? status : MOTE_LM_MEMORY;
	}
	*out = e;
	return MOTE_LM_OK;
}

void mote_engine_drain(struct mote_engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->draining = true;
	pthread_mutex_unlock(&e->lock);
}

bool mote_engine_idle(struct mote_engine *e)
{
	bool idle;

	pthread_mutex_lock(&e->lock);
	idle = !e->running && !e->waiting;
	pthread_mutex_unlock(&e->lock);
	return idle;
}

void mote_engine_stop(struct mote_engine *e)
{
	if (!e->started)
		return;
	pthread_mutex_lock(&e->lock);
	e->draining = e->stopping = true;
	mote_lm_session_interrupt(e->session);
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	e->started = false;
}

void mote_engine_close(struct mote_engine *e)
{
	if (!e)
		return;
	mote_engine_stop(e);
	mote_lm_session_close(e->session);
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->work);
	free(e->run);
	free(e->place);
	free(e);
}

/* ---- for those who ask ---- */

enum mote_engine_entry mote_engine_submit(struct mote_engine *e, struct mote_job *job)
{
	enum mote_engine_entry entry = MOTE_ENTRY_TAKEN;
	pthread_cond_t *signal = malloc(sizeof *signal);

	job->last = &job->first;
	job->entered = seconds();
	pthread_mutex_lock(&e->lock);
	if (!signal || (e->waiting >= e->queue && e->running + e->waiting >= e->sequences))
		entry = MOTE_ENTRY_FULL;
	else if (e->draining)
		entry = MOTE_ENTRY_STOPPING;
	if (entry == MOTE_ENTRY_TAKEN) {
		pthread_cond_init(signal, NULL);
		job->signal = signal;
		job->queued = true;
		*e->last = job;
		e->last = &job->next;
		e->waiting++;
		e->figures.jobs++;
		pthread_cond_signal(&e->work);
	} else {
		e->figures.refused++;
		free(signal);
	}
	pthread_mutex_unlock(&e->lock);
	return entry;
}

struct mote_piece *mote_engine_wait(struct mote_engine *e, struct mote_job *job)
{
	struct mote_piece *list;

	pthread_mutex_lock(&e->lock);
	while (!job->first && job->ended < job->prompts * job->copies)
		pthread_cond_wait(job->signal, &e->lock);
	list = job->first;
	job->first = NULL;
	job->last = &job->first;
	pthread_mutex_unlock(&e->lock);
	return list;
}

void mote_engine_release(struct mote_engine *e, struct mote_job *job)
{
	if (!job->signal)
		return;
	pthread_mutex_lock(&e->lock);
	job->released = true;
	if (job->queued)
		end_queued(e, job, MOTE_LM_INTERRUPTED, "released");
	while (job->running)
		pthread_cond_wait(job->signal, &e->lock);
	pthread_mutex_unlock(&e->lock);
	mote_piece_free(job->first);
	job->first = NULL;
	pthread_cond_destroy(job->signal);
	free(job->signal);
	job->signal = NULL;
}

void mote_engine_look(struct mote_engine *e, struct mote_engine_figures *figures, struct mote_place *place)
{
	struct mote_lm_session_info info;

	mote_lm_session_describe(e->session, &info);
	pthread_mutex_lock(&e->lock);
	*figures = e->figures;
	figures->sequences = e->sequences;
	figures->running = e->running;
	figures->waiting = e->waiting;
	if (place)
		memcpy(place, e->place, e->sequences * sizeof *place);
	pthread_mutex_unlock(&e->lock);
	figures->context_tokens = info.context_tokens;
	figures->threads = info.threads;
	figures->bytes = info.bytes;
	figures->isa = info.isa;
}
