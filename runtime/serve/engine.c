/* See engine.h and engine_internal.h: opening and closing, and what those call who ask. */
#include "format/clock.h"
#include "runtime/serve/engine_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PROMPT_ROWS = 64 };

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

static int open_session(struct mote_engine *e, const struct mote_engine_options *o, struct mote_lm_error *error)
{
	struct mote_lm_session_options options = MOTE_LM_SESSION_OPTIONS_INIT;

	options.context_tokens = o->context_tokens;
	options.sequences = o->sequences;
	options.threads = o->threads;
	options.kv_keys = o->kv_keys;
	options.kv_values = o->kv_values;
	options.prompt_rows = PROMPT_ROWS;
	options.no_lookup = o->no_lookup;
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
		e->started = pthread_create(&e->thread, NULL, mote_engine_work, e) == 0;
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

	if (!signal)
		return MOTE_ENTRY_MEMORY;
	job->last = &job->first;
	job->entered = mote_clock_seconds();
	pthread_mutex_lock(&e->lock);
	if (e->waiting >= e->queue && e->running + e->waiting >= e->sequences)
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
		mote_engine_end_queued(e, job, MOTE_LM_INTERRUPTED, "released");
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
